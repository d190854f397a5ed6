"""Names that data brings, in what every command prints: as they are, and with no control character in them."""

import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xent import cli

MARKUP = ["[INST]", "[/INST]", "[red]", ":cat:"]
CONTROL = ["\x1b[31mred", "two\nlines", "bell\x07", "right\u202eleft"]
GIVEN = "--names", "{0}", "{1}", "{2}", "{3}"
TOKENS = "{tokens}", "--log-probability", "logprob", "--text", "token", "--cluster", "document"
COMMANDS = {
    "score": ("score", "{a}", "--group", "group"),
    "score, files": ("score", "{a}", "{b}", "--fail-above", "0.1", "--top", "20"),
    "score, old": ("score", "{a}", "--baseline-report", "{b}", "--on", "id", "--fail-if-worse"),
    "score, tokens": ("score", *TOKENS),
    "score, refused": ("score", "{a}", "--label", "id"),
    "compare": ("compare", "{a}", "{b}", "--group", "group", "--fail-if-worse"),
    "compare, several": ("compare", "{a}", "{b}", "{c}"),
    "compare, tokens": ("compare", "{tokens}", *TOKENS, "--names", "{0},{1}"),
    "check": ("check", "{a}"),
    "check, classes": ("check", "{a}", "--classes", "{0},{1},{2},none"),
    "check, several labels": ("check", "{a}", "--task", "multilabel", "--label", "y_*"),
    "explain, logits": ("explain", "--logits", "1", "2", "3", "4", "--label", "0", *GIVEN),
    "explain, a row": ("explain", "{a}", "--row", "3"),
    "explain, two": ("explain", "--p", ".1", ".2", ".3", ".4", "--q", ".4", ".3", ".2", ".1", *GIVEN),
    "explain, labels": ("explain", "--multilabel", "1,0,0,1", ".9,.2,.3,.4", *GIVEN),
}
each_command = pytest.mark.parametrize("command", COMMANDS)
each_language = pytest.mark.parametrize("lang", ["en", "zh"])


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")


def written(folder, names):
    """Files of which the classes, groups, documents, and the files themselves, have those names."""
    files = {}
    for seed, one in enumerate("abc"):
        random = np.random.default_rng(seed)
        p, labels = random.dirichlet(np.ones(4), 400), np.random.default_rng(9).integers(0, 4, 400)
        named = [names[y] for y in labels]
        columns = {"id": range(400), "label": named, "group": named}
        columns |= {f"p_{name}": p[:, i] for i, name in enumerate(names)}
        files[one] = folder / f"{one}{names[0].replace('/', '')}.parquet"
        pq.write_table(pa.table(columns), files[one])
    documents = [names[i % 4] for i in range(400)]
    logs = -np.random.default_rng(0).exponential(size=400)
    files["tokens"] = folder / f"t{names[0]}.parquet"
    pq.write_table(pa.table({"logprob": logs, "document": documents, "token": documents}), files["tokens"])
    return files


def printed(command, names, folder, lang, capsys):
    files = written(folder, names)
    status = cli.main([part.format(*names, **files) for part in (*COMMANDS[command], "--lang", lang)])
    out, err = capsys.readouterr()
    assert status in (0, 1) if "refused" not in command else status == 2, err
    return out + err


@each_language
@each_command
def test_names_are_shown_as_they_are(command, lang, tmp_path, capsys):
    text = printed(command, MARKUP, tmp_path, lang, capsys)
    assert [name for name in MARKUP if name in text]
    if command.startswith("explain") or command == "score":
        assert [name for name in MARKUP if name not in text] == []


@each_language
@each_command
def test_no_control_character_reaches_the_terminal(command, lang, tmp_path, capsys):
    text = printed(command, CONTROL, tmp_path, lang, capsys)
    assert {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")} == {"\n"}
    assert "two\nlines" not in text
    assert "\\x1b[31mred" in text
