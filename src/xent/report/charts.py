"""Where things stand in the plots of the page: positions in percent of the plot's width or height, never a score.

The template draws them. Percentages let a plot stretch to any screen while its text and strokes keep their size.
"""

import math
from itertools import groupby
from typing import NamedTuple

from xent import units
from xent.report.axes import Tick, round_step, ticks
from xent.report.model import Bin, ClassReport, Report
from xent.report.typeset import SPACE

__all__ = ["ClassBars", "Column", "Curve", "Histogram", "Ruler", "class_bars", "curve", "histogram", "ruler"]

MOST_COLUMNS = 32
FEWEST_COLUMNS = 16
MOST_CLASSES = 20
TAIL = 0.01  # a tail with less than this share of the rows and of the loss is one column, "and more"
STEEPEST = 3.0  # nats: beyond this loss the curve is drawn against log p
STEEP_ENOUGH = 5.0  # nats: where a curve drawn against p ends, however bad the worst row is
BINS_PER_BIT = 8


class Ruler(NamedTuple):
    """The loss and the baseline on one axis."""

    loss: float  # percent
    interval: tuple[float, float] | None
    baseline: float
    ticks: tuple[Tick, ...]


class Column(NamedTuple):
    """Neighbouring bins of the histogram, drawn as one bar of rows and one of loss."""

    low: float  # in the report's unit; inf for the rows of infinite loss
    high: float
    rows: int
    share_of_rows: float
    share: float | None  # of the loss
    left: float  # percent
    up: float  # percent
    down: float


class Histogram(NamedTuple):
    """Rows by surprisal, and what they cost."""

    columns: tuple[Column, ...]
    width: float  # of a column, percent
    ticks: tuple[Tick, ...]
    special: tuple[Tick, ...]  # names of the columns at the end that lie on no scale
    middle: float  # where the rows end and the loss begins, percent from the top
    heights: tuple[Tick, ...]  # shares
    mean: float | None  # where the loss is, percent
    wide: float  # of a column, in the report's unit


class Dot(NamedTuple):
    """Something on the curve."""

    x: float  # percent
    y: float
    size: float  # radius, pixels
    low: float  # in the report's unit
    high: float
    probable: tuple[float, float]  # the same as probabilities, the smaller first
    rows: int


class Curve(NamedTuple):
    """−log p, with this data set's rows on it."""

    path: str  # in a box of 100 × 100
    logarithmic: bool
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    rows: tuple[Dot, ...]
    worst: tuple[Dot, ...]
    typical: Dot | None
    baseline: float | None  # height, percent
    beyond: int  # rows above the plot
    top: float  # in the report's unit


class ClassBar(NamedTuple):
    """One class."""

    position: int  # in report.by_class
    found: ClassReport
    loss: float | None  # percent; None if there is none or it is infinite
    baseline: float | None


class ClassBars(NamedTuple):
    """The classes that cost most, or all of them."""

    bars: tuple[ClassBar, ...]
    ticks: tuple[Tick, ...]
    left_out: int


def ruler(report: Report) -> Ruler:
    """The loss against the baseline."""
    interval = None if report.interval is None or math.isinf(report.loss) else report.interval
    ends = (report.loss, report.baseline, *(interval or ()))
    top = 1.05 * max(end for end in ends if math.isfinite(end)) or 1.0
    if math.isinf(report.loss):
        top = 2.0 * report.baseline or 1.0
    return Ruler(
        loss=100.0 if math.isinf(report.loss) else 100.0 * report.loss / top,
        interval=None if interval is None else (100.0 * interval[0] / top, 100.0 * interval[1] / top),
        baseline=100.0 * report.baseline / top,
        ticks=ticks(top),
    )


def histogram(report: Report) -> Histogram:
    """At most MOST_COLUMNS columns of equal width, then one for what lies beyond and one for infinite losses."""
    step, columns = _grid(report)
    groups = {key: list(bins) for key, bins in groupby(report.histogram, lambda b: min(_position(b) // step, columns))}
    special = [key for key in (columns,) if key in groups] + ([columns + 1] if report.infinite else [])
    total = columns + 1.5 * len(special)
    edges = [_unit(report, key * step / BINS_PER_BIT) for key in range(columns + 1)] + [math.inf]
    drawn = [(key, sum(b.rows for b in bins), _share(bins)) for key, bins in groups.items()]
    if report.infinite:
        drawn.append((columns + 1, report.infinite, None))
    up = max(rows for _, rows, _ in drawn) / report.rows
    down = max(share or 0.0 for _, _, share in drawn)
    if down:  # neither half so low that its name does not fit
        up, down = max(up, 0.3 * down), max(down, 0.3 * up)
    top = up + (1.1 * down if down else 0.0)
    last = columns + 0.5 if len(special) == 1 else columns + 2.0
    lefts = {
        key: 100.0 * (last if key > columns else columns + 0.5 if key == columns else key) / total
        for key, _, _ in drawn
    }
    found = tuple(
        Column(
            low=math.inf if key > columns else edges[key],
            high=math.inf if key > columns else edges[key + 1],
            rows=rows,
            share_of_rows=rows / report.rows,
            share=share,
            left=lefts[key],
            up=100.0 * rows / report.rows / top,
            down=100.0 * (share or 0.0) / top,
        )
        for key, rows, share in drawn
    )
    scale = 100.0 * columns / total
    names = {columns: "more", columns + 1: "∞"}
    return Histogram(
        columns=found,
        width=100.0 / total,
        ticks=ticks(edges[columns], scale, room=8.0 if special else 0.0),
        special=tuple(Tick(lefts[key] + 50.0 / total, names[key]) for key in special),
        middle=100.0 * up / top,
        heights=tuple(Tick(tick.at, f"{tick.text}{SPACE}%") for tick in ticks(100.0 * top) if tick.at),
        mean=scale * report.loss / edges[columns] if report.loss <= edges[columns] else None,
        wide=edges[1],
    )


def _position(found: Bin) -> int:
    return round(found.low_bits * BINS_PER_BIT)


def _share(bins: list[Bin]) -> float | None:
    return None if bins[0].share is None else math.fsum(b.share or 0.0 for b in bins)


def _grid(report: Report) -> tuple[int, int]:
    """How many bins a column holds, and how many columns there are before the tail."""
    rows, share, last = 0, 0.0, 0
    for found in reversed(report.histogram):
        rows, share = rows + found.rows, share + (found.share or 0.0)
        last = _position(found)
        if math.isfinite(found.high_bits) and max(rows / report.rows, share) >= TAIL:
            break
    last = min(last, max((_position(b) for b in report.histogram if math.isfinite(b.high_bits)), default=0))
    step = 1
    while last // step >= MOST_COLUMNS:
        step *= 2
    return step, max(last // step + 1, FEWEST_COLUMNS)


def curve(report: Report) -> Curve:
    """Linear in p where the typical row has some probability, else logarithmic."""
    base = units.unit_base(report.unit)
    loss = _nats(report, report.loss if math.isfinite(report.loss) else report.finite_loss or 0.0)
    logarithmic = loss > STEEPEST
    step, columns = _grid(report)
    worst = [row.nats for row in report.worst if math.isfinite(row.nats)]
    top = max(STEEPEST, 1.25 * loss, min(STEEP_ENOUGH, 1.05 * max(worst, default=0.0)))
    if logarithmic:
        top = max(top, columns * step / BINS_PER_BIT * math.log(2.0))

    def across(nats: float) -> float:
        return 100.0 * (1.0 - nats / top) if logarithmic else 100.0 * math.exp(-nats)

    def dot(low: float, high: float, rows: int, size: float) -> Dot:
        nats = (low + high) / 2.0
        shown = [float(units.from_nats(value, base)) for value in (low, high)]
        probable = math.exp(-high), math.exp(-low)
        return Dot(across(nats), 100.0 * nats / top, size, shown[0], shown[1], probable, rows)

    groups = _groups_below(report, top)
    most = max((rows for _, _, rows in groups), default=1)
    heights = [top * i / 50.0 for i in range(51)]
    baseline = 100.0 * _nats(report, report.baseline) / top
    return Curve(
        path="M" + "L".join(f"{across(nats):.2f} {100.0 * (1.0 - nats / top):.2f}" for nats in heights),
        logarithmic=logarithmic,
        across=_powers_of_ten(top) if logarithmic else tuple(Tick(25.0 * i, f"{i / 4:g}") for i in range(5)),
        up=ticks(float(units.from_nats(top, base))),
        rows=tuple(dot(low, high, rows, max(3.0, 16.0 * math.sqrt(rows / most))) for low, high, rows in groups),
        worst=tuple(dot(nats, nats, 1, 4.0) for nats in dict.fromkeys(worst) if nats <= top),
        typical=dot(loss, loss, report.rows, 6.0) if math.isfinite(report.loss) else None,
        baseline=baseline if baseline <= 100.0 else None,
        beyond=report.rows - sum(rows for _, _, rows in groups),
        top=float(units.from_nats(top, base)),
    )


def _groups_below(report: Report, top: float) -> list[tuple[float, float, int]]:
    """From, to (nats) and rows of the bins below `top` nats, at most MOST_COLUMNS of them."""
    bins_per_nat = BINS_PER_BIT / math.log(2.0)
    step = math.ceil(top * bins_per_nat / MOST_COLUMNS)
    groups = []
    for key, bins in groupby(report.histogram, lambda b: _position(b) // step):
        low, high = key * step / bins_per_nat, (key + 1) * step / bins_per_nat
        rows = [b.rows for b in bins if math.isfinite(b.high_bits)]
        if rows and (low + high) / 2.0 <= top:
            groups.append((low, high, sum(rows)))
    return groups


def class_bars(report: Report) -> ClassBars:
    """Every class in its order, or the MOST_CLASSES that carry the largest share of the loss."""
    order = list(enumerate(report.by_class))
    if len(order) > MOST_CLASSES:
        order = sorted(order, key=_cost, reverse=True)[:MOST_CLASSES]
    values = [v for _, c in order for v in (c.loss, c.baseline) if v is not None and math.isfinite(v)]
    top = 1.02 * max(values, default=0.0) or 1.0

    def at(value: float | None) -> float | None:
        return None if value is None or math.isinf(value) else 100.0 * value / top

    bars = tuple(ClassBar(position, found, at(found.loss), at(found.baseline)) for position, found in order)
    return ClassBars(bars, ticks(top, most=4), len(report.by_class) - len(order))


def _cost(numbered: tuple[int, ClassReport]) -> tuple[int, float, float]:
    found = numbered[1]
    return found.infinite, found.share or 0.0, found.loss or 0.0


def _unit(report: Report, bits: float) -> float:
    return float(units.from_nats(bits * math.log(2.0), units.unit_base(report.unit)))


def _nats(report: Report, value: float) -> float:
    return value / float(units.from_nats(1.0, units.unit_base(report.unit)))


def _powers_of_ten(top: float) -> tuple[Tick, ...]:
    decades = top / math.log(10.0)
    step = max(1, int(round_step(decades / 5)))
    names = {0: "1", 1: "0.1", 2: "0.01"}
    superscript = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    return tuple(
        Tick(100.0 * (1.0 - k / decades), names.get(k, "10⁻" + str(k).translate(superscript)))
        for k in range(0, int(decades) + 1, step)
    )
