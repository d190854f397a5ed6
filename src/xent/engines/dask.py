"""A Dask cluster: a future per fragment, and futures that merge sixteen of them."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from xent.engines.contract import RETRIES, SHIP, Task, groups_of, named, tasks_of
from xent.errors import EngineError, MissingPackageError

__all__ = ["Dask"]

SOON = 10.0  # seconds, in which a worker that died is replaced

Fragment = TypeVar("Fragment")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Dask:
    """The workers of a `dask.distributed` cluster.

    Args:
        client: connected to it; None takes `address`, or else the client that is current in this process.
        address: of its scheduler, such as "tcp://10.0.0.1:8786".
        retries: how often a fragment that raises is tried again. How many workers it may take down with it is Dask's
            own setting, `distributed.scheduler.allowed-failures` (3).
    """

    client: Any = None
    address: str | None = None
    retries: int = RETRIES

    def run(
        self,
        work: Callable[[Fragment], Result],
        fragments: Sequence[Fragment],
        merge: Callable[[Sequence[Result]], Result],
    ) -> Iterator[tuple[Sequence[int], Result]]:
        """Results as they come, merged by sixteens on the workers.

        Raises:
            EngineError: a fragment failed after all tries, or there is no cluster.
            MissingPackageError: Dask is not installed.
        """
        task = Task(work, merge)
        with self._connected() as (distributed, client):
            groups, ends = groups_of(tasks_of(len(fragments))), {}
            for group in groups:
                parts = [fragments[some.start : some.stop] for some in group]
                leaves = client.map(task, parts, key="xent-fragments", retries=self.retries, pure=False)
                end = client.submit(merge, leaves, retries=self.retries, pure=False)
                ends[end] = group
                del leaves, end  # so that a worker lets go of what was merged, and sent
            try:
                for end in distributed.as_completed(list(ends)):
                    group = ends.pop(end)
                    try:
                        result = end.result()
                    except distributed.KilledWorker:
                        result = merge([_alone(distributed, client, task, fragments[t.start : t.stop]) for t in group])
                    except EngineError:
                        raise
                    except Exception as error:
                        what = str(error).partition("\n")[0]
                        raise EngineError(
                            f"Dask gave up the job: {type(error).__name__}: {what}\nDo its scheduler and workers have "
                            f"xent? {SHIP}"
                        ) from error
                    yield range(group[0].start, group[-1].stop), result
            finally:
                client.cancel(list(ends))

    @contextmanager
    def _connected(self) -> Iterator[tuple[Any, Any]]:
        try:
            import distributed
        except ImportError as error:
            raise MissingPackageError(
                "engine 'dask' needs Dask, which is not installed.\npip install 'xent[dask]'"
            ) from error
        try:
            own = distributed.Client(self.address) if self.client is None and self.address is not None else None
            client = own or self.client or distributed.get_client()
        except (OSError, TypeError, ValueError) as error:  # TypeError: an address that needs certificates
            raise EngineError(
                f"there is no Dask cluster to work on: {error}.\nPass a client (engine=client), or the address of its "
                "scheduler (--address tcp://HOST:8786)."
            ) from error
        try:
            _wait_for_a_worker(client)
            yield distributed, client
        finally:
            if own is not None:
                own.close()


def _wait_for_a_worker(client: Any) -> None:
    """Say so where none comes soon: one that died is being replaced, others may be about to be started."""
    if client.scheduler_info()["workers"]:
        return
    try:
        client.wait_for_workers(1, timeout=SOON)
    except TimeoutError:
        warnings.warn("the Dask cluster has no workers: this waits until there is one.", RuntimeWarning, stacklevel=2)


def _alone(distributed: Any, client: Any, task: Task, fragments: Sequence[Any]) -> Any:
    """Try again what was under way on workers that died, one by one: Dask blames all that a worker had."""
    try:
        return client.submit(task, fragments, pure=False).result()
    except distributed.KilledWorker as error:
        raise EngineError(
            f"the worker that had {named(fragments)} died, and so did those that tried again: it was killed, perhaps "
            "for want of memory.\nGive workers more memory."
        ) from error
