"""log, log1p and exp compiled with Numba: the steps of `elementary`, the bits of `elementary_numpy`."""

from typing import Any

import numba
import numpy as np

from xent.kernels import elementary as el
from xent.kernels.elementary_numpy import COUNTED, DIGITS
from xent.kernels.scalars_numba import UNCOUNTED, Function, bits_of, called_by_loops, float_of

__all__ = ["compiled", "exp", "inner", "neg_log", "neg_log1p", "read_only"]

Array = Any


def compiled(function: Function) -> Function:
    """Compiled for Python, which may call it on several threads."""
    return numba.njit(nogil=True, error_model="numpy", cache=True, **UNCOUNTED)(function)  # type: ignore[no-any-return]


def read_only(array: Array) -> Array:
    """What a kernel only reads: whether the caller may write is not to compile it anew."""
    array = array[:]
    array.setflags(write=False)
    return array


inner = called_by_loops({"error_model": "numpy"})
_formula = numba.njit(error_model="numpy", inline="always")
_neg_log_of_parts = _formula(el.neg_log_of_parts)
_error_of_one_plus = _formula(el.error_of_one_plus)
_exp_steps = _formula(el.exp_steps)
_exp_rest = _formula(el.exp_rest)
_expm1_reduced = _formula(el.expm1_reduced)

OFFSET = el.ONE_BITS - el.SQRT_HALF_BITS
EXP_ZERO = el.EXP_ZERO


@_formula
def _neg_log(v: Any, scale: Any) -> Any:
    """−log(v·2^-scale) for a normal number v."""
    bits = bits_of(v) + OFFSET
    k = float_of((bits >> 52) | COUNTED) - (2.0**52 + 1023.0)
    return _neg_log_of_parts(float_of((bits & DIGITS) + el.SQRT_HALF_BITS) - 1.0, k - scale)


@inner
def neg_log(u: Array, nats: Array) -> None:
    """−log(u) into nats."""
    normal = 0
    for i in range(u.shape[0]):
        normal += (u[i] >= 2.0**-1022) & (u[i] < np.inf)
    if normal == u.shape[0]:
        for i in range(u.shape[0]):
            nats[i] = _neg_log(u[i], 0.0)
        return
    for i in range(u.shape[0]):
        v = u[i]
        small = v < 2.0**-1022
        special = np.inf if v == 0.0 else np.nan
        scale = (54.0 if small else 0.0) if (v > 0.0) & (v < np.inf) else special
        nats[i] = _neg_log(abs(v) * 2.0**54 if small else v, scale)


@inner
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


@inner
def neg_log1p(r: Array, nats: Array, error: Array, u: Array) -> None:
    """−log(1 + r) into nats for r ≥ 0."""
    for i in range(r.shape[0]):
        u[i] = 1.0 + r[i]
        error[i] = _error_of_one_plus(r[i], u[i]) / u[i]
    neg_log(u, nats)
    for i in range(r.shape[0]):
        nats[i] -= error[i]
