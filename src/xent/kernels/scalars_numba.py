"""Single numbers in compiled loops: reading 16-bit floats, exp and log1p that vectorise, floats in order of their bits.

Nothing here is compiled with `reassoc`: it would undo the two-part argument reduction of exp, without which float32
loses digits at large arguments. `math.exp` stays scalar in Numba, hence the polynomials.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic, overload

__all__ = [
    "UNCOUNTED",
    "bits_of",
    "called_by_loops",
    "exp",
    "exp_or_0",
    "expm1",
    "float_of",
    "log1p",
    "log1p_unit",
    "narrowed",
    "ordered",
    "unordered",
    "widened",
]

EXACT: Any = {"error_model": "numpy", "fastmath": {"contract"}}
Function = TypeVar("Function", bound=Callable[..., Any])


# Without the counting of references to arrays: their memory is the callers', and a count is a wait for the other threads.
UNCOUNTED: Any = {"_nrt": False}


def called_by_loops(options: Any) -> Callable[[Function], Function]:
    """Compiled for other compiled functions, and so without wrappers for Python, which take time."""
    return numba.njit(**options, no_cpython_wrapper=True, no_cfunc_wrapper=True, **UNCOUNTED)  # type: ignore[call-overload,no-any-return]


exact = called_by_loops(EXACT)

LOWEST = np.float32(-110.0)  # exp of it is 0 in float32
LEAST = np.float32(-88.0)  # exp of it is below the least normal number
NEARLY_MINUS_1 = np.float32(-64.0)  # what expm1 of it is
LOG2_E = np.float32(math.log2(math.e))
# log 2 in two parts, the first so short that its product with an integer is exact (Cody & Waite 1980, chapter 6)
LN2, LN2_HIGH, LN2_LOW = (np.float32(part) for part in (math.log(2.0), 0.693359375, math.log(2.0) - 0.693359375))
ROUND = np.float32(1.5 * 2.0**23)  # adding it and taking it off rounds to an integer
ROUND_BITS = np.int32(ROUND.view(np.int32))
BIAS, EXPONENT = np.int32(127), np.int32(0x7F800000)  # of a float's bits
ROUND_BIASED = np.float32(ROUND + 127)  # likewise; what is rounded is then an exponent as bits have it
RAISED, LOWERED = np.int32(127 + 64), np.float32(2.0**-64)  # keeps the exponent in range down to the least denormal
E = tuple(np.float32(1.0 / math.factorial(k)) for k in range(8))
ONE, TWO = np.float32(1.0), np.float32(2.0)
ODD = tuple(np.float32(1.0 / k) for k in range(1, 19, 2))

LOWEST_64 = -760.0
LN2_HIGH_64, LN2_LOW_64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
ROUND_64 = 1.5 * 2.0**52
ROUND_BITS_64 = np.int64(np.float64(ROUND_64).view(np.int64))
RAISED_64, LOWERED_64 = np.int64(1023 + 512), 2.0**-512
E_64 = tuple(1.0 / math.factorial(k) for k in range(14))
ODD_64 = tuple(1.0 / k for k in range(1, 35, 2))

SIGN_16, SIGN_32, SIGN_64 = np.int16(15), np.int32(31), np.int64(63)
REST_16, REST_32, REST_64 = np.int16(0x7FFF), np.int32(0x7FFFFFFF), np.int64(0x7FFFFFFFFFFFFFFF)


@intrinsic
def bits_of(_: Any, x: Any) -> Any:
    """The bits of a float as an integer of its size."""
    result = types.int32 if x == types.float32 else types.int64
    return result(x), lambda ctx, builder, _, args: builder.bitcast(args[0], ctx.get_value_type(result))


@intrinsic
def float_of(_: Any, x: Any) -> Any:
    """The float with those bits."""
    result = types.float32 if x == types.int32 else types.float64
    return result(x), lambda ctx, builder, _, args: builder.bitcast(args[0], ctx.get_value_type(result))


@exact
def _reduced_32(x: Any) -> Any:
    """exp(x)/2^k − 1 and k."""
    shifted = x * LOG2_E + ROUND
    steps = shifted - ROUND
    r = (x - steps * LN2_HIGH) - steps * LN2_LOW
    p = ((((E[7] * r + E[6]) * r + E[5]) * r + E[4]) * r + E[3]) * r + E[2]
    return p * (r * r) + r, bits_of(shifted) - ROUND_BITS


def _exp_32(x: Any) -> Any:
    rest, k = _reduced_32(LOWEST if x < LOWEST else x)  # keeps NaN
    return (rest + ONE) * float_of(np.int32((k + RAISED) << np.int32(23))) * LOWERED


def _exp_or_0_32(x: Any, like: Any) -> Any:
    rest, k = _reduced_32(x if x > LEAST else LEAST)
    return (rest + ONE) * float_of(np.int32((k + BIAS) << np.int32(23)))


def _exp_or_0_16(x: Any, like: Any) -> Any:
    """Within 6e-5: bfloat16 tells no two numbers apart that are not 4e-3 from each other."""
    x = x if x > LEAST else LEAST
    shifted = x * LOG2_E + ROUND_BIASED
    r = x - (shifted - ROUND_BIASED) * LN2
    p = (((E[4] * r + E[3]) * r + E[2]) * r + ONE) * r + ONE
    return p * float_of(np.int32(bits_of(shifted) << np.int32(23)))


def _expm1_32(x: Any) -> Any:
    rest, k = _reduced_32(NEARLY_MINUS_1 if x < NEARLY_MINUS_1 else x)
    power = float_of(np.int32((k + BIAS) << np.int32(23)))
    return rest * power + (power - ONE)


def _exp_64(x: Any) -> Any:
    x = LOWEST_64 if x < LOWEST_64 else x
    shifted = x * 1.4426950408889634 + ROUND_64
    steps = shifted - ROUND_64
    r = (x - steps * LN2_HIGH_64) - steps * LN2_LOW_64
    p = ((((E_64[13] * r + E_64[12]) * r + E_64[11]) * r + E_64[10]) * r + E_64[9]) * r + E_64[8]
    p = (((((p * r + E_64[7]) * r + E_64[6]) * r + E_64[5]) * r + E_64[4]) * r + E_64[3]) * r + E_64[2]
    power = float_of(np.int64((bits_of(shifted) - ROUND_BITS_64 + RAISED_64) << np.int64(52)))
    return ((p * (r * r) + r) + 1.0) * power * LOWERED_64


def _log1p_unit_32(x: Any) -> Any:
    s = x / (TWO + x)
    z = s * s
    p = (((ODD[7] * z + ODD[6]) * z + ODD[5]) * z + ODD[4]) * z + ODD[3]
    return TWO * s * (((p * z + ODD[2]) * z + ODD[1]) * z + ONE)


def _log1p_32(x: Any) -> Any:
    """log 2^k + log(1 + f) with 1 + x = 2^k·(1 + f), f taken from x itself."""
    bits = bits_of(ONE + x)
    power = float_of(np.int32(bits & EXPONENT))
    k = np.float32((bits >> np.int32(23)) - BIAS)
    return k * LN2_HIGH + (log1p_unit((x - (power - ONE)) / power) + k * LN2_LOW)


def _log1p_unit_64(x: Any) -> Any:
    s = x / (2.0 + x)
    z = s * s
    p = ((((ODD_64[16] * z + ODD_64[15]) * z + ODD_64[14]) * z + ODD_64[13]) * z + ODD_64[12]) * z + ODD_64[11]
    p = (((((p * z + ODD_64[10]) * z + ODD_64[9]) * z + ODD_64[8]) * z + ODD_64[7]) * z + ODD_64[6]) * z + ODD_64[5]
    return 2.0 * s * (((((p * z + ODD_64[4]) * z + ODD_64[3]) * z + ODD_64[2]) * z + ODD_64[1]) * z + 1.0)


def _expm1_64(x: Any) -> Any:
    return math.expm1(x)


def _log1p_64(x: Any) -> Any:
    return math.log1p(x)


def _same(x: Any) -> Any:
    return x


def _from_bfloat16(x: Any) -> Any:
    return float_of(np.int32(np.int32(x) << np.int32(16)))


def _from_float16(x: Any) -> Any:
    """The exponent's bias is mended by a product, which denormals survive; infinity and NaN need their own exponent."""
    rest = np.int32(np.int32(x) & np.int32(0x7FFF))
    size = bits_of(float_of(np.int32(rest << np.int32(13))) * np.float32(2.0**112))
    special = np.int32(0x7F800000) if rest >= np.int32(0x7C00) else np.int32(0)
    sign = np.int32(np.int32(x) & np.int32(0x8000)) << np.int32(16)
    return float_of(np.int32(size | special | np.int32(sign)))


def _to_bfloat16(x: Any, like: Any) -> Any:
    """Rounded to nearest, ties to even; NaN stays NaN."""
    bits = bits_of(x)
    odd = np.int32(np.int32(bits >> np.int32(16)) & np.int32(1))
    rounded = np.int32(np.int32(bits + np.int32(0x7FFF)) + odd) >> np.int32(16)
    return np.uint16(np.int32(0x7FC0) if x != x else np.int32(rounded))


def _as_it_is(x: Any, like: Any) -> Any:
    return x


def _ordered_16(x: Any) -> Any:
    bits = np.int16(x)
    return np.int16(bits ^ np.int16(np.int16(bits >> SIGN_16) & REST_16))


def _ordered_32(x: Any) -> Any:
    bits = bits_of(x)
    return np.int32(bits ^ ((bits >> SIGN_32) & REST_32))


def _ordered_64(x: Any) -> Any:
    bits = bits_of(x)
    return np.int64(bits ^ ((bits >> SIGN_64) & REST_64))


def _unordered_bfloat16(bits: Any, like: Any) -> Any:
    return np.uint16(ordered(bits))


def _unordered_float16(bits: Any, like: Any) -> Any:
    return ordered(bits)


def _unordered_32(bits: Any, like: Any) -> Any:
    return float_of(np.int32(bits ^ ((bits >> SIGN_32) & REST_32)))


def _unordered_64(bits: Any, like: Any) -> Any:
    return float_of(np.int64(bits ^ ((bits >> SIGN_64) & REST_64)))


def exp(x: Any) -> Any:
    """exp(x) for x ≤ 0."""


def exp_or_0(x: Any, like: Any) -> Any:
    """exp(x) for float32 x ≤ 0, as precise as it needs to be where `like` is; 0 for NaN, and below the least normal number."""


def expm1(x: Any) -> Any:
    """exp(x) − 1 for x ≤ 0."""


def log1p(x: Any) -> Any:
    """log(1 + x) for x ≥ 0."""


def log1p_unit(x: Any) -> Any:
    """log(1 + x) for 0 ≤ x ≤ 1, by the series of artanh(x/(2 + x))."""


def ordered(x: Any) -> Any:
    """An integer that grows with the stored number; NaN lies beyond the infinities."""


def unordered(bits: Any, like: Any) -> Any:
    """The number, stored as `like` is, of that integer."""


def widened(x: Any) -> Any:
    """A stored number as float32 or float64; uint16 holds bfloat16, int16 holds float16."""


def narrowed(x: Any, like: Any) -> Any:
    """A number to be stored where `like` is: rounded to bfloat16 where that is uint16."""


OF_STORED = {types.uint16: _from_bfloat16, types.int16: _from_float16}
ORDERED = {types.float32: _ordered_32, types.float64: _ordered_64}
UNORDERED = {types.uint16: _unordered_bfloat16, types.int16: _unordered_float16, types.float32: _unordered_32}

chosen = functools.partial(overload, strict=False, jit_options=EXACT)
chosen(exp)(lambda x: _exp_32 if x == types.float32 else _exp_64)
chosen(exp_or_0)(lambda x, like: _exp_or_0_16 if like == types.uint16 else _exp_or_0_32)
chosen(expm1)(lambda x: _expm1_32 if x == types.float32 else _expm1_64)
chosen(log1p)(lambda x: _log1p_32 if x == types.float32 else _log1p_64)
chosen(log1p_unit)(lambda x: _log1p_unit_32 if x == types.float32 else _log1p_unit_64)
chosen(ordered)(lambda x: ORDERED.get(x, _ordered_16))
chosen(unordered)(lambda bits, like: UNORDERED.get(like, _unordered_64))
chosen(widened)(lambda x: OF_STORED.get(x, _same))
chosen(narrowed)(lambda x, like: _to_bfloat16 if like == types.uint16 else _as_it_is)
