"""The command: what it prints, what it writes, and its exit status."""

import gzip
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import xent
from xent import cli
from xent.commands.options import refuse_to_overwrite
from xent.errors import SourceError, StateError

DATA = Path(__file__).parents[1] / "examples" / "data"
TEN = "label,p\n" + "".join(
    f"{y},{p}\n" for y, p in zip([1] * 5 + [0] * 5, [0.8, 0.9, 0.9, 0.6, 0.8, 0.1, 0.4, 0.2, 0.1, 0.3], strict=True)
)
LOSS = 0.24691989080446483


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def ten(tmp_path):
    path = tmp_path / "ten.csv"
    path.write_text(TEN)
    return path


def run(capsys, *arguments):
    status = cli.main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


def test_the_text_says_what_the_numbers_mean(capsys, ten):
    status, out, err = run(capsys, "score", ten)
    assert (status, err) == (0, "")
    for part in (
        "0.247 nats  (95% interval 0.132 – 0.435 by bootstrap-t, n = 10)",
        "0.356 bits; typical probability of the truth 0.781",
        "0.693 nats  always predicting the class frequencies",
        "skill 64 % (37 to 81)",
        "better than always predicting the class frequencies: 64 % of its loss is gone (37 to 81)",
        "class 0 0.260   class 1 0.234",
        "the worst 10 % of rows carry 21 % of the loss",
        "row 3  label 1  probability given to it 0.600  0.511 nats",
        "no NaN, rows sum to 1, labels match the classes, no infinite loss",
        "label column 'label' (guessed)",
    ):
        assert part in out


def test_json_has_the_attributes_in_full_precision(capsys, ten):
    status, out, _ = run(capsys, "score", ten, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["loss"] == pytest.approx(LOSS, rel=1e-15)
    assert set(found) == set(xent.Report.__dataclass_fields__)
    assert found["by_class"][1]["label"] == 1


def test_infinity_in_json_is_a_string(capsys, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,p\n1,0\n0,0.5\n")
    status, out, _ = run(capsys, "score", path, "--json")
    assert status == 0
    assert json.loads(out)["loss"] == "inf"


FORMATS = ["csv", "csv.gz", "parquet", "feather", "arrow", "jsonl", "npz"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_numbers(capsys, tmp_path, ten, name):
    frame, path = pl.read_csv(ten), tmp_path / f"x.{name}"
    match name:
        case "csv":
            path.write_text(TEN)
        case "csv.gz":
            path.write_bytes(gzip.compress(TEN.encode()))
        case "parquet":
            frame.write_parquet(path)
        case "feather" | "arrow":
            frame.write_ipc(path)
        case "jsonl":
            frame.write_ndjson(path)
        case "npz":
            np.savez(path, label=frame["label"].to_numpy(), p=frame["p"].to_numpy())
    status, out, _ = run(capsys, "score", path, "--json")
    assert status == 0
    assert json.loads(out)["loss"] == xent.evaluate([1] * 5 + [0] * 5, frame["p"]).loss


def test_several_files_and_patterns_are_one_data_set(capsys, tmp_path):
    lines = TEN.splitlines()
    for part, rows in enumerate((lines[1:4], lines[4:])):
        (tmp_path / f"part-{part}.csv").write_text("\n".join([lines[0], *rows]) + "\n")
    for files in (["part-*.csv"], ["part-0.csv", "part-1.csv"]):
        _, out, _ = run(capsys, "score", *(tmp_path / name for name in files), "--json")
        report = json.loads(out)
        assert report["loss"] == pytest.approx(LOSS, rel=1e-15)
        assert [Path(row["source"]).name for row in report["worst"][:2]] == ["part-1.csv", "part-1.csv"]
        assert sorted(row["index"] for row in report["worst"][:2]) == [0, 3]


def test_standard_input(ten):
    command = [sys.executable, "-m", "xent.cli", "score", "-", "--json"]
    done = subprocess.run(command, input=ten.read_bytes(), capture_output=True, check=True)
    assert json.loads(done.stdout)["loss"] == pytest.approx(LOSS, rel=1e-15)
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        (["--fail-above", "0.3"], 0, ""),
        (["--fail-above", "0.2"], 1, "xent: the loss is 0.24692 nats, above 0.2\n"),
        (["--fail-above", "0.3", "--unit", "bits"], 1, "xent: the loss is 0.35623 bits, above 0.3\n"),
        (["--fail-below-skill", "0.6"], 0, ""),
        (["--fail-below-skill", "0.7"], 1, "xent: the skill is 0.64377, below 0.7\n"),
    ],
)
def test_thresholds(capsys, ten, flags, status, message):
    found, _, err = run(capsys, "score", ten, *flags)
    assert (found, err) == (status, message)


def test_undefined_skill_is_below_every_threshold(capsys, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("label,p\n1,0.9\n1,0.8\n")
    status, _, err = run(capsys, "score", path, "--fail-below-skill", "0")
    assert (status, err) == (1, "xent: the skill is undefined, because only one class is present\n")


REFUSED = {
    "row sum": ("label,p_0,p_1\n0,0.5,0.5\n1,0.5,0.6\n", [], r"row 1 of .*a\.csv \(rows counted from 0\) sums to 1\.1"),
    "above one": ("label,p\n0,0.5\n1,1.5\n", [], r"row 1 of .*a\.csv.* is 1\.5, but probabilities must be in \[0, 1\]"),
    "label": ("label,p_a,p_b\na,0.5,0.5\nc,0.5,0.5\n", [], r"labels row 1 of .*a\.csv.* is 'c'.*'a', 'b'"),
    "missing": ("label,p\n0,0.5\n,0.5\n", [], r"a\.csv.*row 1.*'label'.*missing"),
    "text": ("label,p\n0,0.5\n1,high\n", [], r"a\.csv.*row 1.*'high'"),
    "no label": ("a,p\n0,0.5\n", [], r"label column is missing.*columns found: 'a', 'p'.*--label"),
    "no column": ("label,p\n0,0.5\n", ["--prediction", "q"], r"no column is named 'q'.*'p'.*--prediction"),
    "empty": ("", [], "a.csv"),
    "only a header": ("label,p\n", [], "no rows"),
    "clip": ("label,p\n0,0.5\n1,0.5\n", ["--clip", "0.9"], "clip is 0.9"),
    "weight": ("label,p,w\n0,0.5,1\n1,0.5,-1\n", ["--weight", "w"], r"sample_weight row 1 of .*a\.csv.* is -1"),
    "page": ("label,p\n0,0.5\n1,0.5\n", ["--html", "/nowhere/x.html"], "/nowhere"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_input_is_one_line_and_status_2(capsys, tmp_path, name):
    text, flags, message = REFUSED[name]
    path = tmp_path / "a.csv"
    path.write_text(text)
    status, out, err = run(capsys, "score", path, *flags)
    assert status == 2
    assert out == ""
    assert err.startswith("xent: ")
    assert err.count("\n") == 1
    assert re.search(message, err), err


def test_a_bad_row_far_into_a_file_is_named(capsys, tmp_path):
    labels, p = np.zeros(60_000, int), np.full((60_000, 2), 0.5)
    p[54_321] = [0.5, 0.7]
    path = tmp_path / "late.npz"
    np.savez(path, label=labels, probability=p)
    status, _, err = run(capsys, "score", path)
    assert status == 2
    assert "row 54321 of" in err


def test_several_labels_from_columns(capsys, tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("y_cat,y_dog,p_dog,p_cat\n1,0,0.2,0.9\n1,1,0.7,0.6\n0,0,0.1,0.5\n")
    _, out, _ = run(capsys, "score", path, "--label", "y_*", "--json")
    report = json.loads(out)
    assert report["task"] == "multilabel"
    truth = -sum(map(math.log, (0.9, 0.8, 0.6, 0.7, 0.5, 0.9))) / 3
    assert report["loss"] == pytest.approx(truth, rel=1e-14)
    assert "columns of labels and predictions matched by name; the task is multilabel" in report["notes"]


def test_classes_weights_and_units(capsys, tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("y,score,w\n2,0.9,1\n1,0.2,3\n")
    _, out, _ = run(capsys, "score", path, "--classes", "1,2", "--weight", "w", "--unit", "bits", "--json")
    truth = -(math.log2(0.9) + 3 * math.log2(0.8)) / 4
    assert json.loads(out)["loss"] == pytest.approx(truth, rel=1e-14)


@pytest.mark.parametrize(("classes", "place"), [("", 1), ("a,,b", 2), ("a,b, ", 3)])
def test_a_class_without_a_name_is_refused(capsys, tmp_path, classes, place):
    path = tmp_path / "w.csv"
    path.write_text("y,p_a,p_b\na,0.9,0.1\nb,0.2,0.8\n")
    for command in (["score", path], ["check", path]):
        code, _, err = run(capsys, *command, "--classes", classes)
        assert code == 2
        assert f"--classes is {classes!r}, in which entry {place} is empty." in err


def test_top_rows(capsys, ten):
    _, out, _ = run(capsys, "score", ten, "--top", "2", "--json")
    assert len(json.loads(out)["worst"]) == 2
    _, out, _ = run(capsys, "score", ten, "--top", "0")
    assert "worst  " not in out.replace("worst 10", "")


def test_page_and_text_together(capsys, ten, tmp_path):
    status, out, _ = run(capsys, "score", ten, "--html", tmp_path / "page.html")
    assert status == 0
    assert "cross-entropy" in out
    assert "0.247" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [[], ["score"], ["score", "x", "--kind", "odds"], ["guess"]])
def test_wrong_arguments_are_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert "usage: xent" in capsys.readouterr().err


def test_help_and_version(capsys):
    for arguments, text in ((["--version"], xent.__version__), (["score", "--help"], "xent score predictions.csv")):
        with pytest.raises(SystemExit) as stopped:
            cli.main(arguments)
        assert stopped.value.code == 0
        assert text in capsys.readouterr().out


def test_the_three_models_of_make_score(capsys):
    for path in sorted(DATA.glob("*.parquet")):
        status, out, _ = run(capsys, "score", path, "--json")
        assert status == 0
        report = json.loads(out)
        assert report["rows"] == 899
        assert report["classes"] == list(range(10))


def test_the_committed_predictions_are_those_of_the_example(tmp_path):
    command = [sys.executable, str(DATA.parent / "digits.py")]
    before = {path: path.read_bytes() for path in DATA.iterdir()}
    assert "--output" in subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    paths = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
    assert {path: path.read_bytes() for path in DATA.iterdir()} == before
    assert sorted(Path(path).name for path in paths) == sorted(path.name for path in DATA.glob("digits_*.parquet"))
    for path in paths:
        again, committed = xent.scan(tmp_path / path), xent.scan(DATA / Path(path).name)
        assert again.loss == pytest.approx(committed.loss, rel=0.05)
        assert again.accuracy == pytest.approx(committed.accuracy, abs=0.01)


def pipe(command):
    return subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)


XENT = f"{sys.executable} -m xent.cli score"


def test_a_reader_that_stops_early_is_no_failure():
    done = pipe(f"{XENT} {DATA}/digits_naive_bayes.parquet --top 2000 | head -1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("cross-entropy")


def test_a_reader_that_stops_early_takes_neither_the_page_nor_the_threshold_along(ten, tmp_path):
    page = tmp_path / "page.html"
    done = pipe(f"{XENT} {ten} --json --html {page} --fail-above 0.2 | true")
    assert (done.returncode, done.stderr) == (1, "xent: the loss is 0.24692 nats, above 0.2\n")
    assert "0.247" in page.read_text(encoding="utf-8")


def test_a_full_disk_and_a_poor_terminal(ten):
    assert pipe(f"{XENT} {ten} > /dev/full").stderr == "xent: [Errno 28] No space left on device\n"
    assert pipe(f"PYTHONIOENCODING=ascii {XENT} {ten} --json").returncode == 0
    assert "0.247 nats" in pipe(f"PYTHONIOENCODING=ascii {XENT} {ten}").stdout


def test_named_pipes_are_read_once(ten):
    assert "n = 10" in pipe(f"{XENT} <(cat {ten})").stdout


def test_the_page_never_overwrites_the_predictions(capsys, ten):
    status, out, err = run(capsys, "score", ten, "--html", ten)
    assert (status, out) == (2, "")
    assert "would overwrite one of the files to read" in err
    assert ten.read_text() == TEN


@pytest.mark.parametrize("output", ["--html", "--state"])
@pytest.mark.parametrize("named", ["{folder}", "{folder}/t*.csv", "file://{folder}/ten.csv", "no.csv {folder}/t?n*"])
def test_no_output_takes_the_place_of_a_file_to_read(capsys, ten, named, output):
    files = named.format(folder=ten.parent).split()
    status, _, err = run(capsys, "score", *files, output, ten)
    assert (status, "would overwrite one of the files to read" in err) == (2, True)
    other = ten.with_name("other.csv")
    other.write_text(TEN)
    status, _, err = run(capsys, "score", ten, "--baseline-report", other, output, other)
    assert (status, "would overwrite one of the files to read" in err) == (2, True)
    other.unlink()
    with pytest.raises(StateError, match="is one of the files to read"):
        xent.scan(str(ten.parent / "*.csv"), state=ten)
    assert ten.read_text() == TEN


def test_outputs_are_different_files_of_this_machine(capsys, ten):
    same = ten.with_name("same")
    status, _, err = run(capsys, "score", ten, "--state", same, "--html", f"{ten.parent}/../{ten.parent.name}/same")
    assert (status, "is the file of --html too" in err, same.exists()) == (2, True, False)
    secret = "s3://KEY:PASSWORD@bucket/run.state?token=TOKEN"
    for flag in ("--state", "--html"):
        _, out, err = run(capsys, "score", ten, flag, secret)
        message = f"{flag} s3://bucket/run.state is no file of this machine. Write one, and copy it there."
        assert (out, err) == ("", f"xent: OptionError: {message}\n")
    with pytest.raises(SourceError, match=r"^s3://bucket/run\.state cannot be written"):
        xent.scan(ten, state=secret)


@pytest.mark.parametrize("flag", ["--html", "--state"])
def test_an_output_is_a_file(capsys, ten, flag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, "score", ten, flag, "-")
    assert (status, out) == (2, "")
    assert f"{flag} - names no file" in err
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize("flag", ["--text", "--bytes", "--tokens"])
@pytest.mark.parametrize("command", ["score", "compare"])
def test_columns_of_tokens_are_refused_beside_classes(capsys, ten, command, flag):
    status, out, err = run(capsys, command, ten, *([ten] if command == "compare" else []), flag, "label")
    assert (status, out) == (2, "")
    assert f"{flag} is about tokens" in err


@pytest.mark.parametrize(
    "flags", [["--state", "s.state"], ["--state", "s.state", "--resume"], ["--on-bad-file", "skip"]]
)
def test_options_for_many_files_are_refused_beside_tokens(capsys, tmp_path, monkeypatch, flags):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("logprob\n-0.5\n-1.5\n")
    status, out, err = run(capsys, "score", "t.csv", "--log-probability", "logprob", *flags)
    assert (status, out) == (2, "")
    assert f"{flags[0]} has no meaning for log-probabilities of tokens" in err
    assert not (tmp_path / "s.state").exists()


def test_files_may_stand_between_options_and_behind_them(capsys, ten, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text(TEN)
    expected = run(capsys, "score", ten, other, "--label", "label", "--unit", "bits")
    assert expected[0] == 0
    assert run(capsys, "score", ten, "--label", "label", other, "--unit", "bits") == expected
    assert run(capsys, "score", "--label", "label", ten, "--unit", "bits", other) == expected
    assert run(capsys, "compare", ten, "--names", "a,b", other)[0] == 0
    for unknown in (["--lable", "label"], ["--label", "label", other, "--lable"]):
        with pytest.raises(SystemExit) as stopped:
            run(capsys, "score", ten, *unknown)
        assert stopped.value.code == 2
        assert "unrecognized arguments: " in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--fail-above", "nan"], ["--fail-below-skill", "50"]])
def test_thresholds_that_mean_nothing_are_refused(capsys, ten, flags):
    with pytest.raises(SystemExit) as stopped:
        run(capsys, "score", ten, *flags)
    assert stopped.value.code == 2


@pytest.mark.parametrize("flag", ["--label", "--weight", "--prediction"])
def test_an_empty_name_is_no_column(capsys, ten, flag):
    assert run(capsys, "score", ten, flag, "")[0] == 2


def test_text_is_not_padded_and_fits_a_narrow_terminal(capsys, ten, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    _, out, _ = run(capsys, "score", ten)
    assert all(line == line.rstrip() and len(line) <= 70 for line in out.splitlines())


def interrupted_while_loading(module, before=""):
    code = (
        "import importlib.abc, os, signal, sys\n"
        "class Interrupted(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == '{module}':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        f"sys.meta_path.insert(0, Interrupted())\n{before}\n"
        "from xent.cli import main\n"
        "print('loaded')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("module", ["numpy", "numpy.linalg", "xent.commands.score"])
def test_an_interruption_while_the_command_loads(module):
    assert interrupted_while_loading(module) == (130, "", "xent: interrupted\n")


def test_an_interruption_that_is_to_be_ignored_is_while_the_command_loads():
    ignored = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    assert interrupted_while_loading("xent.commands.score", ignored) == (0, "loaded\n", "")


def test_an_output_that_cannot_be_written_is_refused_before_any_work(capsys, ten, tmp_path, monkeypatch):
    monkeypatch.setattr(xent, "scan", None)
    for flag in ("--html", "--state"):
        code, out, err = run(capsys, "score", ten, flag, str(tmp_path))
        assert (code, out) == (2, "")
        assert err.startswith(f"xent: OptionError: {flag} {tmp_path} cannot be written: Is a directory.")
    if Path("/proc/self").exists():
        code, out, err = run(capsys, "score", ten, "--html", "/proc/x.html")
        assert (code, out, "--html /proc/x.html cannot be written" in err) == (2, "", True)


def test_trying_an_output_leaves_all_as_it_was(ten, tmp_path):
    there, new = tmp_path / "old.html", tmp_path / "new.html"
    there.write_text("old")
    for path in (there, new):
        refuse_to_overwrite([str(ten)], {"--html": str(path)})
    assert (there.read_text(), new.exists(), list(tmp_path.glob("*.partial"))) == ("old", False, [])


def test_a_page_that_fails_at_the_end_does_not_take_the_answer_along(capsys, ten, tmp_path, monkeypatch):
    page = tmp_path / "page.html"
    real = xent.scan

    def in_the_way(*arguments, **options):
        page.mkdir()
        return real(*arguments, **options)

    monkeypatch.setattr(xent, "scan", in_the_way)
    code, out, err = run(capsys, "score", ten, "--html", str(page), "--fail-above", "0.2")
    assert (code, out.startswith("cross-entropy")) == (2, True)
    assert err.splitlines() == [
        f"xent: SourceError: the page cannot be written to '{page}': Is a directory. Name another file.",
        "xent: the loss is 0.24692 nats, above 0.2",
    ]


def test_a_state_that_cannot_be_written_at_the_end_does_not_take_the_answer_along(capsys, ten, tmp_path, monkeypatch):
    folder, page = tmp_path / "states", tmp_path / "page.html"
    folder.mkdir()
    real = xent.scan

    def without_the_folder(*arguments, **options):
        folder.rmdir()
        return real(*arguments, **options)

    monkeypatch.setattr(xent, "scan", without_the_folder)
    code, out, err = run(capsys, "score", ten, "--state", folder / "x.state", "--html", page, "--json")
    assert (code, json.loads(out)["loss"]) == (2, pytest.approx(LOSS, rel=1e-15))
    assert err == (
        f"xent: UnsavedError: {folder}/x.state cannot be written: No such file or directory. "
        "Check the folder, its permissions, and the free space.\n"
    )
    assert "0.247" in page.read_text(encoding="utf-8")


def test_of_several_outputs_each_is_written_that_can_be(capsys, ten, tmp_path, monkeypatch):
    state, page = tmp_path / "one.state", tmp_path / "page.html"
    run(capsys, "score", ten, "--state", state)
    monkeypatch.setattr(xent.report.model.Report, "html", lambda *_: page.rmdir())  # fails: there is none
    code, out, err = run(capsys, "merge", state, "--html", page, "-o", tmp_path / "all.state")
    assert (code, out.startswith("cross-entropy"), err.count("\n")) == (2, True, 1)
    assert xent.read_state(tmp_path / "all.state") == xent.read_state(state)
