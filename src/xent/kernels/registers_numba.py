"""Sums of a matrix product in registers, bfloat16 as the processor has it, and addresses, for the loops of `panels_numba`.

LLVM does not find the loops of a product by itself, so 12 × 32 of its results are written in its own language, and stay
in registers while the sum runs over k (Goto & van de Geijn 2008). Where the processor multiplies bfloat16, a step of k
is two neighbours, as one int32, else one float32; sums are float32 in both.
"""

from typing import Any, cast

import llvmlite.binding
import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

__all__ = [
    "COLUMNS",
    "LANES",
    "ROWS",
    "at",
    "available",
    "fetch",
    "join",
    "numbers_of_a_step",
    "pairs_available",
    "shortened",
    "write_sums",
]

ROWS, LANES, VECTORS = 12, 16, 2
COLUMNS = LANES * VECTORS
LINE = 16  # steps of k in a line of the cache

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


def _ask_for(builder: Any, address: Any, to_write: int = 0, level: int = 1) -> None:
    """That a line of memory come into the cache of that level, be there one or not."""
    hints = [_int32(to_write), _int32(4 - level), _int32(1)]
    builder.call(_declared(builder, _FETCH), [builder.inttoptr(address, _address), *hints])


def _products(builder: Any, sums: Any, left: Any, right: Any, pairs: bool) -> Any:
    if pairs:
        pair = [builder.bitcast(value, _bfloats) for value in (left, right)]
        return builder.call(_declared(builder, _PAIRS), [sums, *pair])
    return builder.call(_declared(builder, _SINGLE), [builder.bitcast(left, _floats), right, sums])


def _sums(
    builder: Any, left: list[Any], of_line: Any, stride: Any, right: Any, steps: Any, pairs: bool
) -> list[list[Any]]:
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
    # Meanwhile the next rows come into the second cache, a line with each step: asked for at once they would be waited for.
    below = builder.mul(builder.add(builder.and_(k, _int64(LINE - 1)), _int64(ROWS)), of_line)
    along = builder.mul(builder.and_(k, _int64(-LINE)), stride)
    _ask_for(builder, builder.add(left[0], builder.add(below, along)), level=2)
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


def _paired(dtype: Any) -> bool:
    return bool(dtype == types.int32)


def _typed_address(_: Any, numbers: Any, first: Any) -> Any:
    def generate(context: Any, builder: Any, _: Any, given: Any) -> Any:
        start, first = given
        if isinstance(numbers, types.Array):
            start = context.make_array(numbers)(context, builder, start).data
        size = _int64(context.get_abi_sizeof(context.get_data_type(numbers.dtype)))
        # As an integer: where LLVM knows how rows follow each other, it asks if any of them overlap, and gives up.
        place = builder.add(builder.ptrtoint(start, _int64), builder.mul(first, size))
        return builder.inttoptr(place, start.type)

    pointer = cast("Any", types.CPointer)(numbers.dtype)
    return pointer(numbers, types.int64), generate


def _typed_numbers(_: Any, packed: Any) -> Any:
    return types.int64(packed), lambda *_: _int64(2 if _paired(packed.dtype) else 1)


def _typed_shortened(_: Any, x: Any, like: Any) -> Any:
    def generate(_: Any, builder: Any, __: Any, given: Any) -> Any:
        if like.dtype != types.uint16:
            return given[0]
        return builder.bitcast(builder.fptrunc(given[0], _BFloat16()), ir.IntType(16))

    return like.dtype(types.float32, like), generate


def _typed_join(_: Any, to: Any, place: Any, step: Any, low: Any, high: Any) -> Any:
    def generate(context: Any, builder: Any, _: Any, given: Any) -> Any:
        to_, place, step, low, high = given
        if _paired(to.dtype):
            low, high = (builder.zext(value, _int32) for value in (low, high))
            builder.store(builder.or_(low, builder.shl(high, _int32(16))), builder.gep(to_, [place]))
        else:
            builder.store(high, builder.gep(to_, [builder.add(place, step)]))
            builder.store(low, builder.gep(to_, [place]))
        return context.get_dummy_value()

    number = types.uint16 if _paired(to.dtype) else to.dtype
    return types.void(to, types.int64, types.int64, number, number), generate


def _typed_fetch(_: Any, place: Any) -> Any:
    def generate(context: Any, builder: Any, _: Any, given: Any) -> Any:
        _ask_for(builder, builder.ptrtoint(given[0], _int64))
        return context.get_dummy_value()

    return types.void(place), generate


def _typed_sums(_: Any, left: Any, right: Any, out: Any, strides: Any, steps: Any, rows: Any, columns: Any) -> Any:
    def generate(context: Any, builder: Any, _: Any, given: Any) -> Any:
        *addresses, strides, steps, rows, columns = given
        left_, right_, out_ = (builder.ptrtoint(address, _int64) for address in addresses)
        of_line, of_step, of_row, kept = (builder.extract_value(strides, i) for i in range(4))
        last = builder.sub(rows, _int64(1))
        fits = [builder.icmp_signed("<", _int64(row), rows) for row in range(ROWS)]
        lines = [builder.select(fits[row], _int64(row), last) for row in range(ROWS)]
        starts = [builder.add(left_, builder.mul(line, of_line)) for line in lines]
        for row in range(ROWS):  # what is added to comes while the sum runs
            here = builder.add(out_, builder.mul(lines[row], of_row))
            for v in range(VECTORS):
                _ask_for(builder, builder.add(here, _int64(4 * LANES * v)), to_write=1)
        found = _sums(builder, starts, of_line, of_step, right_, steps, _paired(left.dtype))
        lanes, zeros = ir.Constant(_ints, list(range(LANES))), ir.Constant(_floats, [0.0] * LANES)
        none, results = ir.Constant(_mask, [0] * LANES), []
        for v in range(VECTORS):
            beyond = builder.sub(builder.trunc(columns, _int32), _int32(LANES * v))
            mask = builder.icmp_signed("<", lanes, _spread(builder, beyond))
            for row in range(ROWS):
                here = builder.add(out_, builder.mul(lines[row], of_row))
                address = builder.inttoptr(builder.add(here, _int64(4 * LANES * v)), _address)
                written = builder.select(fits[row], mask, none)
                read = builder.select(builder.icmp_signed("!=", kept, _int64(0)), written, none)
                old = builder.call(_declared(builder, _LOAD), [address, _int32(4), read, zeros])
                results.append((builder.fadd(found[row][v], old), address, _int32(4), written))
        for result in results:
            builder.call(_declared(builder, _STORE), result)
        return context.get_dummy_value()

    size, nested = types.int64, cast("Any", types.UniTuple)
    return types.void(left, right, out, nested(size, 4), size, size, size), generate


at: Any = intrinsic(_typed_address)
"""at(numbers, first): the address of one of an array, or of those behind an address; it is read and written as an array is.

A slice of an array asks where it ends, which takes three times as long to compile.
"""

numbers_of_a_step: Any = intrinsic(_typed_numbers)
"""numbers_of_a_step(packed): how many numbers are a step of k in this array."""

shortened: Any = intrinsic(_typed_shortened)
"""shortened(x, like): float32 as it is stored at `like`, by the processor's own rounding to bfloat16 if that is uint16."""

join: Any = intrinsic(_typed_join)
"""join(to, place, step, low, high): two numbers to `place`, as one step of bfloat16, or as two that lie `step` apart."""

fetch: Any = intrinsic(_typed_fetch)
"""fetch(address): ask for a line of memory that is read soon."""

write_sums: Any = intrinsic(_typed_sums)
"""write_sums(left, right, out, strides, steps, rows, columns): left·right at `out`, or added to it, for ROWS × COLUMNS.

Bytes from one line, step of k and row of the result to the next are in `strides`, and whether what is there is kept.
"""
