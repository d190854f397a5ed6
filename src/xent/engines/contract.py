"""What an engine does: call one function for many fragments, wherever it likes, and merge what comes back."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

__all__ = ["FAN_IN", "Engine"]

FAN_IN = 16  # results that are merged at a time, so that the process that started it all is sent a sixteenth of them

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
