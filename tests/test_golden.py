"""The worked numbers of the source documents: to 1e-12 of `exact`, and as `printed` there unless a note says why not."""

import json
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest

import xent
from xent import information
from xent.units import unit_base

CASES = json.loads((Path(__file__).parent / "data" / "source_cases.json").read_text(encoding="utf-8"))

DEFINITIONS = {"exp", "softmax", "softmax_cross_entropy", "surprisal", "entropy", "cross_entropy", "kl_divergence"}

# The document cut these off after the last digit it shows, 4.60517 to 4.6051, instead of rounding them.
CUT_OFF_IDS = {"surprisal/0.01", "surprisal/0.001"}


def softmax(logits):
    weights = np.exp(np.asarray(logits))
    return weights / weights.sum()


def value(case):
    """Give what xent says of a case; of a softmax, through the surprisal of its probabilities."""
    base = unit_base(case.get("unit", "nats"))
    match case["op"]:
        case "exp":
            # x = log w for weights w: the surprisal of 1/w
            reciprocals = np.exp(-np.asarray(case["x"]))
            return np.exp(information.surprisal(reciprocals))
        case "softmax":
            return np.exp(-information.surprisal(softmax(case["x"])))
        case "softmax_cross_entropy":
            (logits,), (label,) = case["logits"], case["labels"]
            one_hot = np.eye(len(logits))[label]
            assert information.surprisal(softmax(logits)[label]) == pytest.approx(case["exact"], abs=1e-12)
            return information.cross_entropy(one_hot, softmax(logits), base=base)
        case "surprisal":
            return information.surprisal(case["p"], base=base)
        case "entropy":
            return information.entropy(case["p"], base=base)
        case op:
            return getattr(information, op)(case["p"], case["q"], base=base)


def assert_holds(case, got):
    got = np.atleast_1d(got)
    truth = np.atleast_1d(np.array(case["exact"], np.float64))  # "inf" is read as infinity
    np.testing.assert_allclose(got, truth, rtol=1e-12, atol=1e-12)
    if "printed" not in case or "note" in case:
        return
    rounding = ROUND_DOWN if case["id"] in CUT_OFF_IDS else ROUND_HALF_UP
    for number, printed in zip(got.tolist(), np.atleast_1d(case["printed"]).tolist(), strict=True):
        shown = Decimal(str(printed))
        assert Decimal(number).quantize(shown, rounding) == shown


@pytest.mark.parametrize("case", [case for case in CASES if case["op"] in DEFINITIONS], ids=lambda case: case["id"])
def test_definitions(case):
    assert_holds(case, value(case))


def binary_terms(case):
    return [xent.evaluate([y], [q], classes=[0, 1]).loss for y, q in zip(case["y"], case["q"], strict=True)]


def label_terms(case):
    return [one.loss for one in xent.evaluate([case["y"]], [case["q"]], task="multilabel").by_class]


def plain(case):
    """The first row sums to 1.05, which `evaluate` refuses; the surprisals of what happened are those of the document."""
    with pytest.raises(xent.ProbabilityError, match=r"row 0 sums to 1\.05, not 1"):
        xent.evaluate(case["p"], case["q"])
    given = [q[p.index(1)] for p, q in zip(case["p"], case["q"], strict=True)]
    return xent.surprisal(given).mean()


JUDGED = {
    "softmax-steps/loss-right-class": lambda c: xent.evaluate(c["labels"], c["logits"], kind="logits").loss,
    "softmax-steps/loss-wrong-class": lambda c: xent.evaluate(c["labels"], c["logits"], kind="logits").loss,
    "cat-frog-mouse/single-label": lambda c: xent.evaluate([c["p"]], [c["q"]]).loss,
    "cat-frog-mouse/multi-label-terms": label_terms,
    "cat-frog-mouse/multi-label-sum": lambda c: xent.evaluate([c["y"]], [c["q"]], task="multilabel").loss,
    "ten-examples/each": binary_terms,
    "ten-examples/mean": lambda c: xent.evaluate(c["y"], c["q"]).loss,
    "curve/q": binary_terms,
    "keras/plain": plain,
    "keras/rows-normalised": lambda c: xent.evaluate(c["p"], c["q"], normalize=True).loss,
    "keras/clip-1e-7": lambda c: xent.evaluate([1], [c["p"]], classes=[0, 1], clip=c["eps"]).loss,
}


@pytest.mark.parametrize("name", JUDGED)
def test_judgements(name):
    case = next(case for case in CASES if case["id"] == name)
    assert_holds(case, JUDGED[name](case))


def test_every_case_is_tried():
    assert {case["id"] for case in CASES if case["op"] not in DEFINITIONS} <= set(JUDGED)
