"""Every worked example of the golden cases can be seen on the playground, with the numbers that the library gives."""

import math

import numpy as np
import pytest

import xent
from xent.explaining.given import floats_of
from xent.formulas import steps
from xent.report.figures import figure, signed
from xent.units import unit_base


def test_every_worked_example_is_a_preset(presets, cases):
    shown = [name for preset in presets for name in preset["cases"]]
    assert sorted(shown) == sorted(cases)
    assert len({preset["id"] for preset in presets}) == len(presets)


def given(preset, field, case):
    """What a preset puts in for a field of a case, in the shape the case has it in."""
    value = preset["inputs"][field]
    if field in ("p", "q") and preset["part"] == "two" and np.ndim(case) < 2:
        (value,) = value
    return [value] if field in ("z", "label") and np.ndim(case) > np.ndim(value) else value


def test_presets_put_in_what_the_examples_do(presets, cases):
    for preset in presets:
        for name, how in preset["cases"].items():
            case = cases[name]
            for field, own in how["inputs"].items():
                assert given(preset, own, case[field]) == case[field], name
            left_out = set(case) - set(how["inputs"]) - {"id", "op", "exact", "printed", "note"}
            assert left_out <= {"unit", "y"}, name
            if "y" in left_out:
                assert set(case["y"]) == {1}  # the curve is that of what happened
            if "unit" in left_out:
                assert case["unit"] == "nats"


def choose(page, preset):
    page.click(f"[data-preset={preset['id']}]")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_worked_examples_are_on_the_page(show, numbers, presets, cases, lang):
    page = show(lang=lang)
    for preset in presets:
        choose(page, preset)
        found = numbers(page)
        for name, how in preset["cases"].items():
            exact = np.atleast_1d(np.array(cases[name]["exact"], np.float64))
            got = [found[key] for key in how["shows"]]
            np.testing.assert_allclose([value for value, _ in got], exact, rtol=1e-12, atol=1e-12, err_msg=name)
            assert [text for _, text in got] == [figure(value) for value in exact], name


def of_two(inputs):
    base = unit_base(inputs["unit"])
    p, q = np.array(inputs["p"], float), np.array(inputs["q"], float)
    own, other = (x[0] if abs(x[0].sum() - 1.0) <= 1e-3 else x[0] / x[0].sum() for x in (p, q))
    expected = {}
    for side, (a, b) in {"forth": (own, other), "back": (other, own)}.items():
        expected[f"two.entropy.{side}"] = xent.entropy(a, base=base)
        expected[f"two.kl.{side}"] = xent.kl_divergence(a, b, base=base)
        expected[f"two.cross.{side}"] = xent.cross_entropy(a, b, base=base)
    for which, values in (("p", own), ("q", other)):
        expected |= {f"two.surprisal.{which}.{i}": xent.surprisal(x, base=base) for i, x in enumerate(values)}
    if len(p) > 1:
        labels = p.argmax(axis=1)
        expected["two.mean.given"] = xent.surprisal(np.take_along_axis(q, labels[:, None], 1), base=base).mean()
        expected["two.mean.divided"] = xent.evaluate(labels, q, normalize=True, unit=inputs["unit"]).loss
    return expected


def of_logits(inputs):
    z, label = np.array(inputs["z"], float), inputs["label"]
    loss, slopes = xent.value_and_grad(xent.softmax_cross_entropy)(z[None], [label])
    nats = [float(xent.softmax_cross_entropy(z[None], [j])) for j in range(len(z))]
    with np.errstate(over="ignore"):
        exps = steps.exponentials(z)
    columns = {
        "exp": exps,
        "softmax": [math.exp(-x) for x in nats],
        "plain": steps.plain_shares(z),
        "gradient": slopes["logits"][0],
    }
    expected = {f"logits.{name}.{j}": x for name, column in columns.items() for j, x in enumerate(column)}
    return expected | {
        "logits.loss": loss,
        "logits.bits": loss / math.log(2),
        "logits.given": math.exp(-nats[label]),
        "logits.uniform": math.log(len(z)),
    }


def of_curve(inputs):
    marks = inputs.get("marks", np.linspace(0.0, 1.0, 11).round(1))
    expected = {f"curve.mark.{i}": xent.surprisal(p) for i, p in enumerate(marks)}
    expected |= {"curve.nats": xent.surprisal(inputs["at"]), "curve.bits": xent.surprisal(inputs["at"], base=2)}
    clip = inputs["clip"] or None
    return expected | {"curve.clipped": xent.evaluate([1], [inputs["at"]], classes=[0, 1], clip=clip).loss}


def of_several(inputs):
    y, q = inputs["y"], inputs["q"]
    each = [xent.evaluate([one], [x], classes=[0, 1]).loss for one, x in zip(y, q, strict=True)]
    explained = xent.explain(multilabel=(y, q))
    expected = {f"several.cost.{i}": x for i, x in enumerate(each)}
    expected |= {f"several.gradient.{i}": x - one for i, (one, x) in enumerate(zip(y, q, strict=True))}
    mean = xent.evaluate(y, q, classes=[0, 1]).loss
    return expected | {"several.sum": explained.loss, "several.bits": explained.loss / math.log(2), "several.mean": mean,
                       "several.typical": math.exp(-mean)}  # fmt: skip


def of_float(inputs):
    logits = np.array([inputs["lead"], *[0.0] * (inputs["count"] - 1)])
    loss, slopes = xent.value_and_grad(xent.softmax_cross_entropy)(logits[None], [0])
    return {"float.exact.loss": loss, "float.exact.gradient": slopes["logits"][0, 0]}


EXPECTED = {"two": of_two, "logits": of_logits, "curve": of_curve, "several": of_several, "float": of_float}


@pytest.mark.parametrize("part", EXPECTED)
def test_every_preset_shows_the_numbers_of_the_library(show, numbers, presets, part):
    page = show()
    own = [preset for preset in presets if preset["part"] == part]
    assert len(own) >= 2
    for preset in own:
        choose(page, preset)
        assert page.get_attribute(f"[data-preset={preset['id']}]", "aria-pressed") == "true"
        found = numbers(page)
        expected = EXPECTED[part](preset["inputs"])
        for key, value in zip(expected, floats_of(expected.values()), strict=True):
            got, text = found[key]
            np.testing.assert_allclose(got, value, rtol=1e-12, atol=1e-15, err_msg=f"{preset['id']} {key}")
            assert text == (signed(value) if ".gradient." in key else figure(value)), (preset["id"], key)
        if part == "two":
            assert len([key for key in found if key.startswith("two.surprisal.")]) == 2 * len(preset["inputs"]["p"][0])


def test_the_float32_formulas_lose_what_the_library_keeps(show, numbers):
    page = show("#lead=16")
    found = numbers(page)
    logits = np.array([16.0, 0.0, 0.0], np.float32)
    assert found["float.shifted.loss"][0] == pytest.approx(float(steps.shifted_softmax_loss(logits, 0)), abs=1.3e-7)
    assert found["float.textbook.loss"][0] == pytest.approx(float(steps.naive_softmax_loss(logits, 0)), abs=1.3e-7)
    page.click("[data-preset=lead_20]")
    found = numbers(page)
    for way in ("shifted", "textbook"):
        assert found[f"float.{way}.loss"] == found[f"float.{way}.gradient"] == (0.0, "0")
    page.click("[data-preset=lead_90]")
    found = numbers(page)
    assert found["float.textbook.loss"][1] == "NaN"
    assert found["float.shifted.loss"][1] == "0"
    assert "not even a number" in page.inner_text("#float .reading")


def test_other_rows_of_an_example_can_be_seen(show, numbers):
    page = show()
    page.click("[data-preset=keras_rows]")
    assert "sums to 1.05" in page.inner_text("#two-off")
    assert "0.0513; divided by the sum: 0.1001 nats" in page.inner_text("#two-off")
    page.get_by_role("button", name="row 2").click()
    assert not page.is_visible("#two-off")
    assert numbers(page)["two.cross.forth"][1] == figure(-math.log(0.1))
    assert numbers(page)["two.mean.given"][1] == "1.1769"
    page.get_by_role("button", name="row 1").click()
    page.click("#two-divide")
    assert not page.is_visible("#two-off")
    assert numbers(page)["two.mean.given"][1] == numbers(page)["two.mean.divided"][1] == "1.2013"
