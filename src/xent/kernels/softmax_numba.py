"""The kernels of `rows_numpy` for labels that are classes, compiled.

Rows come flat, with a step from one to the next, their classes side by side. Threads are the caller's: every kernel
lets go of the interpreter's lock and touches nothing but its arguments. `fastmath` lets sums be reordered; NaN and
infinities keep their meaning in comparisons and products, but x − x may become 0 whatever x is.
"""

from typing import Any

import numba
import numpy as np

from xent.kernels.scalars_numba import called_by_loops, exact, exp, expm1, log1p, narrowed, ordered, unordered, widened

__all__ = [
    "NARROW",
    "SCRATCH",
    "both_ways",
    "both_ways_of_narrow_rows",
    "gradient",
    "gradient_of_narrow_rows",
    "normaliser",
    "normaliser_of_narrow_rows",
]

Array = Any
FAST = {"reassoc", "nsz", "contract", "arcp"}
loop = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
inline = numba.njit(error_model="numpy", fastmath=FAST, inline="always")
called = called_by_loops({"error_model": "numpy", "fastmath": FAST})

PART = 2048  # classes summed in float32 before the sum goes to float64
NARROW = 64  # rows of at most so many classes are taken many at a time
LANES = 64  # of them at a time, side by side
SCRATCH = max(PART, (NARROW + 1) * LANES)


@inline
def _peak(row: Array) -> Any:
    """The largest logit, in an order that puts NaN beyond infinity."""
    highest = ordered(row[0])
    for j in range(row.shape[0]):
        highest = max(highest, ordered(row[j]))
    return widened(unordered(highest, row[0]))


@inline
def _turn(z: Array, step: int, classes: int, rows: int, scratch: Array) -> None:
    """Logits class by class, LANES apart."""
    for j in range(classes):
        logits, to = z[j:], scratch[j * LANES : j * LANES + rows]
        for i in range(rows):
            to[i] = widened(logits[i * step])


@called
def _of_row(row: Array, y: int, terms: Array, i: int, peak: Array, tail: Array, label_logit: Array) -> None:
    """Peak and tail of row i and the logit at its label; exp(z − peak) stays in `terms` if they are as many."""
    zero, nan, classes = peak.dtype.type(0), peak.dtype.type(np.nan), row.shape[0]
    peak[i] = tail[i] = label_logit[i] = zero if y < 0 else nan
    if y < 0 or y >= classes:
        return
    top = _peak(row)
    if not (top > -np.inf and top < np.inf):
        return
    total, others, one = 0.0, -1.0, peak.dtype.type(1)  # apart: the tail may be far below 1
    for start in range(0, classes, PART):
        part = row[start : start + PART]
        behind = start if terms.shape[0] >= classes else 0
        to, below, peaks = terms[behind : behind + part.shape[0]], zero, zero
        for j in range(part.shape[0]):
            term = exp(widened(part[j]) - top)
            to[j] = term
            below += zero if widened(part[j]) == top else term
            peaks += one if widened(part[j]) == top else zero
        total += np.float64(below)
        others += np.float64(peaks)
    peak[i], tail[i], label_logit[i] = top, total + others, widened(row[y])


@called
def _of_narrow_rows(
    z: Array, step: int, classes: int, y: Array, scratch: Array, top: Array, below: Array, at: Array
) -> None:
    """The same for at most LANES rows, turned in the scratch, where exp(z − peak) stays."""
    zero, one, nan, rows = top.dtype.type(0), top.dtype.type(1), top.dtype.type(np.nan), y.shape[0]
    _turn(z, step, classes, rows, scratch)
    peaks = scratch[classes * LANES : classes * LANES + rows]
    for i in range(rows):  # an array assigned to an array takes Numba a second to compile: it formats an error
        top[i], below[i], peaks[i] = scratch[i], zero, -one
    for j in range(1, classes):
        logits = scratch[j * LANES : j * LANES + rows]
        for i in range(rows):
            top[i] = logits[i] if ordered(logits[i]) > ordered(top[i]) else top[i]
    for i in range(rows):
        known, legal = (y[i] >= 0) & (y[i] < classes), (top[i] > -np.inf) & (top[i] < np.inf)
        at_label = scratch[(y[i] if known else 0) * LANES + i]
        at[i] = at_label if known and legal else zero if y[i] < 0 else nan
    for j in range(classes):
        logits = scratch[j * LANES : j * LANES + rows]
        for i in range(rows):
            peaks[i] += one if logits[i] == top[i] else zero
        for i in range(rows):
            term = exp(logits[i] - top[i])  # before it is asked for: else the loop is not vectorised
            below[i] += zero if logits[i] == top[i] else term
            logits[i] = term
    for i in range(rows):
        known, legal = (y[i] >= 0) & (y[i] < classes), (top[i] > -np.inf) & (top[i] < np.inf)
        none, whole = zero if y[i] < 0 else nan, below[i] + peaks[i]
        below[i] = whole if known and legal else none
        top[i] = top[i] if known and legal else none


@loop
def normaliser(
    z: Array, step: int, classes: int, labels: Array, scratch: Array, peak: Array, tail: Array, label_logit: Array
) -> None:
    """Peak and tail of each row, and the logit at its label."""
    for i in range(labels.shape[0]):
        _of_row(z[i * step : i * step + classes], labels[i], scratch, i, peak, tail, label_logit)


@loop
def normaliser_of_narrow_rows(
    z: Array, step: int, classes: int, labels: Array, scratch: Array, peak: Array, tail: Array, label_logit: Array
) -> None:
    """The same for rows so short that loops run over rows, turned in the scratch."""
    for first in range(0, labels.shape[0], LANES):
        i = slice(first, min(first + LANES, labels.shape[0]))
        _of_narrow_rows(z[first * step :], step, classes, labels[i], scratch, peak[i], tail[i], label_logit[i])


@exact
def _of_statistics(on_nll: Any, peak: Any, tail: Any, label_logit: Any) -> Any:
    """A row's nll, the scale of its gradient and the gradient's entry at the label."""
    nll = (peak - label_logit) + log1p(tail)
    return nll, on_nll / (1.0 + tail), on_nll * expm1(-nll)


@loop
def both_ways(
    z: Array,
    step: int,
    classes: int,
    labels: Array,
    scratch: Array,
    on_nll: Array,
    nll: Array,
    out: Array,
    out_step: int,
) -> float:
    """nll of each row, and ∂ Σ on_nll·nll by its logits into out, which may be z; a row, and 2, fit in the scratch.

    Gives Σ nll, NaN if a label is no class.
    """
    zero, terms, total = nll.dtype.type(0), scratch[2:], 0.0
    peak, tail = scratch[:1], scratch[1:2]
    for i in range(labels.shape[0]):
        y, to = labels[i], out[i * out_step : i * out_step + classes]
        _of_row(z[i * step : i * step + classes], y, terms, 0, peak, tail, nll[i : i + 1])
        nll[i], by, at_label = _of_statistics(on_nll[i], peak[0], tail[0], nll[i])
        total += nll[i] if y >= 0 else np.nan
        scale, entry = nll.dtype.type(by), nll.dtype.type(at_label)
        if y < 0 or (scale == zero and entry == zero):
            to[:] = 0
            continue
        for j in range(classes):
            to[j] = narrowed(scale * terms[j], to[j])
        if y < classes:
            to[y] = narrowed(entry, to[0])
    return total


@loop
def both_ways_of_narrow_rows(
    z: Array,
    step: int,
    classes: int,
    labels: Array,
    scratch: Array,
    on_nll: Array,
    nll: Array,
    out: Array,
    out_step: int,
) -> float:
    """The same for rows so short that loops run over rows, turned in the scratch; beside it four of LANES."""
    zero, own, total = nll.dtype.type(0), scratch[SCRATCH:], 0.0
    scales, entries, peak, tail = own[:LANES], own[LANES : 2 * LANES], own[2 * LANES : 3 * LANES], own[3 * LANES :]
    for first in range(0, labels.shape[0], LANES):
        some = slice(first, min(first + LANES, labels.shape[0]))
        y, on, at = labels[some], on_nll[some], nll[some]
        top, below = peak[: y.shape[0]], tail[: y.shape[0]]
        _of_narrow_rows(z[first * step :], step, classes, y, scratch, top, below, at)
        for i in range(y.shape[0]):
            at[i], scales[i], entries[i] = _of_statistics(on[i], top[i], below[i], at[i])
        for i in range(y.shape[0]):
            total += at[i] if y[i] >= 0 else np.nan
        for j in range(classes):
            terms = scratch[j * LANES : (j + 1) * LANES]
            for i in range(y.shape[0]):
                nothing = (y[i] < 0) | ((scales[i] == zero) & (entries[i] == zero))
                term = scales[i] * terms[i]
                terms[i] = zero if nothing else entries[i] if y[i] == j else term
        for i in range(y.shape[0]):
            to = out[(first + i) * out_step : (first + i) * out_step + classes]
            for j in range(classes):
                to[j] = narrowed(scratch[j * LANES + i], to[j])
    return total


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
