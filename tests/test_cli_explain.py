"""The commands `xent explain` and `xent compare-conventions`: what they print, in which language, and what they refuse."""

import json
import math
import os

import pytest

import xent
from xent import cli
from xent.commands import conventions


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


def run(capsys, *arguments):
    status = cli.main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


LOGITS = ("--logits", "4.334", "2.90", "0.01", "--label")


def test_logits(capsys):
    names = ["basketball", "tennis", "football"]
    status, out, err = run(capsys, "explain", *LOGITS, 0, "--names", *names)
    assert (status, err) == (0, "")
    assert out == str(xent.explain(logits=[4.334, 2.9, 0.01], label=0, names=names)) + "\n"
    assert run(capsys, "explain", *LOGITS, "basketball", "--names", *names)[1] == out
    assert run(capsys, "explain", "--logits=4.334,2.90,0.01", "--label", 0, "--names", *names)[1] == out


def test_every_kind(capsys):
    cases = {
        ("--p", ".1", ".4", ".5", "--q", ".8", ".15", ".05", "--unit", "bits"): {
            "p": [0.1, 0.4, 0.5], "q": [0.8, 0.15, 0.05], "unit": "bits"},
        ("--p", "0.7,0.2,0.1"): {"p": [0.7, 0.2, 0.1]},
        ("--q", "0.7", "0.2", "0.1", "--label", "1"): {"q": [0.7, 0.2, 0.1], "label": 1},
        ("--binary", "1", "0.8"): {"binary": (1, 0.8)},
        ("--multilabel", "0,1,1", "0.1,0.7,0.8", "--names", "a", "b", "c"): {
            "multilabel": ([0, 1, 1], [0.1, 0.7, 0.8]), "names": ["a", "b", "c"]},
        ("--gaussian", "3.0,1.5", "2.5,2.0", "--std", "2"): {"gaussian": ([3.0, 1.5], [2.5, 2.0]), "std": 2.0},
    }  # fmt: skip
    for arguments, options in cases.items():
        assert run(capsys, "explain", *arguments) == (0, str(xent.explain(**options)) + "\n", "")


def test_json(capsys):
    _, out, _ = run(capsys, "explain", *LOGITS, 0, "--json")
    assert json.loads(out)["loss"] == pytest.approx(0.22442304340833774, rel=1e-15)


def test_a_row_of_a_file(capsys, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("truth,p\nno,0.25\nyes,0.9\n")
    status, out, _ = run(capsys, "explain", path, "--row", 1, "--label", "truth", "--classes", "no,yes")
    assert status == 0
    assert out.startswith("binary cross-entropy (log loss) of a row: 0.1054 nats")
    assert f"read: row 1 of {path}, rows counted from 0" in out.replace("\n", " ").replace("  ", " ")


@pytest.mark.parametrize(
    ("environment", "lang", "chinese"),
    [
        ({}, [], False),
        ({"LANG": "zh_CN.UTF-8"}, [], True),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, [], False),
        ({"LANG": "zh_CN.UTF-8"}, ["--lang", "en"], False),
        ({}, ["--lang", "zh"], True),
    ],
)
def test_the_language(capsys, monkeypatch, environment, lang, chinese):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    expected = str(xent.explain(binary=(1, 0.8), lang="zh" if chinese else "en")) + "\n"
    assert run(capsys, "explain", "--binary", 1, 0.8, *lang)[1] == expected
    assert ("交叉熵" in expected) == chinese
    _, out, _ = run(capsys, "compare-conventions", "--labels", 1, "--predictions", 0.8, "--by-formula", *lang)
    assert ("交叉熵" in out) == chinese


REFUSED = [
    ((), "OptionError: nothing to explain: pass logits="),
    ((*LOGITS, "3"), "OptionError: label is '3', but must be a whole number in [0, 3)"),
    ((*LOGITS, "-1"), "OptionError: label is '-1', but must be"),
    ((*LOGITS, "tennis"), "OptionError: label is 'tennis'"),
    (("--logits", "1", "2"), "OptionError: label is missing, but must be"),
    (("--logits", "1", "--label", "0"), "ShapeError: logits has 1 number"),
    (("--logits", "1", "nan", "--label", "0"), "ProbabilityError: logits[1] is nan, but must be -inf or within ±1e+100. Put a number in its place"),
    ((*LOGITS, "0", "--names", "a", "b"), "ShapeError: names has 2 entries, but there are 3 numbers"),
    (("--p", "0.5", "0.5", "--q", "1"), "ShapeError: p has 2 outcomes and q has 1"),
    (("--p", "0.5", "0.6"), "ProbabilityError: p sums to 1.1, not 1"),
    (("--p", "1", "0", "--q", "0.5", "0.6"), "ProbabilityError: q sums to 1.1, not 1"),
    (("--p", "0.5", "0.5", "--logits", "1", "2"), "OptionError: logits and p are given together"),
    (("--p", "0.5", "0.5", "--binary", "1", "1"), "OptionError: p and binary are given together"),
    (("--p", "0.5", "0.5", "--row", "1"), "OptionError: row has no meaning for p, which goes with names, q"),
    (("--q", "0.5", "0.6", "--label", "0"), "ProbabilityError: q sums to 1.1, not 1"),
    (("--binary", "1", "1.5"), "ProbabilityError: probabilities[0] is 1.5, but must be in [0, 1]. If it is a logit z"),
    (("--binary", "1", "nan"), "ProbabilityError: probabilities[0] is nan, but must be in [0, 1]. Put a number"),
    (("--binary", "", ""), "ShapeError: labels is empty, but must be a list of numbers"),
    (("--p", "nan", "1"), "ProbabilityError: p[0] is nan, but must be a probability, in [0, 1]. Put a number"),
    (("--p", "1", "-3"), "ProbabilityError: p[1] is -3, but must be a probability, in [0, 1]. If these are logits"),
    (("--q", "1", "2", "--label", "0"), "ProbabilityError: q[1] is 2, but must be a probability"),
    (("--gaussian", "nan", "1"), "ProbabilityError: values[0] is nan, but must be finite."),
    (("--logits=-inf", "1", "--label", "1"), "OptionError: '1' is taken for a FILE, beside --logits, but one thing is explained at a time. The numbers of --logits follow it (--logits -1 2), or are joined by commas (--logits=-1,2)."),
    (("--gaussian", "1,2", "1,-inf"), "ProbabilityError: predictions[1] is -inf, but must be finite."),
    (("--logits", "-1e308", "1", "--label", "0"), "ProbabilityError: logits[0] is -1e+308, but must be -inf or within"),
    (("--logits", "-inf", "-inf", "--label", "0"), "ProbabilityError: logits are all -inf"),
    ((*LOGITS, "a", "--names", "a", "a", "b"), "OptionError: label is 'a', the name of classes 0 and 1"),
    ((*LOGITS, "x", "--names", "a", "\x1b[31mb\nc", ""), "OptionError: label is 'x', but must be a whole number in [0, 3), or "
     "one of a, \\x1b[31mb\\nc, ''."),
    (("--binary", "2", "0.5"), "LabelError: labels[0] is 2, but labels must be in [0, 1]"),
    (("--binary", "1,0", "0.5"), "ShapeError: there are 2 labels and 1 probabilities"),
    (("--gaussian", "1,2", "1"), "ShapeError: there are 2 values and 1 predictions"),
    (("--gaussian", "1", "1", "--std", "0"), "ProbabilityError: std is 0, but standard deviations must be"),
    (("--gaussian", "inf", "1"), "ProbabilityError: "),
    (("a.csv",), "OptionError: which row of the file? Pass --row N"),
    (("a.csv", "--row", "0", "--logits", "1", "2"), "OptionError: 'a.csv' is taken for a FILE, beside --logits, but one thing"),
    (("a.csv", "--row", "0"), "SourceError: "),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_is_refused(capsys, arguments, message):
    status, out, err = run(capsys, "explain", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"xent: {message}")
    assert err.count("\n") == 1


def test_numbers_may_be_negative_and_infinite(capsys):
    _, out, err = run(capsys, "explain", "--logits", "-1e2", "-inf", "-.5", "--label", 2)
    assert (out, err) == (str(xent.explain(logits=[-100.0, -math.inf, -0.5], label=2)) + "\n", "")
    assert run(capsys, "explain", "--logits", "-100,-inf,-0.5", "--label", 2)[1] == out
    assert run(capsys, "explain", "--gaussian", "-1,2", "-INF,1")[0] == 2
    with pytest.raises(SystemExit):
        cli.main(["explain", "--logits", "1", "-x"])


def test_names_cannot_drive_the_terminal_and_numbers_say_what_they_name(capsys):
    _, out, _ = run(capsys, "explain", "--logits", 1, 2, 3, "--names", "a\x1b[31m\nb", "", "7", "--label", "7")
    assert "\x1b" not in out
    assert "as class 7 was given probability 0.6652" in out
    assert "\n   a\\x1b[31m\\nb" in out
    assert "as '' was given" in run(capsys, "explain", "--logits", 1, 2, "--names", "a", "", "--label", 1)[1]


def test_a_step_that_is_recommended_can_be_taken(capsys):
    _, _, err = run(capsys, "compare-conventions", "--labels", 1, 0, "--predictions", 0.4, "-1.5", "--by-formula")
    assert err == ('xent: ProbabilityError: predictions[1] is -1.5, but must be a probability, in [0, 1]. '
                   'Pass kind="logits" (--kind logits) if these are logits.\n')  # fmt: skip
    arguments = ("--labels", 1, 0, "--predictions", 0.4, "-1.5", "--by-formula", "--kind", "logits")
    assert run(capsys, "compare-conventions", *arguments)[0] == 0
    _, _, err = run(capsys, "explain", "--binary", 1, 1.8)
    assert "--logits 0 z --label y" in err
    title = run(capsys, "explain", "--logits", 0, 1.8, "--label", 1)[1].splitlines()[0]
    assert f"{math.log1p(math.exp(-1.8)):.4f} nats" in title


def test_conventions(capsys):
    arguments = ("--labels", 1, 2, "--predictions", "0.05,0.95,0.05", "0.1,0.8,0.1")
    status, out, err = run(capsys, "compare-conventions", *arguments, "--by-formula")
    assert (status, err) == (0, "")
    found = xent.compare_conventions([1, 2], [[0.05, 0.95, 0.05], [0.1, 0.8, 0.1]], libraries=False)
    assert out == str(found) + "\n"
    one_hot = ("--labels", "0,1,0", "0,0,1", *arguments[3:])
    assert run(capsys, "compare-conventions", *one_hot, "--by-formula")[1] == out
    status, out, err = run(capsys, "compare-conventions", *arguments, "--json")
    assert json.loads(out)["steps"][0]["values"]["xent"] is None  # refused
    status, out, err = run(capsys, "compare-conventions", "--labels", 1, "--predictions", "-0.1", "--by-formula")
    assert (status, out) == (2, "")
    assert err.startswith("xent: ProbabilityError: ")


def test_the_command_says_what_keras_runs_on_where_nothing_does(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND")
    conventions._choose_what_keras_runs_on()
    assert os.environ["KERAS_BACKEND"] == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    conventions._choose_what_keras_runs_on()
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_no_number_is_an_error_of_usage(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["explain", "--p", "half", "0.5"])
    assert stopped.value.code == 2
    assert "'half' is no number" in capsys.readouterr().err


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_lines_fit_the_terminal(capsys, monkeypatch, width, lang):
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = run(capsys, "explain", *LOGITS, 0, "--lang", lang)
    assert max(map(cell_len, out.splitlines())) <= min(width, 120)
    _, narrow, _ = run(capsys, "explain", "--p", "0.5,0.5", "--q", "0.9,0.1", "--lang", lang)
    assert max(map(cell_len, narrow.splitlines())) <= width
    assert not any(line.strip()[:1] in set("，。：；？！、）”") for line in (out + narrow).splitlines() if line.strip())


def test_infinity_is_said(capsys):
    status, out, _ = run(capsys, "explain", "--p", "0.5,0.5", "--q", "1,0")
    assert status == 0
    assert "H(P, Q) = ∞ nats" in out
    assert math.isinf(xent.explain(p=[0.5, 0.5], q=[1, 0]).loss)
