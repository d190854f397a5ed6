"""Causes and cures: against SciPy's own minimisation, in simulations, and through JSON."""

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import chi2

import xent
from xent.kernels.temper_numpy import BETAS, BETWEEN
from xent.scoring.curves import Curve, lowest_point
from xent.scoring.diagnosis import recommended
from xent.scoring.ladder import Ladder, Step
from xent.scoring.looks import Look
from xent.scoring.newton import Cure

DIGITS = Path(__file__).parents[2] / "examples" / "data"


def drawn(n, classes, seed, spread=1.5):
    """Calibrated probabilities and labels drawn from them."""
    random = np.random.default_rng(seed)
    p = softmax(random.normal(size=(n, classes)) * spread, axis=1)
    labels = (random.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, classes - 1)
    return labels, p


def drawn_by_logits(classes):
    """Calibrated logits and labels drawn from them."""
    random = np.random.default_rng(21)
    z = random.normal(size=(20_000, classes)) * 1.5
    return (z + random.gumbel(size=z.shape)).argmax(axis=1), z


def biased(p, temperature, offsets):
    return softmax(np.log(p) * temperature + np.array(offsets), axis=1)


def nats(labels, log_p):
    return -log_p[np.arange(len(labels)), labels]


def fitted(labels, p, weights=None):
    """Least mean losses by SciPy: offsets, temperature, both; and the temperature."""
    z, w = np.log(p), np.ones(len(p)) if weights is None else weights

    def mean(beta, offsets):
        return np.average(nats(labels, log_softmax(beta * z + np.concatenate([[0.0], offsets]), axis=1)), weights=w)

    k = p.shape[1] - 1
    alone = minimize_scalar(
        lambda b: mean(b, np.zeros(k)), bounds=(1e-3, 16.0), method="bounded", options={"xatol": 1e-9}
    )
    options = {"gtol": 1e-9, "maxiter": 500}
    bias = minimize(lambda o: mean(1.0, o), np.zeros(k), method="BFGS", options=options)
    both = minimize(lambda t: mean(t[0], t[1:]), np.r_[alone.x, np.zeros(k)], method="BFGS", options=options)
    return bias.fun, alone.fun, both.fun, 1.0 / alone.x


def by_name(report):
    return {rung.name: rung for rung in report.ladder}


@pytest.mark.parametrize("kind", ["probabilities", "logits", "log_probabilities"])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 12.0])
def test_every_rung_is_scipys_minimum(kind, classes, temperature):
    labels, p = drawn(3000, classes, seed=1)
    p = biased(p, temperature, np.linspace(0.0, 0.8, classes))
    given = p if kind == "probabilities" else np.log(p) + (kind == "logits") * 3.0
    report = xent.evaluate(labels, given, kind=kind)
    rungs, (bias, alone, both, fit) = by_name(report), fitted(labels, p)
    assert rungs["as is"].loss == report.loss
    assert rungs["class bias"].loss == pytest.approx(bias, abs=2e-7)
    assert rungs["temperature"].loss == pytest.approx(alone, abs=2e-7)
    assert rungs["temperature"].temperature == pytest.approx(fit, rel=1e-3)
    assert rungs["both"].loss == pytest.approx(both, abs=2e-7)
    assert rungs["refinement"].loss == rungs["both"].loss
    for name, k in (("class bias", classes - 1), ("temperature", 1), ("both", classes)):
        rung = rungs[name]
        assert rung.parameters == k
        assert rung.gain == pytest.approx(report.loss - rung.loss, abs=1e-12)
        assert rung.corrected_gain == pytest.approx(rung.gain - k / 6000, abs=1e-12)
        assert rung.p_value == pytest.approx(chi2.sf(6000 * rung.gain, k), rel=1e-6, abs=1e-290)
    assert math.fsum(rung.part for rung in report.ladder if rung.part is not None) == pytest.approx(
        report.loss, rel=1e-15
    )


def test_one_column_gives_what_two_give():
    labels, p = drawn(2000, 2, seed=2)
    p = biased(p, 2.0, [0.0, 0.5])
    two, one = xent.evaluate(labels, p), xent.evaluate(labels, p[:, 1])
    for a, b in zip(two.ladder, one.ladder, strict=True):
        assert a.loss == pytest.approx(b.loss, abs=1e-7)
    assert two.cure.temperature == pytest.approx(one.cure.temperature, rel=1e-4)


def test_weights_and_repeated_rows_are_the_same():
    labels, p = drawn(800, 3, seed=3)
    p = biased(p, 1.8, [0.0, 0.3, -0.3])
    times = np.random.default_rng(0).integers(0, 4, 800)
    weighted = by_name(xent.evaluate(labels, p, sample_weight=times))
    repeated = by_name(xent.evaluate(labels.repeat(times), p.repeat(times, axis=0)))
    for name in ("class bias", "temperature", "both"):
        assert weighted[name].loss == pytest.approx(repeated[name].loss, abs=1e-9)


def test_soft_labels():
    random = np.random.default_rng(4)
    t = random.dirichlet(np.ones(3), 1000)
    p = softmax(1.7 * np.log(t) + random.normal(size=t.shape), axis=1)
    report = xent.evaluate(t, p)
    entropy = -(t * np.log(t)).sum(axis=1).mean()
    assert report.label_entropy == pytest.approx(entropy, rel=1e-12)
    assert report.kl == pytest.approx(report.loss - entropy, rel=1e-12)

    def mean(beta):
        return -(t * log_softmax(beta * np.log(p), axis=1)).sum(axis=1).mean()

    alone = minimize_scalar(mean, bounds=(0.0, 16.0), method="bounded", options={"xatol": 1e-9})
    assert by_name(report)["temperature"].loss == pytest.approx(alone.fun, abs=2e-7)
    assert xent.evaluate([0, 1, 1], [0.2, 0.7, 0.9]).label_entropy is None


def test_several_labels():
    random = np.random.default_rng(5)
    z = random.normal(size=(1500, 3)) * 2
    y = (random.random(z.shape) < 1 / (1 + np.exp(-z))).astype(int)
    given = 2.0 * z + np.array([0.0, 1.0, -1.0])
    report = xent.evaluate(y, given, kind="logits", task="multilabel")

    def mean(v):
        w = v[0] * given + v[1:]
        return (np.logaddexp(0, w) - y * w).sum(axis=1).mean()

    both = minimize(mean, np.zeros(4), method="BFGS", options={"gtol": 1e-9})
    bias = minimize(lambda o: mean(np.r_[1.0, o]), np.zeros(3), method="BFGS", options={"gtol": 1e-9})
    alone = minimize_scalar(lambda b: mean(np.r_[b, np.zeros(3)]))
    rungs = by_name(report)
    assert rungs["both"].loss == pytest.approx(both.fun, abs=2e-7)
    assert rungs["class bias"].loss == pytest.approx(bias.fun, abs=2e-7)
    assert rungs["temperature"].loss == pytest.approx(alone.fun, abs=2e-7)
    cured = report.recalibrate(given)
    assert (np.logaddexp(0, cured) - y * cured).sum(axis=1).mean() == pytest.approx(both.fun, abs=2e-7)


@pytest.mark.parametrize("kind", ["probabilities", "logits", "log_probabilities"])
def test_several_labels_where_a_file_has_no_weight(kind, tmp_path):
    random = np.random.default_rng(3)
    p = random.random((500, 3))
    given = {"probabilities": p, "logits": np.log(p / (1 - p)), "log_probabilities": np.log(p)}[kind]
    y = (random.random(p.shape) < p**2).astype(int)
    truth = xent.evaluate(y, given, kind=kind, task="multilabel", brief=False)
    for i, weight in enumerate((1.0, 0.0)):
        columns = {f"y_{j}": y[:, j] for j in range(3)} | {f"p_{j}": given[:, j] for j in range(3)}
        pq.write_table(pa.table(columns | {"w": np.full(500, weight)}), tmp_path / f"z{i}.parquet")
    options = {"label": "y_*", "prediction": "p_*", "task": "multilabel", "kind": kind}
    assert xent.scan(tmp_path / "*.parquet", sample_weight="w", **options).ladder == truth.ladder


@pytest.mark.parametrize("clip", [None, 0.01])
@pytest.mark.parametrize("kind", ["logits", "log_probabilities"])
def test_one_label_of_many_kinds(kind, clip):
    random = np.random.default_rng(4)
    p = random.random(500)
    y = (random.random(500) < p**2).astype(int)
    given = {"logits": np.log(p / (1 - p)), "log_probabilities": np.log(p)}[kind]
    options = {"task": "multilabel", "clip": clip}
    found = xent.evaluate(y[:, None], given, kind=kind, **options).ladder
    truth = xent.evaluate(y[:, None], p, kind="probabilities", **options).ladder
    assert [one.loss for one in found] == pytest.approx([one.loss for one in truth], rel=1e-6)


def test_a_state_alone_has_the_temperature_and_says_what_it_lacks():
    labels, p = drawn(4000, 5, seed=6)
    p = biased(p, 2.3, np.zeros(5))
    state = xent.State(range(5))
    for start in range(0, 4000, 900):
        state.update(labels[start : start + 900], p[start : start + 900])
    report, whole = state.report(), xent.evaluate(labels, p)
    alone = minimize_scalar(
        lambda b: nats(labels, log_softmax(b * np.log(p), axis=1)).mean(), bounds=(0.1, 9), method="bounded"
    )
    assert by_name(report)["temperature"].loss == pytest.approx(alone.fun, abs=1e-6)
    assert by_name(report)["class bias"].loss is by_name(report)["both"].loss is None
    assert "class offsets not looked into" in report.diagnosis
    assert by_name(whole)["both"].loss < by_name(report)["temperature"].loss
    assert math.fsum(r.part for r in report.ladder if r.part is not None) == pytest.approx(report.loss, rel=1e-15)


def cumulants(w):
    """Means over rows of log Σ exp, and of mean, variance and third cumulant under softmax."""
    q = softmax(w, axis=1)
    away = w - (q * w).sum(axis=1, keepdims=True)
    return [logsumexp(w, axis=1).mean(), *((q * v).sum(axis=1).mean() for v in (w, away**2, away**3))]


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0, 8.0])
def test_the_curve_is_exact_between_the_temperatures(scale):
    labels, p = drawn(1500, 8, seed=7, spread=2.0)
    z = np.log(p) * scale
    z -= z.max(axis=1, keepdims=True)
    own = z[np.arange(len(z)), labels].mean()
    curve = Curve.of(math.log(8), np.stack([cumulants(beta * z) for beta in BETAS], axis=1).reshape(-1), own)
    for beta in np.geomspace(1 / 12, 12, 60):
        assert curve.at(beta)[0] == pytest.approx(logsumexp(beta * z, axis=1).mean() - beta * own, abs=1e-6)
    direct = minimize_scalar(lambda b: logsumexp(b * z, axis=1).mean() - b * own, bounds=(1e-3, 16), method="bounded")
    assert curve.at(lowest_point(curve) or 0.0)[0] == pytest.approx(direct.fun, abs=1e-6)


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0, 8.0, 30.0])
def test_the_curve_of_a_thousand_classes(scale):
    z = np.random.default_rng(9).normal(0.0, scale, (200, 1000))
    nodes = (np.stack([cumulants(beta * between * z) for beta in BETAS], axis=1) for between in (1.0, BETWEEN))
    curve = Curve.of(math.log(1000), np.concatenate([node.reshape(-1) for node in nodes]), 0.0)
    for beta in np.geomspace(1 / 16, 16, 40):
        assert curve.at(beta)[0] == pytest.approx(logsumexp(beta * z, axis=1).mean(), abs=1e-8)


def test_the_temperature_of_a_thousand_classes():
    z = np.random.default_rng(10).normal(0.0, 3.0, (2000, 1000))
    labels = (z / 1.7 + np.random.default_rng(11).gumbel(size=z.shape)).argmax(axis=1)
    own = z[np.arange(len(z)), labels].mean()
    direct = minimize_scalar(
        lambda b: logsumexp(b * z, axis=1).mean() - b * own, bounds=(0.1, 9), method="bounded", options={"xatol": 1e-9}
    )
    rung = by_name(xent.evaluate(labels, z, kind="logits"))["temperature"]
    assert rung.loss == pytest.approx(direct.fun, abs=1e-7)
    assert rung.temperature == pytest.approx(1.0 / direct.x, rel=1e-6)


def test_rows_too_few_for_offsets_need_no_test_of_them():
    step = Step("temperature", Cure(0.5, np.zeros(2)), 0.7, 1, 1 / 12, 0.004)
    both = step._replace(name="both", gain=np.nextafter(0.7, 1.0))
    assert recommended(Ladder(2.5, {"temperature": step, "both": both}, endless=False)) is step


@pytest.mark.parametrize("kind", ["probabilities", "logits", "log_probabilities"])
@pytest.mark.parametrize("how", ["labels", "soft", "weights", "many", "nothing"])
def test_reliability_after_the_cure_is_that_of_cured_predictions(kind, how):
    classes, rows = (70, 3000) if how == "many" else (4, 6000)
    labels, p = drawn(rows, classes, seed=12)
    log_p = np.log(np.random.default_rng(13).dirichlet(np.ones(4), rows) if how == "nothing" else p**2.2)
    given = softmax(log_p, axis=1) if kind == "probabilities" else log_softmax(log_p, axis=1) + (kind == "logits")
    labels = 0.9 * np.eye(4)[labels] + 0.1 * p if how == "soft" else labels
    weights = {"sample_weight": np.arange(rows) % 3 + 0.5} if how == "weights" else {}
    report = xent.evaluate(labels, given, kind=kind, **weights)
    again = xent.evaluate(labels, report.recalibrate(given), kind=kind, **weights)
    assert report.cure is not None
    for curve, own in zip(report.cured_reliability, again.reliability, strict=True):
        assert curve.of == own.of
        np.testing.assert_allclose(
            [one.predicted for one in curve.bins], [one.predicted for one in own.bins], atol=1e-6
        )
        np.testing.assert_allclose([one.observed for one in curve.bins], [one.observed for one in own.bins], atol=2e-3)


def test_reliability_after_the_cure_needs_the_rows():
    labels, p = drawn(2000, 3, seed=14)
    p = biased(p, 2.0, [0.0, 0.0, 0.0])
    alone = xent.State(range(3)).update(labels, p).report()
    assert alone.cure is not None
    assert alone.cured_reliability is None
    assert xent.evaluate(*drawn(2000, 3, seed=14)).cured_reliability is None  # nothing is cured
    assert xent.evaluate(labels == 2, p[:, 2]).cured_reliability is None  # of two classes the curve itself tells


def test_predictions_that_tell_nothing_have_no_temperature():
    random = np.random.default_rng(8)
    p = random.dirichlet(np.ones(3), 3000)
    report = xent.evaluate(random.integers(0, 3, 3000), p)
    assert report.diagnosis.startswith("no information in the predictions: making all predictions alike removes")
    assert report.cure.temperature == math.inf
    np.testing.assert_allclose(report.recalibrate(p[:2]), 1 / 3)
    assert xent.evaluate(*swapped(p)).cure.temperature == math.inf  # predictions that are worse than none
    assert json.loads(report.json())["cure"]["temperature"] == "inf"


def test_predictions_that_tell_nothing_are_soon_known_to(monkeypatch):
    """The best temperature lies at the end of what is tried: the offsets there take a few steps of Newton's."""
    looks, moments = [], Look.moments
    monkeypatch.setattr(Look, "moments", lambda look, cures: looks.append(cures) or moments(look, cures))
    random = np.random.default_rng(8)
    report = xent.evaluate(random.choice(4, 5000, p=[0.1, 0.2, 0.3, 0.4]), random.dirichlet(np.ones(4), 5000))
    assert by_name(report)["both"].loss == pytest.approx(report.baseline, rel=1e-12)
    assert 1 <= len(looks) <= 5


def swapped(p):
    return p.argmin(axis=1), p


@pytest.mark.parametrize(
    ("labels", "p"),
    [([1, 0], [0.8, 0.3]), ([1, 0, 1], [0.8, 0.3, 0.6]), ([1, 0, 1], [0.1, 0.3, 0.6])],
)
def test_few_rows_tell_nothing_of_calibration(labels, p):
    said = "too few rows to tell how well calibrated: even a cure of 10 % of the loss would not show"
    assert xent.evaluate(labels, p).diagnosis == said
    assert xent.State([0, 1]).update(labels, p).report().diagnosis.startswith(said)


def test_rows_are_enough_where_a_cure_of_a_tenth_would_show():
    """2 · rows · 0.1 · loss against the 5 / 3 % point of chi-squared; weights and copies of rows prove no more."""
    labels, p = drawn(4000, 2, seed=4)
    for rows, enough in ((20, False), (40, False), (80, True), (400, True)):
        found = xent.evaluate(labels[:rows], p[:rows])
        assert found.cure is None
        point = chi2.isf(0.05 / 3, 1)
        assert (0.2 * rows * found.loss > point) == enough
        assert found.diagnosis.startswith("well calibrated" if enough else "too few rows to tell")
        weighted = xent.evaluate(labels[:rows], p[:rows], sample_weight=np.full(rows, 1000.0))
        assert weighted.diagnosis == found.diagnosis
    copies = xent.evaluate(np.tile(labels[:40], 50), np.tile(p[:40], (50, 1)), cluster=np.tile(np.arange(40), 50))
    assert copies.diagnosis.startswith("too few rows to tell")


def test_words():
    labels, p = drawn(4000, 3, seed=9)
    assert xent.evaluate(labels, p).diagnosis == "well calibrated: nothing significant to cure"
    over = xent.evaluate(labels, biased(p, 2.5, np.zeros(3))).diagnosis
    assert over.startswith("overconfident: dividing the logits by 2.")
    under = xent.evaluate(labels, biased(p, 0.4, np.zeros(3))).diagnosis
    assert under.startswith("underconfident: multiplying the logits by 2.")
    bias = xent.evaluate(labels, biased(p, 1.0, [0.0, 1.5, 0.0])).diagnosis
    assert bias.startswith("predicts class 1 too often: adding an offset to each class removes")
    infinite = xent.evaluate([0, 1, 1], [0.5, 0.5, 0.0])
    assert (infinite.ladder, infinite.cure) == (None, None)
    assert "infinite" in infinite.diagnosis
    brief = xent.evaluate(labels, p, brief=True)
    assert (brief.ladder, brief.confusion, brief.reliability) == (None, None, ())
    assert brief.loss == xent.evaluate(labels, p).loss


@pytest.mark.parametrize("kind", ["probabilities", "logits", "log_probabilities"])
def test_the_cure_keeps_what_the_ladder_promised(kind):
    labels, p = drawn(3000, 4, seed=10)
    p = biased(p, 2.0, [0.0, 0.5, -0.5, 0.0])
    given = p if kind == "probabilities" else np.log(p)
    report = xent.evaluate(labels, given, kind=kind)
    cured = report.recalibrate(given)
    again = xent.evaluate(labels, cured, kind=kind)
    assert again.loss == pytest.approx(by_name(report)["both"].loss, abs=1e-7)
    assert again.cure is None
    assert report.recalibrate(given.tolist()).shape == given.shape


def test_cure_of_tensors_and_of_one_column():
    torch = pytest.importorskip("torch")
    labels, p = drawn(3000, 2, seed=11)
    p = biased(p, 2.0, [0.0, 0.7])
    report = xent.evaluate(labels, p[:, 1])
    cured = report.recalibrate(torch.tensor(p[:, 1]))
    assert isinstance(cured, torch.Tensor)
    both = xent.evaluate(labels, p).recalibrate(p)
    np.testing.assert_allclose(cured.numpy(), both[:, 1], atol=1e-5)
    with pytest.raises(xent.ShapeError, match="one column for each of the classes"):
        report.recalibrate(np.ones((3, 5)))


def test_tables_are_cured_by_the_names_of_their_columns():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    labels, p = drawn(3000, 3, seed=11)
    p = biased(p, 2.0, [0.0, 1.5, -0.5])
    animals = np.array(["ant", "bee", "cow"])
    report = xent.evaluate(animals[labels], p, classes=list(animals))
    truth = report.recalibrate(p)
    names = ["p_cow", "p_ant", "p_bee"]
    frame = pandas.DataFrame(p[:, [2, 0, 1]], columns=names, index=np.arange(3000) + 7)
    for table in (frame, polars.from_pandas(frame), pa.Table.from_pandas(frame, preserve_index=False)):
        cured = report.recalibrate(table)
        assert type(cured) is type(table)
        assert list(getattr(cured, "column_names", None) or cured.columns) == names
        np.testing.assert_array_equal(np.column_stack([cured[name] for name in names]), truth[:, [2, 0, 1]])
    assert list(report.recalibrate(frame).index) == list(frame.index)
    plain = pandas.DataFrame(p)  # columns 0, 1, 2
    np.testing.assert_array_equal(report.recalibrate(plain).to_numpy(), truth)
    with pytest.raises(
        xent.ShapeError, match=r"columns p_cow, p_ant, p_bat, but the report is of the classes ant, bee"
    ):
        report.recalibrate(frame.rename(columns={"p_bee": "p_bat"}))
    two = xent.evaluate(labels > 0, 1 - p[:, 0])
    one = pandas.DataFrame({"score": 1 - p[:, 0]})
    np.testing.assert_array_equal(two.recalibrate(one)["score"], two.recalibrate(1 - p[:, 0]))


def test_rows_divided_by_their_sum_are_cured_so():
    labels, p = drawn(3000, 3, seed=12)
    p = biased(p, 2.0, [0.0, 1.5, -0.5])
    counts = p * np.random.default_rng(12).integers(5, 200, 3000)[:, None]
    report = xent.evaluate(labels, counts, normalize=True)
    np.testing.assert_allclose(report.recalibrate(counts), report.recalibrate(p), rtol=1e-12)
    np.testing.assert_allclose(report.recalibrate(p), xent.evaluate(labels, p).recalibrate(p), rtol=1e-6)


def test_clipped_predictions_are_cured_as_they_are_clipped():
    labels, p = drawn(2000, 3, seed=12)
    p = biased(p, 6.0, np.zeros(3))
    p[0] = np.eye(3)[(labels[0] + 1) % 3]
    report = xent.evaluate(labels, p, clip=1e-4)
    _, alone, _, _ = fitted(labels, np.clip(p, 1e-4, 1 - 1e-4))
    assert by_name(report)["temperature"].loss == pytest.approx(alone, abs=3e-4)  # clipped rows do not sum to 1
    cured = report.recalibrate(p)
    assert nats(labels, np.log(cured)).mean() == pytest.approx(by_name(report)["both"].loss, abs=1e-3)


@pytest.mark.parametrize(("n", "sets"), [(100, 400), (1000, 300), (10_000, 200)])
def test_calibrated_models_have_nothing_to_cure_on_average(n, sets):
    """The corrected gain averages to 0 within its error, and each test rejects at its nominal rate."""
    gains = {"class bias": [], "temperature": [], "both": []}
    rejected = dict.fromkeys(gains, 0)
    for seed in range(sets):
        labels, p = drawn(n, 2, seed=1000 + seed)
        for rung in xent.evaluate(labels, p[:, 1], classes=[0, 1], brief=False).ladder:
            if rung.name in gains:
                gains[rung.name].append(rung.corrected_gain)
                rejected[rung.name] += rung.p_value < 0.05
    for name, found in gains.items():
        error = np.std(found, ddof=1) / math.sqrt(sets)
        assert abs(np.mean(found)) < 3.0 * error, name
        assert rejected[name] / sets == pytest.approx(0.05, abs=0.02 + 2 * math.sqrt(0.05 * 0.95 / sets)), name


def rejections(sets, draw):
    """How often each rung's test rejects at 5 %, and the mean of the corrected gains in its own standard errors."""
    gains, rejected = {}, {}
    for seed in range(sets):
        labels, p, options = draw(seed)
        for rung in xent.evaluate(labels, p, **options).ladder:
            if rung.p_value is not None:
                gains.setdefault(rung.name, []).append(rung.corrected_gain)
                rejected[rung.name] = rejected.get(rung.name, 0) + (rung.p_value < 0.05)
    centre = {name: np.mean(v) / (np.std(v, ddof=1) / math.sqrt(sets)) for name, v in gains.items()}
    return {name: count / sets for name, count in rejected.items()}, centre


def test_clustered_rows_are_not_taken_for_independent_ones():
    """Each row four times: twice the spread, which tests that count rows take for miscalibration."""

    def draw(seed):
        labels, p = drawn(400, 3, seed=5000 + seed)
        return labels.repeat(4), p.repeat(4, axis=0), {"cluster": np.arange(400).repeat(4)}

    rate, centre = rejections(250, draw)
    for name in ("class bias", "temperature", "both"):
        assert rate[name] == pytest.approx(0.05, abs=0.045), name
        assert abs(centre[name]) < 3.5, name
    naive, _ = rejections(60, lambda seed: (*draw(seed)[:2], {}))
    assert min(naive.values()) > 0.25


@pytest.mark.parametrize(("n", "classes"), [(20, 20), (100, 50)])
def test_rare_and_absent_classes_are_no_evidence(n, classes):
    """Each with an offset of its own, nearly every such model would be told to predict the classes that occurred."""

    def draw(seed):
        random = np.random.default_rng(9000 + seed)
        p = softmax(random.normal(size=(n, classes)) - np.log(np.arange(1, classes + 1)), axis=1)
        labels = (random.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, classes - 1)
        return labels, p, {"classes": list(range(classes))}

    rate, centre = rejections(80, draw)
    for name in ("class bias", "temperature", "both"):
        assert rate[name] == pytest.approx(0.05, abs=0.06), name
        assert abs(centre[name]) < 3.5, name


def test_a_class_that_occurs_often_and_was_hardly_expected_has_its_own_offset():
    labels, p = drawn(2000, 3, seed=16)
    p = biased(p, 1.0, [0.0, 0.0, -12.0])
    rungs = by_name(xent.evaluate(labels, p))
    assert rungs["class bias"].parameters == 2
    assert rungs["class bias"].loss == pytest.approx(fitted(labels, p)[0], abs=1e-6)


def test_weighted_rows_are_not_taken_for_equal_ones():
    def draw(seed):
        labels, p = drawn(600, 2, seed=7000 + seed)
        return labels, p, {"sample_weight": np.random.default_rng(seed).exponential(1.0, 600) ** 2 + 0.01}

    rate, centre = rejections(150, draw)
    for name in ("class bias", "temperature", "both"):
        assert rate[name] == pytest.approx(0.05, abs=0.05), name
        assert abs(centre[name]) < 3.5, name


@pytest.mark.parametrize("draws", [1, 6])
def test_soft_labels_are_not_taken_for_drawn_ones(draws):
    """Means of several draws vary less than one: counted as one, hardly any set of them would be found at fault."""

    def draw(seed):
        random = np.random.default_rng(11_000 + seed)
        p = softmax(random.normal(size=(300, 3)) * 1.5, axis=1)
        return random.multinomial(draws, p) / draws, p, {}

    rate, centre = rejections(200, draw)
    for name in ("class bias", "temperature", "both"):
        assert rate[name] == pytest.approx(0.05, abs=0.04), name
        assert abs(centre[name]) < 3.5, name


def test_without_independence_or_weights_the_sandwich_is_the_plain_form():
    labels, p = drawn(20_000, 3, seed=13)
    plain = by_name(xent.evaluate(labels, p))
    alone = by_name(xent.evaluate(labels, p, cluster=np.arange(20_000)))
    for name in ("class bias", "temperature", "both"):
        one, other = plain[name], alone[name]
        assert other.gain - other.corrected_gain == pytest.approx(one.gain - one.corrected_gain, rel=0.05)
        assert other.p_value == pytest.approx(one.p_value, abs=0.05)


def test_a_state_alone_allows_for_clusters_by_their_effect_on_the_loss():
    labels, p = drawn(3000, 2, seed=14)
    state = xent.State([0, 1]).update(labels.repeat(4), p[:, 1].repeat(4), cluster=np.arange(3000).repeat(4))
    single = xent.State([0, 1]).update(labels, p[:, 1])
    four, one = by_name(state.report())["temperature"], by_name(single.report())["temperature"]
    assert four.p_value == pytest.approx(one.p_value, abs=0.02)


def test_holdout_reports_on_rows_that_the_cure_has_not_seen():
    labels, p = drawn(6000, 3, seed=15)
    p = biased(p, 2.0, np.zeros(3))
    report = xent.evaluate(labels, p, holdout=True)
    assert 2800 < report.rows < 3200
    assert f"cures fitted on {6000 - report.rows:,} rows" in report.notes[-1]
    rungs = by_name(report)
    for name in ("class bias", "temperature", "both"):
        assert rungs[name].corrected_gain == rungs[name].gain
    assert report.cure.temperature == pytest.approx(2.0, rel=0.1)
    assert report == xent.evaluate(labels, p, holdout=True)


def test_cures_gain_nothing_on_other_rows_of_a_calibrated_model():
    gains = []
    for seed in range(80):
        labels, p = drawn(600, 4, seed=9000 + seed)
        gains.append(by_name(xent.evaluate(labels, p, holdout=True))["both"].gain)
    assert np.mean(gains) < 0.0  # what was fitted to one half costs on the other
    assert np.mean(gains) == pytest.approx(-4 / 600, rel=0.5)  # k / 2n more than the best, which itself is no gain


def test_holdout_keeps_clusters_together():
    labels, p = drawn(3000, 2, seed=16)
    document = np.arange(3000) % 100
    report = xent.evaluate(labels, p[:, 1], cluster=document, holdout=True)
    assert report.rows % 30 == 0
    assert report.clusters == report.rows / 30


def test_clusters_without_meaning_change_nothing():
    """A few large clusters of independent rows must not hide what is wrong."""
    labels, p = drawn(5000, 2, seed=20)
    p = biased(p, 2.0, [0.0, 1.0])[:, 1]
    plain = xent.evaluate(labels, p)
    for count in (4, 80, 5000):
        cluster = np.random.default_rng(count).permutation(5000) % count
        found = xent.evaluate(labels, p, cluster=cluster)
        assert found.diagnosis == plain.diagnosis
        assert by_name(found)["both"].p_value < 1e-50


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("scale", [300.0, 1e4, 1e8])
def test_logits_that_are_too_far_apart_get_no_wrong_cure(classes, scale):
    labels, z = drawn_by_logits(classes)
    report = xent.evaluate(labels, z * scale, kind="logits")
    assert report.diagnosis.startswith("the logits are too far apart for a temperature of 16")
    assert (report.ladder, report.cure) == (None, None)
    near = xent.evaluate(labels, z * 20.0, kind="logits")
    assert "dividing the logits by 16.000 or more" in near.diagnosis or near.cure.temperature == pytest.approx(16.0)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("times", [30.0, 300.0, 2000.0])
def test_logits_that_are_too_near_each_other_are_told_by_how_much(classes, times):
    """Cosines as logits, say; beyond the temperatures that are summed the rows are looked at."""
    labels, z = drawn_by_logits(classes)
    truth = minimize_scalar(
        lambda t: nats(labels, log_softmax(z / t, axis=1)).mean(), bounds=(0.5, 2), method="bounded"
    )
    report = xent.evaluate(labels, z / times, kind="logits")
    assert by_name(report)["temperature"].loss == pytest.approx(truth.fun, abs=2e-7 * times)
    assert 1 / report.cure.temperature == pytest.approx(times / truth.x, rel=2e-3)
    assert "underconfident: multiplying the logits by " in report.diagnosis
    state = xent.State(range(classes), kind="logits").update(labels, z / times)  # without the rows
    assert "by 16.000 or more" in state.report().diagnosis


@pytest.mark.parametrize("several", [False, True])
def test_predictions_worse_than_the_frequencies_are_cured_to_them(several):
    """The best β ≥ 0 is 0 where predictions point the wrong way; what is left is the entropy of the frequencies."""
    random = np.random.default_rng(25)
    labels = random.choice(3, 4000, p=[0.8, 0.15, 0.05])
    truth = np.eye(3)[labels]
    z = random.normal(size=truth.shape) - 2.0 * truth
    report = xent.evaluate(truth if several else labels, z, kind="logits", task="multilabel" if several else "auto")
    assert by_name(report)["both"].loss == pytest.approx(report.baseline, rel=1e-6)
    assert report.cure.temperature == math.inf
    assert "frequencies removes" in report.diagnosis
    again = xent.evaluate(
        truth if several else labels, report.recalibrate(z), kind="logits", task="multilabel" if several else "auto"
    )
    assert again.loss == pytest.approx(report.baseline, rel=1e-6)


def test_several_labels_of_every_kind_are_cured_alike():
    random = np.random.default_rng(22)
    z = random.normal(size=(2000, 4))
    y = (random.random(z.shape) < 1 / (1 + np.exp(-z))).astype(int)
    q = 2 * z + 0.5
    log_p = -np.logaddexp(0.0, -q)
    reports = [
        xent.evaluate(y, given, kind=kind, task="multilabel")
        for given, kind in ((q, "logits"), (log_p, "log_probabilities"), (np.exp(log_p), "probabilities"))
    ]
    for other in reports[1:]:
        assert [one.loss for one in other.ladder] == pytest.approx([one.loss for one in reports[0].ladder], abs=1e-6)
    cured = reports[1].recalibrate(log_p)
    terms = np.where(y == 1, -cured, -np.log(-np.expm1(cured)))
    assert terms.sum(axis=1).mean() == pytest.approx(by_name(reports[1])["both"].loss, abs=1e-6)


def test_labels_that_agree_within_a_row_count_as_one():
    """Calibrated predictions of three labels that always are alike are found at fault 5 times of 100."""
    random = np.random.default_rng(26)
    found = []
    for _ in range(200):
        p = np.repeat(random.uniform(0.1, 0.9, 400)[:, None], 3, axis=1)
        y = np.repeat((random.random(400) < p[:, 0])[:, None], 3, axis=1).astype(int)
        ladder = by_name(xent.evaluate(y, p, task="multilabel"))
        found.append([ladder[name].p_value < 0.05 for name in ("temperature", "class bias", "both")])
    assert np.all(np.mean(found, axis=0) < 0.09)  # 0.05 and 2.5 standard errors; 0.25, 0.10 if they were three rows


def test_a_bias_that_only_the_cured_temperature_shows_is_told_as_that():
    """A forest's mean probabilities fit (p = 0.99), as its lack of confidence hides which class it favours."""
    table = pq.read_table(DIGITS / "digits_random_forest.parquet")
    labels, p = table["label"].to_numpy(), np.column_stack([table[f"p_{j}"].to_numpy() for j in range(10)])
    z = np.log(np.maximum(p, 1e-300))
    beta = minimize_scalar(lambda b: nats(labels, log_softmax(b * z, axis=1)).mean(), bounds=(1, 9), method="bounded").x
    excess = softmax(beta * z, axis=1).mean(axis=0) - np.bincount(labels) / len(labels)
    worst = int(np.abs(excess).argmax())
    words = (
        f"underconfident, and with that cured predicts class {worst} too {'often' if excess[worst] > 0 else 'rarely'}:"
    )
    assert xent.evaluate(labels, p).diagnosis.startswith(words)
    assert worst != int(np.abs(p.mean(axis=0) - np.bincount(labels) / len(labels)).argmax())


def test_one_class_and_no_mistakes_have_no_cure():
    assert xent.evaluate([1] * 50, [0.9] * 50).diagnosis == "only one class is present, so calibration cannot be told"
    z = np.random.default_rng(23).normal(size=(300, 2))
    report = xent.evaluate(z.argmax(axis=1), z, kind="logits")
    assert report.cure is None
    assert report.diagnosis.startswith("underconfident, and no mistake tells by how much")


def test_a_cure_is_seldom_recommended_for_a_calibrated_model():
    found = sum(xent.evaluate(*drawn(600, 2, seed=30_000 + seed)).cure is not None for seed in range(200))
    assert found / 200 < 0.09


def test_errors():
    labels, p = drawn(500, 3, seed=24)
    with pytest.raises(xent.OptionError, match="pass one of them"):
        xent.evaluate(labels, p, holdout=True, brief=True)
    report = xent.evaluate(labels, biased(p, 3.0, np.zeros(3)))
    with pytest.raises(xent.ProbabilityError, match="outside \\[0, 1\\]"):
        report.recalibrate(np.log(p))
