"""The kernels of `score_numpy` compiled with Numba: the same arguments, the same bits, several times faster.

Plain loops with `nogil`, so that threads run them side by side; no `parallel=True`, whose thread layers abort a
process on concurrent calls or after a fork; no fastmath where a result depends on the order of operations. Loops that
count from 0 need no test for negative indices, and so vectorise.
"""

from typing import Any

import numba
import numpy as np

from xent.kernels import elementary as el
from xent.kernels.elementary_numba import compiled, exp, neg_log, neg_log1p, read_only
from xent.kernels.probabilities_numba import add_probability_rows, parts, probability_rows
from xent.kernels.sums_numba import ROWS, accumulate, accumulate_keyed
from xent.kernels.text_numba import text_codes

__all__ = [
    "BLOCK_NUMBERS",
    "MAX_ADDED",
    "MAX_ROWS",
    "accumulate",
    "accumulate_keyed",
    "add_probability_rows",
    "logit_column",
    "logit_rows",
    "probability_column",
    "probability_rows",
    "rows_above",
    "text_codes",
]

_error_of_one_minus = numba.njit(el.error_of_one_minus, inline="always")

MAX_ROWS = 3 << 15  # whose nats stay in the second-level cache
MAX_ADDED = 1 << 19  # whose nats do not: calls are few, as threads take turns with the lock between them
BLOCK_NUMBERS = 1 << 40
Array = Any  # of the shape and dtype that score_numpy gives


def probability_column(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.probability_column."""
    return bool(_probability_column(read_only(block), read_only(codes), nats, hits, *np.empty((2, ROWS))))


def logit_rows(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.logit_rows."""
    classes = block.shape[1]
    powers = np.empty((2, classes))
    scratch = (np.empty(classes), powers, powers.view(np.int64), *np.empty((4, ROWS)))
    legal = [_logit_rows(*part, *scratch) for part in parts(read_only(block), read_only(codes), nats, hits)]
    return all(legal)


def logit_column(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.logit_column."""
    powers = np.empty((2, ROWS))
    scratch = (np.empty(ROWS), powers, powers.view(np.int64), *np.empty((3, ROWS)))
    legal = [_logit_column(*part, *scratch) for part in parts(read_only(block), read_only(codes), nats, hits)]
    return all(legal)


def rows_above(nats: Array, border: float) -> Array:
    """As score_numpy.rows_above."""
    rows = np.empty(len(nats), np.int64)  # of which the system gives only what is written
    return rows[: _find_above(nats, border, rows)]


@compiled
def _find_above(nats: Array, border: float, rows: Array) -> int:
    """How many there are; where a block has none, its rows are not looked at one by one."""
    found = 0
    for start in range(0, nats.shape[0], ROWS):
        own = nats[start : start + ROWS]
        above = 0
        for i in range(own.shape[0]):
            above += own[i] > border
        if above:
            for i in range(own.shape[0]):
                if own[i] > border:
                    rows[found] = start + i
                    found += 1
    return found


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
