"""The kernels of `ladder_numpy` compiled: the same arguments, the same bits. No fastmath: it would reorder sums."""

from typing import Any

import numba
import numpy as np

from xent.kernels import ladder_numpy as spec
from xent.kernels.elementary_numba import compiled
from xent.kernels.ladder_numpy import (
    INVERSE_LN2,
    LN2_HIGH,
    LN2_LOW,
    LOWEST,
    NEAR_LOWEST,
    NEGLIGIBLE,
    NEGLIGIBLE_ROOT,
    NOTHING,
    NUMBER_ONE,
    ONE,
    QUARTER,
    ROUND,
    SQRT_HALF,
    SUBNORMAL,
    SUMMED,
    TEMPERATURES,
    UNDERFLOW,
)
from xent.kernels.scalars_numba import bits_of, float_of

__all__ = [
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
OFFSET, SHORT_OFFSET = np.int64(ONE - SQRT_HALF), np.int32(0x3F800000 - 0x3F3504F3)


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
    return log_parts(f, np.float32(k)) + (r - (u - NUMBER_ONE)) / u


@inline
def _log(v: Any) -> Any:
    bits = bits_of(v)
    k = ((bits + OFFSET) >> np.int64(52)) - np.int64(1023)
    f = np.float32(float_of(np.int64(bits - (k << np.int64(52)))) - 1.0)
    y = log_parts(f, np.float32(k))
    y = SUBNORMAL if k <= -1022 else y
    return LOWEST if v == 0.0 else y


@compiled
def rows_wide(block: Array, logs: bool, wide: Array) -> None:
    """(rows, classes) as (classes, rows) float64."""
    for i in range(wide.shape[1]):
        for j in range(wide.shape[0]):
            wide[j, i] = block[i, j]


@compiled
def column_wide(block: Array, logs: bool, wide: Array) -> None:
    """The second of two classes as both."""
    for i in range(wide.shape[1]):
        v = np.float64(block[i])
        wide[0, i] = 0.0 if logs else 1.0 - v
        wide[1, i] = v


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
    _find_largest(wide, top, largest)
    for i in range(rows):
        log_largest[i] = NOTHING if logs else _log(largest[i])
    for j in range(wide.shape[0]):
        column, below, share = wide[j], z[j], v[j]
        if logs:
            for i in range(rows):
                gap = column[i] - largest[i]
                near = NEAR_LOWEST if gap < -3999.0 else np.float32(gap)
                below[i] = LOWEST if column[i] == -np.inf else near
            for i in range(rows):
                share[i] = _exp(below[i])
        else:
            for i in range(rows):
                quotient = column[i] / largest[i]
                share[i] = np.float32(0.0 if quotient < 1e-30 else quotient)
            for i in range(rows):
                y = _log(column[i])
                below[i] = LOWEST if y <= LOWEST else y - log_largest[i]


@compiled
def _powers(z: Array, v: Array, top: Array, j: int, powers: Array) -> None:
    """v^β for β of 1/64, 1/32, … 16 into powers (11, rows)."""
    rows = z.shape[0]
    fourth = powers[4]
    for i in range(rows):
        y = _exp(z[i] * QUARTER)
        fourth[i] = NOTHING if top[i] == j else y
    for step in range(4):
        whole, root = powers[4 - step], powers[3 - step]
        for i in range(rows):
            root[i] = np.sqrt(whole[i])
    half, one = powers[5], powers[6]
    for i in range(rows):
        y = fourth[i] if fourth[i] > NEGLIGIBLE_ROOT else NOTHING
        fourth[i] = y
        half[i] = y * y
    for i in range(rows):
        y = v[i] if v[i] > NEGLIGIBLE else NOTHING
        one[i] = NOTHING if top[i] == j else y
    for step in range(4):
        whole, square = powers[6 + step], powers[7 + step]
        for i in range(rows):
            y = whole[i] * whole[i]
            square[i] = y if y > NEGLIGIBLE else NOTHING


@compiled
def _add_octave(quarter: Array, half: Array, whole: Array, a: Array, b: Array, c: Array, d: Array) -> None:
    for i in range(whole.shape[0]):
        v = whole[i]
        three_halves = v * half[i]
        a[i] += v
        b[i] += v * quarter[i]
        c[i] += three_halves
        d[i] += three_halves * quarter[i]


@compiled
def temper(z: Array, v: Array, top: Array, powers: Array, part: Array, totals: Array, out: Array) -> None:
    """As ladder_numpy.temper."""
    classes, rows = z.shape
    totals[:] = 0.0
    for first in range(0, classes, SUMMED):
        part[:] = NOTHING
        for j in range(first, min(first + SUMMED, classes)):
            _powers(z[j], v[j], top, j, powers)
            for o in range(8):
                _add_octave(
                    powers[o],
                    powers[o + 1],
                    powers[o + 2],
                    part[4 * o],
                    part[4 * o + 1],
                    part[4 * o + 2],
                    part[4 * o + 3],
                )
            last, most = part[32], powers[10]
            for i in range(rows):
                last[i] += most[i]
        for node in range(TEMPERATURES):
            total, more = totals[node], part[node]
            for i in range(rows):
                total[i] += np.float64(more[i])
    for node in range(TEMPERATURES):
        total, found = totals[node], out[node]
        for i in range(rows):
            found[i] = log1p(np.float32(total[i]))


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
            total += np.int64(np.float64(row[i]) * 4294967296.0)
        sums[k] += total
