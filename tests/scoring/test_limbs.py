"""Exact sums in columns: against whole numbers."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xent.scoring import exact
from xent.scoring.limbs import carried, floats_of, integers_of, limb_sums, limbs_of

finite = st.floats(-1e300, 1e300) | st.floats(-10.0, 10.0) | st.sampled_from([5e-324, -5e-324, 2.0**53, 1e-30, -1e-30])
rows = st.lists(st.tuples(finite, st.integers(0, 3)), min_size=1, max_size=30)


@settings(max_examples=300)
@given(rows, st.integers(1, 4))
def test_parts_add_up_to_the_float_nearest_to_the_exact_sum(data, parts):
    values, codes = np.array([x for x, _ in data]), np.array([c for _, c in data])
    total = {}
    for part in range(parts):
        for j, column in limb_sums(values[part::parts], codes[part::parts], 4).items():
            total[j] = total.get(j, 0) + column
    truth = [sum(exact.from_number(x) for x, c in data if c == code) for code in range(4)]
    assert floats_of(total, 4).tolist() == [exact.to_float(units) for units in truth]


def test_halves_are_rounded_to_even_and_what_lies_far_below_tips_them():
    half = 2.0**-53
    values = np.array([1.0, half, 1.0, half, 1e-300, 1.0 + 2 * half, half, -1.0, -half, -1e-300])
    codes = np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 3])
    found = floats_of(limb_sums(values, codes, 4), 4).tolist()
    assert found == [1.0, 1.0 + 2 * half, 1.0 + 4 * half, -1.0 - 2 * half]


def test_nothing_and_zeros():
    assert limb_sums(np.zeros(3), np.arange(3), 3) == {}
    assert floats_of({}, 2).tolist() == [0.0, 0.0]
    assert floats_of(limb_sums(np.array([3.5, -3.5, 0.0]), np.array([0, 0, 1]), 2), 2).tolist() == [0.0, 0.0]


whole = st.integers(-(1 << 2200), 1 << 2200) | st.integers(-9, 9)


@settings(max_examples=300)
@given(st.lists(st.lists(whole, min_size=3, max_size=3), min_size=1, max_size=5))
def test_whole_numbers_of_any_size_come_back_added(parts):
    total = {}
    for part in parts:
        for j, column in carried(limbs_of(part), 3).items():
            total[j] = total.get(j, 0) + column
    assert integers_of(total, 3) == [sum(numbers) for numbers in zip(*parts, strict=True)]
    assert integers_of(carried(total, 3), 3) == integers_of(total, 3)


def test_sums_of_negative_numbers_are_no_longer_than_the_numbers():
    """Each sum was once two limbs longer, as far as there are digits of its sign."""
    longest = max(limbs_of([-(1 << 1100)]))
    sums = carried(limbs_of([-(1 << 1100), 3, -1]), 3)
    for times in range(1, 8):
        assert integers_of(sums, 3) == [-(1 << 1100) << times - 1, 3 << times - 1, -1 << times - 1]
        assert max(sums) == longest
        sums = carried({j: column * 2 for j, column in sums.items()}, 3)


def test_no_keys_have_no_limbs():
    assert carried({34: np.zeros(0, np.int64)}, 0) == {}


def test_carried_limbs_leave_room():
    far = limbs_of([(1 << 1200) - 1, -(1 << 1200)])
    sums = carried({j: column * (1 << 30) for j, column in far.items()}, 2)
    assert all((abs(column) < 1 << 32).all() for column in sums.values())
    assert integers_of(sums, 2) == [((1 << 1200) - 1) << 30, -(1 << 1230)]
