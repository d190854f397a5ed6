"""`xent check`: what it prints, and its exit status."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xent import cli
from xent.commands import check

DATA = Path(__file__).parents[1] / "examples" / "data"


@pytest.fixture(autouse=True)
def _command(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    if check not in cli.COMMANDS:
        monkeypatch.setattr(cli, "COMMANDS", (*cli.COMMANDS, check))


def run(capsys, *arguments):
    status = cli.main(["check", *map(str, arguments)])
    return status, *capsys.readouterr()


@pytest.fixture
def inverted(tmp_path):
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 100)
    p = np.where(y == 1, random.beta(2, 6, 100), random.beta(6, 2, 100))
    path = tmp_path / "inverted.csv"
    path.write_text("label,p\n" + "".join(f"{a},{b!r}\n" for a, b in zip(y.tolist(), p.tolist(), strict=True)))
    return path


@pytest.mark.parametrize("path", sorted(DATA.glob("*.parquet")), ids=lambda path: path.stem)
def test_good_predictions(capsys, path):
    status, out, err = run(capsys, path)
    assert (status, err) == (0, "")
    assert "899 rows, 10 classes, probabilities, loss" in out
    assert "✗" not in out


def test_something_serious(capsys, inverted):
    status, out, err = run(capsys, inverted)
    assert (status, err) == (1, "")
    words = " ".join(out.split())
    assert "✗ inverted-probability: the prediction column looks like the probability of 0, not of 1" in words
    assert "→ if so, pass --classes 1,0, or write 1 − p." in words
    assert "read: label column 'label' (guessed)" in words
    assert run(capsys, inverted, "--classes", "1,0")[0] == 0


def test_json(capsys, inverted):
    status, out, _ = run(capsys, inverted, "--json")
    told = json.loads(out)
    assert status == 1
    assert told["serious"] is True
    assert told["rows"] == 100
    assert told["columns"] == {"label": ["label"], "prediction": ["p"], "weight": None, "id": None}
    assert told["findings"][0]["name"] == "inverted-probability"


def test_columns_that_cannot_be_chosen_are_a_finding(capsys, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,0.5\n")
    status, out, _ = run(capsys, path)
    assert status == 1
    assert "✗ columns: the label column is missing" in out
    assert run(capsys, path, "--label", "a", "--prediction", "b")[0] == 0


@pytest.mark.parametrize("content", [None, b"", b"label,p\n", b"PAR1 and then nothing"])
def test_files_that_cannot_be_read(capsys, tmp_path, content):
    path = tmp_path / "a.csv"
    if content is not None:
        path.write_bytes(content)
    status, out, err = run(capsys, path)
    assert (status, out) == (2, "")
    assert err.startswith("xent: SourceError: ")
    assert err.count("\n") == 1


def test_ids_by_name(capsys, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,label,p\nx,0,0.11\ny,1,0.72\nx,0,0.23\n")
    status, out, _ = run(capsys, path, "--on", "name")
    assert status == 1
    assert "duplicated-ids: 1 row of 3 has an id ('name') that an earlier row has; first rows 0 and 2 of" in " ".join(
        out.split()
    )


def test_standard_input(inverted):
    code = (
        "import sys; from xent import cli; from xent.commands import check\n"
        "cli.COMMANDS = tuple(dict.fromkeys((*cli.COMMANDS, check)))\n"
        "sys.exit(cli.main(['check', '-', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=inverted.read_bytes(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert json.loads(done.stdout)["rows"] == 100


def test_help(capsys):
    with pytest.raises(SystemExit):
        run(capsys, "--help")
    assert "exit status: 0 nothing serious, 1 something serious" in capsys.readouterr().out
