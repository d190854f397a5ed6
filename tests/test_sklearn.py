"""`xent.sklearn` against scikit-learn where scikit-learn is right, and against mpmath or by hand where it is not."""

import inspect
import math
import pickle
import subprocess
import sys

import mpmath
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import xent
from xent.sklearn import NegLogLossScorer, log_loss, neg_log_loss_scorer

CLASSES = st.one_of(
    st.just([False, True]),
    st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=6, unique=True),
    st.integers(2, 12).map(lambda size: list(range(size))),
    st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=5, unique=True),
    st.lists(st.integers(0, 200).map(str), min_size=2, max_size=6, unique=True),  # "10" before "9"
    st.lists(st.text("abcXYZ _é0", min_size=1, max_size=4), min_size=2, max_size=6, unique=True),
)
CONTAINERS = {
    "list": list,
    "array": np.array,
    "column": lambda values: np.array(values)[:, None],
    "objects": lambda values: np.array([int(v) if isinstance(v, float) else v for v in values], object),
    "pandas": lambda values: pd.Series(values, index=range(len(values), 0, -1)),
    "categorical": lambda values: pd.Series(values, dtype="category"),
    "polars": pl.Series,
    "arrow": pa.array,
}


@st.composite
def problems(draw, every_class=True):
    """y_true, y_proba, the classes in sorted order, weights or None; no probability below 0.001."""
    classes = sorted(draw(CLASSES))
    extra = draw(st.lists(st.sampled_from(classes), min_size=0 if every_class else 1, max_size=20))
    y_true = draw(st.permutations(classes + extra)) if every_class else extra
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    y_proba = random.dirichlet(np.ones(len(classes)), len(y_true)) * (1 - 0.001 * len(classes)) + 0.001
    weights = random.uniform(0.1, 10.0, len(y_true)) if draw(st.booleans()) else None
    return y_true, y_proba, classes, weights


def close(value):
    return pytest.approx(value, rel=1e-12)


def truth(y_true, y_proba, classes, weights=None, normalize=True):
    """scikit-learn's number, asked for in the way that it understands best."""
    codes = [classes.index(label) for label in y_true]
    options = {"sample_weight": weights, "normalize": normalize, "labels": range(len(classes))}
    return sklearn.metrics.log_loss(codes, np.asarray(y_proba, np.float64), **options)


# ------------------------------------------------------------------------------------ what is the same


def test_the_arguments_are_those_of_scikit_learn():
    ours, theirs = (inspect.signature(f).parameters for f in (log_loss, sklearn.metrics.log_loss))
    assert list(ours) == list(theirs)
    assert [p.kind for p in ours.values()] == [p.kind for p in theirs.values()]


@given(problems(), st.booleans())
def test_plain_arguments_give_what_scikit_learn_gives(problem, normalize):
    y_true, y_proba, _, weights = problem
    options = {"sample_weight": weights, "normalize": normalize}
    loss = log_loss(y_true, y_proba, **options)
    assert type(loss) is float
    assert loss == close(sklearn.metrics.log_loss(y_true, y_proba, **options))


@given(problems(every_class=False), st.booleans())
def test_classes_that_do_not_occur_are_given_by_labels(problem, normalize):
    y_true, y_proba, classes, weights = problem
    options = {"sample_weight": weights, "normalize": normalize, "labels": classes}
    assert log_loss(y_true, y_proba, **options) == close(sklearn.metrics.log_loss(y_true, y_proba, **options))


@pytest.mark.parametrize("container", CONTAINERS)
@settings(max_examples=30)
@given(problem=problems(every_class=False))
def test_labels_and_classes_come_in_any_container(container, problem):
    y_true, y_proba, classes, weights = problem
    expected = truth(y_true, y_proba, classes, weights)
    given_classes = classes if container in ("column", "arrow") else CONTAINERS[container](classes)
    labels = CONTAINERS[container](y_true)
    assert log_loss(labels, y_proba, sample_weight=weights, labels=given_classes) == close(expected)


@pytest.mark.parametrize("shape", [lambda p: p[:, 1], lambda p: p[:, 1:], lambda p: p, lambda p: pd.DataFrame(p[:, 1])])
@pytest.mark.parametrize("classes", [[0, 1], [1, 2], [-1, 1], [3, 5], [False, True], ["no", "yes"], ["10", "9"]])
def test_one_column_speaks_of_the_second_class(classes, shape):
    y_proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    y_true = [classes[0], classes[1], classes[1]]
    expected = (-math.log(0.9) - math.log(0.8) - math.log(0.3)) / 3
    assert log_loss(y_true, shape(y_proba)) == close(expected)
    assert log_loss(y_true[1:], shape(y_proba[1:]), labels=classes, normalize=False) == close(-math.log(0.24))


@given(problems(), st.data())
def test_a_row_of_ones_and_zeros_costs_the_sum_over_its_ones(problem, data):
    _, y_proba, _, weights = problem
    draw = data.draw(st.lists(st.booleans(), min_size=y_proba.size, max_size=y_proba.size))
    y_true = np.array(draw).reshape(y_proba.shape).astype(int)
    one_hot = np.eye(y_proba.shape[1], dtype=int)[y_true.argmax(axis=1)]
    for marks in (y_true, one_hot):
        for normalize in (True, False):
            options = {"sample_weight": weights, "normalize": normalize}
            expected = sklearn.metrics.log_loss(marks, y_proba, **options)
            assert log_loss(marks, y_proba, **options) == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_booleans_have_two_classes_whichever_occur():
    for shape in ([0.9, 0.8], [[0.1, 0.9], [0.2, 0.8]]):
        assert log_loss([True, True], shape, normalize=False) == close(-math.log(0.72))
        assert log_loss(np.array([False, False]), shape, normalize=False) == close(-math.log(0.02))


def test_one_hot_rows_beside_one_column():
    assert log_loss([[0, 1], [1, 0]], [1e-300, 1e-20], normalize=False) == close(-math.log(1e-300) + 1e-20)


def test_shares_of_several_classes_are_taken_too():
    loss = log_loss([[0.25, 0.75], [1.0, 0.0]], [[0.5, 0.5], [0.1, 0.9]], normalize=False)
    assert loss == close(math.log(2.0) - math.log(0.1))


@given(problems())
def test_the_number_is_that_of_evaluate_to_the_bit_and_in_any_order(problem):
    y_true, y_proba, classes, weights = problem
    loss = log_loss(y_true, y_proba, sample_weight=weights)
    assert loss == xent.evaluate(y_true, y_proba, sample_weight=weights, classes=classes, kind="probabilities").loss
    back = None if weights is None else weights[::-1]
    assert loss == log_loss(y_true[::-1], y_proba[::-1], sample_weight=back)


@pytest.mark.parametrize("last", [0, 1, 20_000])
def test_classes_are_found_wherever_they_occur(last):
    y_true = np.zeros(50_000, np.int64)
    y_true[[0, last]] = [5, 7]
    y_true[1 if last != 1 else 2] = 0
    y_proba = np.full((50_000, 3 if last else 2), 0.25 if last else 0.5)
    y_proba[:, 0] = 0.5
    y_true[0] = 5 if last else 7
    for labels in (y_true, pl.Series(y_true), y_true.astype(str)):
        loss = log_loss(labels, y_proba, normalize=False)
        assert loss == close(50_000 * math.log(2.0) + (2 * math.log(2.0) if last else 0.0))


# ------------------------------------------------------------------------------------ clipping


def test_scikit_learn_clips_and_xent_does_not():
    assert sklearn.metrics.log_loss([1, 0], [1e-20, 0.5]) == sklearn.metrics.log_loss([1, 0], [1e-300, 0.5])
    assert log_loss([1, 0], [1e-20, 0.5], normalize=False) == close(20 * math.log(10) + math.log(2))
    assert log_loss([1, 0], [1e-300, 0.5], normalize=False) == close(300 * math.log(10) + math.log(2))


def test_float32_is_read_as_it_is():
    y_proba = np.array([[1.0, 1e-30], [0.5, 0.5]], np.float32)
    assert sklearn.metrics.log_loss([1, 0], y_proba, normalize=False) == pytest.approx(15.942 + math.log(2), abs=1e-3)
    expected = -math.log(np.float32(1e-30)) + math.log(2)
    assert log_loss([1, 0], y_proba, normalize=False) == close(expected)
    assert log_loss([1, 0], y_proba[:, 1], normalize=False) == close(expected)


def test_impossible_is_infinite_and_certain_is_free():
    for normalize in (True, False):
        assert log_loss([1, 0], [0.0, 0.5], normalize=normalize) == math.inf
        assert log_loss(["a", "b"], [[1, 0], [0, 1]], normalize=normalize) == 0.0
    assert log_loss([1, 0], [0.0, 0.5], sample_weight=[0, 2]) == close(math.log(2.0))


@given(st.lists(st.tuples(st.booleans(), st.floats(5e-324, 1.0, exclude_max=True)), min_size=1, max_size=9))
def test_any_probability_costs_what_mpmath_says(rows):
    y_true, y_proba = zip(*rows, strict=True)
    with mpmath.workdps(400):
        nats = [-mpmath.log(p if y else 1 - mpmath.mpf(p)) for y, p in rows]
        expected = float(mpmath.fsum(nats) / len(nats))
    assert log_loss(y_true, y_proba, labels=[False, True]) == pytest.approx(expected, rel=1e-15)


# ------------------------------------------------------------------------------------ names of columns

FRAMES = {
    "pandas": lambda values, names: pd.DataFrame(values, columns=names),
    "polars": lambda values, names: pl.DataFrame(values, schema=list(map(str, names)), orient="row"),
    "arrow": lambda values, names: pa.table(dict(zip(map(str, names), values.T, strict=True))),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_reversed_columns_cost_the_same(frame):
    y_proba = np.array([[0.9, 0.1], [0.1, 0.9]])
    reversed_columns = FRAMES[frame](y_proba[:, ::-1], ["spam", "ham"])
    assert sklearn.metrics.log_loss(["ham", "spam"], np.asarray(reversed_columns)) == close(-math.log(0.1))
    assert log_loss(["ham", "spam"], reversed_columns) == close(-math.log(0.9))
    assert log_loss(["ham", "ham"], reversed_columns, normalize=False) == close(-math.log(0.09))


@pytest.mark.parametrize("prefix", ["", "p_", "prob_", "proba_", "my_model_"])
@pytest.mark.parametrize("frame", FRAMES)
@settings(max_examples=15)
@given(problem=problems(every_class=False), random=st.randoms())
def test_columns_are_matched_by_name_in_any_order(frame, prefix, problem, random):
    y_true, y_proba, classes, weights = problem
    classes = [str(c).replace("_", "-") if isinstance(c, str) else c for c in classes]  # a stem would be cut at "_"
    y_true = [str(c).replace("_", "-") if isinstance(c, str) else c for c in y_true]
    order = list(range(len(classes)))
    random.shuffle(order)
    names = [f"{prefix}{int(c) if isinstance(c, float) else c}" for c in (classes[j] for j in order)]
    table = FRAMES[frame](y_proba[:, order], names)
    expected = close(truth(y_true, y_proba, classes, weights))
    assert log_loss(y_true, table, sample_weight=weights, labels=classes[::-1]) == expected
    assert log_loss(y_true, table, sample_weight=weights) == expected


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, lambda values: FRAMES["pandas"](values, ["p_0", "p_1"])])
@pytest.mark.parametrize("classes", [["no", "yes"], [1, 2], [-1, 1], ["10", "9"], [False, True]])
def test_columns_that_are_only_numbered_are_in_sorted_order(frame, classes):
    y_proba = np.array([[0.9, 0.1], [0.9, 0.1]])
    for labels in (None, classes):
        assert log_loss(classes, frame(y_proba), labels=labels, normalize=False) == close(-math.log(0.09))


def test_numbers_that_a_library_made_up_name_no_class():
    y_proba = np.array([[0.9, 0.1]])
    for frame in (pd.DataFrame(y_proba), pl.DataFrame(y_proba)):
        with pytest.raises(xent.LabelError, match="number of classes in y_true is 1"):
            log_loss([1], frame)  # of classes 0 and 1, or of 1 and 2?
    assert log_loss([1], pd.DataFrame(y_proba, columns=np.array([0, 1]))) == close(-math.log(0.1))
    assert log_loss([1], pd.DataFrame(y_proba, columns=range(1, 3))) == close(-math.log(0.9))
    assert log_loss([0, 1], pd.DataFrame([[0.1, 0.9], [0.8, 0.2]]).iloc[:, ::-1]) == close(-math.log(0.1 * 0.2) / 2)


def test_a_single_column_speaks_of_the_class_it_is_named_after():
    for name, probability in (("p_cat", 0.9), ("p_dog", 0.1)):
        table = pd.DataFrame({name: [probability, probability]})
        expected = close(-math.log(0.09))
        assert log_loss(["cat", "dog"], table, normalize=False) == expected
        assert log_loss(["cat", "dog"], table, labels=["dog", "cat"], normalize=False) == expected
        assert log_loss(["cat"], table[:1], labels=["cat", "dog"]) == close(-math.log(0.9))
    for name, probability in (("p_false", 0.9), ("p_0", 0.9), ("p_True", 0.1), ("p", 0.1), ("p_hat", 0.1)):
        assert log_loss([False, True], pd.DataFrame({name: [probability] * 2}), normalize=False) == close(
            -math.log(0.09)
        )
    assert log_loss(["cat", "dog"], pd.DataFrame({"p_hat": [0.1] * 2}), labels=["cat", "dog"]) == close(
        -math.log(0.09) / 2
    )
    with pytest.raises(xent.LabelError, match="named for eel"):
        log_loss(["cat", "dog"], pd.DataFrame({"p_eel": [0.1, 0.2]}))


def test_classes_that_begin_alike_are_names_as_they_are():
    table = pd.DataFrame({"new_york": [0.9, 0.2], "new_jersey": [0.1, 0.8]})
    assert log_loss(["new_york", "new_jersey"], table, normalize=False) == close(-math.log(0.9 * 0.8))
    assert log_loss(["york", "jersey"], table) == log_loss(["new_york", "new_jersey"], table)
    single = pd.DataFrame({"cat": [0.9, 0.2]})
    assert log_loss(["cat", "dog"], single, normalize=False) == close(-math.log(0.9 * 0.8))
    assert log_loss(["ant", "cat"], single, normalize=False) == close(-math.log(0.1 * 0.2))


def test_names_of_label_columns_are_matched_too():
    marks = pd.DataFrame({"dog": [0, 1], "cat": [1, 0]})
    table = pd.DataFrame({"p_cat": [0.9, 0.2], "p_dog": [0.1, 0.8]})
    assert log_loss(marks, table, normalize=False) == close(-math.log(0.9 * 0.8))
    assert log_loss(marks + 0.0, table) == log_loss(marks, table)
    with pytest.raises(xent.LabelError, match="columns of y_proba are named 'cat', 'dog', but the classes are 'eel'"):
        log_loss(marks.rename(columns={"dog": "eel"}), table)


# ------------------------------------------------------------------------------------ what is refused

TWO = [[0.25, 0.75], [0.5, 0.5]]
REFUSED = {
    "rows that do not sum to 1": (
        ([0, 1], [[0.5, 0.6], [0.5, 0.5]]),
        xent.ProbabilityError,
        "y_proba row 0 sums to 1.1",
    ),
    "logits": (([0, 1], [[-2.0, 3.5], [1.0, 5.0]]), xent.ProbabilityError, r"look like logits.\n.* xent\.evaluate"),
    "log-probabilities": (([0, 1], [-0.5, -0.1]), xent.ProbabilityError, r"must be in \[0, 1\]"),
    "percents": (([0, 1], [50.0, 60.0]), xent.ProbabilityError, r"must be in \[0, 1\]"),
    "NaN": (([0, 1], [0.5, math.nan]), xent.ProbabilityError, "y_proba row 1 is nan"),
    "a hole in a frame": (([0, 1], pl.DataFrame({"0": [0.5, None], "1": [0.5, 0.5]})), xent.SourceError, "row 1"),
    "one class": (([1, 1], TWO), xent.LabelError, r"is 1 \(1\), that in y_proba 2.\nPass labels="),
    "too many classes": (([1, 2, 3], TWO + TWO[:1]), xent.LabelError, "is 3"),
    "names of other classes": (([0, 1], pd.DataFrame(TWO, columns=["a", "b"])), xent.LabelError, "'a', 'b', .* 0, 1"),
    "some other names": ((["a", "x"], pd.DataFrame(TWO, columns=["a", "b"])), xent.LabelError, "row 1 is 'x'"),
    "a missing label": ((["a", None], TWO), xent.LabelError, "y_true row 1 is None"),
    "no number": (([0.0, math.nan], TWO), xent.LabelError, "y_true row 1 is nan"),
    "no number beside all classes": (([0.0, 1.0, math.nan], TWO + TWO[:1]), xent.LabelError, "y_true row 2 is nan"),
    "half a label": (([0.5, 1.0], TWO), xent.LabelError, "y_true row 0 is 0.5"),
    "different lengths": (([0, 1, 1], TWO), xent.ShapeError, "y_true has 3 rows and y_proba 2"),
    "nothing": (([], []), xent.ShapeError, "nothing to score"),
    "a mark of 2": (([[2, 0], [0, 1]], TWO), xent.LabelError, "y_true row 0, column 0 is 2"),
    "shares that do not sum to 1": (([[0.2, 0.2], [0, 1]], TWO), xent.LabelError, "y_true row 0 sums to 0.4"),
    "too few columns of labels": (([[1, 0], [0, 1]], np.full((2, 3), 1 / 3)), xent.ShapeError, "y_true have 2 columns"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_rows_are_refused_in_the_callers_words(case):
    arguments, error, words = REFUSED[case]
    with pytest.raises(error, match=words) as caught:
        log_loss(*arguments)
    assert isinstance(caught.value, ValueError)  # which scikit-learn raises
    assert "--" not in str(caught.value)
    assert "classes=" not in str(caught.value)


OPTIONS = {
    "unsorted labels": ({"labels": [1, 0]}, xent.OptionError, "labels= is 1, 0, which is not sorted"),
    "labels twice": ({"labels": [0, 1, 1]}, xent.OptionError, "labels has 3 entries"),
    "one class": ({"labels": [0]}, xent.OptionError, "labels has 1 entries"),
    "text": ({"labels": "01"}, xent.OptionError, "labels is '01'"),
    "a mixture": ({"labels": [0, "1"]}, xent.OptionError, "cannot be sorted"),
    "labels without those of y_true": ({"labels": [0, 2]}, xent.LabelError, "y_true row 1 is 1, but .* 0, 2"),
    "negative weights": ({"sample_weight": [1, -1]}, xent.WeightError, "sample_weight row 1 is -1"),
    "no weight": ({"sample_weight": [0, 0]}, xent.WeightError, "0 in every row"),
    "no weight to sum": ({"sample_weight": [0, 0], "normalize": False}, xent.WeightError, "0 in every row"),
    "one weight for all": ({"sample_weight": [1]}, xent.ShapeError, r"shape \(1,\)"),
    "a number to normalize by": ({"normalize": 2}, xent.OptionError, "normalize is 2"),
    "predictions twice": ({"y_pred": TWO}, xent.OptionError, "pass one of them"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_wrong_options_are_refused(case):
    options, error, words = OPTIONS[case]
    with pytest.raises(error, match=words):
        log_loss([0, 1], TWO, **options)


def test_other_options_are_refused():
    with pytest.raises(xent.OptionError, match="pass one of them"):
        log_loss([0, 1])
    with pytest.raises(xent.OptionError, match="y_true has a column a class"):
        log_loss([[0, 1], [1, 0]], TWO, labels=[0, 1])
    with pytest.raises(xent.WeightError, match="sample_weight row 0"):
        log_loss([[0, 0], [1, 0]], TWO, sample_weight=[-1, 1])
    with pytest.raises(xent.LabelError, match="'a', 'b', but the classes are 'b', 'c'"):
        log_loss(["b", "b"], pd.DataFrame(TWO, columns=["a", "b"]), labels=["b", "c"])
    assert log_loss([0, 1], y_pred=TWO) == log_loss([0, 1], TWO)
    assert log_loss([0, 1], TWO, normalize=np.True_) == log_loss([0, 1], y_proba=TWO)


def test_arguments_are_left_alone():
    y_true, y_proba, weights = np.eye(2)[[0, 1, 1]], np.array([*TWO, [0.1, 0.9]]), np.array([1.0, 2.0, 0.5])
    y_true[0] = 1.0
    y_true[1] = 0.0
    copies = y_true.copy(), y_proba.copy(), weights.copy()
    log_loss(y_true, y_proba, sample_weight=weights)
    for given_array, copy in zip((y_true, y_proba, weights), copies, strict=True):
        np.testing.assert_array_equal(given_array, copy)


# ------------------------------------------------------------------------------------ the scorer

IRIS, CODES = load_iris(return_X_y=True)
KINDS = np.array(["setosa", "versicolor", "virginica"])[CODES]
MODEL = make_pipeline(StandardScaler(), LogisticRegression())
ONE_KIND_A_FOLD = PredefinedSplit(np.where(np.arange(150) % 50 < 10, CODES, -1))  # the training rows have all three


@pytest.mark.parametrize("labels", [CODES, CODES + 1, KINDS, KINDS == "virginica", CODES.astype(float)], ids=str)
@pytest.mark.parametrize("model", [MODEL, CalibratedClassifierCV(GaussianNB(), cv=3)], ids=["pipeline", "calibrated"])
def test_folds_with_all_classes_score_as_in_scikit_learn(model, labels):
    ours = cross_val_score(model, IRIS, labels, scoring=neg_log_loss_scorer, cv=3)
    assert ours == close(cross_val_score(model, IRIS, labels, scoring="neg_log_loss", cv=3))


def test_a_fold_that_lacks_a_class_has_a_score():
    with pytest.warns(UserWarning, match="Scoring failed"):
        theirs = cross_val_score(MODEL, IRIS, KINDS, scoring="neg_log_loss", cv=ONE_KIND_A_FOLD)
    assert np.isnan(theirs).all()
    ours = cross_val_score(MODEL, IRIS, KINDS, scoring=neg_log_loss_scorer, cv=ONE_KIND_A_FOLD)
    for score, (train, test) in zip(ours, ONE_KIND_A_FOLD.split(), strict=True):
        model = clone(MODEL).fit(IRIS[train], KINDS[train])
        given_to_it = model.predict_proba(IRIS[test])[:, CODES[test][0]]
        assert score == close(np.log(given_to_it).mean())


def test_a_class_that_was_never_seen_is_infinitely_bad():
    assert cross_val_score(MODEL, IRIS, KINDS, scoring=neg_log_loss_scorer, cv=KFold(3)).tolist() == [-math.inf] * 3
    model = MODEL.fit(IRIS[:100], KINDS[:100])
    seen = neg_log_loss_scorer(model, IRIS[:100], KINDS[:100])
    assert seen == close(-sklearn.metrics.log_loss(KINDS[:100], model.predict_proba(IRIS[:100])))
    weighed = np.where(np.arange(150) < 100, 1.0, 0.0)
    assert neg_log_loss_scorer(model, IRIS, KINDS, sample_weight=weighed) == seen


@pytest.mark.parametrize("labels", [CODES, KINDS, CODES == 0, CODES * 1.0], ids=["int", "text", "bool", "float"])
def test_an_estimator_that_knows_one_class(labels):
    model = DecisionTreeClassifier().fit(IRIS[:5], labels[:5])
    assert math.copysign(1.0, neg_log_loss_scorer(model, IRIS[:5], labels[:5])) == 1.0
    assert neg_log_loss_scorer(model, IRIS[:5], labels[:5]) == 0.0
    assert neg_log_loss_scorer(model, IRIS, labels) == -math.inf


def test_labels_of_any_kind_are_scored():
    model = MODEL.fit(IRIS, KINDS)
    score = neg_log_loss_scorer(model, IRIS, KINDS)
    for labels in (
        list(KINDS),
        KINDS[:, None],
        pd.Series(KINDS, dtype="category", index=range(150, 0, -1)),
        pl.Series(KINDS),
    ):
        assert neg_log_loss_scorer(model, pd.DataFrame(IRIS).to_numpy(), labels) == score
    single = DecisionTreeClassifier(max_depth=1).fit(IRIS.astype(np.float32), KINDS)
    assert neg_log_loss_scorer(single, IRIS, KINDS) == close(-2 / 3 * math.log(2.0))


class Odd:
    classes_ = ("a", "b")

    def predict_proba(self, features):
        return np.full((len(features), 3), 1 / 3)


def test_estimators_that_cannot_be_scored_are_refused():
    for estimator, words in ((LogisticRegression(), "LogisticRegression has no classes_"), (object(), "object has no")):
        with pytest.raises(xent.ArgumentTypeError, match=words):
            neg_log_loss_scorer(estimator, IRIS, KINDS)
    with pytest.raises(xent.ShapeError, match=r"predict_proba\(X\) has shape \(2, 3\), but classes_ has 2"):
        neg_log_loss_scorer(Odd(), IRIS[:2], ["a", "b"])
    with pytest.raises(xent.LabelError, match="one class a row"):
        neg_log_loss_scorer(MODEL.fit(IRIS, KINDS), IRIS, np.eye(3)[CODES])
    with pytest.raises(xent.ShapeError, match=r"y has 149 rows and predict_proba\(X\) 150"):
        neg_log_loss_scorer(MODEL.fit(IRIS, KINDS), IRIS, KINDS[1:])


def test_the_scorer_travels():
    assert pickle.loads(pickle.dumps(neg_log_loss_scorer)) == neg_log_loss_scorer
    search = GridSearchCV(MODEL, {"logisticregression__C": [0.1, 1.0]}, scoring=neg_log_loss_scorer, n_jobs=2)
    assert clone(search).scoring == neg_log_loss_scorer
    theirs = GridSearchCV(MODEL, {"logisticregression__C": [0.1, 1.0]}, scoring="neg_log_loss").fit(IRIS, KINDS)
    search.fit(IRIS, KINDS)
    assert search.cv_results_["mean_test_score"] == close(theirs.cv_results_["mean_test_score"])
    assert search.best_params_ == theirs.best_params_


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # std of −inf
def test_a_search_ranks_an_infinite_loss_last():
    search = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [None, 1]}, scoring=neg_log_loss_scorer)
    with pytest.warns(UserWarning, match="non-finite"):
        search.fit(IRIS, KINDS)
    assert search.cv_results_["mean_test_score"][0] == -math.inf
    assert search.best_params_ == {"max_depth": 1}


@pytest.mark.parametrize("several", [False, True])
def test_weights_reach_the_scorer_in_a_search(several):
    weights = np.arange(150.0)

    def best(scoring):
        scoring = {"loss": scoring, "accuracy": "accuracy"} if several else scoring
        search = GridSearchCV(
            GaussianNB(), {"var_smoothing": [0.1, 1.0]}, scoring=scoring, refit="loss" if several else True
        )
        return search.fit(IRIS, KINDS, sample_weight=weights).best_score_

    assert best(neg_log_loss_scorer) == close(best("neg_log_loss"))


def test_weights_are_routed():
    weights = np.arange(150.0)
    theirs = sklearn.metrics.get_scorer("neg_log_loss")
    with sklearn.config_context(enable_metadata_routing=True):
        model = GaussianNB().set_fit_request(sample_weight=True)

        def scores(scorer):
            return cross_val_score(model, IRIS, KINDS, scoring=scorer, cv=3, params={"sample_weight": weights})

        for request in (True, False):
            requesting = neg_log_loss_scorer.set_score_request(sample_weight=request)
            assert requesting == NegLogLossScorer(request)
            assert scores(requesting) == close(scores(theirs.set_score_request(sample_weight=request)))
        with pytest.raises(ValueError, match="not explicitly set as requested"):
            scores(neg_log_loss_scorer)
        model = GaussianNB().set_fit_request(sample_weight="other")
        scorer = neg_log_loss_scorer.set_score_request(sample_weight="other")
        assert cross_val_score(model, IRIS, KINDS, scoring=scorer, cv=3, params={"other": weights}) == close(
            cross_val_score(
                GaussianNB().set_fit_request(sample_weight=True),
                IRIS,
                KINDS,
                scoring=neg_log_loss_scorer.set_score_request(sample_weight=True),
                cv=3,
                params={"sample_weight": weights},
            )
        )


def test_scikit_learn_is_not_imported():
    code = "import sys, xent.sklearn as s; s.log_loss([0, 1], [0.2, 0.7]); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "xent.sklearn" in loaded
    assert not {"sklearn", "scipy", "pandas", "polars"} & set(loaded)
