"""Rows with one label each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.checks.predictions import Place
from xent.doctor.columns import misaligned_rows, own_columns, permuted_columns
from xent.doctor.findings import finding
from xent.doctor.labels import NOTHING, LabelBook, Matched, label_findings, match
from xent.doctor.table import CostTable
from xent.doctor.verdicts import (
    certain_rows,
    infinite_rows,
    infinite_tally,
    known_loss,
    leaked_columns,
    leaked_label,
    unrelated,
)
from xent.errors import LabelError
from xent.report.checkup import Finding
from xent.report.numbers import decimals
from xent.scoring.confusion_costs import class_costs
from xent.scoring.plan import Label
from xent.sources.columns import Columns
from xent.texts.catalogue import counted, sentence

__all__ = ["Answers", "OneLabel"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Answers(NamedTuple):
    """What labels and predictions say together."""

    findings: list[Finding]
    classes: tuple[Label, ...]
    task: str | None
    loss: float | None
    zeros: int  # rows that gave the truth probability 0
    ones: int  # and 1
    notes: tuple[str, ...]
    frequencies: tuple[float, ...] = ()  # of the classes, in the order of the columns


class OneLabel:
    """Labels, their costs in each column, and columns that equal them."""

    def __init__(self, columns: Columns, classes: Sequence[Label] | None) -> None:
        self.columns, self.classes = columns, classes
        self.book = LabelBook()
        self.table: CostTable | None = None
        self.width = 1
        self.compared = 0
        self.equal: Any = np.ones(1, np.bool_)  # (columns,) whether each was the label in every row
        self.type: str | None = None  # of labels that cannot be read

    def add(self, data: pa.RecordBatch, legal: Float64, kind: str, weights: Float64 | None, place: Place) -> Int64:
        """Look at rows; what comes back tells labels apart."""
        column = data[self.columns.labels[0]]
        self.width = 1 if legal.ndim == 1 else legal.shape[1]
        try:
            codes = self.book.add(column, place)
        except LabelError:
            self.type = str(column.type)
            return np.full(len(legal), -1, np.int64)
        if self.table is None:
            self.table = CostTable(max(self.width, 2))
        if self.table.complete:
            self.table.add(codes, class_costs(kind, legal), weights, place)
        self._compare(codes, legal)
        return codes

    def _compare(self, codes: Int64, block: Float64) -> None:
        """With labels that are numbers."""
        if not np.any(self.equal):
            return
        numbers = [float(label) if isinstance(label, int | float) else np.nan for label in self.book.labels]
        values = np.array([*numbers, np.nan])[codes]  # the last is for no label, −1
        wide = block if block.ndim == 2 else block[:, None]
        known = ~np.isnan(wide).any(axis=1)
        self.equal = self.equal & (wide[known] == values[known, None]).all(axis=0)
        self.compared += int(known.sum())

    def finish(self, rows: int) -> Answers:
        """What was found."""
        if self.type is not None or self.table is None:
            message = sentence("found.label_type", name=repr(self.columns.labels[0]), type=self.type)
            wrong = finding("serious", "label-type", message, sentence("change.other_label"))
            return Answers([wrong], (), None, None, 0, 0, ())
        if not self.book.labels:
            return Answers(label_findings(self.book, NOTHING, rows), (), None, None, 0, 0, ())
        matched = match(self.book, self.columns.class_names, self.width, self.classes)
        own = own_columns(matched)
        found = [self._in_sorted_order(one, matched, own) for one in label_findings(self.book, matched, rows)]
        found += permuted_columns(self.table, matched, self.columns.predictions, self.columns.class_names)
        if not {"permuted-columns", "shifted-labels", "inverted-probability"} & _complaints(found):
            found += misaligned_rows(self.table, matched) or unrelated(self.table, own)
        leaks = leaked_label(self.table, own)
        found += leaks or self._leaked_columns(own)
        zeros = infinite_tally(self.table, own)
        if self.table.complete and (own >= 0).any() and self.table.rows.any():
            found += infinite_rows(zeros, rows)
        loss = known_loss(self.table, own) if matched.error is None else None
        task = None if not matched.classes else "binary" if len(matched.classes) == 2 else "multiclass"
        notes = (matched.note,) if matched.note else ()
        return Answers(
            found, matched.classes, task, loss, zeros.rows, certain_rows(self.table, own), notes, self._shares(own)
        )

    def _in_sorted_order(self, one: Finding, matched: Matched, own: Int64) -> Finding:
        """Say what the loss would be, where labels and columns could be matched in one way only."""
        assert self.table is not None
        if one.name not in ("labels-from-1", "labels-and-columns") or not matched.classes or not self.table.complete:
            return one
        cost = float(self.table.of("sums", own).sum() / max(self.table.rows.sum(), 1))
        return replace(one, message=sentence("found.in_sorted_order", message=one.message, loss=decimals(cost)))

    def _shares(self, own: Int64) -> tuple[float, ...]:
        """How frequent the class of each column of costs is; that of the second, of a single column."""
        assert self.table is not None
        if not self.table.complete or not self.table.rows.sum() or (own < 0).any():
            return ()
        shares = np.bincount(own, weights=self.table.rows, minlength=self.table.columns) / self.table.rows.sum()
        return tuple(shares[1:] if self.width == 1 else shares)

    def _leaked_columns(self, own: Int64) -> list[Finding]:
        """Columns that tell the label, while others do not."""
        names = self.columns.predictions
        if self.table is None or self.compared < 10 or len(self.book.labels) < 2 or len(names) != np.size(self.equal):
            return []
        same = {name: "found.leaked_column" for name, equal in zip(names, self.equal, strict=True) if equal}
        same |= {names[i]: "found.leaked_column.of_class" for i in leaked_columns(self.table, own)}
        return [
            finding(
                "serious",
                "leaked-column",
                sentence(what, name=repr(name), rows=counted("rows", self.compared)),
                sentence("change.leaked_column", name=repr(name)),
                rows=self.compared,
            )
            for name, what in same.items()
        ]


def _complaints(found: list[Finding]) -> set[str]:
    return {one.name for one in found if one.severity != "fine"}
