"""Sums of rows of one label and weight 1 as the kernels add them up, in arrays of integers, from chunk to chunk."""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.kernels import ladder_numpy as ladder
from xent.kernels import sums_numpy as spec
from xent.kernels import survey_numpy
from xent.kernels.temper_numpy import tempered
from xent.scoring import exact
from xent.scoring.memory import reused
from xent.scoring.outcomes import Outcomes
from xent.scoring.sums import Sums

__all__ = ["Apart", "Tally", "nonzero"]

Int64 = NDArray[np.int64]
Bools = NDArray[np.bool_]
MOST_ROWS = 1 << 22  # before the integers are emptied into exact sums, which is half of what they hold
FIXED_SHIFT = exact.UNIT_BITS - ladder.FIXED_BITS
NATS_SHIFT = exact.UNIT_BITS - 36
COST_SHIFT = exact.UNIT_BITS - survey_numpy.COST_BITS


class Apart(NamedTuple):
    """Some rows of a block."""

    rows: Int64
    nats: NDArray[np.float64]
    hits: Bools


class Tally:
    """What one thread has added up.

    Args:
        classes: how many.
        brief: leave out what the `survey` kernels sum.
    """

    def __init__(self, classes: int, brief: bool) -> None:
        self.by_class = np.zeros((classes, 3), np.int64)
        self.bins = np.zeros((2, spec.ALL_BINS), np.int64)
        self.squares = np.zeros(2, np.int64)
        self.hits = 0
        self.surveyed = () if brief else _survey_arrays(classes)
        self.emptied: list[Sums] = []
        self.rows = 0

    def add(self, scored: Outcomes, codes: Int64, accumulate: Any) -> Bools | None:
        """Add rows; returns which of them the kernel leaves out, if there are any."""
        self._make_room(len(codes))
        odd = reused("odd", (len(codes),), np.bool_)
        left_out = accumulate(scored.nats, codes, self.by_class, self.bins, self.squares, odd)
        self.hits += int(np.count_nonzero(scored.hits[~odd] if left_out else scored.hits))
        return odd if left_out else None

    def add_probabilities(
        self, block: NDArray[Any], codes: Int64, border: float, kernels: ModuleType
    ) -> tuple[bool, Apart, Bools | None]:
        """Add rows of probabilities, and set apart those above the border, which hold until the next are added.

        Returns whether all rows are legal, those set apart, and which of them the kernel leaves out, if there are any.
        """
        self._make_room(len(codes))
        hits: Bools = reused("hits", (len(codes),), np.bool_)
        rows, nats = (reused(name, (len(codes),), kind) for name, kind in (("rows", np.int64), ("nats", np.float64)))
        sums = (self.by_class, self.bins, self.squares)
        legal, found, left_out = kernels.add_probability_rows(block, codes, hits, *sums, border, rows, nats)
        self.hits += int(np.count_nonzero(hits))
        apart = Apart(rows[:found], nats[:found], hits[rows[:found]])
        if not left_out:
            return legal, apart, None
        odd = spec.left_out(apart.nats)
        self.hits -= int(np.count_nonzero(apart.hits[odd]))
        return legal, apart, odd

    def take_in(self, other: "Tally") -> None:
        """Add what another thread has added up."""
        self._make_room(other.rows)
        for mine, theirs in zip(self._integers(), other._integers(), strict=True):
            mine += theirs
        self.hits += other.hits
        self.emptied += other.emptied

    def _integers(self) -> tuple[Int64, ...]:
        return (self.by_class, self.bins, self.squares, *self.surveyed)

    def _make_room(self, rows: int) -> None:
        self.rows += rows
        if self.rows > MOST_ROWS:
            self.emptied = [Sums.gather(self.sums())]
            for sums in self._integers():
                sums[:] = 0
            self.hits, self.rows = 0, rows

    def sums(self) -> list[Sums]:
        """As exact integers, to be gathered."""
        return [*self.emptied, self._scored(), *([self._surveyed()] if self.surveyed else [])]

    def _scored(self) -> Sums:
        rows = int(self.by_class[:, 0].sum())
        loss = {
            int(code): sum(
                int(limb) << (exact.UNIT_BITS - bits)
                for limb, bits in zip(self.by_class[code, 1:], (36, 76), strict=True)
            )
            for code in np.flatnonzero(self.by_class[:, 1:].any(axis=1))
        }
        bins = np.flatnonzero(self.bins[0])
        names = _bin_names(bins).tolist()
        counts, nats = self.bins[:, bins].tolist()
        return Sums(
            rows=rows,
            weight=rows << exact.UNIT_BITS,
            weight_squared=rows << exact.UNIT_BITS,
            class_weight=nonzero(self.by_class[:, 0], exact.UNIT_BITS),
            class_loss=loss,
            loss=sum(loss.values()),
            weighted_loss=sum(loss.values()),
            loss_squared=sum(
                int(limb) << (exact.UNIT_BITS - bits) for limb, bits in zip(self.squares, (32, 72), strict=True)
            ),
            hits=self.hits << exact.UNIT_BITS,
            bin_rows=dict(zip(names, counts, strict=True)),
            bin_weight={name: count << exact.UNIT_BITS for name, count in zip(names, counts, strict=True)},
            bin_loss={name: loss << NATS_SHIFT for name, loss in zip(names, nats, strict=True) if loss},
        )

    def _surveyed(self) -> Sums:
        grid, moments, cost, reliable = self.surveyed
        rows, probability, truth = reliable.reshape(3, -1)
        return Sums(
            grid=nonzero(grid, FIXED_SHIFT),
            moments=nonzero(moments, FIXED_SHIFT),
            confusion=nonzero(cost[0].reshape(-1), COST_SHIFT),
            impossible=nonzero(cost[1].reshape(-1), 0),
            reliable_weight=nonzero(rows, exact.UNIT_BITS),
            reliable_probability=nonzero(probability, exact.UNIT_BITS - survey_numpy.PROBABILITY_BITS),
            reliable_truth=nonzero(truth, exact.UNIT_BITS),
        )


def _survey_arrays(classes: int) -> tuple[Int64, ...]:
    """In the order in which the kernels take them."""
    few = classes <= survey_numpy.MOST_CLASSES
    own = classes if few else 0
    return (
        np.zeros(tempered(classes), np.int64),
        np.zeros(ladder.moments_count(classes) if few else 0, np.int64),
        np.zeros((2, own, own), np.int64),
        np.zeros((3, own + 1, survey_numpy.ODDS_BINS), np.int64),
    )


def nonzero(values: Int64, shift: int) -> dict[int, int]:
    """By position, those that are not 0, times 2^shift."""
    places = np.flatnonzero(values)
    return {i: value << shift for i, value in zip(places.tolist(), values[places].tolist(), strict=True)}


def _bin_names(bins: Int64) -> Int64:
    """How sums name bins of the kernels: 1/64 bits from 1/8 bit on (multiples of 8 from 1 bit on), negative below."""
    whole = np.where(bins == 0, -spec.FINE_TOP - 1, bins * spec.CUT)
    fine = np.where(bins >= spec.FIRST_FINE, bins - (spec.FIRST_FINE - spec.FINE_LOW + spec.FINE_TOP + 1), whole)
    return np.where(bins >= spec.FIRST_CUT, bins - spec.FIRST_CUT, fine)
