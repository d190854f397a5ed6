"""The pictures of the docs in headless Chromium: nothing is cut off, nothing lies on anything else, and all of it can be read."""

import importlib
import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MARKS = """svg => {
  const box = (e) => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
  return { all: box(svg), texts: [...svg.querySelectorAll("text")].map((e) => [e.textContent, box(e), e.classList.contains("on")]),
           dashes: [...svg.querySelectorAll(".dashed")].map((e) => e.getAttribute("d").slice(1).split(" L").map((p) => p.split(" ").map(Number))) };
}"""


@pytest.fixture(scope="module")
def drawn():
    """All pictures by name, for wide screens and for phones."""
    before = list(sys.path)
    sys.path.insert(0, str(DOCS / "_ext"))
    figures, house = map(importlib.import_module, ("figures", "house"))
    found = {
        f"{path.relative_to(DOCS).with_suffix('')} {'narrow' if narrow else 'wide'}": text
        for narrow in (False, True)
        for path, text in figures.pictures(DOCS, narrow).items()
    }
    found["doctor"] = house.small_house(ROOT / "pyproject.toml", "doctor")
    sys.path[:] = before
    return found


@pytest.fixture(scope="module")
def marks(drawn, browser):
    """Where things are in each picture, in its own pixels."""
    page = browser.new_page()
    found = {}
    for name, picture in drawn.items():
        page.set_content(f"<body style='margin: 0'>{picture}")
        found[name] = page.eval_on_selector("svg", MARKS)
    return found


def test_pictures_for_phones_are_as_wide_as_phones(marks):
    for name, found in marks.items():
        assert found["all"][2] <= (340 if "wide" not in name else 740)


def test_no_text_is_cut_off(marks):
    for name, found in marks.items():
        _, _, right, bottom = found["all"]
        assert len(found["texts"]) >= 8
        for text, box, _ in found["texts"]:
            assert min(box[:2]) >= 0, (name, text)
            assert box[2] <= right, (name, text)
            assert box[3] <= bottom, (name, text)


def test_no_text_lies_on_another(marks):
    for name, found in marks.items():
        for i, (text, a, _) in enumerate(found["texts"]):
            for other, b, _ in found["texts"][:i]:
                across, up = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
                assert across <= 1 or up <= 4, (name, text, other)  # boxes of lines are a little taller than letters


def test_no_dashes_run_through_a_text(marks):
    for name, found in marks.items():
        for points in found["dashes"]:
            for (x1, y1), (x2, y2) in pairwise(points):
                for text, (left, top, right, bottom), _ in found["texts"]:
                    apart = (
                        max(x1, x2) < left or min(x1, x2) > right or max(y1, y2) < top + 2 or min(y1, y2) > bottom - 2
                    )
                    assert apart, (name, text)


def test_the_page_of_a_layer_marks_it(marks):
    assert [text for text, _, on in marks["doctor"]["texts"] if on] == ["doctor"]


def palettes(text):
    """The colours that a style gives names, for the light and for the dark."""
    found = {}
    for name, colour in re.findall(r"--(paper|panel|ink|soft|line|loss|one|two|three): (#[0-9a-f]{6})", text):
        found.setdefault(name, []).append(colour)
    return {name: (colours[0], colours[1]) for name, colours in found.items()}


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    dark, light = sorted(map(luminance, (a, b)))
    return (light + 0.05) / (dark + 0.05)


def test_texts_can_be_read_in_the_light_and_in_the_dark():
    colours = palettes((DOCS / "_ext" / "svg.py").read_text(encoding="utf-8"))
    for scheme in (0, 1):
        for ground in ("paper", "panel"):
            for ink in ("ink", "soft", "one", "two", "three"):
                assert contrast(colours[ink][scheme], colours[ground][scheme]) >= 4.5, (ink, ground)  # WCAG 2.2, AA


def test_reports_explanations_docs_and_pictures_have_the_same_colours():
    source = ROOT / "src" / "xent" / "report"
    files = (
        source / "style.css",
        source / "explanation.html.jinja",
        DOCS / "_static" / "xent.css",
        DOCS / "_ext" / "svg.py",
    )
    first, *others = (palettes(path.read_text(encoding="utf-8")) for path in files)
    first["two"] = first["loss"]
    for other in others:
        assert len(other) >= 5
        assert {name: first[name] for name in other if name in first} == {
            name: other[name] for name in other if name in first
        }
