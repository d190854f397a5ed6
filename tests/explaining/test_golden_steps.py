"""The worked numbers of the source documents can be read off an explanation: to 1e-12 of `exact`, and as printed there."""

import json
import math
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest

import xent
from xent.report.figures import figure

CASES = json.loads((Path(__file__).parents[1] / "data" / "source_cases.json").read_text(encoding="utf-8"))
CUT_OFF_IDS = {"surprisal/0.01", "surprisal/0.001"}  # cut off after the last digit shown, not rounded


def of_logits(case):
    found = xent.explain(logits=case["x"], label=0)
    return found.step(case["op"]).values[case["op"]]


def pair(case):
    return xent.explain(p=case["p"], q=case["q"], unit=case["unit"])


def binary(case):
    return xent.explain(binary=(case["y"], case["q"]))


def keras(case, name):
    found = xent.compare_conventions(case["p"], case["q"], libraries=False)
    return found.step("values").values[name]


def by_op(case):
    match case["op"]:
        case "exp" | "softmax":
            return of_logits(case)
        case "softmax_cross_entropy":
            return xent.explain(logits=case["logits"][0], label=case["labels"][0]).loss
        case "surprisal" if np.ndim(case["p"]) == 0:
            return xent.explain(binary=(1, case["p"])).loss
        case "surprisal":
            return xent.explain(p=case["p"]).step("surprisal").values["surprisal_p"]
        case "entropy":
            return xent.explain(p=case["p"], unit=case["unit"]).loss
        case "kl_divergence":
            return pair(case).step("kl").values["kl"][0]
        case "cross_entropy":
            return pair(case).loss
        case "binary_terms" if case["id"].startswith("cat-frog"):
            return xent.explain(multilabel=(case["y"], case["q"])).step("costs").values["costs"]
        case "binary_terms":
            return binary(case).step("costs").values["costs"]
        case "binary_sum":
            return xent.explain(multilabel=(case["y"], case["q"])).loss
        case "binary_mean":
            return binary(case).loss
        case "plain_categorical_mean":
            return keras(case, "as_given")
        case "normalised_categorical_mean":
            return keras(case, "xent_normalized")
        case "clipped_surprisal":
            found = xent.explain(binary=(1, case["p"])).step("meaning")
            assert figure(case["exact"]) in found.text[0]
            return found.values["keras"]
    raise AssertionError(case["op"])


def rounded_as_printed(case, shown, printed):
    """What is shown, cut to the digits that the document prints."""
    value = Decimal(shown.replace("−", "-").replace(",", ""))
    expected = Decimal(str(printed))
    rounding = ROUND_DOWN if case["id"] in CUT_OFF_IDS else ROUND_HALF_UP
    if case["id"] in CUT_OFF_IDS:  # the explanation rounds to the same number of digits: one unit off at most
        return abs(value - expected) <= Decimal("0.0001")
    return value.quantize(expected, rounding) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_explanations_show_it(case):
    got, exact = np.atleast_1d(by_op(case)), np.atleast_1d(np.array(case["exact"], np.float64))
    np.testing.assert_allclose(got, exact, rtol=1e-12, atol=1e-12)
    if "printed" in case and "note" not in case:
        for value, printed in zip(got.tolist(), np.atleast_1d(case["printed"]).tolist(), strict=True):
            assert rounded_as_printed(case, figure(value), printed)


def test_numbers_of_the_issue_are_on_the_screen():
    text = str(xent.explain(logits=[4.334, 2.90, 0.01], label=0, names=["basketball", "tennis", "football"]))
    for part in ("76.2487", "18.1741", "1.0101", "95.4329", "0.7990", "0.1904", "0.0106", "0.2244 nats", "0.3238 bits"):
        assert part in text
    text = str(xent.explain(p=[0.10, 0.40, 0.50], q=[0.80, 0.15, 0.05], unit="bits"))
    for part in ("3.2879", "1.3610", "1.9270", "2.9058", "0.8842", "2.0216"):
        assert part in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (math.inf, "∞"), (-math.inf, "−∞"), (1e-3, "0.0010"), (9.9e-4, "9.900×10⁻⁴"), (1e6, "1.000×10⁶"),
     (-1234.5, "−1,234.5000"), (math.nan, "NaN"), (None, "")],
)  # fmt: skip
def test_figures(value, shown):
    assert figure(value) == shown
