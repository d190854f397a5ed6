"""A running cross-entropy for training and validation loops, called as the classes of torchmetrics are."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from xent import units
from xent.errors import ArgumentTypeError, OptionError, ShapeError, StateError, XentError
from xent.report.model import Report
from xent.scoring.plan import Kind, Label, Task, listed
from xent.scoring.state import State
from xent.scoring.sums import Sums
from xent.scoring.uncertainty import MeanSums, mean_of_sums
from xent.torch.targets import in_torchs_words

__all__ = ["Metric"]


class Metric:
    """The mean cross-entropy over all batches of all processes, exact: no split of the rows changes a bit.

    It holds an `xent.State`: nothing on a device, no gradients, and nothing that grows with the rows. A batch is copied
    to the host once and summed there. With `torch.distributed`, every process feeds its own rows; `compute`, `report`
    and `sync` bring the sums together and have to be called by all processes alike.

    Args:
        classes: a name for each column of preds, for the report; None names them 0 … K−1.
        task: "binary", "multiclass" or "multilabel"; None: "binary" for two classes, else "multiclass".
        kind: "logits", "probabilities" or "log_probabilities".
        ignore_index: rows with this target are skipped.
        normalize, clip, top, brief, unit: as in `xent.State`.
        process_group: the processes that share the rows; None for all.

    Raises:
        OptionError: an option outside its values.

    Example:
        >>> import torch, xent.torch
        >>> nats = xent.torch.Metric(["cat", "dog", "owl"])
        >>> nats.update(torch.tensor([[2.0, 0.0, 0.0], [0.0, 20.0, 0.0]]), torch.tensor([0, 1]))
        >>> nats.update(torch.tensor([[0.0, 0.0, 3.0]], dtype=torch.bfloat16), torch.tensor([2]))
        >>> nats.compute().item() == nats.report().loss
        True
        >>> print(f"{nats.compute():.6f}")
        0.111489
    """

    def __init__(
        self,
        classes: Sequence[Label] | None = None,
        *,
        task: Task | None = None,
        kind: Kind = "logits",
        ignore_index: int | None = None,
        normalize: bool = False,
        clip: float | None = None,
        top: int = 10,
        brief: bool = False,
        unit: str | None = None,
        process_group: Any = None,
    ) -> None:
        self._options: dict[str, Any] = {
            "task": task,
            "kind": kind,
            "normalize": normalize,
            "clip": clip,
            "top": top,
            "brief": brief,
            "unit": unit,
        }
        self._names = None if classes is None else listed(classes)
        State(self._names, **self._options)  # refuses what is no name
        self._ignore_index = ignore_index
        self._process_group = process_group
        self.reset()

    def reset(self) -> None:
        """Forget all rows."""
        # Targets are positions of columns, so positions are what is summed; names come in when it is shown.
        self._sums = State(None if self._names is None else range(len(self._names)), **self._options)

    def update(self, preds: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> None:
        """Add a batch; on an error nothing is added. A batch without rows adds nothing.

        Args:
            preds: (rows, classes), or (rows, classes, …) with classes on axis 1; (rows,) for the second of two classes.
                Of any floating dtype, on any device.
            target: the shape of preds without classes: the position of each row's class. Or the shape of preds: weights
                over the classes, or which of several labels apply.
            sample_weight: the shape of preds without classes, 0 or more.

        Raises:
            ProbabilityError, LabelError, WeightError, ShapeError, ArgumentTypeError: naming the first row at fault.
        """
        self._feed(self._sums, preds, target, sample_weight)

    def __call__(self, preds: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Add a batch, and return this batch's own mean loss, () float64 on the host."""
        plan = self._sums.plan
        batch = State(**self._options) if plan is None else State.of(plan, Sums(top=plan.top), self._sums.unit)
        self._feed(batch, preds, target, sample_weight)
        self._sums = self._sums + batch
        return _mean(batch)

    def _feed(self, state: State, preds: Tensor, target: Tensor, weight: Tensor | None) -> None:
        preds, target, weight = _as_rows(preds, target, weight)
        if self._ignore_index is not None:
            preds, target, weight = _without(self._ignore_index, preds, target, weight)
        if preds.shape[:1] == target.shape[:1] == (0,):
            return
        try:
            state.update(target, preds, sample_weight=weight)
        except XentError as error:
            raise in_torchs_words(error, predictions="preds") from None

    @property
    def state(self) -> State:
        """The rows of this process."""
        return self._named(self._sums)

    def sync(self) -> State:
        """The rows of all processes; this process's own where `torch.distributed` is not in use.

        Raises:
            StateError: the processes were given different classes or options.
        """
        return self._named(self._sums.all_reduce(self._process_group))

    def compute(self) -> Tensor:
        """The mean loss over all processes, () float64 on the host, in `unit`; inf if a target was given probability 0.

        NaN if there are no rows.
        """
        return _mean(self.sync())

    def report(self) -> Report:
        """What the rows of all processes say.

        Raises:
            ShapeError: there are none.
        """
        return self.sync().report()

    def __add__(self, other: "Metric") -> "Metric":
        """A new one with the rows of both (of this process).

        Raises:
            StateError: they were made with different classes or options.
        """
        if not isinstance(other, Metric):
            return NotImplemented
        if self._names != other._names:
            raise StateError(f"these do not fit together: classes are {self._names} and {other._names}.")
        both = Metric(self._names, ignore_index=self._ignore_index, process_group=self._process_group, **self._options)
        both._sums = self._sums + other._sums
        return both

    def state_dict(self) -> dict[str, str]:
        """The rows of this process as text, for a checkpoint; exact."""
        return {"state": self._sums.to_json()}

    def load_state_dict(self, state_dict: dict[str, str]) -> None:
        """Take up what `state_dict` gave, in place of the rows so far.

        Raises:
            StateError: it was made with other classes or options, or is damaged.
        """
        before = self._sums
        self.reset()
        try:
            self._sums = self._sums + State.from_json(state_dict["state"])
        except XentError:
            self._sums = before
            raise

    def __repr__(self) -> str:
        """What it holds."""
        return f"Metric({self.state!r})"

    def _named(self, state: State) -> State:
        if self._names is None or state.plan is None:
            return state
        return State.of(replace(state.plan, classes=self._names), state.sums, state.unit)


def _mean(state: State) -> Tensor:
    if not state.rows:
        return torch.tensor(torch.nan, dtype=torch.float64)
    base = units.unit_base("nats" if state.unit is None else state.unit)
    return torch.tensor(float(units.from_nats(mean_of_sums(MeanSums.of(state.sums)).loss, base)), dtype=torch.float64)


def _as_rows(preds: Tensor, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """On the host, classes on the last axis, all other axes as one: the only place that waits for a device."""
    for name, value in (("preds", preds), ("target", target), ("sample_weight", weight)):
        if not (isinstance(value, Tensor) or (value is None and name == "sample_weight")):
            raise ArgumentTypeError(
                f"{name} is a {type(value).__name__}, but must be a tensor. xent.State takes arrays and lists."
            )
    preds, target = preds.detach().to("cpu"), target.detach().to("cpu")
    weight = None if weight is None else weight.detach().to("cpu")
    if preds.ndim < 3:
        return preds, target, weight
    shape, rows = tuple(preds.shape), (preds.shape[0], *preds.shape[2:])  # the latter without classes
    if target.shape not in (shape, rows):
        raise ShapeError(
            f"target has shape {tuple(target.shape)}, but preds has shape {shape} with {shape[1]} classes on axis 1, so target "
            f"must be {rows}, or {shape}.\nIf the classes are on the last axis, pass preds.movedim(-1, 1)."
        )
    if weight is not None and weight.shape != rows:
        raise ShapeError(
            f"sample_weight has shape {tuple(weight.shape)}, but must be {rows}: one for each row of preds."
        )
    target = target.movedim(1, -1).reshape(-1, shape[1]) if target.shape == shape else target.reshape(-1)
    return preds.movedim(1, -1).reshape(-1, shape[1]), target, None if weight is None else weight.reshape(-1)


def _without(
    ignored: int, preds: Tensor, target: Tensor, weight: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Without the rows to skip; where shapes do not fit nothing is skipped, and the state says so."""
    if target.ndim != 1:
        raise OptionError(
            f"ignore_index is {ignored}, but target has shape {tuple(target.shape)}: weights over the classes, or labels.\n"
            "Leave it out and give rows to skip a sample_weight of 0, or pass one class a row."
        )
    kept = target != ignored
    if len(preds) != len(target) or (weight is not None and weight.shape != target.shape) or bool(kept.all()):
        return preds, target, weight
    return preds[kept], target[kept], None if weight is None else weight[kept]
