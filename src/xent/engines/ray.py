"""A Ray cluster: a task per fragment, and tasks that merge sixteen of them."""

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from xent.engines.contract import RETRIES, SHIP, Task, groups_of, named, tasks_of
from xent.errors import EngineError, MissingPackageError

__all__ = ["Ray"]

Fragment = TypeVar("Fragment")
Result = TypeVar("Result")
_SECONDS = 20.0  # that a cluster has to answer


@dataclass(frozen=True)
class Ray:
    """The workers of a Ray cluster: of the one that this process is connected to, if it is.

    Args:
        address: of its head, such as "10.0.0.1:6379" or "ray://10.0.0.1:10001"; "auto" looks for it as
            `ray.init(address="auto")` does.
        retries: how often a fragment is tried again that raises, or whose worker dies.
    """

    address: str = "auto"
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
            MissingPackageError: Ray is not installed.
        """
        ray = self._connected()
        again = ray.remote(max_retries=self.retries, retry_exceptions=True)
        worked, merged = again(_worked), again(_merged)
        task, ends = ray.put(Task(work, merge)), {}
        for group in groups_of(tasks_of(len(fragments))):
            leaves = [worked.remote(task, fragments[some.start : some.stop]) for some in group]
            ends[merged.remote(task, *leaves)] = group, leaves
        try:
            while ends:
                [end], _ = ray.wait(list(ends))
                group, leaves = ends.pop(end)
                try:
                    yield range(group[0].start, group[-1].stop), ray.get(end)
                except ray.exceptions.RayError as error:
                    _refuse(
                        ray, error, [(fragments[t.start : t.stop], leaf) for t, leaf in zip(group, leaves, strict=True)]
                    )
        finally:
            for end, (_, leaves) in ends.items():
                for unwanted in (end, *leaves):
                    ray.cancel(unwanted)

    def _connected(self) -> Any:
        try:
            import ray
        except ImportError as error:
            raise MissingPackageError(
                "engine 'ray' needs Ray, which is not installed.\npip install 'xent[ray]'"
            ) from error
        if not ray.is_initialized():
            try:
                _look_for(self.address)
                ray.init(address=self.address, log_to_driver=False, logging_level=logging.WARNING)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise EngineError(
                    f"there is no Ray cluster to work on: {str(error).rstrip('.')}.\nStart one (ray start --head), or pass its address "
                    "(--address HOST:6379); where it asks for a token, set RAY_AUTH_MODE=token here too."
                ) from error
        return ray


def _look_for(address: str) -> None:
    """Where nothing listens, Ray itself would try without end.

    Raises:
        ConnectionError: nobody answers there.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
    except OSError as error:
        raise ConnectionError(f"{address} does not answer ({error.strerror or error})") from error


def _worked(task: Task, fragments: Sequence[Any]) -> Any:
    return task(fragments)


def _merged(task: Task, *results: Any) -> Any:
    return task.merge(results)


def _refuse(ray: Any, error: Exception, leaves: Sequence[tuple[Sequence[Any], Any]]) -> NoReturn:
    """Say which of the fragments that were to be merged it is."""
    for fragments, leaf in leaves:
        try:
            ray.get(leaf)
        except ray.exceptions.RayError as failure:
            cause = getattr(failure, "cause", failure)
            if isinstance(cause, EngineError):
                raise cause from error
            if "No module named 'xent'" in str(cause):
                raise EngineError(f"Ray's workers have no xent.\n{SHIP}") from error
            what = str(cause).partition("\n")[0]
            raise EngineError(
                f"the worker that had {named(fragments)} died, and so did those that tried again: {what}\n"
                "Give workers more memory, if they were killed for want of it."
            ) from error
    raise EngineError(f"results could not be merged on Ray's workers: {error}") from error
