"""The scoring kernels spelled out in NumPy: the specification, and the core where Numba is not installed.

Every kernel takes a block of rows and writes the row's cross-entropy in nats into `nats` (rows,) float64 and into
`hits` (rows,) bool whether the label is the first most probable class. It returns whether each row is a legal
prediction; if not, what it wrote for that row means nothing and the caller finds the row and raises.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.kernels import elementary as el

__all__ = [
    "BINS",
    "BINS_PER_NAT",
    "BLOCK_NUMBERS",
    "LARGEST",
    "MAX_ROWS",
    "SMALLEST",
    "SUM_TOLERANCE",
    "accumulate",
    "exp",
    "first_largest",
    "log_probability_rows",
    "logit_column",
    "logit_rows",
    "neg_log",
    "neg_log1p",
    "neg_log1p_minus",
    "peak_nats",
    "probability_column",
    "probability_rows",
]

Floats = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

SUM_TOLERANCE = 1e-3
BINS_PER_NAT = 11.541560327111707  # 8 bins a bit: 8 / log 2
BINS = 1024  # 1/8-bit bins up to 128 bits; one more for all beyond
SMALLEST, LARGEST = 2.0**-30, 2.0**9  # nats that `accumulate` sums itself; the rest it hands back
MAX_ROWS = 1 << 14  # rows of a block
BLOCK_NUMBERS = 1 << 16  # predictions of a block, so that its float64 copies stay in the second-level cache


def neg_log(u: Float64) -> Float64:
    """−log(u): inf for 0, NaN for a negative number, for inf and for NaN."""
    scale: Any = 0.0
    if not (u.size and u.min() >= 2.0**-1022 and u.max() < np.inf):
        small = u < 2.0**-1022  # 0 and the subnormal numbers
        special = np.where(u == 0.0, np.inf, np.nan)
        scale = np.where((u > 0.0) & (u < np.inf), np.where(small, 54.0, 0.0), special)
        u = u * np.where(small, 2.0**54, 1.0)
    bits = u.view(np.int64)
    k = bits + (el.ONE_BITS - el.SQRT_HALF_BITS)
    k >>= 52
    k -= 1023
    f = (bits - (k << 52)).view(np.float64)
    f -= 1.0
    nats: Float64 = -el.log_of_parts(f, k - scale)
    return nats


def _neg_log_corrected(u: Float64, error: Float64) -> Float64:
    """−log(u + error), where u = 0 only if it is exact."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return neg_log(u) - np.where(u == 0.0, 0.0, error / u)


def neg_log1p(r: Float64) -> Float64:
    """−log(1 + r) for r ≥ 0."""
    with np.errstate(invalid="ignore"):
        u = 1.0 + r
        return _neg_log_corrected(u, el.error_of_one_plus(r, u))


def neg_log1p_minus(p: Float64) -> Float64:
    """−log(1 − p) for 0 ≤ p ≤ 1."""
    with np.errstate(invalid="ignore"):
        u = 1.0 - p
        return _neg_log_corrected(u, el.error_of_one_minus(p, u))


def exp(x: Float64) -> Float64:
    """exp(x) for x ≤ 0; NaN stays NaN."""
    with np.errstate(invalid="ignore", under="ignore"):
        x = np.where(x < el.EXP_ZERO, el.EXP_ZERO, x)
        steps = el.exp_steps(x)
        mantissa = el.exp_reduced(el.exp_rest(x, steps), steps)
        k = steps.astype(np.int64)
        half = k >> 1
        return np.asarray(mantissa * _power_of_two(half) * _power_of_two(k - half))


def _power_of_two(k: Int64) -> Float64:
    return np.asarray((k + 1023) << 52).view(np.float64)


def _of_label(block: Floats, codes: Int64) -> Float64:
    return np.asarray(block[np.arange(len(codes)), codes], np.float64)


def first_largest(block: Floats) -> Int64:
    """The column of each row's largest entry, the first one of several."""
    return np.asarray(np.argmax(block, axis=1))


def probability_rows(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """Rows of probabilities (rows, classes)."""
    nats[:] = neg_log(np.minimum(_of_label(block, codes), 1.0))  # 1 + round-off costs nothing
    np.equal(first_largest(block), codes, out=hits)
    sums = block @ np.ones(block.shape[1], block.dtype)
    return bool(block.min() >= 0.0 and (np.abs(sums - 1.0) <= SUM_TOLERANCE).all())


def probability_column(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """The probability of the second of two classes (rows,)."""
    p = block.astype(np.float64)
    positive = codes == 1
    with np.errstate(invalid="ignore"):
        u = np.where(positive, p, 1.0 - p)
        error = np.where(positive, 0.0, el.error_of_one_minus(p, u))
    nats[:] = _neg_log_corrected(u, error)
    np.equal(p > 0.5, positive, out=hits)
    return bool(p.min() >= 0.0 and p.max() <= 1.0)


def logit_rows(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """Rows of logits (rows, classes): how far the label is behind the peak, plus `peak_nats`."""
    z = block.astype(np.float64)
    peaks = first_largest(z)
    peak, peak_loss = peak_nats(z, peaks)
    with np.errstate(invalid="ignore"):
        nats[:] = (peak - _of_label(z, codes)) + peak_loss
    np.equal(peaks, codes, out=hits)
    return bool(np.isfinite(peak).all())


def peak_nats(z: Float64, peaks: Int64) -> tuple[Float64, Float64]:
    """The largest logit of each row, at column `peaks`, and its cross-entropy: log1p of the others' exp(z − peak).

    The peak's own term stays out of the sum, so a loss of 1e-30 is 1e-30 and not 0.
    """
    rows = np.arange(len(z))
    peak = z[rows, peaks]
    with np.errstate(invalid="ignore"):
        terms = exp(z - peak[:, None])
        terms[rows, peaks] = 0.0
        rest = np.add.accumulate(terms, axis=1, out=terms)[:, -1]  # accumulate adds from left to right
        return peak, -neg_log1p(rest)


def logit_column(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """The logit of the second of two classes (rows,): softplus(−z) for it, softplus(z) for the first."""
    z = block.astype(np.float64)
    against = np.where(codes == 1, -z, z)
    with np.errstate(invalid="ignore"):
        nats[:] = np.where(against > 0.0, against, 0.0) - neg_log1p(exp(-np.abs(z)))
    np.equal(z > 0.0, codes == 1, out=hits)
    return not bool(np.isnan(z).any())


def log_probability_rows(block: Floats, codes: Int64, nats: Float64, hits: Bools) -> bool:
    """Rows of log-probabilities (rows, classes)."""
    nats[:] = np.maximum(-_of_label(block, codes), 0.0)
    np.equal(first_largest(block), codes, out=hits)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.exp(block.astype(np.float64)).sum(axis=1)
    return bool((np.abs(sums - 1.0) <= SUM_TOLERANCE).all() and block.max() <= SUM_TOLERANCE)


def accumulate(nats: Float64, codes: Int64, class_sums: Int64, bins: Int64, squares: Int64, odd: Bools) -> int:
    """Add a block of up to MAX_ROWS rows to exact sums; flag in `odd`, and count, the rows left out.

    Left out are those whose nats are not 0 and not in [SMALLEST, LARGEST]. Each of the others is an exact multiple of
    2^-82, and its square of 2^-112, so integers hold their sums. The arrays hold 2^18 rows before they can overflow:

    class_sums: (classes, 4): rows; nats in units of 2^-30, what that leaves in units of 2^-56, and then of 2^-82.
    bins: (BINS + 1, 2): rows; nats in units of 2^-30, each row rounded down.
    squares: (3,): squares of nats in units of 2^-26, 2^-69 and 2^-112.
    """
    with np.errstate(invalid="ignore"):
        np.logical_not((nats >= SMALLEST) & (nats <= LARGEST), out=odd)
    left_out = 0
    if odd.any():
        odd &= nats != 0.0
        left_out = int(np.count_nonzero(odd))
        if left_out:
            nats, codes = nats[~odd], codes[~odd]
    bin_of = np.minimum(nats * BINS_PER_NAT, BINS).astype(np.int64)
    rest = nats * 2.0**30
    whole = np.floor(rest)
    bins[:, 0] += np.bincount(bin_of, minlength=BINS + 1)
    bins[:, 1] += _grouped(bin_of, whole, BINS + 1)
    class_sums[:, 0] += np.bincount(codes, minlength=len(class_sums))
    class_sums[:, 1] += _grouped(codes, whole, len(class_sums))
    for limb in (2, 3):
        rest = (rest - whole) * 2.0**26
        whole = np.floor(rest)
        class_sums[:, limb] += _grouped(codes, whole, len(class_sums))
    rest = (nats * nats) * 2.0**26
    for limb in range(3):
        whole = np.floor(rest)
        squares[limb] += int(whole.astype(np.int64).sum())
        rest = (rest - whole) * 2.0**43
    return left_out


def _grouped(groups: Int64, integers: Float64, size: int) -> Int64:
    """Sums by group of integers below 2^39 held as float64: exact for MAX_ROWS of them."""
    return np.asarray(np.bincount(groups, weights=integers, minlength=size), np.int64)
