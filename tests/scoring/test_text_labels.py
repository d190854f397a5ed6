"""NumPy's text labels against Python's own texts, of any length and characters."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import xent
from xent.kernels import sums_numba, text_numba, text_numpy
from xent.scoring import text_labels
from xent.scoring.text_labels import codes_of, few_distinct

texts = st.text(st.sampled_from("aZ\u00e9\u4e2d\U0001f600 "), max_size=5)


@pytest.mark.parametrize("kernels", [text_numpy, text_numba])
@given(st.lists(texts, min_size=1, max_size=30), st.lists(texts, max_size=4, unique=True), st.booleans())
@example(["", ""], [""], False)
@example(["", ""], ["a"], False)
@example(["ab", "abc"], ["ab", "b"], True)
@example(["a"], ["ab"], False)
def test_texts_get_the_codes_of_their_names(kernels, labels, names, strided):
    array = np.array(labels)
    array = np.repeat(array, 2)[::2] if strided else array
    codes = {name: 7 * at for at, name in enumerate(names)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_labels, "score_kernels", lambda _: kernels)
        assert codes_of(array, codes).tolist() == [codes.get(label, -1) for label in labels]


@pytest.mark.parametrize("rows", [1, sums_numba.ROWS - 1, 3 * sums_numba.ROWS + 5])
def test_many_texts_get_the_codes_of_their_names(rows):
    names = np.array([f"a class of number {n}" for n in range(24)])
    wanted = np.random.default_rng(rows).integers(0, len(names), rows)
    codes = {str(name): code for code, name in enumerate(names)}
    for kernels in (text_numpy, text_numba):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(text_labels, "score_kernels", lambda _, kernels=kernels: kernels)
            np.testing.assert_array_equal(codes_of(names[wanted], codes), wanted)


@given(st.lists(texts, max_size=30), st.integers(1, 8))
def test_distinct_texts_are_found_if_they_are_few(labels, most):
    found = few_distinct(np.array(labels, dtype="U5"), most)
    wanted = set(labels)
    assert (found is None) == (len(wanted) > most)
    assert found is None or sorted(found) == sorted(wanted)


def test_texts_that_differ_only_in_zeros_at_their_end_are_the_same_to_numpy():
    assert codes_of(np.array(["a", "b"]), {"a\0\0": 3}).tolist() == [3, -1]


@pytest.mark.parametrize("names", [("no", "yes"), ("negative", "positive"), tuple("abcdefg"), tuple("abcdefghijk")])
def test_text_labels_give_the_report_of_their_numbers(names):
    random = np.random.default_rng(0)
    p = random.dirichlet(np.ones(len(names)), 3_000)
    codes = random.integers(0, len(names), len(p))
    found = xent.evaluate(np.array(names)[codes], p, brief=True)
    assert found.classes == names
    assert found.loss == xent.evaluate(codes, p, brief=True).loss
    with pytest.raises(xent.LabelError, match=r"row 2.* is 'other'"):
        xent.evaluate(np.array([names[0], names[1], "other"]), p[:3], classes=names)
