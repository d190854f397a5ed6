"""Exact sums compiled with Numba: those of `sums_numpy.accumulate`, and by any key.

What is scattered is computed before, in loops that write one array each and so vectorise. One number counts rows above
what it sums, so that a row costs one addition in memory a table.
"""

from typing import Any

import numba
import numpy as np

from xent.kernels import sums_numpy as spec
from xent.kernels.elementary_numba import compiled, inner, read_only
from xent.kernels.scalars_numba import bits_of
from xent.kernels.sums_numpy import (
    ALL_BINS,
    BINS_PER_NAT,
    COUNT_SHIFT,
    CUT,
    CUT_BINS,
    EIGHTHS,
    FINE_LOW,
    FINE_SHIFT,
    FIRST_CUT,
    FIRST_FINE,
    LARGEST,
    ROUND_NATS,
    ROUND_REST,
    ROUND_SQUARES,
    SMALLEST,
)

__all__ = ["ROWS", "accumulate", "accumulate_blocks", "accumulate_keyed", "scratch"]

Array = Any
ROWS = 1024  # of a block, whose scratch arrays so stay in the first-level cache
COUNT, ONE, NATS = np.int64(spec.COUNT), np.int64(spec.ONE), np.int64(spec.NATS)
ZERO_NATS, ZERO_SQUARES, ZERO_REST = map(np.int64, (spec.ZERO_NATS, spec.ZERO_SQUARES, spec.ZERO_REST))
inline = numba.njit(error_model="numpy", inline="always")
FEW_CLASSES = 256  # whose table is small beside a block
MOST_HELD = spec.COUNT  # rows of a table before it is emptied
UNUSED = FIRST_FINE - EIGHTHS
USED_BINS = ALL_BINS - UNUSED


def accumulate(nats: Array, codes: Array, class_sums: Array, bins: Array, squares: Array, odd: Array) -> int:
    """As sums_numpy.accumulate."""
    return int(_accumulate(nats, read_only(codes), (class_sums, bins, squares, odd, *scratch(len(class_sums)))))


def scratch(classes: int) -> tuple[Array, ...]:
    """What `accumulate_blocks` writes over, and its tables, which it leaves empty."""
    few = classes if classes <= FEW_CLASSES else 0
    packed = np.zeros(USED_BINS, np.int64), np.zeros((2, few), np.int64)
    return np.empty(ROWS), *np.empty((4, ROWS), np.int64), *packed


@inner
def accumulate_blocks(
    nats: Array,
    codes: Array,
    class_sums: Array,
    bins: Array,
    squares: Array,
    odd: Array,
    inside: Array,
    inside_codes: Array,
    whole: Array,
    rest: Array,
    at: Array,
    by_bin: Array,
    by_class: Array,
) -> int:
    """`accumulate`, with what it writes over given by `scratch`."""
    left_out = held = 0
    for start in range(0, nats.shape[0], ROWS):
        given, own, flags = nats[start : start + ROWS], codes[start : start + ROWS], odd[start : start + ROWS]
        found = _take_apart(given, whole, rest, at, squares)
        for i in range(flags.shape[0]):
            flags[i] = False
        if found:
            left_out += found
            kept = _keep(given, own, flags, inside, inside_codes)
            given, own = inside[:kept], inside_codes[:kept]
            _take_apart(given, whole, rest, at, squares)
        rows = own.shape[0]
        if held + rows > MOST_HELD:
            _unpack(by_bin, by_class, bins, class_sums)
            held = 0
        held += rows
        if class_sums.shape[0] == 2:
            _add_two_classes(own, whole, rest, class_sums)
            for i in range(rows):
                by_bin[np.uint64(at[i])] += whole[i] + ONE
        elif by_class.shape[1]:
            for i in range(rows):
                value, code = whole[i] + ONE, np.uint64(own[i])
                by_bin[np.uint64(at[i])] += value
                by_class[0, code] += value
                by_class[1, code] += rest[i]
        else:
            for i in range(rows):
                code = np.uint64(own[i])
                by_bin[np.uint64(at[i])] += whole[i] + ONE
                class_sums[code, 0] += 1
                class_sums[code, 1] += whole[i]
                class_sums[code, 2] += rest[i]
    _unpack(by_bin, by_class, bins, class_sums)
    return left_out


@compiled
def _accumulate(nats: Array, codes: Array, sums: Any) -> int:
    return accumulate_blocks(nats, codes, *sums)


@inline
def _left_out(v: Any) -> Any:
    """As sums_numpy.left_out."""
    return (not ((v >= SMALLEST) & (v <= LARGEST))) & (v != 0.0)


@inner
def _keep(nats: Array, codes: Array, odd: Array, inside: Array, inside_codes: Array) -> int:
    """Flag the odd rows, and close up the others."""
    kept = 0
    for i in range(nats.shape[0]):
        v = nats[i]
        odd[i] = _left_out(v)
        if not odd[i]:
            inside[kept], inside_codes[kept] = v, codes[i]
            kept += 1
    return kept


@inline
def _square_limbs(square: Any) -> Any:
    """A square in units of 2^-32, and what that leaves in units of 2^-72: the bits of a rounded float are a count."""
    rounded = square + ROUND_SQUARES
    left = (square - (rounded - ROUND_SQUARES)) + ROUND_REST
    return bits_of(rounded) - ZERO_SQUARES, bits_of(left) - ZERO_REST


@inline
def _bin_of(v: Any) -> Any:
    fine = (bits_of(v) >> FINE_SHIFT) + (EIGHTHS - FINE_LOW)
    fine = fine if fine >= EIGHTHS else 0  # 0 nats
    eighth = np.int64(v * BINS_PER_NAT)
    cut = np.int64(v * (BINS_PER_NAT * CUT)) + (FIRST_CUT - UNUSED)
    return eighth if eighth >= CUT_BINS else (cut if eighth > 0 else fine)


@inner
def _take_apart(nats: Array, whole: Array, rest: Array, at: Array, squares: Array) -> int:
    """Limbs and bins of rows, and the sums of their squares; of odd rows only how many they are, should there be some."""
    odd = 0
    first = second = np.int64(0)
    for i in range(nats.shape[0]):
        v = nats[i]
        odd += _left_out(v)
        limb, left = _square_limbs(v * v)
        first += limb
        second += left
        rounded = v + ROUND_NATS
        whole[i] = bits_of(rounded) - ZERO_NATS
        rest[i] = np.int64((v - (rounded - ROUND_NATS)) * 2.0**76)
        at[i] = _bin_of(v)
    if odd == 0:
        squares[0] += first
        squares[1] += second
    return odd


@inner
def _add_two_classes(codes: Array, whole: Array, rest: Array, class_sums: Array) -> None:
    """Without scattering, which has to wait for the last row of the same class."""
    rows = codes.shape[0]
    second = second_whole = second_rest = all_whole = all_rest = np.int64(0)
    for i in range(rows):
        second += codes[i]
        second_whole += whole[i] & -codes[i]
        second_rest += rest[i] & -codes[i]
        all_whole += whole[i]
        all_rest += rest[i]
    class_sums[0, 0] += rows - second
    class_sums[0, 1] += all_whole - second_whole
    class_sums[0, 2] += all_rest - second_rest
    class_sums[1, 0] += second
    class_sums[1, 1] += second_whole
    class_sums[1, 2] += second_rest


@inner
def _unpack(by_bin: Array, by_class: Array, bins: Array, class_sums: Array) -> None:
    """Add up what a block left in the tables, and empty them."""
    for k in range(USED_BINS):
        place = k if k < EIGHTHS else k + UNUSED
        bins[0, place] += (by_bin[k] >> COUNT_SHIFT) & COUNT
        bins[1, place] += by_bin[k] & NATS
        by_bin[k] = 0
    for code in range(by_class.shape[1]):
        class_sums[code, 0] += (by_class[0, code] >> COUNT_SHIFT) & COUNT
        class_sums[code, 1] += by_class[0, code] & NATS
        class_sums[code, 2] += by_class[1, code]
        by_class[0, code] = by_class[1, code] = 0


@compiled
def accumulate_keyed(nats: Array, codes: Array, sums: Array, odd: Array) -> int:
    """Add up to 2^19 rows of weight 1 by their code; flag in `odd`, and count, the rows left out, as `accumulate` does.

    sums: (keys, 5): rows; nats in units of 2^-36, and what that leaves in units of 2^-76; squares of nats in units of
        2^-32, and what that leaves in units of 2^-72, rounded.
    """
    left_out = 0
    for i in range(nats.shape[0]):
        v = nats[i]
        odd[i] = _left_out(v)
        left_out += odd[i]
        if odd[i]:
            continue
        code = np.uint64(codes[i])
        rounded = v + ROUND_NATS
        limb, left = _square_limbs(v * v)
        sums[code, 0] += 1
        sums[code, 1] += bits_of(rounded) - ZERO_NATS
        sums[code, 2] += np.int64((v - (rounded - ROUND_NATS)) * 2.0**76)
        sums[code, 3] += limb
        sums[code, 4] += left
    return left_out
