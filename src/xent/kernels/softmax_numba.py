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
NARROW = 40  # rows of at most so many classes are taken many at a time
LANES = 64  # of them at a time, side by side
SCRATCH = max(PART, NARROW * LANES)


@inline
def _peak(row: Array) -> Any:
    """The largest logit, in an order that puts NaN beyond infinity."""
    highest = ordered(widened(row[0]))
    for j in range(row.shape[0]):
        highest = max(highest, ordered(widened(row[j])))
    return unordered(highest)


@inline
def _turn(z: Array, step: int, classes: int, rows: int, scratch: Array) -> None:
    """Logits class by class, LANES apart."""
    for j in range(classes):
        logits, to = z[j:], scratch[j * LANES : j * LANES + rows]
        for i in range(rows):
            to[i] = widened(logits[i * step])


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
    """The same for rows so short that loops run over rows, turned in the scratch."""
    zero, one, nan = peak.dtype.type(0), peak.dtype.type(1), peak.dtype.type(np.nan)
    for first in range(0, labels.shape[0], LANES):
        rows = min(LANES, labels.shape[0] - first)
        _turn(z[first * step :], step, classes, rows, scratch)
        top, below = peak[first : first + rows], tail[first : first + rows]
        peaks, y = label_logit[first : first + rows], labels[first : first + rows]
        top[:], below[:], peaks[:] = scratch[:rows], zero, -one
        for j in range(1, classes):
            logits = scratch[j * LANES : j * LANES + rows]
            for i in range(rows):
                top[i] = logits[i] if ordered(logits[i]) > ordered(top[i]) else top[i]
        for j in range(classes):
            logits = scratch[j * LANES : j * LANES + rows]
            for i in range(rows):
                peaks[i] += one if logits[i] == top[i] else zero
            for i in range(rows):
                term = exp(logits[i] - top[i])  # before it is asked for: else the loop is not vectorised
                below[i] += zero if logits[i] == top[i] else term
        for i in range(rows):
            known, legal = (y[i] >= 0) & (y[i] < classes), (top[i] > -np.inf) & (top[i] < np.inf)
            none = zero if y[i] < 0 else nan
            whole, at_label = below[i] + peaks[i], scratch[(y[i] if known else 0) * LANES + i]
            peaks[i] = at_label if known and legal else none
            below[i] = whole if known and legal else none
            top[i] = top[i] if known and legal else none


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
    """The same for rows so short that loops run over rows, turned in the scratch."""
    zero = peak.dtype.type(0)
    for first in range(0, labels.shape[0], LANES):
        rows = min(LANES, labels.shape[0] - first)
        _turn(z[first * step :], step, classes, rows, scratch)
        top, times, own = peak[first : first + rows], scale[first : first + rows], entry[first : first + rows]
        y = labels[first : first + rows]
        for j in range(classes):
            terms = scratch[j * LANES : j * LANES + rows]
            for i in range(rows):
                nothing = (y[i] < 0) | ((times[i] == zero) & (own[i] == zero))
                term = times[i] * exp(terms[i] - top[i])
                terms[i] = zero if nothing else own[i] if y[i] == j else term
        for i in range(rows):
            to = out[(first + i) * out_step : (first + i) * out_step + classes]
            for j in range(classes):
                to[j] = narrowed(scratch[j * LANES + i], to[j])
