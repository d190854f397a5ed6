"""What a comparison needs of its rows: exact sums by model, by pair of models, and by slice, which add up part by part."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.scoring.compare_clusters import ClusterDraws
from xent.scoring.moments import Moments, sum_draws, sum_rows
from xent.scoring.pairing import Paired

__all__ = ["ComparisonSums", "Tally"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Tally(NamedTuple):
    """Rows of a model, or of a pair of models, and the sums over those whose losses are finite."""

    rows: int = 0
    infinite_first: int = 0
    infinite_second: int = 0
    wins_first: int = 0  # rows that cost the first less
    wins_second: int = 0
    moments: Moments = Moments()

    def plus(self, other: "Tally") -> "Tally":
        """The sums over both."""
        return Tally(
            self.rows + other.rows,
            self.infinite_first + other.infinite_first,
            self.infinite_second + other.infinite_second,
            self.wins_first + other.wins_first,
            self.wins_second + other.wins_second,
            self.moments.plus(other.moments),
        )


class ComparisonSums:
    """Sums over paired rows.

    Args:
        couples: the pairs of models, by their places.
        class_slices, group_slices: (codes,) which slice each class, or group, is in; None where there are none.
        clusters: sums the clusters, where rows come in some; what is drawn is then a cluster, else a row.
        keep: whether draws of slices are kept where they are few.
    """

    def __init__(
        self,
        models: int,
        couples: Sequence[tuple[int, int]],
        class_slices: Int64 | None,
        group_slices: Int64 | None,
        clusters: ClusterDraws | None,
        keep: bool,
    ) -> None:
        self.couples = couples
        self.class_slices, self.group_slices = class_slices, group_slices
        self.clusters = clusters
        self.keep = keep
        self.models = [Tally() for _ in range(models)]
        self.pairs = [Tally() for _ in couples]
        self.by_class: list[dict[int, Tally]] = [{} for _ in couples]
        self.by_group: list[dict[int, Tally]] = [{} for _ in couples]

    def add(self, paired: Paired) -> None:
        """Add rows."""
        draws = self.clusters is None
        whole = np.zeros(len(paired.nats[0]), np.int64)
        for i, nats in enumerate(paired.nats):
            self.models[i] = self.models[i].plus(_tallies(nats, None, paired.weights, whole, 1, draws)[0])
        for i, (one, other) in enumerate(self.couples):
            first, second = paired.nats[one], paired.nats[other]
            self.pairs[i] = self.pairs[i].plus(_tallies(first, second, paired.weights, whole, 1, draws)[0])
            for found, codes, slices in (
                (self.by_class[i], paired.truth, self.class_slices),
                (self.by_group[i], paired.groups, self.group_slices),
            ):
                if codes is not None and slices is not None:
                    count = int(slices.max()) + 1
                    _add(found, _tallies(first, second, paired.weights, slices[codes], count, draws, self.keep))

    def finish(self) -> None:
        """Add what is drawn, where that is clusters: all rows must have been added."""
        if self.clusters is None:
            return
        for draws in self.clusters.draws():
            target = (self.models, self.pairs)[draws.family] if draws.family < 2 else None
            if target is not None:
                tally = target[draws.quantity]
                target[draws.quantity] = tally._replace(moments=tally.moments.plus(draws.moments[0]))
                continue
            found = (self.by_class, self.by_group)[draws.family - 2][draws.quantity]
            _add(found, {code: Tally(moments=moments) for code, moments in draws.moments.items()})


def _add(found: dict[int, Tally], more: dict[int, Tally]) -> None:
    for code, tally in more.items():
        found[code] = found[code].plus(tally) if code in found else tally


def _tallies(
    first: Float64,
    second: Float64 | None,
    weights: Float64 | None,
    codes: Int64,
    count: int,
    draws: bool,
    keep: bool = True,
) -> dict[int, Tally]:
    """By code (rows,) below `count`, of first − second, or of the first alone."""
    rows = np.bincount(codes, minlength=count)
    infinite = np.isinf(first), np.zeros(len(first), np.bool_) if second is None else np.isinf(second)
    flags = [*infinite]
    if second is not None:
        flags += [first < second, second < first]
    counts = [np.bincount(codes[flag], minlength=count) if flag.any() else np.zeros(count, int) for flag in flags]
    counts += [np.zeros(count, int)] * (4 - len(counts))
    left_out = infinite[0] | infinite[1]
    if left_out.any():
        kept = ~left_out
        first, second, codes = first[kept], None if second is None else second[kept], codes[kept]
        weights = None if weights is None else weights[kept]
    values = first if second is None else first - second
    moments = sum_rows(values, weights, codes, count)
    if draws:
        totals = values if weights is None else weights * values
        for code, more in sum_draws(totals, weights, codes, count, keep).items():
            moments[code] = moments[code].plus(more)
    columns = [rows, *counts]
    found = {}
    for code in np.flatnonzero(rows).tolist():
        total, one, other, wins, losses = (int(column[code]) for column in columns)
        found[code] = Tally(total, one, other, wins, losses, moments.get(code, Moments()))
    return found
