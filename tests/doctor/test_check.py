"""Every fault is found, named and counted, and data without one raise no alarm."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import xent
from xent.doctor.check import check

DATA = Path(__file__).parents[2] / "examples" / "data"


def found(checkup, name):
    """The one finding of this name."""
    [one] = [one for one in checkup.findings if one.name == name and one.severity != "fine"]
    return one


def complaints(checkup):
    return {one.name for one in checkup.findings if one.severity != "fine"}


def binary(rows=200, seed=0):
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, rows)
    return y, np.where(y == 1, random.beta(6, 2, rows), random.beta(2, 6, rows))


def cost(y, p):
    return float(-np.log(np.where(y == 1, p, 1 - p)).mean())


@pytest.mark.parametrize("path", sorted(DATA.glob("*.parquet")), ids=lambda path: path.stem)
def test_real_predictions_raise_no_alarm(path):
    checkup = check(path)
    assert not checkup.serious
    assert complaints(checkup) <= {"rounding"}
    assert checkup.loss == pytest.approx(xent.scan(path).loss, rel=1e-12)


def test_good_predictions(zoo):
    checkup = check(zoo.frame())
    assert not checkup.serious
    assert complaints(checkup) == set()
    assert checkup.loss == pytest.approx(zoo.loss, rel=1e-12)
    assert (checkup.rows, checkup.classes, checkup.kind, checkup.task) == (
        300, ("cat", "dog", "bird", "cow"), "probabilities", "multiclass",
    )  # fmt: skip
    assert "nothing to complain of" in str(checkup)
    assert checkup.columns.prediction == ("p_cat", "p_dog", "p_bird", "p_cow")


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_weak_predictions_raise_no_alarm_about_columns(strength, seed):
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, 60)
    z = random.normal(size=(60, 5)) * 2.0
    z[np.arange(60), y] += strength
    columns = {f"logit_{j}": z[:, j] for j in range(5)}
    checkup = check({"label": y, **columns})
    assert not checkup.serious
    assert "shifted-rows" not in complaints(checkup)


def test_weights_count_in_the_loss(zoo):
    weight = np.random.default_rng(1).integers(0, 3, 300).astype(float)
    frame = zoo.frame(w=weight)
    assert check(frame, sample_weight="w").loss == pytest.approx(xent.scan(frame, sample_weight="w").loss, rel=1e-12)


# --- columns


def test_two_columns_swapped(zoo):
    checkup = check(zoo.frame(p=zoo.p[:, [1, 0, 2, 3]]))
    one = found(checkup, "permuted-columns")
    assert one.severity == "serious"
    text = f"cat and dog swapped would give {zoo.loss:.3f} instead of {checkup.loss:.3f} nats"
    assert text in one.message
    assert one.change == "if so, rename the columns: p_dog to p_cat, p_cat to p_dog."


def test_three_columns_in_a_ring(zoo):
    one = found(check(zoo.frame(p=zoo.p[:, [1, 2, 0, 3]])), "permuted-columns")
    assert "the column of bird holding cat, that of dog holding bird, that of cat holding dog would" in one.message
    assert one.change.startswith("if so, rename the columns: p_bird to p_cat, p_cat to p_dog, p_dog to p_bird")


def test_columns_reversed(zoo):
    assert "reversed" in found(check(zoo.frame(p=zoo.p[:, ::-1])), "permuted-columns").message


def test_the_advice_mends_columns_without_names(zoo):
    table = pa.table({"label": zoo.text, "p": pa.FixedSizeListArray.from_arrays(pa.array(zoo.p.ravel()), 4)})
    one = found(check(table), "permuted-columns")
    [classes] = re.findall(r"--classes (\S+)\.", one.change)
    assert f"would give {zoo.loss:.3f}" in one.message
    assert xent.scan(table, classes=classes.split(",")).loss == pytest.approx(zoo.loss, rel=1e-12)


def test_the_advice_mends_labels_that_are_positions(zoo):
    frame = zoo.frame(label=zoo.y, p=zoo.p[:, [1, 0, 2, 3]])
    one = found(check(frame), "permuted-columns")
    assert one.change == "if so, pass --classes 1,0,2,3."
    assert xent.scan(frame, classes=[1, 0, 2, 3]).loss == pytest.approx(zoo.loss, rel=1e-12)


def test_columns_of_logits_are_compared_too(zoo):
    one = found(check(zoo.frame(p=zoo.z[:, [0, 1, 3, 2]], prefix="logit_")), "permuted-columns")
    assert f"bird and cow swapped would give {zoo.loss:.3f}" in one.message


def test_a_few_rows_are_not_enough_for_an_alarm(zoo):
    checkup = check(zoo.frame(p=zoo.p[:, [1, 0, 2, 3]])[:12])
    assert "permuted-columns" not in {one.name for one in checkup.findings if one.severity == "serious"}


def test_a_rare_class_taken_for_another_is_no_permutation():
    random = np.random.default_rng(3)
    y = random.choice(3, 2000, p=[0.6, 0.39, 0.01])
    seen = np.where(y == 2, 1, y)  # the rare class looks like class 1 to the model
    p = np.full((2000, 3), 0.05)
    p[np.arange(2000), seen] = 0.9
    checkup = check({"label": y, "p_0": p[:, 0], "p_1": p[:, 1], "p_2": p[:, 2]})
    assert not {"permuted-columns", "shifted-labels"} & complaints(checkup)


def test_an_order_that_is_worse_for_one_of_its_classes_is_none():
    random = np.random.default_rng(3)
    y = random.choice(3, 2000, p=[0.5, 0.49, 0.01])
    p = np.full((2000, 3), 0.05)
    p[np.arange(2000), np.array([1, 2, 2])[y]] = 0.9  # 0 taken for 1, 1 for 2, and 2 for itself
    checkup = check({"label": y, "p_0": p[:, 0], "p_1": p[:, 1], "p_2": p[:, 2]})
    assert not {"permuted-columns", "shifted-labels"} & complaints(checkup)


@pytest.mark.parametrize(
    ("column", "change"),
    [("p", "if so, pass --classes 1,0, or write 1 − p."), ("p_1", "if so, rename column 'p_1' after class 0, or write 1 − p.")],
)  # fmt: skip
def test_the_probability_of_the_other_class(column, change):
    y, p = binary()
    checkup = check({"label": y, column: 1 - p})
    one = found(checkup, "inverted-probability")
    assert (one.severity, one.change) == ("serious", change)
    assert f"would give {cost(y, p):.3f} instead of {cost(y, 1 - p):.3f} nats" in one.message
    if column == "p":
        assert check({"label": y, "p": 1 - p}, classes=[1, 0]).loss == pytest.approx(cost(y, p), rel=1e-12)


def test_a_single_column_of_logits_inverted():
    y, p = binary()
    assert found(check({"label": y, "logit_1": np.log((1 - p) / p)}), "inverted-probability").severity == "serious"


# --- labels


def test_labels_shifted_around(zoo):
    one = found(check(zoo.frame(label=(zoo.y + 1) % 4, names=range(4))), "shifted-labels")
    assert one.severity == "serious"
    assert f"label 1 fits the column of 0, and so on, which would give {zoo.loss:.3f}" in one.message
    assert one.change.startswith("if so, subtract 1 from the labels (modulo 4), or rename the columns")


def test_labels_that_count_from_one(zoo):
    checkup = check(zoo.frame(label=zoo.y + 1, names=range(4)))
    one = found(checkup, "unknown-labels")
    assert one.rows == (zoo.y == 3).sum()
    assert one.first_row == np.argmax(zoo.y == 3)
    assert "--classes 1,2,3,4" in one.change
    assert found(checkup, "shifted-labels").change == "if so, subtract 1 from the labels."
    assert "shifted-rows" not in complaints(checkup)
    assert checkup.loss is None


def test_labels_that_count_from_one_beside_columns_without_names(zoo):
    lists = pa.FixedSizeListArray.from_arrays(pa.array(zoo.p.ravel()), 4)
    checkup = check(pa.table({"label": zoo.y + 1, "p": lists}))
    one = found(checkup, "labels-from-1")
    assert f"In sorted order the loss would be {zoo.loss:.3f} nats" in one.message
    assert "Subtract 1" in one.change
    assert checkup.loss is None


@pytest.mark.parametrize("step", [1, -1])
def test_labels_shifted_by_a_row(zoo, step):
    one = found(check(zoo.frame(label=np.roll(zoo.text, step))), "shifted-rows")
    assert one.severity == "serious"
    assert ("above" if step == 1 else "below") in one.message


def test_labels_in_another_order_of_rows(zoo):
    shuffled = np.random.default_rng(5).permutation(zoo.text)
    assert "unrelated-predictions" in complaints(check(zoo.frame(label=shuffled)))


def test_missing_labels(zoo):
    label = [None if i in (4, 9) else text for i, text in enumerate(zoo.text)]
    one = found(check(zoo.frame(label=label)), "missing-labels")
    assert (one.rows, one.first_row) == (2, 4)
    label = np.where(np.arange(300) == 7, np.nan, zoo.y)
    assert found(check(zoo.frame(label=label, names=range(4))), "missing-labels").first_row == 7


def test_labels_that_name_no_column(zoo):
    label = zoo.text.astype(object)
    label[5], label[6] = "Cat", "horse"
    checkup = check(zoo.frame(label=label.tolist()))
    one = found(checkup, "unknown-labels")
    assert (one.rows, one.first_row) == (2, 5)
    assert "'Cat' may be 'cat'" in one.message
    assert "'horse'" in one.message
    assert checkup.loss is None


def test_words_for_missing_labels():
    y, p = binary()
    label = [("NA" if i == 3 else str(v)) for i, v in enumerate(y)]
    one = found(check({"label": label, "p": p}), "labels-like-missing")
    assert (one.rows, one.first_row) == (1, 3)


def test_classes_that_do_not_fit_are_said_and_the_names_used(zoo):
    checkup = check(zoo.frame(), classes=["a", "b"])
    assert complaints(checkup) == {"labels-and-columns"}
    assert checkup.loss is None


def test_labels_named_otherwise_than_columns(zoo):
    label = np.array(["d", "a", "c", "b"])[zoo.y]
    checkup = check(zoo.frame(label=label))
    assert {"labels-and-columns", "permuted-columns"} <= complaints(checkup)
    assert found(checkup, "permuted-columns").change == "if so, pass --classes d,a,c,b."
    assert xent.scan(zoo.frame(label=label), classes=["d", "a", "c", "b"]).loss == pytest.approx(zoo.loss, rel=1e-12)


def test_fractional_labels():
    y, p = binary()
    one = found(check({"label": y + 0.25, "p": p}), "fractional-labels")
    assert (one.rows, one.first_row) == (200, 0)


def test_a_class_without_rows_and_a_single_class(zoo):
    y, p = binary()
    assert found(check({"label": y * 0, "p": p}), "one-class").severity == "worth a look"
    kept = zoo.y != 3
    one = found(check(zoo.frame().filter(pl.Series(kept))), "absent-classes")
    assert "no row has the label cow" in one.message


def test_labels_in_files_and_their_places(zoo, tmp_path):
    for part in range(2):
        zoo.frame()[part * 150 : part * 150 + 150].write_csv(tmp_path / f"{part}.csv")
    text = (tmp_path / "1.csv").read_text().splitlines()
    text[11] = text[11].replace(text[11].split(",")[0], "", 1)
    (tmp_path / "1.csv").write_text("\n".join(text) + "\n")
    one = found(check(tmp_path / "*.csv"), "missing-labels")
    assert (one.first_row, Path(one.source).name) == (10, "1.csv")


# --- entries and sums


def test_all_bad_entries_are_told_at_once(zoo):
    p = zoo.p.copy()
    p[3], p[7, 1], p[9, 2], p[11], p[20, 0] = np.nan, -0.2, 1.7, 0.0, np.inf
    checkup = check(zoo.frame(p=p))
    for name, row, rows in (
        ("nan-predictions", 3, 1),
        ("negative-predictions", 7, 1),
        ("predictions-above-range", 9, 1),
        ("infinite-predictions", 20, 1),
        ("sums", 7, 3),
    ):
        one = found(checkup, name)
        assert (one.severity, one.first_row, one.rows) == ("serious", row, rows)
    assert "sums run from 0 to" in found(checkup, "sums").message
    assert "1 row whose sum is not above 0 (first row 11)" in found(checkup, "sums").change
    assert "1.7 in column 'p_bird'" in found(checkup, "predictions-above-range").message
    assert checkup.loss is None


def test_rows_without_a_finite_logit(zoo):
    z = zoo.z.copy()
    z[8], z[9, 0] = -np.inf, np.inf
    checkup = check(zoo.frame(p=z, prefix="logit_"))
    assert found(checkup, "impossible-rows").first_row == 8
    assert found(checkup, "infinite-predictions").first_row == 9
    assert checkup.loss is None


def test_text_and_missing_values_among_predictions():
    y, p = binary()
    column = [f"{v:.6f}" for v in p]
    column[8], column[20] = "n/a", None
    checkup = check(pa.table({"label": y, "p": column}), prediction="p")
    assert "'n/a'" in found(checkup, "text-predictions").message
    assert found(checkup, "text-predictions").first_row == 8
    assert found(checkup, "missing-predictions").first_row == 20
    assert checkup.loss is None
    comma = check({"label": y, "p": [f"{v:.6f}".replace(".", ",") for v in p]}, prediction="p")
    assert "decimal point" in found(comma, "text-predictions").change
    percent = check({"label": y, "p": [f"{v:.0%}" for v in p]}, prediction="p")
    assert "not percents" in found(percent, "text-predictions").change


def test_lists_of_other_lengths(zoo):
    lists = zoo.p.tolist()
    lists[5], lists[8][1], lists[9] = lists[5][:2], None, None
    checkup = check(pl.DataFrame({"label": zoo.y, "p": lists}))
    assert (found(checkup, "ragged-lists").rows, found(checkup, "ragged-lists").first_row) == (1, 5)
    assert found(checkup, "missing-predictions").rows == 2


def test_weights_that_cannot_be(zoo):
    weight = np.ones(300)
    weight[3], weight[5] = -1, np.inf
    one = found(check(zoo.frame(w=weight), sample_weight="w"), "weights")
    assert (one.rows, one.first_row) == (2, 3)
    assert "0 in every row" in found(check(zoo.frame(w=np.zeros(300)), sample_weight="w"), "weights").message


# --- kinds


def test_percents_and_counts(zoo):
    assert "--normalize" in found(check(zoo.frame(p=100 * zoo.p)), "percents").change
    assert "--normalize" in found(check(zoo.frame(p=np.round(200 * zoo.p))), "counts").change
    y, p = binary()
    assert found(check({"label": y, "p": 100 * p}), "percents").change == "divide them by 100."
    assert check({"label": y, "p": 100 * p}).loss is None


def test_a_second_softmax(zoo):
    one = found(check(zoo.frame(prefix="logit_")), "softmax-twice")
    assert (one.severity, one.rows) == ("serious", 300)
    y, p = binary()
    assert "a second sigmoid" in found(check({"label": y, "logit_1": p}), "softmax-twice").message
    assert found(check(tags(), label="y_*", kind="logits"), "softmax-twice").rows == 300


def test_logits_in_columns_named_like_probabilities(zoo):
    checkup = check(zoo.frame(p=zoo.z))
    assert found(checkup, "misnamed-columns").severity == "worth a look"
    assert checkup.loss == pytest.approx(zoo.loss, rel=1e-12)
    assert "--kind logits" in found(check(zoo.frame(p=zoo.z), kind="probabilities"), "logits-as-probabilities").change


def test_logits_or_logs(zoo):
    z = zoo.z - zoo.z.max() - 1.0
    assert found(check(zoo.frame(p=z)), "ambiguous-kind").severity == "serious"
    checkup = check(zoo.frame(p=np.log(zoo.p), prefix="logp_"))
    assert (checkup.kind, complaints(checkup)) == ("log_probabilities", set())
    assert checkup.loss == pytest.approx(zoo.loss, rel=1e-12)


def test_one_against_the_rest(zoo):
    one = found(check(zoo.frame(p=1 / (1 + np.exp(-zoo.z)))), "one-against-rest")
    assert "--task multilabel" in one.change


def test_a_column_left_out(zoo):
    checkup = check(zoo.frame().drop("p_cow"))
    assert "a column seems to be missing" in found(checkup, "missing-column").message
    assert "'cow'" in found(checkup, "unknown-labels").message


# --- how finely predictions are told


@pytest.mark.parametrize("places", [1, 2, 3])
def test_rounding(zoo, places):
    p = np.round(zoo.p, places)
    p[:, 3] = np.round(1 - p[:, :3].sum(axis=1), places)
    p[:, 3] = np.clip(p[:, 3], 0, None)
    checkup = check(zoo.frame(p=p))
    one = found(checkup, "rounding")
    step = 10.0**-places
    assert f"multiples of {step:g}" in one.message
    assert f"other than 0 is {-np.log1p(-step):.2g} nats" in one.message
    own = p[np.arange(300), zoo.y]
    if (own == 0).any() or (own == 1).any():
        assert f"{(own == 0).sum():,} row" in one.message
        assert f"and {(own == 1).sum():,} exactly 1" in one.message


def test_rounded_single_precision(zoo):
    assert "multiples of 0.01" in found(check(zoo.frame(p=np.round(zoo.p, 2).astype(np.float32))), "rounding").message
    assert "rounding" not in complaints(check(zoo.frame(p=zoo.p.astype(np.float32))))


def test_votes(zoo):
    p = np.floor(zoo.p * 40) / 40
    p[:, 0] += 1 - p.sum(axis=1)
    assert "as shares of 40 votes" in found(check(zoo.frame(p=np.round(p * 40) / 40)), "rounding").message


def test_sums_off_by_rounding(zoo):
    assert "because of rounding to 0.01" in found(check(zoo.frame(p=np.round(zoo.p, 2))), "sums").message


def test_decisions(zoo):
    decided = np.eye(4)[np.where(np.arange(300) % 9 == 0, (zoo.y + 1) % 4, zoo.y)]
    checkup = check(zoo.frame(p=decided))
    assert complaints(checkup) == {"class-decisions"}
    assert checkup.loss == np.inf


def test_zeros_for_the_truth(zoo):
    p = zoo.p.copy()
    for row in (17, 40):
        p[row] = 0.25
        p[row, zoo.y[row]], p[row, (zoo.y[row] + 1) % 4] = 0.0, 0.5
    checkup = check(zoo.frame(p=p))
    one = found(checkup, "infinite-loss")
    assert (one.rows, one.first_row, checkup.loss) == (2, 17, np.inf)
    assert json.loads(checkup.json())["loss"] == "inf"
    assert "loss infinite" in str(checkup)


def test_constant_predictions(zoo):
    assert found(check(zoo.frame(p=np.full((300, 4), 0.25))), "constant-predictions").severity in (
        "serious",
        "worth a look",
    )
    shares = np.bincount(zoo.y, minlength=4) / 300
    one = found(check(zoo.frame(p=np.tile(shares, (300, 1)))), "constant-predictions")
    assert one.severity == "worth a look"
    assert "class frequencies" in one.message
    one = found(check(zoo.frame(p=np.tile([0.7, 0.1, 0.1, 0.1], (300, 1)))), "constant-predictions")
    assert one.severity == "serious"
    p = zoo.p.copy()
    p[:, 1] = 0.1
    assert "'p_dog' is 0.1" in found(check(zoo.frame(p=p)), "constant-column").message


# --- leaks and duplicates


def test_labels_among_the_predictions(zoo):
    assert complaints(check(zoo.frame(p=np.eye(4)[zoo.y]))) == {"leaked-label"}
    frame = zoo.frame(label=zoo.y, names=range(4)).with_columns(p_label=pl.col("label").cast(pl.Float64))
    one = found(check(frame), "leaked-column")
    assert one.severity == "serious"
    assert "'p_label'" in one.message
    p = zoo.p.copy()
    p[:, 1] = zoo.y == 1
    one = found(check(zoo.frame(p=p)), "leaked-column")
    assert "'p_dog' is 1 for the rows of its class and 0 for all others" in one.message
    told = {f"y_{j}": (zoo.y == j).astype(int) for j in range(4)} | {
        f"p_{j}": (zoo.y == j).astype(float) for j in range(4)
    }
    assert found(check(told, label="y_*"), "leaked-label").severity == "serious"


def test_duplicated_rows_and_ids(zoo):
    frame = zoo.frame(id=np.arange(300))
    checkup = check(pl.concat([frame, frame]))
    assert found(checkup, "duplicated-ids").rows == 300
    assert "rows 0 and 300" in found(checkup, "duplicated-ids").message
    assert found(checkup, "duplicated-rows").severity == "serious"
    once = check(zoo.frame(key=[f"k{i}" for i in np.r_[np.arange(299), 5]]), on="key")
    assert complaints(once) == {"duplicated-ids"}
    assert "rows 5 and 299" in found(once, "duplicated-ids").message
    assert once.columns.id == "key"
    some = check(pl.concat([zoo.frame(), zoo.frame()[:20]]))
    assert (found(some, "duplicated-rows").severity, found(some, "duplicated-rows").rows) == ("worth a look", 20)


def test_a_small_tree_repeats_its_leaves(zoo):
    leaves = zoo.p[:7][np.random.default_rng(2).integers(0, 7, 300)]
    one = found(check(zoo.frame(p=leaves)), "duplicated-rows")
    assert one.severity == "worth a look"
    assert "as of a small decision tree" in one.message


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.string_view(), pa.float64(), pa.list_(pa.int64()), pa.date32(), pa.null()]
)
def test_ids_of_any_type(zoo, kind):
    ids = {"list<item: int64>": [[1], [2], [1]], "null": [None] * 3}.get(str(kind), [1, 2, 1])
    column = pa.array([str(i) for i in ids] if "string" in str(kind) else ids, kind)
    checkup = check(zoo.frame()[:3].to_arrow().append_column("id", column))
    wanted = "missing-ids" if kind == pa.null() else "duplicated-ids"
    assert wanted in complaints(checkup)


def test_missing_ids(zoo):
    checkup = check(zoo.frame(uid=[None, None, *range(298)]))
    assert found(checkup, "missing-ids").rows == 2
    assert "duplicated-ids" not in complaints(checkup)


# --- several labels


def tags(order=(0, 1, 2)):
    random = np.random.default_rng(4)
    y = (random.random((300, 3)) < 0.4).astype(int)
    p = np.clip(np.where(y == 1, 0.8, 0.15) + random.normal(size=(300, 3)) * 0.08, 0.01, 0.99)[:, list(order)]
    columns = {f"y_{name}": y[:, j] for j, name in enumerate("abc")}
    return {**columns, **{f"p_{name}": p[:, j] for j, name in enumerate("abc")}}


def test_several_labels():
    good = check(tags(), label="y_*")
    assert complaints(good) == set()
    assert good.task == "multilabel"
    assert good.loss == pytest.approx(xent.scan(tags(), label="y_*").loss, rel=1e-12)
    one = found(check(tags((1, 0, 2)), label="y_*"), "permuted-columns")
    assert f"a and b swapped would give {good.loss:.3f}" in one.message


def test_soft_labels(zoo):
    soft = 0.9 * np.eye(4)[zoo.y] + 0.025
    frame = zoo.frame().with_columns(
        **{f"y_{name}": soft[:, j] for j, name in enumerate(("cat", "dog", "bird", "cow"))}
    )
    checkup = check(frame.drop("label"), label="y_*")
    assert complaints(checkup) == set()
    assert checkup.loss == pytest.approx(xent.scan(frame.drop("label"), label="y_*").loss, rel=1e-12)
    wrong = frame.drop("label").with_columns(
        y_cat=pl.when(pl.int_range(pl.len()) == 6).then(2.5).otherwise(pl.col("y_cat"))
    )
    assert {"labels-out-of-range", "label-sums"} <= complaints(check(wrong, label="y_*"))
    assert check(wrong, label="y_*").loss is None


# --- what cannot be read


def test_columns_that_cannot_be_chosen():
    checkup = check({"q": [0.1, 0.2], "r": [1, 0]})
    assert checkup.serious
    assert found(checkup, "columns").change == "Pass --label NAME (label=)."
    assert (checkup.columns, checkup.loss) == (None, None)


def test_options_and_files_are_refused():
    with pytest.raises(xent.OptionError, match="kind is 'percents'"):
        check({"label": [0, 1], "p": [0.1, 0.2]}, kind="percents")
    with pytest.raises(xent.OptionError, match="task is"):
        check({"label": [0, 1], "p": [0.1, 0.2]}, task="ranking")
    with pytest.raises(xent.SourceError, match="nothing"):
        check("/nothing/there.csv")


def test_a_file_cut_short(zoo, tmp_path):
    path = tmp_path / "a.arrows"
    table = zoo.frame().to_arrow()
    with pa.ipc.new_stream(path, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=100):
            writer.write_batch(batch)
    path.write_bytes(path.read_bytes()[:-3000])
    checkup = check(path)
    assert checkup.rows == 200
    assert found(checkup, "unreadable-rows").severity == "serious"
    assert checkup.loss is None


def test_a_reader_is_read_once(zoo):
    table = zoo.frame().to_arrow()
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=7))
    assert check(reader).loss == pytest.approx(zoo.loss, rel=1e-12)


def test_faults_do_not_depend_on_the_batches(zoo):
    p = zoo.p[:, [1, 0, 2, 3]].copy()
    p[150, 2], p[250] = 1.7, np.nan
    p[140], p[140, zoo.y[140]] = 1 / 3, 0.0
    table = zoo.frame(p=p, id=np.r_[np.arange(299), 5]).to_arrow()
    whole = check(table)
    for size in (1, 13, 299):
        parts = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=size))
        told = [(one.name, one.rows, one.first_row) for one in check(parts).findings]
        assert told == [(one.name, one.rows, one.first_row) for one in whole.findings]


def test_few_rows_and_many_classes(zoo):
    assert found(check(zoo.frame()[:10]), "few-rows").rows == 10
    random = np.random.default_rng(0)
    p = random.dirichlet(np.ones(50), 40)
    checkup = check({"label": random.integers(0, 50, 40), **{f"p_{j}": p[:, j] for j in range(50)}})
    assert "more-classes-than-rows" in complaints(checkup)


def test_more_classes_than_the_table_of_costs_holds():
    random = np.random.default_rng(0)
    p = random.dirichlet(np.ones(300), 400)
    checkup = check({"label": random.integers(0, 300, 400), "p": p})
    assert checkup.loss is None
    assert not checkup.serious


def test_json_has_the_attributes(zoo):
    told = json.loads(check(zoo.frame(p=zoo.p[:, [1, 0, 2, 3]])).json())
    assert told["serious"] is True
    assert set(told) == set(check(zoo.frame()).__dataclass_fields__)
    assert told["findings"][0]["name"] == "permuted-columns"
    assert told["findings"][0]["severity"] == "serious"


def test_progress_is_told_of_every_row(zoo):
    seen = []
    check(zoo.frame(), progress=seen.append)
    assert sum(seen) == 300
