"""What the explanations are given: numbers, names and a unit, checked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.errors import OptionError, ShapeError
from xent.formulas import steps as arithmetic
from xent.report.figures import figure
from xent.scoring.inputs import as_array
from xent.texts.catalogue import Say

__all__ = [
    "Floats",
    "at_most",
    "chance",
    "floats_of",
    "label_index",
    "listing",
    "names_of",
    "numbers",
    "percent",
    "spoken",
]

Floats = NDArray[np.float64]
MOST = 12  # classes in a table


def numbers(name: str, values: Any) -> Floats:
    """A list of at least one number, in float64.

    Raises:
        ShapeError: it is empty, or has more axes than one.
        ArgumentTypeError: it holds no numbers.
    """
    array = np.atleast_1d(as_array(name, values))
    if array.ndim != 1 or array.size == 0:
        raise ShapeError(f"{name} has shape {array.shape}, but must be a list of numbers. Pass those of one row.")
    if array.dtype.kind not in "fiub":
        raise OptionError(f"{name} holds {array.dtype}, but must be numbers.")
    return array.astype(np.float64)


def names_of(names: Sequence[Any] | None, count: int, say: Say, word: str) -> tuple[str, ...]:
    """The names given, or numbers from 0 where there are none.

    Raises:
        ShapeError: there are more or fewer of them.
    """
    if names is None:
        return tuple(say(word, index=i) for i in range(count))
    if isinstance(names, str) or len(names) != count:
        got = 1 if isinstance(names, str) else len(names)
        raise ShapeError(f"names has {got} entries, but there are {count} numbers. Pass one name for each.")
    return tuple(map(str, names))


def label_index(label: Any, names: Sequence[Any] | None, count: int) -> int:
    """Which number the label is about: a position from 0, or one of the names.

    Raises:
        OptionError: it is none of these.
    """
    label = label.item() if hasattr(label, "item") else label
    listed = [] if names is None else [str(name) for name in names]
    if str(label) in listed:
        return listed.index(str(label))
    try:
        index = int(label)
    except (TypeError, ValueError):
        index = -1
    if label is None or isinstance(label, bool) or not 0 <= index < count or str(index) != str(label).strip():
        what = f"a whole number in [0, {count})" + (f", or one of {', '.join(listed)}" if listed else "")
        got = "missing" if label is None else f"{label!r}"
        raise OptionError(f"label is {got}, but must be {what}. Classes are counted from 0.")
    return index


def at_most(kept: Sequence[int], order: Sequence[int], most: int = MOST) -> list[int]:
    """Positions to show of many: those to keep, then the first of `order`, in their own order."""
    chosen = list(dict.fromkeys([*kept, *order]))[:most]
    return sorted(chosen) if len(order) > most else sorted(order)


def floats_of(values: Any) -> tuple[float, ...]:
    """Numbers as plain floats."""
    return tuple(float(value) for value in values)


def chance(nats: float) -> str:
    """The probability of what costs that many nats, and what it lacks to 1 where that would not show."""
    p = float(arithmetic.probabilities(np.asarray(nats)))
    if nats > 0.0 and p >= 0.99995:
        return f"1 − {figure(float(arithmetic.improbabilities(np.asarray(nats))))}"
    return figure(p) if p < 1.0 else "1"


def percent(share: float) -> str:
    """A share in percent: 28, 0.5."""
    return f"{100.0 * share:.0f}" if share >= 0.1 else f"{100.0 * share:.2g}"


def listing(names: Sequence[str], lang: str, most: int = 6) -> str:
    """Names in a sentence."""
    comma = "、" if lang == "zh" else ", "
    return comma.join(names[:most]) + (f"{comma}…" if len(names) > most else "")


def spoken(value: float) -> str:
    """A number in a sentence, given as it was typed."""
    text = f"{value:g}"
    return figure(value) if "e" in text or not np.isfinite(value) else text.replace("-", "−")
