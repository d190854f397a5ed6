"""Two models on the same rows: the mean of the differences, who wins where, and how many rows would settle it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.report.comparison import ModelLoss, PairDifference, SliceDifference
from xent.scoring.means import FEW, Mean, mean_of
from xent.scoring.pairing import Paired
from xent.scoring.plan import Label
from xent.scoring.tails import benjamini_hochberg, holm

__all__ = ["LEVEL", "SMALL", "Slices", "adjusted", "model_loss", "pair_difference", "slices_of"]

LEVEL = 0.05
SMALL = 30  # rows below which groups are pooled
MANY = 20  # classes above which they are, too
_POWER = 2.8  # 1.96 + 0.84: the quantiles of the normal distribution for 5 % (two-sided) and a power of 80 %

Shown = Callable[[float], float]  # nats in the unit of the comparison
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Slices(NamedTuple):
    """Rows split by class or group."""

    names: tuple[Label, ...]
    rows: tuple[Int64, ...]  # of each


def slices_of(codes: Int64, names: Sequence[Label | None], word: str) -> Slices:
    """Split rows by their codes (rows,); small groups, and small ones of many classes, are one slice together."""
    counts = np.bincount(codes, minlength=len(names))
    present = counts > 0
    small = present & (counts < SMALL)
    if small.sum() < 2 or (word == "classes" and present.sum() <= MANY):
        small[:] = False
    pooled = np.where(small[codes], len(names), codes)
    every = [*("(missing)" if name is None else name for name in names), f"({int(small.sum()):,} small {word})"]
    order = np.argsort(pooled, kind="stable")
    starts = np.searchsorted(pooled[order], np.arange(len(every) + 1))
    parts = [order[start:stop] for start, stop in pairwise(starts)]
    kept = [i for i, part in enumerate(parts) if len(part)]
    return Slices(tuple(every[i] for i in kept), tuple(parts[i] for i in kept))


def model_loss(name: str, nats: Float64, paired: Paired, shown: Shown) -> ModelLoss:
    """A model's own mean over the rows compared."""
    infinite = int(np.count_nonzero(np.isinf(nats)))
    if infinite:
        return ModelLoss(name, math.inf, None, infinite)
    mean = mean_of(nats, paired.weights, paired.clusters)
    interval = None if mean.interval is None else (max(0.0, shown(mean.interval[0])), shown(mean.interval[1]))
    return ModelLoss(name, shown(mean.estimate), interval, 0)


def pair_difference(
    names: tuple[str, str],
    nats: tuple[Float64, Float64],
    paired: Paired,
    by_class: Slices,
    by_group: Slices,
    shown: Shown,
    few_in_slices: int = FEW,
) -> PairDifference:
    """Compare two models' nats (rows,) each; p-values and winner await `adjusted`."""
    first, second = nats
    infinite = np.isinf(first), np.isinf(second)
    finite = np.flatnonzero(~(infinite[0] | infinite[1]))
    mean = _difference(nats, paired, np.arange(len(first)), FEW)
    return PairDifference(
        *names,
        difference=_known(mean.estimate, shown),
        standard_error=None if mean.standard_error is None else shown(mean.standard_error),
        interval=_ends(mean, shown),
        p_value=mean.p_value,
        adjusted_p_value=None,
        method=None if mean.standard_error is None else mean.method,
        rows_needed=_rows_needed(len(first), mean),
        wins_first=int(np.count_nonzero(first < second)),
        wins_second=int(np.count_nonzero(second < first)),
        ties=int(np.count_nonzero(first == second)),
        infinite_first=int(np.count_nonzero(infinite[0])),
        infinite_second=int(np.count_nonzero(infinite[1])),
        finite_rows=len(finite),
        finite_difference=_known(_difference(nats, paired, finite, 0).estimate, shown) if len(finite) else None,
        winner=None,
        by_class=_by_slice(names, nats, paired, by_class, shown, few_in_slices),
        by_group=_by_slice(names, nats, paired, by_group, shown, few_in_slices),
    )


def adjusted(pairs: Sequence[PairDifference]) -> tuple[PairDifference, ...]:
    """The pairs with p-values that stand for all of them together (Holm), and with their winners."""
    tested = iter(holm([pair.p_value for pair in pairs if pair.p_value is not None]))
    done = [replace(pair, adjusted_p_value=None if pair.p_value is None else next(tested)) for pair in pairs]
    return tuple(
        replace(pair, winner=_winner(pair.difference, pair.adjusted_p_value, pair.first, pair.second)) for pair in done
    )


def _by_slice(
    names: tuple[str, str], nats: tuple[Float64, Float64], paired: Paired, slices: Slices, shown: Shown, few: int
) -> tuple[SliceDifference, ...]:
    means = [_difference(nats, paired, rows, few) for rows in slices.rows]
    tested = iter(benjamini_hochberg([mean.p_value for mean in means if mean.p_value is not None]))
    found = []
    for name, rows, mean in zip(slices.names, slices.rows, means, strict=True):
        p = None if mean.p_value is None else next(tested)
        difference = _known(mean.estimate, shown)
        winner = _winner(difference, p, *names)
        found.append(SliceDifference(name, len(rows), difference, _ends(mean, shown), mean.p_value, p, winner))
    return tuple(sorted(found, key=lambda one: (-abs(one.difference or 0.0) * one.rows, str(one.name))))


def _difference(nats: tuple[Float64, Float64], paired: Paired, rows: Int64, few: int) -> Mean:
    """The mean of first − second over some rows; ±inf where one alone is infinite, NaN where both are."""
    first, second = nats[0][rows], nats[1][rows]
    infinite = bool(np.isinf(first).any()), bool(np.isinf(second).any())
    if any(infinite):
        return Mean(math.nan if all(infinite) else math.inf if infinite[0] else -math.inf, None, None, None, 0, "")
    weights = None if paired.weights is None else paired.weights[rows]
    clusters = None if paired.clusters is None else paired.clusters[rows]
    mean = mean_of(first - second, weights, clusters, few)
    if mean.p_value is None or mean.estimate == 0.0:
        return mean
    # Five differences of one sign are no proof, however alike: flipping signs at random gives that 1 time in 16.
    return mean._replace(p_value=max(mean.p_value, 2.0**-mean.degrees))


def _known(nats: float, shown: Shown) -> float | None:
    return None if math.isnan(nats) else shown(nats)


def _ends(mean: Mean, shown: Shown) -> tuple[float, float] | None:
    return None if mean.interval is None else (shown(mean.interval[0]), shown(mean.interval[1]))


def _winner(difference: float | None, p: float | None, first: str, second: str) -> str | None:
    if difference is None or not (math.isinf(difference) or (p is not None and p <= LEVEL and difference)):
        return None
    return second if difference > 0.0 else first


def _rows_needed(rows: int, mean: Mean) -> int | None:
    """Rows for a power of 80 % at 5 %, if the differences go on as they are."""
    if mean.standard_error is None or mean.estimate == 0.0:
        return None
    needed = rows * (_POWER * (mean.standard_error / mean.estimate)) ** 2
    return max(2, math.ceil(needed)) if math.isfinite(needed) else None
