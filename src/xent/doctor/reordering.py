"""A better order of the columns, in words: what seems to have happened, and the option or edit that mends it."""

from itertools import pairwise
from typing import NamedTuple

from xent.checks.names import by_name
from xent.doctor.findings import finding, spoken
from xent.report.checkup import Finding, Severity
from xent.report.numbers import decimals
from xent.scoring.labels import as_number
from xent.scoring.plan import Label
from xent.texts.catalogue import Sentence, counted, sentence

__all__ = ["Reordering", "in_words"]


class Reordering(NamedTuple):
    """Classes that fit the columns of others better; they are numbered by their place in `classes`."""

    classes: tuple[Label, ...]
    wanted: dict[int, int]  # of a class that moves: the class whose column fits it
    cycles: tuple[tuple[int, ...], ...]  # those that change places among themselves
    present: frozenset[int]  # classes that rows have
    now: float  # nats, capped
    then: float
    sure: bool
    columns: tuple[str, ...]
    names: tuple[str, ...] | None  # of classes, by column, where names decide
    single: bool  # one column, of two classes


def in_words(found: Reordering) -> Finding:
    """The finding."""
    severity: Severity = "serious" if found.sure else "worth a look"
    classes, last = found.classes, len(found.classes) - 1
    would = sentence("would_give", then=decimals(max(found.then, 0.0)), now=decimals(found.now))
    step = sentence("change.if_so", step=_step(found))
    if found.single:
        message = sentence("found.inverted", first=repr(classes[0]), second=repr(classes[1]), would=would)
        return finding(severity, "inverted-probability", message, step)
    shift = _shift(found)
    if shift:
        return finding(severity, "shifted-labels", *_shifted(found, shift, would))
    if last > 1 and all(found.wanted.get(code, code) == last - code for code in range(last + 1)):
        return finding(severity, "permuted-columns", sentence("found.reversed", would=would), step)
    parts = _cycle([classes[code] for code in found.cycles[0]])
    for cycle in found.cycles[1:6]:
        parts = sentence("clauses", first=parts, second=_cycle([classes[code] for code in cycle]))
    return finding(severity, "permuted-columns", sentence("found.permuted", parts=parts, would=would), step)


def _cycle(labels: list[Label]) -> Sentence:
    if len(labels) == 2:
        return sentence("cycle.two", first=labels[0], second=labels[1])
    if len(labels) > 12:
        return sentence("cycle.ring", labels=spoken(labels))
    pairs = zip(labels, [*labels[1:], labels[0]], strict=True)
    first, *others = (
        sentence("cycle.column" if i == 0 else "cycle.that", other=other, label=label)
        for i, (label, other) in enumerate(pairs)
    )
    return sentence("cycle", parts=(first, *others))


def _shift(found: Reordering) -> int:
    """By how much labels that count are off, modulo the number of classes; 0 if that is not what they are."""
    size = len(found.classes)
    numbers = [as_number(label) for label in found.classes]
    steps = {(after or 0.0) - (before or 0.0) for before, after in pairwise(numbers)}
    if size < 3 or len(found.wanted) < size or None in numbers or steps != {1.0}:
        return 0
    by = {(other - code) % size for code, other in found.wanted.items()}
    shift = by.pop()
    return 0 if by else shift - size if shift > size // 2 else shift


def _shifted(found: Reordering, shift: int, would: Sentence) -> tuple[Sentence, Sentence]:
    """What happened, and what to do."""
    size, by = len(found.classes), abs(shift)
    label, other = (found.classes[by], found.classes[0]) if shift < 0 else (found.classes[0], found.classes[by])
    message = counted("found.shifted_labels", by, label=label, other=other, would=would)
    over = set(range(by)) if shift < 0 else set(range(size - by, size))
    edit = sentence("step.subtract" if shift < 0 else "step.add", by=by)
    if not over & found.present:
        return message, sentence("change.if_so", step=edit)
    return message, sentence("change.if_so.modulo", edit=edit, size=size, step=_step(found))


def _step(found: Reordering) -> Sentence:
    """Rename columns where their names decide, or give the classes in their order."""
    classes, columns = found.classes, found.columns
    if found.single:
        if found.names and str(classes[1]) == found.names[0]:
            return sentence("step.rename_one", column=repr(columns[0]), name=repr(classes[0]))
        return sentence("step.classes_or_inverse", classes=f"{classes[1]},{classes[0]}")
    order = by_name(classes, found.names)
    if order is not None and len(columns) == len(classes):
        pairs = [(columns[order[other]], columns[order[code]]) for code, other in sorted(found.wanted.items())]
        if len(pairs) > 12:
            return sentence("step.rename.more", names=_renamed(pairs[:12]), count=len(pairs))
        return sentence("step.rename", names=_renamed(pairs))
    at = {found.wanted.get(code, code): label for code, label in enumerate(classes)}
    return sentence("step.classes", classes=",".join(str(at[code]) for code in range(len(classes))))


def _renamed(pairs: list[tuple[str, str]]) -> tuple[Sentence, ...]:
    return tuple(sentence("step.rename.pair", now=now, then=then) for now, then in pairs)
