"""A row of a table is found and read as scoring reads it, and costs what scoring says it costs."""

import json

import numpy as np
import polars as pl
import pytest

import xent
from xent.sources import files

RANDOM = np.random.default_rng(7)
CLASSES = ["ant", "bee", "cat"]


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


LOGITS = RANDOM.normal(size=(50, 3)) * 3
CODES = RANDOM.integers(0, 3, 50)


def written(path, values, prefix, labels=None):
    columns = {f"{prefix}{name}": values[:, i] for i, name in enumerate(CLASSES)}
    table = pl.DataFrame({"label": labels if labels is not None else [CLASSES[code] for code in CODES], **columns})
    table.write_parquet(path) if path.suffix == ".parquet" else table.write_csv(path)
    return str(path)


def row_loss(path, row, **options):
    """What `xent score` says of that row, which it finds among the worst of all."""
    found = [one for one in xent.scan(path, top=10**6, **options).worst if one.index == row]
    return found[0].loss


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("prefix", "values", "step"),
    [("p_", softmax(LOGITS), "costs"), ("logit_", LOGITS, "gradient"), ("logp_", np.log(softmax(LOGITS)), "costs")],
)
def test_classes(tmp_path, suffix, prefix, values, step):
    path = written(tmp_path / f"a{suffix}", values, prefix)
    for row in (0, 17, 49):
        found = xent.explain(path, row=row)
        truth = -np.log(softmax(LOGITS)[row, CODES[row]])
        assert found.loss == pytest.approx(row_loss(path, row), rel=1e-12)
        assert found.loss == pytest.approx(truth, rel=1e-12)
        assert CLASSES[CODES[row]] in found.title
        assert found.step(step).values
        assert found.notes[0] == f"row {row} of {path}, rows counted from 0"
        assert "label column 'label' (guessed)" in found.notes


def test_columns_in_another_order_are_matched_by_name(tmp_path):
    p = softmax(LOGITS)
    table = pl.DataFrame({"p_cat": p[:, 2], "p_ant": p[:, 0], "p_bee": p[:, 1], "y": [CLASSES[c] for c in CODES]})
    table.write_csv(tmp_path / "a.csv")
    found = xent.explain(tmp_path / "a.csv", row=3, unit="bits")
    assert found.loss == pytest.approx(-np.log2(p[3, CODES[3]]), rel=1e-12)


def test_one_column(tmp_path):
    (tmp_path / "a.csv").write_text("y,p\nno,0.25\nyes,0.9\nno,0.0\n")
    found = xent.explain(tmp_path / "a.csv", row=0)
    assert found.loss == pytest.approx(-np.log(0.75), rel=1e-14)
    assert "Yes is yes here, and no is no." in found.steps[0].text
    assert xent.explain(tmp_path / "a.csv", row=2).loss == 0.0
    (tmp_path / "b.csv").write_text("y,score\nspam,2.0\nham,-1.0\n")
    found = xent.explain(tmp_path / "b.csv", row=0, kind="logits")
    assert found.loss == pytest.approx(np.log1p(np.exp(-2.0)), rel=1e-14)
    assert found.step("logits").values["logits"] == (0.0, 2.0)
    assert "the sigmoid of z is the softmax of (0, z)" in found.notes[-1]


def test_soft_labels_and_several_labels():
    soft = pl.DataFrame({"y_a": [0.25, 1.0], "y_b": [0.75, 0.0], "p_a": [0.5, 0.5], "p_b": [0.5, 0.5]})
    found = xent.explain(soft, row=0, label="y_*", prediction="p_*")
    assert found.loss == pytest.approx(np.log(2), rel=1e-14)
    assert found.step("kl").values["kl"][0] == pytest.approx(0.25 * np.log(0.5) + 0.75 * np.log(1.5), rel=1e-12)
    several = pl.DataFrame({"y_a": [0, 1], "y_b": [1, 1], "p_a": [0.1, 0.5], "p_b": [0.7, 0.2]})
    found = xent.explain(several, row=0, label="y_*", prediction="p_*", task="multilabel")
    assert found.loss == pytest.approx(-np.log(0.9) - np.log(0.7), rel=1e-14)


def test_rows_of_several_files_are_counted_through(tmp_path):
    first = written(tmp_path / "a.csv", softmax(LOGITS), "p_")
    second = written(tmp_path / "b.csv", softmax(-LOGITS), "p_")
    found = xent.explain([first, second], row=53)
    assert found.notes[0] == f"row 53 of the data set is row 3 of {second}, rows counted from 0"
    assert found.loss == pytest.approx(-np.log(softmax(-LOGITS)[3, CODES[3]]), rel=1e-12)


def test_it_reads_no_further_than_the_row(tmp_path, monkeypatch):
    paths = [written(tmp_path / f"{name}.csv", softmax(LOGITS), "p_") for name in "abc"]
    read = []
    original = files.Fragment.batches

    def noted(self, *args):
        read.append(self.part.name)
        return original(self, *args)

    monkeypatch.setattr(files.Fragment, "batches", noted)
    assert xent.explain(paths, row=60, classes=CLASSES).loss > 0.0
    assert set(read) == set(paths[:2])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (3, r"row is 3, but the data have 3 rows, so it must be in \[0, 3\)"),
        (-1, "row is -1, but must be a whole number, 0 or more"),
        (None, "row is missing"),
        (1.0, "row is 1.0"),
        (True, "row is True"),
    ],
)
def test_rows_that_are_not_there(tmp_path, row, message):
    (tmp_path / "a.csv").write_text("y,p\n0,0.25\n1,0.9\n0,0.1\n")
    with pytest.raises(xent.OptionError, match=message):
        xent.explain(tmp_path / "a.csv", row=row)


def test_errors_are_those_of_scoring(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("y,p_a,p_b\na,0.5,0.5\nb,0.9,0.9\nc,0.5,0.5\n")
    with pytest.raises(xent.ProbabilityError, match=r"row 1 of .*a.csv \(rows counted from 0\) sums to 1.8, not 1"):
        xent.explain(path, row=1, classes=["a", "b"])
    with pytest.raises(xent.LabelError, match=r"row 2 of .*a.csv \(rows counted from 0\) is 'c'"):
        xent.explain(path, row=2, classes=["a", "b"])
    with pytest.raises(xent.SourceError, match=r"nothing\.csv"):
        xent.explain(tmp_path / "nothing.csv", row=0)
    with pytest.raises(xent.SourceError, match="no_such"):
        xent.explain(path, row=0, label="no_such")


def test_a_later_line_of_another_type_is_read_as_scoring_reads_it(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("y,p\n" + "0,0.25\n" * 300_000 + "one,0.5\n")
    with pytest.raises(xent.LabelError):
        xent.explain(path, row=0, classes=[0, 1]) and xent.explain(path, row=300_000, classes=[0, 1])


def test_json_of_a_row(tmp_path):
    (tmp_path / "a.csv").write_text("y,p\n0,0.25\n1,0.9\n")
    found = json.loads(xent.explain(tmp_path / "a.csv", row=1).json())
    assert found["notes"][0].endswith("rows counted from 0")
