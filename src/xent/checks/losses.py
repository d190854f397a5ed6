"""Questions asked of logits, labels, weights and options before a loss is computed from them.

Shapes and options are always checked. Values are checked where reading them costs no waiting for a device: on the
CPU, outside of `jit`, `vmap` and `torch.compile`. Elsewhere a label that names no class makes its row NaN.
"""

import math
import warnings
from typing import Any

import numpy as np

from xent._arrays import Array, is_tensor, namespace_of, values_of
from xent.autodiff.arrays import FEW
from xent.checks.distributions import sum_tolerance
from xent.errors import ArgumentTypeError, LabelError, OptionError, ProbabilityError, ShapeError

__all__ = [
    "all_are_classes",
    "are_plain",
    "class_labels",
    "denominator",
    "fits",
    "has_classes",
    "label_kind",
    "label_smoothing",
    "layer",
    "nothing_to_ignore",
    "one_number",
    "positive_option",
    "probabilities_as_logits",
    "reduction",
    "same_shape",
    "soft_labels",
    "weight_of_classes",
    "whole_option",
    "yes_or_no",
]

REDUCTIONS = ("none", "sum", "mean")


def reduction(name: str, denominator: Any) -> None:
    """Refuse a reduction that is not one, and a denominator where nothing is divided."""
    if name not in REDUCTIONS:
        raise OptionError(
            f'reduction is {name!r}, but must be "none", "sum" or "mean".\nUse "none" for a loss per row.'
        )
    if denominator is not None and name != "mean":
        raise OptionError(
            f'denominator is given, but reduction is {name!r}.\nPass reduction="mean", or divide yourself.'
        )


def label_smoothing(value: float) -> None:
    """Refuse a label_smoothing outside of [0, 1]."""
    _refuse_unknown("label_smoothing", value)
    if isinstance(value, str) or not 0.0 <= value <= 1.0:
        raise OptionError(
            f"label_smoothing is {value!r}, but must be in [0, 1].\nPass 0.1 to spread 10 % of the truth."
        )


def _refuse_unknown(name: str, value: Any) -> None:
    """Refuse an option without a value yet, as `jax.jit` makes of an argument: the work to be done depends on it."""
    if value is None or isinstance(value, (int, float, str)):
        return
    try:
        float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise OptionError(
            f"{name} is {value!r}, but must be a number that is known when the loss is traced.\n"
            f"Name it in static_argnames of jax.jit, or give it its value outside."
        ) from error


def positive_option(name: str, value: float | None, *, zero: bool = False) -> None:
    """Refuse an option that is not a finite number above 0, or at least 0."""
    _refuse_unknown(name, value)
    if isinstance(value, str) or (value is not None and not (0 < value < math.inf or (zero and value == 0))):
        least = "0 or more" if zero else "above 0"
        raise OptionError(f"{name} is {value!r}, but must be finite and {least}.\nLeave it out to do without.")


def whole_option(name: str, value: Any, meaning: str) -> None:
    """Refuse an option that is not an integer; True and False are none."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer))):
        raise OptionError(f"{name} is {value!r}, but must be an integer: {meaning}.\nLeave it out to do without.")


def has_classes(name: str, logits: Array) -> None:
    """Refuse logits without a class axis, or with no class on it."""
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ShapeError(
            f"{name} has shape {tuple(logits.shape)}, but must be (..., classes) with at least one class.\n"
            "Put the classes on the last axis."
        )


def layer(features: Array, weight: Array, bias: Array | None) -> None:
    """Refuse a linear layer whose parts do not fit together."""
    if features.ndim == 0 or weight.ndim != 2 or features.shape[-1] != weight.shape[1] or weight.shape[0] == 0:
        raise ShapeError(
            f"features has shape {tuple(features.shape)} and weight {tuple(weight.shape)}, but they must be (..., dim) and "
            "(classes, dim).\nPass weight as torch.nn.Linear keeps it; transpose one of shape (dim, classes)."
        )
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        raise ShapeError(
            f"bias has shape {tuple(bias.shape)}, but weight has {weight.shape[0]} classes.\nPass one bias a class."
        )


def label_kind(labels: Array, rows: tuple[int, ...], classes: int, source: str) -> str:
    """Say whether labels are classes ("index") or weights over the classes ("soft"), by shape and dtype."""
    xp = namespace_of(labels)
    shape = tuple(labels.shape)
    if shape == (*rows, classes) and not (shape == rows and xp.isdtype(labels.dtype, "integral")):
        return "soft"
    if shape != rows:
        raise ShapeError(
            f"labels has shape {shape}, but {source} makes rows {rows} of {classes} classes, so labels must be {rows} of "
            f"integers, or {(*rows, classes)} of weights.\nPass one class a row, or one weight for every logit."
        )
    if not xp.isdtype(labels.dtype, "integral"):
        raise ArgumentTypeError(
            f"labels has dtype {labels.dtype} and shape {shape}, but classes are numbered by integers.\n"
            f"Pass integers in [0, {classes}), or weights of shape {(*rows, classes)}."
        )
    return "index"


def all_are_classes(values: Any, classes: int) -> bool:
    """Whether all of a NumPy array's integers are in [0, classes)."""
    if values.itemsize == 8 and values.dtype.isnative:  # as unsigned numbers, those below 0 are the largest of all
        return not values.size or bool(values.view(np.uint64).max() < classes)
    return not values.size or bool(values.max() < classes and values.min() >= 0)


def are_plain(logits: Any, labels: Any) -> bool:
    """Whether NumPy's logits (rows, classes) and labels have no fault; few labels are left to who sums their losses."""
    if logits.size >= FEW and not all_are_classes(labels, logits.shape[1]):
        return False
    other, possible = 1 % len(logits), 0.0 <= logits[0, 0] <= 1.0 and 0.0 <= logits[0, -1] <= 1.0
    return not (possible and 0.0 <= logits[other, 0] <= 1.0 and 0.0 <= logits[other, -1] <= 1.0)  # as probabilities


def class_labels(labels: Array, classes: int, ignore_index: int | None, source: str) -> None:
    """Refuse labels that name no class, but for those that mark rows to skip."""
    values = values_of(labels)
    if all_are_classes(values, classes):
        return
    bad = (values < 0) | (values >= classes)
    if ignore_index is not None:
        bad &= values != ignore_index
    if not bad.any():
        return
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    where, value = ", ".join(map(str, index)), int(values[index])
    count, total = int(bad.sum()), bad.size
    skip = (
        f"ignore_index is {ignore_index}"
        if ignore_index is not None
        else f"If {value} marks rows to skip, pass ignore_index={value}"
    )
    raise LabelError(
        f"labels[{where}] is {value}, but {source} has {classes} classes, so labels must be in [0, {classes}); "
        f"{count:,} of {total:,} labels {'is' if count == 1 else 'are'} outside.\n{skip}."
    )


def nothing_to_ignore(ignore_index: int | None) -> None:
    """Refuse a class to skip beside labels that are weights over the classes; as in PyTorch, a negative one is none."""
    if ignore_index is not None and ignore_index >= 0:
        raise OptionError(
            f"ignore_index is {ignore_index}, but labels holds weights over the classes.\n"
            "Leave it out and pass sample_weight, 0 for the rows to skip; or pass one class a row."
        )


def soft_labels(labels: Array) -> None:
    """Refuse soft labels with a negative or NaN entry, or a row that does not sum to 1."""
    values = values_of(labels)
    negative = ~(values >= 0.0)
    if negative.any():
        *row, column = index = tuple(int(i) for i in np.argwhere(negative)[0])
        raise ProbabilityError(
            f"labels row {', '.join(map(str, row))}, class {column} is {values[index]:.6g}, but soft labels must be in "
            f"[0, 1]; {int(negative.sum()):,} of {values.size:,} entries are not.\n"
            "Pass probabilities, or classes as integers."
        )
    sums = values.sum(axis=-1, dtype=np.float64)
    off = np.abs(sums - 1.0)
    tolerance = sum_tolerance(labels, labels.shape[-1])
    wrong = ~(off <= tolerance)
    if wrong.any():
        first, largest = (np.unravel_index(int(np.argmax(some)), off.shape) for some in (wrong, off))
        where, worst = (", ".join(str(int(i)) for i in index) for index in (first, largest))
        raise ProbabilityError(
            f"labels row {where} sums to {sums[first]:.6g}, not 1 ({int(wrong.sum()):,} of {off.size:,} rows are off by "
            f"more than {tolerance:.3g}; the largest is row {worst}).\n"
            "Divide each row by its sum, or use sample_weight for rows that count for more or less."
        )


def one_number(name: str, value: Array) -> None:
    """Refuse an array of more than one number, or of none."""
    if math.prod(value.shape) != 1:
        raise ShapeError(
            f"{name} has shape {tuple(value.shape)}, but must be one number, or an array of one.\n"
            "Pass the sum: the number, or the weight, of all rows that count."
        )


def denominator(number: float, given: bool) -> None:
    """Refuse a denominator of rows that count, where it is given and not above 0, or is 0 because their weights cancel."""
    if given and not 0.0 < number < math.inf:
        raise OptionError(
            f"denominator is {number:g}, but must be above 0, as there are rows that count.\n"
            "Pass the number, or the weight, of all rows that do."
        )
    if number == 0.0:
        raise OptionError(
            "The weights of the rows, by which the mean divides, sum to 0, though there are rows that count.\n"
            'Pass what to divide by as denominator, or reduction="sum".'
        )


def yes_or_no(labels: Array) -> None:
    """Refuse labels of a sigmoid loss outside of [0, 1]."""
    values = values_of(labels)
    if not values.size or (values.min() >= 0.0 and values.max() <= 1.0):
        return
    bad = ~((values >= 0.0) & (values <= 1.0))
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    raise LabelError(
        f"labels[{', '.join(map(str, index))}] is {values[index]:.6g}, but labels must be in [0, 1]; {int(bad.sum()):,} of "
        f"{bad.size:,} are outside.\nPass 1 for yes, 0 for no, or the probability of yes."
    )


def weight_of_classes(name: str, weight: Array, classes: int) -> None:
    """Refuse weights that are not one for each class."""
    if tuple(weight.shape) != (classes,):
        raise ShapeError(
            f"{name} has shape {tuple(weight.shape)}, but there are {classes} classes.\nPass one weight a class: ({classes},)."
        )


def fits(name: str, weight: Array, shape: tuple[int, ...]) -> None:
    """Refuse weights that do not broadcast to that shape."""
    fitting = zip(reversed(tuple(weight.shape)), reversed(shape), strict=False)  # NumPy's own would fix a size to come
    if weight.ndim > len(shape) or not all(size in (1, whole) for size, whole in fitting):
        raise ShapeError(
            f"{name} has shape {tuple(weight.shape)}, but must broadcast to {shape}.\n"
            "Pass one weight each, with axes of length 1 where it is the same."
        )


def same_shape(labels: Array, logits: Array) -> None:
    """Refuse labels of another shape than the logits: broadcasting would score each with all."""
    if tuple(labels.shape) != tuple(logits.shape):
        raise ShapeError(
            f"labels has shape {tuple(labels.shape)}, but logits has shape {tuple(logits.shape)}; they must be equal.\n"
            "Reshape one to the other, as by labels[:, None] for logits of shape (rows, 1)."
        )


_warned = False


def _in_unit_interval(matrix: Any) -> bool:
    """Whether its first two entries on the diagonal are: two look-ups, which refute most."""
    return bool(0.0 <= matrix[0, 0] <= 1.0 and 0.0 <= matrix[1, 1] <= 1.0)


def probabilities_as_logits(logits: Array) -> None:
    """Warn, once in a process, about logits whose first rows are all in [0, 1] and sum to 1."""
    global _warned
    shape = logits.shape
    if _warned or len(shape) < 2 or min(shape[-2:]) < 2 or 0 in shape:
        return
    if is_tensor(logits) and logits.itemsize == 2:  # before all of them are widened, by threads that then spin
        while logits.ndim > 2:
            logits = logits[0]
        logits = logits[:4] if _in_unit_interval(values_of(logits[:2, :2])) else logits[:2, :2]
    first = values_of(logits)  # before they are cut: JAX slices become traced in jit
    while first.ndim > 2:
        first = first[0]
    first = first[:4]
    if not _in_unit_interval(first) or first[0].min() < 0.0:
        return
    if first.min() >= 0.0 and (np.abs(first.sum(axis=-1, dtype=np.float64) - 1.0) < 1e-5).all():
        _warned = True
        warnings.warn(
            "logits looks like probabilities: its first rows are in [0, 1] and sum to 1. The softmax of probabilities is "
            "nearly uniform and learns slowly; pass the outputs of the last layer before its softmax.",
            UserWarning,
            stacklevel=5,
        )
