"""log, log1p and exp in NumPy: the steps of `elementary` on arrays, in memory that is used again."""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xent.kernels import elementary as el

__all__ = ["MAX_ROWS", "exp", "neg_log", "neg_log1p", "neg_log1p_minus", "neg_log_in_place", "scratch"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

MAX_ROWS = 1 << 16  # rows of a block, so that calls are few and long: threads take turns with the lock between them
SCRATCH = 8
DIGITS = (1 << 52) - 1  # of a float64
COUNTED = 0x433 << 52  # the bits of 2^52; a small integer in their place is added to it
_kept = threading.local()


def scratch(arrays: int, rows: int) -> Float64:
    """(arrays, rows) to overwrite, the same memory on every call of a thread: fresh memory costs more than a logarithm."""
    if rows > MAX_ROWS:
        return np.empty((arrays, rows))
    if not hasattr(_kept, "numbers"):
        _kept.numbers = np.empty((SCRATCH, MAX_ROWS))
    numbers: Float64 = _kept.numbers[:arrays, :rows]
    return numbers


def neg_log(u: Float64) -> Float64:
    """−log(u): inf for 0, NaN for a negative number, for inf and for NaN."""
    nats = np.array(u)
    neg_log_in_place(nats, scratch(5, len(u)))
    return nats


def neg_log_in_place(u: Float64, work: Float64 | Sequence[Float64]) -> None:
    """u ← −log(u), the steps of `elementary.neg_log_of_parts`; `work` are five arrays of its size."""
    k, s, z, even, odd = work
    scale = _take_apart(u, k)
    f = np.subtract(u, 1.0, out=u)
    np.add(f, 2.0, out=s)
    np.divide(f, s, out=s)
    np.multiply(s, s, out=z)
    w = np.multiply(z, z, out=even)
    np.multiply(w, el.LOG_ODD[3], out=odd)
    for coefficient in el.LOG_ODD[2:0:-1]:
        odd += coefficient
        odd *= w
    odd += el.LOG_ODD[0]
    odd *= z
    np.multiply(w, el.LOG_EVEN[2], out=z)
    for coefficient in el.LOG_EVEN[1::-1]:
        z += coefficient
        z *= w
    z += odd
    half = np.multiply(f, 0.5, out=odd)
    half *= f
    z += half
    z *= s
    k -= scale
    z += np.multiply(k, el.LN2_LOW, out=s)
    half -= z
    half -= f
    k *= el.LN2_HIGH
    np.subtract(half, k, out=u)


def _take_apart(u: Float64, k: Float64) -> Float64 | float:
    """u ← a number in [√½, √2) and k such that u was u·2^(k − scale); `scale` has inf for 0 and NaN for no number."""
    scale: Float64 | float = 0.0
    if not (u.size and u.min() >= 2.0**-1022 and u.max() < np.inf):
        small = u < 2.0**-1022  # 0 and the subnormal numbers
        special = np.where(u == 0.0, np.inf, np.nan)
        positive = (u > 0.0) & (u < np.inf)
        scale = np.where(positive, np.where(small, 54.0, 0.0), special)
        u *= np.where(small, 2.0**54, 1.0)
        u[~positive] = 1.0
    bits, exponent = u.view(np.int64), k.view(np.int64)
    bits += el.ONE_BITS - el.SQRT_HALF_BITS
    np.right_shift(bits, 52, out=exponent)
    exponent |= COUNTED
    bits &= DIGITS
    bits += el.SQRT_HALF_BITS
    return scale + (2.0**52 + 1023.0)


def neg_log1p(r: Float64) -> Float64:
    """−log(1 + r) for r ≥ 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        u = 1.0 + r
        nats = neg_log(u)
        nats -= el.error_of_one_plus(r, u) / u
        return nats


def neg_log1p_minus(p: Float64) -> Float64:
    """−log(1 − p) for 0 ≤ p ≤ 1."""
    with np.errstate(invalid="ignore"):
        u = 1.0 - p
        nats = neg_log(u)
        nats -= el.error_of_one_minus(p, u)
        return nats


def exp(x: Float64) -> Float64:
    """exp(x) for x ≤ 0; NaN stays NaN."""
    result = np.array(x, order="C")
    numbers = result.reshape(-1)
    for start in range(0, numbers.size, MAX_ROWS):
        part = numbers[start : start + MAX_ROWS]
        _exp_in_place(part, scratch(5, len(part)))
    return result


def _exp_in_place(x: Float64, work: Float64) -> None:
    """x ← exp(x) for x ≤ 0, the steps of `elementary.expm1_reduced` between; `work` are five arrays of its size."""
    steps, low, r, t, c = work
    with np.errstate(invalid="ignore", under="ignore"):
        np.maximum(x, el.EXP_ZERO, out=x)
        np.multiply(x, el.INVERSE_LN2, out=steps)
        steps += el.ROUND_TO_INTEGER
        steps -= el.ROUND_TO_INTEGER
        high = np.subtract(x, np.multiply(steps, el.LN2_HIGH, out=low), out=x)
        np.multiply(steps, el.LN2_LOW, out=low)
        np.subtract(high, low, out=r)
        np.multiply(r, r, out=t)
        np.multiply(t, el.EXP[4], out=c)
        for coefficient in el.EXP[3::-1]:
            c += coefficient
            c *= t
        np.subtract(r, c, out=c)
        r *= c
        r /= np.subtract(2.0, c, out=c)
        low -= r
        high -= low
        x += 1.0
        k, half = t.view(np.int64), r.view(np.int64)
        np.copyto(k, steps, casting="unsafe")
        np.right_shift(k, 1, out=half)
        k -= half
        x *= _power_of_two(half)
        x *= _power_of_two(k)


def _power_of_two(k: Int64) -> Float64:
    """k ← 2^k."""
    k += 1023
    k <<= 52
    return k.view(np.float64)
