"""Groups as bars with what they may be by chance."""

import math
from typing import NamedTuple

from xent.report.axes import Tick, ticks
from xent.report.model import GroupReport, Report
from xent.report.typeset import name
from xent.texts.catalogue import sentence

__all__ = ["GroupBar", "GroupBars", "called", "group_bars"]

MOST_GROUPS = 30  # bars
MOST_LISTED = 200  # rows of the table
ERRORS = 2.0  # standard errors to each side


class GroupBar(NamedTuple):
    """One group."""

    position: int  # in report.by_group
    name: str
    found: GroupReport
    loss: float | None  # percent; None if infinite
    reach: tuple[float, float] | None  # percent: loss ± 2 standard errors, cut at 0


class GroupBars(NamedTuple):
    """The groups that cost most beyond their share, or all of them."""

    bars: tuple[GroupBar, ...]
    listed: tuple[tuple[int, str, GroupReport], ...]
    ticks: tuple[Tick, ...]
    whole: float | None  # the loss of all rows, percent
    left_out: int  # of the bars
    not_listed: int


def called(found: GroupReport) -> str:
    """A group's name, also of those that have none."""
    if found.pooled:
        return sentence("small_groups.bare", count=found.pooled)
    return sentence("group.missing") if found.group is None else name(found.group)


def group_bars(report: Report) -> GroupBars | None:
    """None if no groups were asked for."""
    if not report.by_group:
        return None
    shown = report.by_group[:MOST_GROUPS]
    ends = [_reach(one) or (one.loss, one.loss) for one in shown]
    top = 1.02 * max([high for _, high in ends if math.isfinite(high)], default=0.0) or 1.0
    if math.isfinite(report.loss):
        top = max(top, 1.02 * report.loss)

    def at(value: float) -> float:
        return 100.0 * value / top

    bars = []
    for i, one in enumerate(shown):
        reach = _reach(one)
        loss = at(one.loss) if math.isfinite(one.loss) else None
        bars.append(GroupBar(i, called(one), one, loss, None if reach is None else (at(reach[0]), at(reach[1]))))
    listed = tuple((i, called(one), one) for i, one in enumerate(report.by_group[:MOST_LISTED]))
    left = len(report.by_group)
    whole = at(report.loss) if math.isfinite(report.loss) else None
    return GroupBars(tuple(bars), listed, ticks(top, most=4), whole, left - len(bars), left - len(listed))


def _reach(found: GroupReport) -> tuple[float, float] | None:
    if found.standard_error is None or not math.isfinite(found.loss):
        return None
    return max(0.0, found.loss - ERRORS * found.standard_error), found.loss + ERRORS * found.standard_error
