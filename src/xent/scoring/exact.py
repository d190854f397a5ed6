"""Exact sums of float64 numbers: integers in units of 2^-1074, the smallest float64.

Every finite float64 is a whole number of these units, so a sum is one Python integer, without any rounding and the
same in any order. (A coarser unit is not enough: at 2^-90 a loss of 1e-30 nats would already be 0.)
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNIT_BITS", "decode", "encode", "from_number", "grouped_products", "grouped_sums", "to_float", "total"]

UNIT_BITS = 1074
_HALF = 26  # a significand is summed in two halves, each exact in float64 for 2^24 rows
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
    """The exact sum of finite numbers."""
    return sum(grouped_sums(values, np.zeros(len(values), np.int64)).values())


def grouped_sums(values: NDArray[np.float64], groups: NDArray[np.int64]) -> dict[int, int]:
    """The exact sum of finite `values` (rows,) in each of the `groups` (rows,); sums of 0 may be left out."""
    if len(values) == 0:
        return {}
    fraction, exponent = np.frexp(values)
    significand = np.ldexp(fraction, 53).astype(np.int64)
    return _by_exponent(groups, exponent, {53: significand}, UNIT_BITS)


def grouped_products(
    first: NDArray[np.float64], second: NDArray[np.float64], groups: NDArray[np.int64]
) -> dict[int, int]:
    """The exact sum of first·second (rows,) in each of the `groups`, in units of 2^-2148.

    Source:
        Dekker, "A Floating-point Technique for Extending the Available Precision" (1971), for what a product rounds off.
    """
    if len(first) == 0:
        return {}
    (x, power), (y, other_power) = np.frexp(first), np.frexp(second)  # fractions, whose products never underflow
    product = x * y
    (x, x_rest), (y, y_rest) = _halves(x), _halves(y)
    rest = ((x * y - product) + x * y_rest + x_rest * y) + x_rest * y_rest
    parts = {54: np.ldexp(product, 54).astype(np.int64), 106: np.ldexp(rest, 106).astype(np.int64)}
    return _by_exponent(groups, power + other_power, parts, 2 * UNIT_BITS)


def _halves(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two numbers of 26 digits whose sum each value is (Veltkamp)."""
    far = values * 134217729.0
    upper = far - (far - values)
    return upper, values - upper


def _by_exponent(
    groups: NDArray[np.int64], exponent: NDArray[Any], parts: dict[int, NDArray[np.int64]], unit_bits: int
) -> dict[int, int]:
    """By group, the sum of Σ part·2^(exponent − bits) over its rows, `parts` by their bits."""
    lowest = int(exponent.min())
    span = int(exponent.max()) - lowest + 1
    key = groups * span + (exponent - lowest)
    keys: Iterable[Any]
    if (int(groups.max()) + 1) * span <= _DIRECT:
        keys = range((int(groups.max()) + 1) * span)
    else:
        keys, key = np.unique(key, return_inverse=True)
    sums: dict[int, int] = {}
    for bits, part in parts.items():
        upper = np.bincount(key, weights=part >> _HALF)
        lower = np.bincount(key, weights=part & ((1 << _HALF) - 1))
        for name, high, low in zip(keys, upper.tolist(), lower.tolist(), strict=False):
            if high or low:
                group, power = divmod(int(name), span)
                units = ((int(high) << _HALF) + int(low)) << (power + lowest + unit_bits)
                sums[group] = sums.get(group, 0) + (units >> bits)
    return sums
