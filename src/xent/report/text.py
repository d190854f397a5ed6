"""The report for a terminal: five to ten lines that say what the number means."""

import io
import math
from typing import Any

from xent import units
from xent.report import breakdown
from xent.report.model import ClassReport, Report, WorstRow
from xent.report.numbers import decimals, percent

__all__ = ["print_report", "render"]

MOST_CLASSES = 12  # shown; of more, those that carry most of the loss
NAMES = 15  # columns that the names of the lines take


def render(report: Report, width: int = 120) -> str:
    """The report as plain text."""
    from rich.console import Console

    buffer = io.StringIO()
    print_report(report, Console(file=buffer, width=width, color_system=None, legacy_windows=False))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def print_report(report: Report, console: Any) -> None:
    """Print the report on a rich console, in colour where it has any."""
    from rich.table import Table
    from rich.text import Text

    width = console.width - NAMES
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True, min_width=NAMES - 2)
    grid.add_column()
    lines = _lines(report)
    column = max(len(left) for _, left, _, _ in lines) + 3
    beside = column + max(len(right) for _, _, right, _ in lines) <= width
    for name, left, right, style in lines:
        grid.add_row(name, Text(left.ljust(column) + right if beside else f"{left}\n{right}".rstrip(), style))
    for name, line, style in _remarks(report, width):
        grid.add_row(name, Text(line, style))
    console.print(grid)


def _lines(report: Report) -> list[tuple[str, str, str, str]]:
    other = "bits" if report.unit == "nats" else "nats"
    in_other = units.from_nats(units.to_nats(report.loss, report.unit), units.unit_base(other))
    interval = ""
    if report.interval is not None and math.isfinite(report.loss):
        interval = f"95% interval {decimals(report.interval[0])} – {decimals(report.interval[1])}, "
        interval = interval[:-2] + {"t": ""}.get(report.interval_method, f" by {report.interval_method}") + ", "
    weighted = "" if report.weight is None else f", weight {report.weight:,.6g}"
    if report.clusters is not None:
        weighted += f", {report.clusters:,} clusters"
    skill = "undefined: only one class is present"
    if report.skill is not None:
        skill = f"{percent(report.skill)} %" if math.isfinite(report.skill) else "−∞"
        if report.skill_interval is not None:
            skill += f" ({percent(report.skill_interval[0])} to {percent(report.skill_interval[1])})"
    predictor = "each label's frequency" if report.task == "multilabel" else "the class frequencies"
    return [
        (
            "cross-entropy",
            f"{decimals(report.loss)} {report.unit}  ({interval}n = {report.rows:,}{weighted})",
            f"{decimals(in_other)} {other}; typical probability of the truth {decimals(report.typical_probability)}",
            "",
        ),
        ("baseline", f"{decimals(report.baseline)} {report.unit}  always predicting {predictor}", f"skill {skill}", ""),
        (
            "",
            f"accuracy {percent(report.accuracy)} %, perplexity {decimals(report.perplexity)}",
            "",
            "dim",
        ),
    ]


def _carried(report: Report) -> list[str]:
    least, most = report.share_of_worst_1_percent, report.share_of_worst_10_percent
    if least is None or most is None:
        return []
    if report.rows < 100:
        return [f"the worst 10 % of rows carry {percent(most)} % of the loss"]
    return [f"the worst 1 % of rows carry {percent(least)} % of the loss, the worst 10 % {percent(most)} %"]


def _remarks(report: Report, width: int) -> list[tuple[str, str, str]]:
    style = "green" if report.verdict.startswith("better") else "red" if report.skill is not None else ""
    lines = [("verdict", report.verdict, style)]
    if report.rule_of_thumb is not None:
        lines.append(("rule of thumb", report.rule_of_thumb, "dim"))
    if report.finite_loss is not None and report.infinite:
        lines.append(("finite rows", f"{decimals(report.finite_loss)} {report.unit} is the mean of the others", ""))
    lines += _named("made of", breakdown.made_of(report), "")
    lines += _named("where", [*_where(report, width), *_carried(report)], "")
    lines += _named("groups", breakdown.groups(report), "")
    lines += _named("confused", breakdown.confused(report), "")
    lines += _named("worst", _worst(report), "")
    lines += _named("checks", [", ".join(report.checks)], "dim")
    lines += [("warning", text, "yellow") for text in report.warnings]
    return lines + _named("read", list(report.notes), "dim")


def _named(name: str, lines: list[str], style: str) -> list[tuple[str, str, str]]:
    return [("" if i else name, line, style) for i, line in enumerate(lines)]


def _where(report: Report, width: int) -> list[str]:
    """Classes and their losses, as many on a line as fit."""
    word = "label" if report.task == "multilabel" else "class"
    shown = report.by_class
    if len(shown) > MOST_CLASSES:
        shown = tuple(sorted(shown, key=_weight_of, reverse=True)[:MOST_CLASSES])
    items = [f"{word} {_spoken(one.label)} {decimals(one.loss)}" for one in shown]
    cell = max(map(len, items)) + 3
    each = max(1, width // cell)
    lines = ["".join(item.ljust(cell) for item in items[i : i + each]).rstrip() for i in range(0, len(items), each)]
    if len(report.by_class) > len(shown):
        lines.append(
            f"({len(report.by_class):,} {'labels' if word == 'label' else 'classes'}; those of most loss shown)"
        )
    return lines


def _weight_of(one: ClassReport) -> tuple[float, float]:
    return (one.infinite, one.share or 0.0)


def _worst(report: Report) -> list[str]:
    """The worst rows, a line each; the file is named once if it is the same."""
    if not report.worst:
        return []
    sources = {row.source for row in report.worst}
    one_source = next(iter(sources)) if len(sources) == 1 else None
    return [
        *(_worst_line(row, report, row.source != one_source) for row in report.worst),
        *([f"(all in {one_source}, rows counted from 0)"] if one_source else []),
    ]


def _worst_line(row: WorstRow, report: Report, with_source: bool) -> str:
    place = "a row" if row.index is None else f"row {row.index}"
    if with_source:
        place += f" of {row.source}"
    predicted = "" if row.predicted == row.label else f"  (predicted {_spoken(row.predicted)})"
    return (
        f"{place}  label {_spoken(row.label)}  probability given to it {decimals(row.probability)}  "
        f"{decimals(row.loss)} {report.unit}{predicted}"
    )


def _spoken(label: Any) -> str:
    if isinstance(label, tuple):
        return ", ".join(_spoken(one) for one in label) or "none"
    return " ".join(str(label).split()) or repr(label)
