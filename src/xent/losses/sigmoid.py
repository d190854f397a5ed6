"""Cross-entropy of independent yes-or-no questions: binary and multi-label classifiers."""

import math
from functools import partial
from typing import Any, NamedTuple

from xent._arrays import Array, beside, floats, namespace_of
from xent.checks import losses as checks
from xent.formulas.rows import weighted
from xent.formulas.sigmoid import Questions, weights_of
from xent.losses.adapters import adapter_of
from xent.losses.options import Options
from xent.losses.reduction import divisor, some_count

__all__ = ["Problem", "prepared", "sigmoid_cross_entropy", "sigmoid_loss"]


def sigmoid_cross_entropy(
    logits: Any,
    labels: Any,
    *,
    pos_weight: Any = None,
    class_weight: Any = None,
    sample_weight: Any = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    denominator: Any = None,
) -> Array:
    """Cross-entropy of sigmoid(logits) against yes-or-no labels, one question per logit.

    Loss = s·c·(pos_weight·y·softplus(−z) + (1 − y)·softplus(z)), with c the class_weight, s the sample_weight.

    Args:
        logits: any shape, floating; questions along the last axis where weights are given for them.
        labels: the shape of `logits`, 1 for yes, 0 for no, or the probability of yes; floating, integer or boolean.
        pos_weight: broadcasts to `logits`, multiplies the loss of yes.
        class_weight: (questions,), multiplies each question's loss.
        sample_weight: broadcasts to `logits`, multiplies the loss. (rows, 1) weighs rows.
        label_smoothing: ε in [0, 1]: y becomes (1 − ε)·y + ε/2.
        reduction: "mean" (over the denominator), "sum", or "none" for a loss per logit.
        denominator: of the mean, a number or an array of one; None: the sum of s·c over all logits.

    Returns:
        A scalar, or the shape of `logits` for "none", in nats, in the library and dtype of `logits`; float32 for
        16-bit logits. The mean over nothing is 0; over weights that cancel it is an error, and not finite where
        none can be raised.

    Raises:
        LabelError: a label is outside of [0, 1] (on the CPU).
        ShapeError, OptionError, ArgumentTypeError: arguments that do not fit together or are out of range.

    Source:
        Cox, "The Regression Analysis of Binary Sequences" (1958), section 2.

    Example:
        >>> import numpy as np, xent
        >>> float(xent.sigmoid_cross_entropy(np.array([0.0, 100.0]), [1, 1]).round(4))
        0.3466
    """
    options = Options(None, sample_weight, None, label_smoothing, 0.0, reduction, denominator)
    return sigmoid_loss(logits, labels, pos_weight, class_weight, options)


def sigmoid_loss(logits: Any, labels: Any, pos_weight: Any, class_weight: Any, options: Options) -> Array:
    """`sigmoid_cross_entropy` with its options in one value."""
    asked = prepared(logits, labels, pos_weight, class_weight, options)
    if options.reduction != "none":
        return asked.adapter.sigmoid_loss(asked.logits, asked.questions, asked.weight, asked.denominator)
    loss = asked.adapter.sigmoid_nll(asked.logits, *weights_of(asked.questions))
    return loss if asked.weight is None else weighted(asked.weight, loss)


class Problem(NamedTuple):
    """What the arguments of `sigmoid_cross_entropy` mean."""

    logits: Array
    questions: Questions
    weight: Array | None
    denominator: Any
    adapter: Any


def prepared(logits: Any, labels: Any, pos_weight: Any, class_weight: Any, options: Options) -> Problem:
    """Check the arguments, and say what they mean."""
    logits = floats("logits", logits)
    checks.reduction(options.reduction, options.denominator)
    checks.label_smoothing(options.label_smoothing)
    adapter = adapter_of(logits)
    labels = beside("labels", labels, logits)
    checks.same_shape(labels, logits)
    if options.checked and adapter.readable(logits, labels):
        checks.yes_or_no(labels)
    positive, negative = labels, None
    if options.label_smoothing:
        kept, spread = 1.0 - options.label_smoothing, 0.5 * options.label_smoothing
        positive, negative = kept * labels + spread, kept * (1.0 - labels) + spread
    if pos_weight is not None:
        negative = 1.0 - labels if negative is None else negative
        positive = positive * _fitting("pos_weight", pos_weight, logits)
    weight = _weight(logits, class_weight, options.sample_weight)
    denominator: Any = 1.0
    if options.reduction == "mean":
        entries = math.prod(logits.shape)
        each = None if weight is None else namespace_of(weight).broadcast_to(weight, logits.shape)
        counted = entries if each is None else namespace_of(each).sum(each)
        counts = partial(some_count, each, None, entries)
        denominator = divisor(options.denominator, counted, counts, logits, adapter, options.checked)
    return Problem(logits, Questions(positive, negative), weight, denominator, adapter)


def _weight(logits: Array, class_weight: Any, sample_weight: Any) -> Array | None:
    weight = None
    if class_weight is not None:
        weight = beside("class_weight", class_weight, logits)
        checks.weight_of_classes("class_weight", weight, logits.shape[-1] if logits.ndim else 1)
    if sample_weight is not None:
        rows = _fitting("sample_weight", sample_weight, logits)
        weight = rows if weight is None else weight * rows
    return weight


def _fitting(name: str, value: Any, logits: Array) -> Array:
    weight = beside(name, value, logits)
    checks.fits(name, weight, tuple(logits.shape))
    return weight
