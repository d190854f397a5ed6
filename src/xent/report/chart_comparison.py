"""Losses and differences with their intervals, on one axis each."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from xent.report.axes import Tick, along, ticks_between

if TYPE_CHECKING:
    from xent.report.comparison import Comparison, PairDifference, SliceDifference

__all__ = ["MOST_LISTED", "Span", "Spans", "WherePlot", "differences", "losses", "where"]

MOST_PAIRS = 20
MOST_SLICES = 20
MOST_LISTED = 100  # rows of a table
Estimate = tuple[float | None, tuple[float, float] | None]


class Span(NamedTuple):
    """One estimate with its interval, percent."""

    position: int  # among all of its kind
    at: float | None  # None if it is infinite or undefined
    reach: tuple[float, float] | None


class Spans(NamedTuple):
    """Estimates on one axis."""

    spans: tuple[Span, ...]
    ticks: tuple[Tick, ...]
    zero: float | None  # percent; None if the axis does not hold it
    left_out: int


class WherePlot(NamedTuple):
    """The slices of one pair of models: its classes or its groups."""

    pair: int  # in comparison.pairs
    kind: str  # "class" or "group"
    found: "tuple[SliceDifference, ...]"
    plot: Spans


def losses(comparison: "Comparison") -> Spans:
    """The losses; the axis starts where they do, as it is the differences that matter."""
    return _spans([(one.loss, one.interval) for one in comparison.losses], from_zero=False)


def differences(comparison: "Comparison") -> Spans:
    """The paired differences around 0."""
    return _spans([(pair.difference, pair.interval) for pair in comparison.pairs[:MOST_PAIRS]], True, comparison.pairs)


def where(comparison: "Comparison") -> list[WherePlot]:
    """Classes and groups of each pair, that of the two models of least loss first."""
    least = {one.name for one in sorted(comparison.losses, key=lambda one: (one.loss, one.infinite))[:2]}
    pairs = sorted(enumerate(comparison.pairs[:MOST_PAIRS]), key=lambda one: {one[1].first, one[1].second} != least)
    return [
        WherePlot(i, kind, found, _spans([(one.difference, one.interval) for one in found[:MOST_SLICES]], True, found))
        for i, pair in pairs
        for kind, found in _slices(pair)
    ]


def _slices(pair: "PairDifference") -> "list[tuple[str, tuple[SliceDifference, ...]]]":
    return [(kind, found) for kind, found in (("class", pair.by_class), ("group", pair.by_group)) if len(found) > 1]


def _spans(estimates: Sequence[Estimate], from_zero: bool, whole: Sequence[object] = ()) -> Spans:
    """Where they stand on an axis that is a little longer than they need."""
    ends = [0.0] if from_zero else []
    for value, interval in estimates:
        ends += [end for end in (value, *(interval or ())) if end is not None and math.isfinite(end)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    room = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
    low, high = low - room, high + room
    found = []
    for i, (value, interval) in enumerate(estimates):
        known = value is not None and math.isfinite(value)
        at = along(value, low, high) if value is not None and known else None
        reach = (along(interval[0], low, high), along(interval[1], low, high)) if interval and known else None
        found.append(Span(i, at, reach))
    zero = along(0.0, low, high) if from_zero else None
    return Spans(tuple(found), ticks_between(low, high), zero, max(0, len(whole) - len(found)))
