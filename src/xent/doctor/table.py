"""The costs of each label in each column, summed as the rows come: what permutations, leaks and the loss are told from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.checks.predictions import Place
from xent.doctor.findings import Places
from xent.scoring.confusion_costs import CAP, grouped

__all__ = ["CERTAIN", "MOST_COLUMNS", "NEVER", "CostTable"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
MOST_COLUMNS = 256
MOST_LABELS = 1024
CERTAIN = 1e-6  # nats: less than where Keras clips, more than any honest model costs in every row
NEVER = np.iinfo(np.int64).max


class CostTable:
    """Sums over rows by label (as a `LabelBook` numbers them) and column of costs: (labels, columns) each."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.complete = columns <= MOST_COLUMNS  # whether every row is in it
        self.rows: Any = np.zeros(0, np.int64)  # by label
        self.weight = np.zeros(0)
        self.places = Places()
        names = (
            "sums",
            "squares",
            "exact",
            "infinite",
            "certain",
            "before",
            "before_squares",
            "after",
            "after_squares",
        )
        self.tables = {name: np.zeros((0, columns)) for name in names}
        self.first_infinite = np.zeros((0, columns), np.int64)  # the first row of infinite cost
        self._last: tuple[Int64, Float64] = (np.zeros(0, np.int64), np.zeros((0, columns)))

    def add(self, codes: Int64, costs: Float64, weights: Float64 | None, place: Place) -> None:
        """Add rows: `codes` (rows,), −1 for no label; `costs` (rows, columns), NaN where they are unknown."""
        start = self.places.rows
        self.places.add(place, len(codes))
        self.complete &= int(codes.max(initial=-1)) < MOST_LABELS
        if not self.complete:
            return
        self._grow(int(codes.max(initial=-1)) + 1)
        used = (codes >= 0) & ~np.isnan(costs).any(axis=1)
        capped = np.minimum(costs, CAP)
        self._add(codes[used], costs[used], capped[used], None if weights is None else weights[used])
        infinite = np.isinf(costs) & used[:, None]
        if infinite.any():
            rows, columns = np.nonzero(infinite)
            np.minimum.at(self.first_infinite, (codes[rows], columns), rows + start)
        self._add_neighbours(np.where(used, codes, -1), capped)

    def _add(self, codes: Int64, costs: Float64, capped: Float64, weights: Float64 | None) -> None:
        size = len(self.rows)
        counts = np.bincount(codes, minlength=size)
        self.rows += counts
        for name, values in (
            ("sums", capped),
            ("squares", capped * capped),
            ("infinite", np.isinf(costs)),
            ("certain", costs <= CERTAIN),
        ):
            self.tables[name] += grouped(codes, values, size)
        if weights is not None:
            some = weights > 0.0
            codes, costs, weights = codes[some], costs[some], weights[some]
            self.weight += np.bincount(codes, weights=weights, minlength=size)
            costs = costs * weights[:, None]
        else:
            self.weight += counts
        self.tables["exact"] += grouped(codes, costs, size)

    def _add_neighbours(self, codes: Int64, capped: Float64) -> None:
        """Labels with the predictions of the row before, and of the row after."""
        codes, capped = np.concatenate([self._last[0], codes]), np.concatenate([self._last[1], capped])
        self._last = codes[-1:].copy(), capped[-1:].copy()
        for name, label, cost in (("before", codes[1:], capped[:-1]), ("after", codes[:-1], capped[1:])):
            both = (codes[1:] >= 0) & (codes[:-1] >= 0)
            self.tables[name] += grouped(label[both], cost[both], len(self.rows))
            self.tables[f"{name}_squares"] += grouped(label[both], cost[both] ** 2, len(self.rows))

    def add_sums(self, rows: Float64, place: Place, count: int, **sums: Float64) -> None:
        """Add sums that were made elsewhere: `rows` (labels,), and tables (labels, columns) by name."""
        self.places.add(place, count)
        self._grow(len(rows))
        self.rows = self.rows + rows
        for name, values in sums.items():
            self.tables[name] += values

    def _grow(self, labels: int) -> None:
        more = labels - len(self.rows)
        if more <= 0:
            return
        self.rows = np.pad(self.rows, (0, more))
        self.weight = np.pad(self.weight, (0, more))
        self.tables = {name: np.pad(table, ((0, more), (0, 0))) for name, table in self.tables.items()}
        self.first_infinite = np.pad(self.first_infinite, ((0, more), (0, 0)), constant_values=NEVER)

    def of(self, name: str, columns: Int64) -> Any:
        """A table's entry of each label (labels,) in its column; 0 where that is −1."""
        rows = np.arange(len(columns))
        return np.where(columns >= 0, self.tables[name][rows, np.maximum(columns, 0)], 0.0)
