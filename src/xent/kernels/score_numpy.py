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
    "ROUND_NATS",
    "ROUND_REST",
    "ROUND_SQUARES",
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
ALL_CUT = 192 * CUT  # the pieces of the bins that LARGEST leaves in use, and an empty one
SMALLEST, LARGEST = 2.0**-24, 2.0**4  # nats that `accumulate` sums itself; the rest it hands back
ROUND_NATS = 1.5 * 2.0**16  # adding and subtracting it rounds to the nearest multiple of 2^-36
ROUND_SQUARES, ROUND_REST = 1.5 * 2.0**20, 1.5 * 2.0**-20  # the same of 2^-32 and 2^-72
UNITS = (1.0, 2.0**36, 2.0**76)  # of rows, nats, and what is left of them
MOST_NATS = 2.0**16  # of a block: below 2^53 units, and so are their squares
SHORT = 1 << 13  # of a dot product that OpenBLAS keeps to one thread
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
    p, other, error = memory[:3]
    p[:] = block
    np.subtract(1.0, codes, out=other)
    with np.errstate(invalid="ignore"):
        signed = np.subtract(other, p, out=nats)  # −p or 1 − p
        np.subtract(other, signed, out=error)
        error -= p  # of 1 − p; of −p there is none
        legal = bool(p.min(initial=0.0) >= 0.0 and p.max(initial=0.0) <= 1.0)
        np.greater(p, 0.5, out=hits)
        np.not_equal(hits, other, out=hits)
        u = np.abs(signed, out=nats)
        neg_log_in_place(u, memory[3:])
        nats -= error
    return legal


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
    2^-76, so two integers hold their sum: the nearest multiple of a unit, and what that leaves, which may be negative.
    The arrays hold 2^23 rows before they can overflow:

    class_sums: (classes, 3): rows; nats in units of 2^-36, and what that leaves in units of 2^-76.
    bins: (2, ALL_BINS): rows; nats in units of 2^-36, each row rounded. Bin 0 is of 0 nats alone, and those below
        CUT_BINS are empty: the bins that they are cut into come behind the others.
    squares: (2,): squares of nats in units of 2^-32, and what that leaves in units of 2^-72, rounded.
    """
    left_out = 0
    if nats.size and nats.min() >= SMALLEST and nats.max() <= LARGEST:
        odd[:] = False
    else:
        left_out = _flag_odd(nats, odd)
        if left_out:
            nats, codes = nats[~odd], codes[~odd]
    _add_all(nats, codes, class_sums, bins, squares)
    return left_out


def _add_all(nats: Float64, codes: Int64, class_sums: Int64, bins: Int64, squares: Int64) -> None:
    """Rows of which none is left out."""
    if nats.sum() > MOST_NATS:  # more than float64 numbers hold in units of 2^-36
        middle = len(nats) // 2
        _add_all(nats[:middle], codes[:middle], class_sums, bins, squares)
        _add_all(nats[middle:], codes[middle:], class_sums, bins, squares)
        return
    whole, rest, work, second = scratch(4, len(nats))
    np.add(nats, ROUND_NATS, out=whole)
    whole -= ROUND_NATS
    np.subtract(nats, whole, out=rest)
    _add_by_bin(nats, whole, work, second, bins)
    if len(class_sums) == 2:
        np.copyto(second, codes)
        for column, integers in enumerate((None, whole, rest)):
            _add_two_classes(second, integers, class_sums[:, column], UNITS[column])
    else:
        for column, numbers in enumerate((None, whole, rest)):
            found = np.bincount(codes, weights=numbers, minlength=len(class_sums))
            class_sums[:, column] += (found * UNITS[column]).astype(np.int64)
    square = np.multiply(nats, nats, out=rest)
    for limb, (rounding, unit) in enumerate(((ROUND_SQUARES, 2.0**32), (ROUND_REST, 2.0**72))):
        np.add(square, rounding, out=work)
        work -= rounding
        squares[limb] += int(work.sum() * unit)
        square -= work


def _flag_odd(nats: Float64, odd: Bools) -> int:
    with np.errstate(invalid="ignore"):
        np.logical_not((nats >= SMALLEST) & (nats <= LARGEST), out=odd)
    odd &= nats != 0.0
    return int(np.count_nonzero(odd))


def _add_by_bin(nats: Float64, whole: Float64, work: Float64, places: Float64, bins: Int64) -> None:
    """All bins are counted as if they were cut, and those that are not are put together again."""
    place, fine = places.view(np.int64), work.view(np.int64)
    cut = np.multiply(nats, BINS_PER_NAT * CUT, out=work)
    np.copyto(place, cut, casting="unsafe")
    low = cut < CUT
    if low.any():
        np.right_shift(nats.view(np.int64), FINE_SHIFT, out=fine)
        fine += ALL_CUT - FINE_LOW
        np.maximum(fine, ALL_CUT - 1, out=fine)  # 0 nats
        np.putmask(place, low, fine)
    found = np.empty((2, ALL_CUT + FINE_BINS))
    found[0] = np.bincount(place, minlength=ALL_CUT + FINE_BINS)
    np.multiply(np.bincount(place, weights=whole, minlength=ALL_CUT + FINE_BINS), UNITS[1], out=found[1])
    together = found[:, CUT_BINS * CUT : ALL_CUT - CUT].reshape(2, -1, CUT) @ np.ones(CUT)
    bins[:, 0] += found[:, ALL_CUT - 1].astype(np.int64)
    bins[:, CUT_BINS : ALL_CUT // CUT - 1] += together.astype(np.int64)
    bins[:, FIRST_CUT:] += found[:, : CUT_BINS * CUT].astype(np.int64)
    bins[:, FIRST_FINE:FIRST_CUT] += found[:, ALL_CUT:].astype(np.int64)


def _add_two_classes(second: Float64, numbers: Float64 | None, sums: Int64, unit: float) -> None:
    """Add numbers (None: 1 each) by class, where `second` is 1 for the second of two: three times as fast as counting."""
    if numbers is None:
        of_second, of_all = second.sum(), float(len(second))
    else:
        parts = (slice(start, start + SHORT) for start in range(0, len(second), SHORT))
        of_second, of_all = sum(np.dot(second[part], numbers[part]) for part in parts), numbers.sum()
    sums += (int((of_all - of_second) * unit), int(of_second * unit))
