"""An explanation on a terminal: each step with its reasons, its table and its bars."""

from typing import TYPE_CHECKING, Any

from xent.report.figures import figure, is_figure
from xent.report.lines import wrapped
from xent.report.steps import Bars, Cell, Table
from xent.texts.catalogue import text

if TYPE_CHECKING:
    from xent.report.explanation import Explanation

__all__ = ["print_explanation"]

WIDEST = 100  # columns: longer lines of text are hard to read
LONGEST_BAR = 40
INDENT = 3


def print_explanation(explanation: "Explanation", console: Any) -> None:
    """Print it on a rich console, in colour where that has any."""
    from rich.padding import Padding
    from rich.text import Text

    width = min(console.width, WIDEST)

    def write(paragraph: str, style: str = "", first: str = "", indent: int = 0) -> None:
        lines = wrapped(paragraph, width - max(indent, len(first)))
        for i, line in enumerate(lines):
            console.print(Text((first if i == 0 and first else " " * max(indent, len(first))) + line, style))

    write(explanation.title, "bold")
    for number, step in enumerate(explanation.steps, 1):
        console.print()
        write(step.title, "bold cyan", first=f"{number}. ".ljust(INDENT))
        for paragraph in step.text:
            write(paragraph, indent=INDENT)
        if step.table is not None:
            console.print()
            console.print(Padding(_table(step.table), (0, 0, 0, INDENT)))
        if isinstance(step.chart, Bars):
            console.print()
            console.print(Padding(_bars(step.chart, width), (0, 0, 0, INDENT)), width=width)
    if explanation.notes:
        console.print()
    for note in explanation.notes:
        write(text(explanation.lang, "read.note", note=note), "dim")


def shown(cell: Cell) -> str:
    """A cell as it is read."""
    return cell if isinstance(cell, str) else figure(cell)


def _table(table: Table) -> Any:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=box.SIMPLE, pad_edge=False, show_edge=False, show_footer=table.foot is not None)
    for i, name in enumerate(table.header):
        flush = i > 0 and is_figure([shown(row[i]) for row in table.rows])
        foot = "" if table.foot is None else shown(table.foot[i])
        grid.add_column(name, justify="right" if flush else "left", footer=foot)
    for i, row in enumerate(table.rows):
        style = "bold green" if i in table.marked else ""
        grid.add_row(*(Text(shown(cell), style) for cell in row))
    return grid


def _bars(chart: Bars, width: int) -> Any:
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid.grid(padding=(0, 1))
    grid.add_column(max_width=width // 4, no_wrap=True, overflow="ellipsis")
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    most = max(value for _, values in chart.series for value in values) or 1.0
    for i, name in enumerate(chart.names):
        for j, (series, values) in enumerate(chart.series):
            bar = _bar(values[i] / most * LONGEST_BAR)
            line = Text.assemble((bar, ("cyan", "yellow")[j % 2]), f" {figure(values[i])}")
            grid.add_row(name if j == 0 else "", series if len(chart.series) > 1 else "", line)
    return grid


def _bar(length: float) -> str:
    """Of that many characters, to an eighth."""
    eighths = round(8 * length)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]
