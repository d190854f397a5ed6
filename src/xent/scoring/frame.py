"""What states must have in common to be added."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from xent.errors import StateError
from xent.scoring.cluster_store import ClusterStore, without_clusters
from xent.scoring.plan import Plan, Task
from xent.scoring.sums import Sums

__all__ = ["Frame", "Keys", "gathered", "keys_of", "same_keys"]

Keys = tuple[bool, bool] | None  # whether rows have a group, and a cluster; None where there are no rows


@dataclass(frozen=True)
class Frame:
    """A state without its sums."""

    plan: Plan | None  # None: blank, without classes so far
    task: Task | None  # asked for
    options: dict[str, Any]
    unit: str | None
    keys: Keys

    def joined(self, other: "Frame", name: str | None = None) -> "Frame":
        """The frame of both; `name` is what a message calls the other, after those before it.

        Raises:
            StateError: classes, options or units differ, or only some rows have a group or cluster.
        """
        misfit = f"{name} does not fit those before it" if name else "these states do not fit together"
        if self.plan is not None and other.plan is not None and self.plan != other.plan:
            mine, theirs = self.plan.to_dict(), other.plan.to_dict()
            different = ", ".join(f"{k} {mine[k]!r} and {theirs[k]!r}" for k in mine if mine[k] != theirs[k])
            raise StateError(f"{misfit}: {different}. Score all with the same options.")
        both_blank = self.plan is None and other.plan is None
        if both_blank and (self.task, self.options) != (other.task, other.options):
            raise StateError(f"{misfit}: both are blank, and their options differ.")
        unit = other.unit if self.unit is None else self.unit
        if other.unit not in (None, unit):
            raise StateError(f"{misfit}: unit {unit!r} and {other.unit!r}. Score all with the same options.")
        one = other if self.plan is None else self
        return Frame(one.plan, one.task, one.options, unit, same_keys(self.keys, other.keys, name))


def gathered(
    parts: Iterable[tuple[str, Frame, Sums]], clusters: ClusterStore | None = None
) -> tuple[Frame | None, Sums]:
    """The frame and the sums of all parts, which are taken one by one; None without any.

    Args:
        parts: what a message calls each, its frame and its sums.
        clusters: where sums by cluster are to go, in place of the result.

    Raises:
        StateError: naming the first part that does not fit those before it.
    """
    whole: Frame | None = None

    def fitting() -> Iterator[Sums]:
        nonlocal whole
        for name, frame, sums in parts:
            whole = frame if whole is None else whole.joined(frame, name)
            yield without_clusters(sums, clusters)

    sums = Sums.gather(fitting())
    return whole, sums


def keys_of(sums: Sums) -> Keys:
    """Which keys the rows have."""
    return (bool(sums.groups), bool(sums.clusters)) if sums.rows else None


def same_keys(one: Keys, other: Keys, name: str | None = None) -> Keys:
    """The keys of both sets of rows.

    Raises:
        StateError: only some have them.
    """
    if one is None or other is None:
        return other if one is None else one
    for word, mine, theirs in zip(("group", "cluster"), one, other, strict=True):
        if mine != theirs:
            where = f"{name} does not fit those before it: " if name else ""
            raise StateError(
                f"{where}some rows have a {word} and others were added without. "
                f"Pass {word}= in every update, or in none."
            )
    return one
