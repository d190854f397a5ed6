"""The ladder as a picture: from the loss as it is down to what no recalibration removes."""

import math
from typing import NamedTuple

from xent.report.axes import Tick, ticks
from xent.report.breakdown import parts
from xent.report.model import Report, Rung
from xent.texts.catalogue import Sentence, sentence

__all__ = ["Fall", "Waterfall", "cured", "offset_rungs", "waterfall"]


class Fall(NamedTuple):
    """One bar."""

    name: Sentence
    position: int  # in report.ladder
    part: float  # of the loss, in the report's unit; below 0 if a cure that was fitted on other rows does harm here
    start: float  # where the bar above ends, percent
    left: float  # percent
    width: float


class Waterfall(NamedTuple):
    """The loss, then its parts, each starting where the one above ends."""

    whole: float  # width of the loss, percent
    falls: tuple[Fall, ...]
    ticks: tuple[Tick, ...]


def waterfall(report: Report) -> Waterfall | None:
    """None where there is no ladder, or no loss to take apart."""
    if not report.ladder or not 0.0 < report.loss < math.inf:
        return None
    found = parts(report)
    found[-1] = (found[-1][0], sentence("part.remains"), found[-1][2])
    left = [report.loss]
    for _, _, part in found[:-1]:
        left.append(max(0.0, left[-1] - part))
    left.append(0.0)  # the last is what remains, down to nothing
    top = 1.02 * max(left)
    falls = tuple(
        Fall(name, i, part, 100.0 * a / top, 100.0 * min(a, b) / top, 100.0 * abs(a - b) / top)
        for (i, name, part), a, b in zip(found, left, left[1:], strict=False)
    )
    return Waterfall(100.0 * report.loss / top, falls, ticks(top))


def cured(report: Report) -> Rung | None:
    """The rung that the report's cure is taken from."""
    cure = report.cure
    found = report.ladder if report.ladder and cure else ()
    return next(
        (rung for rung in found if cure and (rung.temperature, rung.offsets) == (cure.temperature, cure.offsets)), None
    )


def offset_rungs(report: Report) -> list[tuple[int, Rung]]:
    """Those that move some class, with their positions."""
    return [(i, rung) for i, rung in enumerate(report.ladder or ()) if rung.offsets and any(rung.offsets)]
