"""Matrix products of panels: 12 × 32 results stay in registers while the sum runs over k (Goto & van de Geijn 2008).

An operand is packed first: 12 rows of the left one, or 32 columns of the right one, lie side by side for every k.
Where the processor multiplies bfloat16, a step of k is two neighbours, packed as one int32, else one float32; sums
are float32 in both. LLVM does not find these loops by itself, so the tile is written in its own language.
"""

from typing import Any, cast

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, overload

from xent.kernels.scalars_numba import widened
from xent.kernels.softmax_numba import loop

__all__ = [
    "COLUMNS",
    "ROWS",
    "available",
    "joined",
    "multiply",
    "numbers_of_a_step",
    "pack_columns",
    "pack_rows",
    "pairs_available",
    "shortened",
]

Array = Any
ROWS, LANES, VECTORS = 12, 16, 2
COLUMNS = LANES * VECTORS
STEPS = 256  # of k at a time: a panel of columns then stays in the first-level cache
LINES = 16  # steps of k that are packed side by side: so many streams memory is read in

config: Any = numba.config
_int64, _int32, _address = ir.IntType(64), ir.IntType(32), ir.PointerType()
_floats, _ints = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(_int32, LANES)
_mask = ir.VectorType(ir.IntType(1), LANES)


class _BFloat16(ir.Type):  # type: ignore[misc]
    """LLVM's bfloat, which llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"


_bfloats = ir.VectorType(_BFloat16(), 2 * LANES)
_PAIRS = ("llvm.x86.avx512bf16.dpbf16ps.512", ir.FunctionType(_floats, [_floats, _bfloats, _bfloats]))
_SINGLE = ("llvm.fma.v16f32", ir.FunctionType(_floats, [_floats, _floats, _floats]))
_LOAD = ("llvm.masked.load.v16f32.p0", ir.FunctionType(_floats, [_address, _int32, _mask, _floats]))
_FETCH = ("llvm.prefetch.p0", ir.FunctionType(ir.VoidType(), [_address, _int32, _int32, _int32]))
_STORE = ("llvm.masked.store.v16f32.p0", ir.FunctionType(ir.VoidType(), [_floats, _address, _int32, _mask]))


def available() -> bool:
    """Whether the processor has the registers that the tile is made for."""
    return _has("avx512f")


def pairs_available() -> bool:
    """Whether it multiplies bfloat16 too."""
    return _has("avx512bf16")


def _has(feature: str) -> bool:
    chosen = config.CPU_NAME or config.CPU_FEATURES is not None  # code for another processor is asked for
    return not chosen and bool(llvmlite.binding.get_host_cpu_features().get(feature))


def _declared(builder: Any, function: tuple[str, Any]) -> Any:
    name, kind = function
    found = builder.module.globals.get(name)
    return found if found is not None else ir.Function(builder.module, kind, name)


def _spread(builder: Any, value: Any) -> Any:
    first = builder.insert_element(ir.Constant(_ints, ir.Undefined), value, _int32(0))
    return builder.shuffle_vector(first, ir.Constant(_ints, ir.Undefined), ir.Constant(_ints, [0] * LANES))


def _ask_for(builder: Any, address: Any, to_write: int) -> None:
    """That a line of memory come into the cache, be there one or not."""
    hints = [_int32(to_write), _int32(3), _int32(1)]
    builder.call(_declared(builder, _FETCH), [builder.inttoptr(address, _address), *hints])


def _products(builder: Any, sums: Any, left: Any, right: Any, pairs: bool) -> Any:
    if pairs:
        pair = [builder.bitcast(value, _bfloats) for value in (left, right)]
        return builder.call(_declared(builder, _PAIRS), [sums, *pair])
    return builder.call(_declared(builder, _SINGLE), [builder.bitcast(left, _floats), right, sums])


def _sums(builder: Any, left: list[Any], stride: Any, right: Any, steps: Any, pairs: bool) -> list[list[Any]]:
    """The loop over k: ROWS × VECTORS vectors of sums."""
    before, body, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(body)
    builder.position_at_end(body)
    k, a, b = builder.phi(_int64), builder.phi(_int64), builder.phi(_int64)
    sums = [[builder.phi(_floats) for _ in range(VECTORS)] for _ in range(ROWS)]
    columns = [
        builder.load(builder.inttoptr(builder.add(b, _int64(4 * LANES * v)), _floats.as_pointer()), align=64)
        for v in range(VECTORS)
    ]
    found = []
    for row in range(ROWS):
        one = builder.load(builder.inttoptr(builder.add(left[row], a), _int32.as_pointer()), align=4)
        spread = _spread(builder, one)
        found.append([_products(builder, sums[row][v], spread, columns[v], pairs) for v in range(VECTORS)])
    zero, one = _int64(0), _int64(1)
    for phi, start, step in ((k, zero, one), (a, zero, stride), (b, right, _int64(4 * COLUMNS))):
        phi.add_incoming(start, before)
        phi.add_incoming(builder.add(phi, step), body)
    for row in range(ROWS):
        for v in range(VECTORS):
            sums[row][v].add_incoming(ir.Constant(_floats, [0.0] * LANES), before)
            sums[row][v].add_incoming(found[row][v], body)
    builder.cbranch(builder.icmp_signed("<", builder.add(k, _int64(1)), steps), body, after)
    builder.position_at_end(after)
    return found


def numbers_of_a_step(packed: Any) -> Any:
    """How many numbers are a step of k in this array."""


def joined(low: Any, high: Any, like: Any) -> Any:
    """A step of k as it is stored where `like` is: the number `low`, or `low` and `high` of bfloat16."""


def shortened(x: Any, like: Any) -> Any:
    """A float32 as it is stored where `like` is, by the processor's own rounding to bfloat16 where that is uint16."""


def _typed_bfloat16(_: Any, x: Any) -> Any:
    def generate(_: Any, builder: Any, __: Any, given: Any) -> Any:
        return builder.bitcast(builder.fptrunc(given[0], _BFloat16()), ir.IntType(16))

    return types.uint16(x), generate


_as_bfloat16: Any = intrinsic(_typed_bfloat16)


def _short(x: Any, like: Any) -> Any:
    return _as_bfloat16(x)


def _pair(low: Any, high: Any, like: Any) -> Any:
    return np.int32(low) | np.int32(high) << np.int32(16)


def _alone(low: Any, high: Any, like: Any) -> Any:
    return widened(low)


overload(numbers_of_a_step)(lambda packed: (lambda packed: 2) if _paired(packed.dtype) else (lambda packed: 1))
overload(shortened, strict=False)(lambda x, like: _short if like == types.uint16 else (lambda x, like: x))
overload(joined, strict=False)(lambda low, high, like: _pair if _paired(like) else _alone)


def _paired(dtype: Any) -> bool:
    return bool(dtype == types.int32)


def _typed_tile(
    _: Any, like: Any, left: Any, right: Any, out: Any, strides: Any, steps: Any, rows: Any, columns: Any
) -> Any:
    """left·right into out, or added to it: addresses, their strides, sizes; `like` is an array of the operands' dtype."""

    def generate(context: Any, builder: Any, __: Any, given: Any) -> Any:
        _, left, right, out, strides, steps, rows, columns = given
        of_line, of_step, of_row, kept = (builder.extract_value(strides, i) for i in range(4))
        last = builder.sub(rows, _int64(1))
        fits = [builder.icmp_signed("<", _int64(row), rows) for row in range(ROWS)]
        lines = [builder.select(fits[row], _int64(row), last) for row in range(ROWS)]
        starts = [builder.add(left, builder.mul(line, of_line)) for line in lines]
        for row in range(ROWS):  # what is added to comes while the sum runs
            here = builder.add(out, builder.mul(lines[row], of_row))
            for v in range(VECTORS):
                _ask_for(builder, builder.add(here, _int64(4 * LANES * v)), to_write=1)
        found = _sums(builder, starts, of_step, right, steps, _paired(like.dtype))
        lanes, zeros = ir.Constant(_ints, list(range(LANES))), ir.Constant(_floats, [0.0] * LANES)
        none, results = ir.Constant(_mask, [0] * LANES), []
        for v in range(VECTORS):
            beyond = builder.sub(builder.trunc(columns, _int32), _int32(LANES * v))
            mask = builder.icmp_signed("<", lanes, _spread(builder, beyond))
            for row in range(ROWS):
                here = builder.add(out, builder.mul(lines[row], of_row))
                address = builder.inttoptr(builder.add(here, _int64(4 * LANES * v)), _address)
                written = builder.select(fits[row], mask, none)
                read = builder.select(builder.icmp_signed("!=", kept, _int64(0)), written, none)
                old = builder.call(_declared(builder, _LOAD), [address, _int32(4), read, zeros])
                results.append((builder.fadd(found[row][v], old), address, _int32(4), written))
        for result in results:
            builder.call(_declared(builder, _STORE), result)
        return context.get_dummy_value()

    size, nested = types.int64, cast("Any", types.UniTuple)
    return types.void(like, size, size, size, nested(size, 4), size, size, size), generate


_tile: Any = intrinsic(_typed_tile)


def _typed_fetch(_: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, __: Any, given: Any) -> Any:
        _ask_for(builder, given[0], to_write=0)
        return context.get_dummy_value()

    return types.void(types.int64), generate


_fetch: Any = intrinsic(_typed_fetch)


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
    """left·right into out, or added to it if `kept` is 1.

    The left operand's numbers lie flat: `line` from one row to the next, `step` from one step of k to the next. The
    right one is packed. Callers pass np.int64: for a literal the function would be compiled once more.
    """
    a, b, c = np.int64(left.ctypes.data), np.int64(right.ctypes.data), np.int64(out.ctypes.data)
    for start in range(0, steps, STEPS):
        some = min(STEPS, steps - start)
        strides = (4 * line, 4 * step, 4 * out_step, 1 if start > 0 else kept)
        for j in range(0, columns, COLUMNS):
            right_panel = b + 4 * COLUMNS * (j // COLUMNS * steps + start)
            for i in range(0, rows, ROWS):
                left_panel, to = a + 4 * (i * line + start * step), c + 4 * (i * out_step + j)
                _tile(left, left_panel, right_panel, to, strides, some, min(ROWS, rows - i), columns - j)


@loop
def pack_rows(source: Array, step: int, lines: int, steps: int, out: Array) -> None:
    """A right operand whose lines lie `step` apart, the steps of k of each side by side."""
    for first in range(0, lines, COLUMNS):
        panel, fits = out[first * steps : (first + COLUMNS) * steps], min(COLUMNS, lines - first)
        whole = fits // 4 * 4
        for line in range(0, whole, 4):  # four at a time: their stores become one
            start = (first + line) * step
            a, b = source[start : start + steps], source[start + step : start + step + steps]
            start += 2 * step
            c, d = source[start : start + steps], source[start + step : start + step + steps]
            for k in range(steps):
                at = k * COLUMNS + line
                panel[at], panel[at + 1] = widened(a[k]), widened(b[k])
                panel[at + 2], panel[at + 3] = widened(c[k]), widened(d[k])
        for line in range(whole, COLUMNS):
            row = source[(first + line if line < fits else first) * step :]
            for k in range(steps):
                panel[k * COLUMNS + line] = widened(row[k]) if line < fits else 0


@loop
def pack_columns(source: Array, step: int, lines: int, rows: int, out: Array) -> None:
    """A right operand whose lines lie side by side; the source's rows, `step` apart, are k.

    Memory is asked for what comes next, since it is waited for longer than it is worked on.
    """
    numbers = numbers_of_a_step(out)
    steps, address = -(-rows // numbers), np.int64(source.ctypes.data)
    beside = step * source.itemsize if numbers > 1 else 4 * LANES  # to the other half of what is packed at a time
    for start in range(0, steps, LINES):
        for first in range(0, lines, COLUMNS):
            fits, panel = min(COLUMNS, lines - first), out[first * steps : (first + COLUMNS) * steps]
            for k in range(start, min(start + LINES, steps)):
                at, to = k * numbers * step + first, panel[k * COLUMNS : (k + 1) * COLUMNS]
                low, high = source[at : at + fits], source[at + (numbers - 1) * step :]
                ahead = address + (at + numbers * LINES * step) * source.itemsize
                _fetch(ahead)
                _fetch(ahead + beside)
                whole = fits if (k + 1) * numbers <= rows else 0
                for line in range(whole):
                    to[line] = joined(low[line], high[line], to[line])
                for line in range(whole, fits):
                    to[line] = joined(low[line], 0, to[line])
                for line in range(fits, COLUMNS):
                    to[line] = 0
