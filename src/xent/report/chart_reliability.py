"""Reliability curves: what was given a probability, how often it happened, and the same after the cure."""

import math
from dataclasses import replace
from typing import NamedTuple

from xent.formulas.cures import recalibrated
from xent.report.model import Cure, Reliability, ReliabilityBin, Report
from xent.report.typeset import name
from xent.texts.catalogue import sentence

__all__ = ["Plots", "ReliabilityPlot", "Spot", "after_cure", "reliability"]

FEW = 6  # curves shown unasked


class Spot(NamedTuple):
    """One bin."""

    x: float  # percent, from the left
    y: float  # percent, from below
    size: float  # radius, pixels
    found: ReliabilityBin
    after: float | None  # where the cure moves its mean probability; None if that is not known


class ReliabilityPlot(NamedTuple):
    """One curve; paths are in a box of 100 × 100."""

    position: int  # in report.reliability
    about: str  # what happens: "class a"
    name: str  # the same where it is said what is meant: "a"
    spots: tuple[Spot, ...]
    band: str
    isotonic: str
    points: str  # the spots as one path of dots
    rings: tuple[tuple[float, float], ...]  # after the cure, mean probability and how often; none if that is not known
    moved: str  # the same as one path of dots


class Plots(NamedTuple):
    """The curve to look at first, and the others."""

    main: ReliabilityPlot | None
    others: tuple[ReliabilityPlot, ...]
    folded: bool  # the others are shown on demand


def reliability(report: Report) -> Plots:
    """First that of the second of two classes, or of the likeliest of many; none comes first of several labels."""
    found = [plot(report, i) for i, curve in enumerate(report.reliability) if curve.bins]
    main = None
    if report.task != "multilabel" and found:
        two = len(report.classes) == 2
        main = next((one for one in found if (report.reliability[one.position].of is None) != two), found[0])
    others = tuple(one for one in found if one is not main)
    return Plots(main, others, len(others) > FEW)


def after_cure(report: Report, curve: Reliability) -> list[float | None]:
    """Each bin's mean probability after the cure, where two answers leave no doubt what that makes of it.

    A bin's mean of exactly 0 or 1 was rounded to that: where the cure would put its rows cannot be told.
    """
    cure = report.cure
    if cure is None or curve.of is None or not (report.task == "multilabel" or len(report.classes) == 2):
        return [None] * len(curve.bins)
    at = report.classes.index(curve.of)
    if report.task == "multilabel":
        cure = Cure(cure.temperature, (0.0, cure.offsets[at]))
    of_two = replace(
        report, task="binary", kind="probabilities", classes=(False, True), clip=None, normalize=False, cure=cure
    )
    moved = recalibrated([one.predicted for one in curve.bins], of_two)
    return [float(p) if 0.0 < one.predicted < 1.0 else None for p, one in zip(moved.tolist(), curve.bins, strict=True)]


def plot(report: Report, position: int) -> ReliabilityPlot:
    """Where the bins of one curve stand."""
    curve = report.reliability[position]
    most = max(one.weight for one in curve.bins)
    spots = tuple(
        Spot(100.0 * one.predicted, 100.0 * one.observed, max(2.5, 9.0 * math.sqrt(one.weight / most)), one, after)
        for one, after in zip(curve.bins, after_cure(report, curve), strict=True)
    )
    things = "label.named" if report.task == "multilabel" else "class.named"
    called = sentence("likeliest") if curve.of is None else name(curve.of)
    upper = [(one.predicted, one.high) for one in curve.bins]
    lower = [(one.predicted, one.low) for one in reversed(curve.bins)]
    after_it = report.cured_reliability[position].bins if report.cured_reliability else ()
    moved = [(one.after, one.found.observed) for one in spots if one.after is not None]
    moved += [(one.predicted, one.observed) for one in after_it]
    return ReliabilityPlot(
        position=position,
        about=called if curve.of is None else sentence(things, name=called),
        name=called,
        spots=spots,
        band=_path([*upper, *lower]) + "Z",
        isotonic=_path([(one.predicted, one.fitted) for one in curve.bins]),
        points="".join(f"M{_at(one.predicted, one.observed)}h0" for one in curve.bins),
        rings=tuple(moved),
        moved="".join(f"M{_at(x, y)}h0" for x, y in moved),
    )


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(_at(x, y) for x, y in points)


def _at(x: float, y: float) -> str:
    return " ".join(f"{value:.1f}".removesuffix(".0") for value in (100.0 * x, 100.0 * (1.0 - y)))
