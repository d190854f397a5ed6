"""`xent recalibrate` end to end: what it writes, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import xent
from xent import cli


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A report of overconfident predictions, and a table of others without labels."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    z = random.normal(size=(3000, 3)) * 1.5
    labels = np.array(["ant", "bee", "cow"])[(z + random.gumbel(size=z.shape)).argmax(axis=1)]
    p = np.exp(2.5 * z) / np.exp(2.5 * z).sum(axis=1, keepdims=True)
    names = ["p_ant", "p_bee", "p_cow"]
    table = pd.DataFrame(p, columns=names)
    table.insert(0, "label", labels)
    table.to_parquet("old.parquet")
    table.drop(columns="label")[["p_cow", "p_ant", "p_bee"]].assign(id=range(3000)).to_parquet("new.parquet")
    pd.DataFrame(2.5 * z, columns=names).to_parquet("logits.parquet")
    with open("report.json", "w") as file:
        file.write(xent.scan("old.parquet").json())
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_columns_keep_their_order_and_the_others_their_values(capsys):
    assert cli.main(["recalibrate", "new.parquet", "--with", "report.json", "-o", "cured.parquet"]) == 0
    assert capsys.readouterr().out.startswith("3,000 rows at temperature 2.")
    cured, old = pd.read_parquet("cured.parquet"), pd.read_parquet("old.parquet")
    assert list(cured.columns) == ["p_cow", "p_ant", "p_bee", "id"]
    assert cured["id"].tolist() == list(range(3000))
    truth = xent.scan("old.parquet").recalibrate(old[["p_ant", "p_bee", "p_cow"]].to_numpy())
    np.testing.assert_allclose(cured[["p_ant", "p_bee", "p_cow"]], truth, rtol=1e-12)
    cured.insert(0, "label", old["label"])
    assert xent.scan(cured.drop(columns="id")).cure is None


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("names", [["ant", "bee", "cow"], ["of ant", "of bee", "of cow"], ["p_ant", "p_bee", "p_cow"]])
def test_columns_are_found_as_the_report_itself_finds_them(names, capsys):
    table = pd.read_parquet("old.parquet").drop(columns="label").set_axis(names, axis=1)[names[::-1]]
    table.to_parquet("named.parquet")
    asked = ["--prediction", ",".join(names[::-1]), "--with", "report.json", "-o", "cured.parquet"]
    assert (cli.main(["recalibrate", "named.parquet", *asked]), capsys.readouterr().err) == (0, "")
    truth = xent.scan("old.parquet").recalibrate(table)
    pd.testing.assert_frame_equal(pd.read_parquet("cured.parquet"), truth, rtol=1e-12)


@pytest.mark.usefixtures("folder")
def test_columns_that_are_named_as_the_classes_keep_their_stem(capsys):
    """Classes p_a and p_b, in columns of just these names."""
    labels = ["p_a", "p_b"] * 300
    table = pd.DataFrame({"p_a": np.tile([0.99, 0.01, 0.01, 0.99], 150)}).assign(p_b=lambda found: 1.0 - found["p_a"])
    report = xent.evaluate(labels, table.to_numpy(), classes=["p_a", "p_b"])
    assert report.cure is not None
    table[["p_b", "p_a"]].to_parquet("named.parquet")
    Path("of_two.json").write_text(report.json())
    asked = ["--with", "of_two.json", "-o", "cured.parquet"]
    assert (cli.main(["recalibrate", "named.parquet", *asked]), capsys.readouterr().err) == (0, "")
    pd.testing.assert_frame_equal(pd.read_parquet("cured.parquet")[["p_a", "p_b"]], report.recalibrate(table))


@pytest.mark.usefixtures("folder")
def test_other_formats():
    for output in ("cured.csv", "cured.arrow", "cured.feather"):
        assert cli.main(["recalibrate", "new.parquet", "--with", "report.json", "-o", output]) == 0
    np.testing.assert_allclose(pd.read_csv("cured.csv"), pd.read_feather("cured.feather"), rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["logits.parquet", "--with", "report.json", "-o", "x.parquet"], "row 0 of logits.parquet"),
        (["new.parquet", "--with", "old.parquet", "-o", "x.parquet"], "cannot be read"),
        (["new.parquet", "--with", "report.json", "-o", "x.doc"], "names no format that can be written"),
        (["new.parquet", "--with", "report.json", "-o", "new.parquet"], "would overwrite"),
        (["new.parquet", "--with", "nothing.json", "-o", "x.parquet"], "nothing.json cannot be read"),
        (["new.parquet", "--with", "other.json", "-o", "x.parquet"], "other.json is no report that xent wrote"),
        (
            ["lists.parquet", "--with", "report.json", "-o", "x.csv"],
            "column 'probability' has a list in each row, and CSV",
        ),
        (["renamed.parquet", "--with", "report.json", "-o", "x.parquet"], "Rename the columns after the classes"),
    ],
)
def test_what_is_refused(folder, capsys, arguments, text):
    (folder / "other.json").write_text(json.dumps({"loss": 1}))
    table = pq.read_table("new.parquet").rename_columns(["p_cow", "p_x", "p_bee", "id"])
    pq.write_table(table, "renamed.parquet")
    lists = {"probability": list(pd.read_parquet("new.parquet")[["p_ant", "p_bee", "p_cow"]].to_numpy())}
    pd.DataFrame(lists).to_parquet("lists.parquet")
    assert cli.main(["recalibrate", *arguments]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not list(folder.glob("x.*"))
    assert not list(folder.glob("*.partial"))


@pytest.mark.usefixtures("folder")
def test_whole_numbers_become_floats():
    z = np.random.default_rng(1).integers(-4, 5, (2000, 2))
    labels = (z + np.random.default_rng(2).gumbel(size=z.shape)).argmax(axis=1)
    pd.DataFrame({"label": labels, "logit_0": 3 * z[:, 0], "logit_1": 3 * z[:, 1]}).to_parquet("whole.parquet")
    with open("whole.json", "w") as file:
        file.write(xent.scan("whole.parquet").json())
    assert cli.main(["recalibrate", "whole.parquet", "--with", "whole.json", "-o", "cured.parquet"]) == 0
    cured = pd.read_parquet("cured.parquet")
    assert cured["label"].tolist() == labels.tolist()
    np.testing.assert_allclose(cured["logit_1"] - cured["logit_0"], z[:, 1] - z[:, 0], atol=0.5)


@pytest.mark.usefixtures("folder")
def test_what_is_refused_is_named_by_row_and_column(capsys):
    table = pd.read_parquet("new.parquet")
    table.loc[7, "p_ant"] = -0.25
    table.to_parquet("bad.parquet")
    assert cli.main(["recalibrate", "bad.parquet", "--with", "report.json", "-o", "cured.parquet"]) == 2
    assert "row 7 of bad.parquet (rows counted from 0), column 'p_ant' is -0.25, " in capsys.readouterr().err
