"""Numbers of a worked example: as many digits as can be checked by hand."""

import math
import re
from collections.abc import Sequence

__all__ = ["figure", "is_figure", "signed"]

NUMBER = re.compile(r"[+−]?[\d∞]")
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def figure(value: float | None) -> str:
    """Four decimals, or four digits and a power of ten where those would say little; "" for None.

    Example:
        >>> figure(0.22442304), figure(6.75e-9), figure(float("inf")), figure(-0.5), figure(0.0)
        ('0.2244', '6.750×10⁻⁹', '∞', '−0.5000', '0')
    """
    if value is None:
        return ""
    if math.isnan(value):
        return "NaN"
    sign = "−" if value < 0 else ""
    size = abs(value)
    if math.isinf(size):
        return f"{sign}∞"
    if size == 0.0:
        return "0"
    if 1e-3 <= size < 1e6:
        return f"{sign}{size:,.4f}"
    mantissa, _, power = f"{size:.3e}".partition("e")
    return f"{sign}{mantissa}×10{str(int(power)).translate(SUPERSCRIPT)}"


def signed(value: float) -> str:
    """The same with a plus where there is no minus."""
    return figure(value) if value <= 0.0 or math.isnan(value) else f"+{figure(value)}"


def is_figure(column: Sequence[str]) -> bool:
    """Whether most of what stands in a column are numbers, so that it is set flush right."""
    filled = [text for text in column if text]
    return 2 * sum(NUMBER.match(text) is not None for text in filled) >= max(1, len(filled))
