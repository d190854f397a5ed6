"""The mean of numbers held in memory, and how far it can be trusted; the same bits in whatever order the rows come."""

import functools
import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.scoring.tails import t_quantile, t_tails

__all__ = ["FEW", "LEVEL", "RESAMPLES", "Mean", "bootstrap_t", "mean_of"]

LEVEL = 0.95
FEW = 200  # rows or clusters below which Student's t is too narrow for skewed values
RESAMPLES = 9_999  # (RESAMPLES + 1) · 2.5 % is whole
_SEED = 1_948
_BLOCK = 1 << 18  # numbers drawn at a time
_PIECE = 1 << 14  # numbers that are Python's at a time
_NO_SPREAD = 1e-24  # of the sum of squares: what rounding leaves of a resample whose values are all alike

Float64 = NDArray[np.float64]


class Mean(NamedTuple):
    """A mean and its uncertainty; None where a single row or cluster leaves that unknown."""

    estimate: float
    standard_error: float | None
    interval: tuple[float, float] | None  # 95 %
    p_value: float | None  # two-sided, of a true mean of 0
    degrees: int  # of freedom: rows or clusters − 1
    method: str  # "t", "bootstrap-t" or "cluster-robust t"


class _Sample(NamedTuple):
    """What is drawn as a whole, rows or clusters: `totals` Σ w·(x − mean) and `sizes` Σ w, both (draws,)."""

    totals: Float64
    sizes: Float64
    equal_sizes: bool

    @property
    def error(self) -> float:
        """Standard error of the mean: the linearised ratio estimator, over clusters the sandwich form."""
        draws = len(self.totals)
        return math.sqrt(draws / (draws - 1) * _total(self.totals**2)) / _total(self.sizes)


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
    sample, mean, scale = _sample(values, weights, clusters)
    draws = len(sample.totals)
    estimate = math.ldexp(mean, scale)
    plain = "t" if clusters is None else "cluster-robust t"
    if draws < 2:
        return Mean(estimate, None, None, None, 0, plain)
    error = sample.error
    if error == 0.0:
        return Mean(estimate, 0.0, (estimate, estimate), 1.0 if mean == 0.0 else 0.0, draws - 1, plain)
    shown = math.ldexp(error, scale)
    low, high = _t_ends(mean, error, draws, LEVEL)
    p = t_tails(mean / error, draws - 1)
    if draws >= few:
        return Mean(estimate, shown, (math.ldexp(low, scale), math.ldexp(high, scale)), p, draws - 1, plain)
    pivots = _pivots(sample, RESAMPLES)
    low, high = _ends(mean, error, draws, LEVEL, pivots)
    p = _tails(mean / error, pivots) if pivots.complete else max(p, _tails(mean / error, pivots))
    return Mean(estimate, shown, (math.ldexp(low, scale), math.ldexp(high, scale)), p, draws - 1, "bootstrap-t")


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
    sample, mean, scale = _sample(values, weights, clusters)
    error = sample.error
    low, high = (
        (mean, mean) if error == 0.0 else _ends(mean, error, len(sample.totals), level, _pivots(sample, resamples))
    )
    return math.ldexp(low, scale), math.ldexp(high, scale)


def _sample(values: Any, weights: Any, clusters: Any) -> tuple[_Sample, float, int]:
    """What is drawn, its mean, and the power of two that both are in; rows of weight 0 are left out.

    Values and weights are brought near 1 by powers of two, which round nothing, so that no square overflows.
    """
    x = np.asarray(values, np.float64)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    used = w > 0.0
    x, w = x[used], w[used]
    scale = math.frexp(float(np.abs(x).max()))[1]
    x, w = np.ldexp(x, -scale), np.ldexp(w, -math.frexp(float(w.max()))[1])
    mean = float(x[0]) if x.min() == x.max() else _total(w * x) / _total(w)
    residuals = w * (x - mean)
    if clusters is None:
        return _Sample(residuals, w, bool((w == w[0]).all())), mean, scale
    _, codes = np.unique(np.asarray(clusters)[used], return_inverse=True)
    sizes = _sums(w, codes)
    return _Sample(_sums(residuals, codes), sizes, bool((sizes == sizes[0]).all())), mean, scale


def _total(values: Float64) -> float:
    """The sum, rounded once: any order gives the same."""
    pieces = (values[start : start + _PIECE].tolist() for start in range(0, len(values), _PIECE))
    return math.fsum(itertools.chain.from_iterable(pieces))


def _sums(values: Float64, codes: Any) -> Float64:
    """Of each code's values, added from the smallest on: the order of the rows leaves no trace."""
    order = np.argsort(values, kind="stable")
    return np.asarray(np.bincount(codes[order], weights=values[order]), np.float64)


def _pivots(sample: _Sample, resamples: int) -> _Pivots:
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
