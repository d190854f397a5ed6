"""`compare` from a user's side: the statistics, rows set side by side, and what is refused in which words."""

import json
import math
import re
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import xent
from xent.errors import ArgumentTypeError, LabelError, OptionError, ShapeError, SourceError, WeightError
from xent.scoring.compare import compare
from xent.scoring.compare_names import model_names

NAMES = np.array(["cat", "dog", "emu"])


def models(rows=600, count=2, seed=0, noise=0.7):
    """Labels, and probabilities of models of which each later one is noisier."""
    r = np.random.default_rng(seed)
    labels = r.integers(0, 3, rows)
    logits = r.normal(size=(rows, 3))
    logits[np.arange(rows), labels] += 1.5
    found = []
    for i in range(count):
        z = np.exp(logits + i * noise * r.normal(size=(rows, 3)))
        found.append(z / z.sum(axis=1, keepdims=True))
    return labels, *found


def nats(labels, p):
    return -np.log(p[np.arange(len(p)), labels])


def frame(labels, p, ids=None, **more):
    columns = {f"p_{name}": p[:, i] for i, name in enumerate(NAMES)}
    key = {} if ids is None else {"id": ids}
    return pl.DataFrame({**key, "label": NAMES[labels], **columns, **more})


def test_the_difference_is_a_paired_t_test():
    labels, a, b = models()
    found = compare(a, b, labels=labels)
    pair, truth = found.pairs[0], stats.ttest_rel(nats(labels, a), nats(labels, b))
    difference = nats(labels, a) - nats(labels, b)
    ends = truth.confidence_interval(0.95)
    assert (found.names, found.rows, found.unit, found.only_in) == (("A", "B"), 600, "nats", (0, 0))
    assert pair.difference == pytest.approx(difference.mean(), rel=1e-12)
    assert pair.standard_error == pytest.approx(stats.sem(difference), rel=1e-12)
    assert pair.interval == pytest.approx((ends.low, ends.high), rel=1e-9)
    assert pair.p_value == pair.adjusted_p_value == pytest.approx(truth.pvalue, rel=1e-8)
    assert pair.rows_needed == math.ceil(600 * (2.8 * stats.sem(difference) / difference.mean()) ** 2)
    assert (pair.wins_first, pair.wins_second, pair.ties) == ((difference < 0).sum(), (difference > 0).sum(), 0)
    assert (pair.method, pair.winner, found.best) == ("t", "A", "A")
    assert [one.loss for one in found.losses] == pytest.approx([nats(labels, p).mean() for p in (a, b)], rel=1e-12)
    of_a = stats.t.interval(0.95, 599, nats(labels, a).mean(), stats.sem(nats(labels, a)))
    assert found.losses[0].interval == pytest.approx(of_a, rel=1e-9)
    assert found.verdict.startswith("A is better: 0.0")


def test_bits_are_nats_over_log_2():
    labels, a, b = models()
    one, other = compare(a, b, labels=labels), compare(a, b, labels=labels, unit="bits")
    for name in ("difference", "standard_error", "finite_difference"):
        assert getattr(other.pairs[0], name) == pytest.approx(getattr(one.pairs[0], name) / math.log(2), rel=1e-12)
    assert other.pairs[0].p_value == one.pairs[0].p_value
    assert other.pairs[0].rows_needed == one.pairs[0].rows_needed
    assert "bits per row" in other.verdict


def test_the_first_minus_the_second():
    labels, a, b = models()
    one, other = (compare(*pair, labels=labels, names=[*names]) for pair, names in (((a, b), "ab"), ((b, a), "ba")))
    assert one.pairs[0].difference == -other.pairs[0].difference
    assert one.pairs[0].interval == tuple(-end for end in reversed(other.pairs[0].interval))
    assert one.best == other.best == "a"
    assert one.verdict == other.verdict


def test_the_same_prediction_twice_is_exactly_0():
    labels, a = models(count=1)
    found = compare(a, a.copy(), labels=labels)
    pair = found.pairs[0]
    assert (pair.difference, pair.standard_error, pair.interval, pair.p_value) == (0.0, 0.0, (0.0, 0.0), 1.0)
    assert (pair.rows_needed, pair.ties, pair.winner, found.best) == (None, 600, None, None)
    assert found.verdict == "identical: every row costs both the same, the difference is exactly 0"
    assert {one.winner for one in pair.by_class} == {None}
    three = compare(a, a, a, labels=labels)
    assert "identical" in three.verdict
    assert three.best is None


def test_paired_power_is_above_unpaired():
    """On the same data: what makes a row hard for both models cancels."""
    paired = unpaired = 0
    for seed in range(60):
        labels, a, b = models(300, seed=seed, noise=0.5)
        paired += compare(a, b, labels=labels).pairs[0].p_value < 0.05
        unpaired += stats.ttest_ind(nats(labels, a), nats(labels, b)).pvalue < 0.05
    assert paired >= 30
    assert unpaired <= 3


def test_equal_models_are_told_apart_five_times_in_a_hundred():
    r, wrong = np.random.default_rng(1), 0
    labels = np.zeros(400, int)
    for _ in range(300):
        p = np.exp(-r.lognormal(-1.0, 1.0, (2, 400)))  # losses of equal distribution
        wrong += compare(1.0 - p[0], 1.0 - p[1], labels=labels).pairs[0].winner is not None
    assert 0.02 <= wrong / 300 <= 0.08


def test_rows_needed_have_a_power_of_80_percent():
    r = np.random.default_rng(2)
    effect, spread = 0.05, 0.5
    needed = math.ceil((2.8 * spread / effect) ** 2)
    found = stats.ttest_1samp(r.normal(effect, spread, (2000, needed)), 0.0, axis=1).pvalue
    assert 0.77 <= (found < 0.05).mean() <= 0.83


def test_two_labels_several_and_soft_ones():
    r = np.random.default_rng(3)
    y, z = r.integers(0, 2, (300, 2)), r.normal(size=(2, 300, 2))
    p = 1 / (1 + np.exp(-z))
    found = compare(*p, labels=y, task="multilabel")
    each = [-(y * np.log(q) + (1 - y) * np.log(1 - q)).sum(axis=1) for q in p]
    assert found.pairs[0].difference == pytest.approx((each[0] - each[1]).mean(), rel=1e-11)
    assert found.pairs[0].by_class == ()
    soft, a, b = r.dirichlet(np.ones(3), 300), *r.dirichlet(np.ones(3), (2, 300))
    truth = (soft * (np.log(b) - np.log(a))).sum(axis=1).mean()
    assert compare(a, b, labels=soft).pairs[0].difference == pytest.approx(truth, rel=1e-11)


def test_holm_over_the_pairs():
    labels, a, b, c = models(count=3, noise=0.7)
    found = compare(a, b, c, labels=labels)
    assert [(pair.first, pair.second) for pair in found.pairs] == [("A", "B"), ("A", "C"), ("B", "C")]
    raw = sorted(pair.p_value for pair in found.pairs)
    by_hand = [3 * raw[0], max(3 * raw[0], 2 * raw[1]), max(3 * raw[0], 2 * raw[1], raw[2])]
    assert sorted(pair.adjusted_p_value for pair in found.pairs) == pytest.approx([min(1.0, p) for p in by_hand])
    assert found.best == "A"
    assert found.verdict.startswith("A is better than B: ")


def test_no_single_best_of_three():
    labels, a, _, c = models(count=3, noise=0.9)
    again = a * np.random.default_rng(5).uniform(0.99, 1.01, a.shape)
    found = compare(c, a, again / again.sum(axis=1, keepdims=True), labels=labels, names=["far", "one", "other"])
    assert found.best is None
    assert re.match(
        r"no single best model: (one|other) costs least, .* better than (one|other); .* than far", found.verdict
    )


def test_infinite_losses_are_counted_and_not_tested():
    labels, a, b = models()
    a[[3, 7, 9]] = np.eye(3)[(labels[[3, 7, 9]] + 1) % 3]
    found = compare(a, b, labels=labels)
    pair, rest = found.pairs[0], np.delete(np.arange(600), [3, 7, 9])
    assert (pair.difference, pair.standard_error, pair.interval, pair.p_value) == (math.inf, None, None, None)
    assert (pair.infinite_first, pair.infinite_second, pair.finite_rows) == (3, 0, 597)
    truth = (nats(labels[rest], a[rest]) - nats(labels[rest], b[rest])).mean()
    assert pair.finite_difference == pytest.approx(truth, rel=1e-11)
    assert found.verdict == (
        "A gave probability 0 to what happened in 3 rows of 600, B in none, so B is better, however well A does "
        f"elsewhere; over the 597 rows where both are finite, A costs {abs(truth):.3f} nats less on average"
    )
    assert (found.losses[0].loss, found.losses[0].infinite) == (math.inf, 3)
    assert json.loads(found.json())["pairs"][0]["difference"] == "inf"
    assert "infinite" in str(found)
    assert compare(b, a, labels=labels, names=["B", "A"]).verdict == found.verdict
    b[11] = np.eye(3)[(labels[11] + 1) % 3]
    both = compare(a, b, labels=labels)
    assert (both.pairs[0].difference, both.best) == (None, None)
    assert "in 3 rows of 600, B in 1: both losses are infinite" in both.verdict
    assert "identical" in compare(a, a, labels=labels).verdict


def test_infinities_among_three_models():
    labels, a, b, c = models(count=3)
    c[3] = np.eye(3)[(labels[3] + 1) % 3]
    found = compare(a, b, c, labels=labels)
    assert [pair.winner for pair in found.pairs] == ["A", "A", "B"]
    assert found.pairs[0].adjusted_p_value == found.pairs[0].p_value  # the one pair that is tested
    assert found.best == "A"


def test_weights_and_clusters_reach_the_interval():
    labels, a, b = models(1200)
    r = np.random.default_rng(6)
    w, documents = r.random(1200), r.integers(0, 250, 1200)
    d = nats(labels, a) - nats(labels, b)
    found = compare(a, b, labels=labels, sample_weight=w, cluster=documents)
    mean = (w * d).sum() / w.sum()
    totals = np.array([(w * (d - mean))[documents == c].sum() for c in np.unique(documents)])
    count = len(totals)
    error = math.sqrt(count / (count - 1) * (totals**2).sum()) / w.sum()
    pair = found.pairs[0]
    assert (pair.difference, pair.standard_error) == pytest.approx((mean, error), rel=1e-11)
    assert (pair.method, found.clusters) == ("cluster-robust t", count)
    assert found.losses[0].loss == pytest.approx((w * nats(labels, a)).sum() / w.sum(), rel=1e-12)
    assert f"in {count} clusters; intervals are cluster-robust" in str(found)


def test_rows_of_weight_zero_are_not_compared():
    labels, a, b = models(300)
    w = np.ones(300)
    w[:50] = 0.0
    found, rest = compare(a, b, labels=labels, sample_weight=w), compare(a[50:], b[50:], labels=labels[50:])
    assert found.rows == 250
    assert found.pairs == rest.pairs


def test_few_rows_are_bootstrapped_and_it_is_said():
    labels, a, b = models(150)
    found = compare(a, b, labels=labels)
    assert found.pairs[0].method == "bootstrap-t"
    assert "fewer than 200 rows, so intervals are bootstrap-t" in str(found)


def test_few_rows_of_one_sign_prove_nothing():
    found = compare([0.8] * 5, [0.9] * 5, labels=[1] * 5)
    assert found.pairs[0].standard_error == 0.0
    assert found.pairs[0].p_value == 2.0**-4
    assert (found.best, found.pairs[0].rows_needed) == (None, 6)
    assert compare([0.8] * 6, [0.9] * 6, labels=[1] * 6).best == "B"
    assert "no verdict" in compare([0.8], [0.9], labels=[1]).verdict
    assert compare([0.8, 0.1, 0.2, 0.1], [0.9] * 4, labels=[1] * 4).losses[0].interval[0] > 0.0
    assert compare([0.99] * 5 + [0.2], [0.9] * 6, labels=[1] * 6).losses[0].interval[0] == 0.0


@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)), min_size=2, max_size=12))
def test_an_interval_without_0_goes_with_a_p_value_that_says_so(pairs):
    found = compare(*zip(*pairs, strict=True), labels=[1] * len(pairs)).pairs[0]
    low, high = found.interval
    if not low <= 0.0 <= high:
        assert found.p_value <= 0.05


def test_fewer_rows_than_there_are_never_settle_it():
    truth, old = [1, 1, 1, 1, 0, 0, 0, 0], [0.8, 0.9, 0.6, 0.8, 0.1, 0.4, 0.2, 0.3]
    found = compare(old, [0.9, 0.9, 0.7, 0.9, 0.1, 0.3, 0.1, 0.2], labels=truth)
    assert found.verdict.startswith("no difference shown: ")
    assert found.pairs[0].rows_needed < 8
    assert "settle" not in found.verdict


def test_by_class_and_by_group():
    labels, a, b = models(900)
    groups = np.random.default_rng(7).choice(["de", "fr", "it"], 900)
    mixed = np.where((groups == "fr")[:, None], b, a), np.where((groups == "fr")[:, None], a, b)
    pair = compare(*mixed, labels=labels, group=groups).pairs[0]
    d = nats(labels, mixed[0]) - nats(labels, mixed[1])
    for one in pair.by_group:
        truth = stats.ttest_1samp(d[groups == one.name], 0.0)
        assert (one.rows, one.difference) == ((groups == one.name).sum(), pytest.approx(d[groups == one.name].mean()))
        assert one.p_value == pytest.approx(truth.pvalue, rel=1e-7)
    assert {one.name: one.winner for one in pair.by_group} == {"de": "A", "fr": "B", "it": "A"}
    matters = [abs(one.difference) * one.rows for one in pair.by_group]
    assert matters == sorted(matters, reverse=True)
    adjusted = stats.false_discovery_control([one.p_value for one in pair.by_group])
    assert [one.adjusted_p_value for one in pair.by_group] == pytest.approx(adjusted, rel=1e-9)
    assert {one.name: one.rows for one in pair.by_class} == {k: (labels == k).sum() for k in range(3)}


def test_slices_have_their_own_weights_and_clusters():
    labels, a, b = models(900)
    r = np.random.default_rng(12)
    w, documents, groups = r.random(900), np.arange(900) // 3, r.choice(["x", "y"], 900)
    pair = compare(a, b, labels=labels, group=groups, sample_weight=w, cluster=documents).pairs[0]
    for one in pair.by_group:
        part = groups == one.name
        alone = compare(a[part], b[part], labels=labels[part], sample_weight=w[part], cluster=documents[part]).pairs[0]
        assert (one.difference, one.interval) == (alone.difference, alone.interval)
        assert (one.rows, one.p_value) == (part.sum(), alone.p_value)


def test_slices_that_matter_most_to_the_mean_come_first():
    p = np.repeat([0.9, 0.5, 0.7], [500, 50, 100])
    q = np.repeat([0.7, 0.25, 0.69], [500, 50, 100])
    groups = np.repeat(["many", "few", "equal"], [500, 50, 100])
    slices = compare(p, q, labels=np.ones(650, int), group=groups).pairs[0].by_group
    assert [one.name for one in slices] == ["many", "few", "equal"]
    assert abs(slices[0].difference) < abs(slices[1].difference)


def test_small_groups_are_one_slice_and_missing_ones_another():
    labels, a, b = models(700)
    groups = ["big"] * 300 + [None] * 200 + [f"small {i // 20}" for i in range(200)]
    slices = {one.name: one.rows for one in compare(a, b, labels=labels, group=groups).pairs[0].by_group}
    assert slices == {"big": 300, "(missing)": 200, "(10 small groups)": 200}
    groups = ["big"] * 690 + ["only one"] * 10
    assert {one.name for one in compare(a, b, labels=labels, group=groups).pairs[0].by_group} == {"big", "only one"}


@pytest.mark.parametrize(
    "make",
    [
        lambda names: pl.Series(names).cast(pl.Categorical),
        lambda names: pd.Categorical(names, categories=["z", "b", "a"]),
        lambda names: pa.array(names).dictionary_encode(),
        np.array,
        list,
    ],
    ids=["polars", "pandas", "arrow", "numpy", "list"],
)
def test_groups_of_any_library(make):
    labels, a, b = models(300)
    slices = compare(a, b, labels=labels, group=make(["a", "b", "a"] * 100), cluster=make(["a", "b", "a"] * 100))
    assert {one.name: one.rows for one in slices.pairs[0].by_group} == {"a": 200, "b": 100}
    assert slices.clusters == 2


def test_groups_that_are_no_text():
    labels, a, b = models(300)
    for groups, names in ((labels == 1, {True, False}), (labels + 0.5, {0.5, 1.5, 2.5})):
        assert {one.name for one in compare(a, b, labels=labels, group=groups).pairs[0].by_group} == names
    dates = {one.name for one in compare(a, b, labels=labels, group=pl.Series(labels).cast(pl.Date)).pairs[0].by_group}
    assert dates == {"1970-01-01", "1970-01-02", "1970-01-03"}


def test_two_classes_in_one_column_or_two():
    r = np.random.default_rng(11)
    y, p, q = r.integers(0, 2, 300), *r.random((2, 300))
    one = pl.DataFrame({"label": y, "p": p})
    two = pl.DataFrame({"label": y, "p_1": q, "p_0": 1 - q})
    truth = (np.log(np.where(y, q, 1 - q)) - np.log(np.where(y, p, 1 - p))).mean()
    assert compare(one, two).pairs[0].difference == pytest.approx(truth, rel=1e-11)
    for other in ({"p": q}, {"p_False": 1 - q}):
        found = compare(one, pl.DataFrame({"label": y == 1, **other}))
        assert found.pairs[0].difference == pytest.approx(truth, rel=1e-11)
        assert {part.name: part.rows for part in found.pairs[0].by_class} == {0: (y == 0).sum(), 1: (y == 1).sum()}


def test_many_slices_are_not_resampled():
    labels, a, b = models(9000)
    groups = np.arange(9000) // 40
    found = compare(a, b, labels=labels, group=groups)
    assert len(found.pairs[0].by_group) == 225
    for one in found.pairs[0].by_group[:3]:
        part = groups == one.name
        truth = stats.ttest_rel(nats(labels[part], a[part]), nats(labels[part], b[part])).pvalue
        assert one.p_value == pytest.approx(truth, rel=1e-7)
    assert any("Student's t also for those of few rows" in note for note in found.notes)


def shuffled(seed, *columns):
    order = np.random.default_rng(seed).permutation(len(columns[0]))
    return [column[order] for column in columns]


@pytest.mark.parametrize("key", [np.arange(300) * 7 + 2**40, np.array([f"row-{i}" for i in range(300)])])
def test_rows_are_matched_by_key_whatever_their_order(key):
    labels, a, b = models(300)
    c = np.arange(300) // 3
    groups = np.array(["x", "y", "z"])[c % 3]
    columns = {"on": "id", "cluster": "doc", "group": "g"}
    plain = compare(frame(labels, a, key, doc=c, g=groups), frame(labels, b, key), **columns)
    assert plain.pairs[0].difference == pytest.approx((nats(labels, a) - nats(labels, b)).mean(), rel=1e-12)
    for seed in range(3):
        left = shuffled(seed, labels, a, key, c, groups)
        right = shuffled(seed + 10, labels, b, key)
        found = compare(frame(*left[:3], doc=left[3], g=left[4]), frame(*right), **columns)
        assert found == plain
    for array in (compare(a, b, labels=labels, on=key, cluster=c, group=groups), plain):
        assert [one.difference for one in array.pairs] == [one.difference for one in plain.pairs]


def test_rows_in_one_file_only_are_counted_and_left_out():
    labels, a, b, c = models(300, count=3)
    ids = np.arange(300)
    cut = [(slice(0, 290), a), (slice(20, 300), b), (slice(0, 300), c)]
    found = compare(*(frame(labels[part], p[part], ids[part]) for part, p in cut), on="id")
    assert (found.rows, found.only_in) == (270, (20, 10, 30))
    kept = slice(20, 290)
    assert found.pairs == compare(a[kept], b[kept], c[kept], labels=NAMES[labels[kept]], classes=NAMES.tolist()).pairs
    assert "left out, because not in every model: 20 of A, 10 of B, 30 of C" in str(found)


@pytest.mark.parametrize("holder", [0, 1])
def test_groups_follow_the_rows_that_are_left(holder):
    labels, a, b = models(300)
    ids, groups = np.arange(300), np.random.default_rng(13).choice(["x", "y"], 300)
    parts = [np.flatnonzero(ids % 5 != 0), np.flatnonzero(ids % 7 != 0)[::-1]]
    tables = [frame(labels[part], p[part], ids[part]) for part, p in zip(parts, (a, b), strict=True)]
    tables[holder] = tables[holder].with_columns(g=pl.Series(groups[parts[holder]]))
    both = (ids % 5 != 0) & (ids % 7 != 0)
    found = compare(*tables, on="id", group="g")
    truth = compare(a[both], b[both], labels=labels[both], group=groups[both])
    assert found.pairs[0].by_group == truth.pairs[0].by_group
    assert f"groups are those of {'AB'[holder]}" in found.notes
    assert [one.rows for one in found.pairs[0].by_class] == [one.rows for one in truth.pairs[0].by_class]


def test_several_labels_are_told_apart():
    r = np.random.default_rng(14)
    y, p = r.integers(0, 2, (20_000, 12)), np.full((20_000, 12), 0.5)
    z = r.integers(0, 2, (20_000, 12))
    z[(z == y).all(axis=1), 0] ^= 1
    with pytest.raises(LabelError, match=r"row 0 of A has other labels; 20,000 of 20,000 rows differ"):
        compare({"label": y, "p": p}, {"label": z, "p": p}, task="multilabel")


def test_classes_are_matched_by_name_not_by_position():
    labels, a, b = models(300)
    turned = frame(labels, b).select("p_emu", "p_cat", "label", "p_dog")
    assert compare(frame(labels, a), turned).pairs == compare(frame(labels, a), frame(labels, b)).pairs
    soft = np.eye(3)[labels]
    wide = {f"y_{name}": soft[:, i] for i, name in enumerate(NAMES)}
    tables = [frame(labels, p).drop("label").with_columns(**wide) for p in (a, b)]
    tables[1] = tables[1].select(tables[1].columns[::-1])
    assert compare(*tables, label="y_*").pairs[0].difference == pytest.approx(
        compare(a, b, labels=labels).pairs[0].difference
    )


@pytest.mark.parametrize(
    "make", [pa.table, pd.DataFrame, pl.DataFrame, dict], ids=["arrow", "pandas", "polars", "dict"]
)
def test_frames_of_any_library(make):
    r = np.random.default_rng(8)
    labels, p = r.integers(0, 2, 250), r.random((2, 250))
    tables = [make({"label": labels, "p": q, "id": np.arange(250)}) for q in p]
    assert compare(*tables, on="id").pairs == compare(*p, labels=labels).pairs


def test_whole_numbers_match_their_text():
    labels, a, b = models(250)
    found = compare(frame(labels, a, np.arange(250)), frame(labels, b, np.arange(250).astype(str)), on="id")
    assert found.rows == 250
    assert "'id' is numbers in some models and text in others: matched as text" in found.notes


def identified(labels, p, ids):
    return pa.table(frame(labels, p)).append_column("id", ids)


@pytest.mark.parametrize("kind", ["uuid", "fixed", "bytes", "view", "dictionary"])
@pytest.mark.parametrize("ordered", [True, False])
def test_rows_are_matched_by_bytes(kind, ordered):
    labels, a, b = models(400)
    r = np.random.default_rng(5)
    ids = sorted(r.bytes(16) for _ in range(400))
    types = {"uuid": pa.uuid(), "fixed": pa.binary(16), "view": pa.binary_view()}
    order = np.arange(400) if ordered else r.permutation(400)
    columns = [pa.array([ids[i] for i in rows], types.get(kind, pa.binary())) for rows in (range(400), order)]
    columns = [one.dictionary_encode() for one in columns] if kind == "dictionary" else columns
    first, second = identified(labels, a, columns[0]), identified(labels[order], b[order], columns[1])
    truth = compare(frame(labels, a), frame(labels, b))
    found = compare(first, second, on="id", names=truth.names)
    assert (found.pairs, found.rows, found.only_in) == (truth.pairs, 400, (0, 0))
    half = compare(first, second.slice(0, 100), on="id")
    assert (half.rows, half.only_in) == (100, (300, 0))
    assert compare(first, second, on="id", cluster="id").clusters == 400


def test_uuids_match_their_text():
    labels, a, b = models(100)
    ids = [uuid.UUID(int=i**17) for i in range(100)]
    first = identified(labels, a, pa.array([one.bytes for one in ids], pa.uuid()))
    second = identified(labels, b, pa.array(list(map(str, ids))))
    assert compare(first, second, on="id").rows == 100
    groups = pa.array([ids[7].bytes, None, ids[3].bytes, ids[7].bytes] * 25, pa.uuid()).slice(1, 99)
    report = xent.evaluate(labels[1:], a[1:], group=groups, classes=[0, 1, 2])
    assert {one.group: one.rows for one in report.by_group if not one.pooled} == {str(ids[7]): 49}
    assert xent.evaluate(labels[1:], a[1:], cluster=groups, classes=[0, 1, 2]).clusters == 3


def test_a_key_in_many_batches_and_files(tmp_path):
    labels, a, b = models(2000)
    ids = np.random.default_rng(9).permutation(2000)
    table = frame(labels, a, ids)
    for part in range(4):
        table[part * 500 : (part + 1) * 500].write_csv(tmp_path / f"a-{part}.csv")
    frame(labels, b, ids)[::-1].write_parquet(tmp_path / "b.parquet", row_group_size=300)
    found = compare(str(tmp_path / "a-*.csv"), tmp_path / "b.parquet", on="id")
    assert found.names == ("a-*", "b")
    assert found.pairs[0].difference == compare(a, b, labels=labels).pairs[0].difference


@pytest.mark.parametrize("key", ["on", "cluster"])
@pytest.mark.parametrize("written", [lambda i: f"{2**64 + i // 2 if i % 7 else i}", lambda i: f"{i // 2}.50"])
def test_keys_of_csv_that_are_no_whole_numbers_of_64_bits_are_text(tmp_path, key, written):
    """Arrow infers float64, which rounds the first kind to a few values."""
    ids = pl.Series([written(2 * i if key == "on" else i) for i in range(30)])
    first, second = frame(LABELS, A, ids), frame(LABELS, B, ids)[:: -1 if key == "on" else 1]
    first.write_csv(tmp_path / "A.csv")
    second.write_csv(tmp_path / "B.csv")
    found = compare(tmp_path / "A.csv", tmp_path / "B.csv", **{key: "id"})
    assert found.pairs == compare(first, second, **{key: "id"}).pairs


def test_names_come_from_files(tmp_path):
    labels, a = models(40, count=1)
    paths = [tmp_path / folder / "preds.csv" for folder in ("old", "new")]
    for path in paths:
        path.parent.mkdir()
        frame(labels, a).write_csv(path)
    assert compare(*paths).names == ("old/preds", "new/preds")
    assert compare(paths[0], paths[0]).names == ("preds", "preds (2)")
    assert compare(*paths, names=["x", "y"]).names == ("x", "y")


def test_what_the_models_lack_is_taken_from_those_that_have_it():
    labels, a, b = models(400)
    w = np.random.default_rng(10).random(400)
    one = compare(frame(labels, a, w=w), frame(labels, b), sample_weight="w")
    assert one.pairs == compare(a, b, labels=NAMES[labels], classes=NAMES.tolist(), sample_weight=w).pairs
    assert "weights are those of A" in one.notes
    documents = np.arange(400) // 8
    some = compare(frame(labels, a), frame(labels, b, doc=documents, g=documents % 3), cluster="doc", group="g")
    arrays = compare(a, b, labels=NAMES[labels], classes=NAMES.tolist(), cluster=documents, group=documents % 3)
    assert (some.pairs, some.clusters) == (arrays.pairs, 50)
    assert {"clusters are those of B", "groups are those of B"} <= set(some.notes)


def test_clusters_and_groups_are_the_same_as_numbers_and_as_text():
    labels, a, b = models(400)
    documents = pl.Series(np.arange(400) // 8)
    numbers, text = ({"doc": column, "g": column % 3} for column in (documents, documents))
    text = {name: column.cast(pl.String) for name, column in text.items()}
    tables = [frame(labels, a, **numbers), frame(labels, b, **numbers), frame(labels, b, **text)]
    one, other = (compare(tables[0], table, cluster="doc", group="g") for table in tables[1:])
    assert (one.pairs, one.clusters, one.notes) == (other.pairs, other.clusters, other.notes)


def test_notes_are_said_once_and_warnings_name_their_model():
    labels, a, b = models(300)
    found = compare(a, np.log(b), labels=labels, clip=0.01)
    assert "A: predictions are probabilities (by their values)" in found.notes
    assert "B: predictions are log-probabilities (by their values)" in found.notes
    assert sum("sorted" in note or "class" in note for note in found.notes) == 1
    assert all(re.match(r"[AB]: clip changed the loss of \d+ of 300 rows", text) for text in found.warnings)


LABELS, A, B = models(30)
IDS = np.arange(30)
TWICE = np.where(IDS == 9, 4, IDS)
OTHER = np.where(IDS == 5, (LABELS + 1) % 3, LABELS)
TEXT = pl.Series(IDS).cast(pl.String)
REFUSED = {
    "one model": (lambda: compare(A, labels=LABELS), OptionError, "needs two models or more, but got 1"),
    "names": (lambda: compare(A, B, labels=LABELS, names=["x", "x"]), OptionError, "'x', 'x', but must be 2 names"),
    "an array without labels": (
        lambda: compare(A, B),
        ArgumentTypeError,
        r"model 0 is of type ndarray.*\n.*labels=\.\.\.",
    ),
    "a name beside arrays": (
        lambda: compare(A, B, labels="y"),
        ArgumentTypeError,
        r"labels is the text 'y'.*\n.*label='",
    ),
    "a column beside tables": (
        lambda: compare(frame(LABELS, A), frame(LABELS, B), group=LABELS),
        ArgumentTypeError,
        r"group is a ndarray, but without labels= it names a column",
    ),
    "label beside arrays": (lambda: compare(A, B, labels=LABELS, label="y"), OptionError, "label= and prediction="),
    "rows": (
        lambda: compare(frame(LABELS, A), frame(LABELS[:28], B[:28])),
        ShapeError,
        r"A has 30 rows and B 28: row 28 of A has no partner\.\nPass on= \(--on\)",
    ),
    "order": (
        lambda: compare(frame(LABELS, A), frame(OTHER, B)),
        LabelError,
        rf"A and B disagree about the truth: row 5 of A has label '{NAMES[LABELS[5]]}' here and "
        rf"'{NAMES[OTHER[5]]}' there; 1 of 30 rows differ\.\nPass on=",
    ),
    "labels of a key": (
        lambda: compare(frame(LABELS, A, IDS), frame(OTHER[::-1], B[::-1], IDS[::-1]), on="id"),
        LabelError,
        r"id 5 \(row 5 of A, row 24 of B\) has label",
    ),
    "a key twice": (
        lambda: compare(frame(LABELS, A, IDS), frame(LABELS, B, TWICE), on="id"),
        SourceError,
        r"'id' is 4 in row 4 of B and again in row 9 of B; 1 of 30 rows repeat a key",
    ),
    "a missing key": (
        lambda: compare(frame(LABELS, A, IDS), frame(LABELS, B, pl.Series([None, *IDS[1:]])), on="id"),
        SourceError,
        r"'id' is missing in row 0 of B \(1 rows",
    ),
    "no key in common": (
        lambda: compare(frame(LABELS, A, IDS), frame(LABELS, B, IDS + 100), on="id"),
        SourceError,
        r"not one 'id' is the same\. The first rows have 0 in A, 100 in B",
    ),
    "keys with fractions": (
        lambda: compare(frame(LABELS, A, IDS / 2), frame(LABELS, B, IDS / 2), on="id"),
        SourceError,
        "'id' is of type double in A, but keys must be whole numbers or text",
    ),
    "no such column": (
        lambda: compare(frame(LABELS, A, IDS), frame(LABELS, B), on="id"),
        SourceError,
        "no column is named 'id'; columns found: 'label'",
    ),
    "classes": (
        lambda: compare(frame(LABELS, A), frame(LABELS, B).rename({"p_emu": "p_elk"}), classes=None, label="label"),
        LabelError,
        r"(elk|emu)",
    ),
    "tasks": (
        lambda: compare(frame(LABELS, A), {"label": np.ones((30, 3)), "p": np.full((30, 3), 0.4)}),
        LabelError,
        "A is multiclass and B multilabel",
    ),
    "weights": (
        lambda: compare(frame(LABELS, A, w=IDS + 1.0), frame(LABELS, B, w=IDS + 2.0), sample_weight="w"),
        WeightError,
        r"sample_weight is 1 in A and 2 in B for the same row \(row 0 of B\); 30 rows differ",
    ),
    "clusters": (
        lambda: compare(
            frame(LABELS, A, IDS, doc=IDS), frame(LABELS, B, IDS, doc=IDS // 5)[::-1], on="id", cluster="doc"
        ),
        SourceError,
        r"cluster is 1 in A and 0 in B for the same row \(row 28 of B\); 29 rows differ",
    ),
    "a cluster that one lacks": (
        lambda: compare(frame(LABELS, A, doc=IDS), frame(LABELS, B, doc=[*IDS[:-1].tolist(), None]), cluster="doc"),
        SourceError,
        r"cluster is 29 in A and missing in B for the same row \(row 29 of B\); 1 rows differ",
    ),
    "groups": (
        lambda: compare(frame(LABELS, A, g=TEXT), frame(LABELS, B, g=IDS // 2 * 2), group="g"),
        SourceError,
        r"group is '1' in A and 0 in B for the same row \(row 1 of B\); 15 rows differ",
    ),
    "no weight": (lambda: compare(A, B, labels=LABELS, sample_weight=IDS * 0), WeightError, "0 in every row"),
    "a missing cluster": (
        lambda: compare(A, B, labels=LABELS, cluster=[None, *IDS[1:].tolist()]),
        SourceError,
        "the cluster is missing in row 0 of A",
    ),
    "a unit": (lambda: compare(A, B, labels=LABELS, unit="dits"), OptionError, "unit is 'dits'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()


def test_a_few_lines_say_it_all():
    labels, a, b = models()
    text = str(compare(frame(labels, a), frame(labels, b), names=["old", "new"])).splitlines()
    assert 8 <= len(text) <= 15
    assert text[0].startswith("verdict      old is better: 0.0")
    assert any(line.startswith("rows needed  about ") for line in text)
    assert all(len(line) <= 120 and line == line.rstrip() for line in text)


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (["d/csv/*.csv", "d/b.csv"], ["csv", "b"]),
        (["old/**/*.parquet", "new/**/*.parquet"], ["old", "new"]),
        (["old/p-*.csv", "new/p-*.csv"], ["old/p-*", "new/p-*"]),
        (["old/p.csv", "new/p.csv"], ["old/p", "new/p"]),
    ],
)
def test_models_are_called_after_their_files(models, names):
    assert model_names(models, None, in_memory=False) == names
