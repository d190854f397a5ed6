"""The cheapest assignment, against SciPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from xent.scoring.assignment import assignment


@st.composite
def costs(draw):
    rows = draw(st.integers(1, 7))
    columns = draw(st.integers(rows, 8))
    numbers = st.floats(0, 1e6, allow_subnormal=False) | st.integers(0, 3).map(float)
    return draw(arrays(np.float64, (rows, columns), elements=numbers))


def check(table):
    found = assignment(table)
    assert len(set(found.tolist())) == len(table)
    rows, columns = linear_sum_assignment(table)
    least = table[rows, columns].sum()
    assert table[np.arange(len(table)), found].sum() == pytest.approx(least, rel=1e-12, abs=1e-9)


@given(costs())
def test_it_costs_what_scipys_does(table):
    check(table)


@pytest.mark.parametrize("size", [1, 2, 17, 64])
def test_large_tables(size):
    random = np.random.default_rng(size)
    check(random.normal(size=(size, size)))
    check(random.integers(0, 4, size=(size, size)).astype(float))  # many ties
    check(random.exponential(size=(size, size + 3)))


def test_by_hand():
    assert assignment(np.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]])).tolist() == [1, 0, 2]
