"""Σ s·sᵀ over many vectors s: the same in any order and any parts, as each s is rounded by itself and no sum is.

A vector is cut to 40 binary digits of its largest number, into two parts of 20, so that sums of products of 2^13
vectors are whole numbers that float64 holds: a matrix product adds them without rounding.

Source:
    Ozaki, Ogita, Oishi and Rump, "Error-free transformations of matrix multiplication by using fast routines of matrix
    multiplication and its applications" (2012).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_floats", "no_scatter", "scatter_of"]

Integers = NDArray[np.object_]  # (numbers, numbers), of Python, in units of 2^-UNIT_BITS
PART = 20
UNIT_BITS = 2 * (1074 + 2 * PART)
_ROWS = 1 << 13


def no_scatter(numbers: int) -> Integers:
    """That of no vectors."""
    return np.full((numbers, numbers), 0, object)


def scatter_of(vectors: NDArray[np.float64]) -> Integers:
    """Of vectors (numbers, rows)."""
    found: Any = no_scatter(len(vectors))
    _, power = np.frexp(np.abs(vectors).max(axis=0))
    for size in np.unique(power).tolist():
        alike = vectors[:, power == size]
        sums = np.zeros((3, *found.shape), np.int64)
        for start in range(0, alike.shape[1], _ROWS):
            digits = np.rint(np.ldexp(alike[:, start : start + _ROWS], 2 * PART - size))
            upper = np.rint(digits * 2.0**-PART)
            lower = digits - upper * 2.0**PART
            sums += np.stack([upper @ upper.T, upper @ lower.T, lower @ lower.T]).astype(np.int64)
        high, middle, low = sums.astype(object)
        found = found + ((((high << PART) + middle + middle.T << PART) + low) << (2 * (size - 2 * PART) + UNIT_BITS))
    return np.asarray(found)


def as_floats(scatter: Integers) -> NDArray[np.float64]:
    """The float64 nearest to each."""
    unit = 1 << UNIT_BITS
    return np.array([[value / unit for value in row] for row in scatter.tolist()])
