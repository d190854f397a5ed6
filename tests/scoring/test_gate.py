"""A new report against an old one: which test, and what it says."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

import xent
from xent.scoring.gate import against_predictions, against_report, two_sample
from xent.scoring.measured import Measured, measured, read_report

OPTIONS = {
    "label": None,
    "prediction": None,
    "sample_weight": None,
    "classes": None,
    "kind": "auto",
    "task": "auto",
    "normalize": False,
    "clip": None,
    "cluster": None,
}


def said(loss, error, rows, **more):
    given = {"clusters": None, "infinite": 0, "unit": "nats", "task": "binary", "classes": ("0", "1"), "clip": None}
    return Measured(loss=loss, standard_error=error, rows=rows, **{**given, "weighted": False, **more})


def of(nats):
    return said(nats.mean(), nats.std(ddof=1) / math.sqrt(len(nats)), len(nats))


@pytest.mark.parametrize(("n", "m", "shift"), [(300, 200, 0.3), (2, 3, 0.1), (50, 4_000, 0.0), (1_000, 1_000, -0.1)])
def test_welch_is_scipys(n, m, shift):
    random = np.random.default_rng(n)
    new, old = random.exponential(0.5, n) + shift, random.exponential(0.4, m)
    difference, interval, p = two_sample(of(new), of(old))
    truth = stats.ttest_ind(new, old, equal_var=False)
    assert difference == pytest.approx(new.mean() - old.mean(), rel=1e-13)
    assert p == pytest.approx(truth.pvalue, rel=1e-9)
    assert interval == pytest.approx(tuple(truth.confidence_interval(0.95)), rel=1e-7)


def test_clusters_are_what_is_independent():
    few, many = said(0.5, 0.05, 10_000, clusters=4), said(0.4, 0.05, 10_000)
    error = math.hypot(0.05, 0.05)
    degrees = error**4 / (0.05**4 / 3 + 0.05**4 / 9_999)
    assert two_sample(few, many)[2] == pytest.approx(2.0 * stats.t.sf(0.1 / error, degrees), rel=1e-9)


def test_no_spread_is_no_proof_by_itself():
    """Losses that are all alike: of 2 and 3 rows dealt out at random, 1 in 10 deals is this one, or its like."""
    assert two_sample(said(0.5, 0.0, 2), said(0.4, 0.0, 3))[2] == pytest.approx(2 / 10)
    assert two_sample(said(0.5, 0.0, 500), said(0.4, 0.0, 500))[2] == 0.0
    assert two_sample(said(0.5, 0.0, 2), said(0.5, 0.0, 3))[2] == 1.0


def test_tiny_and_huge_errors_do_not_underflow():
    difference, (low, high), p = two_sample(said(2e-300, 1e-301, 100), said(1e-300, 1e-301, 100))
    assert difference == 1e-300
    assert 0.0 < low < difference < high
    assert 0.0 < p < 1e-8


def test_how_often_it_cries_wolf():
    """Of 500 pairs of samples of one distribution some 5 % differ at 5 %."""
    random = np.random.default_rng(0)
    draws = random.exponential(0.5, (500, 2, 120))
    errors = draws.std(axis=2, ddof=1) / math.sqrt(120)
    found = [
        two_sample(said(*one, 120), said(*two, 120))[2] <= 0.05
        for one, two in np.stack((draws.mean(axis=2), errors), axis=2)
    ]
    assert abs(np.mean(found) - 0.05) < 0.03


@pytest.mark.parametrize(
    ("new", "outcome", "text"),
    [
        (0.50, "worse", "worse than old.json: +0.100 nats per row (95% interval 0.072 to 0.128, p < 0.001); "),
        (0.30, "better", "better than old.json: −0.100 nats per row (95% interval −0.128 to −0.072, p < 0.001); "),
        (0.411, "open", "not shown to be worse than old.json: +0.011 nats per row (95% interval −0.017 to 0.039, "),
        (0.40, "open", "not shown to be worse than old.json: no difference (95% interval −0.028 to 0.028, p = 1.00); "),
    ],
)
def test_outcomes_and_their_words(new, outcome, text):
    change = against_report(said(new, 0.01, 1_000), said(0.4, 0.01, 1_000), "old.json")
    assert change.outcome == outcome
    assert str(change).startswith(text)
    assert str(change).endswith("; two-sample (Welch's t), because a report carries no rows")


def test_infinite_losses_are_counted():
    finite, three, four = (said(0.4, 0.01, 1_000), *(said(math.inf, math.inf, 1_000, infinite=n) for n in (3, 4)))
    forty = said(math.inf, math.inf, 1_000, infinite=40)
    worse = against_report(three, finite, "old.json")
    assert (worse.outcome, worse.difference) == ("worse", math.inf)
    assert str(worse) == (
        "worse than old.json: 3 rows of infinite loss against 0; two-sample, because a report carries no rows"
    )
    better = against_report(finite, three, "old.json")
    assert (better.outcome, better.difference) == ("better", -math.inf)
    assert against_report(four, three, "old.json").outcome == "open"
    clearly = against_report(forty, three, "old.json")
    assert clearly.outcome == "worse"
    table = [[40, 960], [3, 997]]
    assert clearly.p_value == pytest.approx(stats.chi2_contingency(table, correction=True).pvalue, rel=1e-9)
    assert "40 rows of infinite loss against 3 (p < 0.001)" in str(clearly)
    assert against_report(three, forty, "old.json").outcome == "better"
    assert against_report(*[said(math.inf, math.inf, 9, infinite=9)] * 2, "old.json").outcome == "open"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": "bits"}, "unit is 'nats', but 'bits' in old.json.*--unit"),
        ({"task": "multilabel"}, "task is 'binary', but 'multilabel' in old.json.*--task"),
        ({"classes": ("0", "1", "2")}, "classes is '0', '1', but '0', '1', '2' in old.json.*--classes"),
        ({"clip": 1e-7}, "clip is None, but 1e-07 in old.json.*--clip"),
        ({"weighted": True}, "weighted is False, but True in old.json.*--weight"),
        ({"rows": 1, "standard_error": None}, "old.json has a single row, which"),
        ({"clusters": 1, "standard_error": None}, "old.json has a single row or cluster"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, message):
    new = said(0.4, 0.01, 1_000)
    with pytest.raises(xent.OptionError, match=f"(?s){message}"):
        against_report(new, new._replace(**change), "old.json")


REPORTS = {
    "plain": lambda: xent.evaluate([1, 0, 1, 1], [0.9, 0.2, 0.7, 0.8]),
    "infinite": lambda: xent.evaluate([1, 0, 1, 1], [0.0, 0.2, 0.7, 0.8]),
    "one row": lambda: xent.evaluate([1], [0.9]),
    "weights": lambda: xent.evaluate([1, 0, 1], [0.9, 0.2, 0.7], sample_weight=[1, 2, 3]),
    "clusters": lambda: xent.evaluate([1, 0, 1, 1], [0.9, 0.2, 0.7, 0.8], cluster=["a", "a", "b", "c"]),
    "names": lambda: xent.evaluate(["é", "b"], [[0.9, 0.1], [0.2, 0.8]], classes=["é", "b"], unit="bits", clip=0.01),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_says_the_same_from_its_json(tmp_path, name):
    report = REPORTS[name]()
    path = tmp_path / "report.json"
    for text in (report.json(), json.dumps(json.loads(report.json())), "\n " + report.json() + "\n"):
        path.write_text(text)
        assert read_report(path) == measured(report)


@pytest.mark.parametrize("text", ["label,p\n1,0.5\n", '{"label": 1, "p": 0.5}\n{"label": 0, "p": 0.5}\n', "PAR1"])
def test_predictions_are_no_report(tmp_path, text):
    path = tmp_path / "file"
    path.write_text(text)
    assert read_report(path) is None
    assert read_report(tmp_path / "f*") is None


def broken(**changes):
    return json.dumps(json.loads(REPORTS["plain"]().json()) | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"loss": 0.3', "no complete JSON"),
        ('{"rows": 5}', "is no report: it has no 'loss', 'standard_error', 'unit'"),
        (broken(loss=math.nan), "cannot be: it has loss nan"),
        (broken(loss=-0.1), "cannot be"),
        (broken(loss="inf"), "cannot be"),
        (broken(standard_error=math.nan), "cannot be"),
        (broken(rows=1), "cannot be"),
        (broken(rows=0, standard_error=None), "cannot be"),
        (broken(rows=None), "no report that xent wrote"),
        (broken(loss="low"), "no report that xent wrote"),
        (broken(classes=5), "no report that xent wrote"),
    ],
)
def test_damaged_reports_are_refused(tmp_path, text, message):
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(xent.SourceError, match=message):
        read_report(path)


def test_a_missing_report_is_named(tmp_path):
    with pytest.raises(xent.SourceError, match=r"nowhere\.json cannot be read: No such file"):
        read_report(tmp_path / "nowhere.json")


ROWS = 400


@pytest.fixture
def files(tmp_path):
    """Files of predictions: a column of ids, labels, probabilities moved on the logit scale."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, ROWS)
    logits = random.normal(0.0, 1.5, ROWS) + (2 * labels - 1)

    def write(name, scale=1.0, shift=0.0, rows=slice(None), **columns):
        p = 1.0 / (1.0 + np.exp(-(logits * scale + shift + random.normal(0.0, 0.1, ROWS))))
        given = {"id": np.arange(ROWS), "label": labels, "p": p, **columns}
        path = tmp_path / name
        pq.write_table(pa.table({key: values[rows] for key, values in given.items()}), path)
        return str(path)

    return write


def nats(path):
    table = pq.read_table(path)
    p, label = table["p"].to_numpy(), table["label"].to_numpy()
    return -np.log(np.where(label == 1, p, 1.0 - p))


def compared(new, old, on=None):
    return against_predictions(xent.scan(new), [new], old, on, OPTIONS)


def test_rows_are_paired(files):
    old, new = files("old.parquet"), files("new.parquet", 1.8)
    shuffled = files("shuffled.parquet", rows=np.random.default_rng(1).permutation(ROWS))
    for other, on, words in ((old, None, "by position"), (old, "id", "by 'id'"), (shuffled, "id", "by 'id'")):
        change = compared(new, other, on)
        assert change.test == f"paired {words} over {ROWS} rows"
    order = np.argsort(pq.read_table(shuffled)["id"].to_numpy())
    truth = stats.ttest_rel(nats(new), nats(shuffled)[order])
    assert change.difference == pytest.approx(nats(new).mean() - nats(shuffled).mean(), rel=1e-12)
    assert change.p_value == pytest.approx(truth.pvalue, rel=1e-8)
    assert change.outcome == ("open" if truth.pvalue > 0.05 else "worse" if change.difference > 0 else "better")


def test_pairing_sees_what_two_samples_do_not(files):
    old, new = files("old.parquet"), files("new.parquet", 0.5)
    assert compared(new, old, "id").outcome == "worse"
    assert against_report(measured(xent.scan(new)), measured(xent.scan(old)), "old.json").outcome == "open"


def test_rows_that_one_file_lacks_are_counted(files):
    old, new = files("old.parquet", rows=slice(0, 390)), files("new.parquet", rows=slice(20, None))
    change = compared(new, old, "id")
    assert change.test == "paired by 'id' over 370 rows (10 only in the new, 20 only in the old)"


def test_rows_that_do_not_match_are_two_samples(files):
    old, new = files("old.parquet", rows=slice(0, 150)), files("new.parquet", shift=3.0, rows=slice(150, None))
    for on, why in ((None, "new has 250 rows and old 150"), ("id", "not one 'id' is the same")):
        change = compared(new, old, on)
        assert change.test.startswith("two-sample (Welch's t), because the rows do not match (")
        assert why in change.test
        assert change.p_value == pytest.approx(stats.ttest_ind(nats(new), nats(old), equal_var=False).pvalue, rel=1e-9)
        assert change.outcome == "worse"


def test_other_labels_in_the_same_place_are_other_rows(files):
    old, new = files("old.parquet"), files("new.parquet", rows=slice(None, None, -1))
    assert compared(new, old).test.startswith("two-sample")
    relabelled = files("relabelled.parquet", label=np.arange(ROWS) % 2)
    with pytest.raises(xent.LabelError):  # an id whose label has changed is a fault
        compared(relabelled, old, "id")


def test_faults_of_the_keys_are_refused(files):
    old, new = files("old.parquet", id=np.zeros(ROWS, int)), files("new.parquet")
    with pytest.raises(xent.SourceError, match="repeat a key"):
        compared(new, old, "id")
    with pytest.raises(xent.SourceError, match="name"):
        compared(new, old, "name")


def test_a_broken_old_file_is_refused(files, tmp_path):
    (tmp_path / "old.csv").write_text("id,label,p\n0,1,0.5\n1,0,1.5\n")
    with pytest.raises(xent.ProbabilityError, match=r"old\.csv"):
        compared(files("new.parquet"), str(tmp_path / "old.csv"))


def test_infinite_rows_of_pairs_are_counted(files):
    labels = pq.read_table(files("labels.parquet"))["label"].to_numpy()

    def with_infinite(name, count):
        p = np.where(labels == 1, 0.8, 0.2)
        p[:count] = 1 - labels[:count]
        return files(name, p=p)

    none, two, thirty = (with_infinite(f"{count}.parquet", count) for count in (0, 2, 30))
    assert compared(two, none).outcome == "worse"
    assert compared(none, two).outcome == "better"
    assert compared(two, two).outcome == "open"
    change = compared(thirty, two)
    assert change.outcome == "worse"
    assert change.p_value == pytest.approx(stats.chi2.sf(27**2 / 28, 1), rel=1e-9)  # 28 rows infinite in one alone
    assert "30 rows of infinite loss against 2 (p < 0.001); paired by position" in str(change)
    assert compared(two, thirty).outcome == "better"


def test_what_can_be_read_once_is_refused(files):
    old, new = files("old.parquet"), files("new.parquet")
    with pytest.raises(xent.OptionError, match="- can be read only once"):
        against_predictions(xent.scan(new), ["-"], old, None, OPTIONS)


def test_several_new_files_are_one(files):
    old = files("old.parquet")
    parts = [files(f"{part}.parquet", rows=rows) for part, rows in (("a", slice(0, 100)), ("b", slice(100, None)))]
    change = against_predictions(xent.scan(parts), parts, old, "id", OPTIONS)
    assert change.test == f"paired by 'id' over {ROWS} rows"
