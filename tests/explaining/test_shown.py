"""What people see: HTML in a notebook (well-formed, no requests, light and dark), plots, and lines on a terminal."""

import json
import math
import re
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import xent
from xent.report import plot_fonts
from xent.report.explanation_text import wrapped
from xent.report.figures import figure
from xent.texts.catalogue import text

matplotlib.use("agg")

SCRIPT = "<script>window.pwned = true</script>"
SHOWN = {
    "logits": {"logits": [4.334, 2.9, 0.01], "label": 0, "names": [SCRIPT, "tennis & co", '"football"']},
    "zero": {"logits": [-math.inf, 0.0], "label": 0},
    "pair": {"p": [0.1, 0.4, 0.5], "q": [0.8, 0.2, 0.0], "unit": "bits", "lang": "zh"},
    "binary": {"binary": ([1, 0, 1], [0.8, 0.4, 0.0])},
    "tiny": {"binary": (1, 1e-300)},
    "gaussian": {"gaussian": ([3.0, 1.5], [2.5, 2.0]), "std": 0.01},
}
VOID = {"meta", "br"}


class Fragment(HTMLParser):
    """Its text, and whether every element that was opened was closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.text, self.attributes = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text.append(data)


def html(name):
    return xent.explain(**SHOWN[name])._repr_html_()


@pytest.mark.parametrize("name", SHOWN)
def test_html_says_what_the_text_says_and_asks_for_nothing(name):
    found, explanation = Fragment(html(name)), xent.explain(**SHOWN[name])
    text = "".join(found.text)
    for step in explanation.steps:
        for part in (step.title, *step.text):
            assert part in text
        for row in step.table.rows if step.table else ():
            for cell in row:
                assert (cell if isinstance(cell, str) else figure(cell)) in text
    for name_, value in found.attributes:
        assert name_ not in ("src", "href", "style")
        assert not name_.startswith("on")
        if name_ in ("d", "cx", "cy", "x", "y", "x1", "x2", "y1", "y2", "width"):
            assert not re.search("nan|inf|None", value)
    assert "http" not in html(name)
    assert "url(" not in html(name)


def test_conventions_as_html():
    found = xent.compare_conventions([1, 2], [[0.05, 0.95, 0.05], [0.1, 0.8, 0.1]], libraries=False)
    assert "1.20133428" in "".join(Fragment(found._repr_html_()).text)
    with pytest.raises(xent.OptionError, match="has no picture to draw"):
        found.plot()


def test_plots_hold_the_numbers():
    from matplotlib import pyplot as plt

    ax = xent.explain(p=[0.1, 0.4, 0.5], q=[0.8, 0.15, 0.05], names=["red", "green", "blue"]).plot()
    heights = [bar.get_height() for container in ax.containers for bar in container]
    assert heights == [0.1, 0.4, 0.5, 0.8, 0.15, 0.05]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["red", "green", "blue"]
    given = plt.subplots()[1]
    assert xent.explain(binary=([1, 0], [0.8, 0.25])).plot(given) is given
    points = given.collections[0].get_offsets()
    np.testing.assert_allclose(points, [[0.8, -math.log(0.8)], [0.75, -math.log(0.75)]], rtol=1e-14)
    x, y = given.lines[0].get_data()
    np.testing.assert_allclose(y, -np.log(x), atol=1e-14)
    ax = xent.explain(gaussian=([1.0], [0.0])).plot()
    assert ax.collections[0].get_offsets()[0].tolist() == pytest.approx([1.0, 0.5 + math.log(math.sqrt(math.tau))])
    plt.close("all")


CHINESE = [
    {"p": [0.1, 0.9], "lang": "zh"},
    {"binary": (1, 0.8), "lang": "zh"},
    {"gaussian": ([1.0], [0.0]), "lang": "zh"},
]


def written(ax):
    """Draws, which warns of every character that the fonts lack."""
    from matplotlib import pyplot as plt

    ax.figure.canvas.draw()
    plt.close("all")
    return [ax.get_xlabel(), ax.get_ylabel(), *(tick.get_text() for tick in ax.get_xticklabels())]


@pytest.mark.skipif(not plot_fonts.chinese_fonts(), reason="no font with Chinese is installed")
@pytest.mark.parametrize("asked", CHINESE, ids=str)
def test_plots_in_chinese_lack_no_character(asked):
    assert any(plot_fonts.is_chinese(text) for text in written(xent.explain(**asked).plot()))


@pytest.mark.parametrize("asked", CHINESE, ids=str)
def test_plots_are_in_english_where_no_font_has_chinese(asked, monkeypatch):
    monkeypatch.setattr("xent.report.explanation_plot.chinese_fonts", tuple)
    assert written(xent.explain(**asked).plot())[:2] == written(xent.explain(**asked | {"lang": "en"}).plot())[:2]


def test_axes_are_in_the_language_in_json_and_html():
    explanation = xent.explain(binary=(1, 0.8), lang="zh")
    words = {"log": text("zh", "log.nats"), "unit": text("zh", "unit.nats")}
    axes = [text("zh", "labels.chart.x"), text("zh", "labels.chart.y", **words)]
    chart = json.loads(explanation.json())["steps"][0]["chart"]
    assert [chart["x_axis"], chart["y_axis"]] == axes
    assert all(axis in explanation._repr_html_() for axis in axes)


words = st.text(st.sampled_from("ab c交叉熵，。（）“”:≈"), max_size=60)


@given(words, st.integers(8, 40))
def test_wrapping_loses_nothing_and_fits(paragraph, width):
    lines = wrapped(paragraph, width)
    assert "".join("".join(lines).split()) == "".join(paragraph.split())
    for line in lines:  # a run of letters or of marks is not broken
        assert cell_len(line) <= width or not re.search(r"[一-鿿].*[一-鿿]| ", line)


def test_chinese_breaks_between_characters_and_keeps_marks_where_they_belong():
    lines = wrapped("交叉熵（对数损失）不对称，softmax 的和为 1。", 10)
    assert all(cell_len(line) <= 12 for line in lines)
    assert not any(line[0] in "，。）" or line[-1] == "（" for line in lines)
    assert wrapped("one two three", 7) == ["one two", "three"]


PHONE = {
    **SHOWN,
    "far": {"logits": [40.0, 0.0, 0.0], "label": 0, "lang": "zh"},
    "five": {
        "logits": [4.0, 3.0, 0.0, 1.0, -3.0],
        "label": 0,
        "names": ["table tennis", *"abc", "a name longer than others"],
    },
    "zh": {"binary": ([1, 0, 1], [0.8, 0.4, 0.5]), "lang": "zh"},
}


@pytest.mark.parametrize("width", [360, 1280])
def test_tables_show_all_of_their_numbers_whole(browser, width):
    page = browser.new_page(viewport={"width": width, "height": 700})
    for name, asked in PHONE.items():
        page.set_content(f"<!DOCTYPE html><meta charset=utf-8><body>{xent.explain(**asked)._repr_html_()}")
        tables = page.eval_on_selector_all(".scroll", "all => all.map(e => [e.scrollWidth, e.clientWidth])")
        assert len(tables) >= 2
        assert all(inner <= outer for inner, outer in tables), (name, tables)
        lines = page.eval_on_selector_all(  # letters stand in one line
            "td, th.short, .bars span, .kept", "all => all.map(e => [e.textContent, new Set([...Array(e.childNodes.length).keys()].flatMap("
            "(i) => { const r = document.createRange(); r.selectNodeContents(e.childNodes[i]); return [...r.getClientRects()].map((b) => Math.round(b.top)); })).size])"
        )  # fmt: skip
        assert len(lines) > 10
        assert [text for text, count in lines if count > 1] == [], name
        for long in page.eval_on_selector_all(".bars svg", "all => all.map(e => e.getBoundingClientRect().width)"):
            assert long >= (100 if width == 360 else 250)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(browser, scheme):
    for name in SHOWN:
        page = browser.new_page(viewport={"width": 420, "height": 700}, color_scheme=scheme)
        asked, errors = [], []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("pageerror", lambda error, errors=errors: errors.append(error))
        page.set_content(f"<!DOCTYPE html><meta charset=utf-8><body>{html(name)}")
        assert not page.evaluate("window.pwned")
        assert (asked, errors) == ([], [])
        light = "rgb(251, 250, 247)"
        paper = page.evaluate("getComputedStyle(document.querySelector('.xent-explanation')).backgroundColor")
        assert (paper == light) == (scheme == "light")
        assert page.evaluate("document.documentElement.scrollWidth <= 420")  # nothing sticks out on a phone
        page.evaluate("document.body.dataset.jpThemeLight = 'true'")  # the notebook's theme, not the system's
        paper = page.evaluate("getComputedStyle(document.querySelector('.xent-explanation')).backgroundColor")
        assert paper == light
        page.close()
