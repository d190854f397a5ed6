"""Exact sums that a mean and its standard error need; those of parts of the rows add up, in any split and order.

What is drawn as a whole (a row, or a cluster of rows) has a weight s = Σ w and a total t = Σ w·x, each rounded once to
float64. From there on nothing is rounded: sums and sums of products are integers.
"""

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.scoring import exact

__all__ = ["FEW", "Moments", "linearised_error", "sum_draws", "sum_rows", "telling_draws"]

FEW = 200  # rows or clusters below which Student's t is too narrow for skewed values
FEW_TELLING = 30  # from where on n − 1 degrees of freedom are as good as any more
_ONE = 1 << exact.UNIT_BITS

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Moments(NamedTuple):
    """Sums over rows of value x and weight w above 0, and over draws of total t and weight s."""

    rows: int = 0
    weight: int = 0  # Σ w, in units of 2^-1074
    total: int = 0  # Σ w·x
    low: float = math.inf  # the least x
    high: float = -math.inf
    draws: int = 0
    squares: int = 0  # Σ t², in units of 2^-2148
    products: int = 0  # Σ t·s
    sizes: int = 0  # Σ s²
    few: tuple[tuple[float, float], ...] = ()  # t and s of every draw, as long as there are below FEW

    def plus(self, other: "Moments") -> "Moments":
        """The sums over both."""
        draws = self.draws + other.draws
        return Moments(
            self.rows + other.rows,
            self.weight + other.weight,
            self.total + other.total,
            min(self.low, other.low),
            max(self.high, other.high),
            draws,
            self.squares + other.squares,
            self.products + other.products,
            self.sizes + other.sizes,
            self.few + other.few if draws < FEW else (),
        )


def linearised_error(draws: int, weight: int, total: int, squares: int, products: int, sizes: int) -> float:
    """The standard error of the ratio total / weight: √(n/(n−1) · Σ (t − ratio·s)²) / Σ s.

    Args:
        draws: n, 2 or more.
        weight, total: Σ s and Σ t of the draws, in one unit.
        squares, products, sizes: Σ t², Σ t·s and Σ s², in that unit squared.

    Source:
        Cochran, "Sampling Techniques" (1977), section 6 (ratio estimator); over clusters it is the sandwich form of
        Liang and Zeger (1986).
    """
    scatter = squares * weight**2 - 2 * products * total * weight + sizes * total**2  # Σ (t − ratio·s)² · weight²
    return _root(max(0, scatter) * draws, weight**4 * (draws - 1))


def telling_draws(draws: int, weight: int, sizes: int) -> int:
    """The draws; where few of them weigh most, how many of one size would tell as much.

    Such a few decide the mean and its standard error both: with n − 1 degrees of freedom what is chance in them would
    look like a finding. Less unequal sizes are left alone, as everybody does.

    Args:
        draws, weight, sizes: as in `linearised_error`.

    Source:
        Kish, "Survey Sampling" (1965), section 11.7: (Σ s)² / Σ s².
    """
    telling = weight**2 // sizes
    return telling if telling < FEW_TELLING and 2 * telling < draws else draws


def _root(numerator: int, denominator: int) -> float:
    """The square root of a fraction whose float64 might overflow or underflow."""
    power = (numerator.bit_length() - denominator.bit_length()) // 2
    up, down = max(0, -2 * power), max(0, 2 * power)
    return math.ldexp(math.sqrt(Fraction(numerator << up, denominator << down)), power)


def sum_rows(values: Float64, weights: Float64 | None, codes: Int64, count: int) -> dict[int, Moments]:
    """By code (rows,) below `count`, the sums over rows, without draws; weights None are 1."""
    rows = np.bincount(codes, minlength=count)
    totals = exact.grouped_sums(values if weights is None else weights * values, codes)
    sizes = {} if weights is None else exact.grouped_sums(weights, codes)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, codes, values)
    np.maximum.at(high, codes, values)
    return {
        code: Moments(
            int(rows[code]),
            int(rows[code]) * _ONE if weights is None else sizes[code],
            totals.get(code, 0),
            float(low[code]),
            float(high[code]),
        )
        for code in np.flatnonzero(rows).tolist()
    }


def sum_draws(
    totals: Float64, sizes: Float64 | None, codes: Int64, count: int, keep: bool = True
) -> dict[int, Moments]:
    """By code (draws,) below `count`, the sums over draws, without rows; sizes None are 1.

    Without `keep`, draws are not kept where there are few.
    """
    draws = np.bincount(codes, minlength=count)
    squares = exact.grouped_products(totals, totals, codes)
    if sizes is None:
        of_totals = exact.grouped_sums(totals, codes)
        products = {code: value * _ONE for code, value in of_totals.items()}
        squared_sizes = {code: int(draws[code]) * _ONE**2 for code in np.flatnonzero(draws).tolist()}
    else:
        products = exact.grouped_products(totals, sizes, codes)
        squared_sizes = exact.grouped_products(sizes, sizes, codes)
    few = _few(totals, sizes, codes, draws) if keep else {}
    return {
        code: Moments(
            draws=int(draws[code]),
            squares=squares.get(code, 0),
            products=products.get(code, 0),
            sizes=squared_sizes[code],
            few=tuple(few.get(code, ())),
        )
        for code in np.flatnonzero(draws).tolist()
    }


def _few(
    totals: Float64, sizes: Float64 | None, codes: Int64, draws: NDArray[np.intp]
) -> dict[int, list[tuple[float, float]]]:
    """The draws of each code that has below FEW."""
    found: dict[int, list[tuple[float, float]]] = {}
    kept = np.flatnonzero((draws < FEW)[codes])
    of = np.ones(len(kept)) if sizes is None else sizes[kept]
    for code, t, s in zip(codes[kept].tolist(), totals[kept].tolist(), of.tolist(), strict=True):
        found.setdefault(code, []).append((t, s))
    return found
