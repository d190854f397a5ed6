"""Commands in Chinese: asked for by --lang or by the environment; JSON and errors stay English."""

import io
import json
import os
import re
import subprocess
import sys

import pytest

from xent import cli
from xent.commands.progress import Progress

CHINESE = re.compile(r"[一-鿿]")
ROWS = "id,label,p_a,p_b\n" + "".join(
    f"{i},{'ab'[i % 2]},{0.8 - 0.5 * (i % 2) - 0.01 * (i % 7):.3f},{0.2 + 0.5 * (i % 2) + 0.01 * (i % 7):.3f}\n"
    for i in range(40)
)


pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text(ROWS)
    (tmp_path / "b.csv").write_text(ROWS.replace("0.8", "0.7").replace("0.200", "0.300"))
    (tmp_path / "t.csv").write_text("lp,doc,text\n-0.5,x,hello\n-1.5,x,world\n-0.25,y,again\n-inf,y,no\n")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["score", "a.csv", "--state", "a.state", "--json"]) == 0
    return tmp_path


COMMANDS = {
    "score": (["score", "a.csv"], "结论"),
    "score tokens": (["score", "t.csv", "--log-probability", "lp", "--text", "text", "--cluster", "doc"], "每字节"),
    "compare": (["compare", "a.csv", "b.csv", "--on", "id", "--normalize"], "结论"),
    "check": (["check", "a.csv"], "没有重复的行|按名称与列对应"),
    "merge": (["merge", "a.state"], "结论"),
    "explain": (["explain", "a.csv", "--row", "3"], "读取方式：标签列 'label'（推测）"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_speak_chinese_where_it_is_asked_for(name, capsys, monkeypatch):
    command, expected = COMMANDS[name]
    capsys.readouterr()
    cli.main(command)
    assert not CHINESE.search(capsys.readouterr().out)
    cli.main([*command, "--lang", "zh"])
    asked = capsys.readouterr().out
    assert re.search(expected, asked)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    cli.main(command)
    assert capsys.readouterr().out == asked
    cli.main([*command, "--lang", "en"])
    assert not CHINESE.search(capsys.readouterr().out)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"explain"}))
def test_json_does_not_depend_on_the_language(name, capsys):
    command, _ = COMMANDS[name]
    capsys.readouterr()
    cli.main([*command, "--json"])
    english = capsys.readouterr().out
    cli.main([*command, "--json", "--lang", "zh"])
    assert capsys.readouterr().out == english
    assert not CHINESE.search(english)
    json.loads(english)


def test_notes_of_a_row_of_a_file_are_in_chinese(capsys):
    cli.main(["explain", "a.csv", "--row", "3", "--lang", "zh"])
    out = capsys.readouterr().out
    for note in (
        "标签列 'label'（推测）",
        "预测取自 2 列 p_a … p_b（推测）",
        "预测是概率（依数值）",
        "标签按名称与列对应",
    ):
        assert note in out


def test_pages_open_in_the_language_of_the_command(folder):
    cli.main(["score", "a.csv", "--html", "en.html"])
    cli.main(["score", "a.csv", "--html", "zh.html", "--lang", "zh"])
    cli.main(["compare", "a.csv", "b.csv", "--on", "id", "--normalize", "--html", "both.html", "--lang", "zh"])
    assert '<html lang="en">' in (folder / "en.html").read_text(encoding="utf-8")
    for name in ("zh", "both"):
        assert '<html lang="zh-Hans">' in (folder / f"{name}.html").read_text(encoding="utf-8")


def test_thresholds_and_gates_are_said_in_chinese_and_errors_in_english(capsys):
    capsys.readouterr()
    assert cli.main(["score", "a.csv", "--fail-above", "0.01", "--lang", "zh"]) == 1
    assert re.search(r"xent: 损失是 [\d.]+ 奈特，高于 0.01", capsys.readouterr().err)
    gate = ["score", "b.csv", "--normalize", "--baseline-report", "a.csv", "--on", "id", "--lang", "zh"]
    assert cli.main(gate) == 0
    assert re.search(r"xent: .*按 'id' 配对，共 40 行", capsys.readouterr().err)
    assert cli.main(["score", "a.csv", "--label", "no", "--lang", "zh"]) == 2
    assert not CHINESE.search(capsys.readouterr().err)


def test_recalibrate_says_what_it_did_in_chinese(folder, capsys):
    (folder / "r.json").write_text("{}")
    capsys.readouterr()
    cli.main(["score", "a.csv", "--json"])
    (folder / "r.json").write_text(capsys.readouterr().out)
    assert cli.main(["recalibrate", "a.csv", "--with", "r.json", "-o", "out.csv", "--lang", "zh"]) == 0
    assert re.fullmatch(
        r"40 行(按温度 .* 修正，写入 out.csv|原样写入 out.csv：报告没有建议修正)\n", capsys.readouterr().out
    )


def test_where_chinese_cannot_be_shown_it_is_english_and_said():
    command = [sys.executable, "-m", "xent.cli", "explain", "--binary", "1", "0.8", "--lang", "zh"]
    shown = {}
    for encoding in ("ascii", "utf-8", "gbk"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        done = subprocess.run(command, capture_output=True, check=True, env=environment)
        shown[encoding] = done.stdout.decode(encoding), done.stderr.decode(encoding)
    out, err = shown["ascii"]
    assert out.startswith("binary cross-entropy (log loss) of a row: 0.2231 nats")
    assert err.startswith("xent: ascii cannot show the language asked for, so English is shown")
    for encoding in ("utf-8", "gbk"):
        assert (shown[encoding][0].startswith("一行的二元交叉熵"), shown[encoding][1]) == (True, "")


def test_explore_and_progress_speak_chinese(capsys, monkeypatch):
    assert cli.main(["explore", "-o", "p.html", "--no-open", "--lang", "zh"]) == 0
    assert capsys.readouterr().out == "演练场在 p.html\n"
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", shown)
    with Progress("zh") as progress:
        progress._started -= 2.0  # seconds of work
        for rows in (3_000_000, 1_000_000):
            progress(rows)
        progress._bar.refresh()
    assert re.search(r"已读 4,000,000 行 每秒 [12]\.\d 百万行", shown.getvalue())
    assert "片段" not in shown.getvalue()


def test_progress_shows_the_fragments_of_a_pass(monkeypatch):
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("COLUMNS", "200")
    with Progress("en") as progress:
        progress.fragments(1_199, 3_000)
        progress._started -= 2.0  # seconds of work
        progress(4_000_000)
        progress.fragments(1_200, 3_000)
        progress._bar.refresh()
        assert progress._bar.tasks[0].percentage == 40.0
        progress.fragments(3_000, 3_000)
        progress.fragments(1, 2)  # the next pass
        progress._bar.refresh()
    assert "4,000,000 rows read" in shown.getvalue()
    assert "1,200 of 3,000 fragments" in shown.getvalue()
    assert "1 of 2 fragments" in shown.getvalue()
