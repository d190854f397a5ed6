"""The worst rows of a chunk: a few candidates a block, named only at the end."""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.scoring.plan import Plan
from xent.scoring.sums import Worst, merge_worst

__all__ = ["MANY", "WorstRows", "border"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


MANY = 1 << 12  # rows whose worst tell which of the others are worth a look
HELD = 8  # times as many rows as are kept, before they are sifted


class WorstRows:
    """Collects the rows of largest nats of one chunk.

    Equal rows are kept in the order of their numbers; where they have none, of their labels and predictions, so that
    the order they came in does not show.

    Args:
        top: how many to keep.
        numbered: whether rows have numbers.
        floor: rows of fewer nats are known not to be among the worst.
    """

    def __init__(self, top: int, numbered: bool, floor: float = 0.0) -> None:
        self.top = top
        self.numbered = numbered
        self.floor = np.nextafter(floor, -1.0)
        self.found: list[tuple[Float64, Int64]] = []  # nats and rows
        self.held = 0

    def add(self, nats: Float64, weights: Float64 | None, start: int, kernels: ModuleType) -> None:
        """Look at rows `start` … of the chunk; those of weight 0 do not count."""
        if self.top == 0:
            return
        floor = self.floor
        if weights is None and len(nats) > MANY > self.top and self.floor < 0.0:  # most rows need not even be looked up
            floor = max(floor, np.nextafter(np.partition(nats[:MANY], -self.top)[-self.top], -1.0))
        rows: Int64 = kernels.rows_above(nats, floor)
        rows = rows if weights is None else rows[weights[rows] > 0.0]
        self.consider(nats[rows], rows + start)

    def consider(self, nats: Float64, rows: Int64) -> None:
        """Look at some rows, in their order; all others of the block have no more nats than the floor."""
        if not len(rows) or self.top == 0:
            return
        if len(rows) > self.top:
            cut = np.partition(nats, -self.top)[-self.top]
            kept = np.flatnonzero(nats > cut)
            equal = np.flatnonzero(nats == cut)
            kept = np.concatenate([kept, equal[: self.top] if self.numbered else equal])
            nats, rows = nats[kept], rows[kept]
        self.found.append((nats, rows))
        self.held += len(rows)
        if len(self.found) == 1 or self.held > HELD * self.top:
            self._keep_the_worst()

    def _keep_the_worst(self) -> None:
        nats, rows = (np.concatenate(parts) for parts in zip(*self.found, strict=True))
        if len(nats) >= self.top:
            cut = np.partition(nats, -self.top)[-self.top]
            kept = nats >= cut
            nats, rows = nats[kept], rows[kept]
            # an equal row of a later block comes too late if rows are numbered, else it may still sort first
            self.floor = cut if self.numbered else np.nextafter(cut, -1.0)
        self.found, self.held = [(nats, rows)], len(nats)

    def named(self, plan: Plan, chunk: Any) -> tuple[Worst, ...]:
        """The worst rows with their source, number, label and prediction."""
        if not self.found:
            return ()
        if len(self.found) > 1:
            self._keep_the_worst()
        ((nats, rows),) = self.found
        order = np.lexsort((rows, -nats))
        if self.numbered:
            order = order[: self.top]
        nats, rows = nats[order], rows[order]
        labels, predicted = _labels(plan, chunk.labels[rows]), _predicted(plan, np.asarray(chunk.predictions[rows]))
        numbers = rows + chunk.place.first_row if self.numbered else np.full(len(rows), -1)
        source = chunk.place.source
        found = zip(nats.tolist(), numbers.tolist(), labels, predicted, strict=True)
        return merge_worst(tuple((x, source, row, label, guess) for x, row, label, guess in found), self.top)


def border(plan: Plan) -> float:
    """The prediction above which a class is the likelier of two."""
    return {"probabilities": 0.5, "logits": 0.0, "log_probabilities": -float(np.log(2.0))}[plan.kind]


def _labels(plan: Plan, labels: NDArray[Any]) -> list[Any]:
    if plan.task == "multilabel":
        return [tuple(np.flatnonzero(row > 0.5).tolist()) for row in labels]
    return (labels if labels.ndim == 1 else labels.argmax(axis=1)).tolist()  # type: ignore[no-any-return]


def _predicted(plan: Plan, predictions: NDArray[Any]) -> list[Any]:
    if plan.task == "multilabel":
        return [tuple(np.flatnonzero(row > border(plan)).tolist()) for row in predictions]
    if predictions.ndim == 1:
        return [int(p > border(plan)) for p in predictions.tolist()]
    return predictions.argmax(axis=1).tolist()  # type: ignore[no-any-return]
