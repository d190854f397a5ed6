"""Which column is named after which class."""

from collections.abc import Sequence
from typing import Any

__all__ = ["by_name", "order_of", "text_forms"]


def text_forms(label: Any) -> tuple[str, ...]:
    """How a label may be written as text: True is "True", "true" or "1"; 3.0 is "3.0" or "3"."""
    forms = [str(label)]
    if isinstance(label, bool):
        forms += [str(label).lower(), str(int(label))]
    elif isinstance(label, float) and label.is_integer():
        forms.append(str(int(label)))
    return tuple(forms)


def by_name(classes: Sequence[Any], names: Sequence[str] | None) -> tuple[int, ...] | None:
    """Where each class is among the names; None if not each has its own."""
    if names is None or len(names) != len(classes):
        return None
    at = {name: i for i, name in enumerate(names)}
    found = [next((at[form] for form in text_forms(label) if form in at), None) for label in classes]
    known = [i for i in found if i is not None]
    return tuple(known) if len(set(known)) == len(classes) else None


def order_of(classes: Sequence[Any], names: Sequence[str], told: Sequence[str] | None = None) -> tuple[int, ...] | None:
    """Where each class is among columns named after it, alone or behind a stem that all begin with, such as "p_".

    Args:
        classes: the labels.
        names: of the columns.
        told: the class that each column is known to stand for, where it is.
    """
    return by_name(classes, names) or by_name(classes, told) or _after_a_stem(classes, names)


def _after_a_stem(classes: Sequence[Any], names: Sequence[str]) -> tuple[int, ...] | None:
    ends = (name[: -len(form)] for form in text_forms(classes[0]) for name in names if name.endswith(form))
    for stem in dict.fromkeys(ends):
        if all(name.startswith(stem) for name in names):
            order = by_name(classes, [name[len(stem) :] for name in names])
            if order is not None:
                return order
    return None
