"""What an engine does: call one function for many fragments, wherever it likes, and merge what comes back."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from xent.errors import EngineError

__all__ = [
    "FAN_IN",
    "RETRIES",
    "SHIP",
    "Engine",
    "Task",
    "each_once",
    "gathered",
    "groups_of",
    "named",
    "tasks_of",
]

FAN_IN = 16  # results that are merged at a time, so that the process that started it all is sent a sixteenth of them
MOST_TASKS = 1 << 12  # of one pass, so that schedulers, and what is known of each task here, stay small
RETRIES = 3
SHIP = "Install the same version on them, or send it: docs/engines.md says how."

Fragment = TypeVar("Fragment")
Result = TypeVar("Result")


class Engine(Protocol):
    """A place to work.

    Fragments, the function, and its results can be pickled. The function refuses bad input by returning that as a
    result; where it raises, or the process it runs in dies, the engine may try again, elsewhere or a few times.
    """

    def run(
        self,
        work: Callable[[Fragment], Result],
        fragments: Sequence[Fragment],
        merge: Callable[[Sequence[Result]], Result],
    ) -> Iterator[tuple[Sequence[int], Result]]:
        """Yield the results as they come, of one fragment or of several merged: which they are of, and the result.

        Every fragment is in exactly one of them. `merge` takes results in any order and grouping.

        Raises:
            EngineError: a fragment could not be worked on after all tries; names it.
        """


@dataclass(frozen=True)
class Task:
    """What a worker is asked to do: some fragments one after the other, and what they give as one."""

    work: Callable[[Any], Any]
    merge: Callable[[Sequence[Any]], Any]

    def __call__(self, fragments: Sequence[Any]) -> Any:
        """The result of the fragments, of which there is at least one.

        Raises:
            EngineError: one cannot be done; names it.
        """
        return gathered((_attempt(self.work, fragment) for fragment in fragments), self.merge)


def _attempt(work: Callable[[Fragment], Result], fragment: Fragment) -> Result:
    """Work on a fragment.

    Raises:
        EngineError: it cannot be done; names the fragment.
    """
    try:
        return work(fragment)
    except EngineError:
        raise
    except Exception as error:
        what = " ".join(str(error).split())
        raise EngineError(f"the worker that had {named([fragment])} gave up: {type(error).__name__}: {what}") from error


def gathered(results: Iterable[Result], merge: Callable[[Sequence[Result]], Result]) -> Result:
    """Results as one, of which no more than FAN_IN are held at a time."""
    held: list[Result] = []
    for result in results:
        held.append(result)
        if len(held) == FAN_IN:
            held = [merge(held)]
    return held[0] if len(held) == 1 else merge(held)


def tasks_of(count: int, each: int = 1) -> list[range]:
    """Fragments in order, by number, as tasks of so many each, or more where there are very many."""
    each = max(each, -(-count // MOST_TASKS))
    return [range(start, min(start + each, count)) for start in range(0, count, each)]


def groups_of(tasks: Sequence[range]) -> list[Sequence[range]]:
    """Consecutive tasks, FAN_IN at a time, whose results are merged."""
    return [tasks[start : start + FAN_IN] for start in range(0, len(tasks), FAN_IN)]


def named(fragments: Sequence[Any]) -> str:
    """What fragments are called in messages."""
    names = [str(getattr(fragment, "name", fragment)) for fragment in fragments]
    return names[0] if len(names) == 1 else f"one of the {len(names)} fragments {names[0]} to {names[-1]}"


def each_once(results: Iterable[tuple[Sequence[int], Result]], count: int) -> Iterator[tuple[Sequence[int], Result]]:
    """The same results, sure to be of each of `count` fragments once: engines that try again must not count twice.

    Raises:
        EngineError: a fragment is missing, or came twice.
    """
    seen = bytearray(count)
    for indices, result in results:
        for index in indices:
            if seen[index]:
                raise EngineError(f"fragment {index} was counted twice: report this to xent, with the engine's name.")
            seen[index] = 1
        yield indices, result
    if not all(seen):
        raise EngineError(f"fragment {seen.index(0)} was left out: report this to xent, with the engine's name.")
