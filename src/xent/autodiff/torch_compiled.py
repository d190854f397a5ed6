"""The linear layer's losses as operators that `torch.compile` takes as they are, without looking into the blocks."""

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xent._arrays import widen
from xent.autodiff import linear_arrays
from xent.autodiff.linear_arrays import Wanted
from xent.autodiff.torch_machine import arrays_of, as_tensors, cast, loss_and_gradients, machine, storage
from xent.autodiff.torch_views import tensor_of, viewed
from xent.errors import OptionError
from xent.formulas.linear import Layer, logits_of
from xent.formulas.rows import RowStatistics, RowWeights, Targets, nats_of_classes, weighted

__all__ = ["linear_entropy", "linear_loss", "linear_statistics"]

COPIES = 4  # of a block's logits, where gradients by targets are asked for
PARTS = (0, 1, 2, 4, 5)  # of what statistics are given, those that have gradients: all but labels


def linear_loss(layer: Layer, targets: Targets, weights: RowWeights, divisor: Any, max_memory: int) -> Tensor:
    """Σ of the rows' losses over the divisor, its gradients found on the way forward."""
    wanted = [part is not None and part.requires_grad for part in layer[:3]]
    square = (
        weights.square
        if isinstance(weights.square, Tensor | None)
        else torch.tensor(weights.square, dtype=torch.float64)
    )
    over = divisor if isinstance(divisor, Tensor) else torch.tensor(float(divisor), dtype=torch.float64)
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
    found = [features.new_empty(0) if gradient is None else gradient for gradient in as_tensors(gradients, tensors)]
    return torch.tensor(total, dtype=_wide(weight)), found[0], found[1], found[2]


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
    if any(wanted[3:]):
        gradients += _by_targets(Layer(features, weight, bias, softcap), Targets(*tensors[3:]), on_nll, max_memory)
    made = [
        gradient if want and gradient is not None else features.new_empty(0)
        for gradient, want in itertools.zip_longest(gradients, wanted)
    ]
    return made[0], made[1], made[2], made[3], made[4]


def _by_targets(layer: Layer, targets: Targets, on: Tensor, max_memory: int) -> list[Tensor | None]:
    """∂ Σ on·nll by soft and on_label: the nats of each class, or of the label, some rows at a time."""
    labels, soft, on_label = targets
    weight, bias = widen(layer.weight), None if layer.bias is None else widen(layer.bias)
    on = on if labels is None else torch.where(labels < 0, 0.0, on)
    by_soft, by_label = (None if part is None else torch.zeros_like(part) for part in (soft, on_label))
    step = max(1, max_memory // (COPIES * len(weight) * weight.element_size()))
    for rows in (slice(start, start + step) for start in range(0, len(layer.features), step)):
        features = widen(layer.features[rows])
        features = features if labels is None else torch.where(labels[rows, None] < 0, 0.0, features)
        nats = nats_of_classes(logits_of(Layer(features, weight, bias, layer.softcap)))
        if by_label is not None and labels is not None:
            at = labels[rows].long()
            of_label = nats.gather(1, at.clamp(0, len(weight) - 1)[:, None])[:, 0]
            by_label[rows] = weighted(on[rows], torch.where(at < len(weight), of_label, torch.nan))
        if by_soft is not None and len(by_soft) == len(on):
            by_soft[rows] = weighted(on[rows, None], nats)
        elif by_soft is not None:
            by_soft += weighted(on[rows, None], nats).sum(0)
    return [by_soft, by_label]


@_statistics_gradient.register_fake
def _(features: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    given = (features, *rest[:5])
    parts = zip((given[i] for i in PARTS), rest[-1], strict=True)
    return tuple(features.new_empty(0) if part is None or not want else torch.empty_like(part) for part, want in parts)


def _keep_inputs(ctx: Any, inputs: Any, output: Any) -> None:
    *tensors, ctx.softcap, ctx.max_memory = inputs
    ctx.save_for_backward(*tensors)


def _recompute(ctx: Any, *on: Tensor) -> tuple[Any, ...]:
    _refuse_second_order()
    wanted = [ctx.needs_input_grad[i] for i in PARTS]
    found = _statistics_gradient(*ctx.saved_tensors, ctx.softcap, ctx.max_memory, *on, wanted)
    gradients: list[Tensor | None] = [None] * 8
    for i, gradient, want in zip(PARTS, found, wanted, strict=True):
        gradients[i] = gradient if want else None
    return tuple(gradients)


_statistics.register_autograd(_recompute, setup_context=_keep_inputs)


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
    made = [features.new_empty(0) if gradient is None else gradient for gradient in cast(some, tensors)]
    return made[0], made[1], made[2]


@_entropy_gradient.register_fake
def _(features: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> tuple[Tensor, ...]:
    parts = zip((features, weight, bias), rest[-1], strict=True)
    return tuple(features.new_empty(0) if part is None or not want else torch.empty_like(part) for part, want in parts)


def _recompute_entropy(ctx: Any, on: Tensor) -> tuple[Any, ...]:
    _refuse_second_order()
    wanted = list(ctx.needs_input_grad[:3])
    found = _entropy_gradient(*ctx.saved_tensors, ctx.softcap, ctx.max_memory, on, wanted)
    return *(gradient if want else None for gradient, want in zip(found, wanted, strict=True)), *[None] * 3


_entropy.register_autograd(_recompute_entropy, setup_context=_keep_inputs)


def _wide(tensor: Tensor) -> torch.dtype:
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32
