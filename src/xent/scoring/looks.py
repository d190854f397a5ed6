"""Another look at the rows: what the loss would be after some cures."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.kernels import survey_numpy as spec
from xent.kernels.choice import survey_kernels, threads_pay
from xent.kernels.ladder_numpy import FIXED_BITS, moments_count
from xent.kernels.pool import available_cpus
from xent.scoring import exact
from xent.scoring.breakdown import logits_of, weighted_sums
from xent.scoring.inputs import Rows
from xent.scoring.memory import forget
from xent.scoring.newton import Cure, Moments
from xent.scoring.parallel import ordered_map
from xent.scoring.plan import Plan

__all__ = ["another_look"]

SHIFT = exact.UNIT_BITS - FIXED_BITS


def another_look(plan: Plan, batches: Callable[[], Iterable[Rows]], cures: Sequence[Cure]) -> list[Moments]:
    """The moments of all rows after each of the cures, from one reading."""

    def looked(rows: Rows) -> list[Moments]:
        block = rows.predictions() if callable(rows.predictions) else rows.predictions
        weights = rows.weights
        if weights is not None:
            block, weights = block[weights > 0.0], weights[weights > 0.0]
        block, logs = logits_of(plan, block)
        return [_moments(plan, block, logs, weights, cure) for cure in cures]

    found: list[Moments] = [{} for _ in cures]
    try:
        for part in ordered_map(looked, batches(), available_cpus() if threads_pay() else 1):
            for sums, more in zip(found, part, strict=True):
                for key, value in more.items():
                    sums[key] = sums.get(key, 0) + value
    finally:
        forget()
    return found


def _moments(plan: Plan, block: NDArray[Any], logs: bool, weights: NDArray[np.float64] | None, cure: Cure) -> Moments:
    if plan.task != "multilabel":
        return _of_problem(block, logs, weights, cure.beta, cure.offsets)
    found: Moments = {}
    for label in range(len(plan.classes)):
        column = np.ascontiguousarray(block.reshape(len(block), -1)[:, label])
        sums = _of_problem(column, logs, weights, cure.beta, np.array([0.0, cure.offsets[label]]))
        found |= {label * moments_count(2) + key: value for key, value in sums.items()}
    return found


def _of_problem(
    block: NDArray[Any], logs: bool, weights: NDArray[np.float64] | None, beta: float, offsets: NDArray[np.float64]
) -> Moments:
    count = moments_count(len(offsets))
    single = offsets.astype(np.float32)
    if weights is None:
        sums = np.zeros(count, np.int64)
        survey_kernels(block.size).cure_sums(block, logs, beta, single, sums)
        return {int(i): int(sums[i]) << SHIFT for i in np.flatnonzero(sums)}
    found: Moments = {}
    for start in range(0, len(block), spec.BLOCK):
        rows = slice(start, start + spec.BLOCK)
        values = spec.cured_moments(block[rows], logs, beta, single, count, len(offsets))
        for key, value in weighted_sums(values, weights[rows]).items():
            found[key] = found.get(key, 0) + value
    return found
