"""Reliability curves: how often what was given a probability happens, from counts on fixed bins of the odds.

Source:
    Bröcker and Smith, "Increasing the Reliability of Reliability Diagrams" (2007). Isotonic regression by pooling
    adjacent violators: Ayer et al. (1955); its use here: Dimitriadis, Gneiting and Jordan (2021).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.kernels.survey_numpy import MOST_CLASSES, ODDS_BINS
from xent.scoring import exact
from xent.scoring.plan import Plan
from xent.scoring.sums import Sums

__all__ = ["Bin", "Reliability", "isotonic", "reliabilities"]

Z = 1.959963984540054  # 97.5 % of the normal distribution
SHOWN = 20  # bins with about as many rows each, once neighbours are joined


class Bin(NamedTuple):
    """Rows whose probability lies in neighbouring bins of the odds."""

    weight: float
    predicted: float  # mean probability
    observed: float  # how often it happened
    low: float  # 95 % band of `observed`, by Wilson's interval
    high: float
    fitted: float  # by isotonic regression


class Reliability(NamedTuple):
    """One curve."""

    of: int | None  # the class; None for the likeliest, whichever it is
    bins: tuple[Bin, ...]


def reliabilities(plan: Plan, sums: Sums) -> tuple[Reliability, ...]:
    """Of the likeliest class, and of each class against the rest; of two classes, of the second alone."""
    classes = len(plan.classes)
    several = plan.task == "multilabel"
    many = classes > MOST_CLASSES and not several
    if not sums.reliable_weight:
        return ()
    last = 0 if many else classes
    wanted: list[tuple[int, int | None]] = [] if several else [(last, None)]
    if not many:
        wanted += [(j, j) for j in range(0 if several or classes > 2 else 1, classes)]
    return tuple(Reliability(of, _bins(sums, at)) for at, of in wanted)


def _bins(sums: Sums, at: int) -> tuple[Bin, ...]:
    keys = [at * ODDS_BINS + b for b in range(ODDS_BINS) if (at * ODDS_BINS + b) in sums.reliable_weight]
    if not keys:
        return ()
    names = (sums.reliable_weight, sums.reliable_probability, sums.reliable_truth)
    weight, predicted, true = (np.array([exact.to_float(name.get(key, 0)) for key in keys]) for name in names)
    smooth = isotonic(true / weight, weight)
    effective = sums.weight / sums.weight_squared  # Kish: as many rows as rows of unequal weight are worth
    ends = np.searchsorted(np.cumsum(weight), np.linspace(0.0, float(weight.sum()), SHOWN + 1)[1:-1], side="left") + 1
    starts = [0, *(e for e in sorted(set(ends.tolist())) if e < len(weight))]
    if len(starts) > 1 and weight[starts[-1] :].sum() < 0.5 * weight.sum() / SHOWN:
        starts.pop()  # too few to be a bin of their own
    sums_of = (np.add.reduceat(column, starts) for column in (weight, predicted, true, smooth * weight))
    columns = zip(*(column.tolist() for column in sums_of), strict=True)
    return tuple(_bin(w, p, t, f, effective) for w, p, t, f in columns)


def _bin(weight: float, predicted: float, true: float, fitted: float, rows_per_weight: float) -> Bin:
    share = min(1.0, true / weight)
    low, high = _wilson(share, max(1.0, weight * rows_per_weight))
    return Bin(weight, min(1.0, predicted / weight), share, low, high, min(1.0, fitted / weight))


def _wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (1927)."""
    middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n)
    reach = Z / (1.0 + Z * Z / n) * math.sqrt(share * (1.0 - share) / n + Z * Z / (4.0 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def isotonic(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest non-decreasing values in weighted least squares, by pooling adjacent violators."""
    pools: list[list[float]] = []  # mean, weight, how many
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pools.append([value, weight, 1])
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            mean, more, count = pools.pop()
            total = pools[-1][1] + more
            pools[-1] = [(pools[-1][0] * pools[-1][1] + mean * more) / total, total, pools[-1][2] + count]
    return np.repeat([pool[0] for pool in pools], [int(pool[2]) for pool in pools])
