"""The kernels as differentiable functions of PyTorch tensors on the CPU.

Elsewhere, and wherever more than one plain backward pass is asked for (a double backward, forward mode,
`torch.func`, `torch.compile`), the formulas run as array code: they are exact under automatic differentiation of any
order. So no derivative is ever silently zero.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xent._arrays import widen
from xent.autodiff import arrays, sigmoid_arrays
from xent.autodiff.torch_linear import linear_entropy, linear_loss, linear_statistics
from xent.autodiff.torch_views import (
    by_formula,
    differentiable,
    kernels_serve,
    needs_gradient,
    on_cpu,
    scaled,
    tensor_of,
    viewed,
)
from xent.formulas import rows as formulas
from xent.formulas import sigmoid
from xent.formulas.rows import RowStatistics, RowWeights, Targets, weighted
from xent.formulas.sigmoid import Questions
from xent.kernels import choice

__all__ = [
    "linear_entropy",
    "linear_loss",
    "linear_statistics",
    "loss",
    "plain_loss",
    "readable",
    "sigmoid_loss",
    "sigmoid_nll",
    "statistics",
]


_WIDE = (torch.float32, torch.float64)
_LARGEST = 3e38  # that float32 holds for sure


def readable(*tensors: Tensor) -> bool:
    """Whether values can be looked at without waiting for a device: on the CPU, outside of all transformations."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return on_cpu(*tensors)


def statistics(logits: Tensor, targets: Targets) -> RowStatistics:
    """Row statistics, each (rows,), in float32 for 16-bit logits."""
    if not kernels_serve(logits, *targets) or needs_gradient(*targets[1:]):
        return formulas.row_statistics(widen(logits), targets)
    return RowStatistics(*_Rows.apply(logits, *targets))


def loss(logits: Tensor, targets: Targets, weights: RowWeights, divisor: Any) -> Tensor:
    """Σ of the rows' losses, over the divisor."""
    given = [value for value in (*targets[1:], *weights, divisor) if isinstance(value, Tensor)]
    if not kernels_serve(logits, targets.labels, *given) or needs_gradient(*given):
        return formulas.row_loss(statistics(logits, targets), weights).sum() / divisor
    divisor = float(divisor)
    return _differentiable(
        logits, targets, weights, divisor, *_pass(logits, targets, weights, divisor, needs_gradient(logits))
    )


def plain_loss(logits: Tensor, labels: Tensor, divisor: int, plain: Callable[[Any, Any], bool]) -> Tensor | None:
    """`loss` of rows by their classes; None where kernels do not serve, not plain(logits, labels) as NumPy arrays, or NaN.

    None, too, where it may be more than float32 holds.
    """
    if labels.dtype is not torch.int64 or logits.dtype not in _WIDE or not kernels_serve(logits, labels):
        return None
    z, classes = viewed(logits), viewed(labels)
    if not plain(z, classes):
        return None
    kernels, threads = choice.compiled_rows(), torch.get_num_threads()
    total, gradient = arrays.plain_loss(z, classes, divisor, needs_gradient(logits), kernels, threads)
    if not total < _LARGEST:
        return None
    return _differentiable(logits, Targets(labels), RowWeights(), divisor, np.asarray(total, z.dtype), gradient)


def _differentiable(
    logits: Tensor, targets: Targets, weights: RowWeights, divisor: float, total: Any, gradient: Any
) -> Tensor:
    """The loss as a tensor, with its gradient by the logits if that was wanted."""
    if gradient is None:
        return tensor_of(total)
    loss: Tensor = _Loss.apply(logits, targets, weights, divisor, total, gradient)
    return loss


def sigmoid_loss(logits: Tensor, questions: Questions, weight: Tensor | None, divisor: Any) -> Tensor:
    """Σ of what the logits cost, times their weights, over the divisor."""
    given = (*questions, weight, divisor if isinstance(divisor, Tensor) else None)
    if not kernels_serve(logits, *given) or needs_gradient(*given):
        nll = sigmoid_nll(logits, *sigmoid.weights_of(questions))
        return (nll if weight is None else weighted(weight, nll)).sum() / divisor
    total: Tensor = _SigmoidLoss.apply(logits, *questions, weight, float(divisor), needs_gradient(logits))
    return total


def sigmoid_nll(logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """What each logit costs: positive·softplus(−z) + negative·softplus(z)."""
    if not kernels_serve(logits, positive, negative) or needs_gradient(positive, negative):
        return sigmoid.sigmoid_nll(widen(logits), positive, negative)
    nll: Tensor = _Sigmoid.apply(logits, positive, negative)
    return nll


class _Rows(torch.autograd.Function):
    """Row statistics by the kernels."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Any, soft: Any, on_label: Any) -> tuple[Tensor, Tensor]:
        """(rows, classes) → nll, logsumexp."""
        targets = Targets(viewed(labels), viewed(soft), viewed(on_label))
        found = arrays.forward(viewed(logits), targets, choice.compiled_rows(), torch.get_num_threads())
        ctx.save_for_backward(logits, labels, soft, on_label)
        ctx.found = found
        ctx.set_materialize_grads(False)
        return tensor_of(found.statistics.nll), tensor_of(found.statistics.logsumexp)

    @staticmethod
    def backward(ctx: Any, *on: Tensor | None) -> tuple[Tensor | None, ...]:
        """By the kernels, or by the formulas where the gradient is to have a gradient."""
        logits, labels, soft, on_label = ctx.saved_tensors
        if by_formula(*on):
            targets = Targets(labels, soft, on_label)
            return (
                *differentiable(lambda z: formulas.row_statistics(widen(z), targets), [logits], on),
                None,
                None,
                None,
            )
        z = viewed(logits)
        on_nll, on_logsumexp = (np.zeros(len(z), arrays.wide(z)) if value is None else viewed(value) for value in on)
        out = np.empty(z.shape, arrays.stored(z))
        targets = Targets(viewed(labels), viewed(soft), viewed(on_label))
        kernels, threads = choice.compiled_rows(), torch.get_num_threads()
        arrays.backward(z, targets, ctx.found, on_nll, on_logsumexp, out, kernels, threads)
        return tensor_of(out, logits.dtype), None, None, None


class _Loss(torch.autograd.Function):
    """Σ of the rows' losses over a divisor, and its gradient with it, while each row is in the cache."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Targets, weights: RowWeights, divisor: float, total: Any, gradient: Any
    ) -> Tensor:
        """The loss; nothing but the logits needs a gradient."""
        ctx.gradient = tensor_of(gradient)
        ctx.save_for_backward(logits, *targets, weights.nll)
        ctx.options = weights.square, divisor
        return tensor_of(total)

    @staticmethod
    def backward(ctx: Any, on: Tensor) -> tuple[Tensor | None, ...]:
        """What the way forward found, given away: a second time it is computed again."""
        gradient, ctx.gradient = ctx.gradient, None
        logits, labels, soft, on_label, on_nll = ctx.saved_tensors  # says so if one of them has been written to
        formula = by_formula(on)
        if gradient is not None and not formula:
            return scaled(gradient, on, logits.dtype), *[None] * 5
        square, divisor = ctx.options
        targets, weights = Targets(labels, soft, on_label), RowWeights(on_nll, square)
        if formula:

            def loss(z: Tensor) -> list[Tensor]:
                return [formulas.row_loss(formulas.row_statistics(widen(z), targets), weights).sum() / divisor]

            return *differentiable(loss, [logits], [on]), *[None] * 5
        _, gradient = _pass(logits, targets, weights, divisor, True)
        return scaled(tensor_of(gradient), on, logits.dtype), *[None] * 5


def _pass(logits: Tensor, targets: Targets, weights: RowWeights, divisor: float, wanted: bool) -> tuple[Any, Any]:
    """The loss and its gradient as arrays, the latter None if it is not wanted."""
    z, square = viewed(logits), weights.square
    own = (
        Targets(*map(viewed, targets)),
        RowWeights(viewed(weights.nll), viewed(square) if isinstance(square, Tensor) else square),
    )
    out = np.empty(z.shape, arrays.stored(z)) if wanted else None
    total, _ = arrays.loss(z, *own, divisor, out, choice.compiled_rows(), torch.get_num_threads())
    return np.asarray(total), out


class _SigmoidLoss(torch.autograd.Function):
    """Σ of sigmoid cross-entropies over a divisor, and its gradient with it."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        """logits, positive, negative, weight, divisor, wanted → the loss."""
        *tensors, divisor, wanted = given
        ctx.save_for_backward(*tensors)
        ctx.divisor = divisor
        ctx.gradient, total = _sigmoid_pass(tensors, divisor, wanted)
        return total

    @staticmethod
    def backward(ctx: Any, on: Tensor) -> tuple[Tensor | None, ...]:
        """What the way forward found, given away: a second time it is computed again."""
        tensors = ctx.saved_tensors
        logits, positive, negative, weight = tensors
        if by_formula(on):

            def loss(z: Tensor) -> list[Tensor]:
                nll = sigmoid.sigmoid_nll(widen(z), *sigmoid.weights_of(Questions(positive, negative)))
                return [(nll if weight is None else weighted(weight, nll)).sum() / ctx.divisor]

            return *differentiable(loss, [logits], [on]), *[None] * 5
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:
            gradient, _ = _sigmoid_pass(tensors, ctx.divisor, True)
        return scaled(gradient, on, logits.dtype), *[None] * 5


def _sigmoid_pass(tensors: Any, divisor: float, wanted: bool) -> tuple[Any, Tensor]:
    """The gradient, if it is wanted, and the loss."""
    z, positive, negative, weight = map(viewed, tensors)
    out = np.empty(z.shape, arrays.stored(z)) if wanted else None
    kernels, threads = choice.compiled_rows(), torch.get_num_threads()
    total = sigmoid_arrays.loss(z, Questions(positive, negative), weight, divisor, out, kernels, threads)
    return None if out is None else tensor_of(out), tensor_of(np.asarray(arrays.result(total, z)))


class _Sigmoid(torch.autograd.Function):
    """Sigmoid cross-entropy by the kernels."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Any shape → the same."""
        ctx.save_for_backward(logits, positive, negative)
        given = map(viewed, (logits, positive, negative))
        return tensor_of(sigmoid_arrays.forward(*given, choice.compiled_rows(), torch.get_num_threads()))

    @staticmethod
    def backward(ctx: Any, on_nll: Tensor) -> tuple[Tensor | None, ...]:
        """By the kernels, or by the formulas where the gradient is to have a gradient."""
        logits, positive, negative = ctx.saved_tensors
        if by_formula(on_nll):
            loss = differentiable(lambda z: [sigmoid.sigmoid_nll(widen(z), positive, negative)], [logits], [on_nll])
            return *loss, None, None
        given = map(viewed, (logits, positive, negative, on_nll))
        out = sigmoid_arrays.backward(*given, choice.compiled_rows(), torch.get_num_threads())
        return tensor_of(out, logits.dtype), None, None
