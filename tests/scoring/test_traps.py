"""Inputs that once gave a plausible wrong number, or a crash: each must be right or refused."""

import math
import pickle
import threading

import numpy as np
import pandas as pd
import polars as pl
import pytest

import xent
from xent import State, evaluate
from xent.errors import LabelError, XentError

CAT_DOG = pd.DataFrame({"p_dog": [0.1, 0.8], "p_cat": [0.9, 0.2]})
RIGHT = -(math.log(0.9) + math.log(0.8)) / 2


def test_the_index_of_a_frame_is_no_prediction():
    frame = pd.DataFrame({"p": [0.9, 0.2, 0.6]}, index=[5, 7, 9])
    assert evaluate([1, 0, 1], frame).loss == evaluate([1, 0, 1], [0.9, 0.2, 0.6]).loss
    labels = pd.Series([1, 0, 1], index=["a", "b", "c"])
    assert evaluate(labels, frame).rows == 3


def test_a_class_is_charged_for_its_own_terms_in_rows_that_another_makes_infinite():
    report = evaluate([[1, 1], [0, 1]], [[0.0, 0.5], [0.2, 0.5]], task="multilabel")
    assert report.by_class[1].loss == pytest.approx(math.log(2), rel=1e-15)
    assert report.by_class[0].loss == math.inf
    assert report.finite_loss == pytest.approx(-math.log(0.8) - math.log(0.5), rel=1e-15)


@pytest.mark.parametrize("n", [1000, 20_000])
@pytest.mark.parametrize("mean", [1e-6, 1e-3, 0.05, 1.0])
@pytest.mark.parametrize("weight", [None, 1.0, 1e-12, 1e12])
def test_shares_of_the_worst_rows_hold_for_good_models_and_any_scale_of_weights(n, mean, weight):
    losses = np.random.default_rng(n).exponential(mean, n)
    report = evaluate(
        np.ones(n, int), np.exp(-losses), classes=[0, 1], sample_weight=None if weight is None else np.full(n, weight)
    )
    losses = np.sort(losses)[::-1]
    assert report.share_of_worst_1_percent == pytest.approx(losses[: n // 100].sum() / losses.sum(), rel=0.02)
    assert report.share_of_worst_10_percent == pytest.approx(losses[: n // 10].sum() / losses.sum(), rel=0.02)


@pytest.mark.parametrize(
    ("labels", "frame"),
    [
        (["Cat", "Dog"], CAT_DOG),
        (["x", "y"], CAT_DOG),
        (["Ham", "Spam"], pd.DataFrame({"p_ham": [0.9, 0.1]})),
        ([True, False], pd.DataFrame({"p_yes": [0.9, 0.2], "p_no": [0.1, 0.8]})),
        (pd.DataFrame({"cat": [1, 0], "bird": [0, 1]}), CAT_DOG),
    ],
)
def test_names_that_do_not_fit_the_labels_are_refused(labels, frame):
    with pytest.raises(xent.LabelError, match="named"):
        evaluate(labels, frame)


def test_numbers_as_labels_of_named_columns_are_a_warning():
    report = evaluate([1, 0], CAT_DOG)
    assert "label 0 was taken for dog" in report.warnings[0]
    assert report.loss == pytest.approx(RIGHT)


def test_numbers_written_as_text_are_numbers():
    p = np.random.default_rng(0).dirichlet(np.ones(11), 50)
    labels = np.arange(50) % 11
    truth = evaluate(labels, p).loss
    assert evaluate(labels.astype(str), p).loss == truth
    frame = pd.DataFrame(p, columns=[f"p_{j}" for j in range(11)])
    assert evaluate(labels.astype(float).astype(str), frame).loss == truth
    assert evaluate([0, 1], [[0.1, 0.9], [0.8, 0.2]], classes=["1", "0"]).loss == pytest.approx(RIGHT)
    assert evaluate([False, True], [[0.1, 0.9], [0.8, 0.2]], classes=["True", "False"]).loss == pytest.approx(RIGHT)


def test_a_state_matches_columns_by_name():
    assert State(["cat", "dog"]).update(["cat", "dog"], CAT_DOG).report().loss == pytest.approx(RIGHT)
    with pytest.raises(xent.LabelError, match="named"):
        State(["cat", "bird"]).update(["cat", "bird"], CAT_DOG)
    with pytest.raises(xent.LabelError, match="named"):
        State(["ham", "spam"]).update(["ham", "spam"], pd.DataFrame({"p_ham": [0.9, 0.1]}))


def test_classes_reorder_the_columns_of_labels_too():
    report = evaluate(
        pd.DataFrame({"cat": [1, 1], "dog": [0, 0]}), pd.DataFrame({"p_dog": [0.1, 0.2], "p_cat": [0.9, 0.8]}),
        classes=["cat", "dog"],
    )  # fmt: skip
    assert [(one.label, one.count) for one in report.by_class] == [("cat", 2), ("dog", 0)]
    assert report.loss == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2)


P3 = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]


@pytest.mark.parametrize("last", [[0, 0, 0], [0, 0, 0.9]])
def test_one_bad_row_of_targets_is_refused_and_makes_no_other_task(last):
    with pytest.raises(xent.LabelError, match="row 2 sums to"):
        evaluate([[1, 0, 0], [0, 1, 0], last], P3)
    assert evaluate([[1, 0, 0], [0, 1, 0], [1, 1, 0]], [[0.7, 0.9, 0.1]] * 3).task == "multilabel"
    assert evaluate([[1, 0], [0, 1]], [[0.7, 0.3]] * 2).task == "binary"


@pytest.mark.parametrize(
    ("labels", "predictions"),
    [
        (["a", "b"], [[73.0, 27.0], [12.0, 88.0]]),
        ([1, 0], [73.0, 12.0]),
        ([0, 1], 3.0 * np.array([[0.5, 0.5], [0.9, 0.1]])),
        ([1, 0, 1], np.log([0.9, 0.2, 0.3])),
        ([0, 1], [[-1.0, -2.0], [-3.0, -0.5]]),
    ],
)
def test_what_could_be_several_things_is_not_guessed(labels, predictions):
    with pytest.raises(xent.ProbabilityError):
        evaluate(labels, predictions)


def test_one_column_of_lists_of_one_is_a_column():
    assert evaluate([1, 0], np.array([[0.9], [0.2]])).loss == pytest.approx(RIGHT)
    assert evaluate([1, 0], pl.DataFrame({"p": [[0.9], [0.2]]})).loss == pytest.approx(RIGHT)
    assert evaluate([[1], [0]], [0.9, 0.2]).loss == pytest.approx(RIGHT)
    assert evaluate([[1], [0]], [0.9, 0.2], task="multilabel").loss == pytest.approx(RIGHT)


def test_blank_states_keep_their_options():
    blank = State(kind="logits", top=3, clip=1e-3)
    assert State.from_json(blank.to_json()) == blank != State()
    assert State.from_json(blank.to_json()).update([0], [[2.0, 0.0]]).report().kind == "logits"
    first = State()
    second = first + State()
    second.update([0], [[0.5, 0.5]])
    assert first.rows == 0
    assert sum([State([0, 1]).update([0], [0.5]), State([0, 1]).update([1], [0.5])]).rows == 2


def test_threads_may_feed_one_state():
    state, (labels, p) = State([0, 1]), (np.zeros(500, int), np.full(500, 0.5))
    threads = [threading.Thread(target=lambda: [state.update(labels, p) for _ in range(40)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state.rows == 4 * 40 * 500
    assert pickle.loads(pickle.dumps(state)) == state


def test_rows_of_weight_zero_are_not_counted_as_changed():
    report = evaluate([1, 0, 1], [0.0, 0.2, 0.0], clip=1e-7, sample_weight=[0, 1, 0], classes=[0, 1])
    assert (report.rows, report.clipped) == (1, 0)


def test_weights_that_add_up_to_the_rows_are_still_weights():
    assert evaluate([1, 0], [0.9, 0.2], sample_weight=[0.5, 1.5]).weight == 2.0


@pytest.mark.parametrize("kind", ["log_probabilities", "probabilities"])
def test_one_column_of_log_probabilities_is_exact(kind):
    p = np.array([1e-300, 1e-9, 0.3, 0.7, 0.9, 1 - 1e-9])
    given = np.log(p) if kind == "log_probabilities" else p
    for label in (0, 1):
        truth = -np.mean(np.log(p) if label else np.log1p(-p))
        assert evaluate(np.full(6, label), given, kind=kind, classes=[0, 1]).loss == pytest.approx(truth, rel=1e-8)


def test_big_endian_arrays_and_polars_categories():
    labels, p = (
        np.random.default_rng(0).integers(0, 3, 300_000),
        np.random.default_rng(1).dirichlet(np.ones(3), 300_000),
    )
    assert evaluate(labels.astype(">i4"), p.astype(">f8")).loss == evaluate(labels, p).loss
    assert evaluate(pl.Series(["a", "b"]).cast(pl.Categorical), [0.2, 0.8]).loss == pytest.approx(-math.log(0.8))


def test_soft_targets_at_the_tolerance_do_not_depend_on_the_layout():
    r = np.random.default_rng(0)
    for total in np.linspace(1.0008, 1.0012, 41):
        p = (r.dirichlet(np.ones(8)) * total).astype(np.float32)
        verdicts = set()
        for rows in (p[None], np.asfortranarray(np.stack([p] * 3)), np.stack([p] * 300_000)):
            try:
                evaluate(np.zeros(len(rows), int), rows)
                verdicts.add("taken")
            except xent.ProbabilityError:
                verdicts.add("refused")
        assert len(verdicts) == 1


MASKED = np.ma.array([1, 0, 1], mask=[0, 0, 1])
REFUSED = {
    "masked labels": ((MASKED, [0.9, 0.2, 0.1]), {}, xent.ArgumentTypeError),
    "classes as a set": ((["a", "b"], [0.1, 0.9]), {"classes": {"a", "b"}}, xent.OptionError),
    "classes as text": ((["a", "b"], [0.1, 0.9]), {"classes": "ab"}, xent.OptionError),
    "equal classes": (([1, 1], [[0.1, 0.9]] * 2), {"classes": [1, 1.0]}, xent.OptionError),
    "no class": (([1, 1], [[0.1, 0.9]] * 2), {"classes": [None, 1]}, xent.OptionError),
    "infinite label": (([math.inf, 1.0], [0.1, 0.9]), {}, xent.LabelError),
    "missing label": (([math.nan, 1.0], [0.1, 0.9]), {}, xent.LabelError),
    "rounded float labels": (
        (np.array([16777217.0, 16777216.0], np.float32), [[0.1, 0.9]] * 2),
        {"classes": [16777216, 16777217]},
        xent.LabelError,
    ),
    "huge label": (([2**70, 1], [0.1, 0.9]), {}, xent.LabelError),
    "text weights": (([1, 0], [0.1, 0.9]), {"sample_weight": ["1", "2"]}, xent.ArgumentTypeError),
    "tiny weights": (([1, 0], [0.1, 0.9]), {"sample_weight": [1e-200] * 2}, xent.WeightError),
    "huge weights": (([1, 0], [0.1, 0.9]), {"sample_weight": [1e308] * 2}, xent.WeightError),
    "huge logits": (([0, 1], [[0.0, 1e155]] * 2), {"kind": "logits"}, xent.ProbabilityError),
    "clip": (([1, 0], [0.1, 0.9]), {"clip": "a"}, xent.OptionError),
    "top": (([1, 0], [0.1, 0.9]), {"top": 1.5}, xent.OptionError),
    "normalize": (([1, 0], [0.1, 0.9]), {"normalize": "no"}, xent.OptionError),
    "unit": (([1, 0], [0.1, 0.9]), {"unit": ""}, xent.OptionError),
    "text as several labels": ((["a", "b"], [0.1, 0.9]), {"task": "multilabel"}, xent.XentError),
    "one column of labels for many": (([1, 0], P3[:2]), {"task": "multilabel"}, xent.LabelError),
    "classes of targets as a set": (
        ([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]]),
        {"classes": {"a", "b"}},
        xent.OptionError,
    ),
    "one of several labels above 1": (([[1, 0]], [[0.5, 1.0005]]), {"task": "multilabel"}, xent.ProbabilityError),
    "one of several logs above 0": (
        ([[1, 0]], [[-0.5, 5e-4]]),
        {"task": "multilabel", "kind": "log_probabilities"},
        xent.ProbabilityError,
    ),
    "log-probability above 0": (([1, 0], [1e-9, -1.0]), {"kind": "log_probabilities"}, xent.ProbabilityError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nonsense_is_refused(name):
    arguments, options, error = REFUSED[name]
    with pytest.raises(error) as refused:
        evaluate(*arguments, **options)
    assert isinstance(refused.value, ValueError | TypeError)
    assert "must be one of the classes inf" not in str(refused.value)


def test_probabilities_as_logits_of_one_column_are_noticed():
    report = evaluate([1, 0, 1], [0.9, 0.2, 0.3], kind="logits")
    assert any("already probabilities" in text for text in report.warnings)


def test_changed_states_are_refused():
    text = State([0, 1]).update([0, 1], [0.2, 0.7]).to_json()
    for broken in (text.replace('"rows": 2', '"rows": 5'), text.replace('p0"', 'p99999999"', 1)):
        assert broken != text
        with pytest.raises(xent.StateError, match="checksum"):
            State.from_json(broken)


def test_a_class_called_nan_is_a_name_with_its_place_in_the_order():
    report = evaluate(["nan", "b", "1"], [[0.6, 0.3, 0.1]] * 3)
    assert report.classes == ("1", "b", "nan")
    assert evaluate(["inf", "nan"], [[0.4, 0.6]] * 2, classes=["nan", "inf"]).accuracy == 0.5


def test_integer_labels_that_share_a_float_are_told_apart():
    labels = [2**60, 2**60 + 1, 2**60]
    report = evaluate(labels, [[0.2, 0.8], [0.7, 0.3], [0.3, 0.7]])
    assert math.isclose(report.loss, -(math.log(0.2) + 2 * math.log(0.3)) / 3, rel_tol=1e-15)


def test_whole_floats_in_an_object_array_are_labels():
    labels = np.array([0.0, 1.0], object)
    assert evaluate(labels, [0.5, 0.6]).loss == evaluate([0, 1], [0.5, 0.6]).loss


MIXED = {
    "labels": lambda: xent.evaluate(pd.Series([1, "a", 0], dtype=object), [0.1, 0.2, 0.3]),
    "predictions": lambda: xent.evaluate([1, 0, 1], pd.DataFrame({"p": [0.1, "x", 0.3]})),
    "sample_weight": lambda: xent.evaluate([1, 0], [0.1, 0.2], sample_weight=pd.Series([1, "x"], dtype=object)),
    "group": lambda: xent.evaluate([1, 0], [0.1, 0.2], group=pd.Series([1, "x"], dtype=object)),
    "the table": lambda: xent.scan(pd.DataFrame({"label": [1, "a", 0], "p": [0.1, 0.2, 0.3]})),
}


@pytest.mark.parametrize("name", MIXED)
def test_columns_of_mixed_types_are_refused_by_their_name(name):
    with pytest.raises(
        XentError, match=rf"^{name} cannot be read.*: Could not convert '[ax]' with type str"
    ) as refused:
        MIXED[name]()
    assert "('" not in str(refused.value)  # no tuple of Arrow's messages


def test_names_of_mixed_types_are_no_matter():
    p = pd.DataFrame({1: [0.5, 0.25, 0.2], "a": [0.5, 0.75, 0.8]})
    truth = xent.evaluate(["1", "a", "a"], p.rename(columns=str))
    assert xent.evaluate(["1", "a", "a"], p).loss == truth.loss
    assert xent.scan(p.assign(label=["1", "a", "a"]), prediction=["1", "a"]).loss == truth.loss


@pytest.mark.parametrize("labels", [["a", "b"], [1, 2]])
def test_a_state_without_classes_says_how_to_give_them(labels):
    state = xent.State()
    with pytest.raises(
        LabelError, match=r"^labels row \d is .*\nA State without classes .*State\(classes=\[\.\.\.\]\)\.$"
    ):
        state.update(labels, [[0.5, 0.5], [0.2, 0.8]])
    assert state == xent.State()
    assert xent.State(labels).update(labels, [[0.5, 0.5], [0.2, 0.8]]).rows == 2
