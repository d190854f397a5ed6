"""What each true class would cost in each prediction column: the table in which permuted columns show.

Row i, column j is the sum of −log p_j over the rows of label i, so its diagonal is the loss and every other way to match
labels and columns is another sum of the same table. Costs are capped at 16.1 nats, those of probability 1e-7, so that
one zero does not hide the rest.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CAP",
    "Evidence",
    "beats_chance",
    "class_costs",
    "evidence",
    "grouped",
    "label_costs",
    "log_choices",
    "row_totals",
    "smallest_loss",
]

Float64 = NDArray[np.float64]
CAP = -math.log(1e-7)  # nats
SURE = 1e-5  # the chance of a false alarm, at most, for "serious"
LIKELY = 0.02  # and for a look


class Evidence(NamedTuple):
    """One way to match labels and columns against another."""

    now: float  # nats a row, capped
    then: float
    sure: bool  # that the other is better is no accident of these rows
    likely: bool


def class_costs(kind: str, block: Float64) -> Float64:
    """−log of every class's probability (rows, classes), 0 or more; of one column (rows,) both classes' (rows, 2).

    Entries that are no legal prediction give NaN or 0, never a plausible cost of their own.
    """
    if block.ndim == 1:
        absent, present = label_costs(kind, block)
        return np.stack([absent, present], axis=1)
    with np.errstate(all="ignore"):
        if kind == "logits":
            peak = block.max(axis=1, keepdims=True)
            costs = np.log(np.exp(block - peak).sum(axis=1, keepdims=True)) - (block - peak)
        else:
            costs = -block if kind == "log_probabilities" else -np.log(block)
    return np.asarray(np.maximum(costs, 0.0) + 0.0)


def label_costs(kind: str, block: Float64) -> tuple[Float64, Float64]:
    """−log(1 − p) and −log p of each entry, 0 or more; the shape stays."""
    with np.errstate(all="ignore"):
        if kind == "logits":
            absent, present = np.logaddexp(0.0, block), np.logaddexp(0.0, -block)
        elif kind == "log_probabilities":
            below = np.minimum(block, 0.0)
            absent = np.where(below > -0.7, -np.log(-np.expm1(below)), -np.log1p(-np.exp(below)))
            present = -block
        else:
            absent, present = -np.log1p(-block), -np.log(block)
    return np.maximum(absent, 0.0) + 0.0, np.maximum(present, 0.0) + 0.0


def row_totals(kind: str, block: Float64) -> Float64:
    """What each row (rows, columns) sums to; log-probabilities as probabilities."""
    with np.errstate(all="ignore"):
        values = np.exp(block) if kind == "log_probabilities" else block
        sums: Float64 = values.sum(axis=1)
    return sums


def grouped(codes: NDArray[np.int64], values: Any, size: int) -> Float64:
    """The sums of `values` (rows, columns) by code (rows,): (size, columns)."""
    sums = [np.bincount(codes, weights=column, minlength=size) for column in np.asarray(values).T]
    return np.stack(sums, axis=1) if sums else np.zeros((size, 0))


def evidence(now: Float64, then: Float64, squares: Float64, rows: float, choices: float) -> Evidence:
    """Is the sum `then` smaller than `now` by more than chance?

    Args:
        now, then: (labels,) sums of capped costs under each of the two ways.
        squares: (labels,) sums of squares of both, added; 0 where both ways are the same.
        rows: how many there are.
        choices: the logarithm of how many other ways there were to choose from.

    Source:
        Efron, "Student's t-test under symmetry conditions" (1969): for differences that are symmetric around 0,
        P(Σd / √Σd² ≥ x) ≤ exp(−x²/2), for any number of rows. Costs are not negative, so Σ(a−b)² ≤ Σa² + Σb².
    """
    gain, spread = float((now - then).sum()), float(squares.sum())
    strength = 0.5 * gain * gain / spread if gain > 0.0 and spread > 0.0 else 0.0
    mean_now, mean_then = float(now.sum()) / max(rows, 1.0), float(then.sum()) / max(rows, 1.0)
    matters = mean_now - mean_then > max(0.02, 0.1 * mean_now)
    sure, likely = (matters and strength - choices > -math.log(chance) for chance in (SURE, LIKELY))
    return Evidence(mean_now, mean_then, sure, likely)


def smallest_loss(step: float) -> float:
    """The smallest loss in nats, other than 0, of probabilities that are multiples of `step`."""
    return -math.log1p(-step)


def log_choices(classes: int, moved: int) -> float:
    """The logarithm of how many ways there are to move `moved` of so many classes, at most."""
    return math.lgamma(classes + 1) - math.lgamma(classes - moved + 1)


def beats_chance(gain: float, variance: float, rows: int) -> bool:
    """Whether a mean gain in nats is above what chance would give one time in a thousand."""
    return gain > 0.0 and gain * math.sqrt(rows) > 3.1 * math.sqrt(max(variance, 0.0))
