"""Single predictions that cannot be, and rows that do not sum to 1."""

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from xent.checks.predictions import MOST, SUM_TOLERANCE, Place
from xent.doctor.findings import Tally, finding
from xent.report.checkup import Finding
from xent.scoring.confusion_costs import row_totals
from xent.texts.catalogue import Sentence, counted, sentence

__all__ = ["Entries", "Sums"]

Float64 = NDArray[np.float64]
CLOSE = 0.05  # a sum this far from 1 may be due to rounding


class Entries:
    """NaN, infinite, negative and too large predictions."""

    def __init__(self, kind: str, names: tuple[str, ...], distributions: bool) -> None:
        self.kind, self.names = kind, names
        self.slack = SUM_TOLERANCE if distributions else 0.0  # what round-off may add, where rows sum to 1
        self.nan, self.infinite, self.negative, self.above, self.impossible = (Tally() for _ in range(5))

    def add(self, block: Float64, place: Place) -> None:
        """Look at a batch."""
        wide = block if block.ndim == 2 else block[:, None]
        logits = self.kind == "logits"
        top = {"probabilities": 1.0 + self.slack, "log_probabilities": self.slack}.get(self.kind, math.inf)
        with np.errstate(invalid="ignore"):
            infinite = np.isinf(wide) if self.kind in ("percents", "counts", "probabilities") else wide == np.inf
            huge = np.abs(wide) > MOST if logits else wide > top
            cases = [
                (self.nan, np.isnan(wide)),
                (self.infinite, infinite),
                (self.above, huge & ~np.isinf(wide)),
                (self.negative, (wide < 0.0) & ~infinite & (self.kind not in ("logits", "log_probabilities"))),
            ]
        for tally, bad in cases:
            if bad.any():
                tally.add(bad.any(axis=1), place, partial(self._cell, wide, bad))
        if logits and block.ndim == 2:
            self.impossible.add((wide == -np.inf).all(axis=1), place)

    def _cell(self, block: Float64, marked: NDArray[np.bool_], index: int) -> Sentence:
        row = block[index]
        column = int(np.argmax(marked[index]))
        name = repr(self.names[column]) if column < len(self.names) > 1 else str(column)
        return sentence("cell", value=f"{row[column]:.6g}", name=name if len(row) > 1 else repr(self.names[0]))

    def findings(self, rows: int, missing: int) -> list[Finding]:
        """What was found; `missing` values are told elsewhere."""
        kind = sentence(f"kind.{self.kind}")
        range_ = {"logits": "range.logits", "log_probabilities": "range.logs"}.get(self.kind, "range.probabilities")
        allowed = sentence(range_, most=f"{MOST:g}")
        cases = [
            ("nan-predictions", self.nan if not missing else Tally(), "NaN", "change.remove_or_mend"),
            ("infinite-predictions", self.infinite, sentence("what.infinite"), "change.mend"),
            ("negative-predictions", self.negative, sentence("what.negative", kind=kind), "change.kind_of_negative"),
            ("predictions-above-range", self.above, sentence("what.out_of_range", kind=kind, allowed=allowed),
             "change.check_columns"),
            ("impossible-rows", self.impossible, sentence("what.impossible"), "change.finite_logit"),
        ]  # fmt: skip
        found = []
        for name, tally, what, step in cases:
            if tally.rows:
                where = tally.where
                first = sentence("first_with", where=where, detail=tally.detail) if tally.detail else where
                message = sentence("found.values", what=what, of=counted("rows", tally.rows), rows=rows, first=first)
                found.append(finding("serious", name, message, sentence(step), tally))
        if not found and not missing:
            found.append(finding("fine", "entries", sentence("fine.entries")))
        return found


class Sums:
    """Whether rows of several columns are distributions, if they should be."""

    def __init__(self, kind: str, distributions: bool) -> None:
        self.kind, self.distributions = kind, distributions
        self.off, self.empty, self.like_probabilities, self.not_close = Tally(), Tally(), Tally(), Tally()
        self.least, self.most = math.inf, -math.inf
        self.worst, self.worst_at = 0.0, sentence("row.none")
        self.seen = self.columns = 0

    def add(self, block: Float64, place: Place) -> None:
        """Look at a batch of rows (rows, columns)."""
        if self.kind == "logits" and (block.ndim == 1 or not self.distributions):
            self._look_like_probabilities(block, place)
        if block.ndim == 1 or not self.distributions or self.kind in ("percents", "counts"):
            return
        sums, self.columns = row_totals(self.kind, block), block.shape[1]
        known = np.isfinite(sums)
        off = np.where(known, np.abs(sums - 1.0), 0.0)
        self.seen += int(known.sum())
        if self.kind == "logits":
            inside = ((block >= 0.0) & (block <= 1.0)).all(axis=1)
            self.like_probabilities.add(inside & known & (off <= SUM_TOLERANCE), place)
            return
        self.off.add(off > SUM_TOLERANCE, place, lambda row: sentence("which_sums", total=f"{sums[row]:.6g}"))
        self.not_close.add(off > CLOSE, place)
        self.empty.add(known & (sums <= 0.0), place)
        if known.any():
            self.least, self.most = min(self.least, float(sums[known].min())), max(self.most, float(sums[known].max()))
            if off.max() > self.worst:
                self.worst, row = float(off.max()), int(np.argmax(off))
                row += place.first_row
                of_file = sentence("row.of_file", row=row, source=place.source)
                self.worst_at = of_file if place.source else sentence("row", index=row)

    def _look_like_probabilities(self, block: Float64, place: Place) -> None:
        """Logits that need not sum to 1 as probabilities."""
        wide, self.columns = block.reshape(len(block), -1), 1
        known = ~np.isnan(wide).any(axis=1)
        self.seen += int(known.sum())
        self.like_probabilities.add(((wide >= 0.0) & (wide <= 1.0)).all(axis=1), place)

    def findings(self, rows: int, rounding: float | None) -> list[Finding]:
        """What the sums say; `rounding` is the step that predictions were rounded to."""
        if self.like_probabilities.rows > 0.9 * max(self.seen, 1):
            return [_twice(self.like_probabilities, rows, self.columns)]
        if self.kind not in ("probabilities", "log_probabilities") or not self.seen:
            return []
        if not self.off.rows:
            return [finding("fine", "sums", sentence("fine.sums", off=f"{self.worst:.1g}"))]
        spread = sentence("sums.spread", least=f"{self.least:.6g}", most=f"{self.most:.6g}")
        step = sentence("change.normalize")
        if self.empty.rows:
            empty = {"rows": counted("rows", self.empty.rows), "first": self.empty.where}
            step = sentence("change.normalize.but", step=step, **empty)
        if self.off.rows > 0.9 * self.seen and self.most <= 1.0 + SUM_TOLERANCE and self.least < 1.0 - CLOSE:
            what, name = sentence("sums.less"), "missing-column"
            step = sentence("change.every_column")
        elif self.not_close.rows > 0.5 * self.seen and self.most - self.least > CLOSE:
            what, name = sentence("sums.separate"), "one-against-rest"
            step = sentence("change.or_multilabel", step=step)
        elif rounding is not None and self.worst <= 0.51 * rounding * self.columns:
            what, name = sentence("sums.rounding", step=f"{rounding:g}"), "sums"
        else:
            what, name = sentence("sums.plain"), "sums"
        message = counted(
            "found.sums",
            self.off.rows,
            rows=rows,
            tolerance=f"{SUM_TOLERANCE:g}",
            what=what,
            spread=spread,
            first=sentence("first_with", where=self.off.where, detail=self.off.detail),
            worst=f"{self.worst:.4g}",
            at=self.worst_at,
        )
        return [finding("serious", name, message, sentence("finding.end", text=step), self.off)]


def _twice(tally: Tally, rows: int, columns: int) -> Finding:
    """Probabilities that would be read as logits."""
    name = "found.softmax_twice" if columns > 1 else "found.sigmoid_twice"
    message = counted(name, tally.rows, rows=rows)
    return finding("serious", "softmax-twice", message, sentence("change.kind_probabilities"), tally)
