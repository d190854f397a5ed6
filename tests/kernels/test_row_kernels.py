"""The row kernels against their specification in float64 and against mpmath: any row, width, dtype, layout, threads."""

import functools
import inspect
import math
import subprocess
import sys
from typing import Any, NamedTuple

import mpmath
import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xent
from xent.autodiff import arrays, sigmoid_arrays
from xent.formulas.rows import Targets
from xent.kernels import pool, rows_numba, rows_numpy, scalars_numba

DTYPES = ["float32", "float64", "bfloat16", "float16"]
WIDTHS = [1, 2, 15, 16, 17, 39, 40, 41, 64, 127, 128, 1000, 2047, 2048, 2049, 4096, 262_144]  # around vectors and parts
SUMS = {  # kernel: what it reads besides the logits, and how many numbers of each row it writes
    "normaliser": (["labels"], 3),
    "soft_spread": (["soft", "labels", "on_label", "peak"], 3),
    "entropy_spread": (["labels", "peak"], 1),
}
GRADIENTS = {
    "gradient": ["labels", "peak", "scale", "entry"],
    "soft_gradient": ["soft", "labels", "on_label", "peak", "scale", "on_soft", "entry"],
    "entropy_gradient": ["labels", "peak", "scale", "excess"],
}
each_kernels = pytest.mark.parametrize("kernels", [rows_numba, rows_numpy], ids=["numba", "numpy"])
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


# --- logits of any dtype ---------------------------------------------------------------------------


def to_dtype(values, dtype):
    """Numbers as the kernels take them; bfloat16 is uint16, cut off rather than rounded."""
    with np.errstate(over="ignore"):
        if dtype == "bfloat16":
            return (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)
        return np.asarray(values).astype(dtype)


def as_float64(z):
    with np.errstate(invalid="ignore"):  # signalling NaN
        if z.dtype == np.uint16:
            return (z.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        return z.astype(np.float64)


def wide(dtype):
    return np.dtype(np.float64 if dtype == "float64" else np.float32)


def precision(dtype):
    return 1e-13 if dtype == "float64" else 1e-6


class Case(NamedTuple):
    """What all kernels read."""

    z: Any  # (rows, classes)
    labels: Any  # (rows,), as all below but soft
    soft: Any  # (rows, classes)
    on_label: Any
    scale: Any
    on_soft: Any
    entry: Any
    excess: Any
    peak: Any = None

    def in_float64(self):
        return Case(as_float64(self.z), self.labels, *(v.astype(np.float64) for v in self[2:] if v is not None))

    def with_peak(self):
        """The peak as the specification finds it: one of the logits, so that every dtype holds it."""
        peak, *rest = np.empty((3, len(self.labels)))
        rows_numpy.normaliser(as_float64(self.z), self.labels, peak, *rest)
        return self._replace(peak=peak.astype(self.scale.dtype))


def case_of(z, labels, seed=0):
    """Any targets and factors; a seventh of the rows have no weight."""
    random, dtype = np.random.default_rng(seed), np.float64 if z.dtype == np.float64 else np.float32
    soft = np.where(random.random(z.shape) < 0.3, 0.0, random.random(z.shape)).astype(dtype)
    on_label, scale, on_soft, entry, excess = random.normal(size=(5, len(z))).astype(dtype)
    for factor in (scale, on_soft, entry):
        factor[3::7] = 0.0
    soft = np.broadcast_to(soft / soft.shape[1], z.shape)  # read-only, as the adapters give it
    return Case(z, labels, soft, np.abs(on_label), scale, on_soft, entry, excess).with_peak()


# --- running a kernel: into two buffers of different rubbish, so that nothing can be left behind ------


def sums(kernels, name, case, rubbish=(0x5A, 0xA5)):
    inputs, count = SUMS[name]
    both = []
    for byte in rubbish:
        out = np.zeros((count, len(case.z)), case.scale.dtype)
        out.view(np.uint8)[:] = byte
        getattr(kernels, name)(case.z, *(getattr(case, field) for field in inputs), *out)
        both.append(out)
    assert both[0].tobytes() == both[-1].tobytes()
    return both[0]


def slopes(kernels, name, case, rubbish=(0x5A, 0xA5)):
    both = []
    for byte in rubbish:
        out = np.zeros(case.z.shape, arrays.stored(case.z))
        out.view(np.uint8)[:] = byte
        getattr(kernels, name)(case.z, *(getattr(case, field) for field in GRADIENTS[name]), out)
        both.append(out)
    assert both[0].tobytes() == both[-1].tobytes()
    return both[0]


def specified(name, true):
    return (sums if name in SUMS else slopes)(rows_numpy, name, true, rubbish=(0x5A,))


# --- against the specification ------------------------------------------------------------------------


def assert_near(found, true, allowed, name):
    """Within `allowed`; NaN and infinities in the same places, where infinite includes what float32 cannot hold."""
    with np.errstate(over="ignore", invalid="ignore"):
        true = np.where(np.abs(true) > np.finfo(found.dtype).max, np.copysign(np.inf, true), true)
        close = np.abs(found - true) <= allowed
    same = close | (found == true) | (np.isnan(found) & np.isnan(true))
    if not same.all():
        where = np.argwhere(~same)[0]
        at = tuple(where)
        raise AssertionError(
            f"{name} at {where}: {found[at]}, not {true[at]}, ± {np.broadcast_to(allowed, same.shape)[at]}"
        )


class Room(NamedTuple):
    """What is needed to say how near is near enough: (rows, classes) each, NaN and infinities taken out."""

    u: float  # relative precision
    least: float  # absolute precision, of numbers too small for their dtype
    below: Any  # peak − z
    share: Any  # exp(z − peak)
    blur: Any  # relative precision of share: float32 cannot hold the differences better
    targets: Any
    pull: Any  # targets·below; infinite where float32 cannot hold it


def room_for(true, dtype):
    finite = np.finfo(wide(dtype))
    with np.errstate(over="ignore", invalid="ignore"):
        below = np.maximum(true.peak[:, None] - true.z, 0.0)  # of a row to skip the peak is 0
        share = np.nan_to_num(np.exp(-below))
        targets = true.soft.copy()
        known = np.flatnonzero((true.labels >= 0) & (true.labels < true.z.shape[1]))
        targets[known, true.labels[known]] += true.on_label[known]
        pull = np.where(np.isfinite(below), targets * below, 0.0)
        pull[below > finite.max] = np.inf
    below = np.where(np.isfinite(below), below, 0.0)
    u = precision(dtype)
    return Room(u, 4 * float(finite.smallest_subnormal), below, share, u * (1 + below / 8), targets, pull)


def assert_conforms(kernels, case, dtype):
    true = case.in_float64()
    room = room_for(true, dtype)
    assert_sums_conform(kernels, case, true, room)
    share, scale = room.share, np.abs(true.scale)[:, None]
    reach = room.below + np.abs(true.excess)[:, None]
    allowed = {
        "gradient": scale * (share * room.blur + room.least),
        "soft_gradient": scale * (share * room.blur + room.least)
        + room.u * np.abs(true.on_soft)[:, None] * room.targets,
        # scale·p is rounded before it meets `reach`, and may be subnormal where p is not
        "entropy_gradient": (scale * share * room.blur + np.maximum(scale, 1.0) * room.least) * reach,
    }
    for name, bound in allowed.items():
        expected, found = specified(name, true), as_float64(slopes(kernels, name, case))
        rounding = 2.0**-8 if dtype == "bfloat16" else 1e-7
        held = np.where(np.isfinite(expected), np.abs(expected), 0.0)
        bound = bound + rounding * held + (2.0**-133 if dtype == "bfloat16" else room.least)
        assert_near(found, expected, bound, name)


def assert_sums_conform(kernels, case, true, room):
    count = case.z.shape[1]
    peak, tail, label_logit = sums(kernels, "normaliser", case)
    expected = specified("normaliser", true)
    legal = ~np.isnan(expected[1])  # the tail tells that a row is none; what else is said of it, no one reads
    np.testing.assert_array_equal(peak[legal], expected[0][legal])
    np.testing.assert_array_equal(label_logit[legal], expected[2][legal])
    at_peak = np.maximum((room.share == 1.0).sum(axis=1) - 1, 0)
    away = np.where(room.share == 1.0, 0.0, room.share * room.blur).sum(axis=1)
    assert_near(tail, expected[1], away + room.u * at_peak + count * room.least, "tail")
    allowed = [room.u * values.sum(axis=1) + count * room.least for values in (room.pull, room.targets, room.targets)]
    both = sums(kernels, "soft_spread", case), specified("soft_spread", true)
    for found, expected, bound in zip(*both, allowed, strict=True):
        assert_near(found, expected, bound, "soft_spread")
    (found,), (expected,) = sums(kernels, "entropy_spread", case), specified("entropy_spread", true)
    moved = (room.share * room.below * room.blur + room.below * room.least).sum(axis=1)
    assert_near(found, expected, np.where(np.isnan(moved), 0.0, moved) + count * room.least, "entropy_spread")


def rows_of_all_kinds(dtype, classes, seed=0):
    random = np.random.default_rng(seed)
    limits = np.finfo(np.float32 if dtype == "bfloat16" else dtype)
    z = random.normal(size=(17, classes)) * 3.0
    at = random.integers(0, classes, 17)
    labels = random.integers(0, classes, 17)
    z[1] = 0.25
    z[2, [at[2], labels[2]]] = 12.0  # a tie
    z[3, labels[3]] = np.nan  # of no weight
    z[4, at[4]] = 60.0
    z[5] = -np.inf
    z[6, random.random(classes) < 0.5] = -np.inf
    z[6, at[6]] = 1.0
    z[7, at[7]] = np.nan
    z[8, -1] = np.copysign(np.nan, -1.0)
    z[9, 0] = np.inf
    z[10] = random.choice([-1.0, 1.0], classes) * float(limits.max)
    z[11] = random.normal(size=classes) * float(limits.smallest_subnormal) * 100
    z[12] = random.uniform(-110.0, 0.0, classes)
    z[13, at[13]], labels[13] = np.nan, -1
    labels[14] = classes
    z[15], labels[15] = -np.inf, np.iinfo(np.int64).min
    z[16, at[16]] = -np.inf
    return to_dtype(z, dtype), labels


@pytest.mark.parametrize("classes", WIDTHS)
@each_dtype
def test_kernels_agree_with_the_specification_at_every_width(dtype, classes):
    case = case_of(*rows_of_all_kinds(dtype, classes, seed=classes))
    for kernels in [rows_numba] if classes > 4096 else [rows_numba, rows_numpy]:
        assert_conforms(kernels, case, dtype)


@pytest.mark.parametrize("classes", WIDTHS)
@each_dtype
def test_both_ways_is_the_way_there_and_the_way_back(dtype, classes):
    """Against the specification's two kernels and the formulas between them, all in float64."""
    z, labels = rows_of_all_kinds(dtype, classes, seed=classes)
    on_nll = np.random.default_rng(classes).normal(size=len(z)).astype(arrays.wide(z))
    on_nll[::5] = 0.0
    results = []
    for byte in (0x5A, 0xA5):
        nll, out = np.zeros(len(z), arrays.wide(z)), np.zeros(z.shape, arrays.stored(z))
        for memory in (nll, out):
            memory.view(np.uint8)[:] = byte
        rows_numba.both_ways(z, labels, on_nll, nll, out)
        results.append((nll, out))
    (nll, out), (again, out_again) = results
    assert nll.tobytes() == again.tobytes()
    assert out.tobytes() == out_again.tobytes()
    true, slope = np.empty((3, len(z))), np.empty(z.shape)
    with np.errstate(all="ignore"):
        rows_numpy.normaliser(as_float64(z), labels, true[0], true[1], true[2])
        true[2] = true[0] - true[2] + np.log1p(true[1])
        scale, entry = on_nll / (1.0 + true[1]), on_nll * np.expm1(-true[2])
        rows_numpy.gradient(as_float64(z), labels, true[0], scale, entry, slope)
        assert_near(nll, true[2], 2 * precision(dtype) * np.abs(true[2]) + 1e-37, "nll")
        rounding, least = (2.0**-8, 2.0**-133) if dtype == "bfloat16" else (0.0, 1e-37)
        gap = np.nan_to_num(true[0][:, None] - as_float64(z), posinf=0.0)  # which is rounded before exp is taken
        room = (2 * precision(dtype) * (1.0 + np.abs(gap) / 8.0) + rounding) * np.abs(slope) + least
        assert_near(as_float64(out), slope, room, "gradient")


@pytest.mark.parametrize("kernels", [rows_numba, rows_numpy])
@pytest.mark.parametrize("classes", [1, 2, 10, 64, 65, 300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_ways_gives_the_sum_of_rows_that_all_have_a_class(dtype, classes, kernels):
    for rows in (1, 32, 64, 65, 200):
        random = np.random.default_rng(rows)
        z = (20.0 * random.normal(size=(rows, classes))).astype(dtype)
        labels, share = random.integers(classes, size=rows), np.full(rows, 0.3, dtype)
        nll, out = np.empty(rows, dtype), np.empty_like(z)
        total = kernels.both_ways(z, labels, share, nll, out)
        assert total == pytest.approx(math.fsum(nll.tolist()), rel=1e-14, abs=1e-300)
        for label in (-1, classes):
            labels[rows // 2] = label
            assert math.isnan(kernels.both_ways(z, labels, share, nll, out))


@st.composite
def any_rows(draw, dtype):
    """Any bits, any ordinary numbers, any mixture."""
    bits = {"float32": np.uint32, "float64": np.uint64}.get(dtype, np.uint16)
    shape = draw(st.tuples(st.integers(1, 4), st.sampled_from([1, 2, 3, 5, 16, 33, 64, 65, 70])))
    ordinary = st.floats(-120.0, 120.0, width=32).map(lambda v: int(to_dtype([v], dtype).view(bits)[0]))
    special = st.sampled_from([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38, -3e38, 1e-45, 88.0]).map(
        lambda v: int(to_dtype([v], dtype).view(bits)[0])
    )
    anything = st.integers(0, np.iinfo(bits).max)
    elements = draw(st.sampled_from([ordinary, special | ordinary, anything]))
    z = draw(hnp.arrays(bits, shape, elements=elements, fill=elements))
    labels = draw(hnp.arrays(np.int64, shape[0], elements=st.integers(-2, shape[1] + 1)))
    return z.view(np.uint16 if dtype == "bfloat16" else dtype), labels


@each_dtype
@each_kernels
@given(data=st.data(), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_kernels_agree_with_the_specification_on_any_rows(kernels, dtype, data, seed):
    assert_conforms(kernels, case_of(*data.draw(any_rows(dtype)), seed), dtype)


@each_dtype
@each_kernels
def test_kernels_agree_with_the_specification_where_a_probability_is_subnormal(kernels, dtype):
    for gap in (86.0, 88.0, 92.0, 100.0):
        z = np.full((3, 70), 33.0)
        z[:, 0] -= gap
        for seed in (0, 46, 94):
            assert_conforms(kernels, case_of(to_dtype(z, dtype), np.array([0, 1, 69]), seed), dtype)


@pytest.mark.parametrize("classes", [1, 10, 64, 65, 2049])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("name", GRADIENTS)
@each_kernels
def test_gradients_in_place_have_the_bits_of_those_out_of_place(kernels, name, dtype, classes):
    case = case_of(*rows_of_all_kinds(dtype, classes))
    apart = slopes(kernels, name, case)
    z = case.z.copy()
    getattr(kernels, name)(z, *(getattr(case, field) for field in GRADIENTS[name]), z)
    assert z.tobytes() == apart.tobytes()


@pytest.mark.parametrize("classes", [1, 10, 64, 65, 2049])
@each_dtype
@each_kernels
def test_skipped_rows_and_rows_of_no_weight_are_exactly_zero(kernels, dtype, classes):
    z = to_dtype(np.full((6, classes), np.nan), dtype)
    z[2:4] = to_dtype(np.inf, dtype)
    z[4:] = to_dtype(-np.inf, dtype)
    case = case_of(z, np.array([-1, 0, -100, classes - 1, np.iinfo(np.int64).min, 0]))
    case.scale[1::2] = case.entry[1::2] = case.on_soft[1::2] = 0.0
    for name in SUMS:
        assert (sums(kernels, name, case)[:, ::2] == 0.0).all()
    for name in GRADIENTS:
        assert (slopes(kernels, name, case) == 0.0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [2, 10_000])  # on the specification, and compiled
def test_huge_logits_cost_infinity_in_silence(dtype, rows):
    huge = np.finfo(dtype).max
    logits = np.tile(np.array([[huge, -huge, 0.0], [-huge, huge, huge]], dtype), (rows // 2, 1))
    nll, logsumexp = xent.row_statistics(logits, np.tile([1, 1], rows // 2))
    np.testing.assert_array_equal(nll[:2], np.array([np.inf, np.log(2.0)], dtype))
    np.testing.assert_array_equal(logsumexp, np.full(rows, huge))
    soft = np.tile(np.array([[0.0, 0.0, 1.0], [0.0, 0.5, 0.5]], dtype), (rows // 2, 1))
    nll, _ = xent.row_statistics(logits, soft)
    np.testing.assert_array_equal(nll[:2], np.array([huge, np.log(2.0)], dtype))
    _, gradients = xent.value_and_grad(xent.softmax_cross_entropy)(logits, soft, reduction="none")
    np.testing.assert_array_equal(gradients["logits"][:2], np.array([[1.0, 0.0, -1.0], [0.0, 0.0, 0.0]], dtype))


@pytest.mark.parametrize("classes", [1, 10, 64, 65, 2049])
@each_dtype
@each_kernels
def test_a_label_that_names_no_class_gives_nan(kernels, dtype, classes):
    z = to_dtype(np.zeros((3, classes)), dtype)
    targets = Targets(np.array([classes, classes + 1, np.iinfo(np.int64).max]))
    found = arrays.forward(z, targets, kernels, 1)
    out = np.zeros(z.shape, arrays.stored(z))
    arrays.backward(z, targets, found, *np.ones((2, 3), wide(dtype)), out, kernels, 1)
    assert np.isnan(found.statistics).all()
    assert np.isnan(as_float64(out)).all()


# --- sigmoid --------------------------------------------------------------------------------------------


def assert_sigmoid_conforms(kernels, z, dtype, seed=0):
    random = np.random.default_rng(seed)
    given = random.choice([0.0, 1.0, 0.3, 2.5], (3, z.size)).astype(wide(dtype))
    true, true_given = as_float64(z), given.astype(np.float64)
    found, expected = np.full(z.size, 77.0, wide(dtype)), np.full(z.size, 77.0)
    kernels.sigmoid_nll(z, *given[:2], found)
    rows_numpy.sigmoid_nll(true, *true_given[:2], expected)
    u, least = precision(dtype), 4 * float(np.finfo(wide(dtype)).smallest_subnormal)
    assert_near(found, expected, u * np.nan_to_num(expected) + least, "sigmoid_nll")
    out, expected = np.full(z.size, 7, arrays.stored(z)), np.full(z.size, 77.0)
    kernels.sigmoid_gradient(z, *given, out)
    rows_numpy.sigmoid_gradient(true, *true_given, expected)
    with np.errstate(over="ignore"):
        high = 1.0 / (1.0 + np.exp(-true))
        parts = true_given[2] * (true_given[1] * high + true_given[0] / (1.0 + np.exp(true)))
    allowed = u * np.nan_to_num(parts) + 8 * least
    if dtype == "bfloat16":
        allowed, out = allowed + 2.0**-8 * np.abs(expected) + 2.0**-133, as_float64(out)
    assert_near(out, expected, allowed, "sigmoid_gradient")


@each_dtype
@each_kernels
def test_sigmoid_kernels_agree_with_the_specification_over_their_range(kernels, dtype):
    limits = np.finfo(np.float32 if dtype == "bfloat16" else dtype)
    edges = [0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, limits.max, -limits.max, limits.smallest_subnormal]
    z = np.concatenate([np.repeat(edges, 40), np.linspace(-120.0, 120.0, 20_001), np.linspace(-0.01, 0.01, 2_000)])
    assert_sigmoid_conforms(kernels, to_dtype(z, dtype), dtype)


@each_dtype
@each_kernels
@given(data=st.data(), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_sigmoid_kernels_agree_with_the_specification_on_any_logits(kernels, dtype, data, seed):
    assert_sigmoid_conforms(kernels, data.draw(any_rows(dtype))[0].reshape(-1), dtype, seed)


# --- layouts, labels, threads ---------------------------------------------------------------------------


def forward_and_backward(z, targets, kernels, threads, seed=0):
    """Every number that comes out, as bytes."""
    dtype = arrays.wide(z)
    found = arrays.forward(z, targets, kernels, threads)
    out = np.full(z.shape, 77, arrays.stored(z))
    on = np.random.default_rng(seed).normal(size=(2, len(z))).astype(dtype)
    arrays.backward(z, targets, found, *on, out, kernels, threads)
    values = (*found.statistics, *found.rows, found.mass, found.at_peak, out)
    return [None if value is None else value.tobytes() for value in values]


def spaced(z):
    wide_rows = np.full((z.shape[0], z.shape[1] + 3), 9, z.dtype)
    wide_rows[:, 1:-2] = z
    return wide_rows[:, 1:-2]


def every_other(z):
    apart = np.full((2 * z.shape[0], 2 * z.shape[1]), 9, z.dtype)
    apart[::2, ::2] = z
    return apart[::2, ::2]


def in_records(z):
    """As a field of packed records: the step from row to row is no whole number of logits."""
    records = np.zeros(len(z), [("other", "u1"), ("z", z.dtype, z.shape[1:])])
    records["z"] = z
    return records["z"]


def locked(z):
    z = z.copy()
    z.flags.writeable = False
    return z


LAYOUTS = {
    "row stride": spaced,
    "negative row stride": lambda z: z[::-1].copy()[::-1],
    "negative row stride, spaced": lambda z: spaced(z[::-1])[::-1],
    "negative class stride": lambda z: z[:, ::-1].copy()[:, ::-1],
    "classes first": np.asfortranarray,
    "every other": every_other,
    "read-only": locked,
    "records": in_records,
}


@pytest.mark.parametrize("classes", [1, 10, 100])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@each_kernels
def test_any_layout_gives_the_bits_of_contiguous_rows(kernels, dtype, layout, classes):
    z, labels = (values[np.arange(17) != 10] for values in rows_of_all_kinds(dtype, classes))  # no huge ones
    soft = np.random.default_rng(1).random(z.shape).astype(wide(dtype))
    laid_out = LAYOUTS[layout](z)
    np.testing.assert_array_equal(as_float64(laid_out), as_float64(z))
    for plain, moved in [(None, None), (soft, LAYOUTS[layout](soft))]:
        on_label = None if plain is None else soft[:, 0].copy()
        expected = forward_and_backward(z, Targets(labels, plain, on_label), kernels, 1)
        found = forward_and_backward(laid_out, Targets(labels, moved, on_label), kernels, 1)
        assert found == expected


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@each_kernels
def test_rows_and_classes_may_be_broadcast(kernels, dtype):
    row, labels = to_dtype(np.random.default_rng(0).normal(size=100), dtype), np.arange(5)
    rows = np.broadcast_to(row, (5, 100))
    assert rows.strides[0] == 0
    assert forward_and_backward(rows, Targets(labels), kernels, 1) == forward_and_backward(
        rows.copy(), Targets(labels), kernels, 1
    )
    classes = np.broadcast_to(row[:5, None], (5, 100))
    assert classes.strides[1] == 0
    assert forward_and_backward(classes, Targets(labels), kernels, 1) == forward_and_backward(
        classes.copy(), Targets(labels), kernels, 1
    )


@each_kernels
def test_one_soft_row_serves_all_rows(kernels):
    random = np.random.default_rng(0)
    z, soft = random.normal(size=(6, 100)), random.random((1, 100))
    one = forward_and_backward(z, Targets(np.zeros(6, np.int64), soft), kernels, 1)
    assert one == forward_and_backward(z, Targets(None, np.repeat(soft, 6, axis=0)), kernels, 1)


@each_kernels
def test_no_rows_are_no_trouble(kernels):
    z = np.empty((0, 7), np.float32)
    for targets in (Targets(np.empty(0, np.int64)), Targets(None, np.empty((0, 7), np.float32))):
        assert forward_and_backward(z, targets, kernels, 2) == [
            None if part is None else b""
            for part in (1, 1, 1, 1, *((None, None) if targets.soft is None else (1, 1)), 1)
        ]


INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("rows", [4, 400])  # on the specification, and compiled
@pytest.mark.parametrize("integer", INTEGERS)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_labels_may_be_of_any_integer_dtype(library, integer, rows):
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(rows, 100)).astype(np.float32), random.integers(0, 100, rows)
    expected = xent.row_statistics(logits, labels)
    given = logits, labels.astype(integer)
    if library == "torch":
        given = torch.from_numpy(given[0]), torch.from_numpy(given[1])
    for mine, theirs in zip(xent.row_statistics(*given), expected, strict=True):
        np.testing.assert_allclose(np.asarray(mine), theirs, rtol=1e-6)


@pytest.mark.parametrize("rows", [4, 400])
@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_may_be_of_any_byte_order(order, rows):
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(rows, 100)).astype(np.float32), random.integers(0, 100, rows)
    swapped = logits.astype(f"{order}f4"), labels.astype(f"{order}i8")
    for mine, theirs in zip(xent.row_statistics(*swapped), xent.row_statistics(logits, labels), strict=True):
        np.testing.assert_array_equal(mine, theirs)


class Counted:
    """Kernels that say how often they were called."""

    def __init__(self, kernels):
        self.kernels, self.calls = kernels, []

    def __getattr__(self, name):
        self.calls.append(name)
        return getattr(self.kernels, name)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(pool, "GRAIN", 1 << 12)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("shape", [(13_003, 10), (2_101, 63), (1_307, 100), (9, 15_001)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@each_kernels
def test_any_number_of_threads_gives_the_same_bits(kernels, dtype, shape):
    random = np.random.default_rng(0)
    z = to_dtype(random.normal(size=shape, scale=4.0).astype(np.float32), dtype)
    labels = random.integers(-1, shape[1], shape[0])
    soft = np.broadcast_to(random.random(shape[1]).astype(wide(dtype)), shape)
    on_label = random.random(shape[0]).astype(wide(dtype))
    for targets in (Targets(labels), Targets(labels, soft[:1], on_label)):
        alone = forward_and_backward(z, targets, kernels, 1)
        for threads in (2, 3, 5, 8):
            counted = Counted(kernels)
            assert forward_and_backward(z, targets, counted, threads) == alone
            assert len(counted.calls) > 9


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@each_kernels
def test_any_number_of_threads_gives_the_same_bits_of_entropy(kernels, dtype):
    random = np.random.default_rng(0)
    z = to_dtype(random.normal(size=(1_307, 100), scale=4.0).astype(np.float32), dtype)
    on = random.random(len(z)).astype(wide(dtype))

    def everything(threads):
        entropy, rows, spread = arrays.entropy(z, kernels, threads)
        out = np.empty(z.shape, z.dtype)
        arrays.entropy_backward(z, rows, spread, on, out, kernels, threads)
        return [value.tobytes() for value in (entropy, *rows, spread, out)]

    alone = everything(1)
    assert all(everything(threads) == alone for threads in (2, 3, 5, 8))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@each_kernels
def test_any_number_of_threads_gives_the_same_bits_of_sigmoid(kernels, dtype):
    random = np.random.default_rng(0)
    z = to_dtype(random.normal(size=(1_307, 97), scale=4.0).astype(np.float32), dtype)
    yes, no, on = random.random((3, *z.shape)).astype(wide(dtype))

    def everything(threads):
        nll = sigmoid_arrays.forward(z, yes, no, kernels, threads)
        return [nll.tobytes(), sigmoid_arrays.backward(z, yes, no, on, kernels, threads).tobytes()]

    alone = everything(1)
    assert all(everything(threads) == alone for threads in (2, 3, 5, 8))


@each_kernels
def test_threads_give_the_same_bits_at_full_size(kernels):
    z = np.random.default_rng(0).normal(size=(3 * pool.GRAIN // 100, 101)).astype(np.float32)
    targets = Targets(np.zeros(len(z), np.int64))
    assert forward_and_backward(z, targets, kernels, 2) == forward_and_backward(z, targets, kernels, 1)


# --- truth by mpmath, and by exact sums where the classes are many -------------------------------------------


LEADS = [-80, -40, -20, -5, -1, -1e-3, 0, 1e-3, 1, 5, 20, 40, 60, 80]  # of the label before the best of the others


@functools.cache
def rows_by_lead(dtype, classes):
    random = np.random.default_rng(classes)
    z = as_float64(to_dtype(random.normal(size=(len(LEADS), classes)), dtype))
    labels = random.integers(0, classes, len(LEADS))
    for row, label, lead in zip(z, labels, LEADS, strict=True):
        row[label] = np.delete(row, label).max() + lead
    z = to_dtype(z, dtype)
    return z, labels, *truth(as_float64(z), labels)


def truth(z, labels):
    """nll and gradient of its sum: softmax, less 1 at the label as what it leaves to the others."""
    nll, gradient = [], np.empty(z.shape)
    for row, slope, label in zip(z, gradient, labels, strict=True):
        others = np.delete(row, label)
        if len(row) <= 1000:
            with mpmath.workdps(40):
                terms = [mpmath.exp(mpmath.mpf(v) - mpmath.mpf(row[label])) for v in others]
                rest = mpmath.fsum(terms)
                nll.append(float(mpmath.log1p(rest)))
                terms, at_label = [float(term / (1 + rest)) for term in terms], float(-rest / (1 + rest))
        else:
            terms = np.exp(others - row[label])
            rest = math.fsum(terms)
            nll.append(math.log1p(rest))
            terms, at_label = terms / (1 + rest), -rest / (1 + rest)
        slope[:] = np.insert(terms, label, at_label)
    return np.array(nll), gradient


def leads_of(z, labels):
    others = as_float64(z).copy()
    at_label = np.take_along_axis(others, labels[:, None], 1)[:, 0]
    np.put_along_axis(others, labels[:, None], -np.inf, 1)
    return np.maximum(at_label - others.max(axis=1), 0.0)


@pytest.mark.parametrize("classes", [2, 3, 10, 64, 65, 1000, 32_000, 262_144])
@each_dtype
@each_kernels
def test_nll_and_every_entry_of_the_gradient_are_exact_at_any_lead(kernels, dtype, classes):
    z, labels, nll, gradient = rows_by_lead(dtype, classes)
    one_hot = np.zeros((len(z), classes), wide(dtype))
    np.put_along_axis(one_hot, labels[:, None], 1.0, 1)
    allowed = precision(dtype) * (1 + leads_of(z, labels) / 8)
    for targets in (Targets(labels), Targets(None, one_hot)):
        found = arrays.forward(z, targets, kernels, 2)
        out = np.empty(z.shape, arrays.stored(z))
        on = np.ones(len(z), wide(dtype))
        arrays.backward(z, targets, found, on, 0 * on, out, kernels, 2)
        assert_near(found.statistics.nll, nll, allowed * nll, "nll")
        room = allowed[:, None] + (2.0**-8 if dtype == "bfloat16" else 0.0)
        least = 2.0**-133 if dtype == "bfloat16" else 1e-44
        assert_near(as_float64(out), gradient, room * np.abs(gradient) + least, "gradient")


# --- single numbers ---------------------------------------------------------------------------------------


@numba.njit
def exps(x, out):
    for i in range(x.shape[0]):
        out[i] = scalars_numba.exp(x[i])


@numba.njit
def exps_or_0(x, like, out):
    for i in range(x.shape[0]):
        out[i] = scalars_numba.exp_or_0(x[i], like[i])


@numba.njit
def log1ps(x, out):
    for i in range(x.shape[0]):
        out[i] = scalars_numba.log1p(x[i])


@numba.njit
def log1p_units(x, out):
    for i in range(x.shape[0]):
        out[i] = scalars_numba.log1p_unit(x[i])


@numba.njit
def expm1s(x, out):
    for i in range(x.shape[0]):
        out[i] = scalars_numba.expm1(x[i])


@numba.njit
def wideneds(x, out):
    for i in range(x.shape[0]):
        out[i] = scalars_numba.widened(x[i])


@numba.njit
def narroweds(x, out):
    for i in range(x.shape[0]):
        out[i] = scalars_numba.narrowed(x[i], out[i])


@numba.njit
def ordereds(x, out):
    for i in range(x.shape[0]):
        out[i] = scalars_numba.ordered(x[i])


@numba.njit
def unordereds(x, out):
    for i in range(x.shape[0]):
        out[i] = scalars_numba.unordered(x[i], out[i])


def each(loop, x, dtype):
    out = np.full(x.shape, 77, dtype)
    loop(x, out)
    return out


def ulps(found, true):
    return np.max(np.abs(found - true) / np.abs(true))


def test_exp_in_float32_over_its_whole_range():
    random = np.random.default_rng(0)
    bits = random.integers(0x80000000, 0xFF800000, 1_000_000, np.uint32).view(np.float32)  # any number below 0
    x = np.concatenate([np.linspace(-104.5, 0.0, 1_000_001, dtype=np.float32), bits])
    found, true = each(exps, x, np.float32), np.exp(x.astype(np.float64))
    normal = true >= float(np.finfo(np.float32).tiny)
    assert ulps(found[normal], true[normal]) <= 1.2e-7
    assert np.abs(found - true)[~normal].max() <= float(np.finfo(np.float32).smallest_subnormal)
    assert_exp_at_the_edges(np.float32, -104.0)


@pytest.mark.parametrize(("like", "precise"), [(np.float32, 1.2e-7), (np.uint16, 6e-5)])
def test_exp_as_precise_as_where_it_goes(like, precise):
    x = np.linspace(-87.3, 0.0, 1_000_001, dtype=np.float32)
    edges = np.array([0.0, -0.0, -1e-44, np.nan, -np.nan, -np.inf, -3e38, -88.1], np.float32)
    found, at_edges = np.empty_like(x), np.empty_like(edges)
    exps_or_0(x, np.zeros(len(x), like), found)
    exps_or_0(edges, np.zeros(len(edges), like), at_edges)
    assert ulps(found, np.exp(x.astype(np.float64))) <= precise
    np.testing.assert_array_equal(at_edges, [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])


def test_exp_in_float64_over_its_whole_range():
    random = np.random.default_rng(0)
    x = np.concatenate([random.uniform(-745.5, 0.0, 3_000), -np.exp(random.uniform(-40.0, 6.6, 2_000))])
    found, true = each(exps, x, np.float64), [mpmath.exp(mpmath.mpf(v)) for v in x]
    with mpmath.workdps(30):
        errors = np.array([float(abs(mpmath.mpf(f) - t)) for f, t in zip(found, true, strict=True)])
    true = np.array([float(t) for t in true])
    normal = true >= np.finfo(np.float64).tiny
    assert (errors[normal] / true[normal]).max() <= 2.5e-16
    assert errors[~normal].max() <= np.finfo(np.float64).smallest_subnormal
    assert_exp_at_the_edges(np.float64, -746.0)


def assert_exp_at_the_edges(dtype, lowest):
    limits = np.finfo(dtype)
    x = np.array([0.0, -0.0, -limits.smallest_subnormal, np.nan, -np.nan, -np.inf, -limits.max, lowest], dtype)
    np.testing.assert_array_equal(each(exps, x, dtype), [1.0, 1.0, 1.0, np.nan, np.nan, 0.0, 0.0, 0.0])


def test_log1p_in_float32_over_its_whole_range():
    random = np.random.default_rng(0)
    bits = random.integers(0x00800000, 0x3F800001, 1_000_000, np.uint32).view(np.float32)  # normal, up to 1
    x = np.concatenate([np.linspace(0.0, 1.0, 1_000_001, dtype=np.float32)[1:], bits])
    assert ulps(each(log1p_units, x, np.float32), np.log1p(x.astype(np.float64))) <= 2.5e-7
    beyond = random.integers(0x3F800000, 0x7F7FFFFF, 1_000_000, np.uint32).view(np.float32)
    x = np.concatenate([x, np.linspace(1.0, 300_000.0, 1_000_001, dtype=np.float32), beyond])
    assert ulps(each(log1ps, x, np.float32), np.log1p(x.astype(np.float64))) <= 2.5e-7
    assert_log1p_at_the_edges(np.float32)


def test_expm1_in_float32_over_its_whole_range():
    random = np.random.default_rng(0)
    bits = random.integers(0x80800000, 0xFF800000, 1_000_000, np.uint32).view(np.float32)  # normal, below 0
    x = np.concatenate([np.linspace(-70.0, 0.0, 1_000_001, dtype=np.float32)[:-1], bits])
    assert ulps(each(expm1s, x, np.float32), np.expm1(x.astype(np.float64))) <= 2.5e-7
    edges = np.array([0.0, -1e-44, np.nan, -np.inf], np.float32)
    np.testing.assert_array_equal(each(expm1s, edges, np.float32), np.array([0.0, -1e-44, np.nan, -1.0], np.float32))


def test_log1p_in_float64_over_its_whole_range():
    random = np.random.default_rng(0)
    x = np.concatenate([random.uniform(0.0, 1.0, 3_000), np.exp(random.uniform(-700.0, 0.0, 2_000)), [1.0]])
    found = each(log1p_units, x, np.float64)
    with mpmath.workdps(30):
        true = [mpmath.log1p(mpmath.mpf(v)) for v in x]
        errors = [float(abs(mpmath.mpf(f) - t) / t) for f, t in zip(found, true, strict=True)]
    assert max(errors) <= 4.5e-16
    assert_log1p_at_the_edges(np.float64)


def assert_log1p_at_the_edges(dtype):
    small = np.finfo(dtype).smallest_subnormal * np.array([1, 2, 3, 1000, 12345], dtype)
    for function in (log1p_units, log1ps):
        np.testing.assert_allclose(each(function, small, dtype), small, rtol=0, atol=small[0])
        np.testing.assert_array_equal(each(function, np.array([0.0, np.nan], dtype), dtype), [0.0, np.nan])


EVERY_16_BITS = np.arange(1 << 16, dtype=np.uint16)


def test_every_float16_is_widened_as_numpy_does():
    found = each(wideneds, EVERY_16_BITS.view(np.int16), np.float32)
    assert_same_bits(found, torch.from_numpy(EVERY_16_BITS.view(np.float16)).float().numpy())
    with np.errstate(invalid="ignore"):
        assert_same_bits(found, EVERY_16_BITS.view(np.float16).astype(np.float32))


def test_every_bfloat16_is_widened_as_torch_does():
    found = each(wideneds, EVERY_16_BITS, np.float32)
    assert_same_bits(found, torch.from_numpy(EVERY_16_BITS).view(torch.bfloat16).float().numpy())


def assert_same_bits(found, true):
    """NaN may be any NaN."""
    number = ~np.isnan(true)
    np.testing.assert_array_equal(np.isnan(found), ~number)
    np.testing.assert_array_equal(found[number].view(np.uint32), true[number].view(np.uint32))


def test_float32_is_rounded_to_bfloat16_as_torch_does():
    random = np.random.default_rng(0)
    anything = random.integers(0, 1 << 32, 500_000, np.uint32)
    ties = (EVERY_16_BITS.astype(np.uint32) << 16) | 0x8000
    x = np.concatenate([anything, ties, ties - 1, ties + 1, ties & 0xFFFF0000]).view(np.float32)
    true = torch.from_numpy(x).bfloat16()
    compiled = each(narroweds, x, np.uint16)
    zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    labels = np.full(1, len(x), np.int64)  # beside the classes: nothing is put at a label
    specified = np.empty((1, len(x)), np.uint16)
    with np.errstate(all="ignore"):
        rows_numpy.soft_gradient(
            np.zeros((1, len(x)), np.uint16), -x[None, :], labels, zero, one, zero, one, zero, specified
        )
    for found in (compiled, specified[0]):
        widened = (found.astype(np.uint32) << 16).view(np.float32)
        np.testing.assert_array_equal(widened, true.float().numpy())


def test_floats_are_ordered_by_their_bits():
    for dtype, integer in ((np.float32, np.int32), (np.float64, np.int64)):
        x = np.array(
            [-np.inf, np.finfo(dtype).min, -1.0, -0.0, 0.0, 1e-40, 1.0, np.finfo(dtype).max, np.inf, np.nan], dtype
        )
        order = each(ordereds, x, integer)
        assert (np.diff(order.astype(object)) > 0).all()
        assert each(unordereds, order, dtype).tobytes() == x.tobytes()


# --- without Numba ------------------------------------------------------------------------------------------


def public_results(xent, np, torch):
    """What the public functions give, on enough logits that the compiled kernels are worth it."""
    random, found = np.random.default_rng(0), {}
    for dtype in (np.float32, np.float64):
        logits = random.normal(size=(200, 120)).astype(dtype)
        features, weight = random.normal(size=(200, 8)).astype(dtype), random.normal(size=(120, 8)).astype(dtype)
        labels, soft = random.integers(0, 120, 200), random.dirichlet(np.ones(120), 200).astype(dtype)
        yes = random.random(logits.shape).astype(dtype)
        labels[::5] = -100
        cases = {
            "softmax": (xent.softmax_cross_entropy, [logits], labels, {"ignore_index": -100, "z_loss": 1e-3}),
            "soft": (xent.softmax_cross_entropy, [logits], soft, {"label_smoothing": 0.1}),
            "sigmoid": (xent.sigmoid_cross_entropy, [logits], yes, {}),
            "linear": (xent.linear_cross_entropy, [features, weight], labels, {"ignore_index": -100}),
        }
        for name, (loss, inputs, target, options) in cases.items():
            value, gradients = xent.value_and_grad(loss)(*inputs, target, **options)
            tensors = [torch.tensor(values, requires_grad=True) for values in inputs]
            result = loss(*tensors, torch.tensor(target), **options)
            result.backward()
            found |= {f"{name} {dtype.__name__}": value, f"{name} {dtype.__name__} torch": result.detach().numpy()}
            for key, tensor in zip(gradients, tensors, strict=True):
                found[f"{name} {dtype.__name__} {key}"] = gradients[key]
                found[f"{name} {dtype.__name__} {key} torch"] = tensor.grad.numpy()
        rows = xent.linear_row_statistics(features, weight, labels, entropy=True, ignore_index=-100)
        found |= {f"{field} {dtype.__name__}": values for field, values in rows._asdict().items()}
    return found


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None
import numpy as np, torch, xent
np.savez(sys.argv[1], **public_results(xent, np, torch))
assert "xent.kernels.rows_numba" not in sys.modules
"""


def test_without_numba_the_same_functions_run_on_the_specification(tmp_path):
    script = inspect.getsource(public_results) + WITHOUT_NUMBA
    path = tmp_path / "results.npz"
    subprocess.run([sys.executable, "-W", "error", "-c", script, str(path)], check=True, timeout=300)
    compiled = public_results(xent, np, torch)
    with np.load(path) as specified:
        assert set(specified) == set(compiled)
        for name, values in compiled.items():
            precise = 1e-13 if "float64" in name else 1e-6
            room = precise * (1 + np.max(np.abs(values)))
            np.testing.assert_allclose(specified[name], values, rtol=precise, atol=room, err_msg=name)
            assert specified[name].dtype == np.asarray(values).dtype
