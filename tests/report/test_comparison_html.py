"""The page of a comparison without a browser: its numbers, its axes, and that every kind of comparison makes one."""

import json
import math
import re

import numpy as np
import pytest

from xent import compare
from xent.errors import SourceError
from xent.report import chart_comparison, comparison_html

SCRIPT = "<script>alert(1)</script>"


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def models(rows=900, seed=0):
    random = np.random.default_rng(seed)
    z = 1.5 * random.normal(size=rows)
    labels = (random.random(rows) < sigmoid(z)).astype(int)
    return labels, sigmoid(2.0 * z), sigmoid(z + 0.2 * random.normal(size=rows)), sigmoid(0.9 * z)


def two(rows=900, **options):
    labels, old, new, _ = models(rows)
    return compare(old, new, labels=labels, names=["old", SCRIPT], **options)


def three(**options):
    labels, *predictions = models()
    return compare(*predictions, labels=labels, names=["a long name of a first model", "b", "c"], **options)


def one_infinite(both=False):
    labels, old, new, _ = models()
    old[3] = 1.0 - labels[3]
    new[4] = 1.0 - labels[4] if both else new[4]
    return compare(old, new, labels=labels, names=["old", "new"])


def many_classes():
    random = np.random.default_rng(1)
    labels = np.arange(4800) % 120
    predictions = [random.dirichlet(np.ones(120), 4800) for _ in "ab"]
    return compare(*predictions, labels=labels, classes=list(range(120)))


COMPARISONS = {
    "two": lambda: two(group=np.array(["north", '"onload=x', "east"])[np.arange(900) % 3]),
    "few": lambda: two(60, unit="bits"),
    "three": lambda: three(group=np.arange(900) % 4, cluster=np.arange(900) // 10),
    "infinite": one_infinite,
    "both infinite": lambda: one_infinite(both=True),
    "the same": lambda: compare([0.2, 0.7, 0.4], [0.2, 0.7, 0.4], labels=[0, 1, 1]),
    "one row": lambda: compare([0.5], [0.6], labels=[1], classes=[0, 1]),
    "many classes": many_classes,
}


@pytest.fixture(params=COMPARISONS, scope="module")
def comparison(request):
    return COMPARISONS[request.param]()


@pytest.fixture(scope="module")
def page(comparison, read_page):
    return read_page(comparison_html.render(comparison))


def test_it_has_the_numbers_of_the_json(comparison, page, same_number):
    data = json.loads(comparison.json())
    for key, value, text in page.shown:
        same_number(data, key, value, text)
    keys = {key for key, _, _ in page.shown}
    assert {f"losses.{i}.loss" for i in range(len(comparison.losses))} <= keys
    for i, pair in enumerate(comparison.pairs):
        assert {f"pairs.{i}.{name}" for name in ("difference", "p_value", "wins_first", "ties", "rows_needed")} <= keys
        for name, slices in (("by_class", pair.by_class), ("by_group", pair.by_group)):
            shown = sum(re.fullmatch(rf"pairs\.{i}\.{name}\.\d+\.difference", key) is not None for key in keys)
            assert shown == (min(100, len(slices)) if len(slices) > 1 else 0)
    text = " ".join("".join(page.text).split())
    assert " ".join(comparison.verdict.split()) in text
    assert all(note in text for note in (*comparison.notes, *comparison.warnings))


def test_plots_have_names_and_scroll_regions_too(page):
    plots = [found for tag, found in page.elements if tag == "svg" and found.get("aria-hidden") != "true"]
    assert len(plots) >= 2
    assert all(plot["role"] == "img" and len(plot["aria-label"]) > 12 for plot in plots)
    for _, found in page.elements:
        if found.get("class") == "scroll":
            assert (found["tabindex"], found["role"]) == ("0", "region")
    for text in (found.get("data-tip", "") + found.get("aria-label", "") for _, found in page.elements):
        assert not re.search(r"\b(nan|none|inf|null)\b", text, re.IGNORECASE), text


def test_names_are_text_and_never_markup(read_page):
    text = comparison_html.render(COMPARISONS["two"]())
    page = read_page(text)
    assert SCRIPT not in text
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not any("onload" in name for _, attributes in page.elements for name in attributes)


def test_differences_stand_where_they_are():
    labels, old, new, _ = models()
    nats = [-np.log(np.where(labels == 1, p, 1.0 - p)) for p in (old, new)]
    difference = (nats[0] - nats[1]).mean()
    plot = chart_comparison.differences(two())
    unit = (plot.spans[0].at - plot.zero) / difference  # percent a nat
    assert unit > 0.0
    low, high = plot.spans[0].reach
    assert math.isclose((low + high) / 2.0, plot.spans[0].at, rel_tol=1e-9)
    error = (nats[0] - nats[1]).std(ddof=1) / math.sqrt(900)
    assert math.isclose(high - low, 2.0 * 1.9626 * error * unit, rel_tol=1e-3)
    for tick in plot.ticks:
        assert math.isclose(tick.at - plot.zero, float(tick.text.replace("−", "-")) * unit, rel_tol=1e-6, abs_tol=1e-9)


def test_axes_hold_all_that_is_finite(comparison):
    plots = [chart_comparison.losses(comparison), chart_comparison.differences(comparison)]
    for plot in (*plots, *(one.plot for one in chart_comparison.where(comparison))):
        for span in plot.spans:
            assert span.at is None or 0.0 < span.at < 100.0
            assert span.reach is None or 0.0 < span.reach[0] <= span.reach[1] < 100.0
    estimates = [one.loss for one in comparison.losses]
    assert [span.at is None for span in plots[0].spans] == [math.isinf(loss) for loss in estimates]


def test_what_is_infinite_points_to_the_better_side():
    text = comparison_html.render(COMPARISONS["infinite"]())
    assert "infinite →" in text
    assert "← infinite" not in text


def test_the_two_of_least_loss_come_first():
    found = chart_comparison.where(COMPARISONS["three"]())
    assert {found[0].pair, found[1].pair} == {2}  # b and c
    assert [one.kind for one in found] == ["class", "group"] * 3


def test_a_page_is_written_as_utf_8_and_a_missing_directory_is_named(tmp_path):
    comparison_html.write(COMPARISONS["few"](), tmp_path / "a.html")
    assert "−" in (tmp_path / "a.html").read_bytes().decode("utf-8")
    with pytest.raises(SourceError, match=r"(?s)no-such/page\.html.*Create the directory"):
        comparison_html.write(COMPARISONS["few"](), tmp_path / "no-such" / "page.html")
