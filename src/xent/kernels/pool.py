"""Threads of our own over ranges of rows: kernels let go of the interpreter's lock.

Not Numba's: its thread layers abort a process on concurrent calls or after a fork.
"""

import contextvars
import itertools
import os
import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

__all__ = ["Item", "available_cpus", "begin", "in_turn", "over_ranges"]

GRAIN = 1 << 19  # numbers that one thread takes at a time: 2 MB of float32, some 400 µs
_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}  # by number of threads


def available_cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_ranges(work: Callable[[int, int], None], rows: int, numbers: int, threads: int) -> None:
    """Call work(first, last) for ranges that together are the rows, `numbers` numbers in all, on several threads.

    The ranges do not depend on the number of threads. The caller's thread takes its share, so that nested and
    concurrent calls always get on. What NumPy is to be silent about is the caller's choice on all of them.
    """
    parts = min(rows, numbers // GRAIN)
    if parts <= 1:
        work(0, rows)
        return
    step = -(-rows // parts)
    starts = itertools.count(0, step)  # its `next` is atomic

    def take() -> None:
        while (first := next(starts)) < rows:
            work(first, min(first + step, rows))

    others = min(threads, parts) - 1
    begun = [begin(others, take) for _ in range(others)]
    try:
        take()
    finally:
        starts = itertools.count(rows)  # nothing is left, least of all after an error
        for other in begun:
            if other is not None and not other.cancel():
                other.result()


class Item(NamedTuple):
    """Work that waits for earlier items."""

    work: Callable[[], None]
    after: Iterable[Hashable]  # their names


def in_turn(items: dict[Any, Item], threads: int) -> None:
    """Do the items, by name, each when all are done that it names and that there are, on several threads.

    They are taken in their order, so that the first of those under way has nothing to wait for.
    """
    names, waiting, broken, changed = list(items), set(items), False, threading.Condition()

    def do(name: Hashable) -> None:
        nonlocal broken
        (work, after), succeeded = items[name], False
        try:
            if not waiting.isdisjoint(after):
                with changed:
                    changed.wait_for(lambda: broken or waiting.isdisjoint(after))
            if not broken:
                work()
            succeeded = True
        finally:  # after an error nothing is begun, and no one waits in vain
            broken = broken or not succeeded
            waiting.discard(name)
            with changed:
                changed.notify_all()

    def take(first: int, last: int) -> None:
        for name in names[first:last]:
            do(name)

    over_ranges(take, len(items), len(items) * GRAIN, threads)


def begin(threads: int, task: Callable[[], None]) -> Future[None] | None:
    """Begin a task on one of so many threads; None where the interpreter is shutting down and there are no more."""
    try:
        return _pool(threads).submit(contextvars.copy_context().run, task)
    except RuntimeError:
        return None


def _pool(threads: int) -> ThreadPoolExecutor:
    with _lock:
        if threads not in _pools:
            if not _pools and hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=_forget)
            _pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix="xent")
        return _pools[threads]


def _forget() -> None:
    """A forked child has none of its parent's threads, and perhaps a lock that no one will release."""
    global _lock
    _lock = threading.Lock()
    _pools.clear()
