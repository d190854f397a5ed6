"""The linear layer's losses on PyTorch tensors: blocks of logits by the kernels, products by PyTorch."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from xent.autodiff import arrays, linear_arrays, plain, torch_compiled
from xent.autodiff.linear_arrays import Wanted
from xent.autodiff.torch_blocks import by_blocks
from xent.autodiff.torch_machine import arrays_of, as_tensors, cast, loss_and_gradients, machine
from xent.autodiff.torch_views import (
    by_formula,
    differentiable,
    kernels_serve,
    needs_gradient,
    scaled,
    tensor_of,
    viewed,
)
from xent.formulas import rows as formulas
from xent.formulas.linear import Layer, logits_of
from xent.formulas.rows import RowStatistics, RowWeights, Targets
from xent.kernels.blockwise import LinearArrays

__all__ = ["linear_entropy", "linear_loss", "linear_statistics"]


def linear_statistics(layer: Layer, targets: Targets, max_memory: int) -> RowStatistics:
    """Row statistics of a linear layer's logits, each (rows,); the way back computes the logits again."""
    if _compiled(layer):
        return torch_compiled.linear_statistics(layer, targets, max_memory)
    if not kernels_serve(*layer[:3], *targets) or needs_gradient(*targets[1:]):
        return _statistics_by_blocks(layer, targets, max_memory)
    return RowStatistics(*_Statistics.apply(*layer[:3], *targets, layer.softcap, max_memory))


def linear_entropy(layer: Layer, labels: Tensor | None, max_memory: int) -> Tensor:
    """Entropy of each row's softmax, 0 for rows whose label is below 0: (rows,)."""
    if _compiled(layer):
        return torch_compiled.linear_entropy(layer, labels, max_memory)
    if not kernels_serve(*layer[:3], labels):
        return _entropy_by_blocks(layer, labels, max_memory)
    entropy: Tensor = _Entropy.apply(*layer[:3], labels, layer.softcap, max_memory)
    return entropy


def linear_loss(layer: Layer, targets: Targets, weights: RowWeights, divisor: Any, max_memory: int) -> Tensor:
    """Σ of the rows' losses over the divisor; where gradients can be asked for, they are computed on the way forward."""
    given = (*targets[1:], weights.nll, *(value for value in (weights.square, divisor) if isinstance(value, Tensor)))
    if _compiled(layer) and not needs_gradient(*given):
        return torch_compiled.linear_loss(layer, targets, weights, divisor, max_memory)
    if not kernels_serve(*layer[:3], targets.labels, *given) or needs_gradient(*given):
        return formulas.row_loss(linear_statistics(layer, targets, max_memory), weights).sum() / divisor
    wanted = Wanted(*(needs_gradient(part) for part in layer[:3]))
    loss: Tensor = _Loss.apply(*layer[:3], *targets, *weights, float(divisor), layer.softcap, max_memory, wanted)
    return loss


def _compiled(layer: Layer) -> bool:
    """Whether torch.compile takes the layer in, on the CPU."""
    return torch.compiler.is_compiling() and layer.features.device.type == "cpu"


def _statistics_by_blocks(layer: Layer, targets: Targets, max_memory: int) -> RowStatistics:
    """Differentiable in every way, some rows at a time."""

    def statistics(layer: Layer, targets: Targets) -> tuple[Tensor, ...]:
        return tuple(formulas.row_statistics(logits_of(plain.without_skipped(layer, targets.labels)), targets))

    return RowStatistics(*by_blocks(statistics, layer, targets, (True, True), max_memory))


def _entropy_by_blocks(layer: Layer, labels: Tensor | None, max_memory: int) -> Tensor:
    def entropy(layer: Layer, targets: Targets) -> tuple[Tensor, ...]:
        return (plain.linear_entropy(layer, targets.labels, max_memory),)

    return by_blocks(entropy, layer, Targets(labels), (True,), max_memory)[0]


def _or_zeros(on: Tensor | None, layer: LinearArrays) -> Any:
    return np.zeros(len(layer.features), arrays.wide(layer.weight)) if on is None else viewed(on)


class _Statistics(torch.autograd.Function):
    """Row statistics of a linear layer by the kernels."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> tuple[Tensor, Tensor]:
        """features, weight, bias, labels, soft, on_label, softcap, max_memory → nll, logsumexp."""
        tensors, (softcap, max_memory) = given[:6], given[6:]
        layer, targets = arrays_of(tensors, softcap)
        found = linear_arrays.statistics(layer, targets, machine(max_memory))
        ctx.save_for_backward(*tensors)
        ctx.found, ctx.softcap, ctx.max_memory = found, softcap, max_memory
        ctx.set_materialize_grads(False)
        return tensor_of(found.statistics.nll), tensor_of(found.statistics.logsumexp)

    @staticmethod
    def backward(ctx: Any, *on: Tensor | None) -> tuple[Tensor | None, ...]:
        """Block by block again, or by the formulas where the gradient is to have a gradient."""
        tensors = ctx.saved_tensors
        if by_formula(*on):
            targets = Targets(*tensors[3:])

            def statistics_of(*parts: Any) -> RowStatistics:
                return _statistics_by_blocks(Layer(*parts, ctx.softcap), targets, ctx.max_memory)

            statistics = differentiable(statistics_of, tensors[:3], on)
            return *statistics, *[None] * 5
        layer_arrays, targets_arrays = arrays_of(tensors, ctx.softcap)
        on_rows = (_or_zeros(value, layer_arrays) for value in on)
        wanted = Wanted(*ctx.needs_input_grad[:3])
        gradients = linear_arrays.statistics_gradient(
            layer_arrays, targets_arrays, ctx.found, *on_rows, machine(ctx.max_memory), wanted
        )
        return *cast(gradients, tensors), *[None] * 5


class _Entropy(torch.autograd.Function):
    """Entropy of a linear layer's softmax by the kernels."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        """features, weight, bias, labels, softcap, max_memory → entropy."""
        tensors, (softcap, max_memory) = given[:4], given[4:]
        layer, targets = arrays_of((*tensors, None, None), softcap)
        entropy, *ctx.found = linear_arrays.entropy(layer, targets.labels, machine(max_memory))
        ctx.save_for_backward(*tensors)
        ctx.softcap, ctx.max_memory = softcap, max_memory
        return tensor_of(entropy)

    @staticmethod
    def backward(ctx: Any, on: Tensor) -> tuple[Tensor | None, ...]:
        """Block by block again, or by the formulas where the gradient is to have a gradient."""
        tensors = ctx.saved_tensors
        if by_formula(on):

            def entropy(*parts: Any) -> list[Tensor]:
                return [_entropy_by_blocks(Layer(*parts, ctx.softcap), tensors[3], ctx.max_memory)]

            return *differentiable(entropy, tensors[:3], [on]), None, None, None
        layer_arrays, targets = arrays_of((*tensors, None, None), ctx.softcap)
        gradients = linear_arrays.entropy_gradient(
            layer_arrays,
            targets.labels,
            *ctx.found,
            viewed(on),
            machine(ctx.max_memory),
            Wanted(*ctx.needs_input_grad[:3]),
        )
        return *cast(gradients, tensors), None, None, None


class _Loss(torch.autograd.Function):
    """Σ of the rows' losses over a divisor, and its gradients with it: three matrix products in all."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        """features, weight, bias, labels, soft, on_label, on_nll, square, divisor, softcap, max_memory, wanted → loss."""
        *tensors, square, divisor, softcap, max_memory, wanted = given
        ctx.save_for_backward(*tensors)
        ctx.options = square, divisor, softcap, max_memory, wanted
        total, ctx.gradients = _step(tensors, *ctx.options)
        return total

    @staticmethod
    def backward(ctx: Any, on: Tensor) -> tuple[Tensor | None, ...]:
        """What the way forward found, given away: a second time it is computed again."""
        tensors, (square, divisor, softcap, max_memory, _) = ctx.saved_tensors, ctx.options
        if by_formula(on):
            targets, weights = Targets(*tensors[3:6]), RowWeights(tensors[6], square)

            def loss(*parts: Any) -> list[Tensor]:
                rows = _statistics_by_blocks(Layer(*parts, softcap), targets, max_memory)
                return [formulas.row_loss(rows, weights).sum() / divisor]

            return *differentiable(loss, tensors[:3], [on]), *[None] * 9
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            _, gradients = _step(tensors, *ctx.options)
        pairs = zip(gradients, tensors[:3], strict=True)
        return *(None if found is None else scaled(found, on, part.dtype) for found, part in pairs), *[None] * 9


def _step(
    tensors: Any, square: Any, divisor: float, softcap: float | None, max_memory: int, wanted: Wanted
) -> tuple[Tensor, list[Tensor | None]]:
    """The loss and the gradients of `_Loss`."""
    layer, targets = arrays_of(tensors[:6], softcap)
    weights = RowWeights(viewed(tensors[6]), viewed(square) if isinstance(square, Tensor) else square)
    total, gradients = loss_and_gradients(layer, targets, weights, divisor, max_memory, wanted)
    return tensor_of(np.asarray(arrays.result(total, layer.weight))), as_tensors(gradients, tensors)
