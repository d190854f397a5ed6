"""The kernels of `survey_numpy` compiled: the same arguments, the same bits."""

import math
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import numpy as np

from xent.kernels import ladder_numba as ladder
from xent.kernels import reliable_numba as reliable_odds
from xent.kernels import temper_numba as temper
from xent.kernels.costs_numba import TOGETHER, costs
from xent.kernels.elementary_numba import compiled, read_only
from xent.kernels.ladder_numpy import LOWEST, NOTHING
from xent.kernels.temper_numpy import TEMPERED, tempered

__all__ = ["cure_sums", "survey"]

Array = Any
NUMBERS = 1 << 14  # of a block, so that its arrays stay in the second-level cache
LINE = 64  # bytes
LEAST, MOST = 128, 512  # rows of a block, of which SPAN are a round of every loop


def survey(block: Array, logs: bool, codes: Array, grid: Array, moments: Array, cost: Array, reliable: Array) -> None:
    """As survey_numpy.survey."""
    counts = np.empty(reliable.shape[1:], np.int64)
    classes = cost.shape[1]
    (by_label,) = _by_lines(((-(-classes // TOGETHER), classes, TOGETHER), np.dtype(np.int64)))
    by_label[:] = 0
    for rows, scratch in _whole_and_rest(block, len(moments)):
        sums = (grid, moments, cost[1], by_label, reliable, counts)
        _survey_blocks(*_numbers(block[rows]), logs, read_only(codes[rows]), *sums, *scratch)
    for group, found in enumerate(by_label):
        own = cost[0, :, group * TOGETHER : (group + 1) * TOGETHER]
        own += found[:, : own.shape[1]]


def cure_sums(block: Array, logs: bool, beta: float, offsets: Array, moments: Array) -> None:
    """As survey_numpy.cure_sums."""
    for rows, scratch in _whole_and_rest(block, len(moments)):
        _cure_blocks(*_numbers(block[rows]), logs, len(block[rows]), np.float32(beta), offsets, moments, *scratch)


def _numbers(block: Array) -> tuple[Array, int, tuple[int, int]]:
    """A block as `_columns` takes it."""
    block = block[:, None] if block.ndim == 1 else block
    block = block if block.dtype == np.float32 else block.astype(np.float64, copy=False)
    if min(block.strides) < 0 or any(step % block.itemsize for step in block.strides):
        block = np.ascontiguousarray(block)
    rows, classes = (step // block.itemsize for step in block.strides)
    size = (len(block) - 1) * rows + (block.shape[1] - 1) * classes + 1 if len(block) else 0
    numbers = np.lib.stride_tricks.as_strided(block, (size,), (block.itemsize,))
    return read_only(numbers), block.shape[1], (rows, classes)


def _whole_and_rest(block: Array, numbers: int) -> Iterator[tuple[slice, tuple[Array, ...]]]:
    """The rows that are whole blocks, and those left over, each with scratch arrays of a block."""
    if not len(block):
        return
    size, scratch = _scratch(block, numbers)
    whole = len(block) // size * size
    yield slice(0, whole), scratch
    if whole < len(block):
        yield slice(whole, len(block)), _scratch(block[whole:], numbers)[1]


def _scratch(block: Array, numbers: int) -> tuple[int, tuple[Array, ...]]:
    """How many rows make a block, and arrays for them."""
    classes = 2 if block.ndim == 1 else block.shape[1]
    rows = min(max(LEAST, min(MOST, NUMBERS // classes // temper.SPAN * temper.SPAN)), len(block))
    single = np.dtype(np.float32)
    wide = single if block.dtype == single else np.dtype(np.float64)
    return rows, _by_lines(
        ((classes, rows), wide),
        ((3, classes, rows), single),
        ((rows,), np.dtype(np.int32)),
        ((rows,), wide),
        ((4, rows), single),
        ((TEMPERED * temper.SPAN,), single),
        ((TEMPERED * temper.SPAN,), np.dtype(np.float64)),
        ((2, tempered(classes) * temper.WIDTH), np.dtype(np.int32)),
        ((min(numbers, 3 + 2 * classes), rows), single),
        ((TOGETHER, rows), np.dtype(np.int64)),
        ((classes, rows), np.dtype(np.int32)),
    )


def _by_lines(*arrays: tuple[tuple[int, ...], np.dtype[Any]]) -> tuple[Array, ...]:
    """Arrays side by side, each from where a line of the cache begins; behind each is a line more."""
    sizes = [math.prod(shape) * dtype.itemsize for shape, dtype in arrays]
    ends = list(accumulate(size // LINE * LINE + 2 * LINE for size in sizes))
    memory = np.empty(ends[-1] + LINE, np.uint8)
    start = -memory.__array_interface__["data"][0] % LINE
    return tuple(
        memory[start + end : start + end + size].view(dtype).reshape(shape)
        for end, size, (shape, dtype) in zip([0, *ends], sizes, arrays, strict=False)
    )


@compiled
def _columns(
    numbers: Array, classes: int, steps: tuple[int, int], start: int, logs: bool, wide: Array
) -> tuple[Array, int, int]:
    """Rows from `start` on as `ladder.centre` takes them: where they are, if a class's lie side by side, or copied to `wide`.

    numbers: those of the rows, `steps` apart from row to row and from class to class; of one class, the second of two.
    """
    if steps[0] == 1 and classes == wide.shape[0]:
        return numbers, start, steps[1]
    one, zero = wide.dtype.type(1), wide.dtype.type(0)
    rows = wide.shape[1]
    for j in range(classes):
        first = start * steps[0] + j * steps[1]
        for i in range(rows):
            wide[j, i] = numbers[np.uint64(first + i * steps[0])]
    if classes < wide.shape[0]:
        for i in range(rows):
            v = wide[0, i]
            wide[1, i] = v
            wide[0, i] = zero if logs else one - v
    return wide.reshape(-1), 0, rows


@compiled
def _survey_blocks(
    numbers: Array,
    classes: int,
    steps: tuple[int, int],
    logs: bool,
    codes: Array,
    grid: Array,
    moments: Array,
    impossible: Array,
    by_label: Array,
    reliable: Array,
    counts: Array,
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
    at: Array,
) -> None:
    rows = top.shape[0]
    blocks = 0  # that are counted but not yet counted up
    reliable_odds.empty(counts)
    temper.empty(fixed)
    for start in range(0, codes.shape[0], rows):
        given, first, step = _columns(numbers, classes, steps, start, logs, wide)
        own = codes[start : start + rows]
        if (blocks + 1) * rows > reliable_odds.MOST_ROWS:
            reliable_odds.count_up(counts, reliable)
            temper.count_up(fixed, blocks, rows, grid)
            blocks = 0
        blocks += 1
        _survey(
            given, first, step, logs, own, moments, impossible, by_label, reliable, counts, by_class, top, largest, by_row, sums, totals, fixed,
            out, whole, at,
        )  # fmt: skip
    reliable_odds.count_up(counts, reliable)
    temper.count_up(fixed, blocks, rows, grid)


@compiled
def _survey(
    given: Array,
    first: int,
    step: int,
    logs: bool,
    codes: Array,
    moments: Array,
    impossible: Array,
    by_label: Array,
    reliable: Array,
    counts: Array,
    by_class: Array,
    top: Array,
    largest: Array,
    by_row: Array,
    sums: Array,
    totals: Array,
    fixed: Array,
    out: Array,
    whole: Array,
    at: Array,
) -> None:
    z, v = by_class[0], by_class[1]
    rest, log_largest, nothing = by_row[0], by_row[1], by_row[3]
    suspect = ladder.centre(given, first, step, logs, z, v, top, largest, log_largest)
    ladder.rest_of(v, top, rest)
    for i in range(codes.shape[0]):
        nothing[i] = NOTHING
    some_impossible = suspect
    if moments.shape[0]:
        ladder.moments(z, v, rest, nothing, out)
        some_impossible = costs(z, out[0], suspect, codes, impossible, whole, by_label)
    reliable_odds.count(v, out[3 : 3 + z.shape[0]], rest, top, codes, counts, reliable[2], at, whole[0])
    left_out, skip = 0, whole[0]
    for i in range(codes.shape[0]):
        skip[i] = 0
    if some_impossible:
        for i in range(codes.shape[0]):
            skip[i] = z[codes[i], i] <= LOWEST
            left_out += skip[i]
    temper.temper(z, v, top, skip, left_out > 0, by_class[2], sums, totals, fixed)
    if left_out:
        for k in range(out.shape[0]):
            for i in range(codes.shape[0]):
                out[k, i] = NOTHING if skip[i] else out[k, i]
    ladder.small_sums(out, moments)
    ladder.pair_sums(out[3 : 3 + z.shape[0]], moments[out.shape[0] :])


@compiled
def _cure_blocks(
    numbers: Array,
    classes: int,
    steps: tuple[int, int],
    logs: bool,
    last: int,
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
    at: Array,
) -> None:
    z, v, w = by_class[0], by_class[1], by_class[2]
    rest, highest = by_row[0], by_row[1]
    rows = top.shape[0]
    for start in range(0, last, rows):
        given, first, step = _columns(numbers, classes, steps, start, logs, wide)
        ladder.centre(given, first, step, logs, z, v, top, largest, highest)
        ladder.cured(z, beta, offsets, w, v, top, highest)
        ladder.rest_of(v, top, rest)
        ladder.moments(z, v, rest, highest, out)
        ladder.fixed_sums(out, moments)
        ladder.pair_sums(out[3 : 3 + z.shape[0]], moments[out.shape[0] :])
