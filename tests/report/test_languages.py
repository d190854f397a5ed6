"""Reports and comparisons in Chinese: no English is left, the numbers are the same, and the JSON is in English."""

import importlib.util
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest

import xent
from xent.errors import OptionError
from xent.report import comparison_html, html
from xent.scoring.compare_tokens import compare_tokens
from xent.scoring.tokens import score_tokens
from xent.texts.catalogue import said

ROOT = Path(__file__).parents[2]


def cases(name):
    """What another test file makes pages of."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REPORTS, COMPARISONS = cases("test_html").REPORTS, cases("test_comparison_html").COMPARISONS
CHINESE = re.compile(r"[一-鿿]")
ENGLISH = re.compile(r"(?<![\w./<])[A-Za-z’']{2,}(?:[ ,;:]+[A-Za-z’']{2,}){2,}")  # three words in a row
NAMES = ("<script>alert(1)</script>", "a long name of a first model", "a long name of …", "a long name of a fi…")


class Seen(HTMLParser):
    """What is read on a page or heard from it: text and labels, but for names and code."""

    def __init__(self, text):
        super().__init__()
        self.found, self.hidden = [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("bdi", "code", "pre")
        self.found += [value for name, value in attrs if name in ("aria-label", "data-tip", "title")]

    def handle_endtag(self, tag):
        self.hidden -= tag in ("bdi", "code", "pre")

    def handle_data(self, data):
        if not self.hidden:
            self.found.append(data)


def part(page, lang):
    """The part of a page that is in one language."""
    found = re.search(rf'<div class="said \w+" id="{lang}".*?</main>', page, re.DOTALL)
    return found[0]


def english_in(text):
    for name in NAMES:
        text = text.replace(name, "")
    return [one[0] for one in ENGLISH.finditer(text)]


MADE = REPORTS | {f"comparison: {name}": make for name, make in COMPARISONS.items()}


@pytest.fixture(params=MADE, scope="module")
def made(request):
    report = MADE[request.param]()
    return report, (html if hasattr(report, "worst") else comparison_html).render(report)


def test_no_english_is_left_on_a_chinese_page(made):
    left = [words for text in Seen(part(made[1], "zh")).found for words in english_in(text)]
    assert not left
    assert not any(CHINESE.search(text) for text in Seen(part(made[1], "en")).found if text != "中文")


def test_percents_are_set_as_the_language_sets_them(made):
    english, chinese = (" | ".join(Seen(part(made[1], lang)).found) for lang in ("en", "zh"))
    assert not re.findall(r"\d%", english)
    assert not re.findall(r"\d\s+%", chinese)


def test_both_parts_of_a_page_have_the_same_numbers(made):
    keys = [re.findall(r'data-key="([^"]+)" data-value="([^"]+)"', part(made[1], lang)) for lang in ("en", "zh")]
    assert keys[0] == keys[1]
    assert len(keys[0]) > 5


def test_the_text_on_a_terminal_is_in_chinese_and_has_the_same_numbers(made):
    report = made[0]
    english, chinese = report.text("en"), report.text("zh")
    assert english == str(report)
    assert not CHINESE.search(english)
    assert not english_in(" ".join(chinese.split()))
    for text in (english, chinese):
        assert all(len(line) <= 125 for line in text.splitlines())
    digits = [sorted(set(re.findall(r"\d+\.\d{3}", text))) for text in (english, chinese)]
    assert digits[0] == digits[1]


def test_the_json_is_in_english_whatever_is_shown(made):
    report = made[0]
    before = report.json()
    report.text("zh")
    assert report.json() == before
    assert not CHINESE.search(before)
    data = json.loads(before)
    assert data["verdict"] == report.verdict
    assert CHINESE.search(said(report.verdict, "zh"))


TABLES = {
    "in order": {"id": range(40), "label": ["a", "b"] * 20, "p_a": [0.9, 0.2] * 20, "p_b": [0.1, 0.8] * 20},
    "inverted": {"label": [0, 1] * 20, "p": [0.9, 0.2, 0.8, 0.1] * 10},
    "permuted": {
        "label": list("abc") * 40,
        "p_a": [0.1, 0.8, 0.1] * 40,
        "p_b": [0.1, 0.1, 0.8] * 40,
        "p_c": [0.8, 0.1, 0.1] * 40,
    },
    "shifted": {
        "label": [1, 2, 3] * 40, **{f"p_{j}": [0.8 if i % 3 == j else 0.1 for i in range(120)] for j in range(3)}
    },
    "percents": {"label": ["a", "b"] * 20, "p_a": [90.0, 20.0] * 20, "p_b": [10.0, 80.0] * 20},
    "sums": {"label": ["a", "b"] * 20, "p_a": [0.7, 0.2] * 20, "p_b": [0.1, 0.6] * 20},
    "decisions": {"label": ["a", "b"] * 20, "p_a": [1.0, 0.0] * 19 + [0.0, 0.0], "p_b": [0.0, 1.0] * 19 + [1.0, 1.0]},
    "missing": {"label": ["a", None, "b", "N/A"] * 10, "p_a": [0.9, None, 0.2, 0.3] * 10, "p_b": [0.1, 0.8, 0.8, 0.7] * 10},
    "text": {"label": ["a", "b"] * 20, "p_a": ["0,9", "x"] * 20, "p_b": ["0.1", "0.5"] * 20},
    "twice": {"id": [1, 1, 2, 3] * 10, "label": ["a", "b"] * 20, "p_a": [0.91234, 0.212345, 0.3141, 0.2718] * 10,
              "p_b": [0.08766, 0.787655, 0.6859, 0.7282] * 10},
    "constant": {"label": ["a", "b"] * 20, "p_a": [0.5] * 40, "p_b": [0.5] * 40},
    "unknown": {"label": ["a", "B", "c"] * 20, "p_a": [0.9, 0.2, 0.1] * 20, "p_b": [0.1, 0.8, 0.9] * 20},
    "weights": {"label": ["a", "b"] * 4, "p_a": [0.9, 0.2] * 4, "p_b": [0.1, 0.8] * 4, "w": [-1.0, math.nan] * 4},
    "several": {"y_a": [0, 1, 2] * 10, "y_b": [1, 1, 0] * 10, "p_a": [0.1, 0.8, 0.5] * 10, "p_b": [0.7, 0.8, 0.2] * 10},
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_checkup_is_said_in_chinese(name):
    options = {"label": "y_*", "prediction": "p_*"} if name == "several" else {}
    options |= {"sample_weight": "w"} if name == "weights" else {}
    checkup = xent.check(pa.table({key: list(column) for key, column in TABLES[name].items()}), **options)
    english, chinese = str(checkup), checkup.text("zh")
    assert not CHINESE.search(english)
    assert not CHINESE.search(checkup.json())
    if "labels-and-columns" not in english:  # which repeats the words of an error
        assert not english_in(" ".join(chinese.split()).replace("--", " -- "))
    for one in checkup.findings:
        assert one.name in chinese or one.severity == "fine"
    assert checkup.findings


def test_costs_of_tokens_are_said_in_chinese(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("lp,doc,text\n-0.5,x,hello\n-1.5,x,world\n-0.25,y,again\n-inf,y,no\n-1,z,\n")
    names = {"log_probability": "lp", "text": "text", "document": "doc"}
    report = score_tokens(str(path), **names)
    (tmp_path / "u.csv").write_text("lp,doc,text\n-0.5,x,hello\n-1.25,x,world\n-0.5,y,again\n-1,y,no\n")
    (tmp_path / "v.csv").write_text("lp,doc,text\n-0.75,x,hello\n-1.5,x,world\n-0.25,y,again\n-2,y,no\n")
    compared = compare_tokens(str(tmp_path / "u.csv"), str(tmp_path / "v.csv"), **names)
    for one in (report, compared):
        assert not CHINESE.search(str(one))
        assert not CHINESE.search(one.json())
        assert not english_in(" ".join(one.text("zh").split()))
        assert CHINESE.search(one.text("zh"))


def test_warnings_of_a_report_are_said_in_chinese():
    report = xent.evaluate([0, 1, 1, 0], [1.0, 0.0, 0.9, 1.0], classes=[0, 1], clip=None)
    assert report.warnings[0].startswith("3 of 4 rows gave probability 0")
    assert "4 行中有 3 行给真实结果概率 0（第 0、1、3 行）" in report.text("zh").replace("\n", "").replace(" " * 15, "")


@pytest.mark.parametrize("show", ["text", "html"])
def test_an_unknown_language_is_refused(show, tmp_path):
    report = xent.evaluate([0, 1], [0.2, 0.7])
    with pytest.raises(OptionError, match="lang is 'fr'"):
        report.text("fr") if show == "text" else report.html(tmp_path / "a.html", "fr")
    assert not list(tmp_path.iterdir())


COLUMNS = {
    "no match": ({"label": [0, 1], "q": [0.1, 0.9]}, {"prediction": "p_*"}),
    "no column": ({"label": [0, 1], "p": [0.1, 0.9]}, {"prediction": "P2"}),
    "same name": ({"label": [0, 1], "P": [0.1, 0.9], "p": [0.1, 0.9]}, {"prediction": "p_", "label": "LABEL"}),
    "two labels": ({"label": [0, 1], "target": [0, 1], "p": [0.1, 0.9]}, {}),
    "label is a weight": ({"label": [0, 1], "p": [0.1, 0.9]}, {"sample_weight": "label"}),
    "no label": ({"p": [0.1, 0.9]}, {}),
    "several predictions": ({"label": [0, 1], "p_0": [0.1, 0.9], "p_1": [0.9, 0.1], "logit_0": [1.0, 2.0], "logit_1": [1.0, 2.0]}, {}),
    "no predictions": ({"label": [0, 1], **{f"a{i}": [1, 2] for i in range(40)}}, {}),
    "values for names": ({"label": [0, 1], "0.5": [1, 2], "0.25": [1, 2], "7": [1, 2]}, {}),
    "a list beside": ({"label": [0, 1], "p": [[0.1, 0.9], [0.2, 0.8]], "q": [0.1, 0.2]}, {"prediction": ["p", "q"]}),
    "used twice": ({"label": [0, 1], "p": [0.1, 0.9]}, {"prediction": ["p", "p"]}),
    "empty list": ({"label": [0, 1], "p": [0.1, 0.9]}, {"prediction": []}),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_that_cannot_be_chosen_are_said_in_chinese(name):
    table, options = pa.table(COLUMNS[name][0]), COLUMNS[name][1]
    with pytest.raises(xent.SourceError) as refused:
        xent.scan(table, **options)
    [found] = xent.check(table, **options).findings
    assert (found.name, f"{found.message}\n{found.change}") == ("columns", str(refused.value))
    chinese = " ".join(said(part, "zh") for part in (found.message, found.change))
    assert not english_in(re.sub(r"'[^']*'|--\w+ \S+ \(\w+=\)|(?<=找过).*?(?=；)|\w+_\*", "", chinese))
    assert CHINESE.search(found.message) is None
