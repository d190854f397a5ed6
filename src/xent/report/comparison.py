"""What a comparison of models says: plain frozen data, made by xent.scoring.compare and shown by its neighbours here."""

import os
from dataclasses import dataclass

from xent.report import comparison_html, comparison_text
from xent.report import json as comparison_json
from xent.report.model import Label

__all__ = ["Comparison", "ModelLoss", "PairDifference", "SliceDifference"]


@dataclass(frozen=True)
class ModelLoss:
    """One model's mean cross-entropy over the rows compared, in the comparison's unit."""

    name: str
    loss: float  # inf if a row gave its truth probability 0
    interval: tuple[float, float] | None  # 95 %, cut at 0; None where the loss is infinite or a single row decides it
    infinite: int  # rows of infinite loss


@dataclass(frozen=True)
class SliceDifference:
    """The rows of one class or group: loss of the first model − loss of the second."""

    name: Label  # the class or group, "(missing)", or "(N small groups)"
    rows: int
    difference: float | None  # ±inf where one model alone is infinite, None where both are
    interval: tuple[float, float] | None
    p_value: float | None
    adjusted_p_value: float | None  # Benjamini–Hochberg over the slices
    winner: str | None  # at 5 %, adjusted


@dataclass(frozen=True)
class PairDifference:
    """Two models on the same rows: loss of `first` − loss of `second`, in the comparison's unit."""

    first: str
    second: str
    difference: float | None  # above 0 the second is better; ±inf where one alone is infinite, None where both are
    standard_error: float | None  # of the paired differences; None if a loss is infinite
    interval: tuple[float, float] | None  # 95 %, not adjusted for the number of pairs
    p_value: float | None
    adjusted_p_value: float | None  # Holm over the pairs
    method: str | None  # "t", "bootstrap-t" or "cluster-robust t"
    rows_needed: int | None  # to show a difference of this size at 5 % with a power of 80 %; None if it is 0
    wins_first: int  # rows that cost the first less
    wins_second: int
    ties: int
    infinite_first: int  # rows of infinite loss
    infinite_second: int
    finite_rows: int  # rows where both losses are finite
    finite_difference: float | None  # mean over those rows
    winner: str | None  # at 5 %, adjusted; or the one whose loss alone is finite
    by_class: tuple[SliceDifference, ...]  # those that matter most to the mean first
    by_group: tuple[SliceDifference, ...]


@dataclass(frozen=True)
class Comparison:
    """Which of several models is better on the same rows, and how sure that is."""

    names: tuple[str, ...]
    unit: str  # "nats" or "bits"
    rows: int  # compared: those that all models have, of a weight above 0
    clusters: int | None  # that these rows are of; None if rows are independent
    only_in: tuple[int, ...]  # by model, rows left out because another model does not have them
    losses: tuple[ModelLoss, ...]
    pairs: tuple[PairDifference, ...]
    verdict: str
    best: str | None  # the model that is better than each other one; None if that is not shown
    warnings: tuple[str, ...]  # what to look into
    notes: tuple[str, ...]  # how the input was read and the rows were matched

    def __str__(self) -> str:
        """The comparison as the command prints it, without colours."""
        return self.text()

    def text(self, lang: str = "en") -> str:
        """The comparison as the command prints it, in a language: "en" or "zh"."""
        return comparison_text.render(self, lang=lang)

    def html(self, path: str | os.PathLike[str], lang: str = "en") -> None:
        """Write the comparison as one self-contained page, which opens in a language and can switch to the other."""
        comparison_html.write(self, path, lang)

    def json(self) -> str:
        """The comparison as JSON: keys are the attribute names, infinity is "inf", undefined is null."""
        return comparison_json.render(self)
