"""What the explanations are given: numbers, names and a unit, checked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.errors import OptionError, ProbabilityError, ShapeError
from xent.formulas import steps as arithmetic
from xent.report.figures import figure
from xent.scoring.inputs import as_array
from xent.texts.catalogue import Say, printable

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
    "refuse_outside",
    "spoken",
]

Floats = NDArray[np.float64]
MOST = 12  # classes in a table
NAMED = {"class": "class.named", "outcome": "outcome.named"}  # by what has the name


def numbers(name: str, values: Any) -> Floats:
    """A list of at least one number, in float64.

    Raises:
        ShapeError: it is empty, or has more axes than one.
        ArgumentTypeError: it holds no numbers.
    """
    array = np.atleast_1d(as_array(name, values))
    if array.size == 0:
        raise ShapeError(f"{name} is empty, but must be a list of numbers. Pass those of one row.")
    if array.ndim != 1:
        raise ShapeError(f"{name} has shape {array.shape}, but must be a list of numbers. Pass those of one row.")
    if array.dtype.kind not in "fiub":
        raise OptionError(f"{name} holds {array.dtype}, but must be numbers.")
    return array.astype(np.float64)


def refuse_outside(
    name: str, values: NDArray[np.floating[Any]], low: float, high: float, allowed: str, step: str
) -> None:
    """Refuse numbers that were typed and are NaN or outside of [low, high], naming the first.

    Raises:
        ProbabilityError: there is one.
    """
    wrong = np.argwhere(~((values >= low) & (values <= high)))
    if len(wrong):
        index = tuple(int(i) for i in wrong[0])
        if np.isnan(values[index]):
            step = "Put a number in its place, or leave it out."
        place = ", ".join(map(str, index))
        raise ProbabilityError(f"{name}[{place}] is {float(values[index]):.10g}, but must be {allowed}. {step}")


def names_of(names: Sequence[Any] | None, count: int, say: Say, word: str) -> tuple[str, ...]:
    """The names given, or numbers from 0 where there are none; a name that is a number says what it names.

    Raises:
        ShapeError: there are more or fewer of them.
    """
    if names is None:
        return tuple(say(word, index=i) for i in range(count))
    if isinstance(names, str) or len(names) != count:
        got = 1 if isinstance(names, str) else len(names)
        raise ShapeError(f"names has {got} entries, but there are {count} numbers. Pass one name for each.")
    return tuple(
        say(NAMED[word], name=name) if _is_number(name) else printable(name) or "''" for name in map(str, names)
    )


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def label_index(label: Any, names: Sequence[Any] | None, count: int) -> int:
    """Which number the label is about: a position from 0, or one of the names.

    Raises:
        OptionError: it is none of these, or names two of them.
    """
    label = label.item() if hasattr(label, "item") else label
    listed = [] if names is None else [str(name) for name in names]
    if listed.count(str(label)) > 1:
        twice = " and ".join(str(i) for i, name in enumerate(listed) if name == str(label))
        raise OptionError(f"label is {label!r}, the name of classes {twice}. Give each class a name of its own.")
    if str(label) in listed:
        return listed.index(str(label))
    try:
        index = int(label)
    except (TypeError, ValueError):
        index = -1
    if label is None or isinstance(label, bool) or not 0 <= index < count or str(index) != str(label).strip():
        named = ", ".join(printable(name) or "''" for name in listed)
        what = f"a whole number in [0, {count})" + (f", or one of {named}" if listed else "")
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
