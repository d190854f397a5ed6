"""Two models on the same rows: the mean of the differences, who wins where, and how many rows would settle it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.report.comparison import ModelLoss, PairDifference, SliceDifference
from xent.scoring.compare_sums import Tally
from xent.scoring.means import FEW, Mean, mean_of_moments
from xent.scoring.plan import Label
from xent.scoring.tails import benjamini_hochberg, holm
from xent.texts.catalogue import sentence

__all__ = ["LEVEL", "SMALL", "Slices", "adjusted", "model_loss", "pair_difference", "slices_of"]

LEVEL = 0.05
SMALL = 30  # rows below which groups are pooled
MANY = 20  # classes above which they are, too
_POWER = 2.8  # 1.96 + 0.84: the quantiles of the normal distribution for 5 % (two-sided) and a power of 80 %
_FEWEST = 1 - math.floor(math.log2(LEVEL))  # rows that tossed signs seldom make all of one sign: 2^-5

Shown = Callable[[float], float]  # nats in the unit of the comparison
Int64 = NDArray[np.int64]


Named = Sequence[tuple[Label, Tally]]


class Slices(NamedTuple):
    """Classes or groups, some of them as one."""

    names: tuple[Label, ...]
    of_code: Int64  # (codes,) which slice each is in


def slices_of(counts: Int64, names: Sequence[Label | None], word: str) -> Slices:
    """Slices of codes that occur `counts` times; small groups, and small ones of many classes, are one together."""
    present = counts > 0
    small = present & (counts < SMALL)
    if small.sum() < 2 or (word == "classes" and present.sum() <= MANY):
        small[:] = False
    of_code = np.cumsum(present & ~small) - 1
    kept = [
        sentence("group.missing") if names[i] is None else names[i] for i in np.flatnonzero(present & ~small).tolist()
    ]
    if small.any():
        of_code[small] = len(kept)
        kept.append(sentence(f"small_{word}", count=int(small.sum())))
    return Slices(tuple(name for name in kept if name is not None), np.maximum(of_code, 0))


def model_loss(name: str, tally: Tally, clustered: bool, shown: Shown) -> ModelLoss:
    """A model's own mean over the rows compared."""
    if tally.infinite_first:
        return ModelLoss(name, math.inf, None, tally.infinite_first)
    mean = mean_of_moments(tally.moments, clustered)
    interval = None if mean.interval is None else (max(0.0, shown(mean.interval[0])), shown(mean.interval[1]))
    return ModelLoss(name, shown(mean.estimate), interval, 0)


def pair_difference(
    names: tuple[str, str],
    tally: Tally,
    by_class: Named,
    by_group: Named,
    clustered: bool,
    shown: Shown,
    few_in_slices: int = FEW,
) -> PairDifference:
    """Compare two models by their sums over all rows and by slice; p-values and winner await `adjusted`."""
    mean = _difference(tally, clustered, FEW)
    finite = tally.moments.rows
    over_finite = shown(mean_of_moments(tally.moments, clustered, 0).estimate) if finite else None
    return PairDifference(
        *names,
        difference=_known(mean.estimate, shown),
        standard_error=None if mean.standard_error is None else shown(mean.standard_error),
        interval=_ends(mean, shown),
        p_value=mean.p_value,
        adjusted_p_value=None,
        method=None if mean.standard_error is None else mean.method,
        rows_needed=_rows_needed(tally.rows, mean),
        wins_first=tally.wins_first,
        wins_second=tally.wins_second,
        ties=tally.rows - tally.wins_first - tally.wins_second,
        infinite_first=tally.infinite_first,
        infinite_second=tally.infinite_second,
        finite_rows=finite,
        finite_difference=over_finite,
        winner=None,
        by_class=_by_slice(names, by_class, clustered, shown, few_in_slices),
        by_group=_by_slice(names, by_group, clustered, shown, few_in_slices),
    )


def adjusted(pairs: Sequence[PairDifference]) -> tuple[PairDifference, ...]:
    """The pairs with p-values that stand for all of them together (Holm), and with their winners."""
    tested = iter(holm([pair.p_value for pair in pairs if pair.p_value is not None]))
    done = [replace(pair, adjusted_p_value=None if pair.p_value is None else next(tested)) for pair in pairs]
    return tuple(
        replace(pair, winner=_winner(pair.difference, pair.adjusted_p_value, pair.first, pair.second)) for pair in done
    )


def _by_slice(
    names: tuple[str, str], slices: Named, clustered: bool, shown: Shown, few: int
) -> tuple[SliceDifference, ...]:
    means = [_difference(tally, clustered, few) for _, tally in slices]
    tested = iter(benjamini_hochberg([mean.p_value for mean in means if mean.p_value is not None]))
    found = []
    for (name, tally), mean in zip(slices, means, strict=True):
        p = None if mean.p_value is None else next(tested)
        difference = _known(mean.estimate, shown)
        winner = _winner(difference, p, *names)
        found.append(SliceDifference(name, tally.rows, difference, _ends(mean, shown), mean.p_value, p, winner))
    return tuple(sorted(found, key=lambda one: (-abs(one.difference or 0.0) * one.rows, str(one.name))))


def _difference(tally: Tally, clustered: bool, few: int) -> Mean:
    """The mean of first − second; ±inf where one alone is infinite, NaN where both are."""
    infinite = tally.infinite_first > 0, tally.infinite_second > 0
    if any(infinite):
        return Mean(math.nan if all(infinite) else math.inf if infinite[0] else -math.inf, None, None, None, 0, "")
    mean = mean_of_moments(tally.moments, clustered, few)
    if mean.p_value is None or mean.estimate == 0.0:
        return mean
    # Five differences of one sign are no proof, however alike: flipping signs at random gives that 1 time in 16.
    interval = mean.interval
    if interval is not None and mean.degrees + 1 < _FEWEST:
        interval = min(interval[0], 0.0), max(interval[1], 0.0)
    return mean._replace(p_value=max(mean.p_value, 2.0**-mean.degrees), interval=interval)


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
    return max(_FEWEST, math.ceil(needed)) if math.isfinite(needed) else None
