"""The numbers of the steps against mpmath, identities and finite differences."""

import json
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xent
from xent.formulas import steps as arithmetic
from xent.report.figures import figure

finite = st.floats(-60, 60, allow_nan=False)
rows_of_logits = st.lists(finite, min_size=2, max_size=6)


def distributions(size):
    weights = st.lists(st.integers(0, 20), min_size=size, max_size=size).filter(any)
    return weights.map(lambda w: [x / sum(w) for x in w])


pairs = st.integers(2, 6).flatmap(lambda n: st.tuples(distributions(n), distributions(n)))


def precise_nats(logits, label):
    with mpmath.workdps(60):
        z = [mpmath.mpf(x) for x in logits]
        return mpmath.log(mpmath.fsum(mpmath.exp(x - z[label]) for x in z))


@given(rows_of_logits, st.integers(0, 100))
def test_logits(logits, number):
    label = number % len(logits)
    found = xent.explain(logits=logits, label=label)
    truth = precise_nats(logits, label)
    assert found.loss == pytest.approx(float(truth), rel=1e-13, abs=1e-300)
    p = found.step("softmax").values["softmax"]
    assert math.fsum(p) == pytest.approx(1.0, rel=1e-13)
    for j in range(len(logits)):
        assert p[j] == pytest.approx(float(mpmath.exp(-precise_nats(logits, j))), rel=1e-12, abs=1e-300)
    gradient = found.step("gradient").values["gradient"]
    assert gradient == pytest.approx([q - (j == label) for j, q in enumerate(p)], abs=1e-12)
    exp = found.step("exp").values
    assert exp["sum"] == pytest.approx(float(mpmath.fsum(map(mpmath.exp, logits))), rel=1e-13)
    assert [e / exp["sum"] for e in exp["exp"]] == pytest.approx(list(p), rel=1e-12)


@given(rows_of_logits)
def test_moves_are_those_of_the_loss(logits):
    moves = xent.explain(logits=logits, label=0).step("moves").values
    for j in range(len(logits)):
        for name, change in (("up", 0.1), ("down", -0.1)):
            moved = [x + change * (i == j) for i, x in enumerate(logits)]
            assert moves[name][j] == pytest.approx(float(precise_nats(moved, 0)), rel=1e-12, abs=1e-300)


@given(pairs)
def test_two_distributions(both):
    p, q = both
    found = xent.explain(p=p, q=q, unit="bits")
    with mpmath.workdps(40):
        terms = [mpmath.mpf(a) * -mpmath.log(b, 2) if b else mpmath.inf for a, b in zip(p, q, strict=True) if a]
        cross = mpmath.fsum(terms) if mpmath.inf not in terms else mpmath.inf
        entropy = mpmath.fsum(-mpmath.mpf(a) * mpmath.log(a, 2) for a in p if a)
    assert found.loss == pytest.approx(float(cross), rel=1e-12, abs=1e-15)
    assert found.step("entropy").values["entropy_p"] == pytest.approx(float(entropy), rel=1e-12, abs=1e-15)
    forth, back = found.step("kl").values["kl"]
    assert forth == pytest.approx(float(cross - entropy), rel=1e-9, abs=1e-12)
    assert back == pytest.approx(xent.explain(p=q, q=p, unit="bits").step("kl").values["kl"][0], rel=1e-15)
    assert math.fsum(found.step("cross_entropy").values["terms"]) == pytest.approx(float(cross), rel=1e-12, abs=1e-15)
    assert ("∞" in found.title) == (cross == mpmath.inf)


@given(st.lists(st.tuples(st.sampled_from([0, 1, 0.25]), st.floats(1e-9, 1 - 1e-9)), min_size=1, max_size=5))
def test_binary_is_the_cross_entropy_of_two_outcomes(rows):
    y, q = zip(*rows, strict=True)
    found = xent.explain(binary=(list(y), list(q)))
    costs = found.step("costs").values["costs"]
    with mpmath.workdps(40):
        truth = [float(-(a * mpmath.log(b) + (1 - a) * mpmath.log(1 - mpmath.mpf(b)))) for a, b in rows]
    assert costs == pytest.approx(truth, rel=1e-13)
    assert found.loss == pytest.approx(sum(truth) / len(truth), rel=1e-13)
    assert xent.explain(multilabel=(list(y), list(q))).loss == pytest.approx(sum(truth), rel=1e-13)
    assert found.step("costs").values["gradient"] == pytest.approx([b - a for a, b in rows], abs=1e-15)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=5), st.floats(0.1, 5))
def test_gaussians_are_densities(rows, std):
    values, guesses = map(list, zip(*rows, strict=True))
    found = xent.explain(gaussian=(values, guesses), std=std)
    with mpmath.workdps(30):
        truth = [float(-mpmath.log(mpmath.npdf(y, guess, std))) for y, guess in rows]
    assert found.step("costs").values["costs"] == pytest.approx(truth, rel=1e-11, abs=1e-12)
    assert found.loss == pytest.approx(sum(truth) / len(truth), rel=1e-11, abs=1e-12)
    parts = found.step("spread").values
    if parts:
        assert parts["entropy"] + parts["kl"] == pytest.approx(found.loss, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("label", [0, 1])
def test_float32_is_shown_where_formulas_part(label):
    logits = [40.0, 0.0, 0.0]
    ways = xent.explain(logits=logits, label=label).step("float32").values if label == 0 else None
    if ways is None:  # a large loss loses nothing
        with pytest.raises(xent.OptionError, match="there is no step 'float32'; the steps are logits, exp"):
            xent.explain(logits=logits, label=label).step("float32")
        return
    truth = float(precise_nats(logits, label))
    assert ways["naive"] == ways["shifted"] == 0.0
    assert ways["xent"] == pytest.approx(truth, rel=1e-6)
    assert ways["exact"] == pytest.approx(truth, rel=1e-13)


def test_overflow_of_exp_is_shown_and_explained():
    found = xent.explain(logits=[1000.0, 999.0], label=1)
    assert found.step("exp").values["exp"] == (math.inf, math.inf)
    assert "exp(z − max z)" in found.step("exp").table.header
    assert found.loss == pytest.approx(float(precise_nats([1000.0, 999.0], 1)), rel=1e-15)
    assert math.isnan(found.step("float32").values["naive"])


def test_impossible_classes_cost_infinity_and_it_is_explained():
    found = xent.explain(logits=[-math.inf, 0.0], label=0)
    assert found.loss == math.inf
    assert "probability 0" in found.step("loss").text[-1]
    found = xent.explain(p=[0.1, 0.4, 0.5], q=[0.5, 0.5, 0.0], names=["red", "green", "blue"])
    assert found.loss == math.inf
    assert found.step("cross_entropy").text[1].startswith("Q gives probability 0 to blue, and P does not.")
    assert "no word at all" in found.step("reading").text[0]
    found = xent.explain(binary=([1, 0], [0.0, 0.2]))
    assert found.loss == math.inf
    for clipped in (1e-7, 2.0**-52):
        assert f"{-math.log(clipped):.4f}" in found.step("meaning").text[0]


def test_what_never_happens_is_free():
    found = xent.explain(p=[0.5, 0.5, 0.0], q=[0.5, 0.5, 0.0])
    assert found.loss == pytest.approx(math.log(2), rel=1e-15)
    assert "0 × log 0 counts as 0" in found.step("cross_entropy").text[-1]


def test_a_label_is_a_distribution_that_is_certain():
    one = xent.explain(q=[0.3, 0.6, 0.1], label="frog", names=["cat", "frog", "mouse"])
    assert one.loss == xent.explain(p=[0, 1, 0], q=[0.3, 0.6, 0.1]).loss == pytest.approx(-math.log(0.6), rel=1e-15)
    assert one.step("costs").values["costs"] == pytest.approx([-math.log(x) for x in (0.3, 0.6, 0.1)], rel=1e-15)


def test_many_classes_show_the_likeliest_and_the_label():
    logits = np.linspace(0.0, 5.0, 1000)
    found = xent.explain(logits=logits, label=3)
    names = [row[0] for row in found.step("softmax").table.rows]
    assert names == ["class 3", *(f"class {k}" for k in range(989, 1000)), "988 others"]
    assert len(found.step("softmax").values["softmax"]) == 1000


def test_naive_formulas_are_the_textbook_ones():
    z = np.array([1.0, 2.0, 3.0])
    truth = float(precise_nats(z, 0))
    assert float(arithmetic.naive_softmax_loss(z, 0)) == pytest.approx(truth, rel=1e-14)
    assert float(arithmetic.shifted_softmax_loss(z, 0)) == pytest.approx(truth, rel=1e-14)
    assert arithmetic.plain_shares(z).tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6], rel=1e-15)
    assert float(arithmetic.improbabilities(np.array(1e-20))) == pytest.approx(1e-20, rel=1e-15)


def test_plain_division_is_answered_with_the_numbers():
    text = xent.explain(logits=[4.0, -1.0], label=0).step("softmax").text[1]
    assert text.endswith("with a negative logit that gives −0.3333 for class 1, which is no probability.")
    assert xent.explain(logits=[1.0, -1.0], label=0).step("softmax").text[1].endswith("the logits here sum to 0.")
    text = xent.explain(logits=[4.334, 2.9, 0.01], label=0).step("softmax").text[1]
    for value in (4.334 / 7.244, 5.334 / 10.244):
        assert f"{value:.4f}" in text


def test_json_has_every_step():
    found = json.loads(xent.explain(p=[1, 0], q=[0, 1]).json())
    assert found["loss"] == "inf"
    assert [step["name"] for step in found["steps"]][:3] == ["distributions", "surprisal", "entropy"]


def test_extremes_are_explained_or_refused():
    assert xent.explain(logits=[1e99, -1e99], label=1).loss == 2e99
    with pytest.raises(xent.ProbabilityError, match="mse is inf"):
        xent.explain(gaussian=(1e200, 0.0))
    for logits, why in (([1.0, -1.0], "sum to 0."), ([-math.inf, 1.0], "−∞ has no share of a sum.")):
        step = xent.explain(logits=logits, label=1).step("softmax")
        assert step.text[1].endswith(why)
        assert step.table.rows[0][2] == "–"
    assert xent.explain(multilabel=(1, 0.5)).title == "cross-entropy of a row with one label: 0.6931 nats"
    assert xent.explain(logits=[0.0, 1.0], label=np.int64(1)).loss == pytest.approx(math.log1p(math.exp(-1)), rel=1e-15)


def moved_by(difference, at, step=1e-6):
    """The slope of a function by central differences."""
    return (difference(at + step) - difference(at - step)) / (2 * step)


def test_the_unit_holds_in_every_step():
    nats, bits = (xent.explain(logits=[20.0, 1.0, 0.0], label=0, unit=unit) for unit in ("nats", "bits"))
    one = 1 / math.log(2)
    for step, names in {"log": ["log"], "gradient": ["gradient"], "moves": ["up", "down"],
                        "float32": ["exact", "xent", "shifted"]}.items():  # fmt: skip
        for name in names:
            expected = np.multiply(nats.step(step).values[name], one)
            np.testing.assert_allclose(bits.step(step).values[name], expected, rtol=1e-12)
        assert "nats" not in str(bits.step(step).table) + " ".join(bits.step(step).text).replace("That is in nats", "")
    assert bits.title.startswith(f"softmax cross-entropy: {figure(bits.loss)} bits = {figure(nats.loss)} nats")


@pytest.mark.parametrize("y", [0, 1, 0.25])
def test_the_last_column_is_how_the_cost_in_that_unit_changes_with_the_logit(y):
    for unit in ("nats", "bits"):
        cost = lambda z: xent.explain(binary=(y, 1 / (1 + math.exp(-z))), unit=unit).loss  # noqa: B023, E731
        z = math.log(0.8 / 0.2)
        shown = xent.explain(binary=(y, 0.8), unit=unit).step("costs").values["gradient"][0]
        assert shown == pytest.approx(moved_by(cost, z), rel=1e-6)
    assert xent.explain(binary=(1, 0.8), unit="bits").step("costs").table.rows[0][-1] == "−0.2885"


def test_a_loss_below_the_least_number_is_said_to_be_there():
    found = xent.explain(logits=[1e5, 0.0, 0.0], label=0)
    assert found.step("loss").text[-1].startswith("The loss is above 0, but below 4.941×10⁻³²⁴")
    assert found.step("float32").table.rows[0][1] == "below 4.941×10⁻³²⁴"
    found = xent.explain(logits=[300.0, 0.0, 0.0], label=0)
    assert found.step("float32").values["exact"] == pytest.approx(2 * math.exp(-300), rel=1e-12)
    assert found.step("float32").text[-1].startswith("The smallest number that float32 holds is 1.401×10⁻⁴⁵.")
    assert "above 0" not in xent.explain(logits=[0.0, -math.inf], label=0).step("loss").text[-1]


def test_many_classes_do_not_come_to_0_where_few_do():
    logits = [18.0] + [0.0] * 999
    found = xent.explain(logits=logits, label=0).step("float32")
    assert found.values["exact"] == pytest.approx(float(precise_nats(logits, 0)), rel=1e-12)
    assert found.values["shifted"] == pytest.approx(found.values["exact"], rel=0.05)
    assert not any("0, so is the gradient" in text for text in found.text)
