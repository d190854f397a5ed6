"""The kernels of `rows_numpy` for labels that are classes, compiled.

Rows come flat, with a step from one to the next, their classes side by side. Threads are the caller's: every kernel
lets go of the interpreter's lock and touches nothing but its arguments. `fastmath` lets sums be reordered; NaN and
infinities keep their meaning in comparisons and products, but x − x may become 0 whatever x is.
"""

from typing import Any

import numba
import numpy as np

from xent.kernels.scalars_numba import exp, narrowed, ordered, unordered, widened

__all__ = ["NARROW", "SCRATCH", "gradient", "gradient_of_narrow_rows", "normaliser", "normaliser_of_narrow_rows"]

Array = Any
FAST = {"reassoc", "nsz", "contract", "arcp"}
loop = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
inline = numba.njit(error_model="numpy", fastmath=FAST, inline="always")

PART = 2048  # classes summed in float32 before the sum goes to float64
NARROW = 64  # rows of at most so many classes are taken many at a time
SCRATCH = 4096


@inline
def _peak(row: Array) -> Any:
    """The largest logit, in an order that puts NaN beyond infinity."""
    highest = ordered(widened(row[0]))
    for j in range(row.shape[0]):
        highest = max(highest, ordered(widened(row[j])))
    return unordered(highest)


@loop
def normaliser(
    z: Array, step: int, classes: int, labels: Array, scratch: Array, peak: Array, tail: Array, label_logit: Array
) -> None:
    """Peak and tail of each row, and the logit at its label."""
    zero, nan = peak.dtype.type(0), peak.dtype.type(np.nan)
    for i in range(labels.shape[0]):
        row = z[i * step : i * step + classes]
        y = labels[i]
        peak[i] = tail[i] = label_logit[i] = zero if y < 0 else nan
        if y < 0 or y >= classes:
            continue
        top = _peak(row)
        total, others = 0.0, -1  # apart: the tail may be far below 1
        for start in range(0, classes, PART):
            part = row[start : start + PART]
            below, peaks = zero, 0
            for j in range(part.shape[0]):
                v = widened(part[j])
                below += zero if v == top else exp(v - top)
                peaks += 1 if v == top else 0
            total += np.float64(below)
            others += peaks
        if top > -np.inf and top < np.inf:
            peak[i], tail[i], label_logit[i] = top, total + others, widened(row[y])


@loop
def normaliser_of_narrow_rows(
    z: Array, step: int, classes: int, labels: Array, scratch: Array, peak: Array, tail: Array, label_logit: Array
) -> None:
    """The same for rows so short that exp is taken over many of them in one loop."""
    zero, nan = peak.dtype.type(0), peak.dtype.type(np.nan)
    tile = SCRATCH // classes
    for first in range(0, labels.shape[0], tile):
        last = min(first + tile, labels.shape[0])
        for i in range(first, last):
            row, y = z[i * step : i * step + classes], labels[i]
            terms = scratch[(i - first) * classes : (i - first + 1) * classes]
            top = _peak(row)
            for j in range(classes):
                terms[j] = widened(row[j]) - top
            known = (y >= 0) & (y < classes)
            peak[i] = top if known else zero if y < 0 else nan
            label_logit[i] = widened(row[y]) if known else peak[i]
        used = scratch[: (last - first) * classes]
        for k in range(used.shape[0]):
            used[k] = used[k] if used[k] == zero else exp(used[k])
        for i in range(first, last):
            row, top = z[i * step : i * step + classes], peak[i]
            terms = scratch[(i - first) * classes : (i - first + 1) * classes]
            below, peaks = zero, -1
            for j in range(classes):
                below += terms[j]
                peaks += 1 if widened(row[j]) == top else 0
            legal = (top > -np.inf) & (top < np.inf)
            peak[i] = top if legal else nan
            tail[i] = zero if labels[i] < 0 else below + peaks if legal else nan


@loop
def gradient(
    z: Array,
    step: int,
    classes: int,
    labels: Array,
    scratch: Array,
    peak: Array,
    scale: Array,
    entry: Array,
    out: Array,
    out_step: int,
) -> None:
    """scale·exp(z − peak) into out, which may be z, and `entry` at the label; 0 in rows skipped or of no weight."""
    zero = peak.dtype.type(0)
    for i in range(labels.shape[0]):
        row, to = z[i * step : i * step + classes], out[i * out_step : i * out_step + classes]
        times, top = scale[i], peak[i]
        nothing = labels[i] < 0 or (times == zero and entry[i] == zero)
        for start in range(0, classes, PART):
            part, part_out = row[start : start + PART], to[start : start + PART]
            terms = scratch[: part.shape[0]]
            if nothing:
                terms[:] = zero
            else:
                for j in range(part.shape[0]):
                    terms[j] = times * exp(widened(part[j]) - top)
            for j in range(part.shape[0]):
                part_out[j] = narrowed(terms[j], part_out[j])
        if not nothing and labels[i] < classes:
            to[labels[i]] = narrowed(entry[i], to[0])


@loop
def gradient_of_narrow_rows(
    z: Array,
    step: int,
    classes: int,
    labels: Array,
    scratch: Array,
    peak: Array,
    scale: Array,
    entry: Array,
    out: Array,
    out_step: int,
) -> None:
    """The same for rows so short that exp is taken over many of them in one loop."""
    zero = peak.dtype.type(0)
    tile = SCRATCH // classes
    for first in range(0, labels.shape[0], tile):
        last = min(first + tile, labels.shape[0])
        for i in range(first, last):
            row, top = z[i * step : i * step + classes], peak[i]
            terms = scratch[(i - first) * classes : (i - first + 1) * classes]
            for j in range(classes):
                terms[j] = widened(row[j]) - top
        used = scratch[: (last - first) * classes]
        for k in range(used.shape[0]):
            used[k] = exp(used[k])
        for i in range(first, last):
            to = out[i * out_step : i * out_step + classes]
            terms = scratch[(i - first) * classes : (i - first + 1) * classes]
            times, y = scale[i], labels[i]
            nothing = y < 0 or (times == zero and entry[i] == zero)
            for j in range(classes):
                to[j] = narrowed(zero if nothing else times * terms[j], to[j])
            if not nothing and y < classes:
                to[y] = narrowed(entry[i], to[0])
