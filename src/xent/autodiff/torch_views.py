"""What both halves of the PyTorch adapter need: when the kernels serve, tensors as arrays, gradients of gradients."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = [
    "by_formula",
    "differentiable",
    "kernels_serve",
    "needs_gradient",
    "on_cpu",
    "scaled",
    "tensor_of",
    "traced",
    "viewed",
]

_PLAIN = (Tensor, torch.nn.Parameter)
_TRACERS = tuple(torch._C._TorchDispatchModeKey.__members__.values())  # FakeTensorMode, make_fx, functionalize


def kernels_serve(*tensors: Tensor | None) -> bool:
    """Whether the tensors lie on the CPU and nothing but plain backward passes can be asked for."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return False
    return on_cpu(*tensors)


def on_cpu(*tensors: Tensor | None) -> bool:
    """Whether the tensors lie there, with values: those of tracers, and of classes with operators of their own, do not."""
    # Modes are to see operators, and torch.jit.trace is to take them down.
    if torch._C._len_torch_dispatch_stack() or torch._C._get_tracing_state():
        return False
    # Loops, here and below: `all` takes three times as long, and small losses are nothing but calls.
    for tensor in tensors:
        if tensor is None or (type(tensor) in _PLAIN and tensor.is_cpu and tensor.layout is torch.strided):
            continue
        return False
    return True


def traced(tensor: Tensor) -> bool:
    """Whether operators are taken down, or shapes alone are: modes that watch them at work, as counters do, are none."""
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() or tensor.device.type == "meta":
        return True
    return any(torch._C._get_dispatch_mode(key) is not None for key in _TRACERS)


def needs_gradient(*tensors: Tensor | None) -> bool:
    """Whether a gradient by one of the tensors can be asked for."""
    if torch.is_grad_enabled():
        for tensor in tensors:
            if tensor is not None and tensor.requires_grad:
                return True
    return False


def by_formula(*on: Tensor | None) -> bool:
    """Whether a gradient is to have a gradient itself, or is asked for many upstreams (`is_grads_batched`, `vmap`)."""
    if torch.is_grad_enabled() or torch._C._are_functorch_transforms_active():
        return True
    for value in on:
        if value is None or not torch._C._functorch.is_legacy_batchedtensor(value):
            continue
        return True
    return False


def differentiable(
    function: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor | None], on: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """Gradients of a formula by its inputs, differentiable where that is asked for; None for an input that needs none.

    The formula gets other names for the inputs: one of them may be made of another.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        inputs = [None if tensor is None else tensor.view_as(tensor) for tensor in inputs]
        values_of_formula = function(*inputs)
    asked = [tensor for tensor in inputs if tensor is not None and tensor.requires_grad]
    known = [(value, upstream) for value, upstream in zip(values_of_formula, on, strict=True) if upstream is not None]
    if not asked or not known:
        return [None for _ in inputs]
    values, upstreams = zip(*known, strict=True)
    found = iter(torch.autograd.grad(values, asked, upstreams, create_graph=again, allow_unused=True))
    return [next(found) if tensor is not None and tensor.requires_grad else None for tensor in inputs]


def scaled(gradient: Tensor, on: Tensor, dtype: torch.dtype) -> Tensor:
    """A gradient that belongs to no one else, times what comes from above, in its final dtype."""
    gradient = gradient if on.item() == 1.0 else gradient.mul_(on)
    return gradient if gradient.dtype == dtype else gradient.to(dtype)


def viewed(tensor: Tensor | None) -> Any:
    """The tensor's memory as a NumPy array; bfloat16 as uint16."""
    if tensor is None:
        return None
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.detach().resolve_neg().view(torch.uint16)
    return tensor.numpy(force=True)


def tensor_of(array: Any, dtype: torch.dtype | None = None) -> Tensor:
    """The array's memory as a tensor, uint16 as bfloat16; in another dtype if that is asked for."""
    tensor = torch.from_numpy(array)
    tensor = tensor.view(torch.bfloat16) if tensor.dtype is torch.uint16 else tensor
    return tensor if dtype is None else tensor.to(dtype)
