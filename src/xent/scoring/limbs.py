"""Exact sums as int64 limbs, which processes add without knowing what they are.

An integer of any size is cut into limbs of 40 bits, each in an int64, so that 2^23 processes can add theirs before one
overflows. Limbs that are 0 in every number of a field everywhere, such as the thousand bits below the last of a sum, are
left out: a `Layout` says which, and which keys there are. All processes have to use the same one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.scoring.sums import CLUSTER_FIELDS, MEAN_FIELDS, Sums

__all__ = ["Layout", "common_layout", "from_limbs", "layout_of", "to_limbs"]

LIMB_BITS, LIMB_BYTES = 40, 5
Int64 = NDArray[np.int64]
Span = tuple[int, int]  # the lowest bit that is 1 in any number, and one above the highest; equal if all numbers are 0
Numbers = dict[Any, tuple[int, ...]]  # by key

_WIDTHS = {"groups": len(MEAN_FIELDS), "clusters": len(CLUSTER_FIELDS)}  # numbers for each key; 1 elsewhere
_BLANK = Sums()
_FIELDS = tuple(f.name for f in fields(Sums) if isinstance(getattr(_BLANK, f.name), int | dict))
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
        {name: [_span(v[i] for v in of_key.values()) for i in range(_width(name))] for name, of_key in numbers.items()},
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
    parts = []
    for name in _FIELDS:
        numbers, none = _numbers(sums, name), (0,) * _width(name)
        rows = [numbers.get(key, none) for key in layout.keys[name]]
        parts += [_cut([row[i] for row in rows], span) for i, span in enumerate(layout.spans[name])]
    return np.concatenate(parts)


def from_limbs(limbs: Int64, layout: Layout) -> dict[str, Any]:
    """The fields of `Sums` of which `limbs` (limbs,) are the sum over any processes."""
    found: dict[str, Any] = {}
    start = 0
    for name in _FIELDS:
        keys, columns = layout.keys[name], []
        for span in layout.spans[name]:
            size = len(keys) * _limbs(span)
            columns.append(_assembled(limbs[start : start + size], len(keys), span))
            start += size
        if name in _SINGLE:
            found[name] = columns[0][0]
        elif name in _WIDTHS:
            found[name] = dict(zip(keys, zip(*columns, strict=True), strict=True))
        else:
            found[name] = {key: value for key, value in zip(keys, columns[0], strict=True) if value}
    return found


def _numbers(sums: Sums, name: str) -> Numbers:
    value = getattr(sums, name)
    if name in _SINGLE:
        return {0: (value,)}
    return value if name in _WIDTHS else {key: (number,) for key, number in value.items()}


def _width(name: str) -> int:
    return _WIDTHS.get(name, 1)


def _span(numbers: Iterable[int]) -> Span:
    ones = reduce(or_, map(abs, numbers), 0)
    return ((ones & -ones).bit_length() - 1, ones.bit_length()) if ones else (0, 0)


def _joined(spans: Iterable[Span]) -> Span:
    used = [span for span in spans if span[1]]
    return (min(low for low, _ in used), max(high for _, high in used)) if used else (0, 0)


def _limbs(span: Span) -> int:
    return -((span[0] - span[1]) // LIMB_BITS)


def _cut(numbers: list[int], span: Span) -> Int64:
    """(numbers,) integers → (numbers·limbs,), the lowest limb first, each with the sign of its number."""
    limbs = _limbs(span)
    text = b"".join((abs(number) >> span[0]).to_bytes(limbs * LIMB_BYTES, "little") for number in numbers)
    padded = np.zeros((len(numbers), limbs, 8), np.uint8)
    padded[..., :LIMB_BYTES] = np.frombuffer(text, np.uint8).reshape(len(numbers), limbs, LIMB_BYTES)
    sign = np.array([-1 if number < 0 else 1 for number in numbers], np.int64)
    return (padded.view("<i8")[..., 0] * sign[:, None]).ravel()


def _assembled(limbs: Int64, count: int, span: Span) -> list[int]:
    """(count·limbs,) sums of limbs → the `count` integers."""
    size = _limbs(span)
    carried = np.zeros((count, size + 1), np.int64)
    carried[:, :size] = limbs.reshape(count, size)
    for i in range(size):
        carried[:, i + 1] += carried[:, i] >> LIMB_BITS
        carried[:, i] &= (1 << LIMB_BITS) - 1
    low = np.ascontiguousarray(carried[:, :size].astype("<i8")).view(np.uint8).reshape(count, size, 8)
    text = np.ascontiguousarray(low[..., :LIMB_BYTES]).tobytes()
    return [
        (int.from_bytes(one, "little") + (high << (size * LIMB_BITS))) << span[0]
        for one, high in zip(_pieces(text, count, size * LIMB_BYTES), carried[:, size].tolist(), strict=True)
    ]


def _pieces(text: bytes, count: int, size: int) -> Iterator[bytes]:
    return (text[i * size : (i + 1) * size] for i in range(count))
