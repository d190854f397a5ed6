"""The kernels of `survey_numpy` compiled: the same arguments, the same bits."""

from typing import Any

import numpy as np

from xent.kernels import ladder_numba as ladder
from xent.kernels.elementary_numba import compiled
from xent.kernels.ladder_numba import log1p
from xent.kernels.ladder_numpy import FIXED_BITS, LOWEST, NOTHING, NUMBER_ONE, TEMPERATURES
from xent.kernels.scalars_numba import bits_of
from xent.kernels.survey_numpy import COST_BITS, LOWEST_ODDS, ODDS_BINS, ODDS_SHIFT

__all__ = ["cure_sums", "survey"]

Array = Any
NUMBERS = 1 << 14  # of a block, so that its arrays stay in the second-level cache
LEAST, MOST = 128, 512  # rows of a block
FIXED, COST = 2.0**FIXED_BITS, 2.0**COST_BITS
BELOW_ODDS, SHIFT = np.int32(LOWEST_ODDS - 1), np.int32(ODDS_SHIFT)


def survey(
    block: Array, logs: bool, codes: Array, grid: Array, moments: Array, label: Array, cost: Array, reliable: Array
) -> None:
    """As survey_numpy.survey."""
    rows, scratch = _scratch(block, max(TEMPERATURES, len(moments)))
    wide = ladder.column_wide if block.ndim == 1 else ladder.rows_wide
    for start in range(0, len(block), rows):
        part, own = block[start : start + rows], codes[start : start + rows]
        if len(part) < rows:
            rows, scratch = _scratch(part, max(TEMPERATURES, len(moments)))
        wide(part, logs, scratch[0])
        _survey(logs, own, grid, moments, label, cost, reliable, *scratch)


def cure_sums(block: Array, logs: bool, beta: float, offsets: Array, moments: Array) -> None:
    """As survey_numpy.cure_sums."""
    rows, scratch = _scratch(block, max(TEMPERATURES, len(moments)))
    wide = ladder.column_wide if block.ndim == 1 else ladder.rows_wide
    for start in range(0, len(block), rows):
        part = block[start : start + rows]
        if len(part) < rows:
            rows, scratch = _scratch(part, max(TEMPERATURES, len(moments)))
        wide(part, logs, scratch[0])
        _cure_sums(logs, np.float32(beta), offsets, moments, *scratch)


def _scratch(block: Array, numbers: int) -> tuple[int, tuple[Array, ...]]:
    """How many rows make a block, and arrays for them."""
    classes = 2 if block.ndim == 1 else block.shape[1]
    rows = min(max(LEAST, min(MOST, NUMBERS // classes)), len(block))
    single = np.float32
    return rows, (
        np.empty((classes, rows)),
        np.empty((classes, rows), single),
        np.empty((classes, rows), single),
        np.empty((classes, rows), single),
        np.empty(rows, np.int32),
        np.empty(rows),
        np.empty((4, rows), single),
        np.empty((11, rows), single),
        np.empty((TEMPERATURES, rows), single),
        np.empty((TEMPERATURES, rows)),
        np.empty((numbers, rows), single),
    )


@compiled
def _survey(
    logs: bool,
    codes: Array,
    grid: Array,
    moments: Array,
    label: Array,
    cost: Array,
    reliable: Array,
    wide: Array,
    z: Array,
    v: Array,
    w: Array,
    top: Array,
    largest: Array,
    rows_of: Array,
    powers: Array,
    part: Array,
    totals: Array,
    out: Array,
) -> None:
    rest, log_largest, mine, nothing = rows_of[0], rows_of[1], rows_of[2], rows_of[3]
    ladder.centre(wide, logs, z, v, top, largest, log_largest)
    ladder.rest_of(v, top, rest)
    if cost.shape[1]:
        _costs(z, rest, codes, cost[0], cost[1], out)
    _reliability(v, rest, top, codes, reliable, out)
    left_out = 0
    for i in range(codes.shape[0]):
        mine[i] = z[codes[i], i]
        nothing[i] = NOTHING
        left_out += mine[i] <= LOWEST
    ladder.temper(z, v, top, powers, part, totals, out)
    _sum_up(out, mine, left_out, grid)
    if moments.shape[0]:
        ladder.moments(z, v, rest, nothing, out)
        _sum_up(out, mine, left_out, moments)
    label[0] += codes.shape[0] - left_out
    for i in range(codes.shape[0]):
        label[1] += 0 if mine[i] <= LOWEST else np.int64(np.float64(mine[i]) * FIXED)


@compiled
def _sum_up(out: Array, mine: Array, left_out: int, sums: Array) -> None:
    """Without the rows whose label has probability 0."""
    found = out[: sums.shape[0]]
    if left_out:
        for k in range(found.shape[0]):
            for i in range(mine.shape[0]):
                found[k, i] = NOTHING if mine[i] <= LOWEST else found[k, i]
    ladder.fixed_sums(found, sums)


@compiled
def _costs(z: Array, rest: Array, codes: Array, cost: Array, impossible: Array, out: Array) -> None:
    rows = codes.shape[0]
    log_whole = out[0]
    for i in range(rows):
        log_whole[i] = log1p(rest[i])
    for j in range(z.shape[0]):
        given = z[j]
        for i in range(rows):
            none = given[i] <= LOWEST
            nats = NOTHING if none else log_whole[i] - given[i]
            cost[codes[i], j] += np.int64(np.float64(nats) * COST)
            impossible[codes[i], j] += none


@compiled
def _reliability(v: Array, rest: Array, top: Array, codes: Array, reliable: Array, out: Array) -> None:
    rows, asked = codes.shape[0], reliable.shape[1] - 1
    others, p, true = out[0], out[1], out[2]
    for j in range(1 if asked == 2 else 0, asked):
        share = v[j]
        for i in range(rows):
            others[i] = rest[i] if top[i] == j else (rest[i] + NUMBER_ONE) - share[i]
        _scatter(share, rest, others, p, codes, j, j, top, reliable)
    one = true
    for i in range(rows):
        one[i] = NUMBER_ONE
        others[i] = rest[i]
    _scatter(one, rest, others, p, codes, -1, asked, top, reliable)


@compiled
def _scatter(
    v: Array, rest: Array, others: Array, p: Array, codes: Array, label: int, at: int, top: Array, reliable: Array
) -> None:
    """Into row `at`; true where the code is `label`, or for −1 the likeliest class."""
    rows = codes.shape[0]
    count, probability, truth = reliable[0, at], reliable[1, at], reliable[2, at]
    for i in range(rows):
        p[i] = v[i] / (rest[i] + NUMBER_ONE)
        others[i] = v[i] / others[i]
    for i in range(rows):
        found = np.int32(bits_of(others[i]) >> SHIFT) - BELOW_ODDS
        bin_of = min(max(found, 0), ODDS_BINS - 1)
        count[bin_of] += 1
        probability[bin_of] += np.int64(np.float64(p[i]) * FIXED)
        truth[bin_of] += codes[i] == (top[i] if label < 0 else label)


@compiled
def _cure_sums(
    logs: bool,
    beta: Any,
    offsets: Array,
    moments: Array,
    wide: Array,
    z: Array,
    v: Array,
    w: Array,
    top: Array,
    largest: Array,
    rows_of: Array,
    powers: Array,
    part: Array,
    totals: Array,
    out: Array,
) -> None:
    rest, highest = rows_of[0], rows_of[1]
    ladder.centre(wide, logs, z, v, top, largest, highest)
    ladder.cured(z, beta, offsets, w, v, top, highest)
    ladder.rest_of(v, top, rest)
    ladder.moments(z, v, rest, highest, out)
    ladder.fixed_sums(out[: moments.shape[0]], moments)
