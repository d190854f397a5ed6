"""Rows whose columns lie apart in memory, as tables have them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ByColumn", "stacked"]

Floats = NDArray[np.floating[Any]]


class ByColumn:
    """(rows, classes) as an array a class, all of one dtype, each contiguous: `score_numba` reads them where they lie."""

    ndim = 2

    def __init__(self, columns: Sequence[Floats]) -> None:
        self.columns = columns
        self.dtype, self.itemsize = columns[0].dtype, columns[0].itemsize
        self.shape = len(columns[0]), len(columns)
        self.size = len(columns[0]) * len(columns)

    def __len__(self) -> int:
        """How many rows."""
        return self.shape[0]

    def __getitem__(self, rows: Any) -> "ByColumn":
        """Some of the rows."""
        return ByColumn([column[rows] for column in self.columns])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Floats:
        """As one array, which is always a copy."""
        return stacked(self.columns).astype(dtype or self.dtype, copy=False)


def stacked(columns: Sequence[Floats], empty: Callable[[tuple[int, ...], Any], Floats] = np.empty) -> Floats:
    """(rows, classes), column after column in memory: each is copied as a whole, and the kernels like to sum along them."""
    block = empty((len(columns), len(columns[0])), columns[0].dtype)
    for own, column in zip(block, columns, strict=True):
        own[:] = column
    return block.T
