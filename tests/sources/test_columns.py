"""Columns are found as told, guessed only where one guess fits, and every guess is said."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xent.errors import ArgumentTypeError, SourceError
from xent.sources import Columns, choose_columns

NUMBER, TEXT = pa.float64(), pa.string()


def schema(*names, **kinds):
    return pa.schema([(name, NUMBER) for name in names] + list(kinds.items()))


DIGITS = [f"p_{j}" for j in range(10)]


@pytest.mark.parametrize("label", ["label", "y", "target", "y_true", "class", "Label", "Y_TRUE"])
def test_guessing_the_label(label):
    found = choose_columns(schema("id", label, *DIGITS))
    assert found == Columns(
        labels=(label,),
        predictions=tuple(DIGITS),
        weight=None,
        kind=None,
        class_names=tuple("0123456789"),
        label_names=None,
        notes=(f"label column {label!r} (guessed)", "predictions from 10 columns p_0 … p_9 (guessed)"),
    )


@pytest.mark.parametrize(
    ("names", "kind", "classes"),
    [
        (["p_cat", "p_dog"], None, ("cat", "dog")),
        (["prob_a_b", "prob_c"], None, ("a_b", "c")),
        (["proba_x"], None, ("x",)),
        (["logit_Cat", "LOGIT_dog"], "logits", ("Cat", "dog")),
        (["logp_1", "logp_2"], "log_probabilities", ("1", "2")),
        (["P_spam"], None, ("spam",)),
        (["p"], None, None),
        (["score"], None, None),
        (["Probability"], None, None),
        (["y_pred"], None, None),
    ],
)
def test_guessing_the_predictions(names, kind, classes):
    found = choose_columns(schema("y", "other", *names))
    assert (found.predictions, found.kind, found.class_names) == (tuple(names), kind, classes)
    assert any(names[0] in note and "guessed" in note for note in found.notes)


@pytest.mark.parametrize(
    ("prediction", "predictions", "classes"),
    [
        ("p_*", ["p_cat", "p_dog"], ("cat", "dog")),
        ("P_*", ["p_cat", "p_dog"], ("cat", "dog")),
        ("*_cat", ["p_cat", "m_cat"], ("p", "m")),
        ("model_a_*", ["model_a_x", "model_a_y"], ("x", "y")),
        ("model_?_x", ["model_a_x", "model_b_x"], ("a_x", "b_x")),
        ("p_dog, p_cat", ["p_dog", "p_cat"], ("dog", "cat")),
        (["p_dog", "P_CAT"], ["p_dog", "p_cat"], ("dog", "cat")),
        (["model_a_x", "model_b_x"], ["model_a_x", "model_b_x"], ("a_x", "b_x")),
        (["lion", "link"], ["lion", "link"], ("lion", "link")),
        ("lion", ["lion"], None),
        ("lio*", ["lion"], None),
        ("p_cat", ["p_cat"], ("cat",)),
        (["p_cat"], ["p_cat"], ("cat",)),
        ("a,b", ["a,b"], None),
        ("scores", ["scores"], None),
        ("logit_list", ["logit_list"], None),
    ],
)
def test_telling_the_predictions(prediction, predictions, classes):
    names = ["p_cat", "p_dog", "m_cat", "model_a_x", "model_a_y", "model_b_x", "lion", "link", "a,b", "label"]
    s = schema(*names, scores=pa.list_(NUMBER), logit_list=pa.list_(pa.float32(), 3))
    found = choose_columns(s, prediction=prediction)
    assert (found.predictions, found.class_names) == (tuple(predictions), classes)
    assert found.notes == ("label column 'label' (guessed)",)
    assert found.kind == ("logits" if "logit" in str(prediction) else None)


def test_nothing_guessed_says_nothing():
    assert choose_columns(schema("a", "b", "w"), label="a", prediction="b", weight="w").notes == ()


def test_label_and_weight_are_never_predictions():
    s = schema("p_true", "p_weight", "p_a", "p_b")
    assert choose_columns(s, label="p_true", weight="p_weight").predictions == ("p_a", "p_b")
    found = choose_columns(s, label="p_true", weight="p_weight", prediction="p_*")
    assert found.predictions == ("p_a", "p_b")
    assert "column 'p_true' matches 'p_*' but is not a prediction" in found.notes
    assert choose_columns(schema("y", "target"), prediction="y").labels == ("target",)
    found = choose_columns(schema("y_true", "y_a", "y_b"), prediction="y_*")
    assert (found.labels, found.predictions, found.class_names) == (("y_true",), ("y_a", "y_b"), ("a", "b"))


@pytest.mark.parametrize("label", ["y_*", "y_cat,y_dog", ["y_cat", "y_dog"]])
def test_a_column_of_labels_for_each_class(label):
    found = choose_columns(schema("y_cat", "y_dog", "p_dog", "p_cat"), label=label)
    assert (found.labels, found.label_names) == (("y_cat", "y_dog"), ("cat", "dog"))
    assert (found.predictions, found.class_names) == (("p_dog", "p_cat"), ("dog", "cat"))


@pytest.mark.parametrize("stem", ["p", "prob", "Proba", ""])
def test_columns_that_count_up_from_0_are_a_class_each(stem):
    names = [f"{stem}{number}" for number in (10, *range(10))]
    found = choose_columns(schema("label", "x1", *names, y_pred=TEXT))
    assert (found.predictions, found.class_names) == (tuple(names), tuple(map(str, (10, *range(10)))))
    assert choose_columns(schema("label", *names, "p_0", "p_1")).predictions == ("p_0", "p_1")
    with pytest.raises(SourceError, match="prediction columns are missing"):
        choose_columns(schema("label", *names[:-1]))


def test_predicted_names_beside_probabilities_are_left_out_and_said():
    found = choose_columns(schema("y", "p_a", "p_b", y_pred=TEXT))
    assert found.predictions == ("p_a", "p_b")
    assert any("'y_pred' is not numeric" in note for note in found.notes)
    with pytest.raises(SourceError, match="ambiguous"):
        choose_columns(schema("y", "p_a", "p_b", "y_pred"))


@pytest.mark.parametrize("name", ["y_prob", "y_proba", "y_score"])
def test_a_probability_beside_the_predicted_class_is_the_prediction(name):
    found = choose_columns(pa.schema([("y_true", pa.int64()), ("y_pred", pa.int64()), (name, NUMBER)]))
    assert (found.labels, found.predictions) == (("y_true",), (name,))
    assert any("'y_pred'" in note for note in found.notes)


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (
            ["label", "y", "p"],
            {},
            r"label column is ambiguous.*'label', 'y'.*columns found: 'label', 'y', 'p'.*--label",
        ),
        (["a", "p"], {}, r"label column is missing.*columns found: 'a', 'p'.*--label NAME \(label=\)"),
        (
            ["id", "label", "p"],
            {"weight": "label"},
            r"label column is missing: 'label', which could be it, is named as the w",
        ),
        (["y", "p_a", "logit_a"], {}, r"ambiguous.*p_\* or logit_\*.*columns found.*--prediction"),
        (["y", "p", "score"], {}, r"ambiguous.*p or score"),
        (["y", "a"], {}, r"are missing; looked for p_\*.*columns found: 'y', 'a'.*--prediction 'p_\*' \(prediction=\)"),
        (["lable", "p"], {"label": "label"}, r"no column is named 'label'.*'lable', 'p'.*Did you mean 'lable'"),
        (["y", "p_a"], {"prediction": "q_*"}, r"no column matches 'q_\*'; columns found"),
        (["y", "p_a"], {"prediction": ["p_a", "p_b"]}, r"no column is named 'p_b'.*Did you mean 'p_a'"),
        (["y", "p"], {"weight": "w"}, r"no column is named 'w'.*--weight"),
        (["y", "p"], {"label": "y", "prediction": "y"}, "column 'y' is used twice"),
        (["y", "p"], {"weight": "p", "prediction": "p"}, "column 'p' is used twice"),
        (["y", "p"], {"prediction": []}, "list of prediction columns is empty"),
        (["y", "p", "p"], {}, "column 'p' is ambiguous"),
        (["Y", "p", "y"], {"label": "Y", "prediction": "P"}, None),
        (["A", "a", "p"], {"label": "a"}, None),
        (["A", "a", "p"], {"label": "á"}, "no column"),
        (["0", "0.1", "0.9"], {}, "first line of a CSV file must name its columns"),
    ],
)
def test_what_does_not_fit_is_an_error_that_lists_the_columns(names, options, message):
    s = schema(*names)
    if message is None:
        assert choose_columns(s, **options).labels == (options["label"],)
        return
    with pytest.raises(SourceError, match=f"(?s){message}"):
        choose_columns(s, **options)


def test_many_columns_are_not_all_listed():
    with pytest.raises(SourceError, match="and 970 more"):
        choose_columns(schema(*(f"c{j}" for j in range(1000))))


def test_a_list_column_stands_alone():
    with pytest.raises(SourceError, match="'p_list' has a list in each row"):
        choose_columns(schema("y", "p_a", p_list=pa.list_(NUMBER)))
    assert choose_columns(schema("y", p=pa.list_(NUMBER))).class_names is None


@given(st.lists(st.text(min_size=1).filter(lambda t: t != "*"), min_size=1, unique_by=str.lower))
def test_class_names_are_what_stands_behind_the_prefix(names):
    columns = [f"p_{name}" for name in names]
    for prediction in (None, "p_*", columns):
        found = choose_columns(schema("y", *columns), label="y", prediction=prediction)
        assert found.predictions == tuple(columns)
        assert found.class_names == tuple(names)


@pytest.mark.parametrize(
    "asked",
    [{"label": [1, 0]}, {"label": 3}, {"weight": ["w"]}, {"prediction": [1, 2]}, {"prediction": 1}],
)
def test_columns_of_a_table_are_asked_for_by_name(asked):
    with pytest.raises(ArgumentTypeError, match=r"asked for by .*by name; columns found: 'y', 'p', 'w'"):
        choose_columns(schema("y", "p", "w"), **asked)
