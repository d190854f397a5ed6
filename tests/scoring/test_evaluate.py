"""`evaluate` from a user's side: what goes in, how classes are matched, what is refused and in which words."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

import xent

TEN_Y = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
TEN_Q = [0.8, 0.9, 0.9, 0.6, 0.8, 0.1, 0.4, 0.2, 0.1, 0.3]
EXACT = 0.24691989080446483


def rows(n=500, classes=4, seed=0):
    r = np.random.default_rng(seed)
    p = r.dirichlet(np.ones(classes), n)
    return r.integers(0, classes, n), p


def test_the_ten_examples():
    report = xent.evaluate(TEN_Y, TEN_Q)
    assert report.loss == pytest.approx(EXACT, rel=1e-15)
    assert report.standard_error == pytest.approx((0.3620681132 - 0.1317716684) / 2 / 2.2621571627, rel=1e-9)  # s/√10
    assert (
        report.interval_method == "bootstrap-t"
    )  # which for so few, skewed numbers reaches further up than Student's t
    assert report.interval[0] == pytest.approx(0.1318, abs=0.02)
    assert 0.3621 < report.interval[1] < 0.5
    assert report.baseline == pytest.approx(math.log(2), rel=1e-15)
    assert report.skill == pytest.approx(1 - EXACT / math.log(2), rel=1e-15)
    assert report.typical_probability == pytest.approx(math.exp(-EXACT), rel=1e-15)
    assert report.accuracy == 1.0
    assert [one.loss for one in report.by_class] == pytest.approx([0.26027303, 0.23356675], rel=1e-8)
    assert sum(one.share for one in report.by_class) == pytest.approx(1.0)
    assert report.share_of_worst_10_percent == pytest.approx(0.5108256237659907 / (10 * EXACT), rel=1e-8)
    assert [(row.index, row.label) for row in report.worst[:2]] == [(3, 1), (6, 0)]
    assert report.verdict == "better than always predicting the class frequencies: 64 % of its loss is gone (37 to 81)"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_loss_is_scikit_learns(classes, dtype):
    labels, p = rows(classes=classes)
    assert xent.evaluate(labels, p.astype(dtype)).loss == pytest.approx(log_loss(labels, p), rel=1e-6)
    weights = np.random.default_rng(1).random(len(labels))
    weighted = xent.evaluate(labels, p, sample_weight=weights)
    assert weighted.loss == pytest.approx(log_loss(labels, p, sample_weight=weights), rel=1e-13)
    assert weighted.weight == pytest.approx(weights.sum(), rel=1e-14)


def test_equal_weights_change_nothing_but_the_weight():
    labels, p = rows()
    plain, weighted = xent.evaluate(labels, p), xent.evaluate(labels, p, sample_weight=np.full(len(p), 2.5))
    assert weighted.standard_error == pytest.approx(plain.standard_error, rel=1e-12)
    assert weighted.interval == pytest.approx(plain.interval, rel=1e-12)


def test_the_standard_error_is_that_of_the_mean():
    labels, p = rows()
    losses = -np.log(p[np.arange(len(p)), labels])
    assert xent.evaluate(labels, p).standard_error == pytest.approx(losses.std(ddof=1) / math.sqrt(len(p)), rel=1e-12)


def test_rows_of_weight_zero_are_left_out():
    labels, p = rows(50)
    p[0] = [0.0, 0.5, 0.5, 0.0]
    labels[0] = 0
    weights = np.ones(50)
    weights[0] = 0.0
    found, truth = xent.evaluate(labels, p, sample_weight=weights), xent.evaluate(labels[1:], p[1:])
    assert (found.rows, truth.rows, truth.infinite) == (49, 49, 0)
    for name in ("loss", "baseline", "infinite", "by_class", "histogram", "accuracy", "confusion"):
        assert getattr(found, name) == getattr(truth, name), name
    assert found.interval == pytest.approx(truth.interval, rel=1e-12)


@pytest.mark.parametrize("kind", ["probabilities", "logits", "log_probabilities"])
@pytest.mark.parametrize("task", ["column", "rows", "soft", "multilabel"])
def test_kinds_agree(kind, task):
    labels, p = rows(300, 3)
    if task == "column":
        labels, p = (labels == 0).astype(int), p[:, 0]
    elif task == "soft":
        labels = rows(300, 3, seed=5)[1]
    elif task == "multilabel":
        labels = (rows(300, 3, seed=5)[1] > 0.3).astype(int)
    flat = task in ("column", "multilabel")
    logits = np.log(p) - np.log1p(-p) if flat else np.log(p) + 3.0
    given_ = {"probabilities": p, "logits": logits, "log_probabilities": np.log(p)}[kind]
    options = {"task": "multilabel"} if task == "multilabel" else {}
    truth = xent.evaluate(labels, p, kind="probabilities", **options)
    report = xent.evaluate(labels, given_, kind=kind, **options)
    assert report.loss == pytest.approx(truth.loss, rel=1e-12)
    assert report.accuracy == truth.accuracy


def test_soft_and_one_hot_labels():
    labels, p = rows(200, 3)
    assert xent.evaluate(np.eye(3)[labels], p).loss == pytest.approx(xent.evaluate(labels, p).loss, rel=1e-14)
    q = rows(200, 3, seed=9)[1]
    report = xent.evaluate(q, p)
    assert report.loss == pytest.approx(float(np.mean(xent.cross_entropy(q, p))), rel=1e-13)
    assert report.baseline == pytest.approx(float(xent.entropy(q.mean(axis=0))), rel=1e-13)
    assert xent.evaluate([[0.0, 1.0]], [[0.0, 1.0]]).loss == 0.0  # 0 · log 0 is 0


def test_several_labels_are_scored_by_label_and_in_total():
    y, p = np.array([[1, 0], [1, 1], [0, 0]]), np.array([[0.9, 0.2], [0.6, 0.7], [0.5, 0.1]])
    terms = -(y * np.log(p) + (1 - y) * np.log1p(-p))
    report = xent.evaluate(y, p, classes=["cat", "dog"])
    assert report.task == "multilabel"
    assert report.loss == pytest.approx(terms.sum(axis=1).mean(), rel=1e-14)
    assert [one.loss for one in report.by_class] == pytest.approx(terms.mean(axis=0).tolist(), rel=1e-14)
    assert [one.count for one in report.by_class] == [2, 1]
    third = -(np.log(1 / 3) / 3 + np.log(2 / 3) * 2 / 3)
    assert report.baseline == pytest.approx(2 * third, rel=1e-14)
    assert report.worst[0].label == ("cat", "dog")


@pytest.mark.parametrize("gap", [-700.0, -120.0, 70.0, 700.0])
def test_logits_are_exact(gap):
    truth = math.log1p(math.exp(-gap)) if gap > 0 else -gap + math.log1p(math.exp(gap))
    for report in (
        xent.evaluate([0], [[gap, 0.0]], kind="logits"),
        xent.evaluate([1], [gap], kind="logits", classes=[0, 1]),
    ):
        assert report.loss == pytest.approx(truth, rel=1e-14)


def test_tiny_losses_are_not_zero():
    z = np.zeros((5, 3))
    z[:, 0] = math.log(2e30)
    assert xent.evaluate([0] * 5, z, kind="logits").loss == pytest.approx(1e-30, rel=1e-13)


def test_infinity_is_infinity_and_is_reported():
    report = xent.evaluate([0, 1, 0, 1], [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0], [1.0, 0.0]])
    assert report.loss == math.inf
    assert report.infinite == 2
    assert report.finite_loss == pytest.approx(math.log(2) / 2)
    assert "2 of 4 rows gave probability 0 to the truth (row 0, 3)" in report.warnings[0]
    assert '"loss": "inf"' in report.json()
    assert ": nan" not in report.json().lower()
    clipped = xent.evaluate([0, 1], [[0.0, 1.0], [0.0, 1.0]], clip=1e-7)
    assert clipped.loss == pytest.approx((-math.log(1e-7) - math.log1p(-1e-7)) / 2, rel=1e-14)
    assert clipped.clipped == 2


def test_normalize_is_counted():
    report = xent.evaluate([0, 1], [[0.5, 0.6], [0.5, 0.5]], normalize=True)
    assert report.loss == pytest.approx((-math.log(0.5 / 1.1) - math.log(0.5)) / 2, rel=1e-14)
    assert report.normalized == 1
    assert "1 of 2 rows did not sum to 1" in report.warnings[0]


def test_bits():
    nats, bits = xent.evaluate(TEN_Y, TEN_Q), xent.evaluate(TEN_Y, TEN_Q, unit="bits")
    assert bits.loss == pytest.approx(nats.loss / math.log(2), rel=1e-15)
    assert bits.by_class[0].loss == pytest.approx(nats.by_class[0].loss / math.log(2), rel=1e-15)
    assert (bits.skill, bits.perplexity, bits.worst[0].nats) == (nats.skill, nats.perplexity, nats.worst[0].nats)


def frames(columns):
    return [pd.DataFrame(columns), pl.DataFrame(columns), pa.table(columns)]


def test_columns_are_matched_to_labels_by_name():
    truth = xent.evaluate(["cat", "dog", "cat"], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], classes=["cat", "dog"]).loss
    for frame in frames({"p_dog": [0.1, 0.8, 0.3], "p_cat": [0.9, 0.2, 0.7]}):
        for labels in (["cat", "dog", "cat"], pd.Series(["cat", "dog", "cat"]), pd.Categorical(["cat", "dog", "cat"])):
            report = xent.evaluate(labels, frame)
            assert report.loss == truth
            assert "labels matched to columns by name" in report.notes
    for frame in frames({"1": [0.1, 0.8, 0.3], "0": [0.9, 0.2, 0.7]}):
        assert xent.evaluate([0, 1, 0], frame).loss == truth


def test_without_names_the_order_is_sorted_and_said():
    p = [[0.9, 0.1], [0.2, 0.8]]
    report = xent.evaluate(["dog", "cat"], p[::-1])
    assert report.classes == ("cat", "dog")
    assert any("sorted order" in note for note in report.notes)
    assert xent.evaluate([-1, 1], p).classes == (-1, 1)
    assert xent.evaluate([False, True], p).classes == (False, True)
    assert xent.evaluate(["no", "yes"], [0.1, 0.8]).loss == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2)


def test_a_single_column_named_for_a_class_speaks_of_it():
    frame = pd.DataFrame({"p_ham": [0.9, 0.2]})
    assert xent.evaluate(["ham", "spam"], frame).loss == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64, bool, np.float32, object])
def test_labels_of_any_dtype(dtype):
    assert xent.evaluate(np.array(TEN_Y).astype(dtype), TEN_Q).loss == pytest.approx(EXACT, rel=1e-15)


@pytest.mark.parametrize("labels", [np.array(TEN_Y).astype(str), pa.array(map(str, TEN_Y)), pl.Series(TEN_Y)])
def test_labels_from_anywhere(labels):
    assert xent.evaluate(labels, TEN_Q).loss == pytest.approx(EXACT, rel=1e-15)


@given(st.integers(2, 8), st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_the_worst_shares_are_those_of_sorted_rows(classes, seed):
    labels, p = rows(1000, classes, seed)
    losses = np.sort(-np.log(p[np.arange(1000), labels]))[::-1]
    report = xent.evaluate(labels, p)
    # the histogram is exact at the edges of its bins and shares out the one that the border falls into
    for share, part in ((report.share_of_worst_1_percent, 10), (report.share_of_worst_10_percent, 100)):
        truth = losses[:part].sum() / losses.sum()
        assert share == pytest.approx(truth, rel=0.03)
    assert sum(one.rows for one in report.histogram) == 1000
    assert sum(one.share for one in report.histogram) == pytest.approx(1.0, rel=1e-9)


REFUSED = {
    "row sum": (
        ([0, 1], [[0.5, 0.5], [0.5, 0.6]]),
        {},
        xent.ProbabilityError,
        r"row 1 sums to 1\.1, not 1 \(1 of 2 rows are off by more than 0\.001.*normalize=True",
    ),
    "negative": (([0, 1], [[0.5, 0.5], [-0.5, 1.5]]), {}, xent.ProbabilityError, r"row 1, column 0 is -0\.5"),
    "NaN": (([0, 1], [[0.5, 0.5], [np.nan, 0.5]]), {}, xent.ProbabilityError, r"row 1, column 0 is nan"),
    "above one": (
        ([0, 1], [0.5, 1.2]),
        {},
        xent.ProbabilityError,
        r"row 1 is 1\.2, but probabilities must be in \[0, 1\]",
    ),
    "logits as probabilities": (
        ([0, 1], [[2.0, 1.0], [3.0, -3.0]]),
        {"kind": "probabilities"},
        xent.ProbabilityError,
        r"These look like logits.*kind=\"logits\"",
    ),
    "unknown label": (
        (["cat", "eel"], pa.table({"p_cat": [0.5, 0.5], "p_dog": [0.5, 0.5]})),
        {},
        xent.LabelError,
        r"row 1 is 'eel', but labels must be one of the classes 'cat', 'dog'; 1 of the 2",
    ),
    "label too large": (
        ([0, 1, 7], [[0.5, 0.5]] * 3),
        {"classes": [0, 1]},
        xent.LabelError,
        r"row 2 is 7, but labels must be in \[0, 2\)",
    ),
    "labels from 1": (([1, 2, 3], np.full((3, 3), 1 / 3)), {}, xent.LabelError, r"run from 1 to 3.*Subtract 1"),
    "labels 1 and 2": (([1, 2], [0.5, 0.5]), {}, xent.LabelError, r"labels are 1 and 2.*Subtract 1"),
    "missing label": ((["a", None], [[0.5, 0.5]] * 2), {"classes": ["a", "b"]}, xent.LabelError, r"row 1 is None"),
    "fractional label": (([0.0, 0.5], [0.5, 0.5]), {}, xent.LabelError, "0.5"),
    "too few classes": ((["a", "a"], np.full((2, 3), 1 / 3)), {}, xent.LabelError, r"name 1 class \(a\).*classes="),
    "empty": (([], []), {}, xent.ShapeError, "nothing to score"),
    "shape": (([0, 1, 1], [0.5, 0.5]), {}, xent.ShapeError, "labels has 3 rows and predictions 2"),
    "three axes": (([0], np.zeros((1, 2, 2))), {}, xent.ShapeError, r"shape \(1, 2, 2\)"),
    "ragged": (([0, 1], [[0.5, 0.5], [1.0]]), {}, xent.ArgumentTypeError, "rows of equal length"),
    "text": (([0, 1], ["a", "b"]), {}, xent.ArgumentTypeError, "must hold numbers"),
    "negative weight": (
        ([0, 1], [0.5, 0.5]),
        {"sample_weight": [1.0, -2.0]},
        xent.WeightError,
        r"row 1 is -2, but weights must be 0, or from 1e-100",
    ),
    "no weight": (([0, 1], [0.5, 0.5]), {"sample_weight": [0.0, 0.0]}, xent.WeightError, "0 in every row"),
    "weights shape": (([0, 1], [0.5, 0.5]), {"sample_weight": [1.0]}, xent.ShapeError, "one weight a row"),
    "kind": (([0, 1], [0.5, 0.5]), {"kind": "odds"}, xent.OptionError, "kind is 'odds'"),
    "unit": (([0, 1], [0.5, 0.5]), {"unit": "bans"}, xent.OptionError, "bans"),
    "clip": (([0, 1], [0.5, 0.5]), {"clip": 0.7}, xent.OptionError, "clip is 0.7"),
    "no finite logit": (([0], [[-np.inf, -np.inf]]), {"kind": "logits"}, xent.ProbabilityError, "no finite logit"),
    "soft sum": (
        ([[0.5, 0.6], [0.5, 0.5]], [[0.5, 0.5]] * 2),
        {"task": "multiclass"},
        xent.LabelError,
        r"sums to 1\.1",
    ),
    "soft labels and one column": (
        ([[0.3, 0.7], [1.0, 0.0]], [0.7, 0.2]),
        {},
        xent.ShapeError,
        r"labels have 2 columns and predictions 1; .*1 − p and p\.$",
    ),
    "predictions first": (
        ([[0.3, 0.2, 0.5], [1.0, 0.0, 0.0]], [2, 0]),
        {},
        xent.ShapeError,
        r"labels have 3 columns and predictions 1; .*\nLabels come first: are these the predictions\?",
    ),
    "labels as bytes": (
        (np.array([b"a", b"b"]), [0.5, 0.5]),
        {},
        xent.LabelError,
        r"dtype \|S1, but .*\n.*decode them",
    ),
    "dates as labels": (
        (pa.array([0, 1], pa.date32()), [0.5, 0.5]),
        {},
        xent.LabelError,
        r"type date32\[day\], but .*\n.*write them as text",
    ),
    "logs of probabilities as probabilities": (
        ([0, 1], np.log([[0.75, 0.25], [0.5, 0.5]])),
        {"kind": "probabilities"},
        xent.ProbabilityError,
        r"look like log-probabilities\.\nPass kind=\"log_probabilities\"",
    ),
    "soft labels beyond 1": (
        ([[1.5, -0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]),
        {},
        xent.LabelError,
        r"column 0 is 1\.5, but .*\n.*Divide counts by their sum",
    ),
    "rounded labels": (
        (np.zeros(3, np.float16), np.full((3, 4000), 1 / 4000)),
        {},
        xent.ArgumentTypeError,
        "dtype float16, which rounds.*Pass integer labels",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_and_named(name):
    arguments, options, error, message = REFUSED[name]
    with pytest.raises(error, match=f"(?s){message}"):
        xent.evaluate(*arguments, **options)


def test_few_rows_of_many_classes_make_the_baseline_too_low_and_the_report_says_so():
    """Drawn alike, so that the entropy is log K; of n rows in it at most log n (Miller 1955: less by (K − 1) / 2n)."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 500, 800)
    uniform = random.uniform(0.999, 1.001, (800, 500)) / 500
    report = xent.evaluate(labels, uniform, normalize=True)
    present = len(np.unique(labels))
    low = (present - 1) / 1600
    assert np.log(500) - report.baseline > low
    assert report.verdict.startswith("worse than knowing nothing")
    assert f"these 800 rows of {present} classes, so it is about {low:.3f} nats or more too low" in "".join(
        report.warnings
    )
    frequent = xent.evaluate(labels % 50, uniform[:, :50], normalize=True)
    assert not any("Miller" in text for text in frequent.warnings)


def test_one_class_only():
    report = xent.evaluate([1, 1, 1], [0.8, 0.7, 0.9])
    assert report.baseline == 0.0
    assert report.skill is None
    assert report.skill_interval is None
    assert "only one class" in report.verdict
    assert any("only one class is present" in text for text in report.warnings)
    assert '"skill": null' in report.json()


def test_a_column_named_for_no_label_is_allowed_and_said():
    report = xent.evaluate(["a", "b"], pa.table({"p_a": [0.5, 0.2], "p_b": [0.4, 0.7], "p_c": [0.1, 0.1]}))
    assert any("no row has the label c" in text for text in report.warnings)


def test_probabilities_passed_as_logits_are_noticed():
    labels, p = rows()
    assert any(
        "softmax was probably applied twice" in text for text in xent.evaluate(labels, p, kind="logits").warnings
    )


def test_float32_round_off_in_row_sums_passes():
    p = np.full((4, 3), 1 / 3, np.float32)
    p[:, 0] += 1e-6
    assert xent.evaluate([0, 1, 2, 0], p).loss == pytest.approx(math.log(3), rel=1e-5)


def test_one_row_has_no_interval():
    report = xent.evaluate([1], [0.5], classes=[0, 1])
    assert (report.standard_error, report.interval) == (None, None)
    assert "single row" in report.verdict or "one class" in report.verdict


def test_worse_than_nothing_and_undecided():
    labels, p = rows()
    bad = xent.evaluate(labels, p**4 / (p**4).sum(axis=1, keepdims=True))
    assert bad.verdict.startswith("worse than knowing nothing")
    same = xent.evaluate([0, 1, 0, 1], [0.5, 0.52, 0.51, 0.49])
    assert same.verdict.startswith("not shown to be better")


@pytest.mark.parametrize(
    ("loss", "word"),
    [(0.0, "perfect"), (0.01, "great"), (0.03, "on the right track"), (0.1, "fine"), (0.25, "between fine and not great"),
     (0.5, "not great"), (1.5, "terrible"), (2.5, "something is broken")],
)  # fmt: skip
def test_the_rule_of_thumb(loss, word):
    p = math.exp(-loss)
    report = xent.evaluate([1, 0], [p, 1 - p])
    assert report.rule_of_thumb.startswith(word)
    assert "two classes alone" in report.rule_of_thumb
    assert xent.evaluate([0, 1, 2], np.full((3, 3), 1 / 3)).rule_of_thumb is None


def suspected(labels, predictions, **options):
    return [text for text in xent.evaluate(labels, predictions, **options).warnings if "xent check" in text]


def test_suspicious_predictions_are_pointed_out():
    r = np.random.default_rng(17)
    p = r.dirichlet(np.full(3, 0.3), 400)
    labels = (r.random((400, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    assert suspected(labels, p) == []
    swapped = suspected(labels, p[:, [0, 2, 1]], clip=1e-7)
    assert len(swapped) == 1
    assert swapped[0].startswith("the columns of 1, 2 look permuted: another order would give ")
    hard = suspected(labels, np.eye(3)[labels])
    assert hard == ["nearly all predictions are 0 or 1: class decisions, where probabilities are needed. "
                    "xent check looks into it."]  # fmt: skip
    assert suspected(labels, np.full((400, 3), 1 / 3)) == [
        "all rows have nearly the same prediction. xent check looks into it."
    ]
    assert suspected(1 - (r.random(400) < p[:, 0]), p[:, 0])[0].startswith("the columns of 0, 1 look permuted")
    assert suspected(labels[:50], np.full((50, 3), 1 / 3)) == []  # too few rows to suspect anything


def test_a_value_just_outside_is_shown_with_all_its_digits():
    with pytest.raises(xent.ProbabilityError, match=r"row 1 is 1\.000000000001, but probabilities must be in \[0, 1\]"):
        xent.evaluate([0, 1], [0.2, 1 + 1e-12])


@pytest.mark.parametrize("columns", [1, 2])
def test_predictions_that_are_the_labels_leave_nothing_to_cure(columns):
    labels = np.arange(50) % 2
    found = xent.evaluate(labels, labels * 1.0 if columns == 1 else np.eye(2)[labels])
    assert (found.loss, found.cure) == (0.0, None)
    assert "there is nothing to cure" in str(found)


def test_labels_of_half_precision_in_a_table_are_whole_numbers_up_to_2048():
    """Compared in their own type, which ends at 65,504, they once broke on a larger bound."""
    p = np.full((3, 4), 0.25)
    table = {"p": p.tolist(), "label": np.array([0, 3, 1], np.float16)}
    assert xent.scan(pa.table(table)).loss == pytest.approx(math.log(4), rel=1e-15)
    table["label"] = np.array([0, 2048, 1], np.float16)
    with pytest.raises(xent.LabelError, match="from 2,048 on are rounded"):
        xent.scan(pa.table(table), classes=[0, 1, 3, 2048])


def test_the_column_of_weights_is_asked_for_by_its_own_argument():
    table = pa.table({"label": [0, 1], "p": [0.5, 0.5], "w": ["a", "b"]})
    for name in ("w", "v"):
        with pytest.raises(xent.SourceError, match=r"\(sample_weight=\)"):
            xent.scan(table, sample_weight=name)


def test_rows_are_matched_by_position_and_where_pandas_names_them_otherwise_it_is_said():
    labels, p = rows(classes=3)
    frame, named = pd.DataFrame(p), pd.Series(labels)
    said = "rows of labels and predictions matched by position: their indexes (pandas) differ"
    shuffled = named.sample(frac=1.0, random_state=1)
    assert xent.evaluate(shuffled, frame).notes[0] == said
    assert xent.evaluate(shuffled, frame).loss == xent.evaluate(shuffled.to_numpy(), p).loss
    for one, other in ((named, frame), (shuffled, frame.loc[shuffled.index]), (shuffled, p), (labels, frame)):
        assert said not in xent.evaluate(one, other).notes


@pytest.mark.parametrize("low", [2**53, 2**62, 2**64 - 2], ids=["2^53", "2^62", "2^64 - 2"])
def test_classes_that_differ_by_less_than_a_float_can_hold_are_told_apart(low):
    labels = np.array([low, low + 1, low + 1], np.uint64 if low >= 2**63 else np.int64)
    p = np.array([0.9, 0.2, 0.25])
    table = pa.table({f"p_{low + 1}": 1.0 - p, f"p_{low}": p})
    report = xent.evaluate(labels, table)
    assert report.loss == pytest.approx(-np.log([0.9, 0.8, 0.75]).mean(), rel=1e-12)
    assert [str(one.label) for one in report.by_class] == [str(low), str(low + 1)]
