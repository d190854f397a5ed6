"""Exact sums compiled with Numba: those of `score_numpy.accumulate`, and by any key."""

from typing import Any

import numpy as np

from xent.kernels.elementary_numba import compiled
from xent.kernels.score_numpy import (
    BINS_PER_NAT,
    CUT,
    CUT_BINS,
    FINE_LOW,
    FINE_SHIFT,
    FIRST_CUT,
    FIRST_FINE,
    LARGEST,
    SMALLEST,
)

__all__ = ["accumulate", "accumulate_keyed"]

Array = Any


@compiled
def accumulate(nats: Array, codes: Array, class_sums: Array, bins: Array, squares: Array, odd: Array) -> int:
    """As score_numpy.accumulate."""
    bits = nats.view(np.int64)
    left_out = 0
    first = second = np.int64(0)
    for i in range(nats.shape[0]):
        v = nats[i]
        inside = (v >= SMALLEST) & (v <= LARGEST)
        odd[i] = (not inside) & (v != 0.0)
        left_out += odd[i]
        v = v if inside else 0.0
        rest = (v * v) * 2.0**32
        whole = np.int64(rest)
        first += whole
        second += np.int64((rest - np.float64(whole)) * 2.0**40)
    squares[0] += first
    squares[1] += second
    for i in range(nats.shape[0]):
        if odd[i]:
            continue
        rest = nats[i] * 2.0**36
        whole = np.int64(rest)
        eighth = np.int64(nats[i] * BINS_PER_NAT)
        cut = np.int64(nats[i] * (BINS_PER_NAT * CUT)) + FIRST_CUT
        fine = (bits[i] >> FINE_SHIFT) + (FIRST_FINE - FINE_LOW)
        fine = fine if fine >= FIRST_FINE else 0  # 0 nats
        bin_of = eighth if eighth >= CUT_BINS else (cut if eighth > 0 else fine)
        bins[bin_of, 0] += 1
        bins[bin_of, 1] += whole
        code = codes[i]
        class_sums[code, 0] += 1
        class_sums[code, 1] += whole
        class_sums[code, 2] += np.int64((rest - np.float64(whole)) * 2.0**40)
    return left_out


@compiled
def accumulate_keyed(nats: Array, codes: Array, sums: Array, odd: Array) -> int:
    """Add up to 2^19 rows of weight 1 by their code; flag in `odd`, and count, the rows left out, as `accumulate` does.

    sums: (keys, 5): rows; nats in units of 2^-36, and what that leaves in units of 2^-76; squares of nats in units of
        2^-32, and what that leaves in units of 2^-72, rounded down.
    """
    left_out = 0
    for i in range(nats.shape[0]):
        v = nats[i]
        odd[i] = (not ((v >= SMALLEST) & (v <= LARGEST))) & (v != 0.0)
        left_out += odd[i]
        if odd[i]:
            continue
        code = np.uint64(codes[i])
        rest, square = v * 2.0**36, (v * v) * 2.0**32
        whole, whole_square = np.int64(rest), np.int64(square)
        sums[code, 0] += 1
        sums[code, 1] += whole
        sums[code, 2] += np.int64((rest - np.float64(whole)) * 2.0**40)
        sums[code, 3] += whole_square
        sums[code, 4] += np.int64((square - np.float64(whole_square)) * 2.0**40)
    return left_out
