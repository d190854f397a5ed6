"""Losses at several temperatures, compiled: `temper_numpy.temper` and its sums at once. No fastmath, as in `ladder_numba`."""

from typing import Any

import numpy as np

from xent.kernels import temper_numpy as spec
from xent.kernels.elementary_numba import compiled
from xent.kernels.ladder_numba import exp, halves, inline, joined, log1p
from xent.kernels.ladder_numpy import NOTHING
from xent.kernels.temper_numpy import BETAS, BETWEEN, FEW, SIXTEENTH, SUMMED, TEMPERED
from xent.kernels.tiles_numba import add_powers

__all__ = ["WIDTH", "temper"]

Array = Any
WIDTH = 16  # rows taken at a time: a vector of them
BETA_OF = np.repeat(np.array(BETAS, np.float32), WIDTH)
cumulants = inline(spec.cumulants)


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
    """Add what temper_numpy.temper gives of all rows but those to `skip`, rounded as in `fixed_sums`, to grid.

    Behind z, v, roots and top lie WIDTH numbers more, whatever they are. z and v of many classes are changed. roots, like
    z, and sums, totals and whole (2, ·), float32, float64 and int32, of TEMPERED · WIDTH numbers, are scratch.
    """
    _temper(z, v, top, skip, any_skip, roots, sums, totals, whole, grid)
    if z.shape[0] > FEW:
        for j in range(z.shape[0]):
            logit, power = z[j], v[j]
            for i in range(z.shape[1]):
                logit[i] *= BETWEEN
                power[i] = exp(logit[i])
        _temper(z, v, top, skip, any_skip, roots, sums, totals, whole, grid[TEMPERED:])


@compiled
def _temper(
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
    classes, rows = z.shape
    size = TEMPERED * WIDTH
    for j in range(classes):
        given, root = z[j], roots[j]
        for i in range(rows):
            root[i] = exp(given[i] * SIXTEENTH)
    coarse, fine = whole[0], whole[1]
    for k in range(size):
        coarse[k] = fine[k] = 0
    for start in range(0, rows, WIDTH):
        add_powers(z, v, roots, top, start, 0, min(classes, SUMMED), sums)
        if classes > SUMMED:
            for k in range(size):
                totals[k] = np.float64(sums[k])
            for first in range(SUMMED, classes, SUMMED):
                add_powers(z, v, roots, top, start, first, min(first + SUMMED, classes), sums)
                for k in range(size):
                    totals[k] += np.float64(sums[k])
            for k in range(size):
                sums[k] = np.float32(totals[k])
        _finish(sums)
        if any_skip or rows - start < WIDTH:
            _leave_out(skip[start : min(start + WIDTH, rows)], sums)
        for k in range(size):
            more, rest = halves(sums[k])
            coarse[k] += more
            fine[k] += rest
    blocks = (rows + WIDTH - 1) // WIDTH
    for number in range(TEMPERED):
        total = np.int64(0)
        for i in range(WIDTH):
            total += joined(coarse[number * WIDTH + i], fine[number * WIDTH + i], blocks)
        grid[number] += total


@compiled
def _finish(sums: Array) -> None:
    """Sums become logarithms and cumulants."""
    size = BETA_OF.shape[0]
    for k in range(size):
        given = sums[k]
        sums[k + size], sums[k + 2 * size], sums[k + 3 * size] = cumulants(
            given, sums[k + size], sums[k + 2 * size], sums[k + 3 * size], BETA_OF[k]
        )
        sums[k] = log1p(given)


@compiled
def _leave_out(skip: Array, sums: Array) -> None:
    """Rows to skip, and those that are none."""
    for number in range(TEMPERED):
        for i in range(WIDTH):
            if i >= skip.shape[0] or skip[i]:
                sums[number * WIDTH + i] = NOTHING
