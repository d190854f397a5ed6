"""Numbers as a reader wants them."""

import math

from xent.texts.catalogue import sentence

__all__ = ["decimals", "exponential", "p_value", "percent"]


def decimals(value: float | None) -> str:
    """Three decimals where they say something, else three digits: 0.247, 6.75e-09, 1,234.5; "–" for None."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return sentence("infinite") if value > 0 else sentence("infinite.below")
    size = abs(value)
    if size >= 1e6 or 0.0 < size < 0.01:
        text = f"{value:.3g}"
    elif size >= 100.0:
        text = f"{value:,.1f}"
    else:
        text = f"{value:.3f}" if size else "0"
    return text.replace("-", "−") if value < 0 else text


def exponential(value: float, loss: float) -> str:
    """exp(loss) or exp(−loss), of a finite loss never as infinite or 0: those are what no float64 can hold."""
    if math.isfinite(loss) and (math.isinf(value) or value == 0.0):
        return "> 1e+307" if value else "< 1e-323"
    return decimals(value)


def percent(share: float | None) -> str:
    """A share as whole percents; with decimals where 100 or 0 would be wrong: 64, 99.97, −5, 0.02, −1.44e+38."""
    if share is None or math.isnan(share):
        return "–"
    if math.isinf(share):
        return decimals(share)
    value = 100.0 * share
    text = f"{value:,.0f}" if abs(value) < 1e6 else f"{value:.3g}"
    if 99.5 <= value < 100.0:
        text = f"{math.floor(value * 100.0) / 100.0:.2f}" if value < 99.99 else "> 99.99"
    elif 0.0 < abs(value) < 0.5:
        text = f"{value:.2g}"
    return text.replace("-", "−") if text[0] == "-" else text


def p_value(p: float | None) -> str:
    """ "p = 0.031", "p < 0.001"."""
    if p is None or math.isnan(p):
        return sentence("p.unknown")
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.0995 else f"p = {p:.2f}"
