"""The picture of an explanation, for matplotlib."""

from typing import TYPE_CHECKING, Any

from xent.errors import OptionError
from xent.report.plot import INK, LOSS, ROWS, axes_of
from xent.report.steps import Bars, Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from xent.report.explanation import Explanation

__all__ = ["draw"]


def draw(explanation: "Explanation", ax: "Axes | None") -> "Axes":
    """On the axes given, or on those of a new figure.

    Raises:
        MissingPackageError: matplotlib is absent.
        OptionError: the explanation has no picture.
    """
    charts = [step.chart for step in explanation.steps if step.chart is not None]
    if not charts:
        raise OptionError("this explanation has no picture to draw. Its tables are in explanation.steps.")
    axes: Axes = axes_of(ax, "explanation.plot()", "print(explanation)")
    chart = charts[0]
    if isinstance(chart, Bars):
        _bars(chart, axes)
    else:
        _curve(chart, axes)
    return axes


def _bars(chart: Bars, ax: Any) -> None:
    wide = 0.8 / len(chart.series)
    for i, (name, values) in enumerate(chart.series):
        at = [k - 0.4 + (i + 0.5) * wide for k in range(len(chart.names))]
        ax.bar(at, values, 0.92 * wide, color=(ROWS, LOSS)[i % 2], label=name)
    ax.set_xticks(range(len(chart.names)), chart.names)
    ax.set_ylabel(chart.axis)
    ax.legend(frameon=False)


def _curve(chart: Curve, ax: Any) -> None:
    ax.plot(chart.x, chart.y, color=INK, linewidth=1.5)
    if chart.points:
        x, y = zip(*chart.points, strict=True)
        ax.scatter(x, y, 40, color=LOSS, zorder=3)
    ax.set(xlabel=chart.x_axis, ylabel=chart.y_axis)
