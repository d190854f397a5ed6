"""`xent compare`: what it prints, and its exit status."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from xent import cli
from xent.commands import compare as command
from xent.report.comparison import Comparison

DATA = Path(__file__).parents[1] / "examples" / "data"
LOGISTIC, BAYES, FOREST = (
    DATA / f"digits_{name}.parquet" for name in ("logistic_regression", "naive_bayes", "random_forest")
)


@pytest.fixture(autouse=True)
def _command(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    if command not in cli.COMMANDS:
        monkeypatch.setattr(cli, "COMMANDS", (*cli.COMMANDS, command))


def run(capsys, *arguments):
    status = cli.main(["compare", *map(str, arguments)])
    return status, *capsys.readouterr()


@pytest.fixture
def files(tmp_path):
    """Two models of 400 rows in another order, the second without ten of them."""
    r = np.random.default_rng(0)
    labels, logit = r.integers(0, 2, 400), r.normal(size=400)
    logit += 2.0 * (2 * labels - 1)
    more = {"country": r.choice(["de", "fr"], 400), "user": r.integers(0, 250, 400), "w": r.random(400)}
    for name, noise in (("old", 2.0), ("new", 0.0)):
        p = 1 / (1 + np.exp(-logit - noise * r.normal(size=400)))
        table = pl.DataFrame({"id": np.arange(400), "label": labels, "p": p, **more})
        table = table if name == "old" else table.sample(390, seed=1, shuffle=True)
        table.write_parquet(tmp_path / f"{name}.parquet")
    return tmp_path / "old.parquet", tmp_path / "new.parquet"


def test_a_person_can_read_it_at_once(capsys, files):
    status, out, err = run(capsys, *files, "--on", "id", "--group", "country")
    assert (status, err) == (0, "")
    assert 8 <= out.count("\n") <= 15
    for part in (
        r"^verdict      new is better: 0\.\d+ nats per row less \(0\.\d+ to 0\.\d+\), p < 0\.001$",
        r"^loss         old  0\.\d+ nats  \(95% interval 0\.\d+ – 0\.\d+\)$",
        r"^rows won     old in \d+, new in \d+, equal in 0$",
        r"^rows needed  about \d+ rows show a difference of this size 4 times in 5 \(80 % power\)$",
        r"new better in groups (de|fr) by 0\.\d+, (de|fr) by 0\.\d+ nats per row$",
        r"^rows         390 compared; left out, because not in every model: 10 of old$",
        r"^read         rows matched by 'id'$",
    ):
        assert re.search(part, out, re.MULTILINE), part


def test_json_has_the_attributes(capsys, files):
    _, out, _ = run(capsys, *files, "--on", "id", "--json", "--unit", "bits")
    found = json.loads(out)
    assert set(found) == set(Comparison.__dataclass_fields__)
    assert (found["best"], found["unit"], found["only_in"], found["rows"]) == ("new", "bits", [10, 0], 390)
    assert found["pairs"][0]["difference"] > 0.0


def test_columns_reach_the_comparison(capsys, files):
    flags = ["--on", "id", "--cluster", "user", "--weight", "w", "--label", "label", "--prediction", "p", "--json"]
    _, out, _ = run(capsys, *files, *flags, "--kind", "probabilities", "--task", "binary", "--classes", "0,1")
    found = json.loads(out)
    assert found["clusters"] > 150
    assert found["pairs"][0]["method"] in ("bootstrap-t", "cluster-robust t")
    _, plain, _ = run(capsys, *files, "--on", "id", "--json")
    assert json.loads(plain)["pairs"][0]["difference"] != found["pairs"][0]["difference"]


def test_three_models(capsys):
    status, out, _ = run(capsys, LOGISTIC, BAYES, FOREST, "--names", "logistic,bayes,forest", "--clip", "1e-7")
    assert status == 0
    assert out.startswith("verdict      logistic is better than bayes: 0.883 nats per row less")
    assert "p-values adjusted for 3 pairs by Holm's method" in out
    assert "between the two that cost least, logistic and forest:" in out
    assert "bayes: clip changed the loss of" in out


def test_the_same_file_twice(capsys):
    status, out, _ = run(capsys, FOREST, FOREST, "--fail-if-worse")
    assert status == 0
    assert out.startswith("verdict      identical: every row costs both the same, the difference is exactly 0\n")
    assert "equal in 899" in out


@pytest.mark.parametrize(("turned", "status"), [(False, 1), (True, 0)])
def test_fail_if_worse_looks_at_the_first(capsys, files, turned, status):
    found, out, err = run(capsys, *files[:: -1 if turned else 1], "--on", "id", "--fail-if-worse")
    assert found == status
    assert "new is better" in out
    expected = r"xent: old is worse than new by 0\.\d+ nats per row, p < 0\.001\n" if status else ""
    assert re.fullmatch(expected, err)


def test_a_probability_of_0_is_worse(capsys, tmp_path):
    for name, last in (("a", 0.0), ("b", 0.4)):
        (tmp_path / f"{name}.csv").write_text(f"label,p\n1,0.9\n0,0.2\n1,{last}\n")
    status, out, err = run(capsys, tmp_path / "a.csv", tmp_path / "b.csv", "--fail-if-worse")
    assert (status, err) == (1, "xent: a is worse than b: its loss is infinite\n")
    assert "a gave probability 0 to what happened in 1 row of 3, b in none, so b is better" in out
    assert "infinite  (1 row of probability 0)" in out
    assert run(capsys, tmp_path / "b.csv", tmp_path / "a.csv", "--fail-if-worse")[0] == 0


REFUSED = {
    "one file": (["{0}"], "OptionError: compare needs two models or more"),
    "rows": (["{0}", "{1}"], r"old has 400 rows and new 390: row 390 of .*old\.parquet.* has no partner\. Pass on="),
    "no key": (
        ["{0}", "{1}", "--on", "idd"],
        r"SourceError: old: no column is named 'idd'.*Did you mean 'id'\? Pass --on NAME",
    ),
    "twice": (["{0}", "{1}", "--on", "user"], r"'user' is \d+ in row \d+ of \S*old\.parquet and again in row"),
    "no file": (["{0}", "nowhere.csv"], r"nowhere\.csv does not exist"),
    "names": (["{0}", "{1}", "--on", "id", "--names", "a"], "must be 2 names"),
    "clip": (["{0}", "{1}", "--on", "id", "--clip", "2"], "clip is 2"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_input_is_one_line_and_status_2(capsys, files, name):
    arguments, message = REFUSED[name]
    status, out, err = run(capsys, *(argument.format(*files) for argument in arguments))
    assert (status, out) == (2, "")
    assert err.startswith("xent: ")
    assert err.count("\n") == 1
    assert re.search(message, err), err


@pytest.mark.parametrize("turned", [False, True])
def test_a_missing_column_is_said_with_the_model_that_lacks_it(capsys, tmp_path, turned):
    (tmp_path / "a.csv").write_text("id,label,p\n1,1,0.9\n")
    (tmp_path / "b.csv").write_text("nr,label,p\n1,1,0.9\n")
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    _, _, err = run(capsys, *paths[:: -1 if turned else 1], "--on", "id")
    assert "SourceError: b: no column is named 'id'" in err


def test_it_fits_a_narrow_terminal(capsys, files, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = run(capsys, *files, "--on", "id")
    assert all(line == line.rstrip() and len(line) <= 60 for line in out.splitlines())


def test_help(capsys):
    with pytest.raises(SystemExit) as stopped:
        run(capsys, "--help")
    assert stopped.value.code == 0
    assert "xent compare old.parquet new.parquet --on id" in capsys.readouterr().out


def test_a_page_is_written_but_not_over_a_file(capsys, tmp_path):
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    a.write_text("label,p\n1,0.8\n0,0.3\n1,0.6\n")
    b.write_text("label,p\n1,0.7\n0,0.2\n1,0.9\n")
    assert cli.main(["compare", str(a), str(b), "--html", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<!DOCTYPE html>" in page
    assert "no difference shown" in page
    capsys.readouterr()
    assert cli.main(["compare", str(a), str(b), "--html", str(a)]) == 2
    assert "would overwrite one of the files to read" in capsys.readouterr().err


def test_a_limit_on_memory_changes_nothing(capsys, files):
    plain = run(capsys, *files, "--on", "id", "--cluster", "user", "--json")
    assert run(capsys, *files, "--on", "id", "--cluster", "user", "--json", "--max-memory", "20kB") == plain
    status, _, said = run(capsys, *files, "--on", "id", "--max-memory", "much")
    assert status == 2
    assert "max_memory is 'much'" in said


def test_an_infinite_log_of_tokens_is_worse(capsys, tmp_path):
    for name, value in (("a", "-inf"), ("b", "-0.7")):
        lines = [f"{doc},word,{value if doc == 3 else -0.5 - doc / 10}" for doc in range(5)]
        (tmp_path / f"{name}.csv").write_text("doc,token,logprob\n" + "\n".join(lines) + "\n")
    columns = ("--log-probability", "logprob", "--text", "token", "--cluster", "doc", "--fail-if-worse")
    status, _, err = run(capsys, tmp_path / "a.csv", tmp_path / "b.csv", *columns)
    assert (status, err) == (1, "xent: a is worse than b: its loss is infinite\n")
    assert run(capsys, tmp_path / "b.csv", tmp_path / "a.csv", *columns)[::2] == (0, "")
    assert run(capsys, tmp_path / "a.csv", tmp_path / "a.csv", *columns, "--names", "one,other")[0] == 0
