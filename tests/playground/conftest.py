"""The playground in headless Chromium: nothing may go wrong on it, nor ask for the network."""

import json
from pathlib import Path

import pytest

import xent

SOURCE = Path(xent.__file__).parent / "playground"


@pytest.fixture(scope="session")
def presets():
    return json.loads((SOURCE / "presets.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def cases():
    text = (Path(__file__).parents[1] / "data" / "source_cases.json").read_text(encoding="utf-8")
    return {case["id"]: case for case in json.loads(text)}


@pytest.fixture(scope="module")
def compute(browser):
    """The value of an expression in JavaScript, of `arithmetic`, `figures` and arguments x[0], x[1] …"""
    page = browser.new_page()
    for name in ("arithmetic", "figures"):
        page.add_script_tag(content=(SOURCE / f"{name}.js").read_text(encoding="utf-8"))
    yield lambda expression, *x: page.evaluate(f"(x) => {expression}", list(x))
    page.close()


@pytest.fixture
def show(contexts, tmp_path):
    """Show the playground with something after # in its address; at the end, nothing may have gone wrong."""
    pages, troubles, requests, files = [], [], [], set()

    def show(fragment="", lang="en", **options):
        path = xent.explore(tmp_path / f"{lang}.html", lang=lang, open_browser=False)
        files.add(path.as_uri())
        page = contexts(**options).new_page()
        pages.append(page)
        page.set_default_timeout(5000)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url.partition("#")[0]))
        page.goto(path.as_uri() + fragment)
        return page

    yield show
    for page in pages:
        page.close()
    assert troubles == []
    assert set(requests) - {"data:,"} == files


@pytest.fixture(scope="session")
def numbers():
    """All numbers of a page by their keys: in full, and as they are written."""

    def numbers(page):
        found = page.eval_on_selector_all(
            "[data-value]", "all => all.map(e => [e.dataset.key, e.dataset.value, e.textContent])"
        )
        assert len({key for key, _, _ in found}) == len(found)
        return {key: (float(value), text) for key, value, text in found}

    return numbers
