"""`xent.explore` and `xent explore`: the page is written, opened where it can be, and its place is said."""

import json
import re
import webbrowser

import pytest

import xent
from xent import cli
from xent.playground.explore import PAGE
from xent.texts.catalogue import CATALOGUES, LANGUAGES


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    """What was opened in the browser, which is none."""
    found = []
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(webbrowser, "open", lambda address: found.append(address) or True)
    return found


def run(capsys, *arguments):
    status = cli.main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


def test_the_page_is_written_and_opened(tmp_path, opened):
    path = xent.explore(tmp_path / "a page.html")
    assert path == tmp_path / "a page.html"
    assert opened == [path.as_uri()]
    assert path.read_text(encoding="utf-8").startswith('<!DOCTYPE html>\n<html lang="en">')


def test_it_goes_where_one_is(tmp_path, opened, monkeypatch):
    monkeypatch.chdir(tmp_path)
    xent.explore(open_browser=False)
    assert [path.name for path in tmp_path.iterdir()] == [PAGE]
    assert opened == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_it_starts_in_its_language_and_has_both(tmp_path, lang):
    page = xent.explore(tmp_path / "a.html", lang=lang, open_browser=False).read_text(encoding="utf-8")
    assert f"<title>{CATALOGUES[lang]['explore.title']}</title>" in page
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1])
    for code in LANGUAGES:
        assert data["texts"][code] == {
            name: text for name, text in CATALOGUES[code].items() if name.startswith(("explore.", "rule."))
        }
    assert data["lang"] == lang


def test_what_is_refused(tmp_path, opened):
    with pytest.raises(xent.OptionError, match="lang is 'fr', but must be one of 'en', 'zh'"):
        xent.explore(tmp_path / "a.html", lang="fr")
    with pytest.raises(xent.SourceError, match="the page cannot be written to"):
        xent.explore(tmp_path / "not there" / "a.html")
    assert opened == []


def test_the_command(capsys, tmp_path, opened):
    path = tmp_path / "a.html"
    assert run(capsys, "explore", "-o", path) == (0, f"The playground is in {path}\n", "")
    assert opened == [path.as_uri()]
    assert run(capsys, "explore", "--output", path, "--no-open") == (0, f"The playground is in {path}\n", "")
    assert len(opened) == 1
    assert path.read_bytes() == xent.explore(tmp_path / "b.html", open_browser=False).read_bytes()


@pytest.mark.parametrize("trouble", [lambda _: False, lambda _: (_ for _ in ()).throw(webbrowser.Error("no browser"))])
def test_where_there_is_no_browser_it_says_where_the_page_is(capsys, tmp_path, monkeypatch, trouble):
    monkeypatch.setattr(webbrowser, "open", trouble)
    status, out, err = run(capsys, "explore", "-o", tmp_path / "a.html")
    assert (status, err) == (0, "")
    assert out.splitlines()[1] == f"No browser could be opened. Open this in one: {(tmp_path / 'a.html').as_uri()}"


@pytest.mark.parametrize(
    ("environment", "lang", "found"),
    [({}, [], "en"), ({"LANG": "zh_CN.UTF-8"}, [], "zh"), ({"LANG": "zh_CN.UTF-8"}, ["--lang", "en"], "en"), ({}, ["--lang", "zh"], "zh"),
     ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, [], "en")],
)  # fmt: skip
def test_the_language_is_that_of_the_environment(capsys, tmp_path, monkeypatch, environment, lang, found):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    run(capsys, "explore", "-o", tmp_path / "a.html", "--no-open", *lang)
    assert (
        CATALOGUES[found]["explore.title"] in (tmp_path / "a.html").read_text(encoding="utf-8").partition("<style>")[0]
    )


def test_a_place_that_cannot_be_written_to_is_refused(capsys, tmp_path, opened):
    status, out, err = run(capsys, "explore", "-o", tmp_path / "not there" / "a.html")
    assert (status, out, opened) == (2, "", [])
    assert err.startswith("xent: SourceError: the page cannot be written to")
