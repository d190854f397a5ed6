"""The scatter of slopes behind the tests of cures: the same bits in any split and order."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xent
from xent.scoring.scatter import as_floats, no_scatter, scatter_of

sizes = st.floats(-1e9, 1e9) | st.floats(-1.0, 1.0) | st.sampled_from([0.0, 5e-324, -1e-310, 1e150, -1e150])


@settings(max_examples=200)
@given(st.lists(st.tuples(sizes, sizes, sizes), min_size=1, max_size=12), st.randoms())
def test_parts_in_any_order_give_the_same_whole_numbers(vectors, random):
    whole = scatter_of(np.array(vectors).T)
    random.shuffle(vectors)
    cut = random.randint(0, len(vectors))
    parts = [scatter_of(np.array(part).T) for part in (vectors[:cut], vectors[cut:]) if part]
    assert (sum(parts, start=no_scatter(3)) == whole).all()


@settings(max_examples=200)
@given(st.lists(st.tuples(sizes, sizes), min_size=1, max_size=12))
def test_it_is_what_fractions_give(vectors):
    found = as_floats(scatter_of(np.array(vectors).T))
    exactly = [[Fraction(x) for x in vector] for vector in vectors]
    for i in range(2):
        for j in range(2):
            truth = sum((v[i] * v[j] for v in exactly), start=Fraction(0))
            bound = sum((max(map(abs, v)) ** 2 for v in exactly), start=Fraction(0)) * Fraction(3, 1 << 40)
            assert abs(Fraction(found[i, j]) - truth) <= bound + Fraction(5e-324)


def test_many_rows_are_added_without_rounding():
    vectors = np.random.default_rng(0).normal(size=(3, 50_000)) * 2.0 ** np.random.default_rng(1).integers(
        -30, 3, 50_000
    )
    parts = (scatter_of(vectors[:, start : start + 701]) for start in range(0, 50_000, 701))
    assert (sum(parts, start=no_scatter(3)) == scatter_of(vectors)).all()
    np.testing.assert_allclose(as_floats(scatter_of(vectors)).diagonal(), (vectors**2).sum(axis=1), rtol=1e-9)


@pytest.mark.parametrize("asked", [{"sample_weight": "w"}, {"cluster": "c"}, {"sample_weight": "w", "cluster": "c"}])
def test_cures_and_their_tests_have_the_same_bits_in_any_split(asked, tmp_path):
    r = np.random.default_rng(0)
    rows = 3000
    p = r.dirichlet(np.ones(9), rows)
    drawn = (p.cumsum(axis=1) < r.random((rows, 1))).sum(axis=1).clip(max=8)
    p **= 1.02
    table = pa.table(
        {"label": drawn, "w": r.random(rows) * (r.random(rows) > 0.1), "c": r.integers(0, 700, rows)}
        | {f"p_{j}": column for j, column in enumerate((p / p.sum(axis=1, keepdims=True)).T)}
    )
    whole = xent.scan(table, **asked)
    assert 0 < min(rung.p_value for rung in whole.ladder if rung.p_value is not None) < 1
    shuffled = table.take(r.permutation(rows))
    ends = [0, 1, 2, 700, 701, 1999, 2000, rows]  # files of a single row: NumPy adds those in another order
    for i, (start, stop) in enumerate(pairwise(ends)):
        pq.write_table(shuffled.slice(start, stop - start), tmp_path / f"{i}.parquet", row_group_size=97)
    split = xent.scan(tmp_path / "*.parquet", **asked)
    assert split.ladder == whole.ladder
    assert split.standard_error == whole.standard_error
