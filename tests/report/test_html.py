"""The page without a browser: what it holds, what it escapes, and that every kind of report makes one."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest

from xent import evaluate
from xent.errors import SourceError
from xent.report import charts, html
from xent.report.model import Report

SCRIPT = "<script>alert(1)</script>"
VOID = {"meta", "link", "line", "rect", "circle", "path", "br"}


def softmax(scores):
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def ten_classes(rows=600, sharpness=1.0, seed=0):
    """Labels and predictions that are right for most rows; sharpness above 1 makes them too sure of themselves."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, rows)
    scores = random.normal(size=(rows, 10))
    scores[np.arange(rows), labels] += 3.0
    return labels, softmax(sharpness * scores)


def many_classes(classes, rows=3000):
    random = np.random.default_rng(1)
    labels = np.minimum(random.zipf(1.4, rows) - 1, classes - 1)
    return evaluate(labels, softmax(random.normal(size=(rows, classes))), classes=list(range(classes)))


def several_labels():
    random = np.random.default_rng(2)
    labels = (random.random((80, 3)) < 0.3).astype(float)
    return evaluate(
        labels,
        np.clip(0.7 * labels + 0.3 * random.random((80, 3)), 0.01, 0.99),
        task="multilabel",
        classes=["a", SCRIPT, "c"],
    )


def infinite():
    labels, predictions = ten_classes()
    predictions[[3, 50]] = np.eye(10)[(labels[[3, 50]] + 1) % 10]
    return evaluate(labels, predictions)


REPORTS = {
    "ten rows": lambda: evaluate([1, 1, 0, 0, 1, 0, 1, 0, 1, 1], [0.8, 0.9, 0.1, 0.2, 0.75, 0.3, 0.95, 0.05, 0.6, 0.4]),
    "good": lambda: evaluate(*ten_classes()),
    "overconfident": lambda: evaluate(*ten_classes(sharpness=100.0)),
    "bits": lambda: evaluate(*ten_classes(), unit="bits"),
    "infinite": infinite,
    "all infinite": lambda: evaluate([0, 1], [1.0, 0.0]),
    "one row": lambda: evaluate([1], [0.8], classes=[0, 1]),
    "one class": lambda: evaluate([1, 1], [0.8, 0.9], classes=[0, 1]),
    "no loss": lambda: evaluate([1, 0, 1], [1.0, 0.0, 1.0]),
    "negative skill": lambda: evaluate([1, 0, 1, 0], [0.1, 0.9, 0.2, 0.6]),
    "weighted": lambda: evaluate([1, 0, 1, 0], [0.9, 0.3, 0.6, 0.2], sample_weight=[0.5, 2.25, 1.0, 0.1]),
    "several labels": several_labels,
    "names": lambda: evaluate(
        ["a b", SCRIPT, '"onload=x', "a b"],
        [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]],
        classes=["a b", SCRIPT, '"onload=x'],
    ),
    "1,000 classes": lambda: many_classes(1000),
    "10,000 classes": lambda: many_classes(10_000, rows=300),
    "hopeless": lambda: evaluate([0, 1, 1], [[-3e6, 3e6], [0.0, 1.0], [2.0, 1.0]], kind="logits"),
    "tiny": lambda: evaluate([0, 1, 1], [[50.0, 0.0], [0.0, 60.0], [0.0, 70.0]], kind="logits"),
}


@pytest.fixture(params=REPORTS, scope="module")
def report(request) -> Report:
    return REPORTS[request.param]()


class Page(HTMLParser):
    """The elements of a page in order, and whether every one that was opened was closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._open, self.shown = [], [], [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self._open.append((tag, dict(attrs), len(self.text)))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        opened, attrs, start = self._open.pop()
        assert opened == tag
        if "data-key" in attrs:
            self.shown.append((attrs["data-key"], attrs["data-value"], "".join(self.text[start:])))

    def handle_data(self, data):
        self.text.append(data)


def read_number(text):
    """What a reader takes a number on the page for, and half a unit of its last digit; None for –."""
    text = text.replace(",", "").replace("−", "-").replace("\xa0", "").replace(" ", "")
    if text == "–":
        return None
    scale = 1.0
    if text.endswith("%"):
        text, scale = text[:-1], 0.01
    if text.lstrip("-") == "∞":
        return float(text.replace("∞", "inf")), 0.0
    if text == "<10⁻³²³":
        return 0.0, 1e-323
    if text.startswith(">"):
        return float(text[1:]) * scale, (100.0 - float(text[1:])) * scale
    mantissa, _, power = text.partition("×10")
    scale *= 10.0 ** int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)
    last = 10.0 ** -len(mantissa.partition(".")[2])
    # percents between 99.5 and 100 are cut, not rounded, so a whole unit
    return float(mantissa) * scale, last * scale * (1.0 if scale == 0.01 else 0.5)


def json_value(data, key):
    for step in key.split("."):
        data = None if data is None else data[int(step)] if step.isdigit() else data[step]
    return data


def check_number(data, key, value, text):
    """A number on the page is that of the JSON: in full in data-value, rounded in the text."""
    expected = json_value(data, key)
    assert value == ("null" if expected is None else str(expected)), key
    shown = read_number(text)
    if expected is None or shown is None:
        assert expected is shown is None, key
    else:
        expected = float(expected)
        assert shown[0] == expected or abs(shown[0] - expected) <= shown[1] * 1.001, (key, text, expected)


def test_every_report_makes_a_page_of_its_numbers(report):
    page = Page(html.render(report))
    data = json.loads(report.json())
    keys = [key for key, _, _ in page.shown]
    for key, value, text in page.shown:
        check_number(data, key, value, text)
    for key in ("rows", "loss", "standard_error", "baseline", "skill", "typical_probability", "perplexity", "accuracy"):
        assert key in keys
    assert ("interval.1" if report.interval else "interval") in keys
    assert {f"worst.{i}.loss" for i in range(len(report.worst))} <= set(keys)
    shown = {key for key in keys if re.fullmatch(r"by_class\.\d+\.loss", key)}
    assert len(shown) == min(len(report.classes), charts.MOST_CLASSES)


def test_nothing_undefined_is_shown(report):
    page = Page(html.render(report))
    tips = [attributes.get("data-tip", "") + attributes.get("aria-label", "") for _, attributes in page.elements]
    for text in [*tips, *(text for _, _, text in page.shown)]:
        assert not re.search(r"\b(nan|none|inf|null)\b", text, re.IGNORECASE), text
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "d"):
                assert not re.search("nan|inf|None", value or ""), (tag, attributes)
            if name in ("x", "cx", "cy", "width") and tag != "text":
                assert -0.01 <= float(value.rstrip("%")) <= 100.01, (tag, attributes)


def test_the_page_asks_for_nothing_else(report):
    text = html.render(report)
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in {"img", "iframe", "object", "embed", "base"}
        for name in ("src", "href", "xlink:href", "action"):
            assert attributes.get(name, "#").startswith("#") or attributes[name] == "data:,"
        assert not any(name.startswith("on") for name in attributes)
        assert "style" not in attributes
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_every_plot_has_a_name_and_a_table(report):
    page = Page(html.render(report))
    plots = [found for tag, found in page.elements if tag == "svg" and found.get("aria-hidden") != "true"]
    assert len(plots) in (4, 5)
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in plots)
    assert [tag for tag, _ in page.elements].count("details") == 3
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        assert attributes.get("aria-labelledby", ids[0]) in ids


def test_names_are_text_and_never_markup():
    for report in (REPORTS["names"](), REPORTS["several labels"]()):
        text = html.render(report)
        page = Page(text)
        assert SCRIPT not in text
        assert "&lt;script&gt;" in text
        assert [tag for tag, _ in page.elements].count("script") == 1
        assert any(SCRIPT in (attributes.get("data-tip") or "") for _, attributes in page.elements)
        assert not any("onload" in name for _, attributes in page.elements for name in attributes)


def test_an_overconfident_model_is_called_so():
    good, sure = REPORTS["good"](), REPORTS["overconfident"]()
    assert sure.accuracy == good.accuracy > 0.7
    assert html.alarm(good) is None
    assert "overconfident" in html.alarm(sure)
    assert html.alarm(sure) in Page(html.render(sure)).text
    assert "ruled out" in html.alarm(infinite())
    # Too timid is not overconfident: the choices are right, but the loss is spread over all rows.
    labels = np.repeat([0, 1], [90, 10])
    timid = evaluate(labels, np.where(labels == 1, 0.51, 0.49))
    assert "overconfident" not in html.alarm(timid)
    assert "Recalibrating" in html.alarm(timid)
    # Wrong choices need no such words, and nothing is said of a single class.
    assert html.alarm(REPORTS["negative skill"]()) is None
    assert html.alarm(REPORTS["one class"]()) is None


def test_the_worst_rows_share_is_in_words():
    report = REPORTS["overconfident"]()
    carried = html.percent(report.share_of_worst_1_percent)
    assert any(f"worst 1\xa0% of the rows carry {carried} of the loss" in found for found in html.findings(report))
    assert "1\xa0%" not in " ".join(html.findings(REPORTS["one row"]()))
    assert any("Without the rows of infinite loss (2 of 600)" in found for found in html.findings(infinite()))


def test_many_classes_show_those_that_cost_most():
    report = many_classes(1000)
    bars = charts.class_bars(report)
    assert len(bars.bars) == 20
    assert bars.left_out == 980
    least = min(bar.found.share for bar in bars.bars)
    shown = {bar.position for bar in bars.bars}
    assert all((one.share or 0.0) <= least for i, one in enumerate(report.by_class) if i not in shown)
    assert "The 20 of 1,000 classes that cost most; the other 980" in html.render(report)
    assert len(html.render(report)) < 80_000


def test_the_histogram_keeps_every_row_and_all_of_the_loss(report):
    plot = charts.histogram(report)
    assert len(plot.columns) <= charts.MOST_COLUMNS + 2
    assert sum(column.rows for column in plot.columns) == report.rows
    shares = [column.share for column in plot.columns if column.share is not None]
    assert not shares or math.isclose(math.fsum(shares), 1.0, rel_tol=1e-9)
    assert all(a.left + plot.width <= b.left + 1e-9 for a, b in zip(plot.columns, plot.columns[1:], strict=False))
    assert all(c.up <= plot.middle + 1e-9 and c.down <= 100.0 - plot.middle + 1e-9 for c in plot.columns)


def test_the_histogram_is_in_the_reports_unit():
    nats, bits = charts.histogram(REPORTS["good"]()), charts.histogram(REPORTS["bits"]())
    for a, b in zip(nats.columns, bits.columns, strict=True):
        assert (a.rows, a.left, a.up, a.down) == (b.rows, b.left, b.up, b.down)
        assert math.isinf(b.high) or math.isclose(a.high, b.high * math.log(2.0))


def test_the_dots_lie_on_the_curve_and_count_every_row(report):
    plot = charts.curve(report)
    assert sum(dot.rows for dot in plot.rows) + plot.beyond == report.rows
    nats = math.log(2.0) if report.unit == "bits" else 1.0
    for dot in (*plot.rows, *plot.worst, *([plot.typical] if plot.typical else [])):
        y = dot.y / 100.0 * plot.top
        assert math.isclose(y, (dot.low + dot.high) / 2.0, rel_tol=1e-9, abs_tol=1e-12)
        x = 1.0 - dot.y / 100.0 if plot.logarithmic else math.exp(-y * nats)
        assert math.isclose(dot.x, 100.0 * x, rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"), (1.0, "1"), (0.5, "0.500"), (0.9994, "0.9994"), (0.99996, "0.99996"),
        (1.0 - 2.0**-53, "0.9999999999999999"), (0.0123, "0.012"), (3e-40, "3 × 10⁻⁴⁰"), (5e-324, "4.94 × 10⁻³²⁴"),
    ],
)  # fmt: skip
def test_only_certainty_is_shown_as_0_or_1(value, shown):
    assert html.probability(value) == shown


def test_a_page_is_the_same_each_time_and_is_written_as_utf_8(tmp_path):
    report = replace(REPORTS["good"](), notes=("é and half of a surrogate pair: \ud800",))
    report.html(tmp_path / "a.html")
    html.write(report, str(tmp_path / "b.html"))
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert "é" in (tmp_path / "a.html").read_bytes().decode("utf-8")


def test_a_missing_directory_is_named_with_the_next_step(tmp_path):
    with pytest.raises(SourceError, match=r"(?s)no-such/page\.html.*Create the directory"):
        html.write(REPORTS["one row"](), tmp_path / "no-such" / "page.html")


def test_importing_xent_loads_no_template_engine():
    code = "import sys, xent, xent.report.html; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    """WCAG 2.2, contrast ratio."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_colours_have_the_contrast_of_wcag_aa():
    style = resources.files("xent.report").joinpath("style.css").read_text(encoding="utf-8")
    rules = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    themes = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", rule)) for rule in rules]
    assert len(themes) == 3  # light, dark, print
    for theme in themes[:2]:
        for ground in ("paper", "panel"):
            for text in ("ink", "soft", "loss"):
                assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground, theme)
        assert contrast(theme["rows"], theme["paper"]) >= 3.0  # shapes
