"""All numbers of some sums as one array of int64 limbs, which processes add without knowing what they are.

Limbs that are 0 in every number of a field everywhere, such as the thousand bits below the last of a sum, are left out:
a `Layout` says which, and which keys there are. All processes have to use the same one.
"""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.scoring.cluster_sums import ClusterSums
from xent.scoring.limbs import Span, integers_of, limbs_of, span_of
from xent.scoring.sums import CLUSTER_FIELDS, MEAN_FIELDS, Sums

__all__ = ["Layout", "common_layout", "from_limbs", "layout_of", "to_limbs"]

Int64 = NDArray[np.int64]
Numbers = dict[Any, tuple[int, ...]]  # by key

_WIDTHS = {"groups": len(MEAN_FIELDS), "clusters": len(CLUSTER_FIELDS)}  # numbers for each key; 1 elsewhere
_BLANK = Sums()
_FIELDS = tuple(f.name for f in fields(Sums) if isinstance(getattr(_BLANK, f.name), int | dict | ClusterSums))
_SINGLE = frozenset(name for name in _FIELDS if isinstance(getattr(_BLANK, name), int))


class Layout(NamedTuple):
    """Where each number is among the limbs."""

    keys: dict[str, list[Any]]  # by field, sorted
    spans: dict[str, list[Span]]  # by field, of each of its numbers


def layout_of(sums: Sums) -> Layout:
    """The layout that these sums need."""
    numbers = {name: _numbers(sums, name) for name in _FIELDS}
    return Layout(
        {name: sorted(of_key) for name, of_key in numbers.items()},
        {
            name: [span_of(v[i] for v in of_key.values()) for i in range(_width(name))]
            for name, of_key in numbers.items()
        },
    )


def common_layout(layouts: list[Layout]) -> Layout:
    """The layout that holds the sums of each."""
    return Layout(
        {name: sorted(set().union(*(one.keys[name] for one in layouts))) for name in _FIELDS},
        {
            name: [_joined(spans) for spans in zip(*(one.spans[name] for one in layouts), strict=True)]
            for name in _FIELDS
        },
    )


def to_limbs(sums: Sums, layout: Layout) -> Int64:
    """All numbers of the sums: (limbs,)."""
    parts: list[Int64] = []
    for name in _FIELDS:
        numbers, none = _numbers(sums, name), (0,) * _width(name)
        rows = [numbers.get(key, none) for key in layout.keys[name]]
        for i, span in enumerate(layout.spans[name]):
            parts += limbs_of([row[i] for row in rows], span).values()
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def from_limbs(limbs: Int64, layout: Layout) -> dict[str, Any]:
    """The fields of `Sums` of which `limbs` (limbs,) are the sum over any processes."""
    found: dict[str, Any] = {}
    start = 0
    for name in _FIELDS:
        keys, columns = layout.keys[name], []
        for low, stop in layout.spans[name]:
            size = len(keys) * (stop - low)
            given = limbs[start : start + size].reshape(stop - low, len(keys))
            columns.append(integers_of(dict(enumerate(given, low)), len(keys)))
            start += size
        if name in _SINGLE:
            found[name] = columns[0][0]
        elif name in _WIDTHS:
            found[name] = dict(zip(keys, zip(*columns, strict=True), strict=True))
        else:
            found[name] = {key: value for key, value in zip(keys, columns[0], strict=True) if value}
    return found | {"clusters": ClusterSums.of(found["clusters"])}


def _numbers(sums: Sums, name: str) -> Numbers:
    value = getattr(sums, name)
    if name in _SINGLE:
        return {0: (value,)}
    return dict(value.items()) if name in _WIDTHS else {key: (number,) for key, number in value.items()}


def _width(name: str) -> int:
    return _WIDTHS.get(name, 1)


def _joined(spans: Iterable[Span]) -> Span:
    used = [span for span in spans if span[1]]
    return (min(low for low, _ in used), max(high for _, high in used)) if used else (0, 0)
