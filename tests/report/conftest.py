"""How the tests read a page: its elements, its text, and the numbers that it says are those of the JSON."""

import math
from html.parser import HTMLParser

import pytest

VOID = {"meta", "link", "line", "rect", "circle", "path", "br"}


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
    if text == ">1×10³⁰⁷":  # of a perplexity that no float64 holds
        return math.inf, 0.0
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


def check_whole(text):
    """What holds of every page: it is well-formed, asks for nothing, and shows nothing undefined."""
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in {"img", "iframe", "object", "embed", "base"}
        for name in ("src", "href", "xlink:href", "action"):
            assert attributes.get(name, "#").startswith("#") or attributes[name] == "data:,"
        assert not any(name.startswith("on") for name in attributes)
        assert "style" not in attributes
        for name, value in attributes.items():
            if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "d"):
                assert not any(word in value for word in ("nan", "inf", "None")), (tag, attributes)
            if name in ("x", "cx", "cy", "width", "x1", "x2", "y1", "y2") and value.endswith("%") and tag != "text":
                assert -0.01 <= float(value.rstrip("%")) <= 100.01, (tag, attributes)
    for word in ("url(", "@import", "http"):
        assert word not in text.replace("http-equiv", "")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        assert attributes.get("aria-labelledby", ids[0]) in ids
        assert attributes.get("href", "#").removeprefix("#") in ("", "data:,", *ids)
    return page


@pytest.fixture(scope="session")
def read_page():
    return check_whole


@pytest.fixture(scope="session")
def same_number():
    return check_number
