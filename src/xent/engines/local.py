"""This machine: threads, or processes, over fragments."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TypeVar

from xent.errors import EngineError, OptionError
from xent.kernels.pool import available_cpus

__all__ = ["Local"]

Fragment = TypeVar("Fragment")
Result = TypeVar("Result")
TRIES = 3


@dataclass(frozen=True)
class Local:
    """Threads or processes of this machine.

    Args:
        workers: how many; None takes all CPUs that this process may use.
        processes: instead of threads. Each loads xent anew (half a second); it pays where Numba is not installed, as
            NumPy's short calls share one lock. A process that is killed is replaced, and its fragments tried again.

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
        merge: Callable[[Sequence[Result]], Result],  # noqa: ARG002  (here results cost nothing to hand over)
    ) -> Iterator[tuple[Sequence[int], Result]]:
        """Results one by one, in the order of the fragments."""
        if self.processes:
            yield from self._in_processes(work, fragments)
            return
        if self.size == 1 or len(fragments) == 1:
            yield from (((index,), work(fragment)) for index, fragment in enumerate(fragments))
            return
        with ThreadPoolExecutor(self.size, thread_name_prefix="xent") as pool:
            yield from self._ordered(pool, work, fragments, 0)

    def _in_processes(
        self, work: Callable[[Fragment], Result], fragments: Sequence[Fragment]
    ) -> Iterator[tuple[Sequence[int], Result]]:
        """The same in processes; those that die are replaced, and what they had begun is begun again."""
        done, failures = 0, 0
        while done < len(fragments):
            # Not a fork: it would copy locks that threads of Arrow or Numba hold.
            pool = ProcessPoolExecutor(self.size, mp_context=multiprocessing.get_context("spawn"))
            try:
                with pool:
                    for indices, result in self._ordered(pool, work, fragments, done):
                        yield indices, result
                        done, failures = done + 1, 0
            except BrokenProcessPool as error:
                failures += 1
                if failures == TRIES:
                    name = getattr(fragments[done], "name", done)
                    raise EngineError(
                        f"a process died {TRIES} times while the fragments from {name} on were read: it was killed, "
                        "perhaps for want of memory.\nGive it fewer workers (--workers), or more memory."
                    ) from error

    def _ordered(
        self, pool: Executor, work: Callable[[Fragment], Result], fragments: Sequence[Fragment], start: int
    ) -> Iterator[tuple[Sequence[int], Result]]:
        """Results from `start` on; at most two fragments a worker are under way, so that none pile up."""
        pending: deque[Future[Result]] = deque()
        index = start
        try:
            for fragment in fragments[start:]:
                pending.append(pool.submit(work, fragment))
                if len(pending) >= 2 * self.size:
                    yield (index,), pending.popleft().result()
                    index += 1
            while pending:
                yield (index,), pending.popleft().result()
                index += 1
        finally:
            for future in pending:
                future.cancel()
