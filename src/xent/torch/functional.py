"""PyTorch's functions, as `torch.nn.functional` has them."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from xent._arrays import widen
from xent.errors import ShapeError, XentError
from xent.losses.linear import MAX_MEMORY, linear_loss
from xent.losses.options import Options
from xent.losses.sigmoid import sigmoid_loss
from xent.losses.softmax import plain_loss, softmax_loss
from xent.torch.targets import (
    Target,
    counted,
    in_torchs_words,
    layout_of,
    nan_over_nothing,
    refuse_other_than_tensors,
)

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "linear_cross_entropy"]


def cross_entropy(
    input: Tensor,  # noqa: A002
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of softmax(input) against target, called as `torch.nn.functional.cross_entropy` is.

    Args:
        input: (classes,), (rows, classes) or (rows, classes, d1, …), logits; never overwritten.
        target: the shape of `input` without the classes, of any integer dtype; or the shape of `input`, floating,
            weights over the classes whose values are not questioned.
        weight: (classes,), multiplies each class's term.
        ignore_index: label of the rows to skip; for soft targets only a negative one, which does nothing.
        reduction: "mean" (over the weights of the labels counted; over the rows for soft targets), "sum" or "none".
        label_smoothing: in [0, 1].

    Returns:
        A scalar, or the shape of `input` without the classes for "none"; float32 for 16-bit inputs. A mean over nothing
        is NaN, with gradient 0.

    Raises:
        LabelError: a label names no class (on the CPU; elsewhere its row's loss is NaN).
        ShapeError, OptionError, ArgumentTypeError: arguments that do not fit together or are out of range. What PyTorch
            has deprecated, `size_average` and `reduce`, only the modules take.

    Source:
        PyTorch 2.13, `torch.nn.functional.cross_entropy`.

    Example:
        >>> import torch, xent.torch
        >>> xent.torch.cross_entropy(torch.tensor([[20.0, 0.0, 0.0], [0.0, 1.0, 2.0]]), torch.tensor([0, -100]))
        tensor(4.1223e-09)
    """
    refuse_other_than_tensors(input=input, target=target, weight=weight)
    try:
        options = Options(weight, None, ignore_index, label_smoothing, 0.0, reduction, None, False)
        plain = plain_loss(input, target, options)
        if plain is not None:
            return plain
        asked = layout_of(tuple(input.shape), target, ignore_index)
        options = options._replace(ignore_index=asked.ignore_index)
        logits = input.double() if asked.soft and target.dtype is torch.float64 else input
        if logits.ndim > 2:
            logits = logits.movedim(1, -1)
        labels = asked.labels.movedim(1, -1) if asked.soft and target.ndim > 2 else asked.labels
        loss = softmax_loss(logits, labels, None, options)
    except XentError as error:
        raise in_torchs_words(error, logits="input", class_weight="weight") from None
    return nan_over_nothing(loss, asked, weight) if reduction == "mean" else loss


def binary_cross_entropy_with_logits(
    input: Tensor,  # noqa: A002
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of sigmoid(input) against target, as `torch.nn.functional.binary_cross_entropy_with_logits`.

    Args:
        input: logits of any shape.
        target: the shape of `input`; floating, integer or boolean; values outside of [0, 1] are taken as they are.
        weight: broadcasts to `input`, multiplies the loss.
        reduction: "mean" (over all logits, whatever they weigh), "sum" or "none".
        pos_weight: broadcasts to `input`, multiplies the loss of yes.

    Returns:
        A scalar, or the shape of `input` for "none"; float32 for 16-bit inputs. A mean over nothing is NaN.

    Raises:
        ShapeError, OptionError, ArgumentTypeError: arguments that do not fit together or are out of range.

    Source:
        PyTorch 2.13, `torch.nn.functional.binary_cross_entropy_with_logits`.

    Example:
        >>> import torch, xent.torch
        >>> xent.torch.binary_cross_entropy_with_logits(torch.tensor([0.0, 100.0]), torch.tensor([1.0, 1.0]))
        tensor(0.3466)
    """
    refuse_other_than_tensors(input=input, target=target, weight=weight, pos_weight=pos_weight)
    logits = input.double() if target.dtype is torch.float64 else input
    entries: int | None = input.numel() if reduction == "mean" else None
    try:
        options = Options(sample_weight=weight, reduction=reduction, denominator=entries, checked=False)
        loss: Tensor = sigmoid_loss(logits, target, pos_weight, None, options)
    except XentError as error:
        raise in_torchs_words(error, logits="input", sample_weight="weight") from None
    return loss + torch.nan if entries == 0 else loss


def linear_cross_entropy(
    input: Tensor,  # noqa: A002
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """`cross_entropy(linear(input, linear_weight, linear_bias), target)` without holding the logits.

    Called as `torch.nn.functional.linear_cross_entropy` is.

    Args:
        input: (dim,) or (rows, dim), features; (batch, time, dim) too, with targets (batch, time).
        linear_weight: (classes, dim); or (classes, d1, …, dim), a layer for each of d1 × … places.
        target: (rows) or (rows, d1, …), of any integer dtype; or (rows, classes, d1, …), weights over the classes.
        linear_bias: the shape of `linear_weight` without its last axis.
        weight: (classes,), multiplies each class's term.
        reduction: "mean", "sum" or "none", as in `cross_entropy`.
        ignore_index: label of the rows to skip; None is −100; not for soft targets.
        label_smoothing: in [0, 1].
        options: a `torch.nn.LinearCrossEntropyOptions`, taken and not needed: memory is bounded always, the
            result does not depend on the blocks, and no option is excluded.

    Returns:
        A scalar, or the shape of the rows for "none"; float32 for 16-bit inputs. A mean over nothing is NaN, with
        gradient 0.

    Raises:
        LabelError, ShapeError, OptionError, ArgumentTypeError: as `cross_entropy`.

    Source:
        PyTorch 2.13, `torch.nn.functional.linear_cross_entropy`.

    Example:
        >>> import torch, xent.torch
        >>> weight = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
        >>> xent.torch.linear_cross_entropy(torch.eye(2), weight, torch.tensor([0, 1]))
        tensor(0.2395)
    """
    del options
    tensors = {"input": input, "linear_weight": linear_weight, "target": target, "linear_bias": linear_bias}
    refuse_other_than_tensors(**tensors, weight=weight)
    places = tuple(linear_weight.shape[1:-1])
    shape = (*input.shape[:-1], *linear_weight.shape[:1], *places)
    try:
        _refuse_places(input, linear_weight, linear_bias)
        asked = layout_of(shape, target, ignore_index, class_axis=input.ndim - 1, linear=True)
        common = Options(weight, None, asked.ignore_index, label_smoothing, 0.0, reduction, None, False)
        if not places:
            loss = linear_loss(input, linear_weight, asked.labels, linear_bias, None, None, common)
        elif 4 * math.prod(shape) * widen(input).itemsize <= MAX_MEMORY:  # in four copies
            loss = _all_places(input, linear_weight, linear_bias, asked, common)
        else:
            loss = _each_place(input, linear_weight, linear_bias, asked, common)
    except XentError as error:
        names = {"features": "input", "weight": "linear_weight", "bias": "linear_bias", "class_weight": "weight"}
        raise in_torchs_words(error, **names) from None
    return nan_over_nothing(loss, asked, weight) if reduction == "mean" else loss


def _refuse_places(features: Tensor, linear_weight: Tensor, linear_bias: Tensor | None) -> None:
    fits = features.ndim == 2 and features.shape[1] == linear_weight.shape[-1]
    if features.ndim == 0 or (linear_weight.ndim > 2 and not fits):
        raise ShapeError(
            f"input has shape {tuple(features.shape)} and linear_weight {tuple(linear_weight.shape)}, but they must be "
            "(…, dim) and (classes, dim), or (rows, dim) and (classes, d1, …, dim).\nGive each row its features."
        )
    if linear_bias is not None and linear_bias.shape != linear_weight.shape[:-1]:
        raise ShapeError(
            f"linear_bias has shape {tuple(linear_bias.shape)}, but linear_weight has shape {tuple(linear_weight.shape)}.\n"
            f"Pass a linear_bias of shape {tuple(linear_weight.shape[:-1])}."
        )


def _all_places(
    features: Tensor, linear_weight: Tensor, linear_bias: Tensor | None, asked: Target, options: Options
) -> Tensor:
    """The loss through logits, where there are few: a `linear_weight` of more than two axes holds many small layers."""
    bias = None if linear_bias is None else widen(linear_bias).flatten()
    logits = linear(widen(features), widen(linear_weight).flatten(0, -2), bias)
    labels = asked.labels.movedim(1, -1) if asked.soft else asked.labels
    return softmax_loss(logits.unflatten(-1, linear_weight.shape[:-1]).movedim(1, -1), labels, None, options)


def _each_place(
    features: Tensor, linear_weight: Tensor, linear_bias: Tensor | None, asked: Target, options: Options
) -> Tensor:
    """The same a layer at a time, without the logits."""
    places = linear_weight.shape[1:-1]
    layers = linear_weight.flatten(1, -2).unbind(1)
    biases = [None] * len(layers) if linear_bias is None else linear_bias.flatten(1).unbind(1)
    labels = asked.labels.flatten(2 if asked.soft else 1).unbind(-1)
    if options.reduction == "mean":
        options = options._replace(denominator=counted(asked, options.class_weight))
    losses = [
        linear_loss(features, layer, label, bias, None, None, options)
        for layer, label, bias in zip(layers, labels, biases, strict=True)
    ]
    together = torch.stack(losses, -1)
    return together.reshape(-1, *places) if options.reduction == "none" else together.sum()
