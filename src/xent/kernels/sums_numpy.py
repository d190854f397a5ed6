"""Exact sums of a block's nats, spelled out in NumPy: by class, by bin, and of squares.

All are sums of whole numbers, found from floats that are rounded by adding a large constant: the bits of the result are
a count, less those of the constant. Integers wrap round without a word, so sums may pass 2^63 on their way.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.kernels.elementary_numpy import scratch

__all__ = [
    "ALL_BINS",
    "BINS",
    "BINS_PER_NAT",
    "COUNT",
    "COUNT_SHIFT",
    "CUT",
    "CUT_BINS",
    "EIGHTHS",
    "FINE_LOW",
    "FINE_SHIFT",
    "FINE_TOP",
    "FIRST_CUT",
    "FIRST_FINE",
    "LARGEST",
    "NATS",
    "ONE",
    "ROUND_NATS",
    "ROUND_REST",
    "ROUND_SQUARES",
    "SMALLEST",
    "ZERO_NATS",
    "ZERO_REST",
    "ZERO_SQUARES",
    "accumulate",
    "left_out",
]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

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
EIGHTHS = 192  # the bins of 1/8 bit that LARGEST leaves in use, and an empty one
ALL_CUT = EIGHTHS * CUT
SMALLEST, LARGEST = 2.0**-24, 2.0**4  # nats that `accumulate` sums itself; the rest it hands back
ROUND_NATS = 1.5 * 2.0**16  # adding and subtracting it rounds to the nearest multiple of 2^-36
ROUND_LEFT = 1.5 * 2.0**-24  # the same of 2^-76, where nothing is lost
ROUND_SQUARES, ROUND_REST = 1.5 * 2.0**20, 1.5 * 2.0**-20  # the same of 2^-32 and 2^-72
ZERO_NATS, ZERO_LEFT, ZERO_SQUARES, ZERO_REST = (
    np.array([ROUND_NATS, ROUND_LEFT, ROUND_SQUARES, ROUND_REST]).view(np.int64).tolist()
)
COUNT_SHIFT = 52  # nats in units of 2^-36 that sum to less leave room above them to count rows
COUNT, ONE, NATS = (1 << 12) - 1, 1 << COUNT_SHIFT, (1 << COUNT_SHIFT) - 1
BLOCK_SHIFT = 50  # the same of a whole block here: up to 16,383 rows and nats of a class or a bin, or else a second try
BLOCK_ONE = 1 << BLOCK_SHIFT


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
    rows = len(nats)
    if nats.size and nats.min() >= SMALLEST and nats.max() <= LARGEST:
        odd[:] = False
    else:
        odd[:] = left_out(nats)
        nats, codes = nats[~odd], codes[~odd]
    whole, rest, place, work = scratch(4, len(nats))
    np.add(nats, ROUND_NATS, out=whole)
    np.subtract(whole, ROUND_NATS, out=rest)
    np.subtract(nats, rest, out=rest)
    rest += ROUND_LEFT
    units, left = whole.view(np.int64), rest.view(np.int64)
    units += BLOCK_ONE - ZERO_NATS  # a row counts 1 above its nats
    left -= ZERO_LEFT
    if len(class_sums) == 2:
        _add_two_classes(codes, units, left, place.view(np.int64), work.view(np.int64), class_sums)
    else:
        _add_classes(codes, units, left, class_sums)
    _find_bins(nats, place.view(np.int64), work)
    _add_by_bin(*_summed(place.view(np.int64), units, ALL_CUT + FINE_BINS), bins)
    _add_squares(nats, place, work, squares)
    return rows - len(nats)


def left_out(nats: Float64) -> Bools:
    """Which rows `accumulate` leaves out."""
    with np.errstate(invalid="ignore"):
        odd = np.logical_not((nats >= SMALLEST) & (nats <= LARGEST))
    odd &= nats != 0.0
    return odd


def _summed(places: Int64, units: Int64, size: int) -> tuple[Int64, Int64]:
    """Rows and nats by place, of `units` that count BLOCK_ONE a row beside their nats."""
    sums = np.zeros(size, np.int64)
    np.add.at(sums, places, units)
    counts = (sums >> BLOCK_SHIFT) & ((1 << (64 - BLOCK_SHIFT)) - 1)
    if counts.sum() == len(places):  # else a count went round, or nats ran over into one
        return counts, sums & (BLOCK_ONE - 1)
    counts = np.bincount(places, minlength=size)
    return counts, sums - (counts << BLOCK_SHIFT)


def _find_bins(nats: Float64, place: Int64, work: Float64) -> None:
    """All bins are numbered as if they were cut; the finer ones come behind."""
    cut, fine = np.multiply(nats, BINS_PER_NAT * CUT, out=work), work.view(np.int64)
    np.copyto(place, cut, casting="unsafe")
    low = cut < CUT
    if low.any():
        np.right_shift(nats.view(np.int64), FINE_SHIFT, out=fine)
        fine += ALL_CUT - FINE_LOW
        np.maximum(fine, ALL_CUT - 1, out=fine)  # 0 nats
        np.putmask(place, low, fine)


def _add_by_bin(counts: Int64, sums: Int64, bins: Int64) -> None:
    """Bins that are not cut are put together again."""
    for found, total in ((counts, bins[0]), (sums, bins[1])):
        total[0] += found[ALL_CUT - 1]
        total[CUT_BINS : EIGHTHS - 1] += found[CUT_BINS * CUT : ALL_CUT - CUT].reshape(-1, CUT).sum(axis=1)
        total[FIRST_CUT:] += found[: CUT_BINS * CUT]
        total[FIRST_FINE:FIRST_CUT] += found[ALL_CUT:]


def _add_classes(codes: Int64, units: Int64, left: Int64, class_sums: Int64) -> None:
    rests = np.zeros(len(class_sums), np.int64)
    np.add.at(rests, codes, left)
    counts, sums = _summed(codes, units, len(class_sums))
    class_sums += np.stack([counts, sums, rests], axis=1)


def _add_two_classes(codes: Int64, units: Int64, left: Int64, mask: Int64, masked: Int64, class_sums: Int64) -> None:
    """Without scattering, which has to wait for the last row of the same class."""
    np.negative(codes, out=mask)
    second = int(codes.sum())
    for rows, of in ((len(codes) - second, 0), (second, 1)):
        class_sums[of, 0] += rows
    for column, (integers, one) in enumerate(((units, BLOCK_ONE), (left, 0)), 1):
        of_all = int(integers.sum())
        of_second = int(np.bitwise_and(integers, mask, out=masked).sum())
        class_sums[0, column] += _signed(of_all - of_second - (len(codes) - second) * one)
        class_sums[1, column] += _signed(of_second - second * one)


def _add_squares(nats: Float64, square: Float64, work: Float64, squares: Int64) -> None:
    np.multiply(nats, nats, out=square)
    for limb, (rounding, zero) in enumerate(((ROUND_SQUARES, ZERO_SQUARES), (ROUND_REST, ZERO_REST))):
        np.add(square, rounding, out=work)
        squares[limb] += _signed(int(work.view(np.int64).sum()) - len(nats) * zero)
        if limb == 0:
            work -= rounding
            square -= work


def _signed(total: Any) -> int:
    """An integer that wrapped round at 2^64."""
    found: int = (total + (1 << 63)) % (1 << 64) - (1 << 63)
    return found
