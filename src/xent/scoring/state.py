"""The state of a scoring: sums over the rows seen so far, which merge exactly with any other rows' sums."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from xent.checks.predictions import Place, weights
from xent.errors import OptionError, ShapeError, StateError
from xent.kernels.choice import threads_pay
from xent.report.model import Report
from xent.scoring.chunks import MOST_ROWS, Chunk, score
from xent.scoring.inputs import as_labels, as_predictions, as_weights, prediction_slices, rows_of, slice_of
from xent.scoring.labels import Vocabulary, as_targets
from xent.scoring.parallel import available_cpus, ordered_map
from xent.scoring.plan import Kind, Label, Plan, Task, plain
from xent.scoring.summary import summarise
from xent.scoring.sums import Sums

__all__ = ["FORMAT", "VERSION", "Rows", "State", "total"]

FORMAT = "xent-state"
VERSION = 1


class State:
    """Sums over predictions, fed batch by batch; two states add up to the state of all their rows.

    The same rows give the same state, bit for bit, in any split, any order and on any number of threads. Nothing in it
    grows with the number of rows.

    Args:
        classes: every label, in the order of the prediction columns; for a single column (the other class, the class
            it speaks of). None: a blank state, neutral under addition, which takes classes 0 … K−1 from its first
            batch.
        task: "binary", "multiclass" or "multilabel"; None: "binary" for two classes, else "multiclass".
        kind: "probabilities", "logits" or "log_probabilities".
        normalize: divide each row by its sum; counted in the report.
        clip: clip probabilities to [clip, 1 − clip]; counted in the report.
        top: how many of the worst rows to keep.
        unit: of the report, "nats" (None) or "bits".

    Raises:
        OptionError: an option outside its values.

    Example:
        >>> from xent import State
        >>> day, night = State([0, 1]), State([0, 1])
        >>> day.update([1, 0], [0.8, 0.1]).rows
        2
        >>> night.update([1], [0.6]).rows
        1
        >>> float(round((day + night).report().loss, 4))
        0.2798
    """

    def __init__(
        self,
        classes: Sequence[Label] | None = None,
        *,
        task: Task | None = None,
        kind: Kind = "probabilities",
        normalize: bool = False,
        clip: float | None = None,
        top: int = 10,
        unit: str | None = None,
    ) -> None:
        self._options: dict[str, Any] = {"kind": kind, "normalize": normalize, "clip": clip, "top": top}
        self._task = task
        self.unit = unit
        self.plan: Plan | None = None
        self.sums = Sums(top=top)
        if classes is not None:
            self.plan = self._plan(tuple(plain(label) for label in classes))

    @classmethod
    def of(cls, plan: Plan, sums: Sums | None = None, unit: str | None = None) -> "State":
        """A state with a plan that was made elsewhere."""
        state = cls(kind=plan.kind, normalize=plan.normalize, clip=plan.clip, top=plan.top, task=plan.task, unit=unit)
        state.plan = plan
        state.sums = sums or Sums(top=plan.top)
        return state

    def _plan(self, classes: tuple[Label, ...]) -> Plan:
        return Plan(classes, task=self._task or ("binary" if len(classes) == 2 else "multiclass"), **self._options)

    @property
    def rows(self) -> int:
        """How many rows (of a weight above 0) are in it."""
        return self.sums.rows

    def update(
        self,
        labels: Any,
        predictions: Any,
        *,
        sample_weight: Any = None,
        first_row: int | None = None,
        source: str | None = None,
    ) -> "State":
        """Add a batch; on an error the state stays as it was.

        Args:
            labels: (rows,) classes, or (rows, classes) soft, one-hot or several labels.
            predictions: (rows, classes), or (rows,) for two classes; a table's columns in the order of the classes.
            sample_weight: (rows,), 0 or more; None weighs all rows 1.
            first_row: the number of the batch's first row, to name the worst rows by; None leaves them without.
            source: the file that the rows are from.

        Returns:
            The state itself.

        Raises:
            ProbabilityError, LabelError, WeightError, ShapeError, ArgumentTypeError: naming the first row at fault.
        """
        labels, predictions = as_labels(labels), as_predictions(predictions)
        rows = rows_of(predictions)
        if rows_of(labels) != rows:
            raise ShapeError(f"labels has {rows_of(labels):,} rows and predictions {rows:,}; pass one label a row.")
        sample_weight = as_weights(sample_weight, rows)
        place = Place(source or "", first_row or 0)
        plan = self.plan or self._plan(tuple(range(_class_count(predictions))))
        batches = (
            (
                values,
                slice_of(labels, start, start + MOST_ROWS),
                None if sample_weight is None else sample_weight[start : start + MOST_ROWS],
                place._replace(first_row=place.first_row + start),
            )
            for start, values in prediction_slices(predictions, None, MOST_ROWS)
        )
        self.sums = self.sums + total(plan, batches, numbered=first_row is not None)
        self.plan = plan
        return self

    def __add__(self, other: "State") -> "State":
        """The state of both sets of rows.

        Raises:
            StateError: they were made with different classes or options.
        """
        if not isinstance(other, State):
            return NotImplemented
        if self.plan is not None and other.plan is not None and self.plan != other.plan:
            mine, theirs = self.plan.to_dict(), other.plan.to_dict()
            different = ", ".join(f"{k} {mine[k]!r} and {theirs[k]!r}" for k in mine if mine[k] != theirs[k])
            raise StateError(f"these states do not fit together: {different}. Score both with the same options.")
        plan = self.plan or other.plan
        if plan is None:
            return self
        return State.of(plan, self.sums + other.sums, self.unit or other.unit)

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same sums, bit for bit, of the same classes and options."""
        return isinstance(other, State) and self.plan == other.plan and self.sums == other.sums

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Classes and rows."""
        classes = "no classes yet" if self.plan is None else f"{len(self.plan.classes)} classes, {self.plan.task}"
        return f"State({classes}, {self.rows:,} rows)"

    def report(self, *, unit: str | None = None, notes: tuple[str, ...] = (), warnings: tuple[str, ...] = ()) -> Report:
        """What the rows so far say.

        Raises:
            ShapeError: there are none.
        """
        if self.plan is None:
            raise ShapeError("there are no rows to report on. Call update with at least one row first.")
        return summarise(self.plan, self.sums, self.unit if unit is None else unit, notes, warnings)

    def to_json(self) -> str:
        """The state as text; `from_json` gives an equal state."""
        plan = None if self.plan is None else self.plan.to_dict()
        return json.dumps(
            {"format": FORMAT, "version": VERSION, "unit": self.unit, "plan": plan, "sums": self.sums.to_dict()}
        )

    @classmethod
    def from_json(cls, text: str) -> "State":
        """The state that `to_json` wrote.

        Raises:
            StateError: the text is no state of this version.
        """
        try:
            data = json.loads(text)
            if data["format"] != FORMAT or data["version"] != VERSION:
                raise StateError(f"this is {data['format']} version {data['version']}; {FORMAT} {VERSION} is needed.")
            sums = Sums.from_dict(data["sums"])
            if data["plan"] is None:
                return cls(unit=data["unit"])
            plan = Plan(**(data["plan"] | {"classes": tuple(data["plan"]["classes"])}))
        except (ValueError, KeyError, TypeError, OptionError) as error:
            if isinstance(error, StateError):
                raise
            raise StateError(f"the text is not a state that xent wrote: {error!r}.") from error
        return cls.of(plan, sums, data["unit"])


def _class_count(predictions: Any) -> int:
    if hasattr(predictions, "num_columns"):
        return max(2, int(predictions.num_columns))
    return 2 if predictions.ndim == 1 else int(predictions.shape[1])


# predictions (or what makes them, in the thread that scores them), labels, weights, where they are from
Rows = tuple[Any, Any, Any, Place]


def total(plan: Plan, batches: Iterable[Rows], *, numbered: bool, workers: int | None = None) -> Sums:
    """The sums over batches of up to MOST_ROWS rows, scored side by side."""
    vocabulary = Vocabulary(plan.classes)
    if workers is None:
        workers = available_cpus() if threads_pay() else 1
    sums = Sums(top=plan.top)

    def scored(rows: Rows) -> Sums:
        # rows below the worst of the batches before are not worth collecting
        floor = sums.worst[-1][0] if plan.top and len(sums.worst) == plan.top else 0.0
        return score(plan, _chunk(plan, vocabulary, rows)._replace(numbered=numbered, floor=floor))

    for part in ordered_map(scored, batches, workers):
        sums = sums + part
    return sums


def _chunk(plan: Plan, vocabulary: Vocabulary, rows: Rows) -> Chunk:
    predictions, labels, sample_weight, place = rows
    if callable(predictions):
        predictions = predictions()
    columns = 1 if predictions.ndim == 1 else predictions.shape[1]
    if columns != len(plan.classes) and not (columns == 1 and len(plan.classes) == 2 and plan.task != "multilabel"):
        raise ShapeError(
            f"predictions have {columns} columns, but there are {len(plan.classes)} classes; pass one column a class."
        )
    if sample_weight is not None:
        weights(sample_weight, place)
    if getattr(labels, "ndim", 1) == 2 or plan.task == "multilabel":
        if columns == 1 and predictions.ndim == 1:
            predictions, labels = predictions[:, None], labels.reshape(len(labels), -1)
            if plan.task != "multilabel":
                raise ShapeError("soft labels need one prediction column a class: pass np.stack([1 - p, p], axis=1).")
        if labels.ndim != 2:
            raise ShapeError(f"labels has shape {labels.shape}, but several labels a row need (rows, labels).")
        coded: Any = as_targets(labels, columns, plan.task != "multilabel", place)
    else:
        coded = vocabulary.codes(labels, place)
    return Chunk(predictions, coded, sample_weight, place)
