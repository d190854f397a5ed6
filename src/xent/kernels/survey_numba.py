"""The kernels of `survey_numpy` compiled: the same arguments, the same bits."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from xent.kernels import ladder_numba as ladder
from xent.kernels.elementary_numba import compiled
from xent.kernels.ladder_numba import log1p
from xent.kernels.ladder_numpy import FIXED_BITS, LOWEST, NOTHING, NUMBER_ONE
from xent.kernels.scalars_numba import bits_of
from xent.kernels.survey_numpy import COST_BITS, LOWEST_ODDS, ODDS_BINS, ODDS_SHIFT
from xent.kernels.temper_numba import WIDTH, temper
from xent.kernels.temper_numpy import TEMPERED

__all__ = ["cure_sums", "survey"]

Array = Any
NUMBERS = 1 << 14  # of a block, so that its arrays stay in the second-level cache
LEAST, MOST = 112, 496  # rows of a block; no power of two, or all its arrays would meet in the same cache lines
FIXED, COST = 2.0**FIXED_BITS, 2.0**COST_BITS
BELOW_ODDS, SHIFT = np.int32(LOWEST_ODDS - 1), np.int32(ODDS_SHIFT)
ONE_ROW, ONE_TRUTH = np.int64(1 << 44), np.int64(1 << 54)  # beside probabilities, which in a block reach 2^41
PROBABILITY, ROWS = np.int64((1 << 44) - 1), np.int64((1 << 10) - 1)


def survey(block: Array, logs: bool, codes: Array, grid: Array, moments: Array, cost: Array, reliable: Array) -> None:
    """As survey_numpy.survey."""
    for rows, scratch in _whole_and_rest(block, len(moments)):
        sums = (grid, moments, cost.reshape(2, -1), reliable)
        _survey_blocks(_two_axes(block)[rows], logs, codes[rows], *sums, *scratch)


def cure_sums(block: Array, logs: bool, beta: float, offsets: Array, moments: Array) -> None:
    """As survey_numpy.cure_sums."""
    for rows, scratch in _whole_and_rest(block, len(moments)):
        _cure_blocks(_two_axes(block)[rows], logs, np.float32(beta), offsets, moments, *scratch)


def _two_axes(block: Array) -> Array:
    return block[:, None] if block.ndim == 1 else block


def _whole_and_rest(block: Array, numbers: int) -> Iterator[tuple[slice, tuple[Array, ...]]]:
    """The rows that are whole blocks, and those left over, each with scratch arrays of a block."""
    size, scratch = _scratch(block, numbers)
    whole = len(block) // size * size
    yield slice(0, whole), scratch
    if whole < len(block):
        yield slice(whole, len(block)), _scratch(block[whole:], numbers)[1]


def _scratch(block: Array, numbers: int) -> tuple[int, tuple[Array, ...]]:
    """How many rows make a block, and arrays for them."""
    classes = 2 if block.ndim == 1 else block.shape[1]
    rows = min(max(LEAST, min(MOST, NUMBERS // classes)), len(block))
    single = np.float32
    wide = np.empty((classes, rows), single if block.dtype == single else np.float64)
    return rows, (
        wide,
        np.empty(3 * classes * rows + WIDTH, single)[:-WIDTH].reshape(3, classes, rows),
        np.empty(rows + WIDTH, np.int32)[:-WIDTH],
        np.empty(rows, wide.dtype),
        np.empty((5, rows), single),
        np.empty(TEMPERED * WIDTH, single),
        np.empty(TEMPERED * WIDTH),
        np.empty(TEMPERED * WIDTH, np.int64),
        np.empty((numbers, rows), single),
        np.empty((2, rows), np.int64),
        np.empty(ODDS_BINS, np.int64),
    )


@compiled
def _survey_blocks(
    block: Array,
    logs: bool,
    codes: Array,
    grid: Array,
    moments: Array,
    cost: Array,
    reliable: Array,
    wide: Array,
    by_class: Array,
    top: Array,
    largest: Array,
    by_row: Array,
    sums: Array,
    totals: Array,
    fixed: Array,
    out: Array,
    whole: Array,
    counts: Array,
) -> None:
    rows = top.shape[0]
    for start in range(0, codes.shape[0], rows):
        ladder.widen(block[start : start + rows], logs, wide)
        own = codes[start : start + rows]
        _survey(
            logs, own, grid, moments, cost, reliable, wide, by_class, top, largest, by_row, sums, totals, fixed, out,
            whole, counts,
        )  # fmt: skip


@compiled
def _survey(
    logs: bool,
    codes: Array,
    grid: Array,
    moments: Array,
    cost: Array,
    reliable: Array,
    wide: Array,
    by_class: Array,
    top: Array,
    largest: Array,
    by_row: Array,
    sums: Array,
    totals: Array,
    fixed: Array,
    out: Array,
    whole: Array,
    counts: Array,
) -> None:
    z, v = by_class[0], by_class[1]
    rest, log_largest, nothing = by_row[0], by_row[1], by_row[3]
    ladder.centre(wide, logs, z, v, top, largest, log_largest)
    ladder.rest_of(v, top, rest)
    if cost.shape[1]:
        _costs(z, rest, codes, cost[0], cost[1], by_row[4], whole[0], whole[1])
    _reliability(v, rest, top, codes, reliable, by_row[1], by_row[3], whole[0], whole[1], counts)
    left_out, skip = 0, whole[0]
    for i in range(codes.shape[0]):
        skip[i] = z[codes[i], i] <= LOWEST
        nothing[i] = NOTHING
        left_out += skip[i]
    temper(z, v, top, skip, left_out > 0, by_class[2], sums, totals, fixed, grid)
    if moments.shape[0]:
        ladder.moments(z, v, rest, nothing, out)
        if left_out:
            for k in range(out.shape[0]):
                for i in range(codes.shape[0]):
                    out[k, i] = NOTHING if skip[i] else out[k, i]
        ladder.fixed_sums(out, moments)


@compiled
def _costs(
    z: Array, rest: Array, codes: Array, cost: Array, impossible: Array, log_whole: Array, nats: Array, at: Array
) -> None:
    """What is scattered is computed before; unsigned places need no test for negative ones."""
    rows, classes = codes.shape[0], z.shape[0]
    for i in range(rows):
        log_whole[i] = log1p(rest[i])
        at[i] = codes[i] * classes
    for j in range(classes):
        given = z[j]
        none = 0
        for i in range(rows):
            none += given[i] <= LOWEST
            y = NOTHING if given[i] <= LOWEST else log_whole[i] - given[i]
            nats[i] = np.int64(np.float64(y) * COST)
        for i in range(rows):
            cost[np.uint64(at[i] + j)] += nats[i]
        if none:
            for i in range(rows):
                impossible[np.uint64(at[i] + j)] += given[i] <= LOWEST


@compiled
def _reliability(
    v: Array,
    rest: Array,
    top: Array,
    codes: Array,
    reliable: Array,
    others: Array,
    one: Array,
    value: Array,
    at: Array,
    counts: Array,
) -> None:
    """As survey_numpy.reliability; one number counts rows, truths and probabilities until the end of the block."""
    rows, asked = codes.shape[0], reliable.shape[1] - 1
    for j in range(1 if asked == 2 else 0, asked):
        share = v[j]
        for i in range(rows):
            others[i] = rest[i] if top[i] == j else (rest[i] + NUMBER_ONE) - share[i]
            value[i] = ONE_TRUTH if codes[i] == j else 0
        _count(share, rest, others, value, at, counts, reliable[0, j], reliable[1, j], reliable[2, j])
    for i in range(rows):
        one[i] = NUMBER_ONE
        others[i] = rest[i]
        value[i] = ONE_TRUTH if codes[i] == top[i] else 0
    _count(one, rest, others, value, at, counts, reliable[0, asked], reliable[1, asked], reliable[2, asked])


@compiled
def _count(
    v: Array,
    rest: Array,
    others: Array,
    value: Array,
    at: Array,
    counts: Array,
    weight: Array,
    probability: Array,
    truth: Array,
) -> None:
    lowest, highest = np.int64(ODDS_BINS - 1), np.int64(0)
    for i in range(rest.shape[0]):
        others[i] = v[i] / others[i]
        p = v[i] / (rest[i] + NUMBER_ONE)
        value[i] += np.int64(np.float64(p) * FIXED) + ONE_ROW
    for i in range(rest.shape[0]):
        found = np.int32(bits_of(others[i]) >> SHIFT) - BELOW_ODDS
        found = np.int32(0) if found < 0 else found
        at[i] = ODDS_BINS - 1 if found > ODDS_BINS - 1 else found
    for i in range(rest.shape[0]):
        lowest, highest = min(lowest, at[i]), max(highest, at[i])
    for k in range(lowest, highest + 1):
        counts[k] = 0
    for i in range(rest.shape[0]):
        counts[np.uint64(at[i])] += value[i]
    for k in range(lowest, highest + 1):
        probability[k] += counts[k] & PROBABILITY
        weight[k] += (counts[k] >> 44) & ROWS
        truth[k] += counts[k] >> 54


@compiled
def _cure_blocks(
    block: Array,
    logs: bool,
    beta: Any,
    offsets: Array,
    moments: Array,
    wide: Array,
    by_class: Array,
    top: Array,
    largest: Array,
    by_row: Array,
    sums: Array,
    totals: Array,
    fixed: Array,
    out: Array,
    whole: Array,
    counts: Array,
) -> None:
    z, v, w = by_class[0], by_class[1], by_class[2]
    rest, highest = by_row[0], by_row[1]
    rows = top.shape[0]
    for start in range(0, block.shape[0], rows):
        ladder.widen(block[start : start + rows], logs, wide)
        ladder.centre(wide, logs, z, v, top, largest, highest)
        ladder.cured(z, beta, offsets, w, v, top, highest)
        ladder.rest_of(v, top, rest)
        ladder.moments(z, v, rest, highest, out)
        ladder.fixed_sums(out, moments)
