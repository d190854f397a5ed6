"""Which of the twin kernels a block gets. Those for scoring give the same bits, so only time depends on the answer."""

import functools
import importlib.util
import sys
from types import ModuleType
from typing import Any

from xent.kernels import rows_numpy, score_numpy, survey_numpy
from xent.kernels.pool import available_cpus

__all__ = [
    "compiled_rows",
    "numba_installed",
    "row_kernels",
    "score_kernels",
    "scoring_threads",
    "survey_kernels",
    "tiles",
]

_WORTH_COMPILING = 1 << 14  # logits
_NUMPY_THREADS = 2
_WORTH_LOADING = 1 << 18  # numbers of a chunk of many; loading Numba takes as long as NumPy needs for 10M


def score_kernels(numbers: int) -> ModuleType:
    """`score_numba` for a chunk of that many numbers if Numba is installed, else `score_numpy`."""
    if numba_installed() and (numbers >= _WORTH_LOADING or "xent.kernels.score_numba" in sys.modules):
        return _compiled()
    return score_numpy


def survey_kernels(numbers: int) -> ModuleType:
    """`survey_numba` where `score_numba` would be taken, else `survey_numpy`."""
    if score_kernels(numbers) is score_numpy:
        return survey_numpy
    from xent.kernels import survey_numba

    return survey_numba


def row_kernels(numbers: int) -> ModuleType:
    """`rows_numba` for that many logits if Numba is installed and they are worth loading it, else `rows_numpy`."""
    return compiled_rows() if numbers >= _WORTH_COMPILING else rows_numpy


@functools.cache
def compiled_rows() -> ModuleType:
    """`rows_numba`; `rows_numpy` where Numba is not installed, does not load, or finds no folder for its code."""
    try:
        from xent.kernels import rows_numba
    except (ImportError, RuntimeError):
        return rows_numpy
    return rows_numba


@functools.cache
def tiles() -> Any:
    """`linear_tiles_numba`; None where it cannot be compiled or the processor is not one that it is made for."""
    if compiled_rows() is rows_numpy:
        return None
    from xent.kernels import linear_tiles_numba, registers_numba

    return linear_tiles_numba if registers_numba.available() else None


@functools.cache
def _compiled() -> ModuleType:
    """`score_numba`; `score_numpy` where Numba does not load, or finds no folder that it may keep its code in."""
    try:
        from xent.kernels import score_numba
    except (ImportError, RuntimeError):
        return score_numpy
    return score_numba


def scoring_threads(long_calls: bool = False) -> int:
    """How many threads score: all CPUs; without Numba one, or few where NumPy's calls are long.

    Each call ends in a wait for the interpreter's one lock, so that threads with short ones pay more than they gain.
    """
    few = _NUMPY_THREADS if long_calls else 1
    return available_cpus() if numba_installed() else min(few, available_cpus())


@functools.cache
def numba_installed() -> bool:
    """Whether the compiled kernels can be had."""
    return importlib.util.find_spec("numba") is not None
