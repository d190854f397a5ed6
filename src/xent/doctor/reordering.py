"""A better order of the columns, in words: what seems to have happened, and the option or edit that mends it."""

from itertools import pairwise
from typing import NamedTuple

from xent.doctor.findings import finding, spoken
from xent.report.checkup import Finding, Severity
from xent.report.numbers import decimals
from xent.scoring.classes import by_name
from xent.scoring.labels import as_number
from xent.scoring.plan import Label

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
    would = f"would give {decimals(max(found.then, 0.0))} instead of {decimals(found.now)} nats"
    step = f"if so, {_step(found)}."
    if found.single:
        message = (
            f"the prediction column looks like the probability of {classes[0]!r}, not of {classes[1]!r}: that {would}."
        )
        return finding(severity, "inverted-probability", message, step)
    shift = _shift(found)
    if shift:
        return finding(severity, "shifted-labels", *_shifted(found, shift, would))
    if last > 1 and all(found.wanted.get(code, code) == last - code for code in range(last + 1)):
        return finding(severity, "permuted-columns", f"columns look reversed: the opposite order {would}.", step)
    parts = "; ".join(_cycle([classes[code] for code in cycle]) for cycle in found.cycles[:6])
    return finding(severity, "permuted-columns", f"columns look permuted: {parts} {would}.", step)


def _cycle(labels: list[Label]) -> str:
    if len(labels) == 2:
        return f"{labels[0]} and {labels[1]} swapped"
    holds = [f"that of {other} holding {label}" for label, other in zip(labels, [*labels[1:], labels[0]], strict=True)]
    return (
        f"the column{', '.join(holds).removeprefix('that')}"
        if len(holds) <= 12
        else f"{spoken(labels)} moved in a ring"
    )


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


def _shifted(found: Reordering, shift: int, would: str) -> tuple[str, str]:
    """What happened, and what to do."""
    size, by = len(found.classes), abs(shift)
    label, other = (found.classes[by], found.classes[0]) if shift < 0 else (found.classes[0], found.classes[by])
    message = f"labels look shifted by {'one' if by == 1 else by}: label {label} fits the column of {other}, and so on, which {would}."
    over = set(range(by)) if shift < 0 else set(range(size - by, size))
    around = f" (modulo {size})" if over & found.present else ""
    edit = f"subtract {by} from the labels{around}" if shift < 0 else f"add {by} to the labels{around}"
    return message, f"if so, {edit}, or {_step(found)}." if around else f"if so, {edit}."


def _step(found: Reordering) -> str:
    """Rename columns where their names decide, or give the classes in their order."""
    classes, columns = found.classes, found.columns
    if found.single:
        if found.names and str(classes[1]) == found.names[0]:
            return f"rename column {columns[0]!r} after class {classes[0]!r}, or write 1 − p"
        return f"pass --classes {classes[1]},{classes[0]}, or write 1 − p"
    order = by_name(classes, found.names)
    if order is not None and len(columns) == len(classes):
        pairs = [(columns[order[other]], columns[order[code]]) for code, other in sorted(found.wanted.items())]
        return f"rename the columns: {spoken([f'{now} to {then}' for now, then in pairs], 12)}"
    at = {found.wanted.get(code, code): label for code, label in enumerate(classes)}
    return f"pass --classes {','.join(str(at[code]) for code in range(len(classes)))}"
