"""The scoring kernels spelled out in NumPy: the specification, and the core where Numba is not installed.

Every kernel takes a block of rows and writes the row's cross-entropy in nats into `nats` (rows,) float64 and into
`hits` (rows,) bool whether the label is the first most probable class. It returns whether each row is a legal
prediction; if not, what it wrote for that row means nothing and the caller finds the row and raises.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.kernels import elementary as el
from xent.kernels.by_column import ByColumn
from xent.kernels.elementary_numpy import MAX_ROWS, SCRATCH, exp, neg_log1p, neg_log_in_place, scratch
from xent.kernels.sums_numpy import accumulate
from xent.kernels.text_numpy import text_codes

__all__ = [
    "BLOCK_NUMBERS",
    "MAX_ADDED",
    "MAX_ROWS",
    "SUM_TOLERANCE",
    "accumulate",
    "add_probability_rows",
    "apart",
    "first_largest",
    "log_probability_rows",
    "logit_column",
    "logit_rows",
    "peak_nats",
    "probability_column",
    "probability_rows",
    "rows_above",
    "text_codes",
]

Floats = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

SUM_TOLERANCE = 0.9e-3  # below that of the checks, which look again, in float64, at what a kernel doubts
ONE_BITS: dict[int, Any] = {4: np.float32(1.0).view(np.uint32), 8: np.float64(1.0).view(np.uint64)}
EXACT = 2.0**-29  # from it on, 1 − p of a float32 p is not rounded in float64
MAX_ADDED = MAX_ROWS  # for add_probability_rows
BLOCK_NUMBERS = 1 << 19  # predictions of a block
NATS_IN = 6  # of the scratch arrays: the others are taken by what comes before and after
PART_ARRAYS = 4  # of the scratch arrays hold a part of it; calls on less are so short that threads wait for each other
PART_BYTES = PART_ARRAYS * MAX_ROWS * 8


def _of_label(block: Floats, codes: Int64) -> Float64:
    return np.asarray(block[np.arange(len(codes)), codes], np.float64)


def first_largest(block: Floats) -> Int64:
    """The column of each row's largest entry, the first one of several."""
    return np.asarray(np.argmax(block, axis=1))


def probability_rows(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """Rows of probabilities (rows, classes)."""
    counted = np.arange(len(codes))
    legal = [_look_at_rows(counted, *part) for part in _parts(block.itemsize, block, codes, nats, hits)]
    neg_log_in_place(nats, scratch(5, len(nats)))
    return all(legal)


def add_probability_rows(
    block: Floats | ByColumn,
    codes: Int64,
    hits: Bools,
    class_sums: Int64,
    bins: Int64,
    squares: Int64,
    border: float,
    rows: Int64,
    nats: Float64,
) -> tuple[bool, int, int]:
    """`probability_rows` and `accumulate` in one go, which leaves nats only of some rows.

    block: (rows, classes), or a ByColumn.
    rows, nats (rows,): which have more nats than the border or are left out of the sums, in their order, and their nats.
    Returns whether each row is a legal prediction, how many are set apart, and how many are left out.
    """
    every = scratch(NATS_IN + 1, len(codes))[NATS_IN]
    odd = np.empty(len(codes), np.bool_)
    legal = probability_rows(np.asarray(block), codes, every, hits)
    omitted = accumulate(every, codes, class_sums, bins, squares, odd)
    return legal, apart(every, odd, border, rows, nats), omitted


def apart(every: Float64, odd: Bools, border: float, rows: Int64, nats: Float64) -> int:
    """Set rows apart that have more nats than the border, or are odd: how many there are."""
    with np.errstate(invalid="ignore"):
        odd |= every > border
    found = np.flatnonzero(odd)
    rows[: len(found)] = found
    np.take(every, found, out=nats[: len(found)])
    return len(found)


def _parts(itemsize: int, block: Floats, *by_row: NDArray[Any]) -> Iterator[tuple[Any, ...]]:
    """Rows whose numbers, of so many bytes each, are about PART_BYTES."""
    step = max(1, PART_BYTES // (itemsize * block.shape[1]))
    for start in range(0, len(block), step):
        yield tuple(array[start : start + step] for array in (block, *by_row))


def _look_at_rows(counted: Int64, block: Floats, codes: Int64, own: Float64, hits: Bools) -> bool:
    rows = len(block)
    by_class, at, mine, equal = _memory(block)
    np.copyto(by_class, block.T)  # along it NumPy sums and compares three times as fast
    np.multiply(codes, rows, out=at)
    at += counted[:rows]
    np.take(by_class.reshape(-1), at, out=mine, mode="clip")  # which asks for no memory
    largest, inside = _largest(by_class, at)
    np.equal(mine, largest, out=hits)
    if inside:
        np.copyto(own, mine)
    else:
        np.minimum(mine, 1.0, out=own)  # 1 + round-off costs nothing
    if np.count_nonzero(np.equal(by_class, largest, out=equal)) > rows:  # of several largest, the first
        np.equal(first_largest(block), codes, out=hits)
    sums = np.add.reduce(by_class, axis=0, out=mine)
    within = abs(sums.min() - 1.0) <= SUM_TOLERANCE and abs(sums.max() - 1.0) <= SUM_TOLERANCE
    return bool(within and (inside or by_class.min() >= 0.0))


def _largest(by_class: Floats, out: Int64) -> tuple[Floats, bool]:
    """The largest number of each row, and whether all numbers are known to be from 0 to 1.

    Those are ordered as their bits are, and the bits of all others are larger: one look tells both.
    """
    one = ONE_BITS[by_class.itemsize]
    bits = by_class.view(one.dtype)
    largest = np.maximum.reduce(bits, axis=0, out=out.view(one.dtype)[: bits.shape[1]])
    inside = bool(largest.max() <= one)
    return (largest.view(by_class.dtype) if inside else by_class.max(axis=0)), inside


def _memory(block: Floats) -> tuple[Floats, Int64, Floats, Bools]:
    """For the columns of a part one after another, an integer and a number for each row, and a bool for each number."""
    rows, size = len(block), block.size
    if block.nbytes > PART_BYTES:
        by_class, equal = np.empty(size, block.dtype), np.empty(size, np.bool_)
        at, mine = np.empty((2, rows))
    else:
        kept = scratch(SCRATCH, MAX_ROWS)
        by_class, equal = (
            kept[:PART_ARRAYS].reshape(-1).view(block.dtype)[:size],
            kept[NATS_IN + 1].view(np.bool_)[:size],
        )
        at, mine = kept[PART_ARRAYS : PART_ARRAYS + 2, :rows]
    return by_class.reshape(-1, rows), at.view(np.int64), mine.view(block.dtype)[:rows], equal.reshape(-1, rows)


def probability_column(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """The probability of the second of two classes (rows,)."""
    other, error, p, *work = scratch(8, len(nats))
    np.subtract(codes, 1, out=other.view(np.int64))
    other.view(np.int64)[:] &= el.ONE_BITS  # 1 for the first class, 0 for the second
    np.copyto(p, block)
    with np.errstate(invalid="ignore"):
        least, most = p.min(initial=1.0), p.max(initial=0.0)
        signed = np.subtract(other, p, out=nats)  # −p or 1 − p
        np.less(signed, -0.5, out=hits)
        hits |= signed >= 0.5
        exact = block.dtype == np.float32 and least >= EXACT
        if not exact:
            np.subtract(other, signed, out=error)
            error -= p  # of 1 − p; of −p there is none
        neg_log_in_place(np.abs(signed, out=nats), work)
        if not exact:
            nats -= error
    return bool(least >= 0.0 and most <= 1.0)


def logit_rows(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """Rows of logits (rows, classes): how far the label is behind the peak, plus `peak_nats`."""
    both = 2 * 8  # bytes: a logit and its term of the sum, in float64
    legal = [_logit_rows(*part) for part in _parts(both, block, codes, nats, hits)]
    return all(legal)


def _logit_rows(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    z = block.astype(np.float64)
    peaks = first_largest(z)
    peak, peak_loss = peak_nats(z, peaks)
    with np.errstate(invalid="ignore"):
        nats[:] = (peak - _of_label(z, codes)) + peak_loss
    np.equal(peaks, codes, out=hits)
    return bool(np.isfinite(peak).all())


def peak_nats(z: Float64, peaks: Int64) -> tuple[Float64, Float64]:
    """The largest logit of each row, at column `peaks`, and its cross-entropy: log1p of the others' exp(z − peak).

    The peak's own term stays out of the sum, so a loss of 1e-30 is 1e-30 and not 0.
    """
    rows = np.arange(len(z))
    peak = z[rows, peaks]
    with np.errstate(invalid="ignore"):
        terms = exp(z - peak[:, None])
        terms[rows, peaks] = 0.0
        rest = np.add.accumulate(terms, axis=1, out=terms)[:, -1]  # accumulate adds from left to right
        return peak, -neg_log1p(rest)


def logit_column(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """The logit of the second of two classes (rows,): softplus(−z) for it, softplus(z) for the first."""
    z = block.astype(np.float64)
    against = np.where(codes == 1, -z, z)
    with np.errstate(invalid="ignore"):
        nats[:] = np.where(against > 0.0, against, 0.0) - neg_log1p(exp(-np.abs(z)))
    np.equal(z > 0.0, codes == 1, out=hits)
    return not bool(np.isnan(z).any())


def rows_above(nats: Float64, border: float) -> Int64:
    """The rows of more nats, in their order."""
    return np.flatnonzero(nats > border)


def log_probability_rows(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """Rows of log-probabilities (rows, classes)."""
    nats[:] = np.maximum(-_of_label(block, codes), 0.0)
    np.equal(first_largest(block), codes, out=hits)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.exp(block.astype(np.float64)).sum(axis=1)
    return bool((np.abs(sums - 1.0) <= SUM_TOLERANCE).all() and block.max() <= SUM_TOLERANCE)
