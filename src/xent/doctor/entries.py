"""Single predictions that cannot be, and rows that do not sum to 1."""

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from xent.checks.predictions import MOST, SUM_TOLERANCE, Place
from xent.doctor.findings import Tally, finding, times, verb
from xent.report.checkup import Finding
from xent.scoring.confusion_costs import row_totals

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

    def _cell(self, block: Float64, marked: NDArray[np.bool_], index: int) -> str:
        row = block[index]
        column = int(np.argmax(marked[index]))
        name = repr(self.names[column]) if column < len(self.names) > 1 else str(column)
        return f"{row[column]:.6g} in column {name if len(row) > 1 else repr(self.names[0])}"

    def findings(self, rows: int, missing: int) -> list[Finding]:
        """What was found; `missing` values are told elsewhere."""
        kind = self.kind.replace("_", "-")
        allowed = {"logits": f"within ±{MOST:g}", "log_probabilities": "0 or less"}.get(self.kind, "in [0, 1]")
        remove = "remove these rows, or mend the model that made them."
        cases = [
            ("nan-predictions", self.nan if not missing else Tally(), "NaN", remove),
            ("infinite-predictions", self.infinite, "infinite values", "mend the model that made them."),
            ("negative-predictions", self.negative, f"negative values ({kind} are 0 or more)", "pass --kind logits if "
             "these are logits, or --kind log_probabilities if they are logs."),
            ("predictions-above-range", self.above, f"values out of range ({kind} must be {allowed})", "check which "
             "columns hold the predictions, and their kind (--kind)."),
            ("impossible-rows", self.impossible, "no finite logit, so that every class is impossible,", "give at least "
             "one class a finite logit."),
        ]  # fmt: skip
        found = []
        for name, tally, what, step in cases:
            if tally.rows:
                detail = f", {tally.detail}" if tally.detail else ""
                message = f"{what} in {times(tally.rows)} of {rows:,}; first {tally.where}{detail}."
                found.append(finding("serious", name, message, step, tally))
        if not found and not missing:
            found.append(finding("fine", "entries", "no NaN, no infinite and no impossible value"))
        return found


class Sums:
    """Whether rows of several columns are distributions, if they should be."""

    def __init__(self, kind: str, distributions: bool) -> None:
        self.kind, self.distributions = kind, distributions
        self.off, self.empty, self.like_probabilities, self.not_close = Tally(), Tally(), Tally(), Tally()
        self.least, self.most = math.inf, -math.inf
        self.worst, self.worst_at = 0.0, ""
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
        self.off.add(off > SUM_TOLERANCE, place, lambda row: f"which sums to {sums[row]:.6g}")
        self.not_close.add(off > CLOSE, place)
        self.empty.add(known & (sums <= 0.0), place)
        if known.any():
            self.least, self.most = min(self.least, float(sums[known].min())), max(self.most, float(sums[known].max()))
            if off.max() > self.worst:
                self.worst, row = float(off.max()), int(np.argmax(off))
                self.worst_at = place.row(row)

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
            return [finding("fine", "sums", f"rows sum to 1 (at most {self.worst:.1g} off)")]
        spread = f"sums run from {self.least:.6g} to {self.most:.6g}"
        step = "pass --normalize to divide each row by its sum"
        if self.empty.rows:
            step += (
                f", but first mend {times(self.empty.rows)} whose sum is 0 (first {self.empty.where}), which it cannot"
            )
        if self.off.rows > 0.9 * self.seen and self.most <= 1.0 + SUM_TOLERANCE and self.least < 1.0 - CLOSE:
            what, name = " but to less: a column seems to be missing", "missing-column"
            step = "give every class its column; if they are all there, pass --normalize"
        elif self.not_close.rows > 0.5 * self.seen and self.most - self.least > CLOSE:
            what, name = ": these look like separate scores, one class against the rest", "one-against-rest"
            step += "; or pass --task multilabel if a row can have several labels"
        elif rounding is not None and self.worst <= 0.51 * rounding * self.columns:
            what, name = f", because of rounding to {rounding:g}", "sums"
        else:
            what, name = "", "sums"
        message = (
            f"{times(self.off.rows)} of {rows:,} {verb(self.off.rows, 'do', 'does')} not sum to 1 (within {SUM_TOLERANCE:g})"
            f"{what}; {spread}; first {self.off.where}, {self.off.detail}; the largest deviation is {self.worst:.4g}, "
            f"{self.worst_at}."
        )
        return [finding("serious", name, message, f"{step}.", self.off)]


def _twice(tally: Tally, rows: int, columns: int) -> Finding:
    """Probabilities that would be read as logits."""
    what, function = ("in [0, 1], summing to 1", "softmax") if columns > 1 else ("in [0, 1]", "sigmoid")
    return finding(
        "serious", "softmax-twice",
        f"{times(tally.rows)} of {rows:,} {verb(tally.rows, 'are', 'is')} probabilities already ({what}), but would be read "
        f"as logits: a second {function} flattens them.", "pass --kind probabilities.", tally,
    )  # fmt: skip
