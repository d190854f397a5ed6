"""An examination of rows as they come: each batch is shown to everything that looks for faults."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.checks.predictions import MOST, Place
from xent.doctor.duplicates import Hashes, duplicate_ids, duplicate_rows, hash_ids, hash_rows
from xent.doctor.entries import Entries, Sums
from xent.doctor.findings import Tally, finding
from xent.doctor.kinds import Settled, as_legal, settle
from xent.doctor.one_label import OneLabel
from xent.doctor.reading import Reader
from xent.doctor.resolution import Resolution
from xent.doctor.several_labels import SeveralLabels
from xent.doctor.verdicts import size_findings
from xent.report.checkup import Finding
from xent.scoring.plan import Label
from xent.sources.columns import Columns
from xent.sources.table import Batch
from xent.sources.types import is_list, value_type
from xent.texts.catalogue import counted, sentence

__all__ = ["Examination", "Verdict"]

Float64 = NDArray[np.float64]
MOST_ENTRIES = 1 << 20  # of predictions, looked at together
HARMLESS = {  # serious, but `xent score` gives a loss all the same
    "constant-predictions", "class-decisions", "duplicated-rows", "duplicated-ids", "infinite-loss", "inverted-probability",
    "leaked-column", "leaked-label", "permuted-columns", "shifted-labels", "shifted-rows", "softmax-twice",
}  # fmt: skip


class Verdict(NamedTuple):
    """What came out."""

    findings: tuple[Finding, ...]
    classes: tuple[Label, ...]
    kind: str | None
    task: str | None
    loss: float | None
    notes: tuple[str, ...]


class Examination:
    """Of predictions, labels, weights and ids."""

    def __init__(
        self, columns: Columns, key: str | None, kind: str, task: str, classes: Sequence[Label] | None
    ) -> None:
        self.columns, self.key, self.kind, self.task, self.classes = columns, key, kind, task, classes
        self.rows = self.missing_ids = 0
        self.predictions = Reader("prediction", columns.predictions)
        self.weights = Reader("weight", [columns.weight] if columns.weight else [])
        self.bad_weights, self.some_weight = Tally(), columns.weight is None
        self.row_hashes, self.id_hashes = Hashes(), Hashes()
        self.settled: Settled | None = None

    def add(self, batch: Batch) -> None:
        """Look at a batch, some rows at a time."""
        step = max(1, MOST_ENTRIES // max(len(self.columns.predictions), self.predictions.size or 1))
        for start in range(0, batch.data.num_rows, step):
            self._add(batch.data.slice(start, step), Place(batch.source or "", batch.first_row + start))

    def _add(self, data: pa.RecordBatch, place: Place) -> None:
        block = self.predictions.read(data, place).values
        if self.settled is None:
            self._begin(data, block)
        assert self.settled is not None
        kind, legal = as_legal(self.settled.kind, block)
        self.entries.add(block, place)
        self.sums.add(block, place)
        self.resolution.add(legal, place, self.predictions.single_precision)
        codes = self.labels.add(data, legal, kind, self._weights(data, place), place)
        self.row_hashes.add(hash_rows(block, codes), place)
        if self.key is not None:
            self.id_hashes.add(hash_ids(data[self.key]), place)
            self.missing_ids += data[self.key].null_count
        self.rows += data.num_rows

    def _begin(self, data: pa.RecordBatch, block: Float64) -> None:
        names = self.columns.predictions
        several = len(self.columns.labels) > 1 or is_list(value_type(data[self.columns.labels[0]].type))
        self.labels: OneLabel | SeveralLabels = OneLabel(self.columns, self.classes)
        if several or self.task == "multilabel":
            self.labels = SeveralLabels(self.columns, self.task, self.classes)
        self.distributions = self._one_of_many(data, block) and block.ndim == 2
        self.settled = settle(block, self.kind, self.columns.kind, names, self.distributions)
        self.entries = Entries(self.settled.kind, names, self.distributions)
        self.sums = Sums(self.settled.kind, self.distributions)
        self.resolution = Resolution(self.settled.kind, names)

    def _one_of_many(self, data: pa.RecordBatch, block: Float64) -> bool:
        """Whether a row of predictions should be a distribution."""
        return isinstance(self.labels, OneLabel) or self.labels.settle_task(data, block) != "multilabel"

    def _weights(self, data: pa.RecordBatch, place: Place) -> Float64 | None:
        if self.columns.weight is None:
            return None
        weights = self.weights.read(data, place).values
        with np.errstate(invalid="ignore"):
            good = (weights == 0.0) | ((weights >= 1.0 / MOST) & (weights <= MOST))
        self.bad_weights.add(~good, place, lambda row: f"{weights[row]:g}")
        self.some_weight |= bool((weights > 0.0).any())
        return np.where(good, weights, 0.0)

    def finish(self) -> Verdict:
        """All that was found."""
        if self.settled is None:
            return Verdict((), (), None, None, None, ())
        answers = self.labels.finish(self.rows)
        missing = self.predictions.missing.rows + self.predictions.text.rows + self.predictions.ragged.rows
        found = [*self.predictions.findings(self.rows), *self.settled.findings]
        covered = {one.name for one in self.settled.findings}
        if not covered & {"logits-as-probabilities"}:
            found += self.entries.findings(self.rows, missing)
            found += self.sums.findings(self.rows, self.resolution.step)
        found += answers.findings
        found += self.resolution.findings(answers.zeros, answers.ones, answers.frequencies)
        found += duplicate_rows(self.row_hashes, self.resolution.continuous)
        if self.key is not None:
            found += duplicate_ids(self.id_hashes, self.key, self.missing_ids)
        found += [*self.weights.findings(self.rows), *self._weight_findings()]
        found += size_findings(self.rows, len(answers.classes))
        stopped = any(one.severity == "serious" and one.name not in HARMLESS for one in found)
        notes = (self.settled.note, *answers.notes)
        loss = None if stopped else answers.loss
        return Verdict(tuple(_without_repetition(found)), answers.classes, self.settled.kind, answers.task, loss, notes)

    def _weight_findings(self) -> list[Finding]:
        tally, told = self.bad_weights, self.weights.missing.rows + self.weights.text.rows
        if tally.rows > told:
            first = sentence("first_with", where=tally.where, detail=tally.detail)
            message = sentence("found.weights", of=counted("rows", tally.rows), rows=self.rows, first=first)
            return [finding("serious", "weights", message, sentence("change.weights"), tally)]
        if not self.some_weight:
            return [finding("serious", "weights", sentence("found.no_weight"), sentence("change.some_weight"))]
        return []


def _without_repetition(found: list[Finding]) -> list[Finding]:
    """Leave out what follows from something worse that is said already."""
    names = {one.name for one in found if one.severity != "fine"}
    hidden = set()
    if "leaked-label" in names:
        hidden |= {"class-decisions", "hard-rows"}
    if "class-decisions" in names:
        hidden |= {"infinite-loss", "leaked-column"}
    if "constant-predictions" in names:
        hidden |= {"unrelated-predictions", "permuted-columns", "related"}
    if "unknown-labels" in names:
        hidden |= {"absent-classes"}
    if "leaked-column" in names:
        hidden |= {
            "absent-classes",
            "logits-as-probabilities",
            "order-of-columns",
            "permuted-columns",
            "counts",
            "sums",
        }
    return [one for one in found if one.name not in hidden]
