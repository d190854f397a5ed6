"""The kernels as differentiable functions of PyTorch tensors on the CPU.

Elsewhere, and wherever more than one plain backward pass is asked for (a double backward, forward mode,
`torch.func`, `torch.compile`), the formulas run as array code: they are exact under automatic differentiation of any
order. So no derivative is ever silently zero.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from xent._arrays import widen
from xent.autodiff import numpy as arrays
from xent.autodiff import plain
from xent.formulas import rows as formulas
from xent.formulas import sigmoid
from xent.formulas.linear import Layer
from xent.formulas.rows import RowStatistics, RowWeights, Targets
from xent.kernels import choice

__all__ = ["linear_entropy", "linear_loss", "linear_statistics", "readable", "sigmoid_nll", "statistics"]


def readable(*tensors: Tensor) -> bool:
    """Whether values can be looked at without waiting for a device: on the CPU, outside of all transformations."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return all(tensor.device.type == "cpu" for tensor in tensors)


def statistics(logits: Tensor, targets: Targets) -> RowStatistics:
    """Row statistics, each (rows,), in float32 for 16-bit logits."""
    if not _kernels_serve(logits, *targets) or _needs_gradient(*targets[1:]):
        return formulas.row_statistics(widen(logits), targets)
    return RowStatistics(*_Rows.apply(logits, *targets))


def sigmoid_nll(logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """What each logit costs: positive·softplus(−z) + negative·softplus(z)."""
    if not _kernels_serve(logits, positive, negative) or _needs_gradient(positive, negative):
        return sigmoid.sigmoid_nll(widen(logits), positive, negative)
    nll: Tensor = _Sigmoid.apply(logits, positive, negative)
    return nll


linear_statistics = plain.linear_statistics
linear_entropy = plain.linear_entropy
linear_loss = plain.linear_loss


class _Rows(torch.autograd.Function):
    """Row statistics by the kernels."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Any, soft: Any, on_label: Any) -> tuple[Tensor, Tensor]:
        """(rows, classes) → nll, logsumexp."""
        targets = Targets(*map(_viewed, (labels, soft, on_label)))
        found = arrays.forward(_viewed(logits), targets, choice.compiled_rows(), torch.get_num_threads())
        ctx.save_for_backward(logits, labels, soft, on_label)
        ctx.found = found
        ctx.set_materialize_grads(False)
        return torch.from_numpy(found.statistics.nll), torch.from_numpy(found.statistics.logsumexp)

    @staticmethod
    def backward(ctx: Any, *on: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """By the kernels, or by the formulas where the gradient is to have a gradient."""
        logits, *rest = ctx.saved_tensors
        targets = Targets(*rest)
        if torch.is_grad_enabled():
            return (_differentiable(lambda z: formulas.row_statistics(widen(z), targets), logits, on), None, None, None)
        z = _viewed(logits)
        on_nll, on_logsumexp = (np.zeros(len(z), arrays.wide(z)) if value is None else _viewed(value) for value in on)
        out = np.empty(z.shape, arrays.stored(z))
        targets = Targets(*map(_viewed, targets))
        arrays.backward(z, targets, ctx.found, on_nll, on_logsumexp, out, choice.compiled_rows(), torch.get_num_threads())
        return _tensor(out, logits.dtype), None, None, None


class _Sigmoid(torch.autograd.Function):
    """Sigmoid cross-entropy by the kernels."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Any shape → the same."""
        ctx.save_for_backward(logits, positive, negative)
        return torch.from_numpy(arrays.sigmoid_nll(_viewed(logits), _viewed(positive), _viewed(negative)))

    @staticmethod
    def backward(ctx: Any, on_nll: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """By the kernels, or by the formulas where the gradient is to have a gradient."""
        logits, positive, negative = ctx.saved_tensors
        if torch.is_grad_enabled():
            loss = _differentiable(lambda z: (sigmoid.sigmoid_nll(widen(z), positive, negative),), logits, (on_nll,))
            return loss, None, None
        out = arrays.sigmoid_gradient(*map(_viewed, (logits, positive, negative, on_nll)))
        return _tensor(out, logits.dtype), None, None


def _kernels_serve(*tensors: Any) -> bool:
    """Whether the tensors lie on the CPU and nothing but plain backward passes can be asked for."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return False
    return all(tensor is None or tensor.device.type == "cpu" for tensor in tensors)


def _needs_gradient(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def _differentiable(function: Any, logits: Tensor, on: tuple[Tensor | None, ...]) -> Tensor | None:
    """The gradient of a formula, itself differentiable."""
    values = function(logits)
    known = [(value, upstream) for value, upstream in zip(values, on, strict=True) if upstream is not None]
    if not known or not logits.requires_grad:
        return None
    outputs, upstreams = zip(*known, strict=True)
    gradient: Tensor = torch.autograd.grad(outputs, logits, upstreams, create_graph=True)[0]
    return gradient


def _viewed(tensor: Any) -> Any:
    """The tensor's memory as a NumPy array; bfloat16 as uint16."""
    if tensor is None:
        return None
    tensor = tensor.detach()
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _tensor(array: Any, dtype: torch.dtype) -> Tensor:
    tensor = torch.from_numpy(array)
    return tensor.view(dtype) if dtype == torch.bfloat16 else tensor.to(dtype)
