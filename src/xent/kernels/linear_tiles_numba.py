"""A linear layer's logits a tile at a time, made, used and forgotten while they are in the cache.

A tile is CLASSES wide. Operands are packed as `panels_numba` has them, a tile's after the other's.
"""

import math
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
)
from xent.kernels.scalars_numba import exp, narrowed, ordered, unordered, widened
from xent.kernels.softmax_numba import loop

__all__ = [
    "CLASSES",
    "COLUMNS",
    "ROWS",
    "add_rows",
    "fold",
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
NONE: Any = np.int64(0)  # not literals, for which `multiply` would be compiled once more
ONE: Any = np.int64(1)
APART: Any = np.int64(CLASSES)


@loop
def fold(
    left: Array,
    line: int,
    right: Array,
    steps: int,
    bias: Array,
    labels: Array,
    first: int,
    tile: Array,
    peak: Array,
    tail: Array,
    label_logit: Array,
) -> None:
    """Merge the tiles of the classes from `first` on into each row's peak and tail, and note the label's logit."""
    rows, classes, zero, one = labels.shape[0], bias.shape[0], peak.dtype.type(0), peak.dtype.type(1)
    for start in range(0, classes, CLASSES):
        shift = bias[start : start + CLASSES]
        some = shift.shape[0]
        multiply(left, line, ONE, right[start * steps :], steps, tile, APART, rows, some, NONE)
        for i in range(rows):
            row, y, highest = tile[i * CLASSES : i * CLASSES + some], labels[i] - first - start, ordered(peak[i])
            before = highest
            for j in range(some):
                row[j] += shift[j]
                highest = max(highest, ordered(row[j]))
            top = unordered(highest, peak[i])
            if 0 <= y < some:
                label_logit[i] = row[y]
            if not (top > -np.inf and top < np.inf):
                peak[i] = top
                continue
            below, peaks = zero, zero  # counted in floats: integers of another size would keep the loop from vectors
            for j in range(some):
                below += zero if row[j] == top else exp(row[j] - top)
                peaks += one if row[j] == top else zero
            if highest > before:  # its own 1 stays out of the tail, which may be far below it
                rest = math.exp(np.float64(peak[i]) - np.float64(top))
                tail[i] = 0.0 if peak[i] == -np.inf else (tail[i] + 1.0) * rest
                peaks -= one
            peak[i], tail[i] = top, tail[i] + (np.float64(below) + np.float64(peaks))


@loop
def slopes(
    left: Array,
    line: int,
    right: Array,
    steps: int,
    bias: Array,
    labels: Array,
    first: int,
    tile: Array,
    peak: Array,
    scale: Array,
    found: Array,
    by_steps: Array,
    turned: Array,
    total: int,
    back: Array,
    on_features: Array,
    dim: int,
) -> None:
    """scale·exp(z − peak), 0 at the label, of the tiles of the classes from `first` on.

    `turned` gets it as the left operand of the weight's gradient, a tile's `total` steps after the last one's; its
    products with the weight, packed in `back`, are added to `on_features`. `found` is where a tile of it lies,
    `by_steps` the same memory by steps of k.
    """
    rows, classes, zero = labels.shape[0], bias.shape[0], peak.dtype.type(0)
    numbers, behind = numbers_of_a_step(turned), 0
    for start in range(0, classes, CLASSES):
        shift = bias[start : start + CLASSES]
        some = shift.shape[0]
        multiply(left, line, ONE, right[start * steps :], steps, tile, APART, rows, some, NONE)
        for i in range(rows):
            row, to = tile[i * CLASSES : i * CLASSES + some], found[i * CLASSES : (i + 1) * CLASSES]
            times, top, y = scale[i], peak[i], labels[i] - first - start
            for j in range(some):
                term = times * exp((row[j] + shift[j]) - top)
                to[j] = narrowed(zero if times == zero else term, to[j])
            if 0 <= y < some:
                to[y] = 0
            if some < CLASSES:
                to[some] = 0
        found[rows * CLASSES : -(-rows // numbers) * numbers * CLASSES] = 0
        for i in range(0, rows, numbers):
            at, behind_found = start * total + i // numbers * CLASSES, i * CLASSES
            low, to = found[behind_found : behind_found + some], turned[at : at + some]
            high = found[behind_found + (numbers - 1) * CLASSES :]
            for j in range(some):
                to[j] = joined(low[j], high[j], to[j])
        if dim:
            per_row = -(-some // numbers)
            multiply(by_steps, APART // numbers, ONE, back[behind:], per_row, on_features, dim, rows, dim, ONE)
            behind += -(-dim // COLUMNS) * COLUMNS * per_row


@loop
def add_rows(out: Array, to: Array, times: Array, rows: Array, step: int, taken: Array) -> None:
    """out[to[i]] += times[i]·rows[taken[i]]."""
    for i in range(to.shape[0]):
        row, line = rows[taken[i] * step : taken[i] * step + out.shape[1]], out[to[i]]
        for j in range(row.shape[0]):
            line[j] += times[i] * widened(row[j])


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
