"""What the numbers are: probabilities, logits, log-probabilities, percents or counts."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.doctor.findings import finding, from_error
from xent.errors import ProbabilityError
from xent.report.checkup import Finding
from xent.scoring.kinds import guess_kind
from xent.texts.catalogue import sentence

__all__ = ["Settled", "as_legal", "settle"]

Float64 = NDArray[np.float64]
MOST = 0.9  # the share of rows that speaks for a kind


class Settled(NamedTuple):
    """What the first rows say."""

    kind: str
    note: str
    findings: tuple[Finding, ...]


def settle(block: Float64, told: str, by_names: str | None, columns: tuple[str, ...], distributions: bool) -> Settled:
    """The kind, as `xent score` would take it, unless the numbers are percents or counts.

    Args:
        block: the first rows, (rows, columns) or (rows,).
        told: the caller's kind, or "auto".
        by_names: what the names of the columns say, or None.
        columns: their names.
        distributions: whether a row should sum to 1.
    """
    good = block[~np.isnan(block.reshape(len(block), -1)).any(axis=1)]
    found: list[Finding] = []
    kind, how = told, "told"
    if told == "auto":
        kind, how = by_names or "", "named"
    if not kind:
        how = "guessed"
        try:
            kind = guess_kind(good, distributions) if good.size else "probabilities"
        except ProbabilityError as error:
            kind, how = "logits", "a_guess"
            found.append(from_error("ambiguous-kind", error))
    if kind == "probabilities" and good.size:
        kind = _percents_or_counts(good, distributions)
        found += _of_another_kind(kind, good)
    found += _badly_named(kind, by_names, columns)
    return Settled(kind, sentence(f"note.kind.{how}", kind=sentence(f"kind.{kind}")), tuple(found))


def _percents_or_counts(block: Float64, distributions: bool) -> str:
    wide = block.reshape(len(block), -1)
    with np.errstate(invalid="ignore", over="ignore"):
        legal = ((wide >= 0.0) & (wide < np.inf)).all(axis=1)
        sums = wide.sum(axis=1)
        beyond = wide.max(axis=1) > 1.0
        whole = (wide == np.round(wide)).all(axis=1)
    if not distributions or block.ndim == 1:
        percents = legal.all() and beyond.mean() > 0.5 and wide.max() <= 100.0 and wide.max() > 10.0
        return "percents" if percents else "probabilities"
    if (legal & beyond & (np.abs(sums - 100.0) <= 1.5)).mean() >= MOST:
        return "percents"
    if (legal & whole & (sums > 1.0)).mean() >= MOST:
        return "counts"
    return "probabilities"


def _of_another_kind(kind: str, block: Float64) -> list[Finding]:
    single = block.ndim == 1
    if kind == "percents":
        step = sentence("change.divide_by_100" if single else "change.divide_by_100.or")
        message = sentence("found.percents.single" if single else "found.percents", shown=_shown(block))
        return [finding("serious", "percents", message, step)]
    if kind == "counts":
        message = sentence("found.counts", shown=_shown(block))
        return [finding("serious", "counts", message, sentence("change.divide_by_sum"))]
    with np.errstate(invalid="ignore"):
        outside = ((block < 0.0) | (block > 1.001)).reshape(len(block), -1).any(axis=1)
    if outside.mean() > 0.5:
        shown = _shown(block[outside])
        message = sentence("found.logits", share=f"{100 * outside.mean():.0f}", shown=shown)
        return [finding("serious", "logits-as-probabilities", message, sentence("change.kind_logits"))]
    return []


def _badly_named(kind: str, by_names: str | None, columns: tuple[str, ...]) -> list[Finding]:
    """Columns named p_ that hold something else; `score` reads them right, a person may not."""
    named_p = all(
        name.lower().startswith(("p_", "prob_", "proba_")) or name.lower() in ("p", "probability") for name in columns
    )
    if named_p and kind in ("logits", "log_probabilities") and by_names is None:
        message = sentence("found.misnamed", name=columns[0], kind=sentence(f"kind.{kind}"))
        return [finding("worth a look", "misnamed-columns", message, sentence("change.misnamed", kind=kind))]
    return []


def as_legal(kind: str, block: Float64) -> tuple[str, Float64]:
    """Percents and counts as the probabilities they stand for; rows that are no legal predictions as NaN."""
    wide = block if block.ndim == 2 else block[:, None]
    with np.errstate(all="ignore"):
        if kind in ("percents", "counts"):
            wide = wide / (wide.sum(axis=1, keepdims=True) if block.ndim == 2 else 100.0)
            kind = "probabilities"
        bad = np.isnan(wide) | (wide == np.inf)
        if kind == "probabilities":
            bad |= (wide < 0.0) | (wide > 1.0 + 1e-3)
        elif kind == "log_probabilities":
            bad |= wide > 1e-3
        rows = bad.any(axis=1) | ((wide == -np.inf).all(axis=1) & (kind == "logits") & (block.ndim == 2))
    legal: Any = np.where(rows[:, None], np.nan, wide)
    return kind, legal if block.ndim == 2 else legal[:, 0]


def _shown(block: Float64) -> str:
    row = np.atleast_1d(block[0])
    return ", ".join(f"{value:.4g}" for value in row[:4]) + (", …" if len(row) > 4 else "")
