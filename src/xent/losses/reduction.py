"""From the losses of rows to what is returned."""

import sys
from types import ModuleType
from typing import Any

from xent._arrays import Array, arrays_among, beside, constant, namespace_of
from xent.checks import losses as checks

__all__ = ["divisor", "given_denominator", "reduced", "shaped"]


def reduced(loss: Array, shape: tuple[int, ...], reduction: str, denominator: Any) -> Array:
    """The loss per row in the rows' own shape, its sum, or its sum over the denominator."""
    if reduction == "none":
        return shaped(loss, shape)
    total = namespace_of(loss).sum(loss)
    return total if reduction == "sum" else total / divisor(loss, denominator)


def shaped(of_rows: Array, shape: tuple[int, ...]) -> Array:
    """What was computed of each row, in the rows' own shape."""
    return of_rows if tuple(of_rows.shape) == shape else namespace_of(of_rows).reshape(of_rows, shape)


def given_denominator(value: Any, counted: Any, like: Array, adapter: ModuleType) -> Any:
    """The denominator that the caller gave, beside `like`; checked against what counts where both can be read."""
    if arrays_among(value):
        value = beside("denominator", value, like)
    if adapter.readable(like, *arrays_among(value, counted)):
        checks.denominator(constant(value), constant(counted))
    return value


def divisor(loss: Array, denominator: Any) -> Any:
    """The denominator, and 1 for 0: where nothing was counted, the sum is 0 and so is the mean."""
    if _is_number(denominator):
        return denominator if denominator else 1.0
    denominator = beside("denominator", denominator, loss)
    return namespace_of(loss).where(denominator == 0, 1.0, denominator)


def _is_number(value: Any) -> bool:
    """Whether a value is a number of Python's, or one that stands in `torch.export` for a size to come."""
    torch = sys.modules.get("torch")
    return isinstance(value, int | float) or (torch is not None and isinstance(value, (torch.SymInt, torch.SymFloat)))
