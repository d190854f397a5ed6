"""What the costs say as a whole: the loss, zeros for the truth, a leak, too little to judge by."""

import numpy as np
from numpy.typing import NDArray

from xent.doctor.findings import Tally, finding
from xent.doctor.table import NEVER, CostTable
from xent.report.checkup import Finding
from xent.scoring.confusion_costs import beats_chance
from xent.texts.catalogue import counted, sentence

__all__ = [
    "certain_rows",
    "infinite_rows",
    "infinite_tally",
    "known_loss",
    "leaked_columns",
    "leaked_label",
    "perfect",
    "size_findings",
    "unrelated",
]

Int64 = NDArray[np.int64]


def known_loss(table: CostTable, own: Int64) -> float | None:
    """The mean cost in nats of each label's own column, weighted; None where a row is not in the table."""
    weight = float(table.weight.sum())
    if not table.complete or not len(own) or (own < 0).any() or int(table.rows.sum()) < table.places.rows or not weight:
        return None
    return float(table.of("exact", own).sum()) / weight


def infinite_tally(table: CostTable, own: Int64) -> Tally:
    """Rows that gave the truth probability 0."""
    tally = Tally()
    if table.complete and len(own):
        tally.rows = int(table.of("infinite", own).sum())
    if tally.rows:
        first = np.where(own >= 0, table.first_infinite[np.arange(len(own)), np.maximum(own, 0)], NEVER)
        tally.first = table.places.of(int(first.min()))
    return tally


def infinite_rows(tally: Tally, rows: int) -> list[Finding]:
    """What a tally of them means."""
    if not tally.rows:
        return [finding("fine", "infinite-loss", sentence("fine.infinite_loss"))]
    message = counted("found.infinite_loss", tally.rows, rows=rows, first=tally.where)
    return [finding("serious", "infinite-loss", message, sentence("change.clip"), tally)]


def certain_rows(table: CostTable, own: Int64) -> int:
    """Rows that gave the truth probability 1, within 1e-12."""
    return int(table.of("certain", own).sum()) if table.complete else 0


def leaked_label(table: CostTable, own: Int64) -> list[Finding]:
    """Whether the predictions are the labels."""
    rows = int(table.rows.sum())
    if not rows or certain_rows(table, own) < rows:
        return []
    return [perfect(rows, len(own) > 1)]


def perfect(rows: int, several: bool) -> Finding:
    """Predictions that are never wrong and never in doubt; `several` classes occur."""
    return finding(
        "serious" if rows >= 10 and several else "worth a look", "leaked-label",
        sentence("found.leaked_label", rows=counted("rows", rows)), sentence("change.leaked_label"), rows=rows,
    )  # fmt: skip


def leaked_columns(table: CostTable, own: Int64) -> list[int]:
    """Columns that are 1 exactly where the label is theirs, and 0 elsewhere."""
    if not table.complete or not len(own) or table.columns < 3:
        return []
    sure, never = table.tables["certain"], table.tables["infinite"]
    found = []
    for column in range(table.columns):
        theirs = own == column
        rows, others = table.rows[theirs].sum(), table.rows[~theirs].sum()
        same = sure[theirs, column].sum() == rows and never[~theirs, column].sum() == others
        if same and min(rows, others) >= 10:
            found.append(column)
    return found


def unrelated(table: CostTable, own: Int64) -> list[Finding]:
    """Whether the predictions fit their labels no better than the labels of any other rows."""
    rows = int(table.rows.sum())
    if not table.complete or len(own) < 2 or rows < 100 or (own < 0).any():
        return []
    share = table.rows / rows
    anyone = (table.tables["sums"].sum(axis=0)[own] * share).sum() / rows
    known = float(table.of("sums", own).sum()) / rows
    spread = float(table.of("squares", own).sum()) / rows - known**2
    if beats_chance(anyone - known, spread, rows):
        return [finding("fine", "related", sentence("fine.related"))]
    name = "found.unrelated.hardly" if known < anyone else "found.unrelated.no"
    message = sentence(name, own=f"{known:.3f}", others=f"{anyone:.3f}")
    return [finding("worth a look", "unrelated-predictions", message, sentence("change.same_order"), rows=rows)]


def size_findings(rows: int, classes: int) -> list[Finding]:
    """Too few rows to say much."""
    if rows < 30:
        message = counted("found.few_rows", rows)
        return [finding("worth a look", "few-rows", message, sentence("change.collect"), rows=rows)]
    if classes > rows:
        message = sentence("found.more_classes", classes=classes, rows=counted("rows", rows))
        return [finding("worth a look", "more-classes-than-rows", message, sentence("change.collect_rows"), rows=rows)]
    return []
