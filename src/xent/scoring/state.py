"""The state of a scoring: sums over the rows seen so far, which merge exactly with any other rows' sums."""

import hashlib
import json
import operator
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from xent.checks.predictions import Place
from xent.errors import ArgumentTypeError, OptionError, ShapeError, StateError
from xent.report.model import Report
from xent.scoring.chunks import MOST_ROWS
from xent.scoring.classes import asking_for_classes
from xent.scoring.frame import Frame, gathered, keys_of, same_keys
from xent.scoring.inputs import as_keys, as_labels, as_predictions, as_weights, common_rows, row_slices
from xent.scoring.plan import Kind, Label, Plan, Task, listed
from xent.scoring.processes import all_reduced
from xent.scoring.summary import summarise
from xent.scoring.sums import Sums
from xent.scoring.totals import class_count, columns_of, total
from xent.units import unit_base

__all__ = ["FORMAT", "VERSION", "State", "parts_of"]

FORMAT = "xent-state"
VERSION = 6
_ADDING = threading.Lock()  # one for all states: it is held for microseconds, and a state so can be pickled


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
        brief: leave out what the loss is made of: a smaller state, and faster.
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
        brief: bool = False,
        unit: str | None = None,
    ) -> None:
        self._options: dict[str, Any] = {
            "kind": kind,
            "normalize": normalize,
            "clip": clip,
            "top": top,
            "brief": brief,
        }
        self._task = task
        self.unit = unit
        self.plan: Plan | None = None
        self.sums = Sums(top=top)
        if unit is not None:
            unit_base(unit)
        if classes is not None:
            self.plan = self._plan(listed(classes))

    @classmethod
    def of(cls, plan: Plan, sums: Sums, unit: str | None = None) -> "State":
        """A state of sums that were made elsewhere."""
        options = {name: getattr(plan, name) for name in ("kind", "task", "normalize", "clip", "top", "brief")}
        state = cls(**options, unit=unit)
        state.plan = plan
        state.sums = sums
        return state

    def _plan(self, classes: tuple[Label, ...]) -> Plan:
        return Plan(classes, task=self._task or ("binary" if len(classes) == 2 else "multiclass"), **self._options)

    def _frame(self) -> Frame:
        return Frame(self.plan, self._task, self._options, self.unit, keys_of(self.sums))

    @classmethod
    def _framed(cls, frame: Frame, sums: Sums) -> "State":
        if frame.plan is not None:
            return cls.of(frame.plan, sums, frame.unit)
        return cls(task=frame.task, unit=frame.unit, **frame.options)

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
        group: Any = None,
        cluster: Any = None,
        first_row: int | None = None,
        source: str | None = None,
    ) -> "State":
        """Add a batch; on an error the state stays as it was.

        Args:
            labels: (rows,) classes, or (rows, classes) soft, one-hot or several labels.
            predictions: (rows, classes), or (rows,) for two classes; a table's columns are matched to the classes by name.
            sample_weight: (rows,), 0 or more; None weighs all rows 1.
            group, cluster: (rows,), as in `evaluate`; in every batch or in none.
            first_row: the number of the batch's first row, to name the worst rows by; None leaves them without.
            source: the file that the rows are from.

        Returns:
            The state itself.

        Raises:
            ProbabilityError, LabelError, WeightError, ShapeError, ArgumentTypeError: naming the first row at fault.
        """
        labels, predictions = as_labels(labels), as_predictions(predictions)
        rows = common_rows(labels, predictions)
        sample_weight = as_weights(sample_weight, rows)
        given = (("group", group), ("cluster", cluster))
        keys = {name: as_keys(name, values, rows) for name, values in given if values is not None}
        place = Place("" if source is None else os.fspath(source), 0 if first_row is None else _row_number(first_row))
        plan = self.plan or self._plan(tuple(range(class_count(predictions))))
        columns = columns_of(plan, predictions)
        batches = row_slices(labels, predictions, sample_weight, columns, MOST_ROWS, place, keys)
        with asking_for_classes(self.plan is None):
            found = total(plan, batches, numbered=first_row is not None)
        with _ADDING:
            same_keys(keys_of(self.sums), keys_of(found))
            self.sums = self.sums + found
            self.plan = plan
        return self

    def __add__(self, other: "State") -> "State":
        """The state of both sets of rows.

        Raises:
            StateError: they were made with different classes, options or units.
        """
        if not isinstance(other, State):
            return NotImplemented
        return State._framed(self._frame().joined(other._frame()), self.sums + other.sums)

    @classmethod
    def merge(cls, states: Iterable["State"], *, names: Sequence[str] | None = None) -> "State":
        """The state of the rows of all `states`: their sum, in the memory of one of them if they are made as they come.

        Args:
            states: one after the other.
            names: what messages call them; None calls them states[0], states[1], ….

        Raises:
            StateError: naming the first that does not fit those before it.

        Example:
            >>> from xent import State
            >>> days = (State([0, 1]).update([1, 0], [p, 0.1]) for p in (0.8, 0.7, 0.9))
            >>> State.merge(days).rows
            6
        """
        frame, sums = gathered(parts_of(states, names))
        return cls() if frame is None else cls._framed(frame, sums)

    def all_reduce(self, group: Any = None) -> "State":
        """The state of the rows of all processes of `torch.distributed`, the same bits in each; this one stays as it is.

        All processes of the group have to call it, also those without rows. Where `torch.distributed` is not in use, or
        the group is of this process alone, it is a copy.

        Args:
            group: the process group; None for all processes.

        Raises:
            StateError: in all processes alike, where the states do not fit together.
            OptionError: this process is not in the group.
            MissingPackageError: PyTorch is absent.
        """
        return State._framed(*all_reduced(self._frame(), self.sums, group))

    def __radd__(self, other: object) -> "State":
        """What `sum` of states begins with: 0 + state."""
        return self + State() if other == 0 else NotImplemented

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same sums, bit for bit, of the same classes and options."""
        if not isinstance(other, State):
            return NotImplemented
        blank = self.plan is None and (self._task, self._options) != (other._task, other._options)
        return self.plan == other.plan and self.sums == other.sums and not blank

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Classes and rows."""
        classes = "no classes yet" if self.plan is None else f"{len(self.plan.classes)} classes, {self.plan.task}"
        return f"State({classes}, {self.rows:,} rows)"

    def report(self, *, unit: str | None = None) -> Report:
        """What the rows so far say.

        Raises:
            ShapeError: there are none.
        """
        if self.plan is None:
            raise ShapeError("there are no rows to report on. Call update with at least one row first.")
        return summarise(self.plan, self.sums, self.unit if unit is None else unit)

    def to_json(self) -> str:
        """The state as text; `from_json` gives an equal state."""
        body = {
            "format": FORMAT,
            "version": VERSION,
            "unit": self.unit,
            "task": self._task if self.plan is None else self.plan.task,
            "options": self._options,
            "classes": None if self.plan is None else list(self.plan.classes),
            "sums": self.sums.to_dict(),
        }
        text = _canonical(body)
        return f'{text[:-1]}, "checksum": "{_checksum(text)}"}}'

    @classmethod
    def from_json(cls, text: str) -> "State":
        """The state that `to_json` wrote.

        Raises:
            StateError: the text is no state of this version, or was changed.
        """
        try:
            text = (text.decode() if isinstance(text, bytes) else text).rstrip()
            data = json.loads(text)
            checksum = data.pop("checksum")
            if data["format"] != FORMAT or data["version"] != VERSION:
                raise StateError(f"this is {data['format']} version {data['version']}; {FORMAT} {VERSION} is needed.")
            as_written = text.removesuffix(f', "checksum": "{checksum}"}}') + "}"
            if checksum != _checksum(as_written) and checksum != _checksum(_canonical(data)):
                raise StateError("the state was changed or damaged: its checksum does not fit. Write it again.")
            state = cls(data["classes"], task=data["task"], unit=data["unit"], **data["options"])
            state.sums = Sums.from_dict(data["sums"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, StateError):
                raise
            raise StateError(f"the text is not a state that xent wrote: {error!r}.") from error
        return state


def parts_of(states: Iterable[State], names: Sequence[str] | None) -> Iterator[tuple[str, Frame, Sums]]:
    """What messages call each of the states, its frame and its sums."""
    for i, state in enumerate(states):
        name = f"states[{i}]" if names is None else names[i]
        if not isinstance(state, State):
            raise ArgumentTypeError(f"{name} is a {type(state).__name__}, but must be a State.")
        yield name, state._frame(), state.sums


def _canonical(body: dict[str, Any]) -> str:
    return json.dumps(body, sort_keys=True)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _row_number(first_row: Any) -> int:
    try:
        number = operator.index(first_row)
    except TypeError as error:
        raise ArgumentTypeError(f"first_row is {first_row!r}, but must be a whole number.") from error
    if not 0 <= number < 1 << 62:
        raise OptionError(f"first_row is {number}, but must be 0 or more.")
    return number
