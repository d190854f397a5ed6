"""Which groups differ from the rest, in which direction, and whether that can be chance."""

import math
from typing import Any, NamedTuple

import numpy as np

from xent.scoring import exact
from xent.scoring.keyed import key_of
from xent.scoring.sums import Keyed, Sums
from xent.scoring.tails import benjamini_hochberg, t_tails
from xent.scoring.uncertainty import MeanSums, Uncertain, mean_of_sums

__all__ = ["Group", "groups_of"]

SMALL = 30  # rows: smaller groups are pooled
LEVEL = 0.05


class Group(NamedTuple):
    """One group against the rest, nats."""

    name: Any  # its value; None for rows without one
    pooled: int  # how many small groups this is; 0 if it is one
    found: Uncertain
    rows: int
    infinite: int
    share: float | None  # of the loss
    difference: float | None  # its loss − that of the rest
    p_value: float | None
    adjusted_p_value: float | None  # Benjamini–Hochberg over the groups

    @property
    def direction(self) -> str | None:
        """ "worse" or "better" than the rest; None where that may be chance."""
        if self.adjusted_p_value is None or self.adjusted_p_value >= LEVEL or self.difference is None:
            return None
        return "worse" if self.difference > 0.0 else "better"


def groups_of(sums: Sums) -> tuple[Group, ...] | None:
    """Groups of SMALL rows and more, those first that cost most beyond their share; then the small ones as one."""
    if not sums.groups:
        return None
    large = {text: MeanSums(*v) for text, v in sums.groups.items() if v[0] >= SMALL}
    small = [text for text in sums.groups if text not in large]
    if len(small) == 1:
        text = small.pop()
        large[text] = MeanSums(*sums.groups[text])
    robust = _Clustered(sums) if sums.clusters else None
    found = [_compared(sums, key_of(text)[0], part, robust, {text}) for text, part in large.items()]
    if small:
        pooled = MeanSums(*map(sum, zip(*(sums.groups[text] for text in small), strict=True)))
        found.append(_compared(sums, None, pooled, robust, set(small))._replace(pooled=len(small)))
    tested = [i for i, group in enumerate(found) if group.p_value is not None]
    adjusted = benjamini_hochberg([found[i].p_value or 0.0 for i in tested])
    for i, p in zip(tested, adjusted, strict=True):
        found[i] = found[i]._replace(adjusted_p_value=p)
    return tuple(sorted(found, key=_order))


def _order(group: Group) -> tuple[bool, float, str]:
    excess = (group.difference or 0.0) * group.rows
    return (group.pooled > 0, -math.inf if group.infinite else -excess, str(group.name))


def _compared(sums: Sums, name: Any, part: MeanSums, robust: "_Clustered | None", texts: set[str]) -> Group:
    own, rest = mean_of_sums(part), MeanSums.of(sums).without(part)
    share = None if sums.infinite_rows or not sums.loss else part.loss / sums.loss
    found = Group(name, 0, own, part.rows, part.infinite_rows, share, None, None, None)
    if part.infinite_rows or rest.infinite_rows or not rest.rows:
        return found
    other = mean_of_sums(rest)
    difference = own.loss - other.loss
    if robust is not None:
        interval_error, error, clusters = robust.errors(texts, part, rest)
        own = own._replace(standard_error=interval_error, interval=None, method="cluster-robust t")
        degrees: float = clusters - 1
    else:
        mine, theirs = (one.standard_error for one in (own, other))
        if mine is None or theirs is None:
            return found._replace(difference=difference)
        error = math.hypot(mine, theirs)
        degrees = _welch(mine, part.rows, theirs, rest.rows) if error else 1.0
    p = t_tails(difference / error, degrees) if error and degrees > 0 else (1.0 if difference == 0.0 else None)
    return found._replace(found=own, difference=difference, p_value=p)


def _welch(one: float, rows: int, other: float, other_rows: int) -> float:
    """Degrees of freedom of a difference of means (Welch 1947)."""
    return (one**2 + other**2) ** 2 / (one**4 / (rows - 1) + other**4 / (other_rows - 1))


class _Clustered:
    """Sums by cluster within and without a group, for errors that clusters make (Liang and Zeger 1986)."""

    def __init__(self, sums: Sums) -> None:
        self.by_group: dict[str, dict[str, Keyed]] = {}
        everywhere: dict[str, tuple[float, float]] = {}
        for text, sums_of in sorted(sums.clusters.items()):  # in an order that no split changes
            group, cluster = key_of(text)
            own = (exact.to_float(sums_of[0]), exact.to_float(sums_of[1]))
            self.by_group.setdefault(_text(group), {})[_text(cluster)] = own  # type: ignore[assignment]
            known = everywhere.get(_text(cluster), (0.0, 0.0))
            everywhere[_text(cluster)] = (known[0] + own[0], known[1] + own[1])
        self.at = {name: i for i, name in enumerate(everywhere)}
        self.weight, self.loss = np.array(list(everywhere.values())).T

    def errors(self, texts: set[str], part: MeanSums, rest: MeanSums) -> tuple[float, float, int]:
        """Standard errors of the group's mean and of its difference from the rest; and how many clusters there are."""
        weight, loss = np.zeros((2, len(self.weight)))
        for text in texts:
            for cluster, (w, s) in self.by_group.get(_text(key_of(text)[0]), {}).items():
                weight[self.at[cluster]] += w
                loss[self.at[cluster]] += s
        own = (loss - part.loss / part.weight * weight) / exact.to_float(part.weight)
        others = (self.loss - loss) - rest.loss / rest.weight * (self.weight - weight)
        both = own - others / exact.to_float(rest.weight)
        clusters, inside = len(weight), int((weight > 0.0).sum())
        one = math.sqrt(inside / max(1, inside - 1) * float(own @ own))
        return one, math.sqrt(clusters / max(1, clusters - 1) * float(both @ both)), clusters


def _text(value: Any) -> str:
    return f"{type(value).__name__}:{value}"
