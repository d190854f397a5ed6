"""Tails and quantiles of Student's t and of χ², which the core install has no package for.

Source:
    Press et al., "Numerical Recipes" (2007), sections 6.2 and 6.4: continued fractions by Lentz's method. Relative
    accuracy 1e-9 and mostly 1e-12, also of a p-value of 1e-200.
"""

import math
from collections.abc import Callable

__all__ = ["benjamini_hochberg", "chi_squared_tail", "holm", "t_quantile", "t_tails"]

_ENOUGH = 1e-15
_NORMAL = 1e8  # degrees of freedom from which Student's t is the normal distribution to all digits


def t_tails(t: float, df: float) -> float:
    """The two-sided p-value of Student's t with `df` > 0 degrees of freedom: P(|T| ≥ |t|)."""
    if math.isnan(t) or t == 0.0:
        return math.nan if math.isnan(t) else 1.0
    if df >= _NORMAL:
        return math.erfc(abs(t) / math.sqrt(2.0))
    if math.isinf(t):
        return 0.0
    return _beta_share(t * t, df)


def t_quantile(probability: float, df: float) -> float:
    """The `probability` quantile (above ½) of Student's t, by Newton's method: from below, as the tail is convex."""
    target = 2.0 * (1.0 - probability)
    t, step = 0.0 if df >= _NORMAL else _beyond_normal(t_quantile(probability, math.inf), df), math.inf
    while step > 1e-9 * t:  # the step after one that small would be 1e-18
        step = (t_tails(t, df) - target) / (2.0 * _t_density(t, df))
        t += max(step, 0.0)
    return t * (1.0 + 4e-16)  # so that rounding makes no interval too narrow


def _beyond_normal(z: float, df: float) -> float:
    """A quantile of the normal distribution moved towards Student's t, by less than all of the way (Fisher 1925)."""
    return z + (z**3 + z) / (4.0 * df)


def _t_density(t: float, df: float) -> float:
    if df >= _NORMAL:
        return math.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi)
    log_density = _log_gamma_step(df / 2.0) - 0.5 * math.log(df * math.pi)
    return math.exp(log_density - (df + 1.0) / 2.0 * math.log1p(t * t / df))


def chi_squared_tail(x: float, df: float) -> float:
    """The p-value P(X ≥ x) of χ² with `df` ≥ 1 degrees of freedom, whole or not."""
    if math.isnan(x) or x <= 0.0:
        return math.nan if math.isnan(x) else 1.0
    a, x = df / 2.0, x / 2.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:  # the lower part is a series
        term = total = 1.0 / a
        k = a
        while abs(term) > _ENOUGH * total:
            k += 1.0
            term *= x / k
            total += term
        return 1.0 - front * total
    return front / _fraction(x + 1.0 - a, lambda i: (-i * (i - a), x + 2.0 * i + 1.0 - a))


def holm(p_values: list[float]) -> list[float]:
    """p-values adjusted so that the chance of one false finding among all stays below the level (Holm 1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, most = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        most = max(most, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = most
    return adjusted


def benjamini_hochberg(p_values: list[float]) -> list[float]:
    """p-values adjusted so that the share of false ones among the findings stays below the level (1995)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__, reverse=True)
    adjusted, least = [1.0] * len(p_values), 1.0
    for rank, i in enumerate(order):
        least = min(least, p_values[i] * len(p_values) / (len(p_values) - rank))
        adjusted[i] = least
    return adjusted


def _beta_share(t_squared: float, df: float) -> float:
    """The regularised incomplete beta function I_x(df/2, ½) for x = df / (df + t²)."""
    a, rest = df / 2.0, t_squared / (df + t_squared)
    if rest == 0.0 or math.isinf(t_squared):
        return 1.0 if rest == 0.0 else 0.0
    log_front = _log_gamma_step(a) - math.lgamma(0.5) - a * math.log1p(t_squared / df) + 0.5 * math.log(rest)
    if 1.0 - rest < (a + 1.0) / (a + 2.5):
        return math.exp(log_front) / a / _beta_fraction(1.0 - rest, a, 0.5)
    return 1.0 - math.exp(log_front) / 0.5 / _beta_fraction(rest, 0.5, a)


def _log_gamma_step(a: float) -> float:
    """log Γ(a + ½) − log Γ(a), without the cancellation that large ones would bring (Tricomi & Erdélyi 1951)."""
    if a < 50.0:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    return 0.5 * math.log(a) - 1.0 / (8.0 * a) + 1.0 / (192.0 * a**3) - 1.0 / (640.0 * a**5)


def _beta_fraction(x: float, a: float, b: float) -> float:
    def coefficients(i: int) -> tuple[float, float]:
        m = i // 2
        if i % 2:
            return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), 1.0
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), 1.0

    return _fraction(1.0, coefficients)


def _fraction(first: float, coefficients: Callable[[int], tuple[float, float]]) -> float:
    """first + a1/(b1 + a2/(b2 + …)) for coefficients(i) = (ai, bi), by Lentz's method."""
    tiny = 1e-300
    value = c = first or tiny
    d = 0.0
    for i in range(1, 100_000):
        a, b = coefficients(i)
        d = 1.0 / ((b + a * d) or tiny)
        c = (b + a / c) or tiny
        value *= c * d
        if abs(c * d - 1.0) < _ENOUGH:
            break
    return value
