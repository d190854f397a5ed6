"""The kernels of `score_numpy` compiled with Numba: the same arguments, the same bits, several times faster.

Plain loops with `nogil`, so that threads run them side by side; no `parallel=True`, whose thread layers abort a
process on concurrent calls or after a fork; no fastmath where a result depends on the order of operations. Loops that
count from 0 need no test for negative indices, and so vectorise; an array and its view as int64 are never touched in
one loop, because that would stop it too.
"""

from typing import Any

import numba
import numpy as np

from xent.kernels import elementary as el
from xent.kernels.score_numpy import BINS, BINS_PER_NAT, LARGEST, SMALLEST, SUM_TOLERANCE

__all__ = [
    "BLOCK_NUMBERS",
    "MAX_ROWS",
    "accumulate",
    "logit_column",
    "logit_rows",
    "probability_column",
    "probability_rows",
]

_compile = numba.njit(nogil=True, error_model="numpy", cache=True)
_formula = numba.njit(error_model="numpy", inline="always")
_log_of_parts = _formula(el.log_of_parts)
_error_of_one_plus = _formula(el.error_of_one_plus)
_error_of_one_minus = _formula(el.error_of_one_minus)
_exp_steps = _formula(el.exp_steps)
_exp_rest = _formula(el.exp_rest)
_exp_reduced = _formula(el.exp_reduced)

OFFSET = el.ONE_BITS - el.SQRT_HALF_BITS
EXP_ZERO = el.EXP_ZERO
MAX_ROWS = 1 << 16
BLOCK_NUMBERS = 1 << 20
ROWS = 2048  # of the scratch arrays, which so stay in the first-level cache
Array = Any  # of the shape and dtype that score_numpy gives


def probability_rows(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.probability_rows."""
    return bool(_probability_rows(block, codes, nats, hits, *_scratch(ROWS)))


def probability_column(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.probability_column."""
    return bool(_probability_column(block, codes, nats, hits, np.empty(ROWS), *_scratch(ROWS)))


def logit_rows(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.logit_rows."""
    rows, classes = block.shape
    powers = np.empty((2, classes))
    terms = np.empty(classes)
    scratch = (terms, powers, powers.view(np.int64), *np.empty((3, rows)), *_scratch(rows))
    return bool(_logit_rows(block, codes, nats, hits, *scratch))


def logit_column(block: Array, codes: Array, nats: Array, hits: Array) -> bool:
    """As score_numpy.logit_column."""
    rows = len(nats)
    powers = np.empty((2, rows))
    scratch = (np.empty(rows), powers, powers.view(np.int64), *np.empty((2, rows)), *_scratch(rows))
    return bool(_logit_column(block, codes, nats, hits, *scratch))


def _scratch(rows: int) -> tuple[Array, Array]:
    numbers = np.empty(rows)
    return numbers, numbers.view(np.int64)


@_compile
def _neg_log(u: Array, bits: Array, nats: Array) -> None:
    """−log(u) into nats; `bits` is `u` seen as int64, and both are overwritten."""
    for i in range(u.shape[0]):
        v = u[i]
        small = v < 2.0**-1022
        special = np.inf if v == 0.0 else np.nan
        nats[i] = (54.0 if small else 0.0) if (v > 0.0) & (v < np.inf) else special
        u[i] = v * 2.0**54 if small else v
    for i in range(u.shape[0]):
        k = ((bits[i] + OFFSET) >> 52) - 1023
        bits[i] -= k << 52
        nats[i] = np.float64(k) - nats[i]
    for i in range(u.shape[0]):
        nats[i] = -_log_of_parts(u[i] - 1.0, nats[i])


@_compile
def _exp(x: Array, out: Array, powers: Array, power_bits: Array) -> None:
    """exp(x) for x ≤ 0 into out, which may be x; `power_bits` is `powers` (2, size) seen as int64."""
    first, second = power_bits[0], power_bits[1]
    for j in range(x.shape[0]):
        v = EXP_ZERO if x[j] < EXP_ZERO else x[j]
        steps = _exp_steps(v)
        out[j] = _exp_reduced(_exp_rest(v, steps), steps)
        k = np.int64(steps)
        half = k >> 1
        first[j] = (half + 1023) << 52
        second[j] = (k - half + 1023) << 52
    scale, scale_again = powers[0], powers[1]
    for j in range(x.shape[0]):
        out[j] = out[j] * scale[j] * scale_again[j]


@_compile
def _probability_rows(block: Array, codes: Array, nats: Array, hits: Array, u: Array, bits: Array) -> bool:
    classes = block.shape[1]
    legal = 0
    for start in range(0, nats.shape[0], ROWS):
        p, code, out, hit = block[start:], codes[start:], nats[start : start + ROWS], hits[start:]
        rows = out.shape[0]
        for i in range(rows):
            total = 0.0
            largest = p[i, 0]
            smallest = largest
            first = 0
            for j in range(classes):
                v = p[i, j]
                total += v
                smallest = v if v < smallest else smallest
                first = j if v > largest else first
                largest = v if v > largest else largest
            own = p[i, code[i]]
            u[i] = own if own < 1.0 else 1.0
            hit[i] = first == code[i]
            legal += (abs(total - 1.0) <= SUM_TOLERANCE) & (smallest >= 0.0)
        _neg_log(u[:rows], bits[:rows], out)
    return legal == nats.shape[0]


@_compile
def _probability_column(
    block: Array, codes: Array, nats: Array, hits: Array, error: Array, u: Array, bits: Array
) -> bool:
    legal = 0
    for start in range(0, nats.shape[0], ROWS):
        p, code, out, hit = block[start:], codes[start:], nats[start : start + ROWS], hits[start:]
        rows = out.shape[0]
        for i in range(rows):
            v = np.float64(p[i])
            positive = code[i] == 1
            rest = 1.0 - v
            u[i] = v if positive else rest
            lost = 0.0 if positive else _error_of_one_minus(v, rest)
            error[i] = 0.0 if u[i] == 0.0 else lost / u[i]
            hit[i] = (v > 0.5) == positive
            legal += (v >= 0.0) & (v <= 1.0)
        _neg_log(u[:rows], bits[:rows], out)
        for i in range(rows):
            out[i] -= error[i]
    return legal == nats.shape[0]


@_compile
def _neg_log1p(r: Array, nats: Array, error: Array, u: Array, bits: Array) -> None:
    """−log(1 + r) into nats for r ≥ 0."""
    for i in range(r.shape[0]):
        u[i] = 1.0 + r[i]
        error[i] = _error_of_one_plus(r[i], u[i]) / u[i]
    _neg_log(u, bits, nats)
    for i in range(r.shape[0]):
        nats[i] -= error[i]


@_compile
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
    bits: Array,
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
        _exp(terms, terms, powers, power_bits)
        total = 0.0
        for j in range(classes):
            total += 0.0 if j == first else terms[j]
        rest[i] = total if numbers else np.nan
        behind[i] = peak - np.float64(block[i, codes[i]])
        hits[i] = first == codes[i]
        legal += numbers & (abs(peak) < np.inf)
    _neg_log1p(rest, nats, error, u, bits)
    for i in range(rows):
        nats[i] = behind[i] - nats[i]
    return legal == rows


@_compile
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
    bits: Array,
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
    _exp(terms, terms, powers, power_bits)
    _neg_log1p(terms, nats, error, u, bits)
    for i in range(nats.shape[0]):
        nats[i] = against[i] - nats[i]
    return legal == nats.shape[0]


@_compile
def accumulate(nats: Array, codes: Array, class_sums: Array, bins: Array, squares: Array, odd: Array) -> int:
    """As score_numpy.accumulate."""
    left_out = 0
    first = second = third = np.int64(0)
    for i in range(nats.shape[0]):
        v = nats[i]
        inside = (v >= SMALLEST) & (v <= LARGEST)
        odd[i] = (not inside) & (v != 0.0)
        left_out += odd[i]
        v = v if inside else 0.0
        rest = (v * v) * 2.0**26
        whole = np.int64(rest)
        first += whole
        rest = (rest - np.float64(whole)) * 2.0**43
        whole = np.int64(rest)
        second += whole
        third += np.int64((rest - np.float64(whole)) * 2.0**43)
    squares[0] += first
    squares[1] += second
    squares[2] += third
    for i in range(nats.shape[0]):
        if odd[i]:
            continue
        rest = nats[i] * 2.0**30
        whole = np.int64(rest)
        bin_of = min(np.int64(nats[i] * BINS_PER_NAT), BINS)
        bins[bin_of, 0] += 1
        bins[bin_of, 1] += whole
        rest = (rest - np.float64(whole)) * 2.0**26
        middle = np.int64(rest)
        code = codes[i]
        class_sums[code, 0] += 1
        class_sums[code, 1] += whole
        class_sums[code, 2] += middle
        class_sums[code, 3] += np.int64((rest - np.float64(middle)) * 2.0**26)
    return left_out
