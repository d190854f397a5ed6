"""As many rows at a time as a vector has lanes: their sums, extremes, and whether the label is the first largest.

Spelled out in LLVM's vectors, which it lowers on any processor: no loop over rows so short compiles to anything fast.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from xent.kernels.score_numpy import SUM_TOLERANCE
from xent.kernels.temper_numpy import BETAS, CUMULANTS, NEGLIGIBLE, UNTEMPERED

__all__ = ["LANES", "MOST_CLASSES", "SPAN", "WIDTH", "Lanes", "add_powers", "look_at_columns", "look_at_rows", "opened"]

MOST_CLASSES = 16  # of rows that lie one after another
BITS = 512
LANES = {4: BITS // 32, 8: BITS // 64}  # rows of a tile, by the bytes of a number
WIDTH = LANES[4]
SPAN = 4 * WIDTH  # rows whose powers are summed before anything is made of them: between shorter loops processors stall
NEAR_1 = 1.0 - SUM_TOLERANCE, 1.0 + SUM_TOLERANCE
AHEAD = 1 << 13  # bytes of rows: processors that only fetch the next lines wait for memory half of the time

Value = Any
_1, _8, _32, _64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))


@intrinsic
def look_at_rows(_: Any, p: Any, codes: Any, first: Any, own: Any, hits: Any, smallest: Any) -> Any:
    """Look at the rows from `first` on, as many as there are lanes.

    p: (rows, classes), C order, of up to MOST_CLASSES; a tile reads MOST_CLASSES numbers from where each row begins.
    own, hits: (rows,): the label's number, float64 and at most 1; whether it is the first largest.
    smallest: (LANES,), lowered to what is least in p, and below 0 where a row's sum is not near 1.
    """
    signature = types.void(p, codes, first, own, hits, smallest)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _rows(Lanes(context, builder, p.dtype), *opened(context, builder, signature, args))
        return context.get_dummy_value()

    return signature, code


@intrinsic
def look_at_columns(_: Any, columns: Any, codes: Any, first: Any, own: Any, to: Any, hits: Any, smallest: Any) -> Any:
    """`look_at_rows` for columns anywhere in memory.

    columns: (classes,) int64: where each begins; their dtype is that of `smallest`.
    own: the numbers of the labels, from `to` on.
    """
    signature = types.void(columns, codes, first, own, to, hits, smallest)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _columns(Lanes(context, builder, smallest.dtype), *opened(context, builder, signature, args))
        return context.get_dummy_value()

    return signature, code


@intrinsic
def add_powers(_: Any, z: Any, v: Any, roots: Any, top: Any, row: Any, first: Any, last: Any, sums: Any) -> Any:
    """Of the 16 rows from `row` on what `temper_numpy.temper` sums over classes, from `first` to the one before `last`.

    z, v, roots: (classes, rows), the last exp(z / 16). top: (rows,), int32. sums: (TEMPERED · 16,).
    """
    signature = types.void(z, v, roots, top, row, first, last, sums)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _powers(Lanes(context, builder, z.dtype), *opened(context, builder, signature, args))
        return context.get_dummy_value()

    return signature, code


def opened(context: Any, builder: Any, signature: Any, args: Any) -> list[Any]:
    """Arrays as what tells their data, shape and strides; other arguments as they are."""
    return [
        context.make_array(kind)(context, builder, value) if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, args, strict=True)
    ]


class Lanes:
    """Vectors of numbers of one size."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        self.builder, self.size = builder, dtype.bitwidth
        self.count = BITS // self.size
        self.number = context.get_data_type(dtype)
        self.vector = ir.VectorType(self.number, self.count)
        self.zero = ir.Constant(self.vector, [self.number(0.0)] * self.count)

    def everywhere(self, value: Value) -> Value:
        """A number in all lanes."""
        vector = ir.Constant(ir.VectorType(value.type, self.count), ir.Undefined)
        return self.shuffled(self.builder.insert_element(vector, value, _32(0)), vector, [0] * self.count)

    def numbers_from(self, first: int) -> Value:
        """first, first + 1 …"""
        return ir.Constant(ir.VectorType(_32, self.count), [_32(first + lane) for lane in range(self.count)])

    def shuffled(self, a: Value, b: Value, lanes: list[int]) -> Value:
        """These lanes of both, those of the second counted on."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_32, len(lanes)), [_32(n) for n in lanes]))

    def smaller(self, a: Value, b: Value) -> Value:
        """Lane by lane; b where a is NaN."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def where_above(self, x: Value, least: float, value: Value) -> Value:
        """`value` where x is above `least`, and 0 elsewhere."""
        border = ir.Constant(self.vector, [self.number(least)] * self.count)
        return self.builder.select(self.builder.fcmp_ordered(">", x, border), value, self.zero)

    def below_0_unless_near_1(self, least: Value, sums: Value) -> Value:
        """`least`, lane by lane, but -1 where a sum is off, or no number."""
        low, high = (ir.Constant(self.vector, [self.number(border)] * self.count) for border in NEAR_1)
        near = self.builder.and_(
            self.builder.fcmp_ordered(">=", sums, low), self.builder.fcmp_ordered("<=", sums, high)
        )
        return self.builder.select(near, least, ir.Constant(self.vector, [self.number(-1.0)] * self.count))

    def at_most_1(self, x: Value) -> Value:
        """Lane by lane, as float64."""
        kind = ir.VectorType(ir.DoubleType(), self.count)
        wide = x if self.size == 64 else self.builder.fpext(x, kind)
        one = ir.Constant(kind, [ir.DoubleType()(1.0)] * self.count)
        return self.builder.select(self.builder.fcmp_ordered("<", wide, one), wide, one)

    def load(self, data: Value, at: Value, kind: Any = None) -> Value:
        """A vector from the number at `at` on."""
        kind = kind or self.vector
        address = self.builder.bitcast(self.builder.gep(data, [at]), kind.as_pointer())
        return self.builder.load(address, align=self.size // 8)

    def store(self, vector: Value, data: Value, at: Value) -> None:
        """A vector to the number at `at` and those behind it."""
        address = self.builder.bitcast(self.builder.gep(data, [at]), vector.type.as_pointer())
        self.builder.store(vector, address, align=1)

    def added_up(self, rows: list[Value]) -> Value:
        """One vector with the sum along each: a step adds halves of two vectors, which end up side by side in one."""
        for low, high in _steps(self.count):
            rows = [
                self.builder.fadd(self.shuffled(a, b, low), self.shuffled(a, b, high))
                for a, b in zip(rows[::2], rows[1::2], strict=True)
            ]
        return rows[0]

    def fetch(self, data: Value, at: Value) -> None:
        """Ask for the cache line AHEAD of a number."""
        byte = _8.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _32, _32, _32])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        far = self.builder.gep(data, [self.builder.add(at, _64(AHEAD * 8 // self.size))])
        self.builder.call(function, [self.builder.bitcast(far, byte), _32(0), _32(3), _32(1)])


def _steps(lanes: int) -> list[list[list[int]]]:
    """Which lanes of a pair of vectors each step adds to which.

    Lanes move within 128 bits first, then these as a whole, as processors have single instructions for that.
    """
    short = lanes // 4  # lanes of 128 bits
    a, b = list(range(short)), list(range(lanes, lanes + short))
    inside = [[[a[0], b[0]], [a[1], b[1]]]]
    if short == 4:
        inside = [[[a[0], b[0], a[1], b[1]], [a[2], b[2], a[3], b[3]]], [a[:2] + b[:2], a[2:] + b[2:]]]
    whole = [[[0, 1, 4, 5], [2, 3, 6, 7]], [[0, 2, 4, 6], [1, 3, 5, 7]]]
    steps = [[[k + at for at in range(0, lanes, short) for k in half] for half in step] for step in inside]
    return steps + [[[k * short + at for k in half for at in range(short)] for half in step] for step in whole]


def _rows(lanes: Lanes, p: Any, codes: Any, first: Value, own: Any, hits: Any, smallest: Any) -> None:
    builder = lanes.builder
    classes = cgutils.unpack_tuple(builder, p.shape)[1]
    pieces = range(0, MOST_CLASSES, lanes.count)  # the vectors of a row, of which some lanes are the next row's
    everywhere = lanes.everywhere(builder.trunc(classes, _32))
    belongs = [builder.icmp_signed("<", lanes.numbers_from(piece), everywhere) for piece in pieces]
    least = lanes.load(smallest.data, _64(0))
    sums = []
    for lane in range(lanes.count):
        row = builder.add(first, _64(lane))
        start = builder.mul(row, classes)
        lanes.fetch(p.data, start)
        given = [
            builder.select(inside, lanes.load(p.data, builder.add(start, _64(piece))), lanes.zero)
            for piece, inside in zip(pieces, belongs, strict=True)
        ]
        for vector in given:
            least = lanes.smaller(vector, least)
        sums.append(given[0] if len(given) == 1 else builder.fadd(*given))
        code = builder.load(builder.gep(codes.data, [row]))
        mine = builder.load(builder.gep(p.data, [builder.add(start, code)]))
        wide = mine if lanes.size == 64 else builder.fpext(mine, ir.DoubleType())
        one = ir.DoubleType()(1.0)
        at_most_1 = builder.select(builder.fcmp_ordered("<", wide, one), wide, one)
        builder.store(at_most_1, builder.gep(own.data, [row]))
        # none is larger, and none before it as large
        before = builder.sub(builder.shl(_64(1), code), _64(1))
        against = lanes.everywhere(mine)
        as_large = builder.and_(_where(lanes, ">=", given, against), before)
        beaten = builder.or_(_where(lanes, ">", given, against), as_large)
        hit = builder.icmp_unsigned("==", beaten, _64(0))
        builder.store(builder.zext(hit, _8), builder.gep(hits.data, [row]))
    lanes.store(lanes.below_0_unless_near_1(least, lanes.added_up(sums)), smallest.data, _64(0))


def _where(lanes: Lanes, comparison: str, pieces: list[Value], other: Value) -> Value:
    """The classes for which it holds, as bits."""
    builder, found = lanes.builder, _64(0)
    for k, piece in enumerate(pieces):
        holds = builder.bitcast(builder.fcmp_ordered(comparison, piece, other), ir.IntType(lanes.count))
        found = builder.or_(found, builder.shl(builder.zext(holds, _64), _64(k * lanes.count)))
    return found


def _columns(
    lanes: Lanes, columns: Any, codes: Any, first: Value, own: Any, to: Value, hits: Any, smallest: Any
) -> None:
    builder = lanes.builder
    classes = cgutils.unpack_tuple(builder, columns.shape)[0]
    code = builder.trunc(lanes.load(codes.data, first, ir.VectorType(_64, lanes.count)), lanes.numbers_from(0).type)
    nowhere = ir.Constant(code.type, [_32(-1)] * lanes.count)
    lowest = ir.Constant(lanes.vector, [lanes.number(float("-inf"))] * lanes.count)
    values = (lanes.zero, lanes.load(smallest.data, _64(0)), lanes.zero, lowest, nowhere)
    total, least, mine, largest, at = places = [cgutils.alloca_once(builder, value.type) for value in values]
    for value, place in zip(values, places, strict=True):
        builder.store(value, place)
    with cgutils.for_range(builder, classes) as loop:
        address = builder.load(builder.gep(columns.data, [loop.index]))
        column = builder.inttoptr(address, lanes.number.as_pointer())
        vector, j = lanes.load(column, first), lanes.everywhere(builder.trunc(loop.index, _32))
        builder.store(builder.fadd(builder.load(total), vector), total)
        builder.store(lanes.smaller(vector, builder.load(least)), least)
        builder.store(builder.select(builder.icmp_signed("==", code, j), vector, builder.load(mine)), mine)
        larger = builder.fcmp_ordered(">", vector, builder.load(largest))
        builder.store(builder.select(larger, vector, builder.load(largest)), largest)
        builder.store(builder.select(larger, j, builder.load(at)), at)
    lanes.store(lanes.below_0_unless_near_1(builder.load(least), builder.load(total)), smallest.data, _64(0))
    lanes.store(lanes.at_most_1(builder.load(mine)), own.data, to)
    hit = builder.icmp_signed("==", builder.load(at), code)
    lanes.store(builder.zext(hit, ir.VectorType(_8, lanes.count)), hits.data, first)


def _powers(
    lanes: Lanes, z: Any, v: Any, roots: Any, top: Any, row: Value, first: Value, last: Value, sums: Any
) -> None:
    """A few temperatures at a time, whose sums stay in registers from class to class.

    A class's powers are taken while those of the one before are added: each step of both has to wait for the one before.
    """
    builder, node = lanes.builder, 0
    rows = cgutils.unpack_tuple(builder, z.shape)[1]
    likeliest = lanes.load(top.data, row, ir.VectorType(_32, lanes.count))
    for given, count in ((roots, UNTEMPERED), (v, len(BETAS) - UNTEMPERED)):
        found = [cgutils.alloca_once(builder, lanes.vector) for _ in range(CUMULANTS * count)]
        for total in found:
            builder.store(lanes.zero, total)

        def of_class(j: Value, given: Any = given, count: int = count) -> list[Value]:
            at = builder.add(builder.mul(j, rows), row)
            other = builder.icmp_signed("!=", likeliest, lanes.everywhere(builder.trunc(j, _32)))
            power = builder.select(other, lanes.load(given.data, at), lanes.zero)
            return [lanes.load(z.data, at), *_squares(lanes, power, count)]

        ahead = [cgutils.alloca_once(builder, lanes.vector) for _ in range(1 + count)]
        for place, value in zip(ahead, of_class(first), strict=True):
            builder.store(value, place)
        with cgutils.for_range_slice(builder, first, last, _64(1)) as (j, _):
            logit, *powers = [builder.load(place) for place in ahead]
            following = builder.add(j, _64(1))
            following = builder.select(builder.icmp_signed("<", following, last), following, j)
            for place, value in zip(ahead, of_class(following), strict=True):
                builder.store(value, place)
            for k, power in enumerate(powers):
                for total in found[k::count]:
                    builder.store(builder.fadd(builder.load(total), power), total)
                    power = builder.fmul(power, logit)
        for k, total in enumerate(found):
            place = (k // count * len(BETAS) + node + k % count) * SPAN
            lanes.store(builder.load(total), sums.data, _64(place))
        node += count


def _squares(lanes: Lanes, x: Value, count: int) -> list[Value]:
    """As temper_numpy._squares: what is left out is told from x, not to wait for each square."""
    found = [lanes.where_above(x, float(NEGLIGIBLE[0]), x)]
    for least in NEGLIGIBLE[1:count]:
        found.append(lanes.where_above(x, float(least), lanes.builder.fmul(found[-1], found[-1])))
    return found
