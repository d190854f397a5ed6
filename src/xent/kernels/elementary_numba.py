"""log, log1p and exp compiled with Numba: the steps of `elementary`, the bits of `elementary_numpy`.

An array and its view as int64 are never touched in one loop: it would not vectorise.
"""

from typing import Any

import numba
import numpy as np

from xent.kernels import elementary as el

__all__ = ["compiled", "exp", "neg_log", "neg_log1p"]

compiled = numba.njit(nogil=True, error_model="numpy", cache=True)
_formula = numba.njit(error_model="numpy", inline="always")
_neg_log_of_parts = _formula(el.neg_log_of_parts)
_error_of_one_plus = _formula(el.error_of_one_plus)
_exp_steps = _formula(el.exp_steps)
_exp_rest = _formula(el.exp_rest)
_expm1_reduced = _formula(el.expm1_reduced)

OFFSET = el.ONE_BITS - el.SQRT_HALF_BITS
EXP_ZERO = el.EXP_ZERO
Array = Any


@compiled
def neg_log(u: Array, bits: Array, nats: Array) -> None:
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
        nats[i] = _neg_log_of_parts(u[i] - 1.0, nats[i])


@compiled
def exp(x: Array, out: Array, powers: Array, power_bits: Array) -> None:
    """exp(x) for x ≤ 0 into out, which may be x; `power_bits` is `powers` (2, size) seen as int64."""
    first, second = power_bits[0], power_bits[1]
    for j in range(x.shape[0]):
        v = EXP_ZERO if x[j] < EXP_ZERO else x[j]
        steps = _exp_steps(v)
        out[j] = 1.0 + _expm1_reduced(_exp_rest(v, steps), steps)
        k = np.int64(steps)
        half = k >> 1
        first[j] = (half + 1023) << 52
        second[j] = (k - half + 1023) << 52
    scale, scale_again = powers[0], powers[1]
    for j in range(x.shape[0]):
        out[j] = out[j] * scale[j] * scale_again[j]


@compiled
def neg_log1p(r: Array, nats: Array, error: Array, u: Array, bits: Array) -> None:
    """−log(1 + r) into nats for r ≥ 0."""
    for i in range(r.shape[0]):
        u[i] = 1.0 + r[i]
        error[i] = _error_of_one_plus(r[i], u[i]) / u[i]
    neg_log(u, bits, nats)
    for i in range(r.shape[0]):
        nats[i] -= error[i]
