"""What the options of a softmax loss mean for its rows: targets, weights and what to divide by.

One table for every kind of array and every path (see the page on losses):
row loss = s·(Σ_j c_j t_j (logsumexp − z_j) + z_loss·logsumexp²), t = (1 − ε)·target + ε/classes.
"""

import math
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

from xent._arrays import Array, beside, integers, labels_beside, namespace_of
from xent.checks import losses as checks
from xent.formulas.rows import RowWeights, Targets
from xent.losses.reduction import divisor, some_count

__all__ = ["Options", "Problem", "flat_rows", "problem"]


class Options(NamedTuple):
    """The options of `softmax_cross_entropy`, as given."""

    class_weight: Any = None
    sample_weight: Any = None
    ignore_index: int | None = None
    label_smoothing: float = 0.0
    z_loss: float = 0.0
    reduction: str = "mean"
    denominator: Any = None
    checked: bool = True  # the values of soft labels too

    @property
    def plain(self) -> bool:
        """Whether nothing is asked for but the mean or the sum, of all rows or of those not skipped."""
        class_weight, sample_weight, _, smoothing, z_loss, reduction, denominator, _ = self
        return (
            class_weight is None
            and sample_weight is None
            and denominator is None
            and _is_zero(smoothing)
            and _is_zero(z_loss)
            and reduction in ("mean", "sum")
        )


def _is_zero(value: Any) -> bool:
    """Whether an option is that number, and not only like it."""
    return type(value) in (int, float) and value == 0


class Problem(NamedTuple):
    """What the options mean for the rows."""

    shape: tuple[int, ...]  # of the rows as given
    targets: Targets
    weights: RowWeights
    denominator: Array | float  # 1 unless the reduction is "mean"


def flat_rows(array: Array) -> Array:
    """(..., n) → (rows, n)."""
    if array.ndim == 2:
        return array
    return namespace_of(array).reshape(array, (math.prod(array.shape[:-1]), array.shape[-1]))


def problem(
    labels: Any,
    logits: Array,
    shape: tuple[int, ...],
    classes: int,
    options: Options,
    adapter: ModuleType,
    source: str = "logits",
) -> Problem:
    """Check labels and options, and say what they mean.

    `logits` gives library, device and dtype; `shape` is that of its rows; `source` is what messages call it.
    """
    checks.reduction(options.reduction, options.denominator)
    checks.label_smoothing(options.label_smoothing)
    checks.whole_option("ignore_index", options.ignore_index, "the label of the rows to skip")
    checks.positive_option("z_loss", options.z_loss, zero=True)
    xp = namespace_of(logits)
    labels = labels_beside("labels", labels, logits)
    read = adapter.readable(logits, labels)
    class_weight = sample_weight = None
    if options.class_weight is not None:
        class_weight = beside("class_weight", options.class_weight, logits)
        checks.weight_of_classes("class_weight", class_weight, classes)
    if options.sample_weight is not None:
        sample_weight = beside("sample_weight", options.sample_weight, logits)
        checks.fits("sample_weight", sample_weight, shape)
        sample_weight = xp.reshape(xp.broadcast_to(sample_weight, shape), (-1,))
    if checks.label_kind(labels, shape, classes, source) == "index":
        if read:
            checks.class_labels(labels, classes, options.ignore_index, source)
        labels = _classes(labels, classes, options.ignore_index, read)
        if sample_weight is not None and options.ignore_index is not None:  # whatever stands beside a skipped row
            sample_weight = xp.where(labels == -1, xp.zeros_like(sample_weight), sample_weight)
        targets, on_nll, counted = _index(labels, logits, classes, class_weight, sample_weight, options)
    else:
        checks.nothing_to_ignore(options.ignore_index)
        if read and options.checked:
            checks.soft_labels(labels)
        soft = beside("labels", labels, logits)
        targets, on_nll, counted = _soft(flat_rows(soft), classes, class_weight, sample_weight, options)
    square = None
    if options.z_loss:
        square = options.z_loss if sample_weight is None else options.z_loss * sample_weight
    denominator: Any = 1.0
    if options.reduction == "mean":
        whole = sample_weight if options.z_loss else on_nll  # what a row's whole loss is multiplied by
        skipping = None if options.ignore_index is None else targets.labels
        counts = partial(some_count, whole, skipping, math.prod(shape))
        denominator = divisor(options.denominator, counted, counts, logits, adapter, options.checked)
    return Problem(shape, targets, RowWeights(on_nll, square), denominator)


def _classes(labels: Array, classes: int, ignore_index: int | None, read: bool) -> Array:
    """Labels (rows,) with −1 for those to skip, and a class too many for those that name none."""
    xp = namespace_of(labels)
    given = labels if labels.ndim == 1 else xp.reshape(labels, (-1,))
    labels, bounds = integers(given), xp.iinfo(given.dtype)
    named = labels if read else xp.where(labels < 0, xp.full_like(labels, classes), labels)
    if ignore_index is None or not bounds.min <= ignore_index <= bounds.max:
        return named
    return xp.where(given == xp.full_like(given, ignore_index), xp.full_like(labels, -1), named)


def _index(
    labels: Array,
    logits: Array,
    classes: int,
    class_weight: Array | None,
    sample_weight: Array | None,
    options: Options,
) -> tuple[Targets, Array | None, Any]:
    """Targets, weight of the nll and what the mean divides by, for labels that are classes."""
    xp = namespace_of(labels)
    on_class = None
    if class_weight is not None:
        on_class = xp.take(class_weight, xp.where((labels < 0) | (labels >= classes), 0, labels), axis=0)
    on_nll = _product(sample_weight, on_class)
    counted: Any = labels.shape[0]
    if on_nll is not None:
        counted = xp.sum(xp.where(labels < 0, xp.zeros_like(on_nll), on_nll))
    elif options.ignore_index is not None:
        counted = xp.sum(xp.astype(labels >= 0, labels.dtype))
    if not options.label_smoothing:
        return Targets(labels), on_nll, counted
    one = beside("label_smoothing", 1.0, logits)
    spread = xp.broadcast_to(
        options.label_smoothing / classes * (one if class_weight is None else class_weight), (classes,)
    )
    kept = xp.broadcast_to((1.0 - options.label_smoothing) * (one if on_class is None else on_class), labels.shape)
    return Targets(labels, spread[None, :], kept), sample_weight, counted


def _soft(
    soft: Array, classes: int, class_weight: Array | None, sample_weight: Array | None, options: Options
) -> tuple[Targets, Array | None, Any]:
    """The same for labels that are weights over the classes: (rows, classes)."""
    if options.label_smoothing:
        soft = (1.0 - options.label_smoothing) * soft + options.label_smoothing / classes
    if class_weight is not None:
        soft = soft * class_weight
    counted = soft.shape[0] if sample_weight is None else namespace_of(soft).sum(sample_weight)
    return Targets(None, soft), sample_weight, counted


def _product(one: Array | None, other: Array | None) -> Array | None:
    return other if one is None else one if other is None else one * other
