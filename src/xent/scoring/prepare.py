"""What is to be scored and how: files opened, columns and classes found, the kind and the task settled."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from xent.checks.names import by_name
from xent.checks.predictions import SUM_TOLERANCE
from xent.engines.contract import Engine
from xent.errors import LabelError, OptionError, ShapeError, SourceError
from xent.kernels import choice
from xent.scoring.classes import Resolved, resolve
from xent.scoring.data import InFiles, Reducible
from xent.scoring.kinds import guess_kind
from xent.scoring.passes import Progress
from xent.scoring.plan import Kind, Label, Plan, Task, listed
from xent.scoring.row_reader import Order
from xent.sources.columns import choose_columns
from xent.sources.files import open_files
from xent.sources.frames import open_frame
from xent.sources.known import as_written, files_of, layout_of, rearranged, without_text
from xent.sources.names import find_column, refused
from xent.sources.partitions import folder_above
from xent.sources.sql import Query, open_query
from xent.sources.table import Table
from xent.texts.catalogue import sentence

__all__ = ["Prepared", "guess_task", "open_data", "open_table", "prepare"]


PATIENCE = 1 << 22  # predictions that the NumPy kernels look into unasked: two seconds or so


class Prepared(NamedTuple):
    """Everything needed to read a data set's rows in the plan's order: `data.batches(order)`."""

    plan: Plan
    order: Order
    notes: tuple[str, ...]  # how the input was read
    warnings: tuple[str, ...]


def open_table(source: Any, *, settle: bool = True, skip: bool = False) -> Table:
    """The table behind file names, patterns, a query, or a data frame."""
    if isinstance(source, Query):
        return rearranged(open_query(source))
    paths = [source] if isinstance(source, str | os.PathLike) else source
    is_files = isinstance(paths, list | tuple) and all(isinstance(path, str | os.PathLike) for path in paths)
    return rearranged(
        open_files(paths, settle=settle, refused={} if skip else None) if is_files else open_frame(source)
    )


def open_data(
    source: Any,
    *,
    label: str | Sequence[str] | None = None,
    prediction: str | Sequence[str] | None = None,
    sample_weight: str | None = None,
    progress: Progress | None = None,
    keys: Mapping[str, str | None] | None = None,
    engine: Engine | None = None,
    settle: bool = True,
    skip: bool = False,
) -> InFiles:
    """A table of predictions; `keys` are columns to read beside them, by the name they get: {"group": "country"}.

    Raises:
        SourceError: a file cannot be read, or a column is missing or ambiguous.
        ArgumentTypeError: a table in memory, and an engine that reads files.
    """
    table = open_table(source, settle=settle, skip=skip)
    asked = {name: column for name, column in (keys or {}).items() if column is not None}
    found = {name: _key_column(table, column, f"--{name} NAME ({name}=)") for name, column in asked.items()}
    columns = choose_columns(
        table.schema, label=label, prediction=prediction, weight=sample_weight, layout=layout_of(table)
    )
    table = without_text(table, columns) if skip else table
    keys_alone = set(found.values()).difference(columns.names)
    return InFiles(as_written(table, [*keys_alone]), columns, progress, found, engine, skip)


def _key_column(table: Table, name: str, flag: str) -> str:
    """The column, or else, where folders are named after it, that these are to be passed."""
    try:
        return find_column(table.schema, name, flag)
    except SourceError as error:
        files = files_of(table)
        folder = None if files is None else folder_above(name, [part.name for part in files.parts])
        if folder is None:
            raise
        raise refused(error.said[0], sentence("refused.folder", folder=folder)) from None


def prepare(
    data: Reducible, kind: str, task: str, classes: Sequence[Label] | None, options: Mapping[str, Any]
) -> Prepared:
    """Look at the first rows (and the labels that occur) and settle what was left to be guessed.

    Raises:
        XentError: labels, predictions and options do not fit together.
    """
    labels, block = data.first()
    columns = 1 if block.ndim == 1 else block.shape[1]
    label_order = None
    if getattr(labels, "ndim", 1) == 2 or task == "multilabel":
        task, resolved, label_order = _targets(data, labels, block, task, classes)
    else:
        resolved = resolve(data.names, columns, classes, labels, data.distinct_labels)
    if task == "auto":
        task = "binary" if len(resolved.classes) == 2 else "multiclass"
    notes = list(data.notes)
    if kind == "auto":
        kind = data.kind or guess_kind(block, block.ndim == 2 and task != "multilabel")
        how = "note.kind.named" if data.kind else "note.kind.guessed"
        notes.append(sentence(how, kind=sentence(f"kind.{kind}")))
    notes.append(resolved.note)
    options = dict(options)
    if options.get("brief", False) is None:
        options["brief"] = not choice.numba_installed() and (data.rows or 0) * columns > PATIENCE
        if options["brief"]:
            notes.append(sentence("note.brief", rows=data.rows))
    plan = Plan(resolved.classes, task=cast(Task, task), kind=cast(Kind, kind), **options)
    warnings = (resolved.warning,) if resolved.warning else ()
    return Prepared(plan, Order(resolved.order, label_order), tuple(notes), warnings)


def _targets(
    data: Reducible, labels: Any, block: Any, task: str, classes: Sequence[Label] | None
) -> tuple[str, Resolved, tuple[int, ...] | None]:
    """Classes where each row of labels has a column a class."""
    columns = 1 if block.ndim == 1 else block.shape[1]
    if getattr(labels, "ndim", 1) != 2 and columns > 1:
        raise LabelError(
            f"several labels a row need labels of shape (rows, {columns}), one column a label.\n"
            "Pass label='y_*' (--label 'y_*') for columns of a table."
        )
    if task == "auto":
        task = guess_task(np.asarray(labels, np.float64), block)
    if columns == 1 and task != "multilabel":
        swapped = "" if np.any(np.mod(block, 1.0)) else "\nLabels come first: are these the predictions?"
        raise ShapeError(
            f"labels have {labels.shape[1]} columns and predictions 1; pass one column a class in both: "
            f"of two classes, 1 − p and p.{swapped}"
        )
    order: tuple[int, ...] = tuple(range(columns))
    label_order = None
    note = sentence("note.columns.same_order")
    names = data.names
    found: tuple[Label, ...] = names or order
    if names is not None and data.label_names is not None:
        label_order = by_name(names, data.label_names)
        if label_order is None:
            raise LabelError(
                f"columns of labels are named {', '.join(data.label_names[:8])}, those of predictions "
                f"{', '.join(names[:8])}.\nName both after the same classes, or pass arrays, whose order is trusted."
            )
        note = sentence("note.columns.by_name")
    if classes is not None:
        found = listed(classes)
        if len(found) != columns:
            raise OptionError(f"classes has {len(found)} entries, but labels and predictions have {columns} columns.")
        wanted = by_name(found, names)
        if wanted is None and names is not None:
            note = sentence("note.columns.renamed", note=note, names=", ".join(names[:8]))
        elif wanted is not None:
            order = wanted
            label_order = wanted if label_order is None else tuple(label_order[i] for i in wanted)
    return task, Resolved(found, order, sentence("note.task", note=note, task=sentence(f"task.{task}"))), label_order


def guess_task(labels: Any, block: Any) -> str:
    """One class a row, unless whole labels say otherwise: then several, where the predictions are no distribution."""
    if labels.ndim != 2 or labels.shape[1] < 2:
        return "multilabel"
    with np.errstate(invalid="ignore"):
        sums = np.abs(labels.sum(axis=1) - 1.0) <= SUM_TOLERANCE
        distributions = np.abs(block.reshape(len(block), -1).sum(axis=1, dtype=np.float64) - 1.0) <= SUM_TOLERANCE
    fractional = ((labels > 0.0) & (labels < 1.0)).any()
    one_of_many = sums.all() or (sums.mean() >= 0.5 and (fractional or distributions.mean() >= 0.5))
    return "binary" if one_of_many and labels.shape[1] == 2 else "multiclass" if one_of_many else "multilabel"
