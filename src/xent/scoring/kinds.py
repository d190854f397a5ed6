"""Probabilities, logits or log-probabilities? Guessed from the first rows where nobody said, and reported."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.kernels.score_numpy import SUM_TOLERANCE
from xent.scoring.plan import Kind

__all__ = ["guess_kind"]


def guess_kind(block: NDArray[np.floating[Any]], rows_sum_to_one: bool) -> Kind:
    """What most of the rows can only be; probabilities if in doubt, so that a bad row is an error and not a logit.

    Args:
        block: (rows, classes) or (rows,), the first rows.
        rows_sum_to_one: whether a row is a distribution over the classes (not one column, not several labels).
    """
    wide = block.astype(np.float64)
    if not rows_sum_to_one:
        inside = (wide >= 0.0) & (wide <= 1.0)
        return "logits" if np.mean(inside) < 0.5 and not np.isnan(wide).any() else "probabilities"
    with np.errstate(over="ignore", invalid="ignore"):
        in_range = ((wide >= 0.0) & (wide <= 1.0)).all(axis=1)
        sums = np.abs(wide.sum(axis=1) - 1.0) <= SUM_TOLERANCE
        log_sums = np.abs(np.exp(wide).sum(axis=1) - 1.0) <= SUM_TOLERANCE
        logs = (wide <= SUM_TOLERANCE).all(axis=1) & log_sums
    if np.isnan(wide).any() or np.mean(in_range | sums) >= 0.5:
        return "probabilities"
    return "log_probabilities" if np.mean(logs) >= 0.5 else "logits"
