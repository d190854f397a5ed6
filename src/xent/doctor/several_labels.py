"""Rows with a label, or a share of it, for every class: one-hot, soft and several labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.checks.names import by_name
from xent.checks.predictions import SUM_TOLERANCE, Place
from xent.doctor.columns import permuted_columns
from xent.doctor.findings import Tally, finding, spoken
from xent.doctor.labels import Matched
from xent.doctor.one_label import Answers
from xent.doctor.reading import Reader
from xent.doctor.table import CERTAIN, MOST_COLUMNS, CostTable
from xent.doctor.verdicts import infinite_rows, perfect
from xent.report.checkup import Finding
from xent.scoring.confusion_costs import CAP, class_costs, label_costs
from xent.scoring.plan import Label
from xent.scoring.prepare import guess_task
from xent.sources.columns import Columns
from xent.texts.catalogue import Sentence, counted, sentence

__all__ = ["SeveralLabels"]

Float64 = NDArray[np.float64]
REFUSED = {"labels-and-columns", "label-sums", "labels-out-of-range"}


class SeveralLabels:
    """Targets (rows, labels), and what each would cost in each column of predictions."""

    def __init__(self, columns: Columns, task: str, classes: Sequence[Label] | None) -> None:
        self.columns, self.task, self.classes = columns, task, classes
        self.reader = Reader("label", columns.labels)
        self.outside, self.sums, self.infinite = Tally(), Tally(), Tally()
        self.table: CostTable | None = None
        self.shape: tuple[int, int] | None = None  # labels and columns
        self.loss, self.weight, self.used = 0.0, 0.0, 0
        self.present = np.zeros(0)

    def add(
        self, data: pa.RecordBatch, legal: Float64, kind: str, weights: Float64 | None, place: Place
    ) -> NDArray[np.int64]:
        """Look at rows; what comes back tells labels apart."""
        targets = self.reader.read(data, place).values.reshape(data.num_rows, -1)
        block = legal.reshape(len(legal), -1)
        if self.shape is None:
            self.shape = targets.shape[1], block.shape[1]
            self.order = self._order()
            self.present = np.zeros(targets.shape[1])
            self.table = CostTable(block.shape[1])
        missing = np.isnan(targets).any(axis=1)
        self.outside.add(
            ~missing & ~((targets >= 0.0) & (targets <= 1.0)).all(axis=1), place,
            lambda row: sentence("which_holds", values=spoken([f"{v:g}" for v in targets[row]], 5)),
        )  # fmt: skip
        with np.errstate(invalid="ignore", over="ignore"):
            sums = targets.sum(axis=1)
        if self.task != "multilabel":
            self.sums.add(
                np.abs(sums - 1.0) > SUM_TOLERANCE, place, lambda row: sentence("which_sums", total=f"{sums[row]:.6g}")
            )
        good = ((targets >= 0.0) & (targets <= 1.0)).all(axis=1) & ~np.isnan(block).any(axis=1)
        if self.order is not None and self.shape[1] <= MOST_COLUMNS and self.shape[0] == self.shape[1]:
            self._add(kind, targets, block, good, weights, place)
        self.present += (targets > 0.0).sum(axis=0)
        codes: NDArray[np.int64] = np.ascontiguousarray(targets).view(np.int64).sum(axis=1)
        return codes

    def settle_task(self, data: pa.RecordBatch, block: Float64) -> str:
        """By the first rows, where nobody said."""
        if self.task == "auto":
            targets = Reader("label", self.columns.labels).read(data, Place()).values
            guessed = guess_task(targets.reshape(data.num_rows, -1), block)
            self.task = "multilabel" if guessed == "multilabel" else "multiclass"
        return self.task

    def _add(
        self,
        kind: str,
        targets: Float64,
        block: Float64,
        good: Any,
        weights: Float64 | None,
        place: Place,
    ) -> None:
        assert self.table is not None
        assert self.order is not None
        targets, block = targets[good][:, self.order], block[good]
        several = self.task == "multilabel"
        absent, present = label_costs(kind, block) if several else (np.zeros(block.shape), class_costs(kind, block))
        with np.errstate(invalid="ignore"):
            own = np.where(targets > 0.0, targets * present, 0.0) + np.where(
                targets < 1.0, (1.0 - targets) * absent, 0.0
            )
        nats = own.sum(axis=1)
        infinite = np.zeros(len(good), np.bool_)
        infinite[good] = np.isinf(nats)
        self.infinite.add(infinite, place)
        self.used += len(nats)
        share = np.ones(len(nats)) if weights is None else weights[good]
        self.loss += float((nats[share > 0.0] * share[share > 0.0]).sum())
        self.weight += float(share.sum())
        absent, present = np.minimum(absent, CAP), np.minimum(present, CAP)
        size = targets.shape[1]
        rows = np.full(size, len(nats) / size) if several else targets.sum(axis=0)
        sums = targets.T @ present + (1.0 - targets).T @ absent
        squares = targets.T @ present**2 + (1.0 - targets).T @ absent**2
        self.table.add_sums(rows, place, len(good), sums=sums, squares=squares)

    def _order(self) -> NDArray[np.int64] | None:
        """The column of labels of each column of predictions; None where their names disagree."""
        names, others = self.columns.class_names, self.columns.label_names
        assert self.shape is not None
        if names is None or others is None:
            return np.arange(self.shape[0])
        found = by_name(names, others)
        return None if found is None else np.array(found)

    def finish(self, rows: int) -> Answers:
        """What was found."""
        found = self.reader.findings(rows) + self._targets(rows)
        if self.shape is None or self.table is None or self.order is None or self.shape[0] != self.shape[1]:
            return Answers(found, (), None, None, 0, 0, ())
        size = self.shape[1]
        classes = tuple(self.classes or self.columns.class_names or range(size))
        if len(classes) == size and size > 1 and self.used:
            matched = Matched(classes, tuple(range(size)), np.arange(size), None, "", None)
            found += permuted_columns(self.table, matched, self.columns.predictions, self.columns.class_names)
        elif len(classes) != size:
            message = sentence("found.classes_and_columns", count=len(classes), columns=size)
            found.append(finding("serious", "labels-and-columns", message, sentence("change.class_a_column")))
        found += infinite_rows(self.infinite, rows) if self.used else []
        known = self.used == rows and self.weight > 0.0 and not {one.name for one in found} & REFUSED
        task = "binary" if self.task == "multiclass" and size == 2 else self.task
        note = sentence("note.task", note=sentence("note.columns"), task=sentence(f"task.{task}"))
        loss = self.loss / self.weight if known else None
        if loss is not None and loss <= CERTAIN:
            found.append(perfect(rows, size > 1))
        return Answers(found, classes, task, loss, self.infinite.rows, 0, (note,))

    def _targets(self, rows: int) -> list[Finding]:
        found = []
        if self.outside.rows:
            message = self._counted("found.labels_out_of_range", self.outside, rows)
            found.append(finding("serious", "labels-out-of-range", message, sentence("change.shares"), self.outside))
        if self.sums.rows:
            message = self._counted("found.label_sums", self.sums, rows)
            found.append(finding("serious", "label-sums", message, sentence("change.multilabel"), self.sums))
        if self.shape is not None and (self.shape[0] != self.shape[1] or self.order is None):
            what = sentence("found.columns", labels=self.shape[0], predictions=self.shape[1])
            if self.shape[0] == self.shape[1]:
                names = {"labels": spoken(self.columns.label_names), "predictions": spoken(self.columns.class_names)}
                what = sentence("found.column_names", **names)
            found.append(finding("serious", "labels-and-columns", what, sentence("change.column_in_both")))
        empty = [name for name, count in zip(self.columns.labels, self.present, strict=False) if not count]
        if empty and len(self.columns.labels) == len(self.present):
            message = sentence("found.absent_labels", names=spoken(empty))
            found.append(finding("worth a look", "absent-classes", message, sentence("change.rows_there"), rows=0))
        return found

    @staticmethod
    def _counted(name: str, tally: Tally, rows: int) -> Sentence:
        first = sentence("first_with", where=tally.where, detail=tally.detail)
        return sentence(name, of=counted("rows", tally.rows), rows=rows, first=first)
