"""The page's arithmetic against mpmath and the library, in the browser that runs it."""

import math

import mpmath
import numpy as np
import pytest

import xent
from xent.formulas import conventions, steps
from xent.report.figures import figure, signed
from xent.report.thumb import RULE, rule_of_thumb
from xent.texts.catalogue import text

LEADS = [0.0, 0.5, 1.0, 8.0, 15.5, 16.0, 16.5, 17.0, 17.5, 20.0, 40.0, 88.0, 89.0, 100.0, 1000.0]


def distributions():
    random = np.random.default_rng(0)
    for classes in (2, 3, 7, 12):
        p, q = random.dirichlet(np.ones(classes)), random.dirichlet(np.ones(classes))
        yield p, q
        yield p, p * (1.0 + 1e-9 * random.normal(size=classes))  # where the plain formula has no digit right
        yield p, p
        yield np.eye(classes)[0], q
        yield p, np.append(q[:-1] / q[:-1].sum(), 0.0)
        yield np.append(p[:-1] / p[:-1].sum(), 0.0), q


def exact(p, q):
    """Entropy, cross-entropy and Σ p·log(p/q) − p + q, at 50 digits."""
    with mpmath.workdps(50):
        p, q = [mpmath.mpf(float(x)) for x in p], [mpmath.mpf(float(x)) for x in q]
        infinite = any(x > 0 and y == 0 for x, y in zip(p, q, strict=True))
        cross = mpmath.inf if infinite else -sum(x * mpmath.log(y) for x, y in zip(p, q, strict=True) if x)
        kl = (
            mpmath.inf
            if infinite
            else sum((x * mpmath.log(x / y) if x else 0) - x + y for x, y in zip(p, q, strict=True))
        )
        return tuple(map(float, (-sum(x * mpmath.log(x) for x in p if x), cross, kl)))


@pytest.mark.parametrize("pair", list(distributions()), ids=lambda pair: f"{len(pair[0])}")
def test_distributions(compute, pair):
    p, q = (x.tolist() for x in pair)
    got = compute(
        "[arithmetic.entropy(x[0]), arithmetic.crossEntropy(x[0], x[1]), arithmetic.klDivergence(x[0], x[1])]", p, q
    )
    np.testing.assert_allclose(got, exact(p, q), rtol=1e-13, atol=1e-300)
    library = [xent.entropy(p), xent.cross_entropy(p, q), xent.kl_divergence(p, q)]
    np.testing.assert_allclose(got, [float(x) for x in library], rtol=1e-13, atol=1e-300)


def test_nothing_costs_minus_zero(compute):
    assert (
        compute("[1 / arithmetic.surprisal(1), 1 / arithmetic.entropy([1, 0]), 1 / arithmetic.yesOrNo(0, {q: 0}).loss]")
        == [math.inf] * 3
    )


@pytest.mark.parametrize("lead", [*LEADS, -3.0, -40.0, -800.0])
@pytest.mark.parametrize("classes", [2, 3, 12])
def test_softmax_loss_is_exact_however_far_a_label_leads_or_lags(compute, lead, classes):
    z = [lead, *np.linspace(-1.0, 1.0, classes - 1).tolist()]
    got = compute("arithmetic.softmaxLoss(x[0], 0)", z)
    with mpmath.workdps(400):
        exps = [mpmath.exp(mpmath.mpf(x)) for x in z]
        total = mpmath.fsum(exps)
        loss = mpmath.log(total) - mpmath.mpf(lead)
        slope = [x / total - (j == 0) for j, x in enumerate(exps)]
        np.testing.assert_allclose(got["loss"], float(loss), rtol=1e-14)
        np.testing.assert_allclose(got["slope"], [float(x) for x in slope], rtol=1e-12, atol=1e-320)
        np.testing.assert_allclose(got["probabilities"], [float(x / total) for x in exps], rtol=1e-12, atol=1e-320)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("temperature", [0.1, 1.0, 2.5])
def test_options_of_the_softmax_loss_mean_what_they_mean_in_the_library(compute, smoothing, temperature):
    z = np.array([4.334, 2.9, 0.01, -7.0])
    for label in range(4):
        got = compute("arithmetic.softmaxLoss(x[0], x[1], x[2], x[3])", z.tolist(), label, temperature, smoothing)
        loss, slopes = xent.value_and_grad(xent.softmax_cross_entropy)(
            z[None] / temperature, [label], label_smoothing=smoothing
        )
        np.testing.assert_allclose(got["loss"], float(loss), rtol=1e-13)
        np.testing.assert_allclose(got["slope"], slopes["logits"][0] / temperature, rtol=1e-12, atol=1e-16)


def test_plain_division(compute):
    z = [4.334, 2.9, 0.01]
    np.testing.assert_allclose(compute("arithmetic.plainShares(x[0])", z), steps.plain_shares(np.array(z)), rtol=1e-15)


@pytest.mark.parametrize("z", [0.0, 1.0, -1.0, 36.0, -36.0, 300.0, -300.0, 1000.0, -1000.0, math.inf, -math.inf])
def test_yes_or_no_of_a_logit(compute, z):
    for yes in (0, 1):
        got = compute("arithmetic.yesOrNo(x[0], {z: x[1]})", yes, z)
        with mpmath.workdps(800):
            q = mpmath.mpf(z > 0) if math.isinf(z) else 1 / (1 + mpmath.exp(-mpmath.mpf(z)))
            given = q if yes else 1 - q
            np.testing.assert_allclose(
                got["loss"], float(-mpmath.log(given)) if given else math.inf, rtol=1e-14, atol=1e-320
            )
            np.testing.assert_allclose(got["q"], float(q), rtol=1e-14, atol=1e-320)
            np.testing.assert_allclose(got["slope"], float(q - yes), rtol=1e-14, atol=1e-320)


@pytest.mark.parametrize("q", [0.0, 1e-300, 1e-9, 0.1, 0.5, 0.7, 1.0 - 2**-53, 1.0])
def test_yes_or_no_of_a_probability(compute, q):
    for yes in (0, 1):
        got = compute("arithmetic.yesOrNo(x[0], {q: x[1]})", yes, q)
        with mpmath.workdps(400):
            given = mpmath.mpf(q) if yes else 1 - mpmath.mpf(q)
            assert got["loss"] == pytest.approx(float(-mpmath.log(given)) if given else math.inf, rel=1e-14)
            odds = (
                math.inf
                if q == 1.0
                else -math.inf
                if q == 0.0
                else float(mpmath.log(mpmath.mpf(q) / (1 - mpmath.mpf(q))))
            )
            assert got["z"] == pytest.approx(odds, rel=1e-13, abs=1e-15)
        assert got["loss"] == pytest.approx(xent.evaluate([yes], [q], classes=[0, 1]).loss, rel=1e-13)


def rounded(lead, classes):
    """The usual formulas with every operation rounded to float32, added up by NumPy itself."""
    f = np.float32
    log = lambda x: f(math.log(x)) if x > 0 else f(-math.inf)  # noqa: E731
    exp = lambda x: f(math.exp(x)) if x < 709 else f(math.inf)  # noqa: E731
    z = [f(lead), *[f(0)] * (classes - 1)]
    with np.errstate(all="ignore"):
        weights = [exp(float(x)) for x in z]
        total = np.array(weights, f).sum()
        p = f(weights[0] / total)
        textbook = (f(math.nan), f(math.nan)) if math.isnan(p) else (f(0) - log(float(p)), f(p - f(1)))
        shifted = [f(x - max(z)) for x in z]
        weights = [exp(float(x)) for x in shifted]
        total = np.array(weights, f).sum()
        return textbook, (f(log(float(total)) - shifted[0]), f(f(weights[0] / total) - f(1)))


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
@pytest.mark.parametrize("lead", LEADS)
def test_float32(compute, lead, classes):
    textbook, shifted = rounded(lead, classes)
    for name, expected in (("textbook32", textbook), ("shifted32", shifted)):
        got = compute(f"arithmetic.{name}(x[0], x[1])", lead, classes)
        np.testing.assert_array_equal([got["loss"], got["slope"]], [float(x) for x in expected])
    logits = np.array([lead, *[0.0] * (classes - 1)], np.float32)
    np.testing.assert_allclose(  # NumPy's float32 exp and log may be a unit off in the last place
        float(steps.shifted_softmax_loss(logits, 0)), float(shifted[0]), rtol=1e-6, atol=1.3e-7
    )
    exactly = compute("arithmetic.exact(x[0], x[1])", lead, classes)
    with mpmath.workdps(600):
        rest = (classes - 1) * mpmath.exp(-mpmath.mpf(lead))
        np.testing.assert_allclose(exactly["loss"], float(mpmath.log1p(rest)), rtol=1e-13)
        np.testing.assert_allclose(exactly["slope"], float(-rest / (1 + rest)), rtol=1e-13)
    assert exactly["loss"] > 0 or lead == 1000.0
    if lead > 17 + math.log(classes - 1):
        assert shifted == (0.0, 0.0)
    assert math.isnan(textbook[0]) == (lead >= 89.0)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 127, 128, 129, 255, 256, 1000, 1001, 5000])
def test_float32_is_added_up_as_by_numpy(compute, size):
    values = np.random.default_rng(size).normal(size=size).astype(np.float32)
    assert compute("arithmetic.total32(x[0])", values.astype(float).tolist()) == float(values.sum())


@pytest.mark.parametrize("lead", [12.0, 15.0, 17.0, 18.0, 20.0, 24.0, 40.0])
@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_float32_is_near_to_what_pytorch_computes(compute, lead, classes):
    """Its sums are rounded in another order: at most the label's lane, or partial sum, loses what the others keep."""
    torch = pytest.importorskip("torch")
    logits = torch.zeros(1, classes)
    logits[0, 0] = lead
    theirs = torch.nn.functional.cross_entropy(logits, torch.tensor([0])).item()
    ours = compute("arithmetic.shifted32(x[0], x[1])", lead, classes)["loss"]
    assert ours == pytest.approx(theirs, rel=0.15, abs=4e-7)
    if lead >= 24.0 or (lead >= 17.0 and classes <= 3):
        assert ours == theirs == 0.0
    if lead == 18.0 and classes == 1000:
        assert ours > 1e-5 < theirs


def test_moving_one_bar_keeps_the_sum_and_the_others_proportions(compute):
    random = np.random.default_rng(1)
    for classes in (2, 3, 12):
        for _ in range(50):
            p, index, value = random.dirichlet(np.ones(classes)), int(random.integers(classes)), float(random.random())
            got = np.array(compute("arithmetic.spread(x[0], x[1], x[2])", p.tolist(), index, value))
            assert round(1000 * got.sum(), 9) == 1000
            np.testing.assert_allclose(1000 * got, np.round(1000 * got), atol=1e-9)
            expected = p / (p.sum() - p[index]) * (1.0 - value)
            expected[index] = value
            np.testing.assert_allclose(got, expected, atol=1.6e-3)
    assert compute("arithmetic.spread([1, 0, 0], 0, 0.7)") == [0.7, 0.15, 0.15]
    assert compute("arithmetic.spread([0.5, 0.5], 1, 7)") == [0, 1]


def test_the_rule_of_thumb_has_the_librarys_words(compute):
    bounds = [bound for bound, _ in RULE]
    words = [text("en", word) for word in [*(word for _, word in RULE), "rule.broken"]]
    for nats in (0.001, 0.02, 0.049, 0.05, 0.19, 0.2, 0.25, 0.3, 0.9, 1.0, 1.9, 2.0, 50.0, math.inf):
        assert rule_of_thumb(nats).startswith(words[compute("arithmetic.below(x[0], x[1])", bounds, nats)] + " (")


@pytest.mark.parametrize("p", [0.0, 1e-20, 1e-8, 0.5, 1.0])
def test_clipping_is_that_of_the_libraries(compute, p):
    clipped = "arithmetic.surprisal(arithmetic.clipped(x[0], x[1]))"
    got = compute(clipped, p, conventions.KERAS_EPSILON)
    assert got == pytest.approx(float(conventions.keras_binary(np.array([p]), np.array([1]))[0]), rel=1e-6, abs=1e-7)
    got = compute(clipped, p, conventions.scikit_learn_epsilon("float64"))
    assert got == pytest.approx(float(conventions.scikit_learn(np.array([p]), np.array([1]))[0]), rel=1e-12)


def test_numbers_are_written_as_the_library_writes_them(compute):
    random = np.random.default_rng(2)
    values = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        math.inf,
        -math.inf,
        math.nan,
        1e-3,
        9.9996e-4,
        999999.99994,
        1e6,
        5e-324,
        1.797e308,
        1234.5,
    ]
    values += (random.normal(size=400) * 10.0 ** random.integers(-12, 12, 400)).tolist()
    assert compute("x[0].map(figures.figure)", values) == [figure(value) for value in values]
    assert compute("x[0].map(figures.signed)", values) == [signed(value) for value in values]


TYPED = {
    "0.5": 0.5,
    " .5 ": 0.5,
    "0,5": 0.5,
    "1e-7": 1e-7,
    "−2": -2.0,
    "∞": math.inf,
    "-inf": -math.inf,
    "1/3": 1 / 3,
    "０．５": 0.5,
}
NOT_TYPED = ["", "abc", "1.2.3", "--1", "0x10", "1e", "nan", "1,000.5", "∞∞", "1/", "0/0"]


def test_what_is_typed_is_read(compute):
    assert compute("x[0].map(figures.parse)", list(TYPED)) == list(TYPED.values())
    assert all(map(math.isnan, compute("x[0].map(figures.parse)", NOT_TYPED)))
    assert compute("figures.parse(figures.typed(-1.5e-300))") == -1.5e-300
