"""What the steps of an explanation are made of: plain frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Bars", "Cell", "Curve", "Step", "Table", "Values"]

Values = Mapping[str, float | tuple[float, ...]]  # in full precision
Cell = str | float | None  # None is an empty cell


@dataclass(frozen=True)
class Table:
    """A small table: a name and numbers in each row."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marked: tuple[int, ...] = ()  # rows to look at first, such as the label's
    foot: tuple[Cell, ...] | None = None  # sums or means


@dataclass(frozen=True)
class Bars:
    """Bars side by side, a group for each name."""

    names: tuple[str, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]
    axis: str


@dataclass(frozen=True)
class Curve:
    """A curve, and points on it."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    points: tuple[tuple[float, float], ...]
    x_axis: str
    y_axis: str


@dataclass(frozen=True)
class Step:
    """One step of a calculation: what is done, why, and with the numbers given."""

    name: str  # stable, such as "softmax"
    title: str
    text: tuple[str, ...]  # paragraphs
    values: Values
    table: Table | None = None
    chart: Bars | Curve | None = None
