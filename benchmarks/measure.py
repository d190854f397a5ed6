"""Timing in turns, peak memory, and one JSON line a case."""

import contextlib
import ctypes
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xent.kernels import choice
from xent.scoring.parallel import available_cpus


def in_turns(functions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each function, in turns so that a noisy machine is noisy for all, and each after a call of its own.

    That is how `timeit` repeats a call, and how the steps of a training follow each other: a call pays for its own caches
    and memory, and not for those that another has taken or given back. (On a virtual machine that is much: memory given
    back may go to the host, and comes again page by page.)
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            function()
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def extra_memory(function: Callable[[], Any]) -> float:
    """Megabytes by which the peak of the process's memory rises above what it holds now (Linux with glibc)."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # else what an earlier call gave back would count as held
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    function()
    return (status("VmHWM") - before) / 1e3


def status(field: str) -> float:
    """A field of /proc/self/status, in kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return float(line.split()[1])
    raise LookupError(field)


@contextlib.contextmanager
def kernels(name: str) -> Iterator[None]:
    """Score with the NumPy kernels ("core") or the compiled ones ("fast")."""
    before = choice.numba_installed
    choice.numba_installed = {"core": lambda: False, "fast": before}[name]
    try:
        yield
    finally:
        choice.numba_installed = before


def report(case: str, **figures: Any) -> None:
    """One JSON line; lists of seconds become median, least and most."""
    line: dict[str, Any] = {"case": case}
    for name, value in figures.items():
        if isinstance(value, list):
            value = {
                "median": round(statistics.median(value), 4),
                "min": round(min(value), 4),
                "max": round(max(value), 4),
            }
        line[name] = round(value, 2) if isinstance(value, float) else value
    machine = f"{platform.machine()}, {available_cpus()} CPUs, {platform.system()}"
    versions = {name: version(name) for name in ("numpy", "pyarrow", "numba", "scikit-learn")}
    print(
        json.dumps({**line, "machine": machine, "python": platform.python_version(), "versions": versions}), flush=True
    )


def ratio(peer: list[float], ours: list[float]) -> float:
    """How many times faster than the peer, by medians."""
    return statistics.median(peer) / statistics.median(ours)
