"""The page's pictures for matplotlib, for those who put them elsewhere: `report.plot.reliability()`."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from xent.errors import MissingPackageError, OptionError
from xent.report import charts
from xent.report.chart_confusion import MOST_CLASSES, least_coloured
from xent.report.chart_groups import ERRORS, group_bars
from xent.report.chart_ladder import waterfall
from xent.report.chart_reliability import ReliabilityPlot, reliability
from xent.report.model import Label, Report
from xent.report.plot_fonts import legible
from xent.report.typeset import name, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["INK", "LOSS", "ROWS", "Plots", "axes_of"]

LOSS, ROWS, INK = "#a33a0c", "#8a8478", "#1d1b18"


class Plots(NamedTuple):
    """Pictures of a report. Each is drawn on `ax`, or on a new figure, and is returned as matplotlib's Axes."""

    report: Report

    def reliability(self, ax: "Axes | None" = None, *, of: Label | None = None) -> "Axes":
        """How often it happens against what was predicted, with counts, band and isotonic curve; and after the cure.

        After the cure: each bin's mean probability moved by it; of more than two classes the cured predictions' own bins.

        Args:
            ax: to draw on; None makes a figure.
            of: the class or label; None is the second of two classes, the likeliest of more, the first of several labels.

        Raises:
            OptionError: there is no such curve, as in a brief report.
            MissingPackageError: matplotlib is absent.
        """
        plot = _curve(self.report, of)
        ax = axes_of(ax)
        found = [spot.found for spot in plot.spots]
        predicted = [one.predicted for one in found]
        most = max(one.weight for one in found)
        ax.plot([0, 1], [0, 1], color=ROWS, linestyle="--", linewidth=1)
        ax.fill_between(predicted, [o.low for o in found], [o.high for o in found], color=ROWS, alpha=0.25, linewidth=0)
        ax.plot(predicted, [one.fitted for one in found], color=INK, linewidth=1, label="isotonic")
        sizes = [max(12.0, 160.0 * one.weight / most) for one in found]
        before = "before the cure" if plot.moved else "as predicted"
        ax.scatter(predicted, [one.observed for one in found], sizes, color=LOSS, alpha=0.75, zorder=3, label=before)
        if plot.rings:
            x, y = zip(*plot.rings, strict=True)
            ax.scatter(x, y, 24, facecolors="white", edgecolors=LOSS, zorder=4, label="after the cure")
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="how often it happened")
        ax.set_xlabel(f"probability given to {plot.about}")
        ax.legend(frameon=False)
        return legible(ax)

    def ladder(self, ax: "Axes | None" = None) -> "Axes":
        """What the loss is made of: class bias, temperature, and what no recalibration removes.

        Args:
            ax: to draw on; None makes a figure.

        Raises:
            OptionError: the report has no ladder.
            MissingPackageError: matplotlib is absent.
        """
        plot = waterfall(self.report)
        if plot is None:
            raise OptionError(f"the report has no ladder to draw: {self.report.diagnosis}.")
        ax = axes_of(ax)
        names, left, width = ["loss as it is"], [0.0], [self.report.loss]
        for fall in plot.falls:
            names.append(fall.name)
            left.append(0.0 if fall is plot.falls[-1] else self.report.loss - math.fsum([*width[1:], fall.part]))
            width.append(fall.part)
        colours = [ROWS, *[LOSS] * (len(plot.falls) - 1), ROWS]
        bars = ax.barh(names, width, left=left, color=colours)
        ax.bar_label(bars, [number(part) for part in width], padding=4)
        ax.invert_yaxis()
        ax.margins(x=0.12)
        ax.set_xlabel(f"{self.report.unit} per row")
        return legible(ax)

    def confusion(self, ax: "Axes | None" = None) -> "Axes":
        """Mean −log of the probability that the rows of each class (down) give to each class (across).

        Args:
            ax: to draw on; None makes a figure.

        Raises:
            OptionError: the report has no such matrix, as with several labels or many classes.
            MissingPackageError: matplotlib is absent.
        """
        report = self.report
        if report.confusion is None:
            raise OptionError(
                "the report has no confusion matrix: it is left out of brief reports, and with several labels, soft "
                "labels or many classes.\nScore one label a row without brief=True; report.confused has the pairs."
            )
        ax = axes_of(ax)
        top = least_coloured(report)
        shown = [[math.nan if cost is None else min(cost, top) for cost in row] for row in report.confusion]
        image = ax.imshow(shown, cmap="OrRd_r", vmin=0.0, vmax=top)
        names = [name(label) for label in report.classes]
        ax.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 3 else 0)
        ax.set_yticks(range(len(names)), names)
        ax.set(xlabel="class", ylabel="true class")
        for i, row in enumerate(report.confusion if len(names) <= MOST_CLASSES else ()):
            for j, cost in enumerate(row):
                dark = cost is not None and cost < 0.4 * top
                ax.text(j, i, _brief(cost), ha="center", va="center", fontsize=7, color="white" if dark else INK)
        ax.figure.colorbar(image, ax=ax, label=f"mean −log p, {report.unit}", extend="max")
        return legible(ax)

    def histogram(self, ax: "Axes | None" = None) -> "Axes":
        """Rows by surprisal: upwards their share of the rows, downwards their share of the loss.

        Args:
            ax: to draw on; None makes a figure.

        Raises:
            MissingPackageError: matplotlib is absent.
        """
        plot = charts.histogram(self.report)
        ax = axes_of(ax)
        left = [column.left for column in plot.columns]
        rows, costs = [c.share_of_rows for c in plot.columns], [-(c.share or 0.0) for c in plot.columns]
        ax.bar(left, rows, 0.88 * plot.width, align="edge", color=ROWS, label="share of the rows")
        ax.bar(left, costs, 0.88 * plot.width, align="edge", color=LOSS, label="share of the loss")
        ax.axhline(0.0, color=INK, linewidth=0.8)
        if plot.mean is not None:
            ax.axvline(plot.mean, color=INK, linestyle="--", linewidth=1, label=f"mean {number(self.report.loss)}")
        marks = (*plot.ticks, *plot.special)
        ax.set_xticks([tick.at for tick in marks], [tick.text for tick in marks])
        ax.yaxis.set_major_formatter(lambda share, _: f"{abs(100 * share):g} %")
        ax.set_xlabel(f"surprisal of a row, −log p ({self.report.unit})")
        ax.legend(frameon=False)
        return legible(ax)

    def groups(self, ax: "Axes | None" = None) -> "Axes":
        """The mean loss of each group, two standard errors to each side, and the loss of all rows as a line.

        Args:
            ax: to draw on; None makes a figure.

        Raises:
            OptionError: the report has no groups.
            MissingPackageError: matplotlib is absent.
        """
        plot = group_bars(self.report)
        if plot is None:
            raise OptionError("the report has no groups: pass group= to evaluate or scan (--group NAME to xent score).")
        ax = axes_of(ax)
        bars = [bar for bar in plot.bars if math.isfinite(bar.found.loss)]
        names = [bar.name for bar in bars]
        errors = [ERRORS * (bar.found.standard_error or 0.0) for bar in bars]
        colours = [LOSS if bar.found.direction == "worse" else ROWS for bar in bars]
        ax.barh(range(len(bars)), [bar.found.loss for bar in bars], xerr=errors, color=colours, ecolor=INK, capsize=3)
        ax.set_yticks(range(len(bars)), names)
        if math.isfinite(self.report.loss):
            ax.axvline(self.report.loss, color=INK, linestyle="--", linewidth=1)
        ax.invert_yaxis()
        ax.set_xlim(left=0.0)
        ax.set_xlabel(f"mean loss, {self.report.unit}")
        return legible(ax)


def _brief(cost: float | None) -> str:
    """Short enough for a cell."""
    text = number(cost)
    return text if cost is None or len(text) <= 6 else f"{cost:.1g}"


def axes_of(ax: Any, what: str = "report.plot", instead: str = "report.html(path)") -> Any:
    """Those given, or those of a new figure.

    Raises:
        MissingPackageError: matplotlib is absent.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingPackageError(
            f"{what} draws with matplotlib, which is not installed.\n"
            f"Install it with pip install 'xent[plot]'; {instead} needs nothing more."
        ) from error
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def _curve(report: Report, of: Label | None) -> ReliabilityPlot:
    plots = reliability(report)
    found = [one for one in (plots.main, *plots.others) if one is not None]
    if of is not None:
        found = [one for one in found if report.reliability[one.position].of == of]
    if not found:
        kept = [repr(curve.of) for curve in report.reliability if curve.bins and curve.of is not None]
        asked = "" if of is None else f" of {of!r}"
        raise OptionError(
            f"the report has no reliability curve{asked}; it has those of {', '.join(kept[:10]) or 'no class'}.\n"
            "Name one of these, or score without brief=True."
        )
    return found[0]
