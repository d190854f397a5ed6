"""Exact sums of many keys at once, as columns of whole numbers: Σ limb_j · 2^(32·j − 1088), which add up column by column.

An exact sum is one Python integer (see `exact`); of millions of keys, those would be slow and large.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMB_BITS", "Limbs", "from_limbs", "limb_sums"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Limbs = dict[int, Int64]  # by j, (keys,); those that are left out are 0

LIMB_BITS = 32
_LOWEST = 1088  # a multiple of 32 above 1074
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


def from_limbs(limbs: Limbs, count: int) -> Float64:
    """(keys,) the float64 nearest to each sum."""
    if not limbs:
        return np.zeros(count)
    lowest, top = min(limbs), max(limbs) + 2
    digits = np.zeros((top - lowest + 1, count), np.int64)
    for j, column in limbs.items():
        digits[j - lowest] = column
    _carry(digits)
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


def _carry(digits: Int64) -> None:
    """Bring all limbs but the last into 0 … 2^32 − 1."""
    for j in range(len(digits) - 1):
        digits[j + 1] += digits[j] >> LIMB_BITS
        digits[j] &= _MASK
