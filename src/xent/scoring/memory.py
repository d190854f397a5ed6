"""Arrays that a thread uses again for its next chunk: fresh memory costs a page fault every 4 kB, and that adds up."""

import math
import threading
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.kernels.by_column import ByColumn, stacked

__all__ = ["forget", "joined", "reused"]

_kept = threading.local()


def reused(name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array to overwrite; it holds until this thread asks for the next one of that name."""
    kept: dict[str, NDArray[np.uint8]] = _kept.__dict__
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if name not in kept or kept[name].size < size:
        kept[name] = np.empty(size, np.uint8)
    array: NDArray[Any] = kept[name][:size].view(dtype).reshape(shape)
    return array


def joined(block: ByColumn) -> NDArray[Any]:
    """The same as one array to read; it holds until this thread asks for the next."""
    return stacked(block.columns, partial(reused, "predictions"))


def forget() -> None:
    """Give back what this thread kept."""
    _kept.__dict__.clear()
