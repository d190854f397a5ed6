"""Numbers and names as the pages set them: what the terminal shows, with ∞ and powers of ten set as such."""

import json
import math
import re
from typing import Any

from xent.report import numbers
from xent.report.model import Label
from xent.texts.catalogue import counted, sentence

__all__ = [
    "FILTERS", "SPACE", "at", "breakable", "count", "exact", "kept", "likely", "name", "number", "percent", "perplexity", "probability", "rows", "short",
]  # fmt: skip

SPACE = "\N{NO-BREAK SPACE}"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SHORT = 16  # characters of a name in a plot
JOINT = re.compile(r"(?<=\w)[_/](?=\w)")
TOGETHER = re.compile(  # what no line may break: a number and its power or unit, p < 0.001, an option and its value
    r"<[^>]*>|[−+]?\d[\d.,]*(?:\s?×\s?10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?\s(?:%|nats?\b|bits?\b|奈特|比特)"
    r"|[−+]?\d[\d.,]*\s?×\s?10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+"
    r"|\bp\s(?:=|&lt;)\s[\d.]+|(?<![\w-])--[a-z][a-z-]*(?:\s\d[\w.-]*)?"
)


def number(value: float | None) -> str:
    """As the terminal shows it, with ∞ and powers of ten set as such; – for what is undefined."""
    if value is not None and math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return _set(numbers.decimals(value))


def probability(value: float) -> str:
    """Three decimals, or so many that only 1 shows as 1."""
    if value in (0.0, 1.0):
        return f"{value:.0f}"
    if value < 0.01:
        return number(value)
    power = f"{1.0 - value:.17e}".partition("e")[2]
    return f"{value:.{max(3, -int(power))}f}"


def likely(value: float) -> str:
    """The probability of something that did happen at a finite cost, so not 0 but less than a float64 can hold."""
    return "< 10⁻³²³" if value == 0.0 else probability(value)


def perplexity(value: float, loss: float) -> str:
    """∞ only where the loss is."""
    return number(value) if math.isinf(loss) else _set(numbers.exponential(value, loss))


def percent(share: float | None) -> str:
    """With the sign of percent; – for what is undefined."""
    if share is None or math.isinf(share):
        return number(share)
    return f"{_set(numbers.percent(share))}{SPACE}%"


def _set(text: str) -> str:
    """1.5e-07 as 1.5 × 10⁻⁷."""
    mantissa, e, power = text.partition("e")
    return f"{mantissa} × 10{str(int(power.replace('−', '-'))).translate(SUPERSCRIPT)}" if e else text


def count(value: float) -> str:
    """A whole number of rows, or their weight."""
    return f"{value:,}" if isinstance(value, int) else number(value)


def rows(value: float) -> str:
    """1 row, 2 rows."""
    if isinstance(value, int):
        return counted("rows", value)
    return sentence("rows.weighed", count=count(value))


def name(label: Label | tuple[Label, ...]) -> str:
    """A class, or those that apply to one row."""
    if isinstance(label, tuple):
        return ", ".join(map(name, label)) or sentence("none")
    return str(label) if str(label).strip() else repr(label)


def short(label: Label, most: int = SHORT) -> str:
    """A name cut to fit beside a bar."""
    text = name(label)
    return text if len(text) <= most else text[: most - 1] + "…"


def breakable(name: str) -> Any:
    """As HTML in which a long name breaks at its joints, not within a word."""
    from markupsafe import Markup, escape

    return Markup(JOINT.sub(r"\g<0><wbr>", str(escape(name))))


def exact(value: Any) -> str:
    """As JSON has it, without quotes around infinity."""
    return json.dumps(value) if value is None or math.isfinite(value) else str(value)


def kept(text: str) -> Any:
    """As HTML in which numbers keep their units and options their values, whatever the width of a line."""
    from markupsafe import Markup, escape  # not before a page is asked for: `import xent` stays light

    def together(found: re.Match[str]) -> str:
        return found[0] if found[0].startswith("<") else f'<span class="kept">{found[0]}</span>'

    return Markup(TOGETHER.sub(together, str(escape(text))))


def at(value: float) -> str:
    """A position, short enough for thousands of them."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


FILTERS = {
    found.__name__: found
    for found in (number, percent, perplexity, probability, likely, count, rows, name, short, exact, at, breakable)
}
