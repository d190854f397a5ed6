"""Exact sums of float64 numbers: integers in units of 2^-1074, the smallest float64.

Every finite float64 is a whole number of these units, so a sum is one Python integer, without any rounding and the
same in any order. (A coarser unit is not enough: at 2^-90 a loss of 1e-30 nats would already be 0.)
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNIT_BITS", "decode", "encode", "from_number", "grouped_sums", "to_float", "total"]

UNIT_BITS = 1074
_HALF = 26  # a 53-bit significand is summed in two halves, each exact in float64 for 2^26 rows
_DIRECT = 1 << 16  # up to so many pairs of group and exponent are counted without sorting


def from_number(value: float) -> int:
    """The exact integer of a finite number."""
    numerator, denominator = value.as_integer_ratio()
    return (numerator << UNIT_BITS) // denominator


def to_float(units: int) -> float:
    """The float64 nearest to an exact sum."""
    return units / (1 << UNIT_BITS)


def encode(units: int) -> str:
    """As text without the trailing zeros: 3 is "3p0", 0.75 is "3p-2" (hexadecimal digits, power of two)."""
    if units == 0:
        return "0p0"
    zeros = (units & -units).bit_length() - 1
    return f"{units >> zeros:x}p{zeros - UNIT_BITS}"


def decode(text: str) -> int:
    """The integer that `encode` wrote.

    Raises:
        ValueError: the text is not of that form.
    """
    digits, _, power = text.partition("p")
    shift = int(power) + UNIT_BITS
    if shift < 0:
        raise ValueError(f"{text!r} is finer than 2^-{UNIT_BITS}")
    return int(digits, 16) << shift


def total(values: NDArray[np.float64]) -> int:
    """The exact sum of finite, non-negative numbers."""
    return sum(grouped_sums(values, np.zeros(len(values), np.int64)).values())


def grouped_sums(values: NDArray[np.float64], groups: NDArray[np.int64]) -> dict[int, int]:
    """The exact sum of finite, non-negative `values` (rows,) in each of the `groups` (rows,); sums of 0 are left out."""
    if len(values) == 0:
        return {}
    fraction, exponent = np.frexp(values)
    significand = np.ldexp(fraction, 53).astype(np.int64)
    lowest = int(exponent.min())
    span = int(exponent.max()) - lowest + 1
    key = groups * span + (exponent - lowest)
    keys: Iterable[Any]
    if (int(groups.max()) + 1) * span <= _DIRECT:
        keys = range((int(groups.max()) + 1) * span)
    else:
        keys, key = np.unique(key, return_inverse=True)
    upper = np.bincount(key, weights=significand >> _HALF)
    lower = np.bincount(key, weights=significand & ((1 << _HALF) - 1))
    sums: dict[int, int] = {}
    for name, high, low in zip(keys, upper.tolist(), lower.tolist(), strict=False):
        if high or low:
            group, power = divmod(int(name), span)
            units = ((int(high) << _HALF) + int(low)) << (power + lowest + UNIT_BITS)
            sums[group] = sums.get(group, 0) + (units >> 53)
    return sums
