"""One row of a table of predictions, read as scoring reads it, and explained."""

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from xent.errors import OptionError
from xent.explaining.distributions import explain_distributions
from xent.explaining.given import floats_of
from xent.explaining.labels import explain_label, explain_questions
from xent.explaining.logits import explain_logits
from xent.formulas import steps as arithmetic
from xent.report.explanation import Explanation
from xent.scoring.inputs import Rows, block_of, rows_of, slice_of
from xent.scoring.labels import Vocabulary
from xent.scoring.outcomes import Place, target_outcomes
from xent.scoring.plan import Plan
from xent.scoring.prepare import open_data, prepare
from xent.scoring.totals import as_chunk
from xent.sources.csv_text import settling
from xent.texts.catalogue import said, speaker

__all__ = ["explain_row"]


class Found(NamedTuple):
    """A row, and how it was read."""

    plan: Plan
    prediction: Any  # (classes,), or a number for two classes
    label: Any  # a code, or (classes,) targets
    place: Place
    notes: tuple[str, ...]


def explain_row(source: Any, row: Any, unit: str, lang: str, options: dict[str, Any]) -> Explanation:
    """Read as far as that row of the data set, counted from 0, and explain it.

    Raises:
        SourceError: the table cannot be read, or a column is missing or ambiguous.
        OptionError: it has no such row.
        XentError: its labels or predictions are not legal.
    """
    if isinstance(row, bool) or not isinstance(row, int | np.integer) or row < 0:
        got = "missing" if row is None else repr(row)
        raise OptionError(
            f"row is {got}, but must be a whole number, 0 or more. Pass --row N (row=): rows count from 0."
        )
    found = settling(partial(_find, source, int(row), options))
    say = speaker(lang)
    name, inside = found.place.source, found.place.first_row
    notes = [said(note, lang) for note in found.notes]
    if name:
        word = "file.row" if inside == row else "file.row.of_several"
        notes.insert(0, say(word, row=row, inside=inside, source=name))
    if found.plan.task != "multilabel" and found.plan.kind == "logits" and np.ndim(found.prediction) == 0:
        no, yes = map(str, found.plan.classes)
        notes.append(say("file.single_logit", no=no, yes=yes))
    explanation = _explained(found, unit, lang)
    return replace(explanation, notes=tuple(notes))


def _find(source: Any, row: int, options: dict[str, Any], settle: bool) -> Found:
    columns = {name: options[name] for name in ("label", "prediction")}
    data = open_data(source, **columns, settle=settle)
    plan, order, notes, warnings = prepare(data, options["kind"], options["task"], options["classes"], {"brief": True})
    before = 0
    for rows in data.batches(order):
        count = rows_of(rows.labels)
        if row < before + count:
            at = row - before
            block = block_of(rows)
            place = rows.place.after(at)
            one = Rows(np.array(block[at : at + 1]), slice_of(rows.labels, at, at + 1), None, place)
            chunk = as_chunk(plan, Vocabulary(plan.classes), one)
            return Found(plan, chunk.predictions[0], chunk.labels[0], place, (*notes, *warnings))
        before += count
    raise OptionError(f"row is {row}, but the data have {before:,} rows, so it must be in [0, {before}).")


def _explained(found: Found, unit: str, lang: str) -> Explanation:
    plan, prediction, label = found.plan, found.prediction, found.label
    names = [str(name) for name in plan.classes]
    kind, place = plan.kind, found.place
    if plan.task == "multilabel":
        return explain_questions(
            np.atleast_1d(label), np.atleast_1d(prediction), names, unit, lang, several=True, kind=kind, place=place
        )
    if np.ndim(label):  # a share for each class
        block = prediction if plan.kind == "probabilities" else _probabilities(plan, prediction, place)
        return explain_distributions(label, block, names, unit, lang)
    if plan.kind == "logits":
        logits = np.array([0.0, float(prediction)]) if np.ndim(prediction) == 0 else prediction
        return explain_logits(logits, names[int(label)], names, unit, lang)
    if np.ndim(prediction) == 0:
        return explain_questions(
            [label], [prediction], None, unit, lang, several=False, answers=(names[0], names[1]), kind=kind, place=place
        )
    return explain_label(prediction, names[int(label)], names, unit, lang, kind=kind, place=place)


def _probabilities(plan: Plan, prediction: Any, place: Place) -> tuple[float, ...]:
    """Of logits or log-probabilities."""
    eye = np.eye(len(plan.classes))
    block = np.repeat(np.atleast_2d(prediction), len(eye), axis=0)
    return floats_of(arithmetic.probabilities(target_outcomes(plan, block, eye, None, place).nats))
