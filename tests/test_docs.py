"""The documentation: nothing in it is typed that could be computed, both languages say the same, and links lead somewhere."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

import xent

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TUTORIAL = sorted((DOCS / "tutorial").glob("[1-5]-*.md"))
PAGES = [*ROOT.glob("*.md"), *sorted(DOCS.rglob("*.md"))]
CODE = re.compile(r"```.*?```", re.DOTALL)


def load(name):
    """A module of the docs, which is in no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def computed():
    before = list(sys.path)
    yield load("computed")
    sys.path[:] = before


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: str(path.relative_to(ROOT)))
def test_numbers_and_tables_are_those_that_are_computed(path, computed):
    complaints = []
    text = path.read_text(encoding="utf-8")
    assert computed.compute(text, complaints.append) == text, "run python docs/_ext/computed.py --write"
    assert complaints == []


def test_pictures_are_those_that_are_drawn(computed):
    drawn = computed.figures.pictures(DOCS)
    assert set(drawn) == set(DOCS.rglob("*.svg"))
    for path, picture in drawn.items():
        assert path.read_text(encoding="utf-8") == picture, "run python docs/_ext/computed.py --write"


def test_a_wrong_number_is_found(computed):
    page = "```python\n>>> loss = 0.24692\n\n```\n\nIt is 0.247<!--= loss -->, not 0.25<!--= loss + 0.1 -->, −1<!--= -loss * 4 -->.\n"
    complaints = []
    assert "not 0.35<!--" in computed.compute(page, complaints.append)
    assert complaints == ["0.25 is shown where loss + 0.1 is 0.35"]


@pytest.mark.parametrize(
    ("value", "shown", "written"),
    [(1234.56, "0.0", "1,234.6"), (-0.25, "0.00", "−0.25"), (6.75e-9, "1.00e-5", "6.75e-9"), (0.5, "+0.0", "+0.5")],
)
def test_numbers_are_written_as_the_page_writes_them(computed, value, shown, written):
    assert computed.written(value, shown) == written


@pytest.mark.parametrize(
    "path", [*TUTORIAL, *sorted((DOCS / "zh").rglob("[1-5]-*.md"))], ids=lambda path: str(path.relative_to(DOCS))
)
def test_the_tutorial_has_no_result_that_was_typed(path, computed):
    """A number with a point is computed, or is what the page's own code was given, or is part of a sum that is computed."""
    text = path.read_text(encoding="utf-8")
    given = set(re.findall(r"\d+\.\d+", "\n".join(re.findall(r"^(?:>>>|\.\.\.) .*$", text, re.MULTILINE))))
    given |= set(re.findall(r"\d+\.\d+", " ".join(re.findall(r"<!--= (.*?) -->", text))))
    prose = computed.NUMBER.sub("", CODE.sub("", text))
    typed = set(re.findall(r"\d+\.\d+", re.sub(r"\]\(.*?\)|`.*?`", "", prose)))
    assert {float(number) for number in typed} <= {float(number) for number in given}


@pytest.mark.parametrize("path", TUTORIAL, ids=lambda path: path.name)
def test_both_languages_compute_the_same(path, computed):
    other = DOCS / "zh" / "tutorial" / path.name
    english, chinese = (page.read_text(encoding="utf-8") for page in (path, other))
    assert re.findall(r"^>>> .*$", english, re.MULTILINE) == re.findall(r"^>>> .*$", chinese, re.MULTILINE)
    expressions = [{found["expression"] for found in computed.NUMBER.finditer(page)} for page in (english, chinese)]
    assert expressions[0] == expressions[1]
    for page in (english, chinese):
        assert page.count("\n## ") == english.count("\n## ")
        assert "](figures/" in page
        assert "<summary>" in page


def heading_anchors(text):
    """As GitHub and MyST make them of headings."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", path.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        assert target.exists(), link
        assert not anchor or anchor in heading_anchors(target.read_text(encoding="utf-8")), link


def test_every_page_is_linked_to():
    linked = {
        (path.parent / link.partition("#")[0]).resolve()
        for path in PAGES
        for link in re.findall(r"\]\(([^)\s]+\.md[^)]*)\)", path.read_text(encoding="utf-8"))
    }
    assert {path for path in DOCS.rglob("*.md") if path.resolve() not in linked} == set()


def test_broken_links_of_built_pages_are_found(tmp_path):
    links = load("links")
    (tmp_path / "a.html").write_text('<a href="b.html#there">b</a> <a href="https://example.org/">out</a>')
    (tmp_path / "b.html").write_text('<p id="there"><a href="a.html">a</a><img src="a.svg"></p>')
    assert links.broken(tmp_path) == (["b.html: a.svg"], 3)
    (tmp_path / "a.svg").write_text("")
    assert links.broken(tmp_path) == ([], 3)
    (tmp_path / "b.html").write_text('<p><a href="a.html">a</a></p>')
    assert links.broken(tmp_path) == (["a.html: b.html#there"], 2)


def test_figures_of_a_benchmark_become_a_table(computed, tmp_path, monkeypatch, capsys):
    tables = computed.tables
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    for first in ("1.5", "2.25"):  # the second run takes the place of the first
        tables.keep("speed", [f'{{"case": "rows", "ratio": {first}, "seconds": {{"median": 0.5}}}}\n', "a remark\n"])
    assert capsys.readouterr().out.count("a remark") == 2
    columns = {"times faster": "ratio: .1f", "time": "seconds.median: .2f s", "memory": "memory"}
    lines = ["|  | times faster | time | memory |", "|---|---|---|---|", "| rows | 2.2 | 0.50 s |  |", ""]
    assert tables.cases("speed", columns) == "\n".join(lines)


def test_tables_ask_for_figures_that_the_benchmarks_print(computed):
    for name, columns in computed.tables.COLUMNS.items():
        source = (ROOT / "benchmarks" / f"bench_{name}.py").read_text(encoding="utf-8")
        for key in columns.values():
            figure = re.sub(r"_(core|fast|xent|torch|optax|as_it_comes)$", "_", re.split(r"[.:]", key)[0])
            assert figure in source, f"bench_{name}.py prints no {key}"


def test_the_reference_has_every_public_name():
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "reference").glob("*.md"))
    errors = {name for name in xent.__all__ if name.endswith("Error")}
    assert ".. automodule:: xent.errors\n   :members:" in pages
    for module in ("xent.gaussian", "xent.torch", "xent.keras", "xent.sklearn", "xent.spark"):
        assert f".. automodule:: {module}\n   :members:" in pages
    for name in set(xent.__all__) - errors - {"__version__"}:
        assert re.search(rf"\bxent\.{name}\b", pages), f"{name} is not in docs/reference"


def test_the_memory_of_the_linear_loss_is_the_one_it_has():
    from xent.losses import linear

    said = {"options.md": (DOCS / "reference" / "options.md").read_text(encoding="utf-8")}
    said |= {
        function.__name__: function.__doc__ for function in (xent.linear_cross_entropy, xent.linear_row_statistics)
    }
    for text in said.values():
        assert re.findall(r"(\d+) M(?:iB|B)", text) == [str(linear.MAX_MEMORY >> 20)]
