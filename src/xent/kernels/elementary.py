"""log, log1p and exp made of exactly rounded operations only, so that every machine gives the same bits.

IEEE 754 rounds +, −, × and ÷ in one way; `log` and `exp` of a C library differ in the last bit between processors
and versions. The formulas are those of fdlibm (Sun Microsystems 1993, e_log.c and e_exp.c), below 1 ulp of error,
without their branches. Each function takes floats or float64 arrays: the NumPy kernels call them on blocks, Numba
compiles them for the loops. No operation may be fused or reordered, so they are never compiled with fastmath.
"""

from typing import Any

__all__ = [
    "EXP",
    "LOG_EVEN",
    "LOG_ODD",
    "error_of_one_minus",
    "error_of_one_plus",
    "exp_rest",
    "exp_steps",
    "expm1_reduced",
    "neg_log_of_parts",
]

LN2_HIGH = 6.93147180369123816490e-01  # 33 bits, so that a product with a small integer is exact
LN2_LOW = 1.90821492927058770002e-10
INVERSE_LN2 = 1.44269504088896338700e00
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD  # the bits of √½
ONE_BITS = 0x3FF0000000000000
ROUND_TO_INTEGER = 6755399441055744.0  # 1.5·2^52: adding and subtracting it rounds to the nearest integer
EXP_ZERO = -746.0  # exp of it and of anything below is 0 in float64

LOG_EVEN = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)
LOG_ODD = (
    6.666666666666735130e-01,
    2.857142874366239149e-01,
    1.818357216161805012e-01,
    1.479819860511658591e-01,
)
EXP = (
    1.66666666666666019037e-01,
    -2.77777777770155933842e-03,
    6.61375632143793436117e-05,
    -1.65339022054652515390e-06,
    4.13813679705723846039e-08,
)


def neg_log_of_parts(f: Any, k: Any) -> Any:
    """−log((1 + f)·2^k) for 1 + f in [√½, √2) and an integer k given as a float."""
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (LOG_EVEN[0] + w * (LOG_EVEN[1] + w * LOG_EVEN[2]))
    odd = z * (LOG_ODD[0] + w * (LOG_ODD[1] + w * (LOG_ODD[2] + w * LOG_ODD[3])))
    half = 0.5 * f * f
    return ((half - (s * (half + (even + odd)) + k * LN2_LOW)) - f) - k * LN2_HIGH


def error_of_one_plus(r: Any, u: Any) -> Any:
    """What rounding lost in u = 1 + r, exactly (Knuth's TwoSum): log1p(r) = log(u) + error / u."""
    b = u - 1.0
    return (1.0 - (u - b)) + (r - b)


def error_of_one_minus(p: Any, u: Any) -> Any:
    """What rounding lost in u = 1 − p, exactly, for 0 ≤ p ≤ 1: log1p(−p) = log(u) + error.

    It is 0 for p ≥ ½, and below, where u is near 1, error / u differs from it by less than a rounding of the result.
    """
    return (1.0 - u) - p


def exp_steps(x: Any) -> Any:
    """The integer nearest to x / log 2, as a float."""
    return (x * INVERSE_LN2 + ROUND_TO_INTEGER) - ROUND_TO_INTEGER


def exp_rest(x: Any, steps: Any) -> Any:
    """x − steps·log 2, its larger part; `expm1_reduced` takes the smaller from `steps`."""
    return x - steps * LN2_HIGH


def expm1_reduced(high: Any, steps: Any) -> Any:
    """exp(x − steps·log 2) − 1, to be multiplied by 2^steps after adding the 1; `high` comes from `exp_rest`."""
    low = steps * LN2_LOW
    r = high - low
    t = r * r
    c = r - t * (EXP[0] + t * (EXP[1] + t * (EXP[2] + t * (EXP[3] + t * EXP[4]))))
    return high - (low - (r * c) / (2.0 - c))
