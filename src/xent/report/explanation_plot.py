"""The picture of an explanation, for matplotlib."""

from typing import TYPE_CHECKING, Any

from xent.errors import OptionError
from xent.report.plot import INK, LOSS, ROWS, axes_of
from xent.report.plot_fonts import chinese_fonts, is_chinese, legible
from xent.report.steps import Bars, Curve
from xent.texts.catalogue import said

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from xent.report.explanation import Explanation

__all__ = ["draw"]


def draw(explanation: "Explanation", ax: "Axes | None") -> "Axes":
    """On the axes given, or on those of a new figure; in English where no font has the characters of another language.

    Raises:
        MissingPackageError: matplotlib is absent.
        OptionError: the explanation has no picture.
    """
    charts = [step.chart for step in explanation.steps if step.chart is not None]
    if not charts:
        raise OptionError("this explanation has no picture to draw. Its tables are in explanation.steps.")
    axes: Axes = axes_of(ax, "explanation.plot()", "print(explanation)")
    chart = charts[0]
    plain = not chinese_fonts()
    lang = "en" if plain else explanation.lang
    if isinstance(chart, Bars):
        _bars(chart, axes, [str(i) if plain and is_chinese(name) else name for i, name in enumerate(chart.names)])
        axes.set_ylabel(said(chart.axis, lang))
    else:
        _curve(chart, axes)
        axes.set(xlabel=said(chart.x_axis, lang), ylabel=said(chart.y_axis, lang))
    return legible(axes)


def _bars(chart: Bars, ax: Any, names: list[str]) -> None:
    wide = 0.8 / len(chart.series)
    for i, (name, values) in enumerate(chart.series):
        at = [k - 0.4 + (i + 0.5) * wide for k in range(len(chart.names))]
        ax.bar(at, values, 0.92 * wide, color=(ROWS, LOSS)[i % 2], label=name)
    ax.set_xticks(range(len(names)), names)
    ax.legend(frameon=False)


def _curve(chart: Curve, ax: Any) -> None:
    ax.plot(chart.x, chart.y, color=INK, linewidth=1.5)
    if chart.points:
        x, y = zip(*chart.points, strict=True)
        ax.scatter(x, y, 40, color=LOSS, zorder=3)
