"""The kernels of `ladder_numpy` compiled: the same arguments, the same bits. No fastmath: it would reorder sums."""

from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import overload

from xent.kernels import ladder_numpy as spec
from xent.kernels.elementary_numba import compiled
from xent.kernels.ladder_numpy import (
    EIGHTH,
    INVERSE_LN2,
    LN2_HIGH,
    LN2_LOW,
    LOWEST,
    NEAR_LOWEST,
    NEGLIGIBLE,
    NOTHING,
    NUMBER_ONE,
    ONE,
    ROUND,
    SHORT_ONE,
    SHORT_SQRT_HALF,
    SHORT_SUBNORMAL,
    SIXTYFOURTH,
    SQRT_HALF,
    SUBNORMAL,
    SUMMED,
    TEMPERATURES,
    TWO,
    UNDERFLOW,
)
from xent.kernels.scalars_numba import bits_of, float_of

__all__ = [
    "WIDTH",
    "centre",
    "column_wide",
    "cured",
    "fixed_sums",
    "log1p",
    "moments",
    "rest_of",
    "rows_wide",
    "temper",
]

Array = Any
inline = numba.njit(error_model="numpy", inline="always")
log_parts = inline(spec.log_parts)
exp_parts = inline(spec.exp_parts)
OFFSET, SHORT_OFFSET = np.int64(ONE - SQRT_HALF), np.int32(SHORT_ONE - SHORT_SQRT_HALF)
WIDTH = 16  # rows that `temper` takes at a time: all its sums stay in the first-level cache
FIXED = 2.0**spec.FIXED_BITS


@inline
def _exp(x: Any) -> Any:
    v = UNDERFLOW if x < UNDERFLOW else x
    k = (v * INVERSE_LN2 + ROUND) - ROUND
    y = exp_parts((v - k * LN2_HIGH) - k * LN2_LOW)
    power = float_of(np.int32((np.int32(k) + np.int32(127)) << np.int32(23)))
    return NOTHING if x < UNDERFLOW else y * power


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
def _log_32(v: Any) -> Any:
    bits = bits_of(v)
    k = np.int32((np.int32(bits + SHORT_OFFSET) >> np.int32(23)) - np.int32(127))
    f = float_of(np.int32(bits - np.int32(k << np.int32(23)))) - NUMBER_ONE
    y = log_parts(f, np.float32(k))
    y = SHORT_SUBNORMAL if k <= -126 else y
    return LOWEST if v == NOTHING else y


@inline
def _log_64(v: Any) -> Any:
    bits = bits_of(v)
    k = ((bits + OFFSET) >> np.int64(52)) - np.int64(1023)
    f = np.float32(float_of(np.int64(bits - (k << np.int64(52)))) - 1.0)
    y = log_parts(f, np.float32(k))
    y = SUBNORMAL if k <= -1022 else y
    return LOWEST if v == 0.0 else y


def _log(v: Any) -> Any:
    """log of float32 or float64, as float32."""


overload(_log, strict=False)(lambda v: (lambda v: _log_32(v)) if v == types.float32 else (lambda v: _log_64(v)))


@compiled
def rows_wide(block: Array, logs: bool, wide: Array) -> None:
    """(rows, classes) as (classes, rows), of the dtype of `wide`."""
    for i in range(wide.shape[1]):
        for j in range(wide.shape[0]):
            wide[j, i] = block[i, j]


@compiled
def column_wide(block: Array, logs: bool, wide: Array) -> None:
    """The second of two classes as both."""
    one, zero = wide.dtype.type(1), wide.dtype.type(0)
    for i in range(wide.shape[1]):
        wide[1, i] = block[i]
        wide[0, i] = zero if logs else one - wide[1, i]


@compiled
def _find_largest(rows: Array, top: Array, largest: Array) -> None:
    for i in range(top.shape[0]):
        largest[i] = rows[0, i]
        top[i] = 0
    for j in range(1, rows.shape[0]):
        row = rows[j]
        for i in range(top.shape[0]):
            higher = row[i] > largest[i]
            top[i] = np.int32(j) if higher else top[i]
            largest[i] = row[i] if higher else largest[i]


@compiled
def centre(wide: Array, logs: bool, z: Array, v: Array, top: Array, largest: Array, log_largest: Array) -> None:
    """As ladder_numpy.centre, of what `rows_wide` or `column_wide` made."""
    rows = top.shape[0]
    tiny, zero, far = wide.dtype.type(1e-30), wide.dtype.type(0), wide.dtype.type(NEAR_LOWEST)
    _find_largest(wide, top, largest)
    for i in range(rows):
        log_largest[i] = NOTHING if logs else _log(largest[i])
    for j in range(wide.shape[0]):
        column, below, share = wide[j], z[j], v[j]
        if logs:
            for i in range(rows):
                gap = column[i] - largest[i]
                near = NEAR_LOWEST if gap < far else np.float32(gap)
                below[i] = LOWEST if column[i] == -np.inf else near
            for i in range(rows):
                share[i] = _exp(below[i])
        else:
            for i in range(rows):
                quotient = column[i] / largest[i]
                share[i] = np.float32(zero if quotient < tiny else quotient)
            for i in range(rows):
                y = _log(column[i])
                below[i] = LOWEST if y <= LOWEST else y - log_largest[i]


@inline
def _kept(x: Any) -> Any:
    return x if x > NEGLIGIBLE else NOTHING


@inline
def _roots(z: Any, v: Any, other: Any) -> Any:
    """As ladder_numpy.powers, before they are multiplied: v^(1/64), v^(1/32) … v^8."""
    a = _exp(z * SIXTYFOURTH)
    a = a if other else NOTHING
    b = a * a
    d = _exp(z * EIGHTH)
    d = d if other else NOTHING
    e = _kept(d * d)
    g = _kept(v if other else NOTHING)
    h = _kept(g * g)
    i = _kept(h * h)
    return a, b, b * b, d, e, e * e, g, h, i, _kept(i * i)


@compiled
def _add_two(sums: Array, z: Array, v: Array, next_z: Array, next_v: Array, top: Array, j: int, two: bool) -> None:
    """Add the powers of class j, and then of the next one if there are two, to sums (TEMPERATURES · WIDTH,).

    Two at a time, as most of the work is to load and store the sums.
    """
    for i in range(top.shape[0]):
        a, b, c, d, e, f, g, h, k, m = _roots(z[i], v[i], top[i] != j)
        p, q, r, s, t, u, w, x, y, n = _roots(next_z[i], next_v[i], two & (top[i] != j + 1))
        sums[i] = (sums[i] + c) + r
        sums[i + 16] = (sums[i + 16] + c * a) + r * p
        sums[i + 32] = (sums[i + 32] + c * b) + r * q
        sums[i + 48] = (sums[i + 48] + (c * b) * a) + (r * q) * p
        sums[i + 64] = (sums[i + 64] + d) + s
        sums[i + 80] = (sums[i + 80] + d * b) + s * q
        sums[i + 96] = (sums[i + 96] + d * c) + s * r
        sums[i + 112] = (sums[i + 112] + (d * c) * b) + (s * r) * q
        sums[i + 128] = (sums[i + 128] + e) + t
        sums[i + 144] = (sums[i + 144] + e * c) + t * r
        sums[i + 160] = (sums[i + 160] + e * d) + t * s
        sums[i + 176] = (sums[i + 176] + (e * d) * c) + (t * s) * r
        sums[i + 192] = (sums[i + 192] + f) + u
        sums[i + 208] = (sums[i + 208] + f * d) + u * s
        sums[i + 224] = (sums[i + 224] + f * e) + u * t
        sums[i + 240] = (sums[i + 240] + (f * e) * d) + (u * t) * s
        sums[i + 256] = (sums[i + 256] + g) + w
        sums[i + 272] = (sums[i + 272] + g * e) + w * t
        sums[i + 288] = (sums[i + 288] + g * f) + w * u
        sums[i + 304] = (sums[i + 304] + (g * f) * e) + (w * u) * t
        sums[i + 320] = (sums[i + 320] + h) + x
        sums[i + 336] = (sums[i + 336] + h * f) + x * u
        sums[i + 352] = (sums[i + 352] + h * g) + x * w
        sums[i + 368] = (sums[i + 368] + (h * g) * f) + (x * w) * u
        sums[i + 384] = (sums[i + 384] + k) + y
        sums[i + 400] = (sums[i + 400] + k * g) + y * w
        sums[i + 416] = (sums[i + 416] + k * h) + y * x
        sums[i + 432] = (sums[i + 432] + (k * h) * g) + (y * x) * w
        sums[i + 448] = (sums[i + 448] + m) + n
        sums[i + 464] = (sums[i + 464] + m * h) + n * x
        sums[i + 480] = (sums[i + 480] + m * k) + n * y
        sums[i + 496] = (sums[i + 496] + (m * k) * h) + (n * y) * x
        sums[i + 512] = (sums[i + 512] + m * m) + n * n


@compiled
def temper(
    z: Array, v: Array, top: Array, skip: Array, any_skip: bool, sums: Array, totals: Array, grid: Array
) -> None:
    """Add log Σ_j exp(β·z_j) of all rows but those to `skip`, cut as in `fixed_sums`, to grid (TEMPERATURES,).

    sums and totals, float32 and float64, are scratch of TEMPERATURES · WIDTH numbers.
    """
    classes, rows = z.shape
    for start in range(0, rows, WIDTH):
        stop = min(start + WIDTH, rows)
        own, left_out = top[start:stop], skip[start:stop]
        totals[:] = 0.0
        for first in range(0, classes, SUMMED):
            last = min(first + SUMMED, classes)
            sums[:] = NOTHING
            for j in range(first, last, 2):
                two = j + 1 < last
                k = j + 1 if two else j
                _add_two(sums, z[j, start:stop], v[j, start:stop], z[k, start:stop], v[k, start:stop], own, j, two)
            if classes > SUMMED:
                for i in range(sums.shape[0]):
                    totals[i] += np.float64(sums[i])
        if classes > SUMMED:
            for i in range(sums.shape[0]):
                sums[i] = np.float32(totals[i])
        for i in range(sums.shape[0]):
            sums[i] = log1p(sums[i])
        for node in range(TEMPERATURES):
            total = np.int64(0)
            if any_skip:
                for i in range(stop - start):
                    sums[node * WIDTH + i] = NOTHING if left_out[i] else sums[node * WIDTH + i]
            for i in range(stop - start):
                total += np.int64(np.float64(sums[node * WIDTH + i]) * FIXED)
            grid[node] += total


@compiled
def cured(z: Array, beta: Any, offsets: Array, w: Array, v: Array, top: Array, largest: Array) -> None:
    """As ladder_numpy.cured."""
    rows = top.shape[0]
    for j in range(z.shape[0]):
        row, given, offset = w[j], z[j], offsets[j]
        for i in range(rows):
            row[i] = given[i] * beta + offset
    _find_largest(w, top, largest)
    for j in range(z.shape[0]):
        row, share = w[j], v[j]
        for i in range(rows):
            y = row[i] - largest[i]
            y = LOWEST if y < LOWEST else y
            row[i] = y
            share[i] = _exp(y)


@compiled
def rest_of(v: Array, top: Array, rest: Array) -> None:
    """As ladder_numpy.rest_of."""
    for i in range(top.shape[0]):
        rest[i] = NOTHING
    for j in range(v.shape[0]):
        share = v[j]
        for i in range(top.shape[0]):
            rest[i] += NOTHING if top[i] == j else share[i]


@compiled
def moments(z: Array, v: Array, rest: Array, largest: Array, out: Array) -> None:
    """As ladder_numpy.moments."""
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
    at = 3 + 2 * classes
    for j in range(classes):
        for k in range(j + 1, classes):
            product, one, other = out[at], out[3 + j], out[3 + k]
            for i in range(rows):
                product[i] = one[i] * other[i]
            at += 1


@compiled
def fixed_sums(values: Array, sums: Array) -> None:
    """As ladder_numpy.fixed_sums."""
    for k in range(values.shape[0]):
        row = values[k]
        total = np.int64(0)
        for i in range(row.shape[0]):
            total += np.int64(np.float64(row[i]) * FIXED)
        sums[k] += total
