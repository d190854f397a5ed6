"""Squares of costs, cut as the kernels cut them."""

import numpy as np
from numpy.typing import NDArray

from xent.kernels import sums_numpy as spec

__all__ = ["squares"]


def squares(cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `accumulate` takes them: rounded to 2^-72 in the range that it sums itself."""
    found = cost * cost
    inside = (cost >= spec.SMALLEST) & (cost <= spec.LARGEST)
    return np.where(inside, np.rint(found * 2.0**72) * 2.0**-72, found)
