"""The mean, and how far it can be trusted; the same bits in whatever order, or parts, the rows come."""

import functools
import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.scoring import exact
from xent.scoring.moments import FEW, Moments, linearised_error, sum_draws, sum_rows, telling_draws
from xent.scoring.tails import t_quantile, t_tails

__all__ = ["FEW", "LEVEL", "RESAMPLES", "Mean", "bootstrap_t", "mean_of", "mean_of_moments"]

LEVEL = 0.95
RESAMPLES = 9_999  # (RESAMPLES + 1) · 2.5 % is whole
_SEED = 1_948
_BLOCK = 1 << 18  # numbers drawn at a time
_NO_SPREAD = 1e-24  # of the sum of squares: what rounding leaves of a resample whose values are all alike

Float64 = NDArray[np.float64]


class Mean(NamedTuple):
    """A mean and its uncertainty; None where a single row or cluster, or one that weighs most, leaves that unknown."""

    estimate: float
    standard_error: float | None
    interval: tuple[float, float] | None  # 95 %
    p_value: float | None  # two-sided, of a true mean of 0
    degrees: int  # of freedom: rows or clusters − 1, fewer where few weigh most
    method: str  # "t", "bootstrap-t" or "cluster-robust t"


class _Sample(NamedTuple):
    """What is drawn as a whole, rows or clusters: Σ w·(x − mean) and Σ w, both (draws,) and near 1 by powers of two."""

    totals: Float64
    sizes: Float64
    equal_sizes: bool


class _Pivots(NamedTuple):
    """(mean of a resample − mean) / its standard error, sorted; without the resamples that have no spread."""

    values: Float64
    complete: bool


def mean_of(values: Any, weights: Any = None, clusters: Any = None, few: int = FEW) -> Mean:
    """The mean of finite values, its standard error, 95 % interval and the p-value of a true mean of 0.

    Args:
        values: (rows,) float64.
        weights: (rows,), 0 or more and not all 0; rows of weight 0 are left out. None weighs all rows 1.
        clusters: (rows,) codes of what the rows belong together in, such as documents or users. None: rows are
            independent.
        few: rows (clusters) below which the studentised bootstrap is asked, in place of Student's t.

    Returns:
        The mean. By Student's t, or the studentised bootstrap. Values that are all
        equal have standard error 0. The order of the rows changes no bit.

    Source:
        Cochran, "Sampling Techniques" (1977), section 6 (ratio estimator). Liang and Zeger (1986), "Longitudinal data
        analysis using generalized linear models" (clusters). Efron and Tibshirani, "An Introduction to the Bootstrap"
        (1993), section 12.5 (bootstrap-t).

    Example:
        >>> from xent.scoring.means import mean_of
        >>> mean = mean_of([float(i % 7) for i in range(700)])
        >>> mean.estimate, round(mean.standard_error, 6), mean.method
        (3.0, 0.075647, 't')
    """
    return mean_of_moments(_moments(*_draws(values, weights, clusters)), clusters is not None, few)


def mean_of_moments(moments: Moments, clustered: bool, few: int = FEW) -> Mean:
    """What `mean_of` finds, from sums; `clustered` if draws are clusters of rows."""
    draws = moments.draws
    telling = telling_draws(draws, moments.weight, moments.sizes) if draws else 0
    estimate = _estimate(moments)
    plain = "cluster-robust t" if clustered else "t"
    if telling < 2:
        return Mean(estimate, None, None, None, 0, plain)
    error = _error(moments)
    if error == 0.0:
        return Mean(estimate, 0.0, (estimate, estimate), 1.0 if estimate == 0.0 else 0.0, draws - 1, plain)
    p = t_tails(estimate / error, telling - 1)
    if draws >= few or telling < draws:
        return Mean(estimate, error, _t_ends(estimate, error, telling, LEVEL), p, telling - 1, plain)
    pivots = _pivots(moments, RESAMPLES)
    ends = _ends(estimate, error, draws, LEVEL, pivots)
    resampled = _tails(estimate / error, pivots)
    return Mean(estimate, error, ends, resampled if pivots.complete else max(p, resampled), draws - 1, "bootstrap-t")


def bootstrap_t(
    values: Any, weights: Any = None, level: float = LEVEL, clusters: Any = None, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The ends of the studentised bootstrap's interval for the mean, which follow the skew of few values.

    Args:
        values: (rows,) finite float64, of two rows (clusters) at least.
        weights: (rows,), 0 or more; None weighs all rows 1.
        level: the share of intervals that hold the true mean.
        clusters: (rows,) codes; clusters are resampled whole.
        resamples: how often. Memory does not grow with it but for one number each.

    Returns:
        The ends. Where some resamples have no spread (two or three rows, or nearly all alike) these are left out and
        the interval is no narrower than Student's.

    Source:
        Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 12.5.

    Example:
        >>> from xent.scoring.means import bootstrap_t
        >>> low, high = bootstrap_t([0.1, 0.2, 0.1, 0.4, 0.3, 2.5, 0.2, 0.1, 0.6, 0.2])
        >>> low < 0.47 < high, high - 0.47 > 0.47 - low
        (True, True)
    """
    rows, totals, sizes = _draws(values, weights, clusters)
    moments = _moments(rows, totals, sizes)._replace(few=tuple(zip(totals.tolist(), sizes.tolist(), strict=True)))
    estimate, error = _estimate(moments), _error(moments)
    if error == 0.0:
        return estimate, estimate
    return _ends(estimate, error, moments.draws, level, _pivots(moments, resamples))


def _draws(values: Any, weights: Any, clusters: Any) -> tuple[Moments, Float64, Float64]:
    """The sums over rows of a weight above 0; and of each row, or cluster of rows, Σ w·x and Σ w."""
    x = np.asarray(values, np.float64)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    used = w > 0.0
    x, w = x[used], w[used]
    rows = sum_rows(x, w, np.zeros(len(x), np.int64), 1)[0]
    if clusters is None:
        return rows, w * x, w
    names, codes = np.unique(np.asarray(clusters)[used], return_inverse=True)
    totals, sizes = (exact.grouped_sums(column, codes) for column in (w * x, w))
    found = [[exact.to_float(sums.get(code, 0)) for code in range(len(names))] for sums in (totals, sizes)]
    return rows, np.array(found[0]), np.array(found[1])


def _moments(rows: Moments, totals: Float64, sizes: Float64) -> Moments:
    return rows.plus(sum_draws(totals, sizes, np.zeros(len(totals), np.int64), 1)[0])


def _estimate(moments: Moments) -> float:
    return moments.low if moments.low == moments.high else float(Fraction(moments.total, moments.weight))


def _error(moments: Moments) -> float:
    if moments.low == moments.high:
        return 0.0
    return linearised_error(
        moments.draws, moments.weight, moments.total, moments.squares, moments.products, moments.sizes
    )


def _sample(moments: Moments) -> _Sample:
    """The few draws; what each is off the mean is exact until it is rounded once."""
    pairs = [(exact.from_number(t), exact.from_number(s)) for t, s in moments.few]
    totals = _near_one([t * moments.weight - s * moments.total for t, s in pairs])
    sizes = _near_one([s for _, s in pairs])
    return _Sample(totals, sizes, bool((sizes == sizes[0]).all()))


def _near_one(values: list[int]) -> Float64:
    """Floats in proportion to whole numbers, none above 1."""
    unit = 1 << max(value.bit_length() for value in values)
    return np.array([value / unit for value in values])


def _pivots(moments: Moments, resamples: int) -> _Pivots:
    """From the side on which the mean is positive: what is known of A − B is known of B − A, to the bit."""
    sample = _sample(moments)
    if moments.total >= 0:
        return _resampled(sample, resamples)
    turned = _resampled(sample._replace(totals=-sample.totals), resamples)
    return turned._replace(values=-turned.values[::-1])


def _resampled(sample: _Sample, resamples: int) -> _Pivots:
    order = np.lexsort((sample.sizes, sample.totals))
    totals, sizes = sample.totals[order], sample.sizes[order]
    draws = len(totals)
    generator = np.random.Generator(np.random.PCG64(_SEED))
    found = []
    step = max(1, _BLOCK // draws)
    for start in range(0, resamples, step):
        picked = generator.integers(0, draws, (min(step, resamples - start), draws))
        found.append(_studentised(totals[picked], sizes[:1] if sample.equal_sizes else sizes[picked]))
    values = np.sort(np.concatenate(found))
    return _Pivots(values, len(values) == resamples)


def _studentised(totals: Float64, sizes: Float64) -> Float64:
    """Of the resamples (resamples, draws) that have a spread; `sizes` may be (1,) if all are equal."""
    draws = totals.shape[1]
    weight = sizes.sum(axis=1) if sizes.ndim == 2 else sizes * draws
    shift = totals.sum(axis=1) / weight
    left = totals - shift[:, None] * sizes
    squares = np.einsum("ij,ij->i", left, left)
    spread = squares > _NO_SPREAD * np.einsum("ij,ij->i", totals, totals)
    error = np.sqrt(draws / (draws - 1) * squares[spread]) / (weight[spread] if sizes.ndim == 2 else weight)
    pivots: Float64 = shift[spread] / error
    return pivots


def _ends(mean: float, error: float, draws: int, level: float, pivots: _Pivots) -> tuple[float, float]:
    low, high = _t_ends(mean, error, draws, level)
    resamples = len(pivots.values)
    if resamples == 0:
        return low, high
    tail = max(1, math.floor((resamples + 1) * (1.0 - level) / 2.0 + 1e-9))  # 1 − 0.9 is a little below 0.1
    own = mean - error * float(pivots.values[resamples - tail]), mean - error * float(pivots.values[tail - 1])
    return own if pivots.complete else (min(low, own[0]), max(high, own[1]))


def _tails(t: float, pivots: _Pivots) -> float:
    """The level at which the bootstrap's interval just ends at 0; it never falls below what so many resamples tell."""
    above = len(pivots.values) - int(np.searchsorted(pivots.values, t, side="left"))
    below = int(np.searchsorted(pivots.values, t, side="right"))
    return min(1.0, 2.0 * (min(above, below) + 1) / (len(pivots.values) + 1))


def _t_ends(mean: float, error: float, draws: int, level: float) -> tuple[float, float]:
    reach = _quantile((1.0 + level) / 2.0, draws - 1) * error
    return mean - reach, mean + reach


@functools.cache
def _quantile(probability: float, degrees: int) -> float:
    return t_quantile(probability, degrees)
