"""No text is missing in either language, each has the same blanks, and none is left over."""

import re
import string
from pathlib import Path

import pytest

import xent
from xent.texts.catalogue import CATALOGUES, LANGUAGES, language_of, text

SOURCE = Path(__file__).parents[2] / "src" / "xent"
NAMES = sorted(CATALOGUES["en"])


def blanks(sentence):
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_both_languages_have_the_same_texts():
    assert len(LANGUAGES) == 2
    assert sorted(CATALOGUES["zh"]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_translations_have_the_same_blanks_and_are_in_their_language(name):
    english, chinese = CATALOGUES["en"][name], CATALOGUES["zh"][name]
    assert blanks(english) == blanks(chinese)
    assert not re.search(r"[一-鿿，。；：？]", english)
    assert bool(english.strip()) == bool(chinese.strip()) or name == "space"
    if " " in english and "." in english and len(english) > 60:
        assert re.search(r"[一-鿿]", chinese)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_topic_writes_a_name_twice(lang):
    from importlib import import_module

    topics = [path.stem for path in (SOURCE / "texts" / lang).glob("*.py") if path.stem != "__init__"]
    modules = [import_module(f"xent.texts.{lang}.{topic}").TEXTS for topic in topics]
    assert sum(map(len, modules)) == len(CATALOGUES[lang])


def test_every_text_is_used():
    files = [path for part in ("explaining", "report") for path in (SOURCE / part).glob("*.py")]
    files += [path for path in (SOURCE / "playground").iterdir() if path.suffix in {".js", ".jinja", ".py"}]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    asked = set(
        re.findall(r'["\']([a-z_0-9]+(?:\.[a-z_0-9]+)+|space|class|outcome|row|others|sum|mean|read)["\']', code)
    )
    patterns = [re.compile(re.sub(r"\\\{[^}]*\\\}", "[a-z_0-9.]*", re.escape(name)) + "$")
                for name in re.findall(r'f"([a-z_.0-9]+\.[^"\s]*\{[^"\s]*\}[^"\s]*)"', code)]  # fmt: skip
    joined = re.findall(r"`(explore\.[a-z_.]*)\$\{[^}]+\}([a-z_.]*)`", code)  # in JavaScript
    joined += re.findall(r'"(explore\.[a-z_.]*)" ~ [\w.()|]+ ?(?:~ "([a-z_.]*)")?', code)  # in a template
    patterns += [re.compile(f"{re.escape(first)}[a-z_0-9]+{re.escape(last)}$") for first, last in joined]
    unused = [name for name in NAMES if name not in asked and not any(one.match(name) for one in patterns)]
    assert unused == []


def test_an_unknown_language_is_refused():
    with pytest.raises(xent.OptionError, match="lang is 'fr', but must be one of 'en', 'zh'"):
        text("fr", "sum")


@pytest.mark.parametrize(
    ("environment", "lang"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh"}, "zh"),
        ({"LANG": "zh-Hans"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "", "LC_MESSAGES": "zh_CN"}, "zh"),
    ],
)
def test_the_language_is_that_of_the_environment(environment, lang):
    assert language_of(environment) == lang


EVERYTHING = {
    "logits": {"logits": [40.0, -2.0, 0.0], "label": 0},
    "overflow": {"logits": [1000.0, 0.0], "label": 0},
    "impossible": {"logits": [-float("inf"), 0.0, 1.0], "label": 0},
    "pair": {"p": [0.1, 0.4, 0.5], "q": [0.8, 0.2, 0.0]},
    "free": {"p": [0.0, 1.0], "q": [0.5, 0.5], "unit": "bits"},
    "one": {"p": [0.5, 0.5]},
    "label": {"q": [0.7, 0.3, 0.0], "label": 2},
    "binary": {"binary": (1, 0.8)},
    "rows": {"binary": ([1, 0, 1], [0.8, 0.9, 0.0])},
    "multilabel": {"multilabel": ([0, 1, 1], [0.1, 0.7, 0.8])},
    "gaussian": {"gaussian": ([1.0, 2.0], [1.5, 1.5]), "unit": "bits"},
    "exact": {"gaussian": ([1.0], [1.0]), "std": 0.1},
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_languages_say_the_same_numbers(name):
    english, chinese = (xent.explain(**EVERYTHING[name], lang=lang) for lang in LANGUAGES)
    assert repr([step.values for step in english.steps]) == repr([step.values for step in chinese.steps])
    assert [step.name for step in english.steps] == [step.name for step in chinese.steps]
    assert not re.search(r"[一-鿿]", str(english))
    for step in chinese.steps:
        assert all(re.search(r"[一-鿿]", paragraph) for paragraph in step.text)
