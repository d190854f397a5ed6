"""What `xent check` says: plain frozen data, as text and as JSON."""

import io
from dataclasses import dataclass
from typing import Any, Literal

from xent.report import json
from xent.report.numbers import decimals

__all__ = ["Checkup", "ColumnsRead", "Finding", "Severity", "print_checkup"]

Label = str | int | float | bool
Severity = Literal["serious", "worth a look", "fine"]
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
        from rich.console import Console

        buffer = io.StringIO()
        print_checkup(self, Console(file=buffer, width=120, color_system=None, legacy_windows=False))
        return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())

    def json(self) -> str:
        """The checkup as JSON: keys are the attribute names, infinity is "inf", unknown is null."""
        return json.render(self)


def print_checkup(checkup: Checkup, console: Any) -> None:
    """Print a checkup on a rich console, in colour where it has any."""
    from rich.table import Table
    from rich.text import Text

    console.print(Text(_headline(checkup), "bold"))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for one in checkup.findings:
        if one.severity != "fine":
            mark, style = MARKS[one.severity]
            grid.add_row(Text(mark, style), Text.assemble((f"{one.name}: ", style), one.message))
            if one.change:
                grid.add_row("", Text(f"→ {one.change}"))
    fine = [one.message for one in checkup.findings if one.severity == "fine"]
    if fine:
        grid.add_row(Text(*MARKS["fine"]), Text("; ".join(fine), "dim"))
    for note in checkup.notes:
        grid.add_row("", Text(f"read: {note}", "dim"))
    console.print(grid)


def _headline(checkup: Checkup) -> str:
    parts = []
    if checkup.rows is not None:
        parts.append(f"{checkup.rows:,} row{'' if checkup.rows == 1 else 's'}")
    if checkup.classes:
        parts.append(f"{len(checkup.classes):,} {'labels' if checkup.task == 'multilabel' else 'classes'}")
    if checkup.kind is not None:
        parts.append(checkup.kind.replace("_", "-"))
    loss = (
        "no loss"
        if checkup.loss is None
        else f"loss {decimals(checkup.loss)} nats".replace("infinite nats", "infinite")
    )
    counts = {word: sum(one.severity == word for one in checkup.findings) for word in ("serious", "worth a look")}
    verdict = ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "nothing to complain of"
    return f"{checkup.source or 'table'}: {', '.join([*parts, loss])}: {verdict}"
