"""A pass over many fragments: an engine works on them, what comes back is merged as it comes."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from xent.engines.contract import FAN_IN, Engine, each_once
from xent.engines.local import Local
from xent.errors import SourceError
from xent.kernels.choice import numba_installed
from xent.scoring.checkpoint import Checkpoint
from xent.scoring.cluster_store import ClusterStore
from xent.scoring.cluster_sums import ClusterSums
from xent.scoring.passes import Failure, Progress, Reading, merged, one_at_a_time
from xent.scoring.sums import Sums
from xent.sources.csv_text import UnsettledError
from xent.sources.fragments import Fragment

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
        progress: told how many rows were read.
        skipped: where to note files that cannot be read, and why; None refuses them.
        checkpoint: where to keep what is done; written last where the work is stopped.
        clusters: where sums by cluster are to go, in place of the result.

    Raises:
        XentError: what is wrong with the first fragment that has something wrong.
        EngineError: a fragment could not be worked on.
    """
    if isinstance(engine, Local) and not engine.processes:
        alone = len(fragments) == 1 or engine.size == 1 or not numba_installed()
        told = None if progress is None else one_at_a_time(progress)
        reading = replace(reading, workers=engine.workers if alone else 0, progress=told)
        engine, progress = Local(1) if alone else engine, None
        if clusters is not None:
            reading = replace(reading, find=replace(reading.find, clusters=clusters))
    find, done = reading.find, list[Any]()  # what is merged, and up to FAN_IN results that are not yet
    if checkpoint is not None:
        fragments, done = checkpoint.start(find.plan, reading.reader, fragments)
    try:
        for indices, outcome in each_once(engine.run(reading, fragments, partial(merged, find)), len(fragments)):
            _note(outcome.failures, skipped)
            if outcome.value is not None:
                done.append(outcome.value if clusters is None else _without_clusters(outcome.value, clusters))
            if progress is not None:
                progress(outcome.rows)
            if len(done) > FAN_IN:
                done = [find.merge(done)]
            if checkpoint is not None:
                refused = {failure.file for failure in outcome.failures}
                checkpoint.add([fragments[i] for i in indices if fragments[i].part.name not in refused])
                if checkpoint.due:
                    done = [find.merge(done)]
                    checkpoint.write(done[0], finished=False)  # should that fail, it is tried again
    except BaseException as error:
        if checkpoint is not None:
            unsaved = checkpoint.write(find.merge(done), finished=False)
            if unsaved is not None:
                error.add_note(str(unsaved))
        raise
    return find.merge(done)


def _without_clusters(sums: Sums, clusters: ClusterStore) -> Sums:
    clusters.add(sums.clusters)
    return replace(sums, clusters=ClusterSums())


def _note(failures: Sequence[Failure], skipped: dict[str, str] | None) -> None:
    for failure in failures:
        if skipped is None or not isinstance(failure.error, SourceError) or isinstance(failure.error, UnsettledError):
            raise failure.error
        skipped[failure.file] = str(failure.error)
