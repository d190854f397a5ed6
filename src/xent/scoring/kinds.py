"""Probabilities, logits or log-probabilities? Guessed from the first rows where nobody said, and reported."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.checks.predictions import SUM_TOLERANCE
from xent.errors import ProbabilityError
from xent.scoring.plan import Kind

__all__ = ["guess_kind"]


def guess_kind(block: NDArray[np.floating[Any]], rows_sum_to_one: bool) -> Kind:
    """What most of the rows can only be; probabilities if in doubt, so that a bad row is an error and not a logit.

    Raises:
        ProbabilityError: they may as well be logits as log-probabilities.

    Args:
        block: (rows, classes) or (rows,), the first rows.
        rows_sum_to_one: whether a row is a distribution over the classes (not one column, not several labels).
    """
    wide = block.astype(np.float64)
    if np.isnan(wide).any() or wide.min() >= 0.0:
        return "probabilities"  # percents and counts are no logits either: they will be refused
    if not rows_sum_to_one:
        if np.mean((wide >= 0.0) & (wide <= 1.0)) >= 0.5:
            return "probabilities"
        if wide.max() <= 0.0:
            _refuse_to_guess(wide)
        return "logits"
    with np.errstate(over="ignore"):
        in_range = ((wide >= 0.0) & (wide <= 1.0)).all(axis=1)
        sums = np.abs(wide.sum(axis=1) - 1.0) <= SUM_TOLERANCE
        log_sums = np.abs(np.exp(wide).sum(axis=1) - 1.0) <= SUM_TOLERANCE
    if np.mean(in_range | sums) >= 0.5:
        return "probabilities"
    if wide.max() <= SUM_TOLERANCE:
        return "log_probabilities" if np.mean(log_sums) >= 0.5 else _refuse_to_guess(wide)
    return "logits"


def _refuse_to_guess(block: NDArray[np.float64]) -> Kind:
    raise ProbabilityError(
        f"predictions are all 0 or less, from {block.min():g} to {block.max():g}: logits, or log-probabilities?\n"
        'Pass kind="logits" or kind="log_probabilities" (--kind).'
    )
