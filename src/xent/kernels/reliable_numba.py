"""`survey_numpy.reliability` compiled: the same arguments, the same bits."""

from typing import Any

import numpy as np

from xent.kernels.elementary_numba import compiled
from xent.kernels.ladder_numba import inline
from xent.kernels.ladder_numpy import NUMBER_ONE
from xent.kernels.scalars_numba import bits_of
from xent.kernels.survey_numpy import LOWEST_ODDS, ODDS_BINS, ODDS_SHIFT, PROBABILITY_BITS

__all__ = ["MOST_ROWS", "count", "count_up", "empty"]

Array = Any
BELOW_ODDS, SHIFT = np.int32(LOWEST_ODDS - 1), np.int32(ODDS_SHIFT)
FIRST, LAST = np.int32(0), np.int32(ODDS_BINS - 1)
SCALE = np.float32(2.0**PROBABILITY_BITS)
MOST_ROWS = 1 << 12  # whose probabilities leave the upper bits of one number to count the rows
ROWS_AT = PROBABILITY_BITS + 13
ONE_ROW, PROBABILITY = np.int64(1 << ROWS_AT), np.int64((1 << ROWS_AT) - 1)


@inline
def _bin(odds: Any) -> Any:
    """As survey_numpy.odds_bins, of one number."""
    found = np.int32(np.int32(bits_of(odds) >> SHIFT) - BELOW_ODDS)
    found = FIRST if found < FIRST else found
    return LAST if found > LAST else found


@compiled
def empty(counts: Array) -> None:
    """Begin to count."""
    for j in range(counts.shape[0]):
        for k in range(counts.shape[1]):
            counts[j, k] = 0


@compiled
def count_up(counts: Array, reliable: Array) -> None:
    """Add rows and probabilities to reliable, and begin again."""
    for j in range(counts.shape[0]):
        given, weight, probability = counts[j], reliable[0, j], reliable[1, j]
        for k in range(ODDS_BINS):
            probability[k] += given[k] & PROBABILITY
            weight[k] += given[k] >> ROWS_AT
            given[k] = 0


@compiled
def count(
    v: Array, q: Array, rest: Array, top: Array, codes: Array, counts: Array, truth: Array, at: Array, whole: Array
) -> None:
    """Count up to MOST_ROWS rows before `count_up`: their truths at once, in truth (classes + 1, ODDS_BINS).

    q: (classes, rows): v / (rest + 1). counts: (classes + 1, ODDS_BINS): rows and probabilities in one number.
    at: (classes or 1, rows), int32, and whole: (rows,), int64, are scratch.
    """
    asked = counts.shape[0] - 1
    first = 1 if asked == 2 else 0
    for j in range(first, asked):
        share, p, place, own, here = v[j], q[j], at[j], counts[j], np.int32(j)
        for i in range(codes.shape[0]):
            others = rest[i] if top[i] == here else (rest[i] + NUMBER_ONE) - share[i]
            place[i] = _bin(share[i] / others)
        for i in range(codes.shape[0]):
            whole[i] = np.int64(np.uint32(p[i] * SCALE)) + ONE_ROW
        for i in range(codes.shape[0]):
            own[np.uint64(place[i])] += whole[i]
    if asked == 2:
        place, true = at[1], truth[1]
        for i in range(codes.shape[0]):
            true[np.uint64(place[i])] += codes[i]
    elif asked:
        for i in range(codes.shape[0]):
            label = np.uint64(codes[i])
            truth[label, np.uint64(at[label, i])] += 1
    place, own, true = at[0], counts[asked], truth[asked]
    for i in range(codes.shape[0]):
        place[i] = _bin(NUMBER_ONE / rest[i])
    for i in range(codes.shape[0]):
        whole[i] = np.int64(np.uint32(NUMBER_ONE / (rest[i] + NUMBER_ONE) * SCALE)) + ONE_ROW
    for i in range(codes.shape[0]):
        own[np.uint64(place[i])] += whole[i]
        true[np.uint64(place[i])] += codes[i] == top[i]
