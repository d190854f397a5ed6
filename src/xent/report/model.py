"""What a report says: plain frozen data, made by xent.scoring.summary and shown by its neighbours here."""

import os
from dataclasses import dataclass

__all__ = ["Bin", "ClassReport", "Report", "WorstRow"]

Label = str | int | float | bool


@dataclass(frozen=True)
class ClassReport:
    """One class, or one label of several; losses in the report's unit."""

    label: Label
    count: float  # rows that have it, or their weight (a whole number where there are no weights)
    frequency: float  # its share of the rows
    loss: float | None  # mean over its rows (for one label of several: over all rows); None if there are none
    share: float | None  # of the total loss; None if that is 0 or infinite
    baseline: float | None  # what always predicting the frequencies costs on the same rows
    infinite: int  # its rows of infinite loss


@dataclass(frozen=True)
class WorstRow:
    """One of the rows that cost most."""

    index: int | None  # row number from 0 (within `source`); None if the state was not told
    source: str | None  # the file it is in
    label: Label | tuple[Label, ...]  # the truth; the labels that apply, if a row can have several
    predicted: Label | tuple[Label, ...]
    probability: float  # given to the truth
    nats: float
    loss: float  # the same in the report's unit


@dataclass(frozen=True)
class Bin:
    """Rows whose surprisal lies in [low, high) bits."""

    low_bits: float
    high_bits: float  # inf for the last
    rows: int
    share: float | None  # of the total loss


@dataclass(frozen=True)
class Report:
    """What cross-entropy says about a set of predictions.

    `loss`, `standard_error`, `interval`, `baseline`, `finite_loss` and the losses by class are in `unit`.
    """

    loss: float  # mean cross-entropy of the predictions; inf if a row gave its truth probability 0
    standard_error: float | None  # of the loss; None for a single row
    interval: tuple[float, float] | None  # 95 %, Student's t on the mean, cut at 0
    unit: str  # "nats" or "bits"
    baseline: float  # entropy of the class frequencies: the loss of always predicting them
    skill: float | None  # 1 − loss / baseline; None if there is only one class
    skill_interval: tuple[float, float] | None
    verdict: str
    rule_of_thumb: str | None  # for two classes
    typical_probability: float  # exp(−loss): the geometric mean of the probability given to the truth
    perplexity: float  # exp(loss)
    accuracy: float  # share of the rows (or labels) predicted right
    rows: int
    weight: float | None  # their total weight, if they were weighted
    task: str
    kind: str
    classes: tuple[Label, ...]
    by_class: tuple[ClassReport, ...]
    worst: tuple[WorstRow, ...]
    share_of_worst_1_percent: float | None  # of the total loss
    share_of_worst_10_percent: float | None
    histogram: tuple[Bin, ...]
    infinite: int  # rows of infinite loss
    finite_loss: float | None  # mean over the other rows
    clip: float | None
    clipped: int  # rows whose loss the clipping changed
    normalize: bool
    normalized: int  # rows off by more than 1e-3 that were divided by their sum
    checks: tuple[str, ...]  # what was looked at and found in order
    warnings: tuple[str, ...]  # what to look into
    notes: tuple[str, ...]  # how the input was read

    def __str__(self) -> str:
        """The report as the command prints it, without colours."""
        from xent.report import text  # loads rich

        return text.render(self)

    def json(self) -> str:
        """The report as JSON: keys are the attribute names, infinity is "inf", undefined is null."""
        from xent.report import json  # which, like the other two, needs these classes

        return json.render(self)

    def html(self, path: str | os.PathLike[str]) -> None:
        """Write the report as one self-contained page."""
        from xent.report import html  # loads jinja2

        html.write(self, path)
