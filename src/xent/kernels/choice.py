"""Which of the twin kernels a block gets: both give the same bits, so only time depends on the answer."""

import importlib.util
import sys
from types import ModuleType

from xent.kernels import score_numpy

__all__ = ["score_kernels"]

_WORTH_LOADING = 1 << 19  # numbers; loading Numba takes 0.3 s, longer than NumPy needs for fewer


def score_kernels(numbers: int) -> ModuleType:
    """`score_numba` for a chunk of that many numbers if Numba is installed, else `score_numpy`."""
    if "xent.kernels.score_numba" in sys.modules or (numbers >= _WORTH_LOADING and _numba_installed()):
        from xent.kernels import score_numba

        return score_numba
    return score_numpy


def _numba_installed() -> bool:
    return importlib.util.find_spec("numba") is not None
