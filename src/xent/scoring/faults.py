"""Which of the faults of some rows is named: each check names the first of its kind, here it is the first of all."""

from collections.abc import Callable
from functools import partial
from typing import Any

from xent.errors import XentError
from xent.scoring.inputs import Rows, slice_of

__all__ = ["first_fault"]


def first_fault(error: XentError, rows: Rows, check: Callable[[Rows], Any]) -> XentError:
    """The error about the first row at fault.

    Args:
        error: what was raised about the rows; it stands where the rows before the one it names have no fault.
        rows: some consecutive rows.
        check: raises about any rows at fault.
    """
    while error.row is not None and error.row > rows.place.first_row:
        try:
            check(_head(rows, error.row - rows.place.first_row))
        except XentError as other:
            if other.row is not None and other.row >= error.row:
                break
            error = other
        else:
            break
    return error


def _head(rows: Rows, stop: int) -> Rows:
    """The rows before `stop`."""
    block = rows.predictions
    return Rows(
        partial(block, stop=stop) if callable(block) else block[:stop],
        slice_of(rows.labels, 0, stop),
        None if rows.weights is None else rows.weights[:stop],
        rows.place,
        {name: column.slice(0, stop) for name, column in rows.keys.items()},
    )
