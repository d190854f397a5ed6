"""Losses at many temperatures, compiled: `ladder_numpy.temper` and its sums at once. No fastmath, as in `ladder_numba`."""

from typing import Any

import numpy as np

from xent.kernels.elementary_numba import compiled
from xent.kernels.ladder_numba import FIXED, exp, inline, log1p
from xent.kernels.ladder_numpy import EIGHTH, NEGLIGIBLE, NOTHING, SIXTYFOURTH, SUMMED, TEMPERATURES

__all__ = ["WIDTH", "temper"]

Array = Any
WIDTH = 16  # rows taken at a time: all their sums stay in the first-level cache


@inline
def _kept(x: Any) -> Any:
    return x if x > NEGLIGIBLE else NOTHING


@inline
def _roots(z: Any, v: Any, other: Any) -> Any:
    """As ladder_numpy.powers, before they are multiplied: v^(1/64), v^(1/32) … v^8."""
    a = exp(z * SIXTYFOURTH)
    a = a if other else NOTHING
    b = a * a
    d = exp(z * EIGHTH)
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
