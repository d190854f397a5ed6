"""A linear layer's logits a tile at a time, made, used and forgotten while they are in the cache.

A tile is CLASSES wide. Operands are packed as `panels_numba` has them, a tile's after the other's.
"""

import math
from typing import Any

import numpy as np

from xent.kernels.panels_numba import COLUMNS, ROWS, multiply, operand, pack_columns, pack_rows, pairs_available
from xent.kernels.scalars_numba import exp, narrowed, ordered, unordered, widened
from xent.kernels.softmax_numba import gradient, inline, loop

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


@inline
def _logits(left: Array, line: int, right: Array, steps: int, bias: Array, tile: Array) -> None:
    multiply(left, line, 1, right, steps, tile, False)
    for i in range(tile.shape[0]):
        for j in range(tile.shape[1]):
            tile[i, j] += bias[j]


@loop
def _fold(tile: Array, labels: Array, first: int, peak: Array, tail: Array, label_logit: Array) -> None:
    zero, one = peak.dtype.type(0), peak.dtype.type(1)
    for i in range(tile.shape[0]):
        row, before = tile[i], ordered(peak[i])
        highest = before
        for j in range(row.shape[0]):
            highest = max(highest, ordered(row[j]))
        top = unordered(highest, row[0])
        if 0 <= labels[i] - first < row.shape[0]:
            label_logit[i] = row[labels[i] - first]
        if not (top > -np.inf and top < np.inf):
            peak[i] = top
            continue
        below, peaks = zero, zero  # counted in floats: integers of another size would keep the loop from vectors
        for j in range(row.shape[0]):
            below += zero if row[j] == top else exp(row[j] - top)
            peaks += one if row[j] == top else zero
        if highest > before:  # its own 1 stays out of the tail, which may be far below it
            tail[i] = 0.0 if peak[i] == -np.inf else (tail[i] + 1.0) * math.exp(np.float64(peak[i]) - np.float64(top))
            peaks -= one
        peak[i], tail[i] = top, tail[i] + (np.float64(below) + np.float64(peaks))


@loop
def fold(
    left: Array,
    line: int,
    right: Array,
    steps: int,
    bias: Array,
    labels: Array,
    first: int,
    scratch: Array,
    peak: Array,
    tail: Array,
    label_logit: Array,
) -> None:
    """Merge the tiles of the classes from `first` on into each row's peak and tail, and note the label's logit."""
    rows, classes = labels.shape[0], bias.shape[0]
    for start in range(0, classes, CLASSES):
        some = min(CLASSES, classes - start)
        tile = scratch[: rows * some].reshape(rows, some)
        _logits(left, line, right[start * steps :], steps, bias[start : start + some], tile)
        _fold(tile, labels, first + start, peak, tail, label_logit)


@loop
def slopes(
    left: Array,
    line: int,
    right: Array,
    steps: int,
    bias: Array,
    labels: Array,
    first: int,
    scratch: Array,
    peak: Array,
    scale: Array,
    nothing: Array,
    local: Array,
    found: Array,
    turned: Array,
    begin: int,
    total: int,
    back: Array,
    on_features: Array,
    on_bias: Array,
) -> None:
    """scale·exp(z − peak), 0 at the label, of the tiles of the classes from `first` on.

    It is packed in `turned` as the left operand of the weight's gradient, and its products with the weight in `back`
    and its sums over rows are added to the other two gradients. `found` is where a tile of it lies.
    """
    rows, classes, dim = labels.shape[0], bias.shape[0], on_features.shape[1]
    by_steps = operand(found)
    joined = found.size // by_steps.size
    behind = 0
    for start in range(0, classes, CLASSES):
        some = min(CLASSES, classes - start)
        per_row = -(-some // joined)
        width = per_row * joined
        tile = scratch[: rows * some].reshape(rows, some)
        _logits(left, line, right[start * steps :], steps, bias[start : start + some], tile)
        for i in range(rows):
            y = labels[i] - first - start
            local[i] = y if 0 <= y < some else some
            found[i * width + width - 1] = 0
        gradient(tile.reshape(-1), some, some, local, scratch[rows * CLASSES :], peak, scale, nothing, found, width)
        if turned.size:
            pack_columns(found, width, some, rows, ROWS, turned[start * total :], begin, total)
        if dim:
            multiply(by_steps, per_row, 1, back[behind:], per_row, on_features, True)
            behind += -(-dim // COLUMNS) * COLUMNS * per_row
        for i in range(rows if on_bias.size else 0):
            for j in range(some):
                on_bias[start + j] += widened(found[i * width + j])


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
