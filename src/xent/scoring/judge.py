"""`evaluate` and `scan`: from labels and predictions to a report."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from xent.engines.choose import engine_of
from xent.errors import OptionError, SourceError, UnsavedError, WeightError
from xent.report.model import Report
from xent.scoring.checkpoint import Checkpoint
from xent.scoring.cluster_store import ClusterStore
from xent.scoring.data import InMemory, Reducible
from xent.scoring.ladder import ladder_of
from xent.scoring.looks import Look
from xent.scoring.memory_limit import memory_limit
from xent.scoring.passes import Progress
from xent.scoring.plan import Kind, Label, Task
from xent.scoring.prepare import open_data, prepare
from xent.scoring.summary import summarise
from xent.scoring.totals import Total
from xent.sources.csv_text import settling
from xent.texts.catalogue import sentence

__all__ = ["evaluate", "judged", "scan"]


def evaluate(
    labels: Any,
    predictions: Any,
    *,
    kind: Kind | Literal["auto"] = "auto",
    task: Task | Literal["auto"] = "auto",
    classes: Sequence[Label] | None = None,
    sample_weight: Any = None,
    group: Any = None,
    cluster: Any = None,
    unit: str | None = None,
    normalize: bool = False,
    clip: float | None = None,
    top: int = 10,
    brief: bool | None = None,
    holdout: bool = False,
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
        group: (rows,) texts or numbers: the report says which groups differ from the rest.
        cluster: (rows,) what rows belong together in, such as documents or users: the interval allows for it.
        unit: "nats" (None) or "bits".
        normalize: divide each row of probabilities by its sum; counted in the report.
        clip: clip probabilities to [clip, 1 − clip]; counted in the report.
        top: how many of the worst rows to list.
        holdout: fit cures on one half of the rows (by a hash) and report on the other.
        brief: leave out what the loss is made of (ladder, confusion, reliability), which takes most of the time. None
            leaves it out of millions of predictions where Numba is not installed, and says so.

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
    keys = {name: values for name, values in (("group", group), ("cluster", cluster)) if values is not None}
    data = InMemory(labels, predictions, sample_weight, keys)
    options = {"normalize": normalize, "clip": clip, "top": top, "brief": brief}
    return judged(data, kind, task, classes, unit, holdout, options)


def scan(
    source: Any,
    *,
    label: str | Sequence[str] | None = None,
    prediction: str | Sequence[str] | None = None,
    sample_weight: str | None = None,
    kind: Kind | Literal["auto"] = "auto",
    task: Task | Literal["auto"] = "auto",
    classes: Sequence[Label] | None = None,
    group: str | None = None,
    cluster: str | None = None,
    unit: str | None = None,
    normalize: bool = False,
    clip: float | None = None,
    top: int = 10,
    brief: bool | None = None,
    holdout: bool = False,
    on_bad_file: Literal["stop", "skip"] = "stop",
    state: str | os.PathLike[str] | None = None,
    resume: bool = False,
    max_memory: int | str | None = None,
    progress: Progress | None = None,
    engine: Any = None,
    workers: int | None = None,
) -> Report:
    """Judge a table of predictions of any size, read in batches: memory does not grow with the rows.

    Args:
        source: a file (CSV, Parquet, Arrow IPC or Feather, JSON Lines, .npz; CSV and JSON may be gzipped), a pattern
            such as `preds/*.parquet`, a list of these, a data frame, or `xent.sql(...)`. Several files are one data set.
        label: the label's column; None guesses `label`, `y`, `target`, `y_true` or `class`. A pattern or list for one
            column a class.
        prediction: the columns of the predictions, as a pattern (`p_*`), a list, or a single name (of a column of
            numbers, or of lists); None guesses.
        sample_weight: the column of the weights.
        group: the column of the groups: the report says which differ from the rest. Those of CSV files, and of names of
            folders, are text.
        cluster: the column that says which rows belong together, such as a document's or a user's.
        on_bad_file: "stop" at a file that cannot be read, or "skip" it: it is counted and listed in the report, and none
            of its rows are in it. What is wrong with a prediction always stops.
        state: where to write the state of all rows, which `xent merge` adds to those of others; while files are scored,
            that of the rows so far.
        resume: go on from what the file of `state` has, if it is there.
        max_memory: bytes, or a text such as "2GB", that sums by cluster may take; more of them go to files in a temporary
            folder (`tempfile`, environment variable TMPDIR). None: half of what the machine has. No answer depends on it.
        progress: called with the number of rows read since its last call; its method `fragments`, if it has one, with how
            many pieces of the files are done, and of how many.
        engine: where files are read and scored, in pieces: "local" or None (threads of this process), "processes" (of
            this machine), "dask", "ray", "spark", a Dask client, or a Spark session. The answer is the same, bit for
            bit. Workers of a cluster need xent, and the files under the same paths.
        workers: how many threads or processes of this machine; None takes all CPUs.
        kind, task, classes, unit, normalize, clip, top, brief, holdout: as in `evaluate`.

    Returns:
        The report; its notes say which columns were read, and how.

    Raises:
        SourceError: a file cannot be read, or a column is missing or ambiguous.
        StateError: `state` is of other rows or options than these.
        UnsavedError: `state` cannot be written at the end; the report is the error's `report`.
        EngineError: a worker died or gave up, again and again; names what it had.
        XentError: as `evaluate`, naming the file and the row.

    Example:
        >>> from xent import scan
        >>> import numpy as np, tempfile
        >>> path = tempfile.mkdtemp() + "/predictions.npz"
        >>> np.savez(path, label=np.array([1, 1, 0]), p=np.array([0.8, 0.6, 0.1]))
        >>> round(scan(path).loss, 4)
        0.2798
    """
    _refuse_together(on_bad_file, state, resume, holdout)
    options = {"normalize": normalize, "clip": clip, "top": top, "brief": brief}

    def scanned(settle: bool) -> Report:
        data = open_data(
            source,
            label=label,
            prediction=prediction,
            sample_weight=sample_weight,
            progress=progress,
            keys={"group": group, "cluster": cluster},
            settle=settle,
            skip=on_bad_file == "skip",
            engine=engine_of(engine, workers),
        )
        kept = None if state is None else Checkpoint(state, resume, unit, settle, on_bad_file == "skip")
        return judged(data, kind, task, classes, unit, holdout, options, kept, memory_limit(max_memory))

    try:
        return settling(scanned)
    except SourceError as error:
        if error.one_of_several and on_bad_file == "stop":
            error.add_note('To leave out files that cannot be read, pass --on-bad-file skip (on_bad_file="skip").')
        raise


def _refuse_together(on_bad_file: str, state: Any, resume: bool, holdout: bool) -> None:
    if on_bad_file not in ("stop", "skip"):
        raise OptionError(f"on_bad_file is {on_bad_file!r}, but must be 'stop' or 'skip'.")
    if resume and state is None:
        raise OptionError("resume=True (--resume) goes on from a state file: name it with state= (--state).")
    if holdout and state is not None:
        raise OptionError(
            "state= (--state) keeps all rows and holdout=True (--holdout) reports on half of them: pass one of them."
        )


def judged(
    data: Reducible,
    kind: str,
    task: str,
    classes: Sequence[Label] | None,
    unit: str | None,
    holdout: bool,
    options: dict[str, Any],
    checkpoint: Checkpoint | None = None,
    max_memory: int = sys.maxsize,
) -> Report:
    """The report on a data set, wherever it is."""
    if holdout and options["brief"]:
        raise OptionError(
            "holdout=True (--holdout) tries cures, which brief=True (--brief) leaves out: pass one of them."
        )
    plan, order, notes, warnings = prepare(data, kind, task, classes, options)
    reduce = partial(data.reduce, order=order)
    fitted = None
    if holdout:
        fit_on = partial(reduce, half=True)
        reduce = partial(reduce, half=False)
        half = fit_on(Total(plan))
        fitted = ladder_of(plan, half, Look(plan, fit_on, max_memory))
        notes += (sentence("note.holdout", rows=half.rows),)
    with ClusterStore(max_memory) as clusters:
        sums = reduce(Total(plan), checkpoint=checkpoint, clusters=clusters if checkpoint is None else None)
        sums = replace(sums, skipped=data.skipped)
        unsaved = None if checkpoint is None else checkpoint.write(sums, finished=True)
        if sums.rows == 0 and data.weighted:
            raise WeightError(
                "sample_weight is 0 in every row: nothing is left to score. Give some rows a weight above 0."
            )
        report = summarise(plan, sums, unit, notes, warnings, Look(plan, reduce, max_memory), fitted)
    if unsaved is not None:
        error = UnsavedError(str(unsaved))
        error.report = report
        raise error from unsaved
    return report
