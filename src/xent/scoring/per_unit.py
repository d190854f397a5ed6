"""Mean cost per unit of text (token, word, character, byte): ratios of sums, with errors by document.

A document's tokens are alike, so that documents and not tokens are what was drawn: the ratio Σ nats / Σ units is
linearised over them.
"""

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from xent.scoring import exact
from xent.scoring.means import FEW, mean_of
from xent.scoring.tails import t_quantile, t_tails

__all__ = ["LEVEL", "Difference", "Moments", "Ratio", "difference", "exponential", "few", "moments", "ratio"]

LEVEL = 0.95
LARGEST_EXPONENT = math.log(1.7976931348623157e308)


class Moments(NamedTuple):
    """Exact sums over clusters of their nats y, in units of 2^-1074, and their number x of units."""

    clusters: int = 0
    nats: int = 0  # Σ y
    units: int = 0  # Σ x
    nats_squared: int = 0  # Σ y², in units of 2^-2148
    nats_units: int = 0  # Σ y·x
    units_squared: int = 0  # Σ x²


class Ratio(NamedTuple):
    """Σ nats / Σ units."""

    mean: float
    standard_error: float | None  # None for a single cluster
    interval: tuple[float, float] | None  # 95 %, Student's t with clusters − 1 degrees of freedom, cut at 0


class Difference(NamedTuple):
    """The ratio of one model less that of another, on the same clusters."""

    mean: float
    standard_error: float | None
    interval: tuple[float, float] | None
    p_value: float | None  # two-sided, of no difference


def moments(pairs: Iterable[tuple[int, int]]) -> Moments:
    """The sums over clusters of (nats in units of 2^-1074, units)."""
    clusters = nats = units = nats_squared = nats_units = units_squared = 0
    for y, x in pairs:
        clusters += 1
        nats += y
        units += x
        nats_squared += y * y
        nats_units += y * x
        units_squared += x * x
    return Moments(clusters, nats, units, nats_squared, nats_units, units_squared)


def few(pairs: Iterable[tuple[int, int]]) -> tuple[float, float] | None:
    """The interval of Σ nats / Σ units by the studentised bootstrap, where clusters are too few for Student's t."""
    known = [(exact.to_float(y) / x, float(x)) for y, x in pairs if x]
    if not 2 <= len(known) < FEW:
        return None
    values, sizes = zip(*known, strict=True)
    found = mean_of(values, sizes).interval
    return None if found is None else (max(0.0, found[0]), found[1])


def ratio(sums: Moments) -> Ratio | None:
    """The mean nats per unit and its interval; None if there is no unit.

    With r = Σy/Σx the error is √(C/(C−1) · Σ(y − r·x)²) / Σx, in exact integers until the root, so nothing cancels.

    Source:
        Cochran, "Sampling Techniques" (1977), section 6.4. Liang and Zeger, "Longitudinal Data Analysis Using
        Generalized Linear Models" (1986).
    """
    if not sums.units:
        return None
    share = Fraction(sums.nats, sums.units)
    mean = float(share / (1 << exact.UNIT_BITS))
    if sums.clusters < 2:
        return Ratio(mean, None, None)
    squares = sums.nats_squared - 2 * share * sums.nats_units + share**2 * sums.units_squared
    error = _error(squares, sums.units**2, sums.clusters)
    reach = _quantile(sums.clusters) * error
    return Ratio(mean, error, (max(0.0, mean - reach), mean + reach))


def difference(ours: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> Difference:
    """Compare the ratios of two lists of (nats, units), the same clusters in the same order.

    The pairs are linearised together: what makes a document hard for both models cancels.
    """
    first, second = moments(ours), moments(theirs)
    left, right = first.units, second.units
    gap = Fraction(first.nats, left) - Fraction(second.nats, right)
    mean = float(gap / (1 << exact.UNIT_BITS))
    if len(ours) < 2:
        return Difference(mean, None, None, None)
    squares = sum(
        ((y * left - first.nats * x) * right**2 - (v * right - second.nats * u) * left**2) ** 2
        for (y, x), (v, u) in zip(ours, theirs, strict=True)
    )
    error = _error(Fraction(squares, (left * right) ** 2), (left * right) ** 2, len(ours))
    reach = _quantile(len(ours)) * error
    p_value = t_tails(mean / error, len(ours) - 1) if error else (1.0 if mean == 0.0 else 0.0)
    return Difference(mean, error, (mean - reach, mean + reach), p_value)


def exponential(nats: float) -> float:
    """e^nats: perplexity; inf where float64 has no number that large."""
    return math.exp(nats) if nats <= LARGEST_EXPONENT else math.inf


def _error(squares: Fraction | int, divisor: int, clusters: int) -> float:
    scatter = Fraction(squares) / divisor * Fraction(clusters, clusters - 1)
    return math.sqrt(max(0.0, float(scatter / (1 << 2 * exact.UNIT_BITS))))


@cache
def _quantile(clusters: int) -> float:
    return t_quantile((1.0 + LEVEL) / 2.0, clusters - 1)
