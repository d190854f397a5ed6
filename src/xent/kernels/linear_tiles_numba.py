"""A linear layer's logits a tile at a time, made, used and forgotten while they are in the cache.

A tile is CLASSES high and as wide as there are rows side by side, a multiple of COLUMNS: rows that there are not have
zeros for features and a scale of 0. Operands are packed as `panels_numba` has them.
"""

import math
from typing import Any

import numba
import numpy as np

from xent.kernels.panels_numba import multiply, pack_columns, pack_rows, product
from xent.kernels.registers_numba import COLUMNS, ROWS, at, join, numbers_of_a_step, pairs_available, shortened
from xent.kernels.scalars_numba import exp, exp_or_0, narrowed, widened
from xent.kernels.softmax_numba import loop

__all__ = [
    "CLASSES",
    "COLUMNS",
    "HEIGHT",
    "ROWS",
    "WIDE",
    "add_products",
    "add_rows",
    "fold",
    "gather",
    "into_slopes",
    "multiply",
    "pack_columns",
    "pack_rows",
    "pairs_available",
    "slopes",
    "widen",
]

Array = Any
CLASSES = 480  # a multiple of ROWS and of COLUMNS
HEIGHT = 240  # classes whose logits are in memory at a time, likewise: with the weight they fit a core's cache
WIDE = 384  # rows whose logits are, at most: a tile of theirs fits the cache
NONE: Any = np.int64(0)  # not literals, for which `product` would be compiled once more
ONE: Any = np.int64(1)
PART = 60  # classes summed in float32 before the sum goes to float64
GATHERED = 60  # classes whose gradient is finished while its sums are in the cache: a multiple of ROWS
IMPOSSIBLE: Any = np.float32(-np.inf)

# Sums in the order in which they are written: no bit depends on the one that LLVM prefers.
in_order = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"nsz", "contract"})


@in_order
def fold(
    left: Array,
    right: Array,
    steps: int,
    bias: Array,
    labels: Array,
    first: int,
    tile: Array,
    line: int,
    further: int,
    lanes: Array,
    peak: Array,
    tail: Array,
    label_logit: Array,
) -> None:
    """Merge the tiles of the classes from `first` on into each row's peak and tail, and note the label's logit.

    In `tile` logits are left, without bias: `line` from one class to the next, `further` from HEIGHT of them to the
    next, 0 to forget them. `lanes` is memory for three numbers a row. NaN among the logits need not stay in the peak:
    it stays in the tail.
    """
    wide, zero, one = peak.shape[0], peak.dtype.type(0), peak.dtype.type(1)
    before, below, equal = at(lanes, 0), at(lanes, wide), at(lanes, 2 * wide)
    for behind in range(0, bias.shape[0], HEIGHT):
        shifts, classes = at(bias, behind), min(HEIGHT, bias.shape[0] - behind)
        logits = at(tile, behind // HEIGHT * further)
        product(at(left, behind * steps), steps, ONE, at(right, 0), steps, logits, line, classes, wide, NONE)
        for i in range(wide):
            before[i] = peak[i]
        for j in range(classes):
            row, shift = at(logits, j * line), shifts[j]
            for i in range(wide):
                z = row[i] + shift
                peak[i] = peak[i] if peak[i] > z else z
        for i in range(wide):
            rises = peak[i] > before[i]
            if rises:  # seldom: no vectors of float64, which take long to compile
                tail[i] = (tail[i] + 1.0) * math.exp(np.float64(before[i]) - np.float64(peak[i]))
            equal[i] = -one if rises else zero  # a peak's own 1 stays out of the tail, which may be far below it
            below[i] = zero
        for j in range(0, classes, 2):  # by two: what is summed is stored half as often
            beside = 1 if j + 1 < classes else 0
            row, next_row = at(logits, j * line), at(logits, (j + beside) * line)
            shift, next_shift = shifts[j], shifts[j + 1] if beside == 1 else IMPOSSIBLE
            for i in range(wide):
                z, next_z = row[i] + shift, next_row[i] + next_shift
                term, next_term = exp(z - peak[i]), exp(next_z - peak[i])
                below[i] = (below[i] + (zero if z == peak[i] else term)) + (zero if next_z == peak[i] else next_term)
                equal[i] += (one if z == peak[i] else zero) + (one if next_z == peak[i] else zero)
            if (j + 2) % PART == 0 or j + 2 >= classes:
                for i in range(wide):
                    tail[i] += np.float64(below[i])
                    below[i] = zero
        for i in range(wide):
            tail[i] += 0.0 if peak[i] == -np.inf else np.float64(equal[i])
        for i in range(labels.shape[0]):
            y = labels[i] - first - behind
            if 0 <= y < classes:
                label_logit[i] = logits[y * line + i] + shifts[y]


@in_order
def slopes(
    left: Array,
    right: Array,
    steps: int,
    bias: Array,
    labels: Array,
    first: int,
    tile: Array,
    peak: Array,
    scale: Array,
    found: Array,
    line: int,
    turned: Array,
    weight: Array,
    features: Array,
    dim: int,
) -> None:
    """scale·exp(z − peak), 0 at the label, of the tile of the classes from `first` on; what it adds to `features`.

    The peak of rows whose scale is 0 is infinite, whatever their logits are.
    `found` gets it by classes, `line` numbers apart: the left operand of the weight's gradient. `turned` is memory for it
    by steps of as many classes as there are numbers in one: the left operand of the gradient of the features, whose right
    one `weight` is. `features` may be empty.
    """
    wide, classes = peak.shape[0], bias.shape[0]
    numbers = numbers_of_a_step(turned)
    for behind in range(0, classes, HEIGHT):
        last = min(behind + HEIGHT, classes)
        product(at(left, behind * steps), steps, ONE, at(right, 0), steps, at(tile, 0), wide, last - behind, wide, NONE)
        for j in range(behind, last, 2):
            beside = 1 if j + 1 < last else 0
            row, next_row = at(tile, (j - behind) * wide), at(tile, (j - behind + beside) * wide)
            shift, next_shift = bias[j], bias[j + 1] if beside == 1 else IMPOSSIBLE
            low, high = at(found, j * line), at(found, (j + 1) * line)
            to = at(turned, j // numbers * wide)
            for i in range(wide):
                term = exp_or_0((row[i] + shift) - peak[i], low[i])
                next_term = exp_or_0((next_row[i] + next_shift) - peak[i], low[i])
                slope, next_slope = shortened(scale[i] * term, low), shortened(scale[i] * next_term, low)
                low[i], high[i] = slope, next_slope
                join(to, i, wide, slope, next_slope)
    for i in range(labels.shape[0]):
        y = labels[i] - first
        if 0 <= y < classes:
            found[y * line + i] = 0
            j = y // 2 * 2
            join(at(turned, j // numbers * wide), i, wide, found[j * line + i], found[(j + 1) * line + i])
    if features.shape[0] > 0:
        count = (classes + numbers - 1) // numbers
        product(at(turned, 0), ONE, wide, at(weight, 0), count, at(features, 0), dim, labels.shape[0], dim, ONE)


@in_order
def into_slopes(
    logits: Array, line: int, bias: Array, labels: Array, first: int, peak: Array, scale: Array, entry: Array
) -> None:
    """The same slopes, but `entry` at the label, in the place of float32 logits that `fold` has left."""
    for j in range(bias.shape[0]):
        row, shift = at(logits, j * line), bias[j]
        for i in range(peak.shape[0]):
            term = exp_or_0((row[i] + shift) - peak[i], row[i])
            row[i] = scale[i] * term
    for i in range(labels.shape[0]):
        y = labels[i] - first
        if 0 <= y < bias.shape[0]:
            logits[y * line + i] = entry[i]


@loop
def gather(
    left: Array,
    line: int,
    right: Array,
    steps: int,
    dim: int,
    labels: Array,
    first: int,
    entry: Array,
    features: Array,
    order: Array,
    begin: int,
    sums: Array,
    kept: int,
    out: Array,
) -> None:
    """The weight's gradient of the classes from `first` on: left·right, and entry[i]·features[order[i]] for `labels`, sorted.

    `begin` is the first label of these classes. `sums` is `out`, to be added to if `kept` is 1, or memory for GATHERED
    classes, which are rounded into `out`.
    """
    rounded, classes, i = sums.itemsize != out.itemsize, out.shape[0] // dim, begin
    for behind in range(0, classes, GATHERED):
        count = min(GATHERED, classes - behind)
        to = at(sums, 0 if rounded else behind * dim)
        product(at(left, behind * line), line, ONE, at(right, 0), steps, to, dim, count, dim, kept)
        while i < labels.shape[0] and labels[i] < first + behind + count:
            row, sum_of = at(features, order[i] * dim), at(to, (labels[i] - first - behind) * dim)
            for j in range(dim):
                sum_of[j] += entry[i] * widened(row[j])
            i += 1
        if rounded:
            here = at(out, behind * dim)
            for j in range(count * dim):
                here[j] = narrowed(to[j], out[0])


@loop
def add_products(
    slopes: Array, line: int, weight: Array, dim: int, first: int, last: int, packed: Array, features: Array, rows: int
) -> None:
    """Add slopesᵀ·weight to some rows of `features`, in the columns from `first` to `last`; `packed` is memory."""
    classes = weight.shape[0] // dim
    for behind in range(0, classes, HEIGHT):
        count = min(HEIGHT, classes - behind)
        pack_columns(weight[behind * dim + first :], dim, last - first, count, packed)
        left, to = at(slopes, behind * line), at(features, first)
        product(left, ONE, line, at(packed, 0), count, to, dim, rows, last - first, ONE)


@loop
def add_rows(out: Array, dim: int, times: Array, rows: Array, taken: Array) -> None:
    """Add times[i]·rows[taken[i]] to row i of out; rows have `dim` numbers."""
    for i in range(taken.shape[0]):
        row, sum_of = at(rows, taken[i] * dim), at(out, i * dim)
        for j in range(dim):
            sum_of[j] += times[i] * widened(row[j])


@loop
def widen(numbers: Array, out: Array) -> None:
    """16-bit floats as float32."""
    for i in range(numbers.shape[0]):
        out[i] = widened(numbers[i])
