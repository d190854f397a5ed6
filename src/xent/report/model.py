"""What a report says: plain frozen data, made by xent.scoring.summary and shown by its neighbours here."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xent.report.plot import Plots

__all__ = [
    "Bin",
    "ClassReport",
    "ConfusedPair",
    "Cure",
    "GroupReport",
    "Reliability",
    "ReliabilityBin",
    "Report",
    "Rung",
    "SkippedFile",
    "WorstRow",
]

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
class SkippedFile:
    """A file that could not be read, and was left out as asked."""

    file: str
    reason: str


@dataclass(frozen=True)
class Bin:
    """Rows whose surprisal lies in [low, high) bits."""

    low_bits: float
    high_bits: float  # inf for the last
    rows: int
    share: float | None  # of the total loss


@dataclass(frozen=True)
class GroupReport:
    """One group of rows; losses in the report's unit."""

    group: Label | None  # None for rows without one, and for the small groups
    pooled: int  # how many groups of fewer than 30 rows this is together; 0 for a group of its own
    rows: int
    loss: float
    standard_error: float | None
    share: float | None  # of the total loss
    difference: float | None  # its loss − that of all other rows
    p_value: float | None  # of no difference
    adjusted_p_value: float | None  # Benjamini–Hochberg over the groups
    direction: str | None  # "worse" or "better" where that is not chance
    infinite: int


@dataclass(frozen=True)
class ConfusedPair:
    """Rows of one class that give another some of its probability."""

    label: Label
    taken_for: Label
    loss: float  # mean cost if `taken_for` were true, in the report's unit
    typical_probability: float  # given to it: exp(−nats)


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of about the same probability."""

    weight: float  # rows, or their weight
    predicted: float  # mean probability
    observed: float  # how often it happened
    low: float  # 95 % band of `observed`
    high: float
    fitted: float  # non-decreasing in `predicted` (isotonic)


@dataclass(frozen=True)
class Reliability:
    """How often what was given a probability happens."""

    of: Label | None  # the class; None for the likeliest of each row
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: what a cure of some kind would leave of the loss."""

    name: str  # "as is", "class bias", "temperature", "both", "refinement"
    loss: float | None  # after it, in the report's unit; None if it takes another look at the rows
    gain: float | None  # loss as is − loss
    corrected_gain: float | None  # less what fitting gains by chance
    parameters: int
    p_value: float | None  # of no gain at all
    temperature: float | None  # the cure: logits become logits / temperature + offsets; inf where they tell nothing
    offsets: tuple[float, ...] | None  # (classes,), nats
    part: float | None  # of the loss: those of all rungs that have one add up to it


@dataclass(frozen=True)
class Cure:
    """Logits become logits / temperature + offsets: what the ladder recommends."""

    temperature: float
    offsets: tuple[float, ...]  # (classes,), nats; 0 on average, but for several labels


@dataclass(frozen=True)
class Report:
    """What cross-entropy says about a set of predictions.

    `loss`, `standard_error`, `interval`, `baseline`, `finite_loss` and the losses by class are in `unit`.
    """

    loss: float  # mean cross-entropy of the predictions; inf if a row gave its truth probability 0
    standard_error: float | None  # of the loss; None for a single row, or one that outweighs all others
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
    skipped: tuple[SkippedFile, ...]  # files left out, of which no row is in anything above
    interval_method: str  # "t", "bootstrap-t" (few rows), "cluster-robust t"
    clusters: int | None  # how many there are, if they were asked for
    by_group: tuple[GroupReport, ...] | None  # those first that cost most beyond their share
    confusion: tuple[tuple[float | None, ...], ...] | None  # [true class][class]: mean −log p; None with many classes
    confused: tuple[ConfusedPair, ...]  # the pairs that are taken for each other most
    reliability: tuple[Reliability, ...]
    cured_reliability: tuple[Reliability, ...] | None  # after `cure`, of more than two classes; None without the rows
    ladder: tuple[Rung, ...] | None  # causes and cures; None where there is none, as `diagnosis` says
    cure: Cure | None  # what `recalibrate` applies; None if nothing significant is to be cured
    diagnosis: str  # the ladder in a sentence
    label_entropy: float | None  # H(label) of soft labels: what no model can go below
    kl: float | None  # the rest of the loss, KL(label ‖ prediction)
    checks: tuple[str, ...]  # what was looked at and found in order
    warnings: tuple[str, ...]  # what to look into
    notes: tuple[str, ...]  # how the input was read

    def __str__(self) -> str:
        """The report as the command prints it, without colours."""
        return self.text()

    def text(self, lang: str = "en") -> str:
        """The report as the command prints it, in a language: "en" or "zh"."""
        from xent.report import text  # loads rich

        return text.render(self, lang=lang)

    def recalibrate(self, predictions: Any) -> Any:
        """Predictions cured as the ladder recommends; as they are if it recommends nothing.

        Args:
            predictions: (rows, classes) in the order of `classes`, or (rows,) for the second of two; of the kind that was
                scored. An array of any library, nested lists, or a DataFrame or Arrow table, whose columns are matched
                by name.

        Returns:
            Predictions of the same kind, shape and library; probabilities and log-probabilities sum to 1.

        Raises:
            ShapeError: not one column for each of `classes`.

        Source:
            Guo et al., "On Calibration of Modern Neural Networks" (2017): temperature; Saerens et al. (2002): offsets.
        """
        from xent.report.cured_tables import cured

        return cured(predictions, self)

    def json(self) -> str:
        """The report as JSON: keys are the attribute names, infinity is "inf", undefined is null."""
        from xent.report import json  # which, like the other two, needs these classes

        return json.render(self)

    @property
    def plot(self) -> "Plots":
        """The page's pictures, drawn by matplotlib, as `report.plot.reliability()`, `.ladder()`, `.groups()`, …."""
        from xent.report.plot import Plots  # which needs these classes

        return Plots(self)

    def html(self, path: str | os.PathLike[str], lang: str = "en") -> None:
        """Write the report as one self-contained page, which opens in a language and can switch to the other."""
        from xent.report import html  # loads jinja2

        html.write(self, path, lang)

    def log_to_mlflow(self, prefix: str = "xent/", run_id: str | None = None, page: bool = True, step: int = 0) -> str:
        """Log to MLflow: numbers as its metrics, words as tags, the report as JSON and as a page.

        Args:
            prefix: of every name, such as "validation/".
            run_id: the run; None takes the active one, or starts one and ends it.
            page: also log the page of `html`.
            step: of training, to which the numbers belong; words, JSON and page are those logged last.

        Returns:
            The run's id.

        Raises:
            MissingPackageError: MLflow is not installed.
            mlflow.exceptions.MlflowException: MLflow refuses.
        """
        from xent.report import mlflow_log

        return mlflow_log.write(self, prefix, run_id, page, step)
