"""Which column is named after which class."""

from collections.abc import Sequence
from typing import Any

__all__ = ["after_a_stem", "by_name", "text_forms"]


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


def after_a_stem(classes: Sequence[Any], names: Sequence[str]) -> tuple[int, ...] | None:
    """The same for names that all begin with the same stem, such as "p_"."""
    ends = (name[: -len(form)] for form in text_forms(classes[0]) for name in names if name.endswith(form))
    for stem in dict.fromkeys(ends):
        if all(name.startswith(stem) for name in names):
            order = by_name(classes, [name[len(stem) :] for name in names])
            if order is not None:
                return order
    return None
