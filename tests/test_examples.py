"""Every example in docstrings, README and docs runs and prints what it says."""

import doctest
import importlib
import shlex
from pathlib import Path

import pytest

from xent import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = [
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "src" / "xent").rglob("*.py"))
]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("module", MODULES)
def test_docstrings(module):
    assert doctest.testmod(importlib.import_module(module), optionflags=OPTIONS).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_in_pages(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert doctest.testfile(str(page), module_relative=False, optionflags=OPTIONS, encoding="utf-8").failed == 0


def consoles():
    """Every block of the pages that begin with `$ xent`, and what follows."""
    for page in PAGES:
        for block in page.read_text(encoding="utf-8").split("```console\n")[1:]:
            command, _, shown = block.partition("```")[0].partition("\n")
            if command.startswith("$ xent "):
                yield pytest.param(command.removeprefix("$ xent "), shown, id=f"{page.relative_to(ROOT)}: {command}")


@pytest.mark.parametrize(("command", "shown"), list(consoles()))
def test_commands_in_pages(command, shown, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")  # the pages are in English where no --lang is given
    cli.main(shlex.split(command))
    printed = capsys.readouterr().out
    assert [line.rstrip() for line in printed.splitlines()] == [line.rstrip() for line in shown.splitlines()]
