"""Exact sums against Python's own rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xent.scoring import exact

numbers = st.floats(0.0, 1e300)


@given(st.lists(numbers, max_size=30))
@example([5e-324, 1e300])
@example([1e-30] * 3)
def test_total_is_the_exact_sum(values):
    truth = sum(map(Fraction, values), Fraction(0))
    assert Fraction(exact.total(np.array(values)), 1 << exact.UNIT_BITS) == truth


@given(st.lists(st.tuples(numbers, st.integers(0, 5000)), max_size=30))
def test_grouped_sums_are_exact_sums_by_group(rows):
    truth = {}
    for value, group in rows:
        if value:
            truth[group] = truth.get(group, 0) + exact.from_number(value)
    values, groups = np.array([v for v, _ in rows]), np.array([g for _, g in rows], np.int64)
    assert exact.grouped_sums(values, groups) == truth


@given(numbers)
def test_numbers_and_text_come_back(value):
    units = exact.from_number(value)
    assert exact.to_float(units) == value
    assert exact.decode(exact.encode(units)) == units


@pytest.mark.parametrize(("value", "text"), [(3.0, "3p0"), (0.75, "3p-2"), (0.0, "0p0"), (5e-324, "1p-1074")])
def test_text_is_short(value, text):
    assert exact.encode(exact.from_number(value)) == text


@pytest.mark.parametrize("text", ["", "p", "xp0", "1", "1p-1075"])
def test_text_that_is_no_sum_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        exact.decode(text)


products = st.tuples(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300), st.integers(0, 3))


@given(st.lists(products, min_size=1, max_size=40))
@example([(5e-324, -5e-324, 0), (5e-324, 5e-324, 0), (1e300, 1e300, 1), (0.0, 1.0, 1)])
def test_sums_of_products_are_exact(rows):
    first, second, groups = (np.array(column) for column in zip(*rows, strict=True))
    found = exact.grouped_products(first, second, groups.astype(np.int64))
    for group in range(4):
        truth = sum((Fraction(x) * Fraction(y) for x, y, g in rows if g == group), Fraction(0))
        assert Fraction(found.get(group, 0), 1 << 2148) == truth
