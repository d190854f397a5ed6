"""A pass over many fragments: an engine works on them, what comes back is merged as it comes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from xent.engines.contract import FAN_IN, Engine, each_once
from xent.engines.local import Local
from xent.errors import SourceError
from xent.kernels.choice import scoring_threads
from xent.scoring.checkpoint import Checkpoint
from xent.scoring.cluster_store import ClusterStore, without_clusters
from xent.scoring.passes import Failure, OneAtATime, Pass, Progress, Reading, merged
from xent.sources.fragments import ChangedError, Fragment

__all__ = ["over_fragments"]


def over_fragments(
    engine: Engine,
    reading: Reading,
    fragments: Sequence[Fragment],
    progress: Progress | None,
    skipped: dict[str, str] | None,
    checkpoint: Checkpoint | None,
    clusters: ClusterStore | None,
) -> Any:
    """The result for all rows.

    Args:
        engine: where to work.
        reading: what to do with each fragment.
        fragments: of files, in order.
        progress: told how many rows were read, and how many fragments are done.
        skipped: where to note files that cannot be read, and why; None refuses them.
        checkpoint: where to keep what is done; written last where the work is stopped.
        clusters: where sums by cluster are to go, in place of the result.

    Raises:
        XentError: what is wrong with the first fragment that has something wrong.
        EngineError: a fragment could not be worked on.
    """
    told, total = OneAtATime(progress), len(fragments)
    if isinstance(engine, Local) and not engine.processes:
        alone = len(fragments) == 1 or engine.size == 1 or scoring_threads(reading.find.long_calls) == 1
        reading = replace(reading, workers=engine.workers if alone else 0, progress=told)
        engine = Local(1) if alone else engine
        if clusters is not None and skipped is not None:  # of a file that fails in the middle nothing may stay
            reading = replace(reading, clusters=clusters)
        elif clusters is not None:
            reading = replace(reading, find=replace(reading.find, clusters=clusters))
    find, done = reading.find, _Done(reading.find, [])
    if checkpoint is not None:
        fragments, begun = checkpoint.start(find.plan, reading.reader, fragments)
        done = _Done(find, begun)
    count, unchanged = total - len(fragments), _Unchanged(fragments)
    told.fragments(count, total)
    try:
        for indices, outcome in each_once(engine.run(reading, fragments, partial(merged, find)), len(fragments)):
            _note(outcome.failures, skipped, fragments)
            value = None if outcome.value is None else without_clusters(outcome.value, clusters)
            refused = {failure.file for failure in outcome.failures}
            read = [i for i in indices if fragments[i].part.name not in refused]
            unchanged.check(read)
            done.add(value, [fragments[i] for i in read])
            if reading.progress is None:  # else whoever read them has told
                told(outcome.rows)
            count += len(indices)
            told.fragments(count, total)
            if checkpoint is not None and checkpoint.due:
                checkpoint.note(done.fragments)
                checkpoint.write(done.value(), finished=False)  # should that fail, it is tried again
        found = done.value()
    except BaseException as error:
        if checkpoint is not None:
            checkpoint.note(done.fragments)
            unsaved = checkpoint.write(done.value(), finished=False)
            if unsaved is not None:
                error.add_note(str(unsaved))
        raise
    if checkpoint is not None:
        checkpoint.note(done.fragments)
    return found


class _Done:
    """What is done, and which fragments that is.

    Ctrl-C may come between any two steps: the sums and the number of results in them are one entry of a list, and so
    change together. Otherwise who goes on from there would count fragments twice, or leave them out.
    """

    def __init__(self, find: Pass[Any], values: Sequence[Any]) -> None:
        self._find = find
        self._held: list[tuple[int, Any]] = [(0, value) for value in values]  # up to FAN_IN results are not merged yet
        self._noted: list[Sequence[Fragment]] = []  # of each result, in order

    def add(self, value: Any, fragments: Sequence[Fragment]) -> None:
        """A result, or None where there is none, and what it is of."""
        self._noted.append(fragments)
        self._held.append((1, value))
        if len(self._held) > FAN_IN:
            self._merge()

    def value(self) -> Any:
        """All results, merged."""
        self._merge()
        return self._held[0][1]

    @property
    def fragments(self) -> list[Fragment]:
        """Those of all results."""
        count = sum(results for results, _ in self._held)
        return [fragment for noted in self._noted[:count] for fragment in noted]

    def _merge(self) -> None:
        values = [value for _, value in self._held if value is not None]
        self._held = [(sum(results for results, _ in self._held), self._find.merge(values))]


class _Unchanged:
    """Files that are what they were when they were opened.

    Those of this machine are looked at with every piece; others, which take a while to answer, with the last that comes.
    """

    def __init__(self, fragments: Sequence[Fragment]) -> None:
        self._fragments = fragments
        self._left = Counter(fragment.part.name for fragment in fragments)

    def check(self, read: Sequence[int]) -> None:
        """These were read."""
        self._left.subtract(self._fragments[i].part.name for i in read)
        for i in read:
            if self._fragments[i].is_near or not self._left[self._fragments[i].part.name]:
                self._fragments[i].refuse_changed()


def _note(failures: Sequence[Failure], skipped: dict[str, str] | None, fragments: Sequence[Fragment]) -> None:
    for failure in failures:
        error = failure.error
        if isinstance(error, SourceError) and error.of_file:
            if skipped is not None:
                skipped[failure.file] = str(error)
                continue
            error.one_of_several = any(fragment.part.name != failure.file for fragment in fragments)
        try:
            next(fragment for fragment in fragments if fragment.part.name == failure.file).refuse_changed()
        except ChangedError:
            raise
        except SourceError:  # a store that does not answer
            pass
        raise error
