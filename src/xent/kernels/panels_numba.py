"""Matrix products of packed operands.

An operand is packed first: 12 rows of the left one, or 32 columns of the right one, lie side by side for every step of
k, so that `registers_numba` reads memory in the order in which it lies.
"""

from typing import Any

from xent.kernels.registers_numba import (
    COLUMNS,
    LANES,
    ROWS,
    at,
    fetch,
    join,
    numbers_of_a_step,
    write_sums,
)
from xent.kernels.softmax_numba import called, loop

__all__ = ["multiply", "pack_columns", "pack_rows", "product"]

Array = Any
STEPS = 256  # of k at a time: a panel of columns then stays in the first-level cache
TOGETHER = 32  # rows of which columns are packed side by side: so many streams memory is read in


@called
def product(
    left: Any, line: int, step: int, right: Any, steps: int, out: Any, out_step: int, rows: int, columns: int, kept: int
) -> None:
    """left·right into out, or added to it if `kept` is 1: operands and result are addresses.

    The left operand's numbers lie flat: `line` from one row to the next, `step` from one step of k to the next. The
    right one is packed. Callers pass np.int64: for a literal the function would be compiled once more.
    """
    for start in range(0, steps, STEPS):
        some = min(STEPS, steps - start)
        strides = (4 * line, 4 * step, 4 * out_step, 1 if start > 0 else kept)
        for j in range(0, columns, COLUMNS):
            for i in range(0, rows, ROWS):
                here = (
                    at(left, i * line + start * step),
                    at(right, j * steps + COLUMNS * start),
                    at(out, i * out_step + j),
                )
                write_sums(*here, strides, some, min(ROWS, rows - i), columns - j)


@loop
def multiply(
    left: Array,
    line: int,
    step: int,
    right: Array,
    steps: int,
    out: Array,
    out_step: int,
    rows: int,
    columns: int,
    kept: int,
) -> None:
    """`product` of arrays."""
    product(at(left, 0), line, step, at(right, 0), steps, at(out, 0), out_step, rows, columns, kept)


def pack_rows(source: Array, out: Array) -> None:
    """A right operand (lines, steps of k), the steps of each line side by side. NumPy's loops are as fast as compiled ones."""
    lines, steps = source.shape
    for first in range(0, lines, COLUMNS):
        some, panel = source[first : first + COLUMNS], out[first * steps : (first + COLUMNS) * steps]
        panel = panel.reshape(steps, COLUMNS)
        panel[:, : len(some)] = some.T
        panel[:, len(some) :] = 0


@loop
def pack_columns(source: Array, step: int, lines: int, rows: int, out: Array) -> None:
    """A right operand (rows, lines) whose lines lie side by side, of which `rows` are numbers of k, `step` apart.

    Two rows are packed at a time. Memory is asked for what comes next, since it is waited for longer than it is worked on.
    """
    numbers, none = numbers_of_a_step(out), source.dtype.type(0)
    steps = (rows + numbers - 1) // numbers
    for start in range(0, rows, TOGETHER):
        for first in range(0, lines, COLUMNS):
            for row in range(start, min(start + TOGETHER, rows), 2):
                alone, here = row + 1 == rows, row * step + first
                low, high = at(source, here), at(source, here if alone else here + step)
                to, apart = at(out, first * steps + row // numbers * COLUMNS), 0 if alone else COLUMNS
                for half in (0, LANES):
                    fetch(at(low, TOGETHER * step + half))
                    fetch(at(high, TOGETHER * step + half))
                for line in range(COLUMNS):
                    fits = line < lines - first
                    join(to, line, apart, low[line] if fits else none, none if alone or not fits else high[line])
