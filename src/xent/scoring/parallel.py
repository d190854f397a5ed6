"""Threads over chunks of rows: the kernels release the GIL, and the sums do not mind the order."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from itertools import chain, islice
from typing import Any, TypeVar

from xent.kernels.pool import available_cpus, begin
from xent.scoring.memory import forget

__all__ = ["ordered_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """`map` on that many threads, or on the caller's alone (0); results and errors come in the order of the items.

    The caller's thread takes the items from their source and then, as one of several, its share of the work. At most two
    items a worker are under way, so the memory does not grow with their number.
    """
    workers = available_cpus() if workers is None else workers
    failed: list[Exception] = []
    items = _until_it_fails(items, failed)
    first = list(islice(items, 2))
    if len(first) < 2 or workers == 0:
        yield from map(function, chain(first, items))
    else:
        yield from _side_by_side(function, chain(first, items), workers)
    for error in failed:
        raise error


def _until_it_fails(items: Iterable[Item], failed: list[Exception]) -> Iterator[Item]:
    """The items before the source gives up: an error about one of them comes first."""
    try:
        yield from items
    except Exception as error:
        failed.append(error)


def _side_by_side(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    work = _Work(function, max(1, workers - 1))
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(work.add(item))
            if len(pending) >= 2 * workers:
                yield _next_result(work, pending, workers > 1)
        while pending:
            yield _next_result(work, pending, workers > 1)
    finally:
        work.drop()
        wait([result for result in pending if result.running()])


def _next_result(work: "_Work", pending: deque[Future[Any]], helps: bool) -> Any:
    while (helps or not work.helpers) and not pending[0].done() and work.do_one():
        pass
    return pending.popleft().result()


class _Work:
    """Items that wait for a thread; whichever is free takes the first.

    Args:
        function: what to do with them.
        most: how many threads beside the caller's, which are those of `kernels.pool`.
    """

    def __init__(self, function: Callable[[Any], Any], most: int) -> None:
        self.function = function
        self.most = most
        self.helpers = 0  # that are at work, or about to be
        self._waiting: deque[tuple[Any, Future[Any]]] = deque()
        self._changing = threading.Lock()

    def add(self, item: Any) -> Future[Any]:
        """Let it wait, and a thread begin if there may be one more."""
        result: Future[Any] = Future()
        with self._changing:
            self._waiting.append((item, result))
            if self.helpers < self.most:
                self.helpers += begin(self.most, self._help) is not None
        return result

    def do_one(self) -> bool:
        """Do the first item that waits; whether there was one."""
        with self._changing:
            if not self._waiting:
                return False
            item, result = self._waiting.popleft()
            result.set_running_or_notify_cancel()
        try:
            result.set_result(self.function(item))
        except BaseException as error:  # is raised when it is this item's turn
            result.set_exception(error)
            if not isinstance(error, Exception):
                raise
        return True

    def drop(self) -> None:
        """Leave undone what waits."""
        with self._changing:
            self._waiting.clear()

    def _help(self) -> None:
        """One item at a time, so that others who share the thread get their turn."""
        self.do_one()
        with self._changing:
            goes_on = bool(self._waiting) and begin(self.most, self._help) is not None
            self.helpers -= not goes_on
        if not goes_on:
            forget()
