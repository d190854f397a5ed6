"""From the losses of rows to what is returned."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from xent._arrays import Array, arrays_among, beside, constant, namespace_of
from xent.checks import losses as checks

__all__ = ["divisor", "reduced", "shaped", "some_count"]


def reduced(loss: Array, shape: tuple[int, ...], reduction: str, counted: Any) -> Array:
    """The loss per row in the rows' own shape, its sum, or its sum over what is counted; 0 where that is nothing."""
    if reduction == "none":
        return shaped(loss, shape)
    total = namespace_of(loss).sum(loss)
    return total if reduction == "sum" else total / _or_one(counted, counted != 0, loss)


def shaped(of_rows: Array, shape: tuple[int, ...]) -> Array:
    """What was computed of each row, in the rows' own shape."""
    return of_rows if tuple(of_rows.shape) == shape else namespace_of(of_rows).reshape(of_rows, shape)


def divisor(
    given: Any, counted: Any, counts: Callable[[], Any], like: Array, adapter: ModuleType, checked: bool
) -> Any:
    """What the mean divides by, beside `like`: the denominator given, else what is counted.

    1 where no row counts: the sum is 0 there, and so is the mean. Where rows count, 0 is refused if it can be read, and
    divides their sum if not.
    """
    value = counted if given is None else given
    if not _is_number(value):
        value = beside("denominator", value, like)
        checks.one_number("denominator", value)
        value = namespace_of(value).reshape(value, ())
    if not adapter.readable(like, *arrays_among(value)):
        return _or_one(value, counts(), like)
    number = float(constant(value))
    if number == 0.0 and not counts():
        return 1.0
    if checked:
        checks.denominator(number, given is not None)
    return value


def some_count(weight: Array | None, labels: Array | None, rows: int) -> Any:
    """Whether there is a row that is not skipped, and weighs anything."""
    if weight is None and labels is None:
        return rows > 0
    there = weight != 0 if labels is None else labels >= 0
    if weight is not None and labels is not None:
        there = there & (weight != 0)
    return namespace_of(there).any(there)


def _or_one(value: Any, some: Any, like: Array) -> Any:
    """The value, and 1 where `some` is not so."""
    if not arrays_among(some):
        return value if some else 1.0
    return namespace_of(some).where(some, beside("denominator", value, like), 1.0)


def _is_number(value: Any) -> bool:
    """Whether a value is a number of Python's, or one that stands in `torch.export` for a size to come."""
    torch = sys.modules.get("torch")
    return isinstance(value, int | float) or (torch is not None and isinstance(value, (torch.SymInt, torch.SymFloat)))
