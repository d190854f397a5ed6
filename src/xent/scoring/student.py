"""Quantiles of Student's t distribution, which the core install has no package for."""

import math
from statistics import NormalDist

__all__ = ["t_quantile"]


def t_quantile(probability: float, df: int) -> float:
    """The `probability` quantile (above ½) of Student's t with `df` ≥ 1 degrees of freedom; 12 digits.

    Source:
        Abramowitz & Stegun (1964), 26.7.3 and 26.7.4 (finite series, solved by bisection) up to 1,000 degrees;
        above, the expansion 26.7.5 around the normal quantile.
    """
    if df > 1000:
        return _expansion(NormalDist().inv_cdf(probability), df)
    low, high = 0.0, 1.0
    while _cdf(high, df) < probability:
        high *= 2.0
    for _ in range(100):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _cdf(middle, df) < probability else (low, middle)
    return high


def _cdf(t: float, df: int) -> float:
    angle = math.atan2(t, math.sqrt(df))
    cosine = math.cos(angle)
    odd = df % 2
    term = total = cosine if odd else 1.0
    for k in range(3 if odd else 2, df - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if odd:
        inside = angle + (math.sin(angle) * total if df > 1 else 0.0)
        return 0.5 + inside / math.pi
    return 0.5 + math.sin(angle) * total / 2.0


def _expansion(z: float, df: int) -> float:
    return (
        z
        + (z**3 + z) / (4 * df)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * df**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * df**4)
    )
