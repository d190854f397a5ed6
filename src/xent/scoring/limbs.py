"""Exact sums of many keys at once, as columns of whole numbers: Σ limb_j · 2^(32·j − 1088), which add up column by column.

An exact sum is one Python integer (see `exact`); of millions of keys, those would be slow and large, and nothing but
Python adds them.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

import numpy as np
from numpy.typing import NDArray

from xent.scoring import exact

__all__ = ["Limbs", "Span", "carried", "floats_of", "integers_of", "limb_sums", "limbs_of", "span_of"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Limbs = dict[int, Int64]  # by j, (keys,); those that are left out are 0
Span = tuple[int, int]  # the lowest j in use, and one above the highest; equal where all numbers are 0

LIMB_BITS, LIMB_BYTES = 32, 4
_LOWEST = 1088  # a multiple of 32 above 1074
_FINER = _LOWEST - exact.UNIT_BITS
_MASK = (1 << LIMB_BITS) - 1


def limb_sums(values: Float64, codes: Int64, count: int) -> Limbs:
    """The exact sum of finite values (rows,) of each code below `count`; of up to 2^20 rows at a time."""
    fraction, power = np.frexp(values)
    significand = np.ldexp(fraction, 53).astype(np.int64)
    bit = power.astype(np.int64) + (_LOWEST - 53)
    tiny = bit < 0  # below 2^-1035 their last digits are 0
    if tiny.any():
        significand = np.where(tiny, significand >> np.minimum(-bit, 53) * tiny, significand)
        bit = np.maximum(bit, 0)
    place, shift = bit >> 5, bit & 31
    lower, upper = (significand & _MASK) << shift, (significand >> LIMB_BITS) << shift
    limbs = (lower & _MASK, (lower >> LIMB_BITS) + (upper & _MASK), upper >> LIMB_BITS)
    used = np.flatnonzero(significand)
    if len(used) == 0:
        return {}
    lowest = int(place[used].min())
    place = np.maximum(place - lowest, 0)
    span = int(place[used].max()) + 3
    found = np.zeros((span, count), np.int64)
    for j, limb in enumerate(limbs):
        at = (place + j) * count + codes
        found.reshape(-1)[:] += np.bincount(at[used], weights=limb[used], minlength=span * count).astype(np.int64)
    return {lowest + j: column for j, column in enumerate(found) if column.any()}


def span_of(numbers: Iterable[int]) -> Span:
    """Which limbs exact sums need."""
    ones = reduce(or_, map(abs, numbers), 0) << _FINER
    return (((ones & -ones).bit_length() - 1) // LIMB_BITS, -(-ones.bit_length() // LIMB_BITS)) if ones else (0, 0)


def limbs_of(numbers: Sequence[int], span: Span | None = None) -> Limbs:
    """Exact sums as limbs, all of those of the span; each limb has the sign of its number."""
    low, stop = span or span_of(numbers)
    size = stop - low
    text = b"".join((abs(n) << _FINER >> (low * LIMB_BITS)).to_bytes(size * LIMB_BYTES, "little") for n in numbers)
    digits = np.frombuffer(text, "<u4").reshape(len(numbers), size).astype(np.int64)
    sign = np.array([-1 if number < 0 else 1 for number in numbers], np.int64)
    return {low + i: digits[:, i] * sign for i in range(size)}


def carried(limbs: Limbs, count: int) -> Limbs:
    """The same sums in limbs of 32 bits, the highest with a sign: so 2^31 of them can be added."""
    if not limbs or not count:
        return {}
    lowest, digits = _digits(limbs, count)
    top = len(digits) - 1
    while top and digits[top].min() >= -1 and digits[top].max() <= 0:  # digits of signs, which each sum would add to
        digits[top - 1] += digits[top] << LIMB_BITS
        top -= 1
    return {lowest + i: column for i, column in enumerate(digits[: top + 1]) if column.any()}


def integers_of(limbs: Limbs, count: int) -> list[int]:
    """(keys,) the exact sums."""
    if not limbs:
        return [0] * count
    lowest, digits = _digits(limbs, count)
    size, shift = LIMB_BYTES * (len(digits) - 1), lowest * LIMB_BITS - _FINER
    text = np.ascontiguousarray(digits[:-1].T.astype("<u4")).tobytes()
    found = (
        int.from_bytes(text[i * size : (i + 1) * size], "little") + (high << (8 * size))
        for i, high in enumerate(digits[-1].tolist())
    )
    return [number << shift if shift >= 0 else number >> -shift for number in found]


def floats_of(limbs: Limbs, count: int) -> Float64:
    """(keys,) the float64 nearest to each sum."""
    if not limbs:
        return np.zeros(count)
    lowest, digits = _digits(limbs, count)
    negative = digits[-1] < 0
    if negative.any():
        digits = np.where(negative, -digits, digits)
        _carry(digits)
    highest = len(digits) - 1 - np.argmax(digits[::-1] != 0, axis=0)  # the last one of sums of 0, whose digits are 0
    rows = np.arange(count)
    first, second, third = (np.where(highest >= j, digits[highest - j, rows], 0).astype(np.uint64) for j in range(3))
    size = np.frexp(first.astype(np.float64))[1].astype(np.uint64)  # digits of the first limb, 1 to 32
    size = np.maximum(size, np.uint64(1))
    head = (first << (np.uint64(64) - size)) | (second << (np.uint64(32) - size)) | (third >> size)
    below = np.vstack([np.zeros((1, count), np.bool_), np.logical_or.accumulate(digits != 0, axis=0)])
    left = (third & ((np.uint64(1) << size) - np.uint64(1))) != 0
    left |= np.where(highest >= 3, below[np.maximum(highest - 2, 0), rows], False)
    head |= left.astype(np.uint64)  # 64 digits of which the last stands for all that follow: rounded once, as it should
    exponent = (highest + lowest) * LIMB_BITS - _LOWEST + size.astype(np.int64) - 64
    found = np.ldexp(head.astype(np.float64), exponent)
    return np.asarray(np.where(negative, -found, found))


def _digits(limbs: Limbs, count: int) -> tuple[int, Int64]:
    """The lowest j, and from there on all limbs (limbs, keys), of which the highest alone may be negative."""
    lowest, top = min(limbs), max(limbs) + 2
    digits = np.zeros((top - lowest + 1, count), np.int64)
    for j, column in limbs.items():
        digits[j - lowest] = column
    _carry(digits)
    return lowest, digits


def _carry(digits: Int64) -> None:
    """Bring all limbs but the last into 0 … 2^32 − 1."""
    for j in range(len(digits) - 1):
        digits[j + 1] += digits[j] >> LIMB_BITS
        digits[j] &= _MASK
