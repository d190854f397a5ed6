"""A new report against an old one: is the model worse than it was?"""

import math
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xent.errors import LabelError, OptionError, ShapeError, SourceError, XentError
from xent.report.comparison import Comparison
from xent.report.model import Report
from xent.report.numbers import decimals, p_value
from xent.scoring.compare import compare
from xent.scoring.judge import scan
from xent.scoring.measured import Measured, measured
from xent.scoring.tails import chi_squared_tail, t_quantile, t_tails
from xent.texts.catalogue import Sentence, sentence

__all__ = ["Change", "against_predictions", "against_report", "two_sample"]

LEVEL = 0.05
_FEW = 60  # rows of both together, up to which the ways to deal them out are counted


@dataclass(frozen=True)
class Change:
    """New loss − old loss, and whether that is chance."""

    old: str  # the file
    outcome: str  # "worse", "better" or "open", at 5 %
    difference: float | None  # per row, in `unit`; ±inf where one loss alone is infinite, None where both are
    interval: tuple[float, float] | None  # 95 %
    p_value: float | None
    unit: str
    test: str  # which one, and why
    infinite: tuple[int, int]  # rows of infinite loss, new and old

    def __str__(self) -> str:
        """One line: the outcome, how much, and by which test."""
        return str(self.spoken())

    def spoken(self) -> Sentence:
        """The same, to be said in any language."""
        return sentence(f"gate.{self.outcome}", old=self.old, much=self._how_much(), test=self.test)

    def _how_much(self) -> Sentence:
        if self.difference is None or math.isinf(self.difference):
            new, old = self.infinite
            if self.p_value is None:
                return sentence("gate.infinite", new=new, old=old)
            return sentence("gate.infinite.tested", new=new, old=old, p=p_value(self.p_value))
        much = sentence("gate.no_difference")
        if self.difference:
            signed = ("+" if self.difference > 0.0 else "") + decimals(self.difference)
            much = sentence("gate.difference", difference=signed, unit=sentence(f"unit.{self.unit}"))
        if self.interval is None:
            return much
        low, high = map(decimals, self.interval)
        return sentence("gate.interval", much=much, low=low, high=high, p=p_value(self.p_value))


def against_report(new: Measured, old: Measured, name: str, why: str | None = None) -> Change:
    """Two sets of rows that have nothing to do with each other, or are not known to.

    Raises:
        OptionError: the two were not scored alike, or one has a single row.
    """
    _refuse_unlike(new, old, name)
    counts = (new.infinite, old.infinite)
    why = sentence("gate.no_rows") if why is None else why
    test = sentence("gate.two_sample", why=why)
    if any(counts):
        p = _counts_test(new, old) if all(counts) else None
        more = counts[0] * old.rows - counts[1] * new.rows
        sure = p is None or p <= LEVEL
        difference = None if all(counts) else math.inf if counts[0] else -math.inf
        return Change(name, _outcome(more, sure), difference, None, p, new.unit, test, counts)
    for one, called in ((new, "the new report"), (old, name)):
        if one.standard_error is None:
            raise OptionError(
                f"{called} has a single row{'' if one.clusters is None else ' or cluster'}, which tells nothing of "
                "chance.\nGive more."
            )
    difference, interval, p = two_sample(new, old)
    test = sentence("gate.welch", why=why)
    return Change(name, _outcome(difference, p <= LEVEL), difference, interval, p, new.unit, test, counts)


def two_sample(new: Measured, old: Measured) -> tuple[float, tuple[float, float], float]:
    """Difference of two independent means, 95 % interval and p-value (Welch).

    Source:
        Welch, "The generalization of 'Student's' problem when several different population variances are involved" (1947).
    """
    difference = new.loss - old.loss
    parts = [(one.standard_error or 0.0, one.draws) for one in (new, old)]
    scale = max(error for error, _ in parts)
    if scale == 0.0:  # all rows alike in each: what is left to chance is which of them are where
        draws = parts[0][1] + parts[1][1]
        p = 2.0 / math.comb(draws, parts[0][1]) if draws <= _FEW else 0.0
        return difference, (difference, difference), min(1.0, p) if difference else 1.0
    squares = [((error / scale) ** 2, draws - 1) for error, draws in parts]
    total = sum(square for square, _ in squares)
    degrees = total**2 / sum(square**2 / df for square, df in squares)
    error = scale * math.sqrt(total)
    reach = t_quantile(1.0 - LEVEL / 2.0, degrees) * error
    return difference, (difference - reach, difference + reach), t_tails(difference / error, degrees)


def _counts_test(new: Measured, old: Measured) -> float:
    """The p-value of equal shares of infinite rows: χ² of a 2 × 2 table with Yates's correction, which errs on caution."""
    infinite, rows = new.infinite + old.infinite, new.rows + old.rows
    if infinite == rows:
        return 1.0
    apart = abs(new.infinite * old.rows - old.infinite * new.rows)
    corrected = max(0.0, apart - rows / 2.0)
    return chi_squared_tail(rows * corrected**2 / (infinite * (rows - infinite) * new.rows * old.rows), 1)


def _outcome(difference: float | None, sure: bool) -> str:
    if not difference or not sure:
        return "open"
    return "worse" if difference > 0.0 else "better"


def _refuse_unlike(new: Measured, old: Measured, name: str) -> None:
    """Losses of other units, tasks, classes, clippings or weightings are other quantities."""
    advice = {
        "unit": "Pass --unit as it was then",
        "task": "Pass --task as it was then",
        "classes": "Pass --classes with all of them to both",
        "clip": "Pass --clip as it was then",
        "weighted": "Pass --weight to both, or to neither",
    }
    for field, next_step in advice.items():
        mine, theirs = getattr(new, field), getattr(old, field)
        if mine != theirs:
            raise OptionError(
                f"{field} is {_shown(mine)}, but {_shown(theirs)} in {name}, so the losses cannot be compared.\n"
                f"{next_step}, or score the old predictions again."
            )


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(repr, value[:8])) + (", …" if len(value) > 8 else "")
    return repr(value)


def against_predictions(
    report: Report, sources: Sequence[Any], old: str, on: str | None, options: dict[str, Any]
) -> Change:
    """Row by row where both files have the same rows, else as two sets of rows.

    Args:
        report: of the new predictions.
        sources: the new predictions: files, or a query.
        old: the old predictions.
        on: the column that names each row; None matches by position.
        options: of `compare` and `scan`.

    Raises:
        OptionError: the new predictions can be read only once.
        XentError: as `compare` and `scan`.
    """
    for name in sources:
        if name == "-" or (isinstance(name, str) and os.path.exists(name) and stat.S_ISFIFO(os.stat(name).st_mode)):
            raise OptionError(
                f"{name} can be read only once, but is needed again to be compared row by row with {old}.\n"
                "Save it in a file, or pass a report of the old predictions (xent score … --json)."
            )
    new = list(sources) if len(sources) > 1 else sources[0]
    try:
        return _paired(compare(new, old, on=on, names=["new", "old"], unit=report.unit, **options), old, on)
    except XentError as error:
        if not _only_unmatched(error, on):
            raise
        why = sentence("gate.unmatched", error=str(error).partition("\n")[0].rstrip("."))
    again = scan(old, unit=report.unit, top=0, brief=True, **options)
    return against_report(measured(report), measured(again), old, why)


def _only_unmatched(error: XentError, on: str | None) -> bool:
    """Whether both can be read, but are of other rows: by position other counts or labels, by key no row in common."""
    if on is None:
        return isinstance(error, ShapeError | LabelError)
    return isinstance(error, SourceError) and str(error).startswith("no row is in all models")


def _paired(found: Comparison, old: str, on: str | None) -> Change:
    pair = found.pairs[0]
    outcome, p = {"new": "better", "old": "worse", None: "open"}[pair.winner], pair.p_value
    if pair.difference is None:
        both = pair.infinite_first + pair.infinite_second - (found.rows - pair.finite_rows)
        p = _discordance_test(pair.infinite_first - both, pair.infinite_second - both)
        outcome = _outcome(pair.infinite_first - pair.infinite_second, p <= LEVEL)
    paired = {"key": sentence("key.position") if on is None else repr(on), "rows": found.rows}
    test = sentence("gate.paired", **paired)
    if any(found.only_in):
        test = sentence("gate.paired.left", **paired, new=found.only_in[0], old=found.only_in[1])
    infinite = (pair.infinite_first, pair.infinite_second)
    return Change(old, outcome, pair.difference, pair.interval, p, found.unit, test, infinite)


def _discordance_test(first_only: int, second_only: int) -> float:
    """McNemar's p-value with Edwards's correction, of rows that are infinite in one model alone."""
    apart, either = abs(first_only - second_only), first_only + second_only
    return chi_squared_tail((apart - 1) ** 2 / either, 1) if apart > 1 else 1.0
