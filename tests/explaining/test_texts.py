"""No text is missing in either language, each has the same blanks, and none is left over."""

import copy
import pickle
import re
import string
from pathlib import Path

import pytest

import xent
from xent.texts.catalogue import CATALOGUES, LANGUAGES, counted, language_of, said, sentence, text

SOURCE = Path(__file__).parents[2] / "src" / "xent"
NAMES = sorted(CATALOGUES["en"])


def blanks(sentence):
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_both_languages_have_the_same_texts():
    assert len(LANGUAGES) == 2
    assert sorted(CATALOGUES["zh"]) == NAMES


def test_translations_have_the_same_blanks_and_are_in_their_language():
    for name in NAMES:
        english, chinese = CATALOGUES["en"][name], CATALOGUES["zh"][name]
        assert blanks(english) == blanks(chinese), name
        assert not re.search(r"[一-鿿）][,;:?!]", chinese), name
        assert not re.search(r"[一-鿿，。；：？]", english), name
        assert bool(english.strip()) == bool(chinese.strip()) or name == "space", name
        if " " in english and "." in english and len(english) > 60:
            assert re.search(r"[一-鿿]", chinese), name


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_topic_writes_a_name_twice(lang):
    from importlib import import_module

    topics = [path.stem for path in (SOURCE / "texts" / lang).glob("*.py") if path.stem != "__init__"]
    modules = [import_module(f"xent.texts.{lang}.{topic}").TEXTS for topic in topics]
    assert sum(map(len, modules)) == len(CATALOGUES[lang])


def test_every_text_is_used():
    paths = [path for end in ("*.py", "*.jinja", "*.js") for path in SOURCE.rglob(end) if "texts" not in path.parts]
    code = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    asked = set(re.findall(r'["\']([a-z_0-9]+(?:\.[a-z_0-9]+)*)["\']', code))
    asked |= {f"{name}.one" for name in re.findall(r'counted\(\s*"([a-z_.]+)"', code)}
    asked |= {
        f"{name}.one" for name in asked if name.startswith(("count.", "found.softmax", "found.sigmoid", "found.r"))
    }
    made = re.findall(r'f"((?:[a-z_0-9]*\.|\{one\}\.)(?:[a-z_0-9.]|\{[^}"]*\})*)"', code)  # f"unit.{unit}"
    made += [f"{start}{{}}" for start in re.findall(r'"([a-z_.]+[._]?)" ~ ', code)]  # "unit." ~ unit
    made += ["small_{}", "unit.{}"]
    made += [
        f"{start}{{}}{end}" for start, end in re.findall(r"`(explore\.[a-z_.]*)\$\{[^}]+\}([a-z_.]*)`", code)
    ]  # in JavaScript
    made += [
        f"{start}{{}}{end}"
        for start, end in re.findall(r'"(explore\.[a-z_.]*)" ~ [\w.()|]+ ?(?:~ "([a-z_.]*)")?', code)
    ]
    patterns = [re.compile(re.sub(r"\\\{[^}]*\\\}", "[a-z_0-9.]*", re.escape(name)) + "$") for name in made]
    unused = [name for name in NAMES if name not in asked and not any(one.match(name) for one in patterns)]
    assert not unused


def test_what_templates_ask_for_is_there():
    for path in SOURCE.rglob("*.jinja"):
        for name in re.findall(r'(?:say|tell|there)\("([a-z_.0-9]+)"[,)]', path.read_text(encoding="utf-8")):
            assert name in CATALOGUES["en"], (path.name, name)


def test_a_sentence_is_text_that_can_be_said_in_the_other_language():
    found = sentence("verdict.infinite", rows=counted("rows", 1), whole=1200)
    assert isinstance(found, str)
    assert said(found, "en") == found == str(found)
    for copied in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert (copied, said(copied, "zh")) == (found, said(found, "zh"))
    assert said((sentence("check.nan"), "x"), "en") == "no NaN, x"
    assert said("no sentence", "zh") == "no sentence"


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


def test_chinese_has_no_space_between_its_own_characters_and_no_space_before_percent():
    total = text("zh", "multilabel.loss.text", sum="0.6852", unit=text("zh", "unit.nats"), mean="0.2284", labels=3)
    assert "总和 0.6852 奈特是整行的信息量" in total
    assert text("zh", "compare.side", name=text("zh", "compare.first")) == "前者较好"
    assert text("zh", "compare.side", name="a.csv") == "a.csv 较好"
    assert text("zh", "compare.side", name="猫 狗") == "猫 狗较好"  # a name stays as it is
    for name in NAMES:
        assert not re.search(r"[\d}] %", CATALOGUES["zh"][name]), name
