"""Rows of probabilities compiled: nats and hits, and in one go what they add up to, while they are in the first cache."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from xent.kernels.by_column import ByColumn
from xent.kernels.elementary_numba import compiled, inner, neg_log, read_only
from xent.kernels.scalars_numba import called_by_loops
from xent.kernels.score_numpy import SUM_TOLERANCE, apart
from xent.kernels.sums_numba import ROWS, accumulate, accumulate_blocks, scratch
from xent.kernels.tiles_numba import LANES, MOST_CLASSES, look_at_columns, look_at_rows

__all__ = ["add_probability_rows", "parts", "probability_rows"]

_compile_check = called_by_loops({"error_model": "numpy", "fastmath": {"reassoc", "nsz"}})

STEP = 3 * ROWS  # rows that are added up at a time: as many as the tables of `accumulate` hold
FEW = 64  # rows that are looked at one by one where one of them is set apart
Array = Any  # of the shape and dtype that score_numpy gives


def probability_rows(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.probability_rows."""
    codes = read_only(codes)
    smallest = np.ones(LANES[block.itemsize], block.dtype)
    if _by_column(block):
        return bool(_columns(_begin(block), codes, nats, hits, smallest, _room(smallest)))
    if block.shape[1] > MOST_CLASSES:
        return bool(_probability_rows(read_only(block), codes, nats, hits, np.empty(ROWS)))
    rows = len(codes) if block.flags.c_contiguous else ROWS
    u = np.empty(ROWS)
    legal_parts = [
        _few_rows(read_only(np.ascontiguousarray(part[0])), *part[1:], smallest, u)
        for part in parts(block, codes, nats, hits, rows=rows)
    ]
    return all(legal_parts)


def _by_column(block: Array) -> bool:
    """Whether there are enough rows, and those of a column lie side by side."""
    if len(block) < LANES[block.itemsize]:
        return False
    return isinstance(block, ByColumn) or bool(block.strides[0] == block.itemsize)


def _begin(block: Array) -> Array:
    """Where its columns begin."""
    if isinstance(block, ByColumn):
        return np.array([column.__array_interface__["data"][0] for column in block.columns])
    return block.ctypes.data + block.strides[1] * np.arange(block.shape[1])


def _room(smallest: Array) -> Array:
    """For the numbers of the labels of a block of rows."""
    return np.empty(len(smallest) + ROWS)


def parts(*arrays: Array, rows: int = ROWS) -> Iterator[tuple[Array, ...]]:
    """So many rows of each at a time."""
    for start in range(0, len(arrays[0]), rows):
        yield tuple(array[start : start + rows] for array in arrays)


def add_probability_rows(
    block: Array,
    codes: Array,
    hits: Array,
    class_sums: Array,
    bins: Array,
    squares: Array,
    border: float,
    rows: Array,
    nats: Array,
) -> tuple[bool, int, int]:
    """As score_numpy.add_probability_rows."""
    codes = read_only(codes)
    by_column = _by_column(block)
    block = block if by_column else np.asarray(block)
    if not by_column and not (block.flags.c_contiguous and block.shape[1] <= MOST_CLASSES):
        every, odd = np.empty(len(codes)), np.empty(len(codes), np.bool_)
        legal = probability_rows(block, codes, every, hits)
        left_out = accumulate(every, codes, class_sums, bins, squares, odd)
        return legal, apart(every, odd, border, rows, nats), left_out
    smallest = np.ones(LANES[block.itemsize], block.dtype)
    u, out, odd = _room(smallest), np.empty(STEP), np.empty(STEP, np.bool_)
    sums = (class_sums, bins, squares, odd, *scratch(len(class_sums)))
    if by_column:
        legal, found, left_out = _add_columns(
            _begin(block), codes, out, hits, smallest, u, border, rows, nats, odd, sums
        )
    else:
        legal, found, left_out = _add_few(
            read_only(block), codes, out, hits, smallest, u, border, rows, nats, odd, sums
        )
    return bool(legal), int(found), int(left_out)


@_compile_check
def _look_at_rows(p: Array, codes: Array, own: Array, hits: Array) -> int:
    """Each row's sum and extremes, in any order of operations: how many rows are legal, and which are hits."""
    legal = 0
    for i in range(own.shape[0]):
        row = p[i]
        total = row[0] - row[0]
        largest = smallest = row[0]
        for v in row:
            total += v
            largest = max(largest, v)
            smallest = min(smallest, v)
        mine = row[codes[i]]
        own[i] = min(mine, 1.0)
        hits[i] = mine == largest
        legal += (abs(total - 1.0) <= SUM_TOLERANCE) & (smallest >= 0.0)
    return legal


@inner
def _first_of_equal(p: Array, codes: Array, hits: Array, rows: int) -> None:
    """Take back the hits of rows where an earlier class is as probable as the label."""
    for i in range(rows):
        if hits[i]:
            row = p[i]
            mine = row[codes[i]]
            equal = 0
            for v in row:
                equal += v == mine
            if equal > 1:
                for j in range(codes[i]):
                    hits[i] &= row[j] != mine


@compiled
def _probability_rows(block: Array, codes: Array, nats: Array, hits: Array, u: Array) -> bool:
    legal = 0
    for start in range(0, nats.shape[0], ROWS):
        out = nats[start : start + ROWS]
        rows = out.shape[0]
        legal += _look_at_rows(block[start:], codes[start:], u[:rows], hits[start:])
        _first_of_equal(block[start:], codes[start:], hits[start:], rows)
        neg_log(u[:rows], out)
    return legal == nats.shape[0]


@compiled
def _few_rows(block: Array, codes: Array, nats: Array, hits: Array, smallest: Array, u: Array) -> bool:
    return _few_probabilities(block, codes, nats, hits, smallest, u) and _none_below_0(smallest)


@inner
def _few_probabilities(block: Array, codes: Array, nats: Array, hits: Array, smallest: Array, u: Array) -> bool:
    """`_probability_rows` for rows of up to MOST_CLASSES in C order; `smallest` gets below 0 where a row is not legal."""
    legal = 0
    lanes, classes = smallest.shape[0], block.shape[1]
    for start in range(0, nats.shape[0], ROWS):
        p, own, hit, out = block[start:], codes[start:], hits[start:], nats[start : start + ROWS]
        rows = out.shape[0]
        seen = 0
        while seen + lanes <= rows and (seen + lanes - 1) * classes + MOST_CLASSES <= p.shape[0] * classes:
            look_at_rows(p, own, seen, u, hit, smallest)
            seen += lanes
        legal += seen + _look_at_rows(p[seen:], own[seen:], u[seen:rows], hit[seen:])
        _first_of_equal(p[seen:], own[seen:], hit[seen:], rows - seen)
        neg_log(u[:rows], out)
    return legal == nats.shape[0]


@inner
def _none_below_0(smallest: Array) -> bool:
    below = 0
    for v in smallest:
        below += not v >= 0.0
    return below == 0


@compiled
def _columns(columns: Array, codes: Array, nats: Array, hits: Array, smallest: Array, u: Array) -> bool:
    _probability_columns(columns, 0, codes, nats, hits, smallest, u)
    return _none_below_0(smallest)


@inner
def _probability_columns(
    columns: Array, first: int, codes: Array, nats: Array, hits: Array, smallest: Array, u: Array
) -> None:
    """Rows from `first` on, as many as nats, of columns that begin at these addresses; at least a tile is before their end.

    u: room for a tile before that of ROWS numbers: the last tile of a block reaches back to where there are enough rows.
    """
    lanes = smallest.shape[0]
    for start in range(0, nats.shape[0], ROWS):
        out = nats[start : start + ROWS]
        rows = out.shape[0]
        for i in range(0, rows, lanes):
            to = min(i, rows - lanes)
            look_at_columns(columns, codes, first + start + to, u, lanes + to, hits, smallest)
        neg_log(u[lanes : lanes + rows], out)


@compiled
def _add_few(
    block: Array,
    codes: Array,
    out: Array,
    hits: Array,
    smallest: Array,
    u: Array,
    border: float,
    rows: Array,
    nats: Array,
    odd: Array,
    sums: Any,
) -> tuple[bool, Any, Any]:
    legal, omitted = True, 0
    found = np.int64(0)  # not a literal: else `_set_apart` is compiled twice
    for start in range(0, codes.shape[0], STEP):
        code = codes[start : start + STEP]
        given = out[: code.shape[0]]
        legal &= _few_probabilities(block[start:], code, given, hits[start:], smallest, u)
        left_out = accumulate_blocks(given, code, *sums)
        found = _set_apart(given, odd, left_out, border, start, rows, nats, found)
        omitted += left_out
    return legal and _none_below_0(smallest), found, omitted


@compiled
def _add_columns(
    columns: Array,
    codes: Array,
    out: Array,
    hits: Array,
    smallest: Array,
    u: Array,
    border: float,
    rows: Array,
    nats: Array,
    odd: Array,
    sums: Any,
) -> tuple[bool, Any, Any]:
    omitted = 0
    found = np.int64(0)  # not a literal: else `_set_apart` is compiled twice
    for start in range(0, codes.shape[0], STEP):
        code = codes[start : start + STEP]
        given = out[: code.shape[0]]
        _probability_columns(columns, start, codes, given, hits, smallest, u)
        left_out = accumulate_blocks(given, code, *sums)
        found = _set_apart(given, odd, left_out, border, start, rows, nats, found)
        omitted += left_out
    return _none_below_0(smallest), found, omitted


@inner
def _set_apart(
    given: Array, odd: Array, left_out: int, border: float, start: int, rows: Array, nats: Array, found: Any
) -> Any:
    """Rows of more nats than the border, and those left out of the sums: how many there are now."""
    for first in range(0, given.shape[0], FEW):
        own = given[first : first + FEW]
        above = left_out
        for i in range(own.shape[0]):
            above += own[i] > border
        if above:
            for i in range(own.shape[0]):
                if (own[i] > border) | (left_out > 0 and odd[first + i]):
                    rows[found], nats[found] = start + first + i, own[i]
                    found += 1
    return found
