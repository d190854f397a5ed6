"""`evaluate` and `scan`: from labels and predictions to a report."""

import os
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np

from xent.checks.predictions import SUM_TOLERANCE
from xent.errors import LabelError, OptionError, WeightError
from xent.report.model import Report
from xent.scoring.classes import Resolved, by_name, resolve
from xent.scoring.data import Data, InFiles, InMemory, Progress
from xent.scoring.kinds import guess_kind
from xent.scoring.plan import Kind, Label, Plan, Task, listed
from xent.scoring.summary import summarise
from xent.scoring.totals import total

__all__ = ["evaluate", "scan"]


def evaluate(
    labels: Any,
    predictions: Any,
    *,
    kind: Kind | Literal["auto"] = "auto",
    task: Task | Literal["auto"] = "auto",
    classes: Sequence[Label] | None = None,
    sample_weight: Any = None,
    unit: str | None = None,
    normalize: bool = False,
    clip: float | None = None,
    top: int = 10,
) -> Report:
    """Judge predictions by their cross-entropy.

    Args:
        labels: (rows,) classes as integers, text or booleans; or (rows, classes) soft, one-hot or several labels.
        predictions: (rows, classes), or (rows,) for the second of two classes. Arrays of NumPy, PyTorch or JAX, nested
            lists, or data frames (pandas, Polars, Arrow, DuckDB), whose column names are matched to the labels.
        kind: "probabilities", "logits" or "log_probabilities"; "auto" looks at the first rows and says so in the notes.
        task: "binary", "multiclass" or "multilabel"; "auto" takes several labels where rows of labels do not sum to 1.
        classes: every label, in the order of the prediction columns; needed where neither names nor order settle it.
        sample_weight: (rows,), 0 or more.
        unit: "nats" (None) or "bits".
        normalize: divide each row of probabilities by its sum; counted in the report.
        clip: clip probabilities to [clip, 1 − clip]; counted in the report.
        top: how many of the worst rows to list.

    Returns:
        The report; of several labels, the loss of a row is the sum over its labels.

    Raises:
        ProbabilityError: a prediction is NaN or out of range, or a row does not sum to 1.
        LabelError: a label is missing or names no class, or the labels do not settle the classes.
        WeightError: a weight is negative or NaN, or all are 0.
        ShapeError, OptionError, ArgumentTypeError: arguments that do not fit together.

    Source:
        Good, "Rational Decisions" (1952): the logarithmic score. Gneiting and Raftery (2007), section 4.

    Example:
        >>> from xent import evaluate
        >>> report = evaluate([1, 1, 0], [0.8, 0.6, 0.1])
        >>> round(report.loss, 4), round(report.baseline, 4)
        (0.2798, 0.6365)
    """
    data = InMemory(labels, predictions, sample_weight)
    return _judged(data, kind, task, classes, unit, {"normalize": normalize, "clip": clip, "top": top})


def scan(
    source: Any,
    *,
    label: str | Sequence[str] | None = None,
    prediction: str | Sequence[str] | None = None,
    sample_weight: str | None = None,
    kind: Kind | Literal["auto"] = "auto",
    task: Task | Literal["auto"] = "auto",
    classes: Sequence[Label] | None = None,
    unit: str | None = None,
    normalize: bool = False,
    clip: float | None = None,
    top: int = 10,
    progress: Progress | None = None,
) -> Report:
    """Judge a table of predictions of any size, read in batches: memory does not grow with the rows.

    Args:
        source: a file (CSV, Parquet, Arrow IPC or Feather, JSON Lines, .npz; CSV and JSON may be gzipped), a pattern
            such as "preds/*.parquet", a list of these, or a data frame. Several files are one data set.
        label: the label's column; None guesses `label`, `y`, `target`, `y_true` or `class`. A pattern or list for one
            column a class.
        prediction: the columns of the predictions, as a pattern ("p_*"), a list, or a single name (of a column of
            numbers, or of lists); None guesses.
        sample_weight: the column of the weights.
        progress: called with the number of rows read since its last call.
        kind, task, classes, unit, normalize, clip, top: as in `evaluate`.

    Returns:
        The report; its notes say which columns were read, and how.

    Raises:
        SourceError: a file cannot be read, or a column is missing or ambiguous.
        XentError: as `evaluate`, naming the file and the row.

    Example:
        >>> from xent import scan
        >>> import numpy as np, tempfile
        >>> path = tempfile.mkdtemp() + "/predictions.npz"
        >>> np.savez(path, label=np.array([1, 1, 0]), p=np.array([0.8, 0.6, 0.1]))
        >>> round(scan(path).loss, 4)
        0.2798
    """
    from xent.sources.columns import choose_columns
    from xent.sources.files import open_files
    from xent.sources.frames import open_frame

    paths = [source] if isinstance(source, str | os.PathLike) else source
    is_files = isinstance(paths, list | tuple) and all(isinstance(path, str | os.PathLike) for path in paths)
    table = open_files(paths) if is_files else open_frame(source)
    columns = choose_columns(table.schema, label=label, prediction=prediction, weight=sample_weight)
    data = InFiles(table, columns, progress)
    return _judged(data, kind, task, classes, unit, {"normalize": normalize, "clip": clip, "top": top})


def _judged(
    data: Data, kind: str, task: str, classes: Sequence[Label] | None, unit: str | None, options: dict[str, Any]
) -> Report:
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
        notes.append(
            f"predictions are {kind.replace('_', '-')} ({'by their name' if data.kind else 'by their values'})"
        )
    notes.append(resolved.note)
    plan = Plan(resolved.classes, task=cast(Task, task), kind=cast(Kind, kind), **options)
    sums = total(plan, data.batches(resolved.order, label_order), numbered=True)
    if sums.rows == 0 and data.weighted:
        raise WeightError("sample_weight is 0 in every row: nothing is left to score. Give some rows a weight above 0.")
    return summarise(plan, sums, unit, tuple(notes), (resolved.warning,) if resolved.warning else ())


def _targets(
    data: Data, labels: Any, block: Any, task: str, classes: Sequence[Label] | None
) -> tuple[str, Resolved, tuple[int, ...] | None]:
    """Classes where each row of labels has a column a class."""
    columns = 1 if block.ndim == 1 else block.shape[1]
    if getattr(labels, "ndim", 1) != 2 and columns > 1:
        raise LabelError(
            f"several labels a row need labels of shape (rows, {columns}), one column a label.\n"
            "Pass label='y_*' (--label 'y_*') for columns of a table."
        )
    if task == "auto":
        task = _guess_task(np.asarray(labels, np.float64), block)
    order: tuple[int, ...] = tuple(range(columns))
    label_order = None
    note = "one column a class in labels and predictions, in the same order"
    names = data.names
    found: tuple[Label, ...] = names or order
    if names is not None and data.label_names is not None:
        label_order = by_name(names, data.label_names)
        if label_order is None:
            raise LabelError(
                f"columns of labels are named {', '.join(data.label_names[:8])}, those of predictions "
                f"{', '.join(names[:8])}.\nName both after the same classes, or pass arrays, whose order is trusted."
            )
        note = "columns of labels and predictions matched by name"
    if classes is not None:
        found = listed(classes)
        if len(found) != columns:
            raise OptionError(f"classes has {len(found)} entries, but labels and predictions have {columns} columns.")
        wanted = by_name(found, names)
        if wanted is None and names is not None:
            note += f", renamed from {', '.join(names[:8])}"
        elif wanted is not None:
            order = wanted
            label_order = wanted if label_order is None else tuple(label_order[i] for i in wanted)
    return task, Resolved(found, order, f"{note}; the task is {task}"), label_order


def _guess_task(labels: Any, block: Any) -> str:
    """One class a row, unless whole labels say otherwise: then several, where the predictions are no distribution."""
    if labels.ndim != 2 or labels.shape[1] < 2:
        return "multilabel"
    sums = np.abs(labels.sum(axis=1) - 1.0) <= SUM_TOLERANCE
    fractional = ((labels > 0.0) & (labels < 1.0)).any()
    distributions = np.abs(block.sum(axis=1, dtype=np.float64) - 1.0) <= SUM_TOLERANCE
    one_of_many = sums.all() or (sums.mean() >= 0.5 and (fractional or distributions.mean() >= 0.5))
    return "binary" if one_of_many and labels.shape[1] == 2 else "multiclass" if one_of_many else "multilabel"
