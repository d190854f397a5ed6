"""Confusion in nats as a table whose colours say where probability goes."""

import math
from typing import NamedTuple

from xent import units
from xent.report.model import Report

__all__ = ["MOST_CLASSES", "Cell", "heat", "least_coloured"]

MOST_CLASSES = 20  # of a table shown whole
LEVELS = 8
NOTHING = 5.0  # nats: a class given less than exp(−5), 0.7 %, has no colour


class Cell(NamedTuple):
    """Mean −log of what the rows of one class give to another."""

    cost: float | None  # in the report's unit
    level: int  # of its colour, 0 to LEVELS


def heat(report: Report) -> tuple[tuple[Cell, ...], ...] | None:
    """(true class, class); None where there is no matrix or it is too large to read."""
    if report.confusion is None or len(report.confusion) > MOST_CLASSES:
        return None
    end = least_coloured(report)
    return tuple(tuple(Cell(cost, _level(cost, end)) for cost in row) for row in report.confusion)


def least_coloured(report: Report) -> float:
    """The cost from which on there is no colour, in the report's unit."""
    return float(units.from_nats(NOTHING, units.unit_base(report.unit)))


def _level(cost: float | None, end: float) -> int:
    if cost is None or math.isinf(cost):
        return 0
    return max(0, min(LEVELS, math.ceil(LEVELS * (1.0 - cost / end))))
