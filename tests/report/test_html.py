"""The page without a browser: what it holds, what it escapes, and that every kind of report makes one."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from xent import evaluate
from xent.errors import SourceError
from xent.report import charts, html, remarks, typeset
from xent.report.model import Report

SCRIPT = "<script>alert(1)</script>"


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


def two_classes(rows=900, groups=0, **options):
    """Overconfident and biased towards class 1: the truth is sigmoid(z), the prediction sigmoid(2.5 z + 0.7)."""
    random = np.random.default_rng(3)
    z = 1.5 * random.normal(size=rows)
    labels = (random.random(rows) < 1.0 / (1.0 + np.exp(-z))).astype(int)
    predictions = 1.0 / (1.0 + np.exp(-2.5 * z - 0.7))
    if groups:
        of = random.integers(0, groups, rows)
        predictions = np.where(of == 0, 1.0 - predictions, predictions)
        options["group"] = np.array(["north", SCRIPT, *map(str, range(groups))])[of]
    return evaluate(labels, predictions, **options)


def soft():
    random = np.random.default_rng(5)
    labels = random.dirichlet(np.ones(4), 300)
    return evaluate(
        labels, softmax(2.0 * np.log(labels + 0.05) + random.normal(size=labels.shape)), classes=list("abcd")
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
    "two classes": two_classes,
    "groups": lambda: two_classes(groups=3),
    "many groups": lambda: two_classes(rows=3000, groups=60),
    "clusters": lambda: two_classes(groups=3, cluster=np.arange(900) // 10),
    "infinite group": lambda: evaluate([0, 1] * 40, [0.2, 0.9] * 39 + [1.0, 0.5], group=["a"] * 40 + ["b"] * 40),
    "soft": soft,
    "held out": lambda: two_classes(holdout=True),
    "brief": lambda: evaluate(*ten_classes(), brief=True),
    "two with no information": lambda: evaluate([0, 1] * 60, np.resize([0.9, 0.1, 0.2, 0.8, 0.3], 120)),
    "names": lambda: evaluate(
        ["a b", SCRIPT, '"onload=x', "a b"],
        [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]],
        classes=["a b", SCRIPT, '"onload=x'],
    ),
    "1,000 classes": lambda: many_classes(1000),
    "10,000 classes": lambda: many_classes(10_000, rows=300),
    "hopeless": lambda: evaluate([0, 1, 1], [[-3e6, 3e6], [0.0, 1.0], [2.0, 1.0]], kind="logits"),
    "huge": lambda: evaluate([0, 1, 1], [[-1e38, 1e38], [0.0, 1.0], [2.0, 1.0]], kind="logits"),
    "tiny": lambda: evaluate([0, 1, 1], [[50.0, 0.0], [0.0, 60.0], [0.0, 70.0]], kind="logits"),
}


@pytest.fixture(params=REPORTS, scope="module")
def report(request) -> Report:
    return REPORTS[request.param]()


@pytest.fixture(scope="module")
def page(report, read_page):
    return read_page(html.render(report))


def test_every_report_makes_a_page_of_its_numbers(report, page, same_number):
    data = json.loads(report.json())
    for key, value, text in page.shown:
        same_number(data, key, value, text)
    keys = [key for key, _, _ in page.shown]
    for key in ("rows", "loss", "baseline", "skill", "typical_probability", "perplexity", "accuracy"):
        assert key in keys
    # an infinite loss has no interval worth its ink
    assert ("standard_error" in keys) == (report.loss < math.inf)
    assert (("interval.1" if report.interval else "interval") in keys) == (report.loss < math.inf)
    assert {f"worst.{i}.loss" for i in range(len(report.worst))} <= set(keys)
    shown = {key for key in keys if re.fullmatch(r"by_class\.\d+\.loss", key)}
    assert len(shown) == min(len(report.classes), charts.MOST_CLASSES)


def test_the_parts_have_the_numbers_of_the_json_too(report, page):
    keys = {key for key, _, _ in page.shown}
    parts = [i for i, rung in enumerate(report.ladder or ()) if rung.part is not None]
    assert {f"ladder.{i}.part" for i in parts if report.cure} <= keys
    assert {f"ladder.{i}.loss" for i in range(len(report.ladder or ()))} <= keys
    assert ("cure.temperature" in keys) == (report.cure is not None)
    assert {f"by_group.{i}.{name}" for i in range(len(report.by_group or ())) for name in ("loss", "rows")} <= keys
    pairs = range(len(report.confused) if len(report.classes) > 2 else 0)  # the table of four says it all
    assert {f"confused.{i}.typical_probability" for i in pairs} <= keys
    classes = range(len(report.confusion or ()) if len(report.classes) <= 20 else 0)
    assert {f"confusion.{i}.{j}" for i in classes for j in classes} <= keys
    assert ("label_entropy" in keys) == (report.label_entropy is not None)
    assert ("clusters" in keys) == (report.clusters is not None)
    text = " ".join("".join(page.text).split())
    assert report.diagnosis[1:] in text
    if report.interval is not None:
        assert ("studentised bootstrap" in text) == (report.interval_method == "bootstrap-t")


def test_nothing_undefined_is_shown(page):
    tips = [attributes.get("data-tip", "") + attributes.get("aria-label", "") for _, attributes in page.elements]
    for text in [*tips, *(text for _, _, text in page.shown)]:
        assert not re.search(r"\b(nan|none|inf|null)\b", text, re.IGNORECASE), text


def test_every_plot_has_a_name_and_a_table(report, page):
    plots = [found for tag, found in page.elements if tag == "svg" and found.get("aria-hidden") != "true"]
    assert len(plots) >= 4
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in plots)
    curves = sum(bool(curve.bins) for curve in report.reliability)
    assert len(plots) <= 2 * (7 + curves)  # once in each language
    for tag, found in page.elements:  # what scrolls can be reached by keyboard and has a name
        if found.get("class") == "scroll" or tag == "pre":
            assert found["tabindex"] == "0"
            assert found["role"] == "region"
            assert found["aria-label"]


def test_names_are_text_and_never_markup(read_page):
    for report in (REPORTS["names"](), REPORTS["several labels"]()):
        text = html.render(report)
        page = read_page(text)
        assert SCRIPT not in text
        assert "&lt;script&gt;" in text
        assert [tag for tag, _ in page.elements].count("script") == 1
        assert any(SCRIPT in (attributes.get("data-tip") or "") for _, attributes in page.elements)
        assert not any("onload" in name for _, attributes in page.elements for name in attributes)


def test_an_overconfident_model_is_called_so(read_page):
    good, sure = REPORTS["good"](), REPORTS["overconfident"]()
    assert sure.accuracy == good.accuracy > 0.7
    assert remarks.alarm(good) == ()
    assert "overconfident" in " ".join(remarks.alarm(sure))
    assert " ".join(remarks.alarm(sure)) in "".join(read_page(html.render(sure)).text)
    assert "ruled out" in " ".join(remarks.alarm(infinite()))
    # Too timid is not overconfident: the choices are right, but the loss is spread over all rows.
    labels = np.repeat([0, 1], [90, 10])
    timid = evaluate(labels, np.where(labels == 1, 0.51, 0.49))
    assert "overconfident" not in " ".join(remarks.alarm(timid))
    assert "Recalibrating" in " ".join(remarks.alarm(timid))
    # Wrong choices need no such words, and nothing is said of a single class.
    assert remarks.alarm(REPORTS["negative skill"]()) == ()
    assert remarks.alarm(REPORTS["one class"]()) == ()


def test_the_worst_rows_share_is_in_words():
    report = REPORTS["overconfident"]()
    carried = typeset.percent(report.share_of_worst_1_percent)
    assert any(f"worst 1\xa0% of the rows carry {carried} of the loss" in found for found in remarks.findings(report))
    assert "1\xa0%" not in " ".join(remarks.findings(REPORTS["one row"]()))
    assert any("Without the rows of infinite loss (2 of 600)" in found for found in remarks.findings(infinite()))


def test_many_classes_show_those_that_cost_most():
    report = many_classes(1000)
    bars = charts.class_bars(report)
    assert len(bars.bars) == 20
    assert bars.left_out == 980
    least = min(bar.found.share for bar in bars.bars)
    shown = {bar.position for bar in bars.bars}
    assert all((one.share or 0.0) <= least for i, one in enumerate(report.by_class) if i not in shown)
    assert "The 20 of 1,000 classes that cost most; the other 980" in html.render(report)
    assert len(html.render(report)) < 200_000  # in two languages


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
    assert typeset.probability(value) == shown


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


@pytest.mark.parametrize("name", ["hopeless", "huge"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_numbers_that_no_reader_could_count_are_powers_and_a_finite_loss_is_nowhere_infinite(name, lang, read_page):
    report = REPORTS[name]()
    assert math.isfinite(report.loss)
    assert report.skill < -1e5
    assert math.isinf(report.perplexity)
    assert report.typical_probability == 0.0
    text = report.text(lang)
    assert "> 1e+307" in text
    assert "< 1e-323" in text
    page = "".join(read_page(html.render(report, lang)).text)
    for shown in (text, page):
        assert not re.search(r"\d(,\d{3}){3}", shown)
