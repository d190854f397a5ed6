"""The kernels of `score_numpy` compiled with Numba: the same arguments, the same bits, several times faster.

Plain loops with `nogil`, so that threads run them side by side; no `parallel=True`, whose thread layers abort a
process on concurrent calls or after a fork; no fastmath where a result depends on the order of operations. Loops that
count from 0 need no test for negative indices, and so vectorise.
"""

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np

from xent.kernels import elementary as el
from xent.kernels.elementary_numba import compiled, exp, neg_log, neg_log1p
from xent.kernels.score_numpy import SUM_TOLERANCE
from xent.kernels.sums_numba import ROWS, accumulate, accumulate_keyed
from xent.kernels.text_numba import text_codes
from xent.kernels.tiles_numba import LANES, MOST_CLASSES, look_at_columns, look_at_rows

__all__ = [
    "BLOCK_NUMBERS",
    "MAX_ROWS",
    "accumulate",
    "accumulate_keyed",
    "logit_column",
    "logit_rows",
    "probability_column",
    "probability_rows",
    "rows_above",
    "text_codes",
]

_compile_check = numba.njit(nogil=True, error_model="numpy", cache=True, fastmath={"reassoc", "nsz"})
_error_of_one_minus = numba.njit(el.error_of_one_minus, inline="always")

MAX_ROWS = 3 << 15  # whose nats stay in the second-level cache
BLOCK_NUMBERS = 1 << 40
Array = Any  # of the shape and dtype that score_numpy gives


def probability_rows(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.probability_rows."""
    smallest = np.ones(LANES[block.itemsize], block.dtype)
    if block.strides[0] == block.itemsize and len(block) > 1:
        own = np.empty(ROWS, block.dtype)
        return bool(_probability_columns(block.T, codes, nats, hits, own, smallest, np.empty(ROWS)))
    if block.shape[1] > MOST_CLASSES:
        return bool(_probability_rows(block, codes, nats, hits, np.empty(ROWS)))
    rows = len(codes) if block.flags.c_contiguous else ROWS
    legal = [
        _few_probabilities(np.ascontiguousarray(part[0]), *part[1:], smallest, np.empty(ROWS))
        for part in _parts(block, codes, nats, hits, rows=rows)
    ]
    return all(legal)


def probability_column(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.probability_column."""
    return bool(_probability_column(block, codes, nats, hits, *np.empty((2, ROWS))))


def logit_rows(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.logit_rows."""
    classes = block.shape[1]
    powers = np.empty((2, classes))
    scratch = (np.empty(classes), powers, powers.view(np.int64), *np.empty((4, ROWS)))
    legal = [_logit_rows(*part, *scratch) for part in _parts(block, codes, nats, hits)]
    return all(legal)


def logit_column(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.logit_column."""
    powers = np.empty((2, ROWS))
    scratch = (np.empty(ROWS), powers, powers.view(np.int64), *np.empty((3, ROWS)))
    legal = [_logit_column(*part, *scratch) for part in _parts(block, codes, nats, hits)]
    return all(legal)


def rows_above(nats: Array, border: float) -> Array:
    """As score_numpy.rows_above."""
    rows = np.empty(_count_above(nats, border), np.int64)
    if len(rows):
        _find_above(nats, border, rows)
    return rows


def _parts(*arrays: Array, rows: int = ROWS) -> Iterator[tuple[Array, ...]]:
    for start in range(0, len(arrays[0]), rows):
        yield tuple(array[start : start + rows] for array in arrays)


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


@compiled
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
def _count_above(nats: Array, border: float) -> int:
    found = 0
    for i in range(nats.shape[0]):
        found += nats[i] > border
    return found


@compiled
def _find_above(nats: Array, border: float, rows: Array) -> None:
    """A block that has none is not gone through twice."""
    found = 0
    for start in range(0, nats.shape[0], ROWS):
        own = nats[start : start + ROWS]
        if _count_above(own, border):
            for i in range(own.shape[0]):
                if own[i] > border:
                    rows[found] = start + i
                    found += 1


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
def _few_probabilities(block: Array, codes: Array, nats: Array, hits: Array, smallest: Array, u: Array) -> bool:
    """`_probability_rows` for rows of up to MOST_CLASSES in C order."""
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
    return legal == nats.shape[0] and smallest.min() >= 0.0


@compiled
def _probability_columns(
    p: Array,
    codes: Array,
    nats: Array,
    hits: Array,
    own: Array,
    smallest: Array,
    u: Array,
) -> bool:
    """`_probability_rows` for (classes, rows)."""
    legal = 0
    lanes = smallest.shape[0]
    for start in range(0, nats.shape[0], ROWS):
        column, code, hit, out = p[:, start:], codes[start:], hits[start:], nats[start : start + ROWS]
        rows = out.shape[0]
        for i in range(rows):
            own[i] = column[code[i], i]
        for i in range(rows):
            u[i] = min(np.float64(own[i]), 1.0)
        seen = rows // lanes * lanes
        for i in range(0, seen, lanes):
            look_at_columns(column, code, i, own, hit, smallest)
        legal += seen + _look_at_rows(column.T[seen:], code[seen:], u[seen:rows], hit[seen:])
        _first_of_equal(column.T[seen:], code[seen:], hit[seen:], rows - seen)
        neg_log(u[:rows], out)
    return legal == nats.shape[0] and smallest.min() >= 0.0


@compiled
def _probability_column(block: Array, codes: Array, nats: Array, hits: Array, error: Array, u: Array) -> bool:
    legal = 0
    for start in range(0, nats.shape[0], ROWS):
        p, code, out, hit = block[start:], codes[start:], nats[start : start + ROWS], hits[start:]
        rows = out.shape[0]
        for i in range(rows):
            v = np.float64(p[i])
            positive = code[i] == 1
            rest = 1.0 - v
            u[i] = v if positive else rest
            error[i] = 0.0 if positive else _error_of_one_minus(v, rest)
            hit[i] = (v > 0.5) == positive
            legal += (v >= 0.0) & (v <= 1.0)
        neg_log(u[:rows], out)
        for i in range(rows):
            out[i] -= error[i]
    return legal == nats.shape[0]


@compiled
def _logit_rows(
    block: Array,
    codes: Array,
    nats: Array,
    hits: Array,
    terms: Array,
    powers: Array,
    power_bits: Array,
    behind: Array,
    rest: Array,
    error: Array,
    u: Array,
) -> bool:
    rows, classes = block.shape
    legal = 0
    for i in range(rows):
        peak = np.float64(block[i, 0])
        first = 0
        numbers = peak == peak
        for j in range(classes):
            z = np.float64(block[i, j])
            numbers &= z == z
            first = j if z > peak else first
            peak = z if z > peak else peak
        for j in range(classes):
            terms[j] = np.float64(block[i, j]) - peak
        exp(terms, terms, powers, power_bits)
        total = 0.0
        for j in range(classes):
            total += 0.0 if j == first else terms[j]
        rest[i] = total if numbers else np.nan
        behind[i] = peak - np.float64(block[i, codes[i]])
        hits[i] = first == codes[i]
        legal += numbers & (abs(peak) < np.inf)
    neg_log1p(rest[:rows], nats, error, u[:rows])
    for i in range(rows):
        nats[i] = behind[i] - nats[i]
    return legal == rows


@compiled
def _logit_column(
    block: Array,
    codes: Array,
    nats: Array,
    hits: Array,
    against: Array,
    powers: Array,
    power_bits: Array,
    terms: Array,
    error: Array,
    u: Array,
) -> bool:
    legal = 0
    for i in range(nats.shape[0]):
        z = np.float64(block[i])
        positive = codes[i] == 1
        signed = -z if positive else z
        against[i] = signed if signed > 0.0 else 0.0
        terms[i] = -abs(z)
        hits[i] = (z > 0.0) == positive
        legal += z == z
    rows = nats.shape[0]
    exp(terms[:rows], terms, powers, power_bits)
    neg_log1p(terms[:rows], nats, error, u[:rows])
    for i in range(nats.shape[0]):
        nats[i] = against[i] - nats[i]
    return legal == nats.shape[0]
