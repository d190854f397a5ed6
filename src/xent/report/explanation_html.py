"""An explanation as a piece of HTML for notebooks: its own style, light and dark, and no other file."""

from typing import TYPE_CHECKING, NamedTuple

from xent.report.axes import Tick, ticks
from xent.report.figures import figure, is_figure
from xent.report.lines import columns_of
from xent.report.pages import filled
from xent.report.steps import Bars, Cell, Curve, Table

if TYPE_CHECKING:
    from xent.report.explanation import Explanation

__all__ = ["render"]

ROOM = 38  # letters beside one another on a phone; the rows of a wider table are cut there
BREAKS = 10  # of a heading or of a bar's name: a longer one breaks, or has a line of its own
SHORT = 16  # of a row's name: a longer one breaks


class Bar(NamedTuple):
    """One bar of a chart."""

    name: str  # of its group, at the first bar of it
    series: str
    kind: int  # 0 for the first series, 1 for the second
    width: float  # percent
    text: str


class Line(NamedTuple):
    """A curve in a box of 100 × 100, with points and ticks in percent."""

    path: str
    points: tuple[tuple[float, float], ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    x_axis: str
    y_axis: str


def render(explanation: "Explanation") -> str:
    """One string of HTML."""
    drawn = [
        {
            "step": step,
            "long": isinstance(step.chart, Bars) and max(map(columns_of, step.chart.names)) > BREAKS,
            "bars": _bars(step.chart) if isinstance(step.chart, Bars) else (),
            "line": _line(step.chart) if isinstance(step.chart, Curve) else None,
            "table": None if step.table is None else _cells(step.table),
        }
        for step in explanation.steps
    ]
    return str(filled("explanation.html.jinja", explanation.lang, explanation=explanation, drawn=drawn))


def _cells(table: Table) -> dict[str, object]:
    """What stands in the cells, and which columns are numbers."""
    shown = [[_shown(cell) for cell in row] for row in table.rows]
    columns = list(zip(*shown, strict=True))
    return {
        "header": table.header,
        "rows": [(row, i in table.marked) for i, row in enumerate(shown)],
        "foot": None if table.foot is None else [_shown(cell) for cell in table.foot],
        "stacked": _stacked(table.header, columns),
        "numeric": [i > 0 and is_figure(column) for i, column in enumerate(columns)],
    }


def _stacked(header: tuple[str, ...], columns: list[tuple[str, ...]]) -> str:
    """How many numbers stand side by side on a phone, each below its name; "" where the whole table fits."""
    long = [max(map(columns_of, column)) for column in columns]
    names = [max(map(columns_of, name.split()), default=0) for name in header]  # a heading may break between words
    room = [max(a, min(b, BREAKS)) for a, b in zip(long, names, strict=True)]
    if min(room[0], SHORT) + sum(room[1:]) + 2 * len(room) <= ROOM:
        return ""
    numbers = sum(map(bool, header[1:]))
    return "two" if max(long[1:]) > 9 or numbers == 4 else "three"


def _shown(cell: Cell) -> str:
    return cell if isinstance(cell, str) else figure(cell)


def _bars(chart: Bars) -> tuple[Bar, ...]:
    most = max(value for _, values in chart.series for value in values) or 1.0
    several = len(chart.series) > 1
    return tuple(
        Bar("" if k else name, series if several else "", k % 2, 100.0 * values[i] / most, figure(values[i]))
        for i, name in enumerate(chart.names)
        for k, (series, values) in enumerate(chart.series)
    )


def _line(chart: Curve) -> Line:
    left, right = (pick(*chart.x, *(x for x, _ in chart.points)) for pick in (min, max))
    low, high = (pick(*chart.y, *(y for _, y in chart.points)) for pick in (min, max))
    left, low = min(left, 0.0), min(low, 0.0)

    def place(x: float, y: float) -> tuple[float, float]:
        return 100.0 * (x - left) / (right - left), 100.0 * (1.0 - (y - low) / (high - low))

    path = "M" + "L".join("{:.2f} {:.2f}".format(*place(x, y)) for x, y in zip(chart.x, chart.y, strict=True))
    across = tuple(Tick(place(value, low)[0], text) for value, text in _around_zero(left, right))
    up = tuple(Tick(place(left, value)[1], text) for value, text in _around_zero(low, high))
    return Line(path, tuple(place(*point) for point in chart.points), across, up, chart.x_axis, chart.y_axis)


def _around_zero(low: float, high: float) -> list[tuple[float, str]]:
    """Round numbers from low to high, and how they are written."""
    far = max(abs(low), abs(high))
    scale = [(tick.at / 100.0 * far, tick.text) for tick in ticks(far, most=4)]
    both = [(-value, f"−{text}") for value, text in scale if value > 0.0] + scale
    return [(value, text) for value, text in both if low - 1e-9 <= value <= high + 1e-9]
