"""NumPy's text labels against Python's own texts, of any length and characters."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import xent
from xent.scoring.text_labels import few_distinct, same_as

texts = st.text(st.sampled_from("aZ\u00e9\u4e2d\U0001f600 "), max_size=5)


@given(st.lists(texts, min_size=1, max_size=30), texts, st.booleans())
@example(["", ""], "", False)
@example(["ab", "abc"], "ab", True)
@example(["a"], "ab", False)
def test_equal_texts_are_found(labels, text, strided):
    array = np.array(labels)
    array = np.repeat(array, 2)[::2] if strided else array
    assert same_as(array, text).tolist() == [label == text for label in labels]


@given(st.lists(texts, max_size=30), st.integers(1, 8))
def test_distinct_texts_are_found_if_they_are_few(labels, most):
    found = few_distinct(np.array(labels, dtype="U5"), most)
    wanted = set(labels)
    assert (found is None) == (len(wanted) > most)
    assert found is None or sorted(found) == sorted(wanted)


def test_texts_that_differ_only_in_zeros_at_their_end_are_the_same_to_numpy():
    assert same_as(np.array(["a", "b"]), "a\0\0").tolist() == [True, False]


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
