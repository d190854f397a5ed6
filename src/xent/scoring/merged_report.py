"""The report of many states, of which one is in memory at a time."""

from collections.abc import Iterable, Sequence

from xent.errors import ShapeError
from xent.report.model import Report
from xent.scoring.cluster_store import ClusterStore, with_clusters
from xent.scoring.frame import gathered
from xent.scoring.memory_limit import memory_limit
from xent.scoring.state import State, parts_of
from xent.scoring.summary import summarise

__all__ = ["merged_report"]


def merged_report(
    states: Iterable[State], *, names: Sequence[str] | None, unit: str | None, max_memory: int | str | None
) -> Report:
    """What `State.merge(states, names=names).report(unit=unit)` is, bit for bit.

    Args:
        states: one after the other.
        names: what messages call them.
        unit: as in `evaluate`.
        max_memory: that sums by cluster may take, as in `scan`.

    Raises:
        StateError: naming the first that does not fit those before it.
        ShapeError: none has rows.
        OptionError: `max_memory` is no amount of memory.
    """
    with ClusterStore(memory_limit(max_memory)) as store:
        frame, sums = gathered(parts_of(states, names), store)
        if frame is None or frame.plan is None:
            raise ShapeError("there are no rows to report on: none of the states has any.")
        return summarise(frame.plan, with_clusters(sums, store), frame.unit if unit is None else unit)
