"""This machine: threads, or processes, over fragments."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from xent.engines.contract import RETRIES, Task, named
from xent.engines.interrupts import begin_at_work, interrupts_wait, start_server
from xent.errors import EngineError, OptionError
from xent.kernels.pool import available_cpus

__all__ = ["Local"]

MOST = 4  # fragments that a process is asked for at a time: to ask, and to tell, takes a millisecond of this one

Fragment = TypeVar("Fragment")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Local:
    """Threads or processes of this machine.

    Args:
        workers: how many; None takes all CPUs that this process may use.
        processes: instead of threads; it pays where Numba is not installed, as NumPy's short calls share one lock.
            They take a second or two to start, once, and then wait for more until this process ends. One that is killed
            is replaced, and its fragments tried again.

    Raises:
        OptionError: `workers` is no whole number above 0.
    """

    workers: int | None = None
    processes: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no number of workers."""
        if self.workers is not None and (not isinstance(self.workers, int) or self.workers < 1):
            raise OptionError(f"workers is {self.workers!r}, but must be a whole number, 1 or more.")

    @property
    def size(self) -> int:
        """How many workers there are."""
        return self.workers or available_cpus()

    def run(
        self,
        work: Callable[[Fragment], Result],
        fragments: Sequence[Fragment],
        merge: Callable[[Sequence[Result]], Result],
    ) -> Iterator[tuple[Sequence[int], Result]]:
        """Results in the order of the fragments, from processes of a few merged."""
        if self.processes:
            yield from self._in_processes(Task(work, merge), fragments)
            return
        tasks = _handed_out(range(len(fragments)), self.size, most=1)
        if self.size == 1 or len(fragments) == 1:
            yield from ((one, _here(work, fragments[one.start : one.stop])) for one in tasks)
            return
        with ThreadPoolExecutor(self.size, thread_name_prefix="xent") as pool:
            yield from _ordered(pool, 2 * self.size, partial(_here, work), fragments, tasks)

    def _in_processes(self, task: Task, fragments: Sequence[Any]) -> Iterator[tuple[Sequence[int], Any]]:
        """The same in processes; those that die are replaced, and what they had begun is begun again.

        One death takes down all that is under way, so that is tried again one by one: which it was is then known.
        """
        done, alone_until, failures = 0, 0, 0
        while done < len(fragments):
            alone = done < alone_until
            size, most, under_way = (1, 1, 1) if alone else (self.size, MOST, 2 * self.size)
            left = range(done, alone_until if alone else len(fragments))
            try:
                pool = _processes(size)
                for indices, result in _ordered(pool, under_way, task, fragments, _handed_out(left, size, most)):
                    yield indices, result
                    done, failures = indices.stop, 0
            except BrokenProcessPool as error:
                _forget(size, pool)
                failures += alone
                alone_until = max(alone_until, min(done + most * under_way, len(fragments)))
                if failures == RETRIES:
                    raise EngineError(
                        f"the process that had {named(fragments[done : done + 1])} died {RETRIES} times, with nothing else "
                        "under way: it was killed, perhaps for want of memory.\nGive it more memory."
                    ) from error


_lock = threading.Lock()
_kept: dict[
    tuple[int, int], ProcessPoolExecutor
] = {}  # by size, and by whose they are: forks of this process have none


def _processes(size: int) -> ProcessPoolExecutor:
    """So many processes, which are there for later calls too."""
    with _lock:
        if (size, os.getpid()) not in _kept:
            # Not forks of this process: they would copy locks that threads of Arrow or Numba hold. A server that has loaded
            # xent and has no threads forks them, where there are forks.
            way = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
            context = multiprocessing.get_context(way)
            with interrupts_wait():  # else what is half started finds nobody, and says so at length
                try:
                    if way == "forkserver":
                        context.set_forkserver_preload(["xent.scoring.judge", "xent.engines.preloaded"])
                        start_server()
                    pool = ProcessPoolExecutor(size, mp_context=context, initializer=begin_at_work)
                    started = pool.submit(os.getpid)
                except (OSError, EOFError) as error:
                    raise EngineError(
                        f"no process could be started: {type(error).__name__}: {error}.\nTry again, perhaps with fewer "
                        'workers; or pass engine="local", which starts none.'
                    ) from error
            _prove(pool, started)
            _kept[size, os.getpid()] = pool
        return _kept[size, os.getpid()]


_proven: set[int] = set()  # processes of which others could be started


def _prove(pool: ProcessPoolExecutor, started: Future[int]) -> None:
    """See that a process starts: each imports the script that asks for it, which must not ask in turn.

    Raises:
        EngineError: none does, or this is such a process.
    """
    if os.getpid() in _proven:
        return
    try:
        started.result()
    except RuntimeError as error:  # a BrokenProcessPool, or what multiprocessing says while it starts this process
        pool.shutdown()
        raise EngineError(
            "no process could be started: each imports the script that asks for it. Where a script calls xent.scan with "
            'engine="processes", the call must stand under if __name__ == "__main__":, or every process would ask again.\n'
            'Put it there; or pass engine="local", which starts none.'
        ) from error
    _proven.add(os.getpid())


def _forget(size: int, pool: ProcessPoolExecutor) -> None:
    """It has lost a process, and takes no more work."""
    with _lock:
        if _kept.get((size, os.getpid())) is pool:
            del _kept[size, os.getpid()]
    pool.shutdown()


def _handed_out(left: range, size: int, most: int) -> Iterator[range]:
    """Fragments in order as tasks: of so many at most, and of one at the end, so that nobody waits long for another."""
    start = left.start
    while start < left.stop:
        each = max(1, min(most, (left.stop - start) // (2 * size)))
        yield range(start, start + each)
        start += each


def _here(work: Callable[[Fragment], Result], one: Sequence[Fragment]) -> Result:
    """The result of one fragment; what is raised in this process, such as by a caller's `progress`, stays what it is."""
    (fragment,) = one
    try:
        return work(fragment)
    except Exception as error:
        error.add_note(f"(while {named([fragment])} was read)")
        raise


def _ordered(
    pool: Executor,
    under_way: int,
    task: Callable[[Sequence[Fragment]], Result],
    fragments: Sequence[Fragment],
    tasks: Iterable[range],
) -> Iterator[tuple[range, Result]]:
    """The results of tasks in order; so many of them at most are under way, so that none pile up."""
    pending: deque[tuple[range, Future[Result]]] = deque()
    try:
        for some in tasks:
            with interrupts_wait():  # a process that is half started would be known to nobody, and wait without end
                pending.append((some, pool.submit(task, fragments[some.start : some.stop])))
            if len(pending) >= under_way:
                first, future = pending.popleft()
                yield first, future.result()
        while pending:
            first, future = pending.popleft()
            yield first, future.result()
    finally:
        under_way_still = [future for _, future in pending if not future.cancel()]
        with interrupts_wait():  # that come again: processes that are left at work are waited for without end
            wait(under_way_still)
