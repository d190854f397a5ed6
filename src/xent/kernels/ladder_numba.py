"""The kernels of `ladder_numpy` compiled: the same arguments, the same bits. No fastmath: it would reorder sums."""

from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import overload

from xent.kernels import ladder_numpy as spec
from xent.kernels.elementary_numba import compiled
from xent.kernels.ladder_numpy import (
    INVERSE_LN2,
    LN2_HIGH,
    LN2_LOW,
    LOWEST,
    NEAR_LOWEST,
    NOTHING,
    NUMBER_ONE,
    ONE,
    ROUND,
    SHORT_ONE,
    SHORT_SQRT_HALF,
    SHORT_SUBNORMAL,
    SQRT_HALF,
    SUBNORMAL,
    TWO,
    UNDERFLOW,
)
from xent.kernels.scalars_numba import bits_of, float_of

__all__ = [
    "FIXED",
    "centre",
    "cured",
    "exp",
    "exp_or_tiny",
    "fixed_sums",
    "halves",
    "inline",
    "joined",
    "log1p",
    "moments",
    "pair_sums",
    "rest_of",
    "small_sums",
]

Array = Any
inline = numba.njit(error_model="numpy", inline="always")
log_parts = inline(spec.log_parts)
exp_parts = inline(spec.exp_parts)
OFFSET, SHORT_OFFSET = np.int64(ONE - SQRT_HALF), np.int32(SHORT_ONE - SHORT_SQRT_HALF)
FIXED = 2.0**spec.FIXED_BITS
LEAST, SHORT_LEAST = ((2 << 52) - OFFSET).view(np.float64), ((2 << 23) - SHORT_OFFSET).view(np.float32)
FINE_PER_COARSE = np.int64(22)
COARSE, FINE = np.float32(1.5 * 2.0**13), np.float32(1.5 * 2.0**-9)  # adding them rounds to multiples of 2^-10, 2^-32
COARSE_BITS, FINE_BITS = np.int64(COARSE.view(np.int32)), np.int64(FINE.view(np.int32))


@inline
def exp(x: Any) -> Any:
    """As ladder_numpy.exp32, of one number."""
    return NOTHING if x < UNDERFLOW else exp_or_tiny(x)


@inline
def exp_or_tiny(x: Any) -> Any:
    """As `exp`, but below UNDERFLOW 1e-38."""
    v = UNDERFLOW if x < UNDERFLOW else x
    rounded = v * INVERSE_LN2 + ROUND
    k = rounded - ROUND
    y = exp_parts((v - k * LN2_HIGH) - k * LN2_LOW)
    return y * float_of(np.int32(np.int32(bits_of(rounded) + np.int32(127)) << np.int32(23)))


@inline
def log1p(r: Any) -> Any:
    """As ladder_numpy.log1p32, of one number."""
    u = NUMBER_ONE + r
    bits = bits_of(u)
    k = np.int32((np.int32(bits + SHORT_OFFSET) >> np.int32(23)) - np.int32(127))
    f = float_of(np.int32(bits - np.int32(k << np.int32(23)))) - NUMBER_ONE
    near = NOTHING if u > TWO else TWO - u
    return log_parts(f, np.float32(k)) + (r - (u - NUMBER_ONE)) * near


@inline
def halves(x: Any) -> Any:
    """A number between -2^12 and 2^12 as ladder_numpy.rounded, in whole 2^-10 and 2^-32, with nothing but additions.

    Each is too large by what `joined` takes away again.
    """
    coarse = x + COARSE
    return bits_of(coarse), bits_of((x - (coarse - COARSE)) + FINE)


@inline
def joined(coarse: Any, fine: Any, count: Any) -> Any:
    """The sum of `count` numbers, at most 512, from sums of their halves, of int32 that may have wrapped."""
    coarse, fine = np.int32(coarse - count * COARSE_BITS), np.int32(fine - count * FINE_BITS)
    return (np.int64(coarse) << FINE_PER_COARSE) + np.int64(fine)


@inline
def _log_32(v: Any) -> Any:
    bits = bits_of(v)
    k = np.int32((np.int32(bits + SHORT_OFFSET) >> np.int32(23)) - np.int32(127))
    f = float_of(np.int32(bits - np.int32(k << np.int32(23)))) - NUMBER_ONE
    return log_parts(f, np.float32(k))


@inline
def _log_64(v: Any) -> Any:
    bits = bits_of(v)
    k = ((bits + OFFSET) >> np.int64(52)) - np.int64(1023)
    f = np.float32(float_of(np.int64(bits - (k << np.int64(52)))) - 1.0)
    return log_parts(f, np.float32(k))


def _log(v: Any) -> Any:
    """log of normal float32 or float64, as float32."""


def _subnormal(v: Any) -> Any:
    """The least number of its type that `_log` is good for, and the log of what is below."""


overload(_log, strict=False)(lambda v: (lambda v: _log_32(v)) if v == types.float32 else (lambda v: _log_64(v)))
overload(_subnormal, strict=False)(
    lambda v: (lambda v: (SHORT_LEAST, SHORT_SUBNORMAL)) if v == types.float32 else (lambda v: (LEAST, SUBNORMAL))
)


@inline
def _odd_log(v: Any, y: Any, subtracted: Any) -> Any:
    """log(v) − subtracted, which is y where v is a normal number; LOWEST for 0."""
    least, log = _subnormal(v)
    y = log - subtracted if v < least else y
    return LOWEST if v == 0 else y


@compiled
def _find_largest(numbers: Array, first: int, step: int, classes: int, top: Array, largest: Array) -> None:
    """All is read before the choice: what is read in one branch only keeps the loop from vectorising."""
    rows = top.shape[0]
    row = numbers[first : first + rows]
    for i in range(rows):
        largest[i] = row[i]
    for i in range(rows):
        top[i] = np.int32(0)
    for j in range(1, classes):
        row, here = numbers[first + j * step : first + j * step + rows], np.int32(j)
        for i in range(rows):
            given, best, place = row[i], largest[i], top[i]
            higher = given > best
            top[i] = here if higher else place
            largest[i] = given if higher else best


@compiled
def centre(
    numbers: Array,
    first: int,
    step: int,
    logs: bool,
    z: Array,
    v: Array,
    top: Array,
    largest: Array,
    log_largest: Array,
) -> bool:
    """As ladder_numpy.centre; returns False where it is known that no class is impossible.

    numbers: a class's lie side by side, from `first` on those of the first, and `step` behind them those of the next.
    """
    rows, suspect = top.shape[0], logs
    tiny, zero, far = numbers.dtype.type(1e-30), numbers.dtype.type(0), numbers.dtype.type(NEAR_LOWEST)
    _find_largest(numbers, first, step, z.shape[0], top, largest)
    for i in range(rows):
        log_largest[i] = NOTHING if logs else _odd_log(largest[i], _log(largest[i]), NOTHING)
    for j in range(z.shape[0]):
        column, below, share = numbers[first + j * step : first + j * step + rows], z[j], v[j]
        if logs:
            for i in range(rows):
                gap = column[i] - largest[i]
                near = NEAR_LOWEST if gap < far else np.float32(gap)
                below[i] = LOWEST if column[i] == -np.inf else near
            for i in range(rows):
                share[i] = exp(below[i])
        else:
            for i in range(rows):
                quotient = column[i] / largest[i]
                share[i] = np.float32(zero if quotient < tiny else quotient)
            odd = np.int32(0)
            for i in range(rows):
                below[i] = _log(column[i]) - log_largest[i]
            for i in range(rows):
                odd = np.int32(odd + np.int32(np.float32(column[i]) < SHORT_LEAST))
            if odd:
                suspect = True
                for i in range(rows):
                    below[i] = _odd_log(column[i], below[i], log_largest[i])
    return suspect


@compiled
def cured(z: Array, beta: Any, offsets: Array, w: Array, v: Array, top: Array, largest: Array) -> None:
    """As ladder_numpy.cured."""
    rows = top.shape[0]
    for j in range(z.shape[0]):
        row, given, offset = w[j], z[j], offsets[j]
        for i in range(rows):
            row[i] = given[i] * beta + offset
    _find_largest(w.reshape(-1), 0, rows, z.shape[0], top, largest)
    for j in range(z.shape[0]):
        row, share = w[j], v[j]
        for i in range(rows):
            y = row[i] - largest[i]
            y = LOWEST if y < LOWEST else y
            row[i] = y
            share[i] = exp(y)


@compiled
def rest_of(v: Array, top: Array, rest: Array) -> None:
    """As ladder_numpy.rest_of."""
    for i in range(top.shape[0]):
        rest[i] = NOTHING
    for j in range(v.shape[0]):
        share, here = v[j], np.int32(j)
        for i in range(top.shape[0]):
            rest[i] += NOTHING if top[i] == here else share[i]


@compiled
def moments(z: Array, v: Array, rest: Array, largest: Array, out: Array) -> None:
    """As ladder_numpy.moments, but without the products of pairs."""
    classes, rows = z.shape
    total, mean, spread = out[0], out[1], out[2]
    for i in range(rows):
        total[i] = largest[i] + log1p(rest[i])
        mean[i] = spread[i] = NOTHING
    for j in range(classes):
        share, q, given = v[j], out[3 + j], z[j]
        for i in range(rows):
            q[i] = share[i] / (rest[i] + NUMBER_ONE)
        for i in range(rows):
            mean[i] += q[i] * given[i]
    for j in range(classes):
        given, q, slope = z[j], out[3 + j], out[3 + classes + j]
        for i in range(rows):
            away = given[i] - mean[i]
            y = q[i] * away
            slope[i] = y
            spread[i] += y * away


@compiled
def pair_sums(q: Array, sums: Array) -> None:
    """Add q_j·q_k for j < k, the last of ladder_numpy.moments, as `fixed_sums` would."""
    at = 0
    for j in range(q.shape[0]):
        one = q[j]
        for k in range(j + 1, q.shape[0]):
            other = q[k]
            coarse, fine = np.int32(0), np.int32(0)
            for i in range(one.shape[0]):
                more, rest = halves(one[i] * other[i])
                coarse, fine = np.int32(coarse + more), np.int32(fine + rest)
            sums[at] += joined(coarse, fine, one.shape[0])
            at += 1


@compiled
def small_sums(values: Array, sums: Array) -> None:
    """As `fixed_sums`, of up to 512 rows of numbers between -2^12 and 2^12."""
    for k in range(values.shape[0]):
        row = values[k]
        coarse, fine = np.int32(0), np.int32(0)
        for i in range(row.shape[0]):
            more, rest = halves(row[i])
            coarse, fine = np.int32(coarse + more), np.int32(fine + rest)
        sums[k] += joined(coarse, fine, row.shape[0])


@compiled
def fixed_sums(values: Array, sums: Array) -> None:
    """As ladder_numpy.fixed_sums."""
    for k in range(values.shape[0]):
        row = values[k]
        total = np.int64(0)
        for i in range(row.shape[0]):
            total += np.int64(np.rint(np.float64(row[i]) * FIXED))
        sums[k] += total
