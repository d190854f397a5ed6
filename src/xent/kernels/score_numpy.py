"""The scoring kernels spelled out in NumPy: the specification, and the core where Numba is not installed.

Every kernel takes a block of rows and writes the row's cross-entropy in nats into `nats` (rows,) float64 and into
`hits` (rows,) bool whether the label is the first most probable class. It returns whether each row is a legal
prediction; if not, what it wrote for that row means nothing and the caller finds the row and raises.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.kernels.elementary_numpy import MAX_ROWS, exp, neg_log1p, neg_log_in_place, scratch

__all__ = [
    "ALL_BINS",
    "BINS",
    "BINS_PER_NAT",
    "BLOCK_NUMBERS",
    "CUT",
    "CUT_BINS",
    "FINE_BINS",
    "FINE_LOW",
    "FINE_SHIFT",
    "FINE_TOP",
    "FIRST_CUT",
    "FIRST_FINE",
    "LARGEST",
    "MAX_ROWS",
    "SMALLEST",
    "SUM_TOLERANCE",
    "accumulate",
    "first_largest",
    "log_probability_rows",
    "logit_column",
    "logit_rows",
    "peak_nats",
    "probability_column",
    "probability_rows",
]

Floats = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

SUM_TOLERANCE = 0.9e-3  # below that of the checks, which look again, in float64, at what a kernel doubts
BINS_PER_NAT = 11.541560327111707  # 8 bins a bit: 8 / log 2
BINS = 1024  # 1/8-bit bins up to 128 bits; one more for all beyond
CUT_BINS, CUT = 8, 8  # those below 1 bit are cut in eight, and the first of them into eight an octave:
FINE_SHIFT = 49  # a float64's exponent and first three digits, which number the octaves' eighths
FINE_TOP = 0x3FB62E42FEFA39EF >> FINE_SHIFT  # of log(2)/8 nats, where the first bin ends
FINE_LOW = 0x3E70000000000000 >> FINE_SHIFT  # of SMALLEST
FINE_BINS = FINE_TOP - FINE_LOW + 1
FIRST_FINE = BINS + 1
FIRST_CUT = FIRST_FINE + FINE_BINS
ALL_BINS = FIRST_CUT + CUT_BINS * CUT
SMALLEST, LARGEST = 2.0**-24, 2.0**4  # nats that `accumulate` sums itself; the rest it hands back
BLOCK_NUMBERS = 1 << 16  # predictions of a block, so that its float64 copies stay in the second-level cache


def _of_label(block: Floats, codes: Int64) -> Float64:
    return np.asarray(block[np.arange(len(codes)), codes], np.float64)


def first_largest(block: Floats) -> Int64:
    """The column of each row's largest entry, the first one of several."""
    return np.asarray(np.argmax(block, axis=1))


def probability_rows(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """Rows of probabilities (rows, classes)."""
    by_class = np.ascontiguousarray(block.T)  # (classes, rows): along it NumPy sums and compares three times as fast
    own = by_class.reshape(-1)[codes * len(codes) + np.arange(len(codes))]
    np.minimum(own, 1.0, out=nats)  # 1 + round-off costs nothing
    neg_log_in_place(nats, scratch(5, len(nats)))
    largest = by_class.max(axis=0)
    np.equal(own, largest, out=hits)
    if np.count_nonzero(by_class == largest) > len(codes):  # of several largest, the first
        np.equal(first_largest(block), codes, out=hits)
    off = by_class.sum(axis=0)
    off -= 1.0
    np.abs(off, out=off)
    return bool(block.min() >= 0.0 and (off <= SUM_TOLERANCE).all())


def probability_column(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """The probability of the second of two classes (rows,)."""
    memory = scratch(8, len(nats))
    p, negative, error = memory[:3]
    p[:] = block
    np.equal(codes, 1, out=hits)
    np.subtract(1.0, hits, out=negative)
    with np.errstate(invalid="ignore"):
        np.multiply(negative, -2.0, out=error)
        error += 1.0
        u = np.multiply(error, p, out=nats)
        u += negative  # p or 1 − p
        np.subtract(1.0, u, out=error)
        error -= p
        error *= negative
        neg_log_in_place(u, memory[3:])
        nats -= error
    np.equal(hits, p > 0.5, out=hits)
    return bool(nats.min() >= 0.0)  # of p outside [0, 1], either u is negative or its logarithm positive


def logit_rows(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """Rows of logits (rows, classes): how far the label is behind the peak, plus `peak_nats`."""
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


def log_probability_rows(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """Rows of log-probabilities (rows, classes)."""
    nats[:] = np.maximum(-_of_label(block, codes), 0.0)
    np.equal(first_largest(block), codes, out=hits)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.exp(block.astype(np.float64)).sum(axis=1)
    return bool((np.abs(sums - 1.0) <= SUM_TOLERANCE).all() and block.max() <= SUM_TOLERANCE)


def accumulate(nats: Float64, codes: Int64, class_sums: Int64, bins: Int64, squares: Int64, odd: Bools) -> int:
    """Add a block of up to MAX_ROWS rows to exact sums; flag in `odd`, and count, the rows left out.

    Left out are those whose nats are not 0 and not in [SMALLEST, LARGEST]. Each of the others is an exact multiple of
    2^-76, so two integers hold their sum. The arrays hold 2^23 rows before they can overflow:

    class_sums: (classes, 3): rows; nats in units of 2^-36, and what that leaves in units of 2^-76.
    bins: (2, ALL_BINS): rows; nats in units of 2^-36, each row rounded down. Bin 0 is of 0 nats alone, and those below
        CUT_BINS are empty: the bins that they are cut into come behind the others.
    squares: (2,): squares of nats in units of 2^-32, and what that leaves in units of 2^-72, rounded down.
    """
    with np.errstate(invalid="ignore"):
        np.logical_not((nats >= SMALLEST) & (nats <= LARGEST), out=odd)
    left_out = 0
    if odd.any():
        odd &= nats != 0.0
        left_out = int(np.count_nonzero(odd))
        if left_out:
            nats, codes = nats[~odd], codes[~odd]
    rest, whole, exact = scratch(3, len(nats))
    integers = exact.view(np.int64)
    eighths = np.multiply(nats, BINS_PER_NAT, out=rest)
    cut = np.multiply(eighths, CUT, out=whole)
    cut += FIRST_CUT
    np.copyto(integers, np.where(eighths >= CUT_BINS, eighths, cut), casting="unsafe")
    low = eighths < 1.0
    if low.any():
        fine = np.right_shift(nats.view(np.int64), FINE_SHIFT, out=whole.view(np.int64))
        fine += FIRST_FINE - FINE_LOW
        np.maximum(fine, 0, out=fine)  # 0 nats
        integers = np.where(low, fine, integers)
    bins[0] += np.bincount(integers, minlength=ALL_BINS)
    np.multiply(nats, 2.0**36, out=rest)
    np.floor(rest, out=whole)
    bins[1] += np.bincount(integers, weights=whole, minlength=ALL_BINS).astype(np.int64)
    second = exact if len(class_sums) == 2 else None
    np.copyto(exact, codes)
    _add_by_class(codes, second, None, class_sums[:, 0])
    _add_by_class(codes, second, whole, class_sums[:, 1])
    rest -= whole
    rest *= 2.0**40
    _add_by_class(codes, second, rest, class_sums[:, 2])
    np.multiply(nats, nats, out=rest)
    rest *= 2.0**32
    np.floor(rest, out=whole)
    squares[0] += int(whole.sum())
    rest -= whole
    rest *= 2.0**40
    np.floor(rest, out=whole)
    squares[1] += int(whole.sum())
    return left_out


def _add_by_class(codes: Int64, second: Float64 | None, integers: Float64 | None, sums: Int64) -> None:
    """Add integers up to 2^40 held as float64 (None: 1 each) by class; exact for 2^13 of them in any order.

    Of two classes, `second` is 1 for the second: a dot product is three times as fast as counting.
    """
    if second is None:
        sums += np.bincount(codes, weights=integers, minlength=len(sums)).astype(np.int64)
        return
    of_second = int(np.count_nonzero(codes) if integers is None else np.dot(second, integers))
    sums += (int(len(codes) if integers is None else integers.sum()) - of_second, of_second)
