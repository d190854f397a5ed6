"""Every formula, once: pure arithmetic on arrays of any library, in nats, with no checks and no options.

None of these is a difference of two nearly equal numbers. The divergences are sums of terms that are each
≥ 0, and near equality, where the plain formulas cancel, the terms come from a series in s = (q − p)/(q +
p).

Where an entry of exactly 0 makes a slope infinite, as that of x·log x, a finite one is given, so that
what flows on through a softmax, which multiplies it by that 0, is right.
"""

import math

from xent._arrays import Array, log, namespace_of

__all__ = [
    "conditional_entropy",
    "cross_entropy",
    "divergence",
    "entropy",
    "js_divergence",
    "kl_divergence",
    "log_ratio",
    "mutual_information",
    "surprisal",
]

# |s| up to which the series are used: 12 terms leave less than 1e-17; beyond, direct forms lose one digit.
NEAR = 0.2
TERMS = 12


def surprisal(p: Array) -> Array:
    """−log p; infinite for p = 0."""
    return 0.0 - log(p)


def entropy(p: Array, axis: int | tuple[int, ...]) -> Array:
    """−Σ p·log p, with 0·log 0 = 0."""
    xp = namespace_of(p)
    return xp.sum(p * surprisal(xp.where(p > 0, p, xp.ones_like(p))), axis=axis)


def cross_entropy(p: Array, q: Array, axis: int) -> Array:
    """−Σ p·log q, with 0·log 0 = 0; infinite where p > 0 and q = 0."""
    xp = namespace_of(p)
    return xp.sum(p * surprisal(xp.where((p > 0) | (q > 0), q, xp.ones_like(q))), axis=axis)


def log_ratio(p: Array, q: Array) -> Array:
    """log(p/q) for p > 0. The square roots keep the quotient in range for any two floats."""
    xp = namespace_of(p)
    return -2.0 * log(xp.sqrt(q) / xp.sqrt(p))


def divergence(p: Array, q: Array, step: Array, logs: Array) -> Array:
    """p·log(p/q) − p + q ≥ 0 elementwise, given step = q − p and logs = log(p/q), each as exactly as may be.

    With s = step/(p + q), log(q/p) = 2·artanh(s), which turns the term into
    s·step·(1 − s·(1 − s)·(1/3 + s²/5 + s⁴/7 + …)): nothing cancels where p ≈ q.
    """
    xp = namespace_of(p)
    total = p + q
    near = (p > 0) & (xp.abs(step) <= NEAR * total)
    s = xp.where(near, step, xp.zeros_like(step)) / xp.where(near, total, xp.ones_like(total))
    series = _polynomial([1.0 / (2 * k + 3) for k in range(TERMS)], s * s)
    return xp.where(near, s * step * (1.0 - s * (1.0 - s) * series), xp.where(p > 0, p * logs + step, q))


def kl_divergence(p: Array, q: Array, axis: int) -> Array:
    """Σ [p·log(p/q) − p + q]: Σ p·log(p/q) for rows of equal sums, ≥ 0 always, 0 only for p = q."""
    xp = namespace_of(p)
    p, q = xp.broadcast_arrays(p, q)
    one = xp.ones_like(p)
    logs = log_ratio(xp.where(p > 0, p, one), xp.where(p > 0, q, one))
    return xp.sum(divergence(p, q, q - p, logs), axis=axis)


def js_divergence(p: Array, q: Array, axis: int) -> Array:
    """½·Σ [p·log(p/m) + q·log(q/m)] with m = (p + q)/2.

    With s = (q − p)/(q + p) each term is m/2·[(1 + s)·log(1 + s) + (1 − s)·log(1 − s)]
    = m/2·(s² + s⁴/6 + s⁶/15 + …).
    """
    xp = namespace_of(p)
    p, q = xp.broadcast_arrays(p, q)
    total = p + q
    one, zero = xp.ones_like(total), xp.zeros_like(total)
    safe = xp.where(total > 0, total, one)
    s = (q - p) / safe
    near = xp.abs(s) <= NEAR
    u = xp.where(near, s * s, zero)
    series = u * _polynomial([1.0 / ((k + 1) * (2 * k + 1)) for k in range(TERMS)], u)
    sides = ((x, 2.0 * x / safe) for x in (p, q))
    direct = sum(xp.where(x > 0, side * log(xp.where(x > 0, side, one)), zero) for x, side in sides)
    return xp.sum(0.25 * total * xp.where(near, series, direct), axis=axis)


def conditional_entropy(pxy: Array) -> Array:
    """Σ pxy·log(px/pxy), x along axis −2. An entry above half of its px takes log1p(others' sum/pxy)."""
    xp = namespace_of(pxy)
    one, zero = xp.ones_like(pxy), xp.zeros_like(pxy)
    px = xp.sum(pxy, axis=-1, keepdims=True)  # (..., x, 1)
    peak = pxy > 0.5 * px  # at most one entry in a row
    others = xp.sum(xp.where(peak, zero, pxy), axis=-1, keepdims=True)
    safe = xp.where(pxy > 0, pxy, one)
    logs = xp.where(peak, xp.log1p(others / safe), log_ratio(xp.where(pxy > 0, px, one), safe))
    return xp.sum(pxy * xp.where(pxy > 0, logs, zero), axis=(-2, -1))


def mutual_information(pxy: Array) -> Array:
    """Σ pxy·log(pxy·t/(px·py)), t = Σ pxy, as divergences between pxy·t and px·py over t.

    Those two are nearly equal where X and Y are nearly independent, so their difference is taken in twice the
    working precision.
    """
    xp = namespace_of(pxy)
    px, px_rest = _sum_last(pxy, xp.zeros_like(pxy))  # (..., x, 1)
    pyx = xp.matrix_transpose(pxy)
    py, py_rest = map(xp.matrix_transpose, _sum_last(pyx, xp.zeros_like(pyx)))  # (..., 1, y)
    t, t_rest = _sum_last(py, py_rest)  # (..., 1, 1)
    joint, joint_rest = _product(pxy, t)
    apart, apart_rest = _product(px, py)
    step = (apart - joint) + (apart_rest + px * py_rest + px_rest * py - joint_rest - pxy * t_rest)
    one = xp.ones_like(pxy)
    possible = pxy > 0
    ratio = xp.sqrt(xp.where(possible, px, one)) / xp.sqrt(xp.where(possible, pxy, one))
    ratio = ratio * (xp.sqrt(xp.where(possible, py, one)) / xp.sqrt(t))
    terms = divergence(joint, apart, step, -2.0 * log(ratio))
    return xp.sum(terms / t, axis=(-2, -1))


def _polynomial(coefficients: list[float], x: Array) -> Array:
    """Σ coefficients[k]·x^k by Horner's rule."""
    value = namespace_of(x).zeros_like(x)
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


def _sum(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b as the rounded sum and what rounding left out, exactly (Knuth 1969, TAOCP 2, section 4.2.2)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _product(a: Array, b: Array) -> tuple[Array, Array]:
    """a·b as the rounded product and what rounding left out, exactly (Dekker 1971, section 5)."""
    total = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return total, ((a_high * b_high - total) + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(a: Array) -> tuple[Array, Array]:
    """Split a into two numbers of half as many bits (Dekker 1971, after Veltkamp)."""
    bits = 1 - round(math.log2(float(namespace_of(a).finfo(a.dtype).eps)))  # 24 in float32, 53 in float64
    scaled = a * (2.0 ** ((bits + 1) // 2) + 1.0)
    high = scaled - (scaled - a)
    return high, a - high


def _sum_last(high: Array, low: Array) -> tuple[Array, Array]:
    """Sum high + low along the last axis, keeping it, as a pair that holds twice the working precision."""
    xp = namespace_of(high)
    while high.shape[-1] > 1:
        half = high.shape[-1] // 2
        left, right = slice(0, half), slice(half, 2 * half)
        total, rest = _sum(high[..., left], high[..., right])
        rest = rest + (low[..., left] + low[..., right])
        high = xp.concat([total, high[..., 2 * half :]], axis=-1)
        low = xp.concat([rest, low[..., 2 * half :]], axis=-1)
    return _sum(high, low)
