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
    """`map` on threads that live for this call only, or on none (0); results and errors come in the order of the items.

    At most two items a worker are under way, so the memory does not grow with their number.
    """
    workers = available_cpus() if workers is None else workers
    items = iter(items)
    first = list(islice(items, 2))
    if len(first) < 2 or workers == 0:
        yield from map(function, chain(first, items))
        return
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="xent") as pool:
        try:
            for item in chain(first, items):
                pending.append(pool.submit(function, item))
                if len(pending) >= 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
