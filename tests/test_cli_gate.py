"""`xent score --baseline-report`: what it says, and its exit status."""

import gzip
import json
import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from xent import cli

ROWS = 500


@pytest.fixture(autouse=True)
def _in_its_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _predictions(_in_its_folder):
    """old.csv, and models that are as good, a little worse and far worse; `old.json` is the report of the first."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, ROWS)
    logits = random.normal(0.0, 1.5, ROWS) + (2 * labels - 1)
    for name, scale, noise in (("old", 1.0, 0.0), ("same", 1.0, 0.02), ("little", 1.5, 0.02), ("far", -0.5, 0.0)):
        p = 1.0 / (1.0 + np.exp(-scale * logits - noise * random.normal(0.0, 1.0, ROWS)))
        pl.DataFrame({"id": np.arange(ROWS), "label": labels, "p": p}).write_csv(f"{name}.csv")


def run(capsys, *arguments):
    status = cli.main(["score", *arguments])
    return status, *capsys.readouterr()


@pytest.fixture
def old_report(capsys, tmp_path):
    (tmp_path / "old.json").write_text(run(capsys, "old.csv", "--json")[1])
    return "old.json"


TWO_SAMPLE = r"; two-sample \(Welch's t\), because a report carries no rows\n"


@pytest.mark.parametrize(
    ("new", "status", "line"),
    [
        ("same.csv", 0, r"xent: not shown to be worse than old\.json: .* nats per row \(95% interval .*, p = .*\)"),
        ("little.csv", 0, r"xent: not shown to be worse than old\.json: \+0\.0\d+ nats per row \(.*\)"),
        ("far.csv", 1, r"xent: worse than old\.json: \+0\.\d+ nats per row \(95% interval 0\.\d+ to .*, p < 0\.001\)"),
    ],
)
def test_against_a_report(capsys, old_report, new, status, line):
    found, out, err = run(capsys, new, "--baseline-report", old_report, "--fail-if-worse")
    assert found == status
    assert re.fullmatch(line + TWO_SAMPLE, err), err
    assert out.startswith("cross-entropy")


@pytest.mark.parametrize(("flags", "by"), [([], "position"), (["--on", "id"], "'id'")])
def test_against_predictions_row_by_row(capsys, flags, by):
    found, _, err = run(capsys, "little.csv", "--baseline-report", "old.csv", "--fail-if-worse", *flags)
    assert found == 1
    assert re.fullmatch(rf"xent: worse than old\.csv: \+0\.0.*; paired by {by} over 500 rows\n", err), err


def test_other_rows_are_two_samples_and_it_says_so(capsys):
    pl.read_csv("far.csv").head(300).write_csv("fewer.csv")
    found, _, err = run(capsys, "fewer.csv", "--baseline-report", "old.csv", "--fail-if-worse")
    assert found == 1
    assert "two-sample (Welch's t), because the rows do not match (new has 300 rows and old 500" in err
    assert err.count("\n") == 1


def test_without_fail_if_worse_it_only_says(capsys, old_report):
    found, _, err = run(capsys, "far.csv", "--baseline-report", old_report)
    assert found == 0
    assert err.startswith("xent: worse than old.json")


def test_json_stays_json(capsys, old_report):
    found, out, err = run(capsys, "far.csv", "--baseline-report", old_report, "--fail-if-worse", "--json")
    assert found == 1
    assert json.loads(out)["rows"] == ROWS
    assert err.startswith("xent: worse than old.json")


def test_all_thresholds_are_looked_at(capsys, old_report):
    found, _, err = run(
        capsys, "far.csv", "--baseline-report", old_report, "--fail-above", "0.1", "--fail-below-skill", "0.9"
    )
    assert found == 1
    assert [line.partition(" 0.")[0].partition(":")[2].split()[:3] for line in err.splitlines()] == [
        ["the", "loss", "is"],
        ["the", "skill", "is"],
        ["worse", "than", "old.json:"],
    ]


def test_in_bits(capsys):
    for unit, size in (("nats", 1.0), ("bits", 1.0 / np.log(2.0))):
        _, _, err = run(capsys, "far.csv", "--baseline-report", "old.csv", "--unit", unit)
        found = re.search(rf"\+([\d.]+) {unit} per row", err)
        assert found
        truth = np.mean(_nats("far.csv") - _nats("old.csv"))
        assert float(found[1]) == pytest.approx(truth * size, abs=6e-4)


def _nats(name):
    table = pl.read_csv(name)
    return -np.log(np.where(table["label"] == 1, table["p"], 1.0 - table["p"]))


def test_standard_input_against_a_report(old_report, tmp_path):
    command = [sys.executable, "-m", "xent.cli", "score", "-", "--baseline-report", old_report, "--fail-if-worse"]
    text = gzip.compress((tmp_path / "far.csv").read_bytes())
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"xent: worse than old.json")


def test_rows_of_one_cluster_are_no_independent_proof(capsys):
    """20 rows, each 25 times over: row by row that looks like a proof."""
    for name in ("old", "little"):
        table = pl.read_csv(f"{name}.csv").head(20)
        pl.concat([table] * 25).rename({"id": "user"}).write_csv(f"{name}_25.csv")
    arguments = ["little_25.csv", "--baseline-report", "old_25.csv", "--fail-if-worse"]
    found = [
        re.search(r"interval (\S+) to (\S+),", run(capsys, *arguments, *more)[2])
        for more in ([], ["--cluster", "user"])
    ]
    alone, together = (float(one[2].replace("−", "-")) - float(one[1].replace("−", "-")) for one in found)
    assert together > 3.0 * alone  # some √25


def test_patterns_are_predictions(capsys):
    _, _, err = run(capsys, "little.csv", "--baseline-report", "ol*.csv", "--on", "id")
    assert "worse than ol*.csv" in err
    assert "paired by 'id'" in err


REFUSED = {
    "no baseline": (["--fail-if-worse"], "--fail-if-worse needs --baseline-report OLD"),
    "no baseline for the key": (["--on", "id"], "--on needs --baseline-report OLD"),
    "a key of a report": (["--baseline-report", "old.json", "--on", "id"], "old.json is a report, which carries none"),
    "missing": (["--baseline-report", "nowhere.json"], "nowhere.json cannot be read: No such file"),
    "other unit": (["--baseline-report", "old.json", "--unit", "bits"], "unit is 'bits', but 'nats' in old.json"),
    "clipped": (["--baseline-report", "old.json", "--clip", "0.01"], "clip is 0.01, but None in old.json"),
    "other key": (["--baseline-report", "old.csv", "--on", "name"], "'name'"),
    "other json": (["--baseline-report", "other.json"], "other.json is no report"),
    "tokens": (["--baseline-report", "old.json", "--log-probability", "p"], "for predictions, not for tokens"),
}
FOUND_LATE = {"other unit", "clipped", "other key"}  # when the predictions are scored, which is shown all the same


@pytest.mark.usefixtures("old_report")
@pytest.mark.parametrize("name", REFUSED)
def test_refused_is_one_line_and_status_2(capsys, tmp_path, name):
    flags, message = REFUSED[name]
    (tmp_path / "other.json").write_text('{\n"accuracy": 0.9\n}\n')
    status, out, err = run(capsys, "same.csv", *flags)
    assert status == 2
    assert out.startswith("cross-entropy") if name in FOUND_LATE else out == ""
    assert err.startswith("xent: ")
    assert err.count("\n") == 1
    assert message in err


def test_other_classes_are_refused(capsys, old_report, tmp_path):
    (tmp_path / "three.csv").write_text("label,p_0,p_1,p_2\n0,0.5,0.3,0.2\n2,0.1,0.1,0.8\n")
    status, _, err = run(capsys, "three.csv", "--baseline-report", old_report)
    assert status == 2
    assert "task is 'multiclass', but 'binary' in old.json" in err
