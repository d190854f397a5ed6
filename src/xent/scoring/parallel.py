"""Threads over chunks of rows: the kernels release the GIL, and the sums do not mind the order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

from xent.kernels.pool import available_cpus

__all__ = ["ordered_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """`map` on that many threads, or on the caller's alone (0); results and errors come in the order of the items.

    The caller's thread takes the items from their source and then, as one of several, its share of the work. The others
    live for this call only. At most two items a worker are under way, so the memory does not grow with their number.
    """
    workers = available_cpus() if workers is None else workers
    items = iter(items)
    first = list(islice(items, 2))
    if len(first) < 2 or workers == 0:
        yield from map(function, chain(first, items))
        return
    pending: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(max(1, workers - 1), thread_name_prefix="xent") as pool:
        try:
            for item in chain(first, items):
                pending.append((item, pool.submit(function, item)))
                if len(pending) >= 2 * workers:
                    yield _next_result(function, pending, workers > 1)
            while pending:
                yield _next_result(function, pending, workers > 1)
        finally:
            for _, future in pending:
                future.cancel()


def _next_result(
    function: Callable[[Item], Result], pending: deque[tuple[Item, Future[Result]]], helps: bool
) -> Result:
    while helps and not pending[0][1].done() and _do_one(function, pending):
        pass
    return pending.popleft()[1].result()


def _do_one(function: Callable[[Item], Result], pending: deque[tuple[Item, Future[Result]]]) -> bool:
    """Do, in this thread, the first item that no other has begun; whether there was one."""
    for place, (item, waiting) in enumerate(pending):
        if waiting.cancel():
            done: Future[Result] = Future()
            pending[place] = (item, done)
            try:
                done.set_result(function(item))
            except Exception as error:  # is raised when it is this item's turn
                done.set_exception(error)
            return True
    return False
