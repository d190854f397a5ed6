"""What `xent check` says: plain frozen data, as text and as JSON."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from xent.report import json
from xent.report.lines import broken, shown_in
from xent.report.numbers import decimals
from xent.texts.catalogue import counted, said, sentence, speaker

__all__ = ["Checkup", "ColumnsRead", "Finding", "Severity", "print_checkup"]

Label = str | int | float | bool
Severity = Literal["serious", "worth a look", "fine"]
WIDTH = 120
SEVERITIES = {"serious": "checkup.serious", "worth a look": "checkup.look"}
MARKS = {"serious": ("✗", "bold red"), "worth a look": ("!", "yellow"), "fine": ("✓", "green")}


@dataclass(frozen=True)
class Finding:
    """One thing found; `fine` says what was looked at and is in order."""

    severity: Severity
    name: str  # stable, such as "permuted-columns"
    message: str  # what was found, with counts and values
    change: str  # what to do; "" where nothing is
    rows: int | None  # how many are concerned; None where it is about the whole
    first_row: int | None  # the first of them, counted from 0 within its file
    source: str | None  # that file; None for a table in memory


@dataclass(frozen=True)
class ColumnsRead:
    """Which columns were taken for what."""

    label: tuple[str, ...]  # one, or one a class
    prediction: tuple[str, ...]
    weight: str | None
    id: str | None  # the column that tells rows apart


@dataclass(frozen=True)
class Checkup:
    """What one reading of a table of predictions found."""

    source: str | None  # the files; None for a table in memory
    serious: bool  # whether any finding is
    rows: int | None  # None where they were not read
    columns: ColumnsRead | None  # None where they could not be chosen
    classes: tuple[Label, ...]  # empty where labels and columns could not be matched
    kind: str | None  # "probabilities", "logits", "log_probabilities", "percents" or "counts"
    task: str | None  # "binary", "multiclass" or "multilabel"
    loss: float | None  # nats, as `xent score` would say; None where it would refuse, or beyond 256 classes
    findings: tuple[Finding, ...]  # the most serious first
    notes: tuple[str, ...]  # how the table was read

    def __str__(self) -> str:
        """The checkup as the command prints it, without colours."""
        return self.text()

    def text(self, lang: str = "en") -> str:
        """The checkup as the command prints it, in a language: "en" or "zh"."""
        return shown_in(WIDTH, lambda console: print_checkup(self, console, lang))

    def json(self) -> str:
        """The checkup as JSON: keys are the attribute names, infinity is "inf", unknown is null."""
        return json.render(self)


def print_checkup(checkup: Checkup, console: Any, lang: str = "en") -> None:
    """Print a checkup on a rich console, in colour where it has any."""
    from rich.table import Table
    from rich.text import Text

    say = speaker(lang)
    console.print(Text(_headline(checkup, lang), "bold"))
    width = console.width - 2
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for one in checkup.findings:
        if one.severity != "fine":
            mark, style = MARKS[one.severity]
            text = Text(broken(f"{one.name}: {said(one.message, lang)}", width))
            text.stylize(style, 0, len(one.name) + 1)
            grid.add_row(Text(mark, style), text)
            if one.change:
                grid.add_row("", Text(broken(f"→ {said(one.change, lang)}", width)))
    fine = [said(one.message, lang) for one in checkup.findings if one.severity == "fine"]
    if fine:
        grid.add_row(Text(*MARKS["fine"]), Text(broken(say("checkup.and").join(fine), width), "dim"))
    for note in checkup.notes:
        grid.add_row("", Text(broken(say("read.note", note=note), width), "dim"))
    console.print(grid)


def _headline(checkup: Checkup, lang: str) -> str:
    say = speaker(lang)
    parts = []
    if checkup.rows is not None:
        parts.append(counted("rows", checkup.rows))
    if checkup.classes:
        several = checkup.task == "multilabel"
        parts.append(sentence("checkup.labels" if several else "checkup.classes", count=len(checkup.classes)))
    if checkup.kind is not None:
        parts.append(sentence(f"kind.{checkup.kind}"))
    if checkup.loss is None:
        parts.append(sentence("checkup.no_loss"))
    elif math.isinf(checkup.loss):
        parts.append(sentence("checkup.loss.infinite"))
    else:
        parts.append(sentence("checkup.loss", loss=decimals(checkup.loss)))
    counts = {word: sum(one.severity == word for one in checkup.findings) for word in SEVERITIES}
    found = tuple(sentence(SEVERITIES[word], count=count) for word, count in counts.items() if count)
    source = checkup.source or sentence("checkup.table")
    return say("checkup", source=source, parts=tuple(parts), verdict=found or sentence("checkup.nothing"))
