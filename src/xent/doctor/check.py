"""`check`: one reading of a table of predictions, and everything that it shows to be wrong."""

import os
from collections.abc import Sequence
from typing import Any, Literal

import pyarrow as pa

from xent.doctor.examine import Examination
from xent.doctor.findings import from_error
from xent.errors import OptionError, SourceError
from xent.report.checkup import Checkup, ColumnsRead, Finding
from xent.scoring.data import Progress
from xent.scoring.plan import KINDS, TASKS, Kind, Label, Task, listed
from xent.scoring.prepare import open_table
from xent.sources.columns import Columns, choose_columns
from xent.sources.failures import shown
from xent.sources.known import layout_of
from xent.sources.names import find_column
from xent.sources.sql import Query
from xent.sources.table import Table
from xent.texts.catalogue import sentence

__all__ = ["check"]

IDS = ("id", "row_id", "example_id", "uid")
ORDER = {"serious": 0, "worth a look": 1, "fine": 2}


def check(
    source: Any,
    *,
    label: str | Sequence[str] | None = None,
    prediction: str | Sequence[str] | None = None,
    sample_weight: str | None = None,
    on: str | None = None,
    kind: Kind | Literal["auto"] = "auto",
    task: Task | Literal["auto"] = "auto",
    classes: Sequence[Label] | None = None,
    progress: Progress | None = None,
) -> Checkup:
    """Say all that is wrong with a table of predictions, and what to do about it.

    Nothing stops at the first bad row. Memory does not grow with the rows but for 8 bytes each (16 with ids), and some
    30 at the end, to find those that occur twice.

    Args:
        source: a file, a pattern, a list of these, or a data frame, as in `scan`.
        label: the label's column, or a pattern or list for one column a class; None guesses it.
        prediction: the columns of the predictions; None guesses them.
        sample_weight: the column of the weights.
        on: the column that tells rows apart; None takes `id`, `row_id`, `example_id` or `uid`, if there is one.
        kind: "probabilities", "logits" or "log_probabilities"; "auto" looks at the first rows.
        task: "binary", "multiclass" or "multilabel".
        classes: every label, in the order of the prediction columns.
        progress: called with the number of rows read since its last call.

    Returns:
        The checkup: findings, the most serious first, and the loss in nats if nothing forbids one.

    Raises:
        SourceError: the table cannot be read at all.
        OptionError, ArgumentTypeError: an option outside its values, or no table.

    Example:
        >>> from xent.doctor.check import check
        >>> table = {"label": [0, 1] * 20, "p": [0.9, 0.2, 0.8, 0.1] * 10}
        >>> checkup = check(table)
        >>> checkup.serious, checkup.findings[0].name
        (True, 'inverted-probability')
    """
    _refuse_options(kind, task)
    given = None if classes is None else listed(classes)
    table = open_table(source)
    try:
        columns = choose_columns(
            table.schema, label=label, prediction=prediction, weight=sample_weight, layout=layout_of(table)
        )
        key = _id_column(table.schema, on, columns)
    except SourceError as error:
        found = from_error("columns", error)
        return Checkup(_named(source), True, table.rows, None, (), None, None, None, (found,), ())
    examination = Examination(columns, key, kind, task, given)
    broken = _read(table, columns, key, examination, progress)
    verdict = examination.finish()
    findings = sorted([*broken, *verdict.findings], key=lambda one: ORDER[one.severity])
    notes = list(columns.notes)
    if key is not None:
        notes.append(sentence("note.ids" if on else "note.ids.guessed", name=repr(key)))
    return Checkup(
        source=_named(source),
        serious=any(one.severity == "serious" for one in findings),
        rows=examination.rows,
        columns=ColumnsRead(columns.labels, columns.predictions, columns.weight, key),
        classes=verdict.classes,
        kind=verdict.kind,
        task=verdict.task,
        loss=None if broken else verdict.loss,
        findings=tuple(findings),
        notes=(*notes, *verdict.notes),
    )


def _read(
    table: Table, columns: Columns, key: str | None, examination: Examination, progress: Progress | None
) -> list[Finding]:
    """Hand over every batch; what stops the reading is a finding, if some rows came before it."""
    names = dict.fromkeys([*columns.names, *filter(None, (key,))])
    try:
        for batch in table.batches(list(names)):
            examination.add(batch)
            if progress is not None:
                progress(batch.data.num_rows)
    except SourceError as error:
        if not examination.rows:
            raise
        return [from_error("unreadable-rows", error)]
    return []


def _id_column(schema: pa.Schema, on: str | None, columns: Columns) -> str | None:
    if on is not None:
        return find_column(schema, on, "--on NAME (on=)")
    found = [name for name in schema.names if name.lower() in IDS and name not in columns.names]
    return str(found[0]) if len(found) == 1 else None


def _refuse_options(kind: str, task: str) -> None:
    for name, value, allowed in (("kind", kind, KINDS), ("task", task, TASKS)):
        if value not in ("auto", *allowed):
            raise OptionError(f"{name} is {value!r}, but must be one of {', '.join(map(repr, ('auto', *allowed)))}.")


def _named(source: Any) -> str | None:
    if isinstance(source, Query):
        return source.name
    paths = [source] if isinstance(source, str | os.PathLike) else source
    if isinstance(paths, list | tuple) and all(isinstance(path, str | os.PathLike) for path in paths):
        return ", ".join(shown(str(path)) for path in paths)
    return None
