"""Groups, clusters and few rows: against formulas written out here, and in simulations."""

import ast
import math
import re
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from scipy import stats

import xent
from xent.errors import ArgumentTypeError, SourceError
from xent.scoring.groups import SMALL
from xent.scoring.keyed import keyed_sums


def sample(n=2000, seed=0, groups="abcde", documents=120):
    """Rows of one class at two classes' cost, so that a row's loss is −log p."""
    random = np.random.default_rng(seed)
    p = random.beta(4, 1, n)
    group = np.array(list(groups))[random.integers(0, len(groups), n)]
    document = random.integers(0, documents, n)
    labels = (random.random(n) < 0.5).astype(int)
    return labels, np.where(labels == 1, p, 1 - p), group, document, -np.log(p)


def robust_error(x, codes, w=None):
    """Liang & Zeger: √(C/(C−1) Σ (Σ w (x − m))²) / Σ w."""
    w = np.ones(len(x)) if w is None else w
    mean = np.average(x, weights=w)
    totals = [(w * (x - mean))[codes == c].sum() for c in np.unique(codes)]
    return math.sqrt(len(totals) / (len(totals) - 1) * np.square(totals).sum()) / w.sum()


def test_each_group_against_the_rest():
    labels, p, group, _, x = sample()
    report = xent.evaluate(labels, p, group=group)
    p_values = []
    for name in "abcde":
        found = next(one for one in report.by_group if one.group == name)
        inside, outside = x[group == name], x[group != name]
        truth = stats.ttest_ind(inside, outside, equal_var=False)
        assert found.rows == len(inside)
        assert found.loss == pytest.approx(inside.mean(), rel=1e-12)
        assert found.standard_error == pytest.approx(stats.sem(inside), rel=1e-9)
        assert found.share == pytest.approx(inside.sum() / x.sum(), rel=1e-12)
        assert found.difference == pytest.approx(inside.mean() - outside.mean(), rel=1e-9)
        assert found.p_value == pytest.approx(truth.pvalue, rel=1e-7)
        p_values.append(found.p_value)
    adjusted = stats.false_discovery_control(p_values)
    for name, p_adjusted in zip("abcde", adjusted, strict=True):
        found = next(one for one in report.by_group if one.group == name)
        assert found.adjusted_p_value == pytest.approx(p_adjusted, rel=1e-7)
    excess = [one.difference * one.rows for one in report.by_group]
    assert excess == sorted(excess, reverse=True)


def test_a_group_that_differs_is_named_with_its_direction():
    labels, p, group, _, _ = sample(4000)
    p = np.where(group == "c", 0.5, p)
    report = xent.evaluate(labels, p, group=group)
    assert next((one.group, one.direction) for one in report.by_group) == ("c", "worse")
    assert {one.direction for one in report.by_group if one.group != "c"} <= {"better", None}
    assert "groups         c  0.693" in str(report)
    assert "worse than the rest by" in str(report)


def test_groups_that_do_not_differ_are_seldom_said_to():
    said = sum(
        any(
            one.direction
            for one in xent.evaluate(*sample(600, seed)[:2], group=sample(600, seed)[2], brief=True).by_group
        )
        for seed in range(200)
    )
    assert said / 200 < 0.09  # 5 % and chance


def test_small_groups_are_pooled_and_missing_ones_are_a_group():
    labels, p, _, _, _ = sample(1000)
    group = pa.array([f"g{i}" if i < 40 else None if i % 2 else "large" for i in range(1000)])
    report = xent.evaluate(labels, p, group=group)
    assert [(one.group, one.pooled, one.rows) for one in report.by_group if one.pooled] == [(None, 40, 40)]
    assert {one.group for one in report.by_group if not one.pooled} == {None, "large"}
    assert report.by_group[-1].pooled == 40
    assert f"40 groups of fewer than {SMALL} rows" in str(report)


def test_a_group_without_a_name_is_seen():
    labels, p = np.array([0, 1] * 100), np.tile([0.2, 0.7], 100)
    group = np.repeat(["", "de"], 100)
    assert "''  0." in str(xent.evaluate(labels, p, group=group))
    worse = np.where(group == "", p / 2, p)
    assert "better in group '' by 0." in str(xent.compare(p, worse, labels=labels, group=group, names=["A", "B"]))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("read", ["evaluate", "scan", "file", "state"])
def test_a_dictionary_that_repeats_a_value_or_null_loses_no_rows(read, weighted, tmp_path):
    codes = pa.array([0, 1, 2, None] * 100, pa.int8())
    keys = pa.DictionaryArray.from_arrays(codes, pa.array(["us", "us", None]))
    labels, p, _, _, _ = sample(400)
    w = np.ones(400) * (1 + weighted)
    table = pa.table({"label": labels, "p": p, "w": w, "g": keys})
    if read == "file":
        with pa.ipc.new_file(tmp_path / "t.arrow", table.schema) as file:
            file.write_table(table)
    if read == "evaluate":
        report = xent.evaluate(labels, p, group=keys, sample_weight=w)
    elif read == "state":
        state = xent.State(classes=[0, 1], task="binary")
        state.update(labels, p, group=keys, sample_weight=w)
        report = state.report()
    else:
        report = xent.scan(tmp_path / "t.arrow" if read == "file" else table, group="g", sample_weight="w")
    assert {one.group: one.rows for one in report.by_group} == {"us": 200, None: 200}


def test_many_groups_are_listed_where_they_differ():
    labels, p, _, _, _ = sample(6000)
    group = np.arange(6000) % 100
    p = np.where(group == 7, 0.5, p)
    report = xent.evaluate(labels, p, group=group)
    assert len(report.by_group) == 100
    assert report.by_group[0].group == 7
    assert "(100 groups; " in str(report)


def test_clusters_widen_the_interval():
    labels, p, _, document, _ = sample(3000)
    drift = np.random.default_rng(1).random(120)[document]
    p = np.where(labels == 1, np.clip(p * drift, 0.01, 1), 1 - np.clip((1 - p) * drift, 0.01, 1))
    x = -np.log(np.where(labels == 1, p, 1 - p))
    report, plain = xent.evaluate(labels, p, cluster=document), xent.evaluate(labels, p)
    assert report.loss == plain.loss
    assert report.clusters == 120
    assert report.standard_error == pytest.approx(robust_error(x, document), rel=1e-9)
    assert report.standard_error > 2 * plain.standard_error
    assert report.interval_method == "bootstrap-t"  # 120 clusters are few
    many = xent.evaluate(labels, p, cluster=np.arange(3000) // 3)
    truth = robust_error(x, np.arange(3000) // 3)
    assert many.interval_method == "cluster-robust t"
    assert many.interval == pytest.approx(x.mean() + stats.t.ppf([0.025, 0.975], 999) * truth, rel=1e-9)
    assert "1,000 clusters" in str(many)


def test_rows_as_their_own_clusters_are_independent_rows():
    labels, p, _, _, _ = sample(900)
    one, other = xent.evaluate(labels, p), xent.evaluate(labels, p, cluster=np.arange(900))
    assert one.interval == pytest.approx(other.interval, rel=1e-9)


def test_groups_within_clusters():
    labels, p, group, document, x = sample(2500, documents=300)
    report = xent.evaluate(labels, p, group=group, cluster=document)
    for name in "abcde":
        found = next(one for one in report.by_group if one.group == name)
        inside = group == name
        assert found.standard_error == pytest.approx(robust_error(x[inside], document[inside]), rel=1e-9)
        mine, theirs = ((x - x[some].mean()) / some.sum() * some for some in (inside, ~inside))
        sums = [np.array([part[document == d].sum() for d in np.unique(document)]) for part in (mine, theirs)]
        counts, draws = [len(np.unique(document[some])) for some in (inside, ~inside)], len(np.unique(document))
        squares = sum(count / (count - 1) * (part**2).sum() for count, part in zip(counts, sums, strict=True))
        error = math.sqrt(squares - 2 * draws / (draws - 1) * (sums[0] * sums[1]).sum())
        truth = 2 * stats.t.sf(abs(found.difference / error), min(counts) - 1)
        assert found.p_value == pytest.approx(truth, rel=1e-7)


def test_groups_as_pandas_has_them():
    pandas = pytest.importorskip("pandas")
    labels, p, _, _, x = sample(300)
    letters = np.array(["a", "b", None] * 100, object)
    for group in (pandas.Categorical(letters), pandas.Series(letters), np.where(letters == None, np.nan, letters)):  # noqa: E711
        found = {one.group: one.loss for one in xent.evaluate(labels, p, group=group).by_group}
        assert found == pytest.approx({name: x[letters == name].mean() for name in ("a", "b", None)})
    halves = pandas.cut(pandas.Series(p), [0.0, 0.5, 1.0])
    assert {one.group for one in xent.evaluate(labels, p, group=halves).by_group} == {"(0.0, 0.5]", "(0.5, 1.0]"}
    days = pandas.DatetimeIndex(["2020-01-01", "2020-01-02"] * 150)
    for group in (days, pandas.Series(days)):
        names = [str(one.group)[:10] for one in xent.evaluate(labels, p, group=group).by_group]
        assert sorted(names) == ["2020-01-01", "2020-01-02"]


def test_clusters_within_groups():
    """Groups that are alike are told apart as seldom as promised, and never where one of them is a single cluster."""
    random = np.random.default_rng(11)
    p_values = []
    for _ in range(120):
        drift = np.repeat(random.normal(size=15), 40)  # 5 groups of 3 clusters, whose rows are alike
        p = 1 / (1 + np.exp(-random.normal(size=600) - drift))
        labels = (random.random(600) < 0.5).astype(int)
        report = xent.evaluate(labels, p, group=np.arange(600) // 120, cluster=np.arange(600) // 40)
        p_values += [one.p_value for one in report.by_group]
    assert len(p_values) == 600
    assert np.mean(np.array(p_values) < 0.05) < 0.07
    alone = xent.evaluate(labels, p, group=np.arange(600) // 40, cluster=np.arange(600) // 40).by_group
    assert {(one.standard_error, one.p_value, one.direction) for one in alone} == {(None, None, None)}


def test_weights():
    labels, p, group, document, x = sample(1500)
    w = np.random.default_rng(3).integers(1, 5, 1500).astype(float)
    report = xent.evaluate(labels, p, sample_weight=w, group=group, cluster=document)
    assert report.loss == pytest.approx(np.average(x, weights=w), rel=1e-12)
    assert report.standard_error == pytest.approx(robust_error(x, document, w), rel=1e-9)
    found = next(one for one in report.by_group if one.group == "a")
    assert found.loss == pytest.approx(np.average(x[group == "a"], weights=w[group == "a"]), rel=1e-12)


def test_clusters_and_groups_straddle_batches_and_files(tmp_path):
    labels, p, group, document, _ = sample(2000)
    whole = xent.State([0, 1]).update(labels, p, group=group, cluster=document)
    merged = sum(
        (
            xent.State([0, 1]).update(labels[s], p[s], group=group[s], cluster=document[s])
            for s in (slice(0, 3), slice(3, 700), slice(700, 2000))
        ),
        xent.State([0, 1]),
    )
    assert merged == whole
    assert xent.State.from_json(whole.to_json()) == whole
    table = pa.table({"label": labels, "p": p, "country": group, "document": document})
    for i, part in enumerate((table.slice(0, 500), table.slice(500))):
        pa.parquet.write_table(part, tmp_path / f"{i}.parquet")
    report = xent.scan(str(tmp_path / "*.parquet"), group="country", cluster="document")
    again = xent.evaluate(labels, p, group=group, cluster=document)
    assert report.by_group == again.by_group
    assert report.interval == again.interval
    with pytest.raises(xent.StateError, match="some rows have a group"):
        whole + xent.State([0, 1]).update(labels, p)


def test_errors():
    labels, p, group, _, _ = sample(100)
    with pytest.raises(xent.ShapeError, match="group has 3 entries, but there are 100 rows"):
        xent.evaluate(labels, p, group=group[:3])
    with pytest.raises(xent.SourceError, match="Pass --group NAME"):
        xent.scan(pa.table({"label": labels, "p": p}), group="country")


def test_confusion_in_nats():
    random = np.random.default_rng(4)
    p = random.dirichlet(np.ones(4), 500)
    labels = random.integers(0, 4, 500)
    report = xent.evaluate(labels, p)
    truth = np.array([(-np.log(p))[labels == i].mean(axis=0) for i in range(4)])
    np.testing.assert_allclose(np.array(report.confusion), truth, rtol=1e-6)
    assert [report.confusion[i][i] for i in range(4)] == [one.loss for one in report.by_class]
    top = report.confused[0]
    assert top.typical_probability == pytest.approx(math.exp(-truth[top.label, top.taken_for]), rel=1e-6)
    p[labels == 2, 1] = 0.0
    p /= p.sum(axis=1, keepdims=True)
    assert xent.evaluate(labels, p).confusion[2][1] == math.inf
    in_bits = xent.evaluate(labels, p, unit="bits").confusion
    assert in_bits[0][3] == pytest.approx(xent.evaluate(labels, p).confusion[0][3] / math.log(2), rel=1e-12)


def test_many_classes_leave_the_matrix_out_and_say_so():
    random = np.random.default_rng(5)
    p = random.dirichlet(np.ones(70), 300)
    report = xent.evaluate(random.integers(0, 70, 300), p)
    assert (report.confusion, report.confused) == (None, ())
    assert [curve.of for curve in report.reliability] == [None]
    assert any("64 classes" in note for note in report.notes)


@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_of_reports_cover_the_truth(clustered):
    """95 % intervals over 1,000 rows hold the mean 93 to 97 times of 100, also where rows come in clusters of 4."""
    random = np.random.default_rng(6)
    truth, sets, held = 0.25, 600, 0  # −log of u^¼ has mean ¼
    for _ in range(sets):
        if clustered:
            x = random.exponential(0.125, (250, 1)) + random.exponential(0.125, (250, 4))
        else:
            x = random.exponential(0.25, (1000, 1))
        p = np.exp(-x.reshape(-1))
        cluster = np.repeat(np.arange(250), 4) if clustered else None
        low, high = xent.evaluate(np.ones(1000, int), p, classes=[0, 1], cluster=cluster, brief=True).interval
        held += low <= truth <= high
    assert 0.93 <= held / sets <= 0.97


def test_both_kernels_give_the_same_keyed_sums(monkeypatch):
    from xent.kernels import score_numba, score_numpy

    random = np.random.default_rng(18)
    nats = random.exponential(1.0, 3000) ** 3
    nats[:5] = [0.0, math.inf, 1e-30, 700.0, 2.0**-24]
    keys = {"group": pa.array(random.integers(0, 9, 3000)), "cluster": pa.array(random.integers(0, 50, 3000))}
    found = []
    for kernels in (score_numpy, score_numba):
        monkeypatch.setattr("xent.scoring.keyed.score_kernels", lambda _, kernels=kernels: kernels)
        found.append(keyed_sums(nats, None, keys))
    assert found[0] == found[1]
    assert len(found[0].groups) == 9


def test_a_single_small_group_stays_a_group():
    labels, p, _, _, _ = sample(500)
    group = np.where(np.arange(500) < 5, "few", "many")
    report = xent.evaluate(labels, p, group=group)
    assert {(one.group, one.pooled, one.rows) for one in report.by_group} == {("few", 0, 5), ("many", 0, 495)}


def aged(closed="right"):
    """Rows with an age in three intervals, one of them missing now and then."""
    edges = pd.IntervalIndex.from_breaks([-1.5, 4.0, 9.0, 30.0], closed=closed)
    codes = np.arange(600) % 20 // 6
    table = pd.DataFrame({"label": [0, 1] * 300, "p": np.tile([0.1, 0.9, 0.3, 0.6], 150)})
    return table, pd.Categorical.from_codes(np.where(codes == 3, -1, codes), edges)


@pytest.mark.parametrize("closed", ["left", "right", "both", "neither"])
@pytest.mark.parametrize("key", ["group", "cluster"])
def test_intervals_are_shown_as_pandas_writes_them(closed, key):
    table, ages = aged(closed)
    truth = xent.evaluate(table["label"], table["p"], **{key: [None if one != one else str(one) for one in ages]})
    plain = pd.Series(ages).astype(ages.categories.dtype)
    for column in (pd.Series(ages), plain, pa.array(plain)):
        assert xent.evaluate(table["label"], table["p"], **{key: column}) == truth
        framed = (
            table.assign(age=column) if isinstance(column, pd.Series) else pa.table(table).append_column("age", column)
        )
        found = xent.scan(framed, **{key: "age"})
        assert (found.by_group, found.clusters, found.interval) == (truth.by_group, truth.clusters, truth.interval)


def test_intervals_in_a_file_are_read_without_pandas(tmp_path):
    table, ages = aged("left")
    table.assign(age=pd.Series(ages).astype(ages.categories.dtype)).to_parquet(tmp_path / "aged.parquet")
    (tmp_path / "pandas.py").write_text("raise ImportError('there is none')")
    code = "import xent; print([one.group for one in xent.scan('aged.parquet', group='age').by_group])"
    command = [sys.executable, "-c", code]  # which looks for modules where it is, first of all
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(ast.literal_eval(done.stdout)) == {None, "[-1.5, 4.0)", "[4.0, 9.0)", "[9.0, 30.0)"}


def test_groups_of_lists_and_structs_are_refused():
    table, _ = aged()
    for column in (pa.array([[1, 2]] * 600), pa.array([{"a": 1}] * 600)):
        framed = pa.table(table).append_column("age", column)
        with pytest.raises(
            ArgumentTypeError, match=r"column 'age' has type (list|struct).*one text or number in each row"
        ):
            xent.scan(framed, group="age")
        with pytest.raises(ArgumentTypeError, match=r"group has type (list|struct)"):
            xent.evaluate(table["label"], table["p"], group=column)


def written(path, keys):
    """Rows of a label, a probability and a key: CSV, or JSON Lines by the name."""
    rows = [(i % 2, (i * 37 % 97 + 1) / 99, key) for i, key in enumerate(keys)]
    if path.suffix == ".csv":
        path.write_text("label,p,g\n" + "".join(f"{y},{p},{key}\n" for y, p, key in rows))
    else:
        path.write_text("".join(f'{{"label": {y}, "p": {p}, "g": {key}}}\n' for y, p, key in rows))
    return path


@pytest.mark.parametrize(
    ("form", "first", "second", "shown"),
    [
        ("csv", "123", "12x", {"1": 200, "2": 200, "3": 100, "x": 100}),
        ("csv", "123", ["1", "2", "2.5"], {"1": 200, "2": 200, "3": 100, "2.5": 100}),
        ("csv", ["true", "false"], ["true", "unknown"], {"true": 300, "false": 150, "unknown": 150}),
        ("csv", ["1.10", "1.1", "01"], ["", "1", "1e0"], {"1.10": 100, "1.1": 100, "01": 100, None: 100, "1": 100, "1e0": 100}),
        ("csv", [f"{10**19 + i}" for i in range(3)], "abc", {f"{10**19 + i}": 100 for i in range(3)} | dict.fromkeys("abc", 100)),
        ("jsonl", "123", ["1", "2", "2.5"], {1: 200, 2: 200, 3: 100, 2.5: 100}),
    ],
)  # fmt: skip
def test_a_key_is_the_same_whatever_other_rows_have(form, first, second, shown, tmp_path):
    paths = [
        written(tmp_path / f"{i}.{form}", list(keys) * (300 // len(keys))) for i, keys in enumerate((first, second))
    ]
    whole = xent.scan(paths, group="g", cluster="g")
    states = []
    for path in paths:
        xent.scan(path, group="g", cluster="g", state=path.with_suffix(".json"))
        states.append(xent.read_state(path.with_suffix(".json")))
    merged = xent.State.merge(states).report()
    assert {one.group: one.rows for one in whole.by_group} == shown
    assert whole.clusters == len(shown)
    assert (merged.by_group, merged.clusters, merged.interval) == (whole.by_group, whole.clusters, whole.interval)


def test_folders_tell_keys_as_text(tmp_path):
    table = pa.table({"label": [0, 1] * 50, "p": [0.2, 0.7] * 50})
    for day in ("1", "2", "x"):
        (tmp_path / f"day={day}").mkdir()
        pa.parquet.write_table(table, tmp_path / f"day={day}" / "part.parquet")
    assert {one.group: one.rows for one in xent.scan(tmp_path, group="day").by_group} == {"1": 100, "2": 100, "x": 100}
    assert len(xent.scan(tmp_path.as_uri(), group="day").by_group) == 3
    (tmp_path / "day=x" / "part.parquet").unlink()
    assert {one.group: one.rows for one in xent.scan(tmp_path, group="day").by_group} == {"1": 100, "2": 100}
    for inside in ("day=1", "day=*/part.parquet"):
        with pytest.raises(
            SourceError, match=rf"no column is named 'day'.*\nPass the folder {re.escape(str(tmp_path))}, not"
        ):
            xent.scan(tmp_path / inside, group="day")
        with pytest.raises(SourceError, match=r"no column is named 'hour'.*\nPass --group NAME"):
            xent.scan(tmp_path / inside, group="hour")
    deep = tmp_path / "deep" / "year=2026" / "my day=a b" / "p.csv"
    deep.parent.mkdir(parents=True)
    deep.write_text("label,p\n0,0.2\n1,0.7\n")
    for name in ("year", "my day"):
        with pytest.raises(SourceError, match=rf"Pass the folder {re.escape(str(tmp_path / 'deep'))}, not"):
            xent.scan(tmp_path / "deep" / "*" / "*" / "*.csv", group=name)
        assert len(xent.scan(tmp_path / "deep", group=name).by_group) == 1


@pytest.mark.parametrize(
    ("values", "text"),
    [([7, 7], "7"), ([7, 7], "7.0"), ([7.0, 7.0], "7"), (["7", "7"], "7"), (["7", "7"], "07"), ([True, True], "true"),
     ([None, None], None), ([np.nan, np.nan], None), (pa.array(["x", "x"]).dictionary_encode(), "x"),
     (np.array([7, 7], np.float16), "7")],
)  # fmt: skip
def test_columns_that_folders_tell_too_must_say_the_same(tmp_path, values, text):
    """Some writers keep in the files what they name the folders by."""
    named = tmp_path / "day=__HIVE_DEFAULT_PARTITION__" if text is None else tmp_path / f"day={text}"
    kind = pa.string() if values[0] is None else None
    table = pa.table({"label": [0, 1], "p": [0.2, 0.7], "day": pa.array(values, kind, from_pandas=False)})
    named.mkdir()
    pa.parquet.write_table(table, named / "part.parquet")
    assert [one.rows for one in xent.scan(tmp_path, group="day").by_group] == [2]
    named.rename(tmp_path / "day=8")
    with pytest.raises(SourceError, match=r"part.parquet has .* in its column 'day', but is in a folder that says '8'"):
        xent.scan(tmp_path, group="day")
    assert xent.scan(tmp_path).rows == 2  # nobody asks for it
    assert [one.rows for one in xent.scan(tmp_path / "*" / "*.parquet", group="day").by_group] == [2]


def test_columns_that_no_text_can_be_compared_with_are_those_of_the_files(tmp_path):
    day = pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC"))
    (tmp_path / "day=2026-01-01").mkdir()
    pa.parquet.write_table(
        pa.table({"label": [0, 1], "p": [0.2, 0.7], "day": day}), tmp_path / "day=2026-01-01" / "p.parquet"
    )
    assert xent.scan(tmp_path, group="day").by_group[0].rows == 2


def test_a_column_of_labels_may_be_the_group(tmp_path):
    written(tmp_path / "t.csv", range(100))
    report = xent.scan(tmp_path / "t.csv", group="label")
    assert {one.group: one.rows for one in report.by_group} == {0: 50, 1: 50}


@pytest.mark.parametrize("ids", [range(10**19, 10**19 + 400), [*range(2**53, 2**53 + 399), 1.5]])
def test_large_ids_are_told_apart(ids, tmp_path):
    assert xent.scan(written(tmp_path / "t.csv", ids), cluster="g").clusters == 400
    of_json = written(tmp_path / "t.jsonl", ids)
    cell = r"t\.jsonl, row 0 \(counted from 0\), column 'g'"
    with pytest.raises(ArgumentTypeError, match=rf"{cell} is (9007199254740992|10000000000000000000) .*below 2\^53"):
        xent.scan(of_json, cluster="g")
    with pytest.raises(ArgumentTypeError, match=r"cluster\[1\] is 9007199254740992 .*below 2\^53"):
        xent.evaluate([0, 1], [0.1, 0.2], cluster=[0.5, 2.0**53])
    quoted = written(tmp_path / "q.jsonl", [f'"{one}"' for one in ids])
    assert xent.scan(quoted, cluster="g").clusters == 400
