"""The K×K matrix of mean −log p of each class given the true one, and which pairs are confused."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.scoring import exact
from xent.scoring.plan import Plan
from xent.scoring.sums import Sums

__all__ = ["Pair", "confused_pairs", "confusion_matrix"]

MOST = 5


class Pair(NamedTuple):
    """Rows of one class whose probability goes to another."""

    truth: int
    taken_for: int
    nats: float  # mean −log of the probability that the other class gets
    rows: float  # of the true class, or their weight


def confusion_matrix(plan: Plan, sums: Sums) -> NDArray[np.float64] | None:
    """(true class, class) mean nats, inf where a probability was 0; rows of a class that no row has are NaN.

    None where it is not kept: several or soft labels, or so many classes that it would be larger than the rest.
    """
    classes = len(plan.classes)
    if not (sums.confusion or sums.impossible) or plan.task == "multilabel":
        return None
    found = np.full((classes, classes), math.nan)
    for i in range(classes):
        weight = sums.class_weight.get(i, 0)
        for j in range(classes if weight else 0):
            key = i * classes + j
            found[i, j] = math.inf if sums.impossible.get(key) else sums.confusion.get(key, 0) / weight
        if weight:  # what is known exactly
            found[i, i] = math.inf if sums.class_infinite.get(i) else sums.class_loss.get(i, 0) / weight
    return found


def confused_pairs(sums: Sums, matrix: NDArray[np.float64] | None) -> tuple[Pair, ...]:
    """The pairs where most rows give a wrong class most: by rows · exp(−nats), the geometric mean of what it gets."""
    if matrix is None:
        return ()
    pairs = [
        Pair(i, j, float(matrix[i, j]), exact.to_float(sums.class_weight[i]))
        for i in range(len(matrix))
        for j in range(len(matrix))
        if i != j and math.isfinite(matrix[i, j])
    ]
    return tuple(sorted(pairs, key=lambda pair: -pair.rows * math.exp(-pair.nats))[:MOST])
