"""The scoring kernels: the specification against mpmath, the compiled twins against the specification, bit for bit."""

import subprocess
import sys

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xent.kernels import score_numba, score_numpy, sums_numpy
from xent.kernels.by_column import ByColumn
from xent.kernels.sums_numba import ROWS

mpmath.mp.dps = 50
ROW_KERNELS = ("probability_rows", "logit_rows")
COLUMN_KERNELS = ("probability_column", "logit_column")
UNTOUCHED = -12345.0


def run(kernels, name, block, codes):
    nats, hits = np.full(len(codes), UNTOUCHED), np.zeros(len(codes), np.bool_)
    legal = getattr(kernels, name)(block, codes, nats, hits)
    assert not (nats == UNTOUCHED).any()
    return legal, nats, hits


def blocks(axes):
    dtype = st.sampled_from([np.float32, np.float64])
    shape = hnp.array_shapes(min_dims=axes, max_dims=axes, min_side=1, max_side=17)
    return dtype.flatmap(lambda d: hnp.arrays(d, shape, elements=any_float(d)))


def any_float(dtype):
    width = np.dtype(dtype).itemsize * 8
    some = [0.0, -0.0, 0.5, 1.0, np.nan, np.inf, -np.inf, float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)]
    return st.one_of(st.sampled_from(some), st.floats(0.0, 1.0, width=width), st.floats(width=width))


@st.composite
def cases(draw, axes):
    block = draw(blocks(axes))
    classes = block.shape[1] if axes == 2 else 2
    codes = draw(hnp.arrays(np.int64, len(block), elements=st.integers(0, classes - 1)))
    return block, codes


ODD_ROWS = np.array([[np.nan, 1], [np.inf, 0], [-np.inf, -np.inf], [0, 0], [1e-320, 1]])


@pytest.mark.parametrize("name", ROW_KERNELS)
@given(case=cases(2))
@example(case=(ODD_ROWS, np.array([0, 1, 0, 1, 0])))
@example(case=(ODD_ROWS.astype(np.float32), np.array([1, 0, 1, 0, 1])))
@settings(deadline=None)
def test_compiled_row_kernels_give_the_bits_of_the_specification(name, case):
    assert_twins_agree(name, *case)


@pytest.mark.parametrize("name", COLUMN_KERNELS)
@given(case=cases(1))
@settings(deadline=None)
def test_compiled_column_kernels_give_the_bits_of_the_specification(name, case):
    assert_twins_agree(name, *case)


def assert_twins_agree(name, block, codes):
    for layout in (block, np.asfortranarray(block), np.stack([block] * 2)[0] if block.ndim == 1 else block[:, ::-1]):
        assert_twins_agree_on(name, layout, codes)


def assert_twins_agree_on(name, block, codes):
    with np.errstate(all="ignore"):
        legal, nats, hits = run(score_numpy, name, block, codes)
    legal_too, nats_too, hits_too = run(score_numba, name, block, codes)
    assert legal == legal_too
    if legal:
        assert nats.tobytes() == nats_too.tobytes()
        np.testing.assert_array_equal(hits, hits_too)


@pytest.mark.parametrize("kernels", [score_numpy, score_numba])
@pytest.mark.parametrize("name", ROW_KERNELS + COLUMN_KERNELS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_kernels_refuse_nan_and_infinity_anywhere(kernels, name, bad):
    for row in range(5):
        block = np.full((5, 3), 1 / 3) if name in ROW_KERNELS else np.full(5, 0.3)
        if name == "logit_column" and bad == np.inf:
            continue  # an infinite logit of one class is a certain prediction
        block.reshape(5, -1)[row, -1] = bad
        with np.errstate(all="ignore"):
            assert not run(kernels, name, block, np.zeros(5, np.int64))[0]


@pytest.mark.parametrize("kernels", [score_numpy, score_numba])
@pytest.mark.parametrize(("block", "legal"), [([[0.5, 0.5008]], True), ([[0.5, 0.502]], False), ([[1.1, -0.1]], False)])
def test_rows_must_sum_to_one_and_be_in_range(kernels, block, legal):
    assert run(kernels, "probability_rows", np.array(block), np.array([0]))[0] == legal


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 3, 8, 9, 16, 17])
def test_whole_tiles_of_rows_give_the_bits_of_the_specification(classes, dtype):
    random = np.random.default_rng(classes)
    block = random.integers(1, 4, (2_500, classes)).astype(np.float64)  # many rows have several largest
    block = (block / block.sum(axis=1, keepdims=True)).astype(dtype)
    codes = random.integers(0, classes, len(block))
    assert_twins_agree("probability_rows", block, codes)
    hits = run(score_numba, "probability_rows", block, codes)[2]
    np.testing.assert_array_equal(hits, block.argmax(axis=1) == codes)


@pytest.mark.parametrize("bad", [np.nan, -0.25, 0.75])
@pytest.mark.parametrize("row", [0, 7, 8, 1_023, 1_024, 1_299])
@pytest.mark.parametrize("order", "CF")
def test_one_bad_number_in_a_tile_is_seen(order, row, bad):
    for dtype in (np.float32, np.float64):
        for column in range(4):
            block = np.full((1_300, 4), 0.25, dtype, order)
            assert run(score_numba, "probability_rows", block, np.zeros(1_300, np.int64))[0]
            block[row, column] = bad
            block[row, column - 1] = 0.25 if np.isnan(bad) else 0.5 - bad if bad < 0.0 else 0.25  # −0.25 keeps the sum
            assert not run(score_numba, "probability_rows", block, np.zeros(1_300, np.int64))[0]


def relative_error(found, truth):
    return float(abs(mpmath.mpf(float(found)) - truth) / truth)


@pytest.mark.parametrize("kernels", [score_numpy, score_numba])
@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
@pytest.mark.parametrize("lead", [-700.0, -120.0, -20.0, -1.0, 0.0, 1.0, 20.0, 70.0, 300.0])
def test_logit_rows_are_exact_far_ahead_and_far_behind(kernels, classes, lead):
    z = np.linspace(-1.0, 0.0, classes)
    z[0] = lead
    others = [mpmath.exp(mpmath.mpf(float(v)) - mpmath.mpf(lead)) for v in z[1:]]
    _, nats, _ = run(kernels, "logit_rows", z[None, :], np.array([0]))
    assert relative_error(nats[0], mpmath.log1p(mpmath.fsum(others))) < 1e-13


@pytest.mark.parametrize("kernels", [score_numpy, score_numba])
@given(z=st.floats(-700.0, 700.0), code=st.integers(0, 1))
@settings(deadline=None)
def test_logit_column_is_softplus(kernels, z, code):
    signed = mpmath.mpf(z) * (1 - 2 * code)
    _, nats, _ = run(kernels, "logit_column", np.array([z]), np.array([code]))
    assert relative_error(nats[0], mpmath.log1p(mpmath.exp(signed))) < 1e-13


@pytest.mark.parametrize("kernels", [score_numpy, score_numba])
@given(p=st.floats(1e-300, 1.0 - 2.0**-53), code=st.integers(0, 1))
@settings(deadline=None)
def test_probability_column_costs_minus_log(kernels, p, code):
    truth = -mpmath.log(p) if code else -mpmath.log1p(-mpmath.mpf(p))
    _, nats, _ = run(kernels, "probability_column", np.array([p]), np.array([code]))
    assert relative_error(nats[0], truth) < 1e-15


@pytest.mark.parametrize("kernels", [score_numpy, score_numba])
def test_ties_go_to_the_first_class(kernels):
    block = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])
    for name in ROW_KERNELS:
        np.testing.assert_array_equal(run(kernels, name, block, np.array([0, 1, 2]))[2], [True, False, False])


def test_kernels_take_slices_and_columns_of_larger_arrays():
    whole = np.full((8, 6), 0.25)
    block = whole[::2, 1:5]
    _, nats, _ = run(score_numba, "probability_rows", block, np.array([0, 1, 2, 3]))
    assert nats == pytest.approx(np.full(4, -np.log(0.25)), rel=1e-15)


def accumulated(kernels, nats, codes, classes):
    by_class, bins = (
        np.zeros((classes, 3), np.int64),
        np.zeros((2, sums_numpy.ALL_BINS), np.int64),
    )
    squares, odd = np.zeros(2, np.int64), np.ones(len(nats), np.bool_)
    left_out = kernels.accumulate(nats, codes, by_class, bins, squares, odd)
    return by_class, bins, squares, odd, np.array(left_out)


@given(
    nats=hnp.arrays(
        np.float64,
        st.integers(0, 50),
        elements=st.one_of(
            st.floats(0.0, 20.0), st.sampled_from([0.0, np.inf, np.nan, 1e-12, 2.0**-24, 16.0, 15.99, 1e300])
        ),
    ),
    data=st.data(),
)
@settings(deadline=None)
def test_accumulate_twins_agree_and_are_exact(nats, data):
    codes = data.draw(hnp.arrays(np.int64, len(nats), elements=st.integers(0, 2)))
    found = accumulated(score_numba, nats, codes, 3)
    for mine, twin in zip(accumulated(score_numpy, nats, codes, 3), found, strict=True):
        np.testing.assert_array_equal(mine, twin)
    by_class, bins, squares, odd, _ = found
    inside = [v for v in nats if 2.0**-24 <= v <= 16.0]
    exact = sum(int(v * 2.0**76) for v in inside)  # a product with a power of two is exact
    weights = 2**40, 1
    assert sum(int(sums) * w for row in by_class for sums, w in zip(row[1:], weights, strict=True)) == exact
    assert sum(int(s) << shift for s, shift in zip(squares, (40, 0), strict=True)) == sum(
        round(v * v * 2.0**72) for v in inside
    )
    assert bins[0].sum() == by_class[:, 0].sum() == len(nats) - odd.sum()


@pytest.mark.parametrize("classes", [2, 3, 300])
@pytest.mark.parametrize("high", [0.1, 16.0])
def test_accumulate_twins_agree_on_many_rows(classes, high):
    random = np.random.default_rng(0)
    nats = np.concatenate([random.uniform(0.5 * high, high, 12_000), random.choice([0.0, 1e-9, 20.0, np.inf], 4_000)])
    codes = random.integers(0, classes, len(nats))
    for some in (nats, nats[:12_000]):
        found = [accumulated(kernels, some, codes[: len(some)], classes) for kernels in (score_numpy, score_numba)]
        for mine, twin in zip(*found, strict=True):
            np.testing.assert_array_equal(mine, twin)


def test_accumulate_twins_agree_where_counts_and_nats_run_over():
    """A block of 2^16 rows in one bin and class, of the most nats that are summed; the truth is a product."""
    rows = score_numpy.MAX_ROWS
    for nats, classes in ((16.0, 3), (1.0, 2), (0.0, 3), (2.0**-24, 2)):
        given, codes = np.full(rows, nats), np.ones(rows, np.int64)
        found = [accumulated(kernels, given, codes, classes) for kernels in (score_numpy, score_numba)]
        for mine, twin in zip(*found, strict=True):
            np.testing.assert_array_equal(mine, twin)
        by_class, bins, squares, *_ = found[0]
        assert by_class[1].tolist() == [rows, int(nats * 2**36) * rows, int((nats % 2.0**-36) * 2**76) * rows]
        assert bins.sum(axis=1).tolist() == [rows, int(nats * 2**36) * rows]
        assert int(squares[0]) * 2**40 + int(squares[1]) == int(nats**2 * 2**72) * rows


NO_FOLDER = """
import numba.core.caching, numpy as np, xent
numba.core.caching.CacheImpl._locator_classes = []  # as where neither the package nor the home may be written to
p = np.linspace(0.0, 1.0, 300_001)
print(xent.evaluate(np.ones(300_001, int), p, classes=[0, 1]).finite_loss)
"""


def test_scoring_goes_on_where_compiled_code_cannot_be_kept():
    done = subprocess.run([sys.executable, "-c", NO_FOLDER], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(1.0, rel=1e-4)  # the integral of −log p over [0, 1]


@pytest.mark.parametrize("rows", [0, 1, ROWS, 3 * ROWS + 7])
@pytest.mark.parametrize("border", [-1.0, 0.5, 0.9995, 2.0])
def test_rows_above_a_border_are_found_in_their_order(rows, border):
    nats = np.random.default_rng(rows).random(rows)
    nats[: rows // 3] *= 0.5  # blocks that have none
    for kernels in (score_numpy, score_numba):
        assert kernels.rows_above(nats, border).tolist() == [i for i, x in enumerate(nats) if x > border]


def some_of_each(rows, classes, dtype):
    """Rows of probabilities, among them certain, impossible, tiny and equal ones."""
    random = np.random.default_rng(rows + classes)
    p = random.dirichlet(np.full(classes, 0.5), rows).astype(dtype)
    p[::7], p[::7, 0] = 0.0, 1.0
    p[1::7], p[1::7, 0] = 1e-9 / (classes - 1), 1.0 - 1e-9
    p[2::7] = 1.0 / classes
    return p, random.integers(0, classes, rows)


def by_column(p):
    """Columns at odd places of memory, the last of which is its end."""
    return ByColumn([np.append(p[:1, j], p[:, j])[1:] for j in range(p.shape[1])])


LAYOUTS = (np.ascontiguousarray, np.asfortranarray, lambda p: np.repeat(p, 2, axis=0)[::2], by_column)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 10, 17])
@pytest.mark.parametrize("rows", [1, 5, 17, 3 * ROWS, 3 * ROWS + 1, 8 * ROWS + 77])
@pytest.mark.parametrize("border", [-1.0, 3.0, np.inf])
def test_adding_rows_in_one_go_is_scoring_and_then_adding_them(border, rows, classes, dtype):
    p, codes = some_of_each(rows, classes, dtype)
    legal, nats, hits = run(score_numpy, "probability_rows", p, codes)
    by_class, bins, squares, odd, _ = accumulated(score_numpy, nats, codes, classes)
    set_apart = np.flatnonzero(odd | (nats > border))
    one_wrong = p.copy()
    one_wrong[rows // 2, 0] = np.nan
    for kernels in (score_numpy, score_numba):
        for layout in LAYOUTS:
            sums = np.zeros_like(by_class), np.zeros_like(bins), np.zeros_like(squares)
            found_hits, found_rows, found_nats = np.zeros(rows, np.bool_), np.full(rows, -1), np.full(rows, UNTOUCHED)
            given = (layout(p), codes, found_hits, *sums, border, found_rows, found_nats)
            assert kernels.add_probability_rows(*given) == (legal, len(set_apart), np.count_nonzero(odd))
            for truth, found in zip((by_class, bins, squares, hits), (*sums, found_hits), strict=True):
                np.testing.assert_array_equal(truth, found)
            np.testing.assert_array_equal(found_rows[: len(set_apart)], set_apart)
            assert found_nats[: len(set_apart)].tobytes() == nats[set_apart].tobytes()
            with np.errstate(all="ignore"):
                assert not kernels.add_probability_rows(layout(one_wrong), *given[1:])[0]
