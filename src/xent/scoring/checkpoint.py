"""A state file kept while fragments are scored: what it has is not scored again after a stop."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from xent.errors import SourceError, StateError
from xent.scoring.plan import Plan
from xent.scoring.row_reader import RowReader
from xent.scoring.state import State
from xent.scoring.state_files import SavedState, refuse_no_state, saved_state, write_state
from xent.scoring.sums import Sums
from xent.sources.csv_text import UnsettledError
from xent.sources.fragments import Fragment
from xent.sources.places import Version
from xent.sources.writing import refuse_no_file

__all__ = ["Checkpoint"]

SECONDS = 30.0  # between two writings


class Checkpoint:
    """The state of the fragments that are done, and which they are.

    Args:
        path: the state file; it is replaced as a whole, never written in place.
        resume: go on from what it has, if it is there.
        unit: of the state.
        settled: whether types of text files are those of all rows; if not, and it turns out that they are not as their
            beginning looked, what was done with them is no use.
        skip: whether files that cannot be read are left out, and so none is read in pieces.

    Raises:
        SourceError: there is something that is no file.
        StateError: there is a file to go on from, but it is no such state.
        UnsettledError: there is one of files whose types had to be settled.
    """

    def __init__(self, path: str | os.PathLike[str], resume: bool, unit: str | None, settled: bool, skip: bool) -> None:
        self.path = os.fspath(path)
        refuse_no_file(self.path)
        self.unit = unit
        self._how = {"settled": settled, "skip": skip}
        self._found = saved_state(self.path, unfinished=True) if resume and os.path.exists(self.path) else None
        if self._found is not None and (self._found.scan or {}).get("settled", settled) != settled:
            if not settled:
                raise UnsettledError(f"{self.path} is of files that were not as their beginning looked.")
            self._found = None
        self._before: dict[str, dict[str, Any]] = {}  # by file: what changes when it does, and which pieces they are
        self._done: dict[str, dict[str, Any]] = {}  # the same of all that is done
        self._written = time.monotonic()

    def start(self, plan: Plan, reader: RowReader, fragments: Sequence[Fragment]) -> tuple[list[Fragment], list[Sums]]:
        """The fragments that are left to be done, and the sums of the others.

        Raises:
            StateError: the file was made with other options, or a file that it has rows of has changed since; or it is
                one of those to read, or no state.
        """
        self._refuse_to_overwrite(fragments)
        refuse_no_state(self.path)
        self._plan = plan
        columns = asdict(reader.columns) | {"notes": None}
        self._job = json.loads(json.dumps([plan.to_dict(), columns, dict(reader.keys), reader.label_columns]))
        if self._found is None:
            return list(fragments), []
        self._before = self._begun(self._found, fragments)
        self._done = self._before
        done = {name: set(map(tuple, file["pieces"])) for name, file in self._before.items()}
        return [f for f in fragments if _piece(f) not in done.get(f.part.name, ())], [self._found.state.sums]

    def _refuse_to_overwrite(self, fragments: Sequence[Fragment]) -> None:
        paths = {getattr(fragment.part, "path", None) for fragment in fragments} if os.path.exists(self.path) else ()
        for path in paths:
            if isinstance(path, str) and os.path.exists(path) and os.path.samefile(path, self.path):
                raise StateError(f"{self.path} is one of the files to read.\nGive the state another name.")

    def _begun(self, found: SavedState, fragments: Sequence[Fragment]) -> dict[str, dict[str, Any]]:
        anew = "leave --resume out (resume=False) to start anew"
        if found.scan is None or "job" not in found.scan:
            raise StateError(f"{self.path} does not say which rows it is of, so nothing can go on from it; {anew}.")
        if found.scan["job"] != self._job:
            raise StateError(f"{self.path} was begun with other columns or options.\nPass those again, or {anew}.")
        if found.scan["skip"] != self._how["skip"]:
            begun = "skip" if found.scan["skip"] else "stop"
            raise StateError(
                f"{self.path} was begun with --on-bad-file {begun} (on_bad_file={begun!r}), and then files are read in "
                f"other pieces.\nPass that again, or {anew}."
            )
        done: dict[str, dict[str, Any]] = found.scan["done"]
        by_file: dict[str, list[Fragment]] = {}
        for fragment in fragments:
            by_file.setdefault(fragment.part.name, []).append(fragment)
        for name, file in done.items():
            own = by_file.get(name)
            if own is None or file["version"] != _version(own[0]):
                what = "has changed since" if own else "is not among the files that can be read now"
                raise StateError(f"{self.path} has rows of {name}, which {what}.\nBring it back, or {anew}.")
            if not set(map(_piece, own)).issuperset(map(tuple, file["pieces"])):
                raise StateError(f"{self.path} has rows of {name}, which is read in other pieces now: {anew}.")
        return done

    def note(self, fragments: Sequence[Fragment]) -> None:
        """These are done, beside those that were when it began."""
        done = {name: file | {"pieces": [*file["pieces"]]} for name, file in self._before.items()}
        for fragment in fragments:
            name = fragment.part.name
            if name not in done:
                done[name] = {"version": _version(fragment), "pieces": []}
            done[name]["pieces"].append(_piece(fragment))
        self._done = done

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() - self._written > SECONDS

    def write(self, sums: Sums, *, finished: bool) -> SourceError | None:
        """Replace the file by the sums of all that is done; what keeps it from being written must not lose these."""
        self._written = time.monotonic()
        scan = {"finished": finished, **self._how, "job": self._job, "done": self._done}
        try:
            write_state(self.path, State.of(self._plan, sums, self.unit), scan)
        except SourceError as error:
            return error
        return None


def _piece(fragment: Fragment) -> tuple[int, str]:
    """Which piece of its file."""
    return fragment.first_row, fragment.extent


def _version(fragment: Fragment) -> list[int]:
    """Of its file, when it was opened."""
    return list(fragment.version or Version(fragment.part.bytes, 0))
