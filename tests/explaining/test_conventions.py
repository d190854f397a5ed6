"""Each library's formula gives what the library gives, on random rows and extreme ones; and the comparison says why."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import xent
from xent.explaining.libraries import CALLS, installed
from xent.formulas import conventions as formulas

EXTREME = [0.0, 1e-300, 1e-45, 1e-20, 1e-16, 1e-8, 1e-7, 1.5e-7, 0.5, 1 - 1e-7, 1 - 1e-9, 1 - 2.0**-53, 1.0]
chances = st.one_of(st.sampled_from(EXTREME), st.floats(0.0, 1.0))
DTYPES = ["float64", "float32"]
# A float32 log near 0 has the absolute error of its argument, up to 4 ε (PyTorch's losses of a logit end at −14.5); Keras computes in float32 whatever it is given.
TOLERANCE = {"float64": {"rel": 1e-12, "abs": 1e-15}, "float32": {"rel": 3e-6, "abs": 2.0**-21}}


def tolerance(name, dtype):
    return TOLERANCE["float32" if name.startswith("keras") else dtype]


def agree(name, predictions, labels, dtype):
    by_formula = getattr(formulas, name)(predictions, labels)
    mean = float(by_formula.mean(dtype=np.float64))
    by_library = CALLS[name](predictions, labels)
    assert by_formula.shape == labels.shape
    assert mean == pytest.approx(by_library, **tolerance(name, dtype), nan_ok=True)


@st.composite
def rows_of_weights(draw, sums_to_one):
    classes, count = draw(st.integers(2, 5)), draw(st.integers(1, 6))
    rows = draw(
        st.lists(st.lists(chances, min_size=classes, max_size=classes).filter(any), min_size=count, max_size=count)
    )
    rows = np.array([row if max(row) > 1e-30 else [1.0, *row[1:]] for row in rows])
    labels = np.array(draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count)))
    return rows / rows.sum(axis=1, keepdims=True) if sums_to_one else rows, labels


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["scikit_learn", "keras_probabilities", "torch_nll", "torch_logits"])
@settings(max_examples=40)
@given(case=st.one_of(rows_of_weights(True), rows_of_weights(False)))
def test_formulas_of_probabilities_are_the_libraries(name, dtype, case):
    rows, labels = case
    agree(name, rows.astype(dtype), labels, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["scikit_learn", "keras_binary", "torch_binary", "torch_binary_logits"])
@settings(max_examples=40)
@given(case=st.lists(st.tuples(chances, st.integers(0, 1)), min_size=1, max_size=6))
def test_formulas_of_one_column_are_the_libraries(name, dtype, case):
    q, labels = map(np.array, zip(*case, strict=True))
    agree(name, q.astype(dtype), labels, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["keras_logits", "torch_logits", "keras_probabilities"])
@settings(max_examples=40)
@given(rows=st.lists(st.lists(st.floats(-200, 200), min_size=3, max_size=3), min_size=1, max_size=5))
def test_formulas_of_logits_are_the_libraries(name, dtype, rows):
    logits, labels = np.array(rows).astype(dtype), np.arange(len(rows)) % 3
    if name == "keras_probabilities" and (np.abs(logits.astype(np.float32).sum(axis=1)) < 1e-2).any():
        return  # logits passed by mistake, divided by a sum that is all round-off
    agree(name, logits, labels, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(-200, 200), st.integers(0, 1)), min_size=1, max_size=6))
@example([(-9.0, 0)])
@example([(-14.55609, 0)])  # the worst of 8 million between −200 and 200
def test_formulas_of_one_logit_are_the_libraries(dtype, case):
    logits, labels = map(np.array, zip(*case, strict=True))
    for name in ("keras_logits", "torch_binary_logits", "keras_binary"):
        agree(name, logits.astype(dtype), labels, dtype)


def test_keras_is_left_alone_where_nothing_says_what_it_runs_on(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.delitem(__import__("sys").modules, "keras", raising=False)
    assert installed("Keras") is None
    found = xent.compare_conventions([1], [0.8])
    assert found.step("why").text[-1].startswith("Keras is by formula here")
    assert "formula of Keras 3.15.1" in str(found)


ROWS = [[0.05, 0.95, 0.05], [0.1, 0.8, 0.1]]


def test_why_one_library_says_1_177_and_another_1_201():
    by_library = xent.compare_conventions([1, 2], ROWS).step("values").values
    by_formula = xent.compare_conventions([1, 2], ROWS, libraries=False).step("values").values
    assert by_library == pytest.approx(by_formula, rel=1e-6, nan_ok=True)
    plain, divided = 1.176939193690798, 1.201334275775514
    assert [by_formula[name] for name in ("as_given", "scikit_learn", "torch_nll")] == pytest.approx(
        [plain] * 3, rel=1e-12
    )
    assert by_formula["xent_normalized"] == pytest.approx(divided, rel=1e-12)
    assert by_formula["keras_probabilities"] == pytest.approx(divided, rel=1e-6)
    assert math.isnan(by_formula["xent"])
    text = str(xent.compare_conventions([1, 2], ROWS))
    for part in (
        "scikit-learn 1.9.1",
        "Keras 3.15.1",
        "PyTorch 2.13.0",
        "row 0 sums to 1.0500",
        "refused",
        "1.17693919",
    ):
        assert part in text
    assert "formula of" not in text


def test_the_rows_counted_are_those_changed():
    found = xent.compare_conventions([1, 0, 1], [0.8, 0.1, 0.0], libraries=False)
    assert found.loss == math.inf
    why = "\n".join(found.step("why").text)
    assert "nothing costs more than 36.0437 nats; 1 of 3 rows are changed" in why
    assert "nothing costs more than 16.1181 nats; 1 of 3 rows are changed" in why
    values = found.step("rows").values
    assert values["torch_binary"][2] == 100.0
    assert values["scikit_learn"][2] == pytest.approx(-math.log(2.0**-52), rel=1e-15)
    assert values["xent"] == pytest.approx([-math.log(0.8), -math.log1p(-0.1), math.inf], rel=1e-15)


def test_certainty_is_clipped_too():
    why = "\n".join(xent.compare_conventions([1, 1], [1.0, 0.5], libraries=False).step("why").text)
    assert why.count("1 of 2 rows are changed") == 2
    rows = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.25, 0.2501]]
    why = "\n".join(xent.compare_conventions([0, 0, 0], rows, libraries=False).step("why").text)
    assert "the division changes 1 of 3 rows by more than rounding, the clipping 1." in why


def test_float32_moves_where_scikit_learn_clips():
    found = xent.compare_conventions([1], [0.0], dtype="float32", libraries=False)
    assert found.step("values").values["scikit_learn"] == pytest.approx(-math.log(2.0**-23), rel=1e-6)
    assert "eps = 1.2e-07 for float32" in "\n".join(found.step("why").text)


def test_probabilities_passed_as_logits_cost_what_a_second_softmax_makes_of_them():
    found = xent.compare_conventions([0], [[1.0, 0.0, 0.0]], libraries=False)
    expected = math.log(1 + 2 / math.e)
    assert found.step("values").values["torch_mistake"] == pytest.approx(expected, rel=1e-14)
    assert f"at least {expected:.4f} nats" in "\n".join(found.step("why").text)


def test_logits():
    found = xent.compare_conventions([0], [[4.334, 2.90, 0.01]], kind="logits")
    values = found.step("values").values
    exact = 0.22442304340833774
    assert [values[name] for name in ("xent", "torch_logits")] == pytest.approx([exact] * 2, rel=1e-12)
    assert values["keras_logits"] == pytest.approx(exact, rel=1e-6)
    assert values["keras_mistake"] == pytest.approx(-math.log(4.334 / 7.244), rel=1e-6)
    assert xent.compare_conventions([1], [1.5], kind="logits", libraries=False).loss == pytest.approx(
        math.log1p(math.exp(-1.5)), rel=1e-14
    )


def test_one_hot_labels_are_positions():
    one = xent.compare_conventions([[0, 1, 0], [0, 0, 1]], ROWS, libraries=False)
    assert one.loss == xent.compare_conventions([1, 2], ROWS, libraries=False).loss


@pytest.mark.parametrize(
    ("labels", "predictions", "options", "error", "message"),
    [
        ([3], [[0.2, 0.8]], {}, xent.LabelError, r"labels are \[3\], but must be whole numbers in \[0, 2\)"),
        ([0, 1], [[0.2, 0.8]], {}, xent.ShapeError, r"labels has shape \(2,\) for 1 rows"),
        ([[1, 1]], [[0.2, 0.8]], {}, xent.LabelError, "a single 1 in each row"),
        ([0], [[1.2, -0.2]], {}, xent.ProbabilityError, "must be a probability, in"),
        ([0], [[0.0, 0.0]], {}, xent.ProbabilityError, "sums to 0"),
        ([0], [[0.2], [0.1, 0.9]], {}, xent.ArgumentTypeError, "Pass rows of equal length"),
        ([0], [[0.2]], {}, xent.ShapeError, r"\(rows, classes\)"),
        ([0], [[0.2, 0.8]], {"dtype": "float16"}, xent.OptionError, "dtype is 'float16'"),
        ([0], [[0.2, 0.8]], {"kind": "auto"}, xent.OptionError, "kind is 'auto'"),
        ([0], [[0.2, 0.8]], {"lang": "fr"}, xent.OptionError, "lang is 'fr'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(labels, predictions, options, error, message):
    with pytest.raises(error, match=message):
        xent.compare_conventions(labels, predictions, libraries=False, **options)
