"""A linear layer's logits a tile at a time, made, used and forgotten while they are in the cache.

A tile is CLASSES high and as wide as there are rows side by side, a multiple of COLUMNS: rows that there are not have
zeros for features and a scale of 0. Operands are packed as `panels_numba` has them.
"""

from typing import Any

import numpy as np

from xent.kernels.panels_numba import (
    COLUMNS,
    ROWS,
    joined,
    multiply,
    numbers_of_a_step,
    pack_columns,
    pack_rows,
    pairs_available,
    shortened,
)
from xent.kernels.scalars_numba import exp, narrowed, widened
from xent.kernels.softmax_numba import loop

__all__ = [
    "CLASSES",
    "COLUMNS",
    "HEIGHT",
    "ROWS",
    "WIDE",
    "add_rows",
    "fold",
    "gather",
    "multiply",
    "pack_columns",
    "pack_rows",
    "pairs_available",
    "slopes",
    "store",
    "widen",
]

Array = Any
CLASSES = 480  # a multiple of ROWS and of COLUMNS
HEIGHT = 240  # classes whose logits are in memory at a time, likewise: with the weight they fit a core's cache
WIDE = 384  # rows whose logits are, at most: a tile of theirs fits the cache
NONE: Any = np.int64(0)  # not literals, for which `multiply` would be compiled once more
ONE: Any = np.int64(1)
PART = 60  # classes summed in float32 before the sum goes to float64


@loop
def fold(
    left: Array,
    right: Array,
    steps: int,
    bias: Array,
    labels: Array,
    first: int,
    tile: Array,
    lanes: Array,
    peak: Array,
    tail: Array,
    label_logit: Array,
) -> None:
    """Merge the tiles of the classes from `first` on into each row's peak and tail, and note the label's logit.

    `lanes` is memory for three numbers a row. NaN among the logits need not stay in the peak: it stays in the tail.
    """
    wide, zero, one = peak.shape[0], peak.dtype.type(0), peak.dtype.type(1)
    top, below, equal = lanes[:wide], lanes[wide : 2 * wide], lanes[2 * wide : 3 * wide]
    for behind in range(0, bias.shape[0], HEIGHT):
        shifts = bias[behind : behind + HEIGHT]
        classes = shifts.shape[0]
        multiply(left[behind * steps :], steps, ONE, right, steps, tile, wide, classes, wide, NONE)
        for i in range(wide):
            top[i] = peak[i]
        for j in range(classes):
            row, shift = tile[j * wide : (j + 1) * wide], shifts[j]
            for i in range(wide):
                z = row[i] + shift
                top[i] = top[i] if top[i] > z else z
        for i in range(wide):
            rises = top[i] > peak[i]
            rest = (tail[i] + 1.0) * exp(np.float64(peak[i]) - np.float64(top[i]))
            tail[i] = rest if rises else tail[i]
            equal[i] = -one if rises else zero  # a peak's own 1 stays out of the tail, which may be far below it
            below[i] = zero
        if classes % 2 == 1:
            tile[classes * wide : (classes + 1) * wide] = -np.inf
        for start in range(0, classes, PART):
            for j in range(start, min(start + PART, classes), 2):  # by two: what is summed is stored half as often
                row, shift = tile[j * wide : (j + 1) * wide], shifts[j]
                next_row, next_shift = tile[(j + 1) * wide : (j + 2) * wide], shifts[min(j + 1, classes - 1)]
                for i in range(wide):
                    z, next_z = row[i] + shift, next_row[i] + next_shift
                    term, next_term = exp(z - top[i]), exp(next_z - top[i])
                    below[i] += (zero if z == top[i] else term) + (zero if next_z == top[i] else next_term)
                    equal[i] += (one if z == top[i] else zero) + (one if next_z == top[i] else zero)
            for i in range(wide):
                tail[i] += np.float64(below[i])
                below[i] = zero
        for i in range(wide):
            peak[i] = top[i]
            tail[i] += 0.0 if top[i] == -np.inf else np.float64(equal[i])
        for i in range(labels.shape[0]):
            y = labels[i] - first - behind
            if 0 <= y < classes:
                label_logit[i] = tile[y * wide + i] + shifts[y]


@loop
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

    `found` gets it by classes, `line` numbers apart: the left operand of the weight's gradient. `turned` is memory for it
    by steps of as many classes as there are numbers in one: the left operand of the gradient of the features, whose right
    one `weight` is. `features` may be empty.
    """
    wide, classes, zero = peak.shape[0], bias.shape[0], peak.dtype.type(0)
    numbers = numbers_of_a_step(turned)
    for behind in range(0, classes, HEIGHT):
        some = min(HEIGHT, classes - behind)
        multiply(left[behind * steps :], steps, ONE, right, steps, tile, wide, some, wide, NONE)
        if some % numbers > 0:
            tile[some * wide : (some + 1) * wide] = -np.inf
        for j in range(0, some, numbers):
            last, at = j + numbers - 1, (behind + j) // numbers * wide
            row, next_row = tile[j * wide : (j + 1) * wide], tile[last * wide : (last + 1) * wide]
            shift, next_shift = bias[behind + j], bias[min(behind + last, classes - 1)]
            low, high = found[(behind + j) * line :][:wide], found[(behind + last) * line :][:wide]
            to = turned[at : at + wide]
            if numbers == 1:
                for i in range(wide):
                    slope = scale[i] * exp((row[i] + shift) - peak[i])
                    low[i] = to[i] = shortened(zero if scale[i] == zero else slope, low[i])
                continue
            for i in range(wide):
                term, next_term = exp((row[i] + shift) - peak[i]), exp((next_row[i] + next_shift) - peak[i])
                slope = shortened(zero if scale[i] == zero else scale[i] * term, low[i])
                next_slope = shortened(zero if scale[i] == zero else scale[i] * next_term, low[i])
                low[i], high[i], to[i] = slope, next_slope, joined(slope, next_slope, to[i])
    for i in range(labels.shape[0]):
        y = labels[i] - first
        if 0 <= y < classes:
            found[y * line + i] = 0
            j = y // numbers * numbers
            slope, next_slope = found[j * line + i], found[(j + numbers - 1) * line + i]
            turned[y // numbers * wide + i] = joined(slope, next_slope, turned[0])
    if features.shape[0] > 0:
        count = -(-classes // numbers)
        multiply(turned, ONE, wide, weight, count, features, dim, labels.shape[0], dim, ONE)


@loop
def add_rows(out: Array, to: Array, times: Array, rows: Array, step: int, taken: Array) -> None:
    """out[to[i]] += times[i]·rows[taken[i]]."""
    for i in range(to.shape[0]):
        row, line = rows[taken[i] * step : taken[i] * step + out.shape[1]], out[to[i]]
        for j in range(row.shape[0]):
            line[j] += times[i] * widened(row[j])


@loop
def gather(
    left: Array,
    line: int,
    right: Array,
    steps: int,
    memory: Array,
    kept: int,
    labels: Array,
    rows: Array,
    first: int,
    entry: Array,
    features: Array,
    dim: int,
    out: Array,
) -> None:
    """left·right for the classes from `first` on, added to what is in out if `kept` is 1, and what comes of the labels.

    `labels` is in order, `rows` whose they are, `entry` what each counts. `memory` is for HEIGHT classes, or out itself.
    """
    own = memory.ctypes.data != out.ctypes.data
    for behind in range(0, out.shape[0] // dim, HEIGHT):
        to, sums = out[behind * dim : (behind + HEIGHT) * dim], memory[0 if own else behind * dim :]
        classes, here = to.shape[0] // dim, first + behind
        multiply(left[behind * line :], line, ONE, right, steps, sums, dim, classes, dim, kept)
        for i in range(np.searchsorted(labels, here), np.searchsorted(labels, here + classes)):
            times, row = entry[rows[i]], features[rows[i] * dim : (rows[i] + 1) * dim]
            line_of_class = sums[(labels[i] - here) * dim : (labels[i] - here + 1) * dim]
            for j in range(dim):
                line_of_class[j] += times * widened(row[j])
        if own:
            for i in range(classes * dim):
                to[i] = narrowed(sums[i], to[i])


@loop
def store(numbers: Array, out: Array) -> None:
    """Round numbers to the dtype of where they are to be."""
    for i in range(numbers.shape[0]):
        for j in range(numbers.shape[1]):
            out[i, j] = narrowed(numbers[i, j], out[i, j])


@loop
def widen(numbers: Array, out: Array) -> None:
    """16-bit floats as float32."""
    for i in range(numbers.shape[0]):
        out[i] = widened(numbers[i])
