"""Which class each prediction column speaks of: by name where there are names, else by sorted order, and said so."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from xent.checks.names import by_name, text_forms
from xent.errors import LabelError, OptionError
from xent.scoring.labels import Vocabulary, as_number, distinct, kind_of
from xent.scoring.plan import Label, listed
from xent.texts.catalogue import Sentence, sentence

__all__ = ["Resolved", "asking_for_classes", "resolve"]


class Resolved(NamedTuple):
    """The classes, the prediction columns in their order, and how they were matched."""

    classes: tuple[Label, ...]
    order: tuple[int, ...]  # of the prediction columns; (0,) for a single one
    note: Sentence
    warning: Sentence | None = None  # where the match is a guess that a wrong order would not contradict


@contextmanager
def asking_for_classes(missing: bool) -> Iterator[None]:
    """Where a state has no classes, so that labels count columns, let errors about labels say how to give them."""
    try:
        yield
    except LabelError as error:
        if not missing:
            raise
        what = str(error).partition("\n")[0]
        raise LabelError(
            f"{what}\nA State without classes takes labels for the numbers of the prediction columns: give it yours, in "
            "the order of these columns, as State(classes=[...])."
        ) from error


def resolve(
    names: tuple[str, ...] | None,
    columns: int,
    given: Sequence[Any] | None,
    first_labels: Any,
    all_labels: Callable[[], list[Any]],
) -> Resolved:
    """Match classes and columns.

    Args:
        names: what the columns are called, without their common prefix; None if they have no names.
        columns: how many there are; one stands for the second of two classes.
        given: the caller's `classes`, or None.
        first_labels: some of the labels, for their type; a NumPy array or an Arrow column.
        all_labels: returns the distinct labels, sorted; called only where the first do not settle it.

    Raises:
        OptionError: `given` does not fit the columns.
        LabelError: the labels do not settle which column is which.
    """
    _refuse_fractions(first_labels)
    if given is not None:
        return _given(listed(given), names, columns)
    if columns == 1:
        return _single(names, first_labels, all_labels)
    order = tuple(range(columns))
    if names is not None:
        return _named(names, order, first_labels, all_labels)
    kind = kind_of(first_labels)
    if kind != "text":
        found = distinct(first_labels)
        if all(isinstance(v, int) and 0 <= v < columns for v in found):
            if kind == "boolean" and columns == 2:
                return Resolved((False, True), order, sentence("note.no_names.booleans"))
            return Resolved(tuple(range(columns)), order, sentence("note.no_names"))
    return _sorted(first_labels, all_labels, order)


def _found(first: Any, all_labels: Callable[[], list[Any]], size: int) -> list[Any]:
    """The distinct labels; if the first rows have as many as there are classes, a further one is an error later."""
    found = distinct(first)
    return found if len(found) == size else all_labels()


def _sorted(first: Any, all_labels: Callable[[], list[Any]], order: tuple[int, ...]) -> Resolved:
    size = len(order)
    found = _found(first, all_labels, size)
    if found == list(range(1, size + 1)):
        raise LabelError(
            f"labels run from 1 to {size}, but the predictions' {size} columns stand for 0 to {size - 1} where they have "
            f"no names.\nSubtract 1 from the labels, or pass classes=[1, …, {size}] (--classes 1,…,{size}) if the first "
            "column is class 1."
        )
    if len(found) != size:
        raise LabelError(
            f"labels name {len(found)} class{'' if len(found) == 1 else 'es'} ({_shown(found)}), but predictions have {size} columns, not named after "
            "them.\nPass classes=[...] (--classes) with every class in the order of the columns."
        )
    return Resolved(tuple(found), order, sentence("note.sorted", classes=_shown(found)))


def _given(classes: tuple[Label, ...], names: tuple[str, ...] | None, columns: int) -> Resolved:
    order = tuple(range(columns))
    if columns == 1:
        if len(classes) != 2:
            raise OptionError(
                f"classes has {len(classes)} entries, but a single prediction column means two classes: "
                "pass classes=[other, the one the column speaks of]."
            )
        if names and str(classes[0]) == names[0]:
            classes = classes[::-1]
        return Resolved(classes, order, sentence("note.single.given", name=repr(classes[1])))
    matched = by_name(classes, names)
    if matched is not None:
        return Resolved(classes, matched, sentence("note.classes_by_name"))
    if len(classes) != columns:
        raise OptionError(
            f"classes has {len(classes)} entries ({_shown(classes)}), but predictions have {columns} columns. "
            "Pass one class a column, in their order."
        )
    note = sentence("note.order_given.named", names=_shown(names)) if names else sentence("note.order_given")
    return Resolved(classes, order, note)


def _named(names: tuple[str, ...], order: tuple[int, ...], first: Any, all_labels: Callable[[], list[Any]]) -> Resolved:
    if len(set(names)) < len(names):
        raise OptionError(f"two prediction columns have the same class name: {_shown(names)}. Rename one.")
    kind = kind_of(first)
    if kind == "text":
        if set(distinct(first)) & set(names):
            return Resolved(names, order, sentence("note.by_name"))
        found = _found(first, all_labels, len(order))
        matched = by_name(tuple(found), names)
        if matched is not None:  # "0.0" is the column 0
            return Resolved(tuple(found), matched, sentence("note.by_name"))
        if _whole_numbers(names) != list(order):
            raise LabelError(
                f"no label is named like a prediction column: labels are {_shown(found)}, columns {_shown(names)}.\n"
                "Name the columns after the labels, or pass classes=[...] (--classes) with a label for each column."
            )
        resolved = _sorted(first, all_labels, order)
        return resolved._replace(note=sentence("note.numbered", note=resolved.note, names=_shown(names)))
    if kind == "boolean":
        matched = by_name((False, True), names)
        if matched is None:
            raise LabelError(
                f"labels are False and True, and no prediction column is named so: {_shown(names)}.\n"
                "Pass classes=[False, True] (--classes False,True) in the order of the columns, or text labels."
            )
        return Resolved((False, True), matched, sentence("note.by_name"))
    numbers = _whole_numbers(names)
    if numbers is not None:
        ascending = tuple(sorted(order, key=lambda i: numbers[i]))
        return Resolved(tuple(numbers[i] for i in ascending), ascending, sentence("note.by_name"))
    note = sentence("note.by_position", names=_shown(names))
    return Resolved(names, order, note, sentence("warning.by_position", names=_shown(names), first=names[0]))


def _whole_numbers(names: tuple[str, ...]) -> list[int] | None:
    numbers = map(as_number, names)
    whole = [int(number) for number in numbers if number is not None and number == int(number)]
    return whole if len(set(whole)) == len(names) else None


def _single(names: tuple[str, ...] | None, first: Any, all_labels: Callable[[], list[Any]]) -> Resolved:
    name = names[0] if names else None
    kind = kind_of(first)
    found = distinct(first)
    if kind != "text" and set(found) <= {0, 1}:
        classes: tuple[Label, ...] = (False, True) if kind == "boolean" else (0, 1)
        if name in text_forms(classes[0]):
            classes = classes[::-1]
        return Resolved(classes, (0,), sentence("note.single", name=repr(classes[1])))
    found = _found(first, all_labels, 2)
    if found == [1, 2]:
        raise LabelError(
            "labels are 1 and 2, but a single prediction column goes with 0 and 1.\nSubtract 1 from the labels, or pass "
            "classes=[1, 2] (--classes 1,2) if the column is the probability of 2."
        )
    if len(found) == 1 and name is not None and str(found[0]) != name:
        found = [found[0], name]
    if len(found) == 2 and name is not None and name not in map(str, found) and kind == "text":
        raise LabelError(
            f"the prediction column is named for {name}, but labels are {_shown(found)}.\n"
            "Pass classes=[other, the one the column speaks of] (--classes a,b)."
        )
    if len(found) != 2:
        raise LabelError(
            f"a single prediction column means two classes, but labels name {len(found)}: {_shown(found)}.\n"
            "Pass one prediction column a class; with two classes, of which one does not occur, "
            "classes=[other, the one the column speaks of] (--classes a,b)."
        )
    if str(found[0]) == name:
        found = found[::-1]
    how = "note.single.by_name" if str(found[1]) == name else "note.single.last"
    return Resolved(tuple(found), (0,), sentence(how, name=repr(found[1])))


def _refuse_fractions(labels: Any) -> None:
    """Floats that are not whole name no class; `Vocabulary` says which row."""
    if kind_of(labels) == "float":
        Vocabulary((0, 1)).whole(labels)


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(str(v) for v in values[:8]) + (", …" if len(values) > 8 else "")
