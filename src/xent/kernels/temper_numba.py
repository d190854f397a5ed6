"""Losses at several temperatures, compiled: `temper_numpy.temper` and its sums at once. No fastmath, as in `ladder_numba`.

Sums are of halves, by the lanes of a vector, until `count_up` adds up the lanes.
"""

from typing import Any

import numpy as np

from xent.kernels import temper_numpy as spec
from xent.kernels.elementary_numba import compiled
from xent.kernels.ladder_numba import exp, exp_or_tiny, halves, inline, joined, log1p
from xent.kernels.ladder_numpy import NOTHING
from xent.kernels.temper_numpy import BETAS, BETWEEN, FEW, SIXTEENTH, SUMMED, TEMPERED
from xent.kernels.tiles_numba import SPAN, WIDTH, add_powers

__all__ = ["SPAN", "WIDTH", "count_up", "empty", "temper"]

Array = Any
BETA_OF = np.repeat(np.array(BETAS, np.float32), SPAN)
cumulants = inline(spec.cumulants)


@compiled
def empty(lanes: Array) -> None:
    """Begin to count."""
    for half in range(2):
        for k in range(lanes.shape[1]):
            lanes[half, k] = 0


@compiled
def count_up(lanes: Array, blocks: int, rows: int, grid: Array) -> None:
    """Add what is in the lanes, of so many blocks of so many rows, to grid, and begin again.

    A lane holds 512 numbers, as many as may all be rounded the same way.
    """
    count = blocks * ((rows + SPAN - 1) // SPAN * SPAN // WIDTH)
    for number in range(grid.shape[0]):
        total = np.int64(0)
        for k in range(number * WIDTH, (number + 1) * WIDTH):
            total += joined(lanes[0, k], lanes[1, k], count)
            lanes[0, k] = lanes[1, k] = 0
        grid[number] += total


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
    lanes: Array,
) -> None:
    """Add what temper_numpy.temper gives of all rows but those to `skip`, rounded as in `fixed_sums`, to the lanes.

    Behind z, v, roots and top lie WIDTH numbers more, whatever they are. z and v of many classes are changed. lanes:
    (2, tempered(classes) · WIDTH), int32. roots, like z, and sums and totals, float32 and float64, of TEMPERED · SPAN
    numbers, are scratch.
    """
    _temper(z, v, top, skip, any_skip, roots, sums, totals, lanes[0], lanes[1])
    if z.shape[0] > FEW:
        for j in range(z.shape[0]):
            logit, power = z[j], v[j]
            for i in range(z.shape[1]):
                logit[i] *= BETWEEN
                power[i] = exp(logit[i])
        half = TEMPERED * WIDTH
        _temper(z, v, top, skip, any_skip, roots, sums, totals, lanes[0, half:], lanes[1, half:])


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
    coarse: Array,
    fine: Array,
) -> None:
    classes, rows = z.shape
    size = TEMPERED * SPAN
    for j in range(classes):
        given, root = z[j], roots[j]
        for i in range(rows):
            root[i] = exp_or_tiny(given[i] * SIXTEENTH)  # what is tiny is NEGLIGIBLE
    for start in range(0, rows, SPAN):
        last = min(start + SPAN, rows)
        for row in range(start, last, WIDTH):
            add_powers(z, v, roots, top, row, 0, min(classes, SUMMED), sums[row - start :])
        if classes > SUMMED:
            for k in range(size):
                totals[k] = np.float64(sums[k])
            for first in range(SUMMED, classes, SUMMED):
                for row in range(start, last, WIDTH):
                    add_powers(z, v, roots, top, row, first, min(first + SUMMED, classes), sums[row - start :])
                for k in range(size):
                    totals[k] += np.float64(sums[k])
            for k in range(size):
                sums[k] = np.float32(totals[k])
        if any_skip or rows - start < SPAN:
            _leave_out(skip[start:last], sums)
        _finish(sums)
        _add_up(sums, coarse, fine)


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
def _add_up(values: Array, coarse: Array, fine: Array) -> None:
    """Add halves of SPAN rows, number by number."""
    for number in range(TEMPERED):
        first, at = number * SPAN, number * WIDTH
        for i in range(WIDTH):
            more, rest = halves(values[first + i])
            more_1, rest_1 = halves(values[first + i + WIDTH])
            more_2, rest_2 = halves(values[first + i + 2 * WIDTH])
            more_3, rest_3 = halves(values[first + i + 3 * WIDTH])
            coarse[at + i] += (more + more_1) + (more_2 + more_3)
            fine[at + i] += (rest + rest_1) + (rest_2 + rest_3)


@compiled
def _leave_out(skip: Array, sums: Array) -> None:
    """Rows to skip, and those that are none: where all sums are 0, so is what becomes of them."""
    for number in range(TEMPERED):
        for i in range(SPAN):
            if i >= skip.shape[0] or skip[i]:
                sums[number * SPAN + i] = NOTHING
