"""How finely predictions are told: rounded, decided, or the same in every row."""

import numpy as np
from numpy.typing import NDArray

from xent.checks.predictions import Place
from xent.doctor.findings import Tally, finding, spoken
from xent.report.checkup import Finding, Severity
from xent.scoring.confusion_costs import smallest_loss
from xent.texts.catalogue import counted, sentence

__all__ = ["Resolution"]

Float64 = NDArray[np.float64]
MOST_DECIMALS = 6


class Resolution:
    """Of probabilities (rows, columns) or (rows,)."""

    def __init__(self, kind: str, names: tuple[str, ...]) -> None:
        self.kind, self.names = kind, names
        self.decimals: dict[int, int] = dict.fromkeys(
            range(1, MOST_DECIMALS + 1), 0
        )  # those left, and their common divisor
        self.hard, self.rows, self.entries = Tally(), 0, 0
        self.first: Float64 | None = None
        self.same = True
        self.low = self.high = np.zeros(0)

    def add(self, block: Float64, place: Place, single_precision: bool) -> None:
        """Look at a batch; rows with NaN are left out."""
        wide = block if block.ndim == 2 else block[:, None]
        known = ~np.isnan(wide).any(axis=1)
        if not known.any():
            return
        good = wide[known]
        if self.first is None:
            self.first, self.low, self.high = good[0], good.min(axis=0), good.max(axis=0)
        self.low, self.high = np.minimum(self.low, good.min(axis=0)), np.maximum(self.high, good.max(axis=0))
        self.same = bool((self.low == self.high).all())
        self.rows += len(good)
        if self.kind == "probabilities":
            self.entries += good.size
            self.hard.add(known & ((wide == 0.0) | (wide == 1.0)).all(axis=1), place)
            self._round(good, single_precision)

    def _round(self, block: Float64, single_precision: bool) -> None:
        relative = 1.2e-7 if single_precision else 4.5e-16
        for places in list(self.decimals):
            with np.errstate(invalid="ignore", over="ignore"):
                scaled = block * 10.0**places
                near = np.round(scaled)
                exact = np.abs(scaled - near) <= relative * np.abs(scaled) + 1e-300
            if not exact.all():
                del self.decimals[places]
            else:
                divisor = int(np.gcd.reduce(near.astype(np.int64), axis=None))
                self.decimals[places] = int(np.gcd(divisor, self.decimals[places]))

    @property
    def step(self) -> float | None:
        """What all probabilities are a multiple of; None for no round number, or decisions."""
        if not self.decimals or self.entries < 20 or self.hard.rows == self.rows:
            return None
        places = min(self.decimals)
        step = self.decimals[places] / 10.0**places
        return step if 0.0 < step < 1.0 else None

    @property
    def continuous(self) -> bool:
        """Whether two rows alike would be a surprise."""
        return not self.decimals and self.hard.rows < 0.5 * self.rows and not self.same

    def findings(self, zeros: int, ones: int, frequencies: tuple[float, ...]) -> list[Finding]:
        """What was found.

        Args:
            zeros, ones: how many rows gave their label exactly that probability.
            frequencies: of the classes, in the order of the columns; () where they are unknown.
        """
        if self.same and self.rows > 1:
            return [self._constant(frequencies)]
        found = []
        if self.rows >= 10:
            found += self._constant_columns()
        if self.hard.rows == self.rows and self.rows >= 10:
            message = sentence("found.class_decisions", rows=self.rows)
            found.append(finding("serious", "class-decisions", message, sentence("change.probabilities"), self.hard))
        elif self.hard.rows > 0.2 * self.rows:
            hard = counted("rows", self.hard.rows)
            message = sentence("found.hard_rows", of=hard, rows=self.rows, first=self.hard.where)
            found.append(finding("worth a look", "hard-rows", message, sentence("change.more_digits"), self.hard))
        return found + self._rounding(zeros, ones)

    def _constant(self, frequencies: tuple[float, ...]) -> Finding:
        assert self.first is not None
        shown = {"rows": self.rows, "values": spoken([f"{v:.4g}" for v in self.first], 6)}
        if len(frequencies) == len(self.first) and np.allclose(frequencies, self.first, rtol=0.0, atol=5e-3):
            message, step = sentence("found.constant.frequencies", **shown), sentence("change.constant.baseline")
            return finding("worth a look", "constant-predictions", message, step, rows=self.rows)
        severity: Severity = "serious" if self.rows >= 10 else "worth a look"
        message, step = sentence("found.constant", **shown), sentence("change.constant")
        return finding(severity, "constant-predictions", message, step, rows=self.rows)

    def _constant_columns(self) -> list[Finding]:
        same = np.flatnonzero(self.low == self.high)
        if not same.size or len(self.low) == 1:
            return []
        name = self.names[int(same[0])] if len(self.names) == len(self.low) else str(same[0])
        others = sentence("and_others", count=len(same) - 1) if len(same) > 1 else ""
        message = sentence("found.constant_column", name=repr(name), value=f"{self.low[same[0]]:.4g}", others=others)
        return [finding("worth a look", "constant-column", message, sentence("change.constant_column"), rows=self.rows)]

    def _rounding(self, zeros: int, ones: int) -> list[Finding]:
        step = self.step
        if step is None:
            return []
        decimal = round(1.0 / step) in {10**i for i in range(1, 7)}
        votes = "" if decimal else sentence("votes", count=round(1.0 / step))
        advice = sentence("change.all_digits" if decimal else "change.all_digits.if")
        message = sentence("found.rounding", step=f"{step:g}", votes=votes, least=f"{smallest_loss(step):.2g}")
        if zeros or ones:
            extremes = counted("found.rounding.extremes", zeros, ones=ones)
            message = sentence("clauses", first=message, second=extremes)
        if step < 1e-3 and not zeros:
            return [finding("fine", "rounding", message)]
        return [finding("worth a look", "rounding", sentence("finding.end", text=message), advice, rows=self.rows)]
