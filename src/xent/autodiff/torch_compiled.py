"""The linear layer's losses as operators that `torch.compile` takes as they are, without looking into the blocks."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xent.autodiff import linear_arrays, plain
from xent.autodiff.linear_arrays import Wanted
from xent.autodiff.torch_blocks import by_blocks
from xent.autodiff.torch_machine import arrays_of, as_tensors, cast, loss_and_gradients, machine, storage
from xent.autodiff.torch_views import tensor_of, viewed
from xent.errors import OptionError
from xent.formulas.linear import Layer, logits_of
from xent.formulas.rows import RowStatistics, RowWeights, Targets, nats_of_classes, picked, weighted

__all__ = ["linear_entropy", "linear_loss", "linear_statistics"]

PARTS = (0, 1, 2, 4, 5)  # of what statistics are given, those that have gradients: all but labels


def linear_loss(layer: Layer, targets: Targets, weights: RowWeights, divisor: Any, max_memory: int) -> Tensor:
    """Σ of the rows' losses over the divisor, its gradients found on the way forward."""
    wanted = [part is not None and part.requires_grad for part in layer[:3]]
    square = (
        weights.square
        if isinstance(weights.square, Tensor | None)
        else torch.tensor(weights.square, dtype=torch.float64)
    )
    over = divisor if isinstance(divisor, Tensor) else torch.scalar_tensor(divisor, dtype=torch.float64)
    loss: Tensor = _loss(*layer[:3], *targets, weights.nll, square, over, layer.softcap, max_memory, wanted)[0]
    return loss


def linear_statistics(layer: Layer, targets: Targets, max_memory: int) -> RowStatistics:
    """Row statistics of a linear layer's logits, each (rows,); the way back computes the logits again."""
    return RowStatistics(*_statistics(*layer[:3], *targets, layer.softcap, max_memory)[:2])


def linear_entropy(layer: Layer, labels: Tensor | None, max_memory: int) -> Tensor:
    """Entropy of each row's softmax, 0 for rows whose label is below 0: (rows,)."""
    entropy: Tensor = _entropy(*layer[:3], labels, layer.softcap, max_memory)
    return entropy


@torch.library.custom_op("xent::linear_loss", mutates_args=())
def _loss(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor | None,
    soft: Tensor | None,
    on_label: Tensor | None,
    on_nll: Tensor | None,
    square: Tensor | None,
    divisor: Tensor,
    softcap: float | None,
    max_memory: int,
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The loss, and its gradients by features, weight and bias, empty where not wanted."""
    tensors = (features, weight, bias, labels, soft, on_label)
    layer, targets = arrays_of(tensors, softcap)
    weights = RowWeights(viewed(on_nll), viewed(square))
    total, gradients = loss_and_gradients(layer, targets, weights, float(divisor), max_memory, Wanted(*wanted))
    found: tuple[Tensor, Tensor, Tensor] = _or_empty(features, as_tensors(gradients, tensors))
    return torch.tensor(total, dtype=_wide(weight)), *found


@_loss.register_fake
def _(features: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> tuple[Tensor, ...]:
    parts = zip((features, weight, bias), rest[-1], strict=True)
    shapes = [
        features.new_empty(0) if part is None or not want else torch.empty_like(part, dtype=storage(part.dtype))
        for part, want in parts
    ]
    return features.new_empty((), dtype=_wide(weight)), *shapes


def _keep_gradients(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.wanted = inputs[-1]
    ctx.dtypes = [None if part is None else part.dtype for part in inputs[:3]]
    ctx.save_for_backward(*output[1:])


def _scale_gradients(ctx: Any, on: Tensor, *_: Any) -> tuple[Any, ...]:
    _refuse_second_order()
    parts = zip(ctx.saved_tensors, ctx.dtypes, ctx.wanted, strict=True)
    return *((on * gradient).to(dtype) if want else None for gradient, dtype, want in parts), *[None] * 9


def _refuse_second_order() -> None:
    """Say that a compiled gradient has none itself, where it would be 0."""
    if torch.is_grad_enabled():
        raise OptionError(
            "create_graph=True asks for the gradient of a gradient of xent.linear_cross_entropy or "
            "xent.linear_row_statistics, which has none where torch.compile took the function.\n"
            "Call the function outside of torch.compile, or take the loss on logits: "
            "xent.softmax_cross_entropy(features @ weight.T + bias, labels)."
        )


_loss.register_autograd(_scale_gradients, setup_context=_keep_gradients)


@torch.library.custom_op("xent::linear_statistics", mutates_args=())
def _statistics(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor | None,
    soft: Tensor | None,
    on_label: Tensor | None,
    softcap: float | None,
    max_memory: int,
) -> tuple[Tensor, Tensor]:
    """nll and logsumexp of each row."""
    layer, targets = arrays_of((features, weight, bias, labels, soft, on_label), softcap)
    nll, logsumexp = linear_arrays.statistics(layer, targets, machine(max_memory)).statistics
    return tensor_of(np.array(nll)), tensor_of(np.array(logsumexp))


@_statistics.register_fake
def _(features: Tensor, weight: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    rows = [features.new_empty(features.shape[0], dtype=_wide(weight)) for _ in range(2)]
    return rows[0], rows[1]


@torch.library.custom_op("xent::linear_statistics_gradient", mutates_args=())
def _statistics_gradient(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor | None,
    soft: Tensor | None,
    on_label: Tensor | None,
    softcap: float | None,
    max_memory: int,
    on_nll: Tensor,
    on_logsumexp: Tensor,
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """∂ Σ on_nll·nll + on_logsumexp·logsumexp by features, weight, bias, soft and on_label, empty where not wanted."""
    tensors = (features, weight, bias, labels, soft, on_label)
    gradients: list[Tensor | None] = [None] * 3
    if any(wanted[:3]):
        layer, targets = arrays_of(tensors, softcap)
        engine = machine(max_memory)
        found = linear_arrays.statistics(layer, targets, engine)
        on = (np.ascontiguousarray(viewed(on_nll)), np.ascontiguousarray(viewed(on_logsumexp)))
        some = linear_arrays.statistics_gradient(layer, targets, found, *on, engine, Wanted(*wanted[:3]))
        gradients = cast(some, tensors)
    asked = Targets(labels, soft if wanted[3] else None, on_label if wanted[4] else None)
    gradients += _by_targets(Layer(features, weight, bias, softcap), asked, on_nll, max_memory)
    made: tuple[Tensor, Tensor, Tensor, Tensor, Tensor] = _or_empty(features, gradients)
    return made


def _by_targets(layer: Layer, targets: Targets, on: Tensor, max_memory: int) -> list[Tensor | None]:
    """∂ Σ on·nll by soft and on_label, those that there are: the nats of each class, or of the label."""
    asked = [part for part in targets[1:] if part is not None]
    by_row = [len(part) == len(on) for part in asked]  # else soft targets are the same for all rows

    def of_block(layer: Layer, targets: Targets, on: Tensor) -> tuple[Tensor, ...]:
        labels, soft, on_label = targets
        on = on if labels is None else torch.where(labels < 0, 0.0, on)
        nats = nats_of_classes(logits_of(plain.without_skipped(layer, labels)))
        by_soft = None if soft is None else weighted(on[:, None], nats)
        by_label = None if on_label is None or labels is None else weighted(on, picked(nats, labels))
        parts = [part for part in (by_soft, by_label) if part is not None]
        return tuple(part if own else part.sum(0, keepdim=True) for part, own in zip(parts, by_row, strict=True))

    found = iter(by_blocks(of_block, layer, targets, tuple(by_row), max_memory, on) if asked else ())
    return [None if part is None else next(found).to(part.dtype) for part in targets[1:]]


@_statistics_gradient.register_fake
def _(features: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    return _shapes(features, [(features, *rest)[i] for i in PARTS], rest[-1])


def _keep_inputs(ctx: Any, inputs: Any, output: Any) -> None:
    *tensors, ctx.softcap, ctx.max_memory = inputs
    ctx.save_for_backward(*tensors)


def _recomputed(operator: Callable[..., Any], places: tuple[int, ...]) -> Callable[..., Any]:
    """The way back of an operator that keeps its inputs: another one gives the gradients of those at the places."""

    def backward(ctx: Any, *on: Tensor) -> tuple[Any, ...]:
        _refuse_second_order()
        wanted = [ctx.needs_input_grad[i] for i in places]
        found = operator(*ctx.saved_tensors, ctx.softcap, ctx.max_memory, *on, wanted)
        at = dict(zip(places, found, strict=True))
        return tuple(at[i] if needed else None for i, needed in enumerate(ctx.needs_input_grad))

    return backward


_statistics.register_autograd(_recomputed(_statistics_gradient, PARTS), setup_context=_keep_inputs)


@torch.library.custom_op("xent::linear_entropy", mutates_args=())
def _entropy(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor | None,
    softcap: float | None,
    max_memory: int,
) -> Tensor:
    """Entropy of each row."""
    layer, targets = arrays_of((features, weight, bias, labels, None, None), softcap)
    return tensor_of(np.array(linear_arrays.entropy(layer, targets.labels, machine(max_memory))[0]))


@_entropy.register_fake
def _(features: Tensor, weight: Tensor, *_: Any) -> Tensor:
    return features.new_empty(features.shape[0], dtype=_wide(weight))


@torch.library.custom_op("xent::linear_entropy_gradient", mutates_args=())
def _entropy_gradient(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor | None,
    softcap: float | None,
    max_memory: int,
    on: Tensor,
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    """∂ Σ on·entropy by features, weight and bias, empty where not wanted."""
    tensors = (features, weight, bias, labels, None, None)
    layer, targets = arrays_of(tensors, softcap)
    engine = machine(max_memory)
    found = linear_arrays.entropy(layer, targets.labels, engine)[1:]
    on_rows = np.ascontiguousarray(viewed(on))
    some = linear_arrays.entropy_gradient(layer, targets.labels, *found, on_rows, engine, Wanted(*wanted))
    made: tuple[Tensor, Tensor, Tensor] = _or_empty(features, cast(some, tensors))
    return made


@_entropy_gradient.register_fake
def _(features: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> tuple[Tensor, ...]:
    return _shapes(features, (features, weight, bias), rest[-1])


_entropy.register_autograd(_recomputed(_entropy_gradient, PARTS[:3]), setup_context=_keep_inputs)


def _or_empty(features: Tensor, gradients: Sequence[Tensor | None]) -> Any:
    """As operators give them, which must be tensors."""
    return tuple(features.new_empty(0) if gradient is None else gradient for gradient in gradients)


def _shapes(features: Tensor, parts: Sequence[Tensor | None], wanted: Sequence[bool]) -> tuple[Tensor, ...]:
    """What `_or_empty` gives of the gradients wanted, without values."""
    pairs = zip(parts, wanted, strict=True)
    return _or_empty(features, [None if part is None or not want else torch.empty_like(part) for part, want in pairs])


def _wide(tensor: Tensor) -> torch.dtype:
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32
