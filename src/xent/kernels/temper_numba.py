"""Losses at many temperatures, compiled: `ladder_numpy.temper` and its sums at once. No fastmath, as in `ladder_numba`."""

from typing import Any

import numpy as np

from xent.kernels.elementary_numba import compiled
from xent.kernels.ladder_numba import FIXED, exp, inline, log1p
from xent.kernels.ladder_numpy import EIGHTH, NEGLIGIBLE, NOTHING, SIXTYFOURTH, SUMMED, TEMPERATURES
from xent.kernels.tiles_numba import ROOTS, SPAN, add_powers

__all__ = ["ROOTS", "SPAN", "WIDTH", "temper"]

Array = Any
WIDTH = 16  # rows taken at a time: a vector of them


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
def _find_roots(z: Array, v: Array, top: Array, j: int, roots: Array) -> None:
    """Of class j, into roots (ROOTS · SPAN,)."""
    for i in range(top.shape[0]):
        a, b, c, d, e, f, g, h, k, m = _roots(z[i], v[i], top[i] != j)
        roots[i] = a
        roots[i + 128] = b
        roots[i + 256] = c
        roots[i + 384] = d
        roots[i + 512] = e
        roots[i + 640] = f
        roots[i + 768] = g
        roots[i + 896] = h
        roots[i + 1024] = k
        roots[i + 1152] = m


@compiled
def temper(
    z: Array,
    v: Array,
    top: Array,
    skip: Array,
    any_skip: bool,
    roots: Array,
    sums: Array,
    totals: Array,
    whole: Array,
    grid: Array,
) -> None:
    """Add log Σ_j exp(β·z_j) of all rows but those to `skip`, cut as in `fixed_sums`, to grid (TEMPERATURES,).

    roots, (SUMMED, ROOTS · SPAN) or fewer classes, and sums, totals (SPAN / WIDTH of them) and whole, float32, float64
    and int64, of TEMPERATURES · WIDTH numbers, are scratch.
    """
    classes, rows = z.shape
    size = TEMPERATURES * WIDTH
    for k in range(size):
        whole[k] = 0
    for begin in range(0, rows, SPAN):
        end = min(begin + SPAN, rows)
        for first in range(0, classes, SUMMED):
            last = min(first + SUMMED, classes)
            for j in range(first, last):
                _find_roots(z[j, begin:end], v[j, begin:end], top[begin:end], j, roots[j - first])
            for start in range(0, end - begin, WIDTH):
                if classes > SUMMED:
                    add_powers(roots, last - first, start, sums)
                    part = totals[start // WIDTH]
                    for k in range(size):
                        part[k] = np.float64(sums[k]) + (part[k] if first else 0.0)
        for start in range(begin, end, WIDTH):
            if classes > SUMMED:
                part = totals[(start - begin) // WIDTH]
                for k in range(size):
                    sums[k] = np.float32(part[k])
            else:
                add_powers(roots, classes, start - begin, sums)
            for k in range(size):
                sums[k] = log1p(sums[k])
            if any_skip or end - start < WIDTH:
                _leave_out(skip[start : min(start + WIDTH, end)], sums)
            for k in range(size):
                whole[k] += np.int64(np.float64(sums[k]) * FIXED)
    for node in range(TEMPERATURES):
        total = np.int64(0)
        for i in range(WIDTH):
            total += whole[node * WIDTH + i]
        grid[node] += total


@compiled
def _leave_out(skip: Array, sums: Array) -> None:
    """Rows to skip, and those that are none."""
    for node in range(TEMPERATURES):
        for i in range(WIDTH):
            if i >= skip.shape[0] or skip[i]:
                sums[node * WIDTH + i] = NOTHING
