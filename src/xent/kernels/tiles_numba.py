"""Rows of few classes, as many at a time as a vector has lanes: their sums, extremes, and whether the label is the largest.

Spelled out in LLVM's vectors, which it lowers on any processor: no loop over rows so short compiles to anything fast.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

__all__ = ["LANES", "MOST_CLASSES", "look_at_tile"]

MOST_CLASSES = 16
BITS = 512
LANES = {4: BITS // 32, 8: BITS // 64}  # rows of a tile, by the size of a number
AHEAD = 1 << 13  # bytes: processors that only fetch the next lines wait for memory half of the time

Value = Any
_8, _32, _64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


@intrinsic
def look_at_tile(_: Any, p: Any, codes: Any, first: Any, own: Any, hits: Any, totals: Any, smallest: Any) -> Any:
    """Look at the rows from `first` on, as many as there are lanes.

    p: (rows, classes), C order, of up to MOST_CLASSES; a tile reads MOST_CLASSES numbers from where each row begins.
    own, hits, totals: (rows,): the label's number; whether it is the first largest; the row's sum, in any order.
    smallest: (LANES,), lowered to what is least in p.
    """
    result = types.void(p, codes, first, own, hits, totals, smallest)
    size = p.dtype.bitwidth

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, value) if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, args, strict=True)
        ]
        _Tile(builder, context.get_data_type(p.dtype), size, *arrays).look()
        return context.get_dummy_value()

    return result, code


class _Tile:
    """The code of one tile."""

    def __init__(
        self,
        builder: Any,
        number: Any,
        size: int,
        p: Any,
        codes: Any,
        first: Any,
        own: Any,
        hits: Any,
        totals: Any,
        smallest: Any,
    ) -> None:
        self.builder, self.size, self.lanes = builder, size, BITS // size
        self.number, self.vector = number, ir.VectorType(number, self.lanes)
        self.p, self.codes, self.first = p, codes, first
        self.own, self.hits, self.totals, self.smallest = own, hits, totals, smallest
        self.classes = cgutils.unpack_tuple(builder, p.shape)[1]
        self.pieces = range(MOST_CLASSES // self.lanes)  # vectors of a row
        self.belongs = [self._belongs(piece) for piece in self.pieces]

    def look(self) -> None:
        """All of it."""
        sums = []
        smallest = self._load(self.smallest, _64(0))
        for lane in range(self.lanes):
            row = self.builder.add(self.first, _64(lane))
            start = self.builder.mul(row, self.classes)
            self._fetch_ahead(start)
            pieces = [
                self.builder.select(self.belongs[k], self._load(self.p, start, _64(k * self.lanes)), self._zero())
                for k in self.pieces
            ]
            for piece in pieces:
                smallest = self.builder.select(self.builder.fcmp_ordered("<", piece, smallest), piece, smallest)
            sums.append(pieces[0] if len(pieces) == 1 else self.builder.fadd(*pieces))
            self._judge(row, start, pieces)
        self._store(self.smallest, _64(0), smallest)
        self._store(self.totals, self.first, self._added_up(sums))

    def _judge(self, row: Value, start: Value, pieces: list[Value]) -> None:
        """The label is the first largest if no number is larger, and none before it as large."""
        builder = self.builder
        code = builder.load(builder.gep(self.codes.data, [row]))
        mine = builder.load(builder.gep(self.p.data, [builder.add(start, code)]))
        builder.store(
            mine if self.size == 64 else builder.fpext(mine, ir.DoubleType()), builder.gep(self.own.data, [row])
        )
        everywhere = self._everywhere(mine, self.number)
        before = builder.sub(builder.shl(_64(1), code), _64(1))
        larger = self._where(">", pieces, everywhere)
        as_large = builder.and_(self._where(">=", pieces, everywhere), before)
        hit = builder.icmp_unsigned("==", builder.or_(larger, as_large), _64(0))
        builder.store(builder.zext(hit, _8), builder.gep(self.hits.data, [row]))

    def _where(self, comparison: str, pieces: list[Value], other: Value) -> Value:
        """The classes for which it holds, as bits."""
        found = _64(0)
        for k, piece in enumerate(pieces):
            lanes = self.builder.bitcast(
                self.builder.fcmp_ordered(comparison, piece, other), ir.IntType(self.lanes)
            )
            bits = self.builder.shl(self.builder.zext(lanes, _64), _64(k * self.lanes))
            found = self.builder.or_(found, bits)
        return found

    def _added_up(self, rows: list[Value]) -> Value:
        """One vector with the sum along each: a step adds halves of two vectors, which end up side by side in one."""
        for low, high in _steps(self.lanes):
            rows = [
                self.builder.fadd(self._shuffled(a, b, low), self._shuffled(a, b, high))
                for a, b in zip(rows[::2], rows[1::2], strict=True)
            ]
        return rows[0]

    def _belongs(self, piece: int) -> Value:
        """Which lanes of a row's piece are the row's own, not the next one's."""
        lanes = ir.VectorType(_32, self.lanes)
        numbers = ir.Constant(lanes, [_32(piece * self.lanes + lane) for lane in range(self.lanes)])
        return self.builder.icmp_signed("<", numbers, self._everywhere(self.builder.trunc(self.classes, _32), _32))

    def _everywhere(self, value: Value, number: Any) -> Value:
        vector = ir.Constant(ir.VectorType(number, self.lanes), ir.Undefined)
        vector = self.builder.insert_element(vector, value, _32(0))
        return self._shuffled(vector, vector, [0] * self.lanes)

    def _zero(self) -> Value:
        return ir.Constant(self.vector, [self.number(0.0)] * self.lanes)

    def _shuffled(self, a: Value, b: Value, lanes: list[int]) -> Value:
        mask = ir.Constant(ir.VectorType(_32, len(lanes)), [_32(lane) for lane in lanes])
        return self.builder.shuffle_vector(a, b, mask)

    def _address(self, array: Any, *index: Value) -> Value:
        at = index[0] if len(index) == 1 else self.builder.add(*index)
        return self.builder.bitcast(self.builder.gep(array.data, [at]), self.vector.as_pointer())

    def _load(self, array: Any, *index: Value) -> Value:
        return self.builder.load(self._address(array, *index), align=self.size // 8)

    def _store(self, array: Any, index: Value, vector: Value) -> None:
        self.builder.store(vector, self._address(array, index), align=self.size // 8)

    def _fetch_ahead(self, start: Value) -> None:
        byte = _8.as_pointer()
        fetch = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(ir.VoidType(), [byte, _32, _32, _32]), "llvm.prefetch.p0"
        )
        far = self.builder.add(start, _64(AHEAD * 8 // self.size))
        address = self.builder.bitcast(self.builder.gep(self.p.data, [far]), byte)
        self.builder.call(fetch, [address, _32(0), _32(3), _32(1)])


def _steps(lanes: int) -> list[tuple[list[int], list[int]]]:
    """Which lanes of a pair of vectors (those of the second count on) each step adds to which.

    Lanes move within 128 bits first, then these as a whole, as processors have single instructions for that.
    """
    short = lanes // 4  # lanes of 128 bits
    a, b = [list(range(first, first + short)) for first in (0, lanes)]
    inside = [((a[0], b[0]), (a[1], b[1]))]
    if short == 4:
        inside = [((a[0], b[0], a[1], b[1]), (a[2], b[2], a[3], b[3])), ((*a[:2], *b[:2]), (*a[2:], *b[2:]))]
    whole = [((0, 1, 4, 5), (2, 3, 6, 7)), ((0, 2, 4, 6), (1, 3, 5, 7))]
    steps = [tuple([k + at for at in range(0, lanes, short) for k in half] for half in step) for step in inside]
    steps += [tuple([k * short + at for k in half for at in range(short)] for half in step) for step in whole]
    return steps  # type: ignore[return-value]
