"""Where things stand in the pictures, against sums made here from the rows; and the same pictures by matplotlib."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from xent import evaluate
from xent.errors import MissingPackageError, OptionError
from xent.report import axes, chart_confusion, chart_groups, chart_ladder, chart_reliability, html

LONG = "an honest name, but a long one"


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    z = 1.5 * random.normal(size=2000)
    labels = (random.random(2000) < sigmoid(z)).astype(int)
    return labels, sigmoid(2.5 * z + 0.7), random.integers(0, 5, 2000)


@pytest.fixture(scope="module")
def report(rows):
    labels, predictions, groups = rows
    return evaluate(labels, predictions, group=np.array(["a", "b", "c", "d", LONG])[groups])


@pytest.fixture(scope="module")
def four():
    random = np.random.default_rng(1)
    labels = random.integers(0, 4, 800)
    scores = random.normal(size=(800, 4))
    scores[np.arange(800), labels] += 1.5
    odds = np.exp(4.0 * scores)
    predictions = odds / odds.sum(axis=1, keepdims=True)
    return labels, predictions, evaluate(labels, predictions, unit="bits", classes=list(range(4)))


def test_the_waterfall_falls_from_the_loss_to_what_the_best_cure_leaves(rows, report):
    labels, p, _ = rows
    plot = chart_ladder.waterfall(report)
    scale = plot.whole / report.loss
    right = plot.whole
    for fall in plot.falls[:-1]:
        assert math.isclose(fall.left + fall.width, right, rel_tol=1e-9)
        assert math.isclose(fall.width, fall.part * scale, rel_tol=1e-9)
        right = fall.left
    last = plot.falls[-1]
    assert (last.name, last.left) == ("what remains", pytest.approx(0.0, abs=1e-9))
    assert math.isclose(last.width, right, rel_tol=1e-6)
    z = np.log(p / (1.0 - p))

    def cost(cure):
        return np.mean(np.logaddexp(0.0, np.where(labels == 1, -1.0, 1.0) * (cure[0] * z + cure[1])))

    best = minimize(cost, [0.5, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
    assert math.isclose(last.part, best.fun, abs_tol=2e-6)
    assert math.isclose(report.loss, cost([1.0, 0.0]), rel_tol=1e-9)
    assert math.isclose(chart_ladder.cured(report).loss, best.fun, abs_tol=2e-6)


def test_a_cure_that_does_harm_raises_the_next_bar(report):
    rungs = {rung.name: rung for rung in report.ladder}
    parts = {"class bias": 0.2, "both": -0.3, "refinement": report.loss + 0.1}
    ladder = tuple(replace(rung, part=parts.get(name)) for name, rung in rungs.items())
    plot = chart_ladder.waterfall(replace(report, ladder=ladder))
    bias, temperature, rest = plot.falls
    top = 1.02 * (report.loss + 0.1)
    assert math.isclose(bias.left, 100.0 * (report.loss - 0.2) / top)
    assert math.isclose(temperature.left, temperature.start, rel_tol=1e-12)
    assert math.isclose(temperature.left + temperature.width, 100.0 * (report.loss + 0.1) / top)
    assert (rest.left, rest.width) == (0.0, pytest.approx(100.0 / 1.02))
    assert "adds to the loss" in html.render(replace(report, ladder=ladder))


def test_no_ladder_no_waterfall():
    assert chart_ladder.waterfall(evaluate([0, 1], [1.0, 0.5])) is None  # an infinite loss
    assert chart_ladder.waterfall(evaluate([0, 1, 0], [0.2, 0.5, 0.1], brief=True)) is None
    assert chart_ladder.waterfall(evaluate([0, 1, 0], [0.0, 1.0, 0.0])) is None  # nothing to take apart


def test_the_reliability_curve_holds_every_row(rows, report):
    labels, p, _ = rows
    plots = chart_reliability.reliability(report)
    assert report.reliability[plots.main.position].of == 1
    found = [spot.found for spot in plots.main.spots]
    weights = np.array([one.weight for one in found])
    assert weights.sum() == len(p)
    assert math.isclose(np.dot(weights, [one.predicted for one in found]) / len(p), p.mean(), rel_tol=1e-9)
    assert math.isclose(np.dot(weights, [one.observed for one in found]) / len(p), labels.mean(), rel_tol=1e-9)
    assert all(spot.x == 100.0 * one.predicted for spot, one in zip(plots.main.spots, found, strict=True))
    assert plots.main.band.count("L") == 2 * len(found) - 1
    assert max(spot.size for spot in plots.main.spots) == 9.0


def test_after_the_cure_is_the_cure_of_the_odds(report):
    main = chart_reliability.reliability(report).main
    cure = report.cure
    before, after, observed = (np.array(v) for v in zip(
        *((s.found.predicted, s.after, s.found.observed) for s in main.spots), strict=True))  # fmt: skip
    by_hand = sigmoid(np.log(before / (1.0 - before)) / cure.temperature + cure.offsets[1] - cure.offsets[0])
    np.testing.assert_allclose(after, by_hand, rtol=1e-12)
    assert abs(after - observed).mean() < 0.5 * abs(before - observed).mean()


def test_after_the_cure_is_not_guessed(report, four):
    assert all(spot.after is None for plot in _all(four[2]) for spot in plot.spots)
    likeliest = next(plot for plot in _all(report) if report.reliability[plot.position].of is None)
    assert all(spot.after is None for spot in likeliest.spots)
    sure = evaluate([0, 1] * 200, np.repeat([1e-30, 0.9, 0.6, 0.7], 100))  # a mean that is rounded to 0
    if sure.cure is not None:
        for plot in _all(sure):
            assert all(s.after is None for s in plot.spots if s.found.predicted in (0.0, 1.0))


def test_each_label_of_several_has_its_own_cure():
    random = np.random.default_rng(2)
    z = random.normal(size=(1500, 3))
    labels = (random.random(z.shape) < sigmoid(z)).astype(float)
    report = evaluate(labels, sigmoid(2.0 * z + [0.0, 1.0, -1.0]), task="multilabel", classes=["x", "y", "z"])
    plots = chart_reliability.reliability(report)
    assert plots.main is None
    assert [plot.about for plot in plots.others] == ["label x", "label y", "label z"]
    for j, plot in enumerate(plots.others):
        before = np.array([spot.found.predicted for spot in plot.spots])
        by_hand = sigmoid(np.log(before / (1.0 - before)) / report.cure.temperature + report.cure.offsets[j])
        np.testing.assert_allclose([spot.after for spot in plot.spots], by_hand, rtol=1e-12)


def _all(report):
    plots = chart_reliability.reliability(report)
    return [plot for plot in (plots.main, *plots.others) if plot is not None]


def test_many_curves_are_folded(four):
    plots = chart_reliability.reliability(four[2])
    assert plots.main.about == "the likeliest class"
    assert [plot.about for plot in plots.others] == [f"class {i}" for i in range(4)]
    assert not plots.folded
    random = np.random.default_rng(3)
    many = evaluate(np.resize(np.arange(8), 400), random.dirichlet(np.ones(8), 400), classes=list(range(8)))
    assert chart_reliability.reliability(many).folded


def test_whiskers_are_two_standard_errors_of_the_rows(rows, report):
    labels, p, groups = rows
    nats = -np.log(np.where(labels == 1, p, 1.0 - p))
    plot = chart_groups.group_bars(report)
    scale = plot.whole / nats.mean()
    for bar in plot.bars:
        own = nats[groups == ["a", "b", "c", "d", LONG].index(bar.found.group)]
        error = own.std(ddof=1) / math.sqrt(len(own))
        assert math.isclose(bar.loss, own.mean() * scale, rel_tol=1e-9)
        ends = (max(0.0, own.mean() - 2.0 * error) * scale, (own.mean() + 2.0 * error) * scale)
        np.testing.assert_allclose(bar.reach, ends, rtol=1e-6)
        assert bar.reach[1] <= 100.0


def test_many_groups_show_those_that_cost_most():
    random = np.random.default_rng(4)
    report = evaluate(random.integers(0, 2, 9000), random.random(9000), group=np.repeat(np.arange(225), 40))
    plot = chart_groups.group_bars(report)
    assert (len(plot.bars), plot.left_out) == (30, 195)
    assert (len(plot.listed), plot.not_listed) == (200, 25)
    small = evaluate([0, 1] * 60, np.resize([0.2, 0.7], 120), group=["big"] * 100 + [f"g{i // 2}" for i in range(20)])
    assert [bar.name for bar in chart_groups.group_bars(small).bars] == ["big", "10 small groups"]
    assert chart_groups.group_bars(evaluate([0, 1], [0.2, 0.7])) is None


def test_the_heat_table_is_the_mean_cost_by_class(four):
    labels, p, report = four
    cells = chart_confusion.heat(report)
    by_hand = [(-np.log2(p[labels == i])).mean(axis=0) for i in range(4)]
    np.testing.assert_allclose([[cell.cost for cell in row] for row in cells], by_hand, rtol=1e-5, atol=1e-5)
    flat = sorted((cell for row in cells for cell in row), key=lambda cell: cell.cost)
    levels = [cell.level for cell in flat]
    assert levels == sorted(levels, reverse=True)
    assert {cell.level for cell in flat if cell.cost >= 5.0 / math.log(2.0)} <= {0}


def test_impossible_classes_and_classes_without_rows_have_no_colour():
    report = evaluate([0, 0, 1], [[0.8, 0.2, 0.0], [0.7, 0.3, 0.0], [0.1, 0.8, 0.1]], classes=[0, 1, 2])
    cells = chart_confusion.heat(report)
    assert (cells[0][2].cost, cells[0][2].level) == (math.inf, 0)
    assert {cell.cost for cell in cells[2]} == {None}
    wide = np.full((60, 21), 1.0 / 21)
    assert chart_confusion.heat(evaluate(np.resize(np.arange(21), 60), wide, classes=list(range(21)))) is None


@pytest.mark.parametrize(
    ("least", "step"), [(1.0, 1.0), (1.01, 2.0), (2.0, 2.0), (3.0, 5.0), (7.0, 10.0), (0.03, 0.05), (6e-9, 1e-8)]
)
def test_steps_are_round(least, step):
    assert math.isclose(axes.round_step(least), step, rel_tol=1e-12)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.54, 0.7), (-0.003, 0.1), (12.0, 12.5), (-7e-9, 2e-9)])
def test_ticks_between_are_round_and_where_they_say(low, high):
    found = axes.ticks_between(low, high)
    assert 2 <= len(found) <= 7
    values = [float(tick.text.replace("−", "-").replace(",", "")) for tick in found]
    for tick, value in zip(found, values, strict=True):
        assert math.isclose(tick.at, 100.0 * (value - low) / (high - low), rel_tol=1e-6, abs_tol=1e-6)
    steps = np.diff(values)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)


@pytest.fixture
def ax():
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    yield ax
    figure.canvas.draw()  # what cannot be drawn raises here
    plt.close(figure)


def test_matplotlib_draws_the_reliability_of_the_report(report, ax):
    assert report.plot.reliability(ax) is ax
    bins = report.reliability[1].bins
    offsets = [collection.get_offsets() for collection in ax.collections[1:]]
    np.testing.assert_array_equal(offsets[0], [(one.predicted, one.observed) for one in bins])
    np.testing.assert_array_equal(offsets[1][:, 1], [one.observed for one in bins])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [one.fitted for one in bins])
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {
        "isotonic",
        "before the cure",
        "after the cure",
    }


def test_matplotlib_draws_the_ladder_of_the_report(report, ax):
    assert report.plot.ladder(ax) is ax
    bars = ax.patches
    widths = [report.loss, *(rung.part for rung in report.ladder if rung.part is not None)]
    np.testing.assert_allclose([bar.get_width() for bar in bars], widths, rtol=1e-12)
    assert bars[-1].get_x() == 0.0
    assert math.isclose(bars[1].get_x() + bars[1].get_width(), report.loss)
    assert math.isclose(bars[2].get_x(), bars[3].get_width(), rel_tol=1e-9)


def test_matplotlib_draws_the_confusion_of_the_report(four, ax):
    report = four[2]
    assert report.plot.confusion(ax) is ax
    shown = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(shown, np.minimum(report.confusion, 5.0 / math.log(2.0)), rtol=1e-12)
    assert len(ax.texts) == 16


def test_matplotlib_draws_the_confusion_of_decisions(ax):
    labels = np.resize([0, 1, 2], 300)
    report = evaluate(labels, np.eye(3)[np.where(np.arange(300) < 6, (labels + 1) % 3, labels)])
    assert report.confusion == ((math.inf,) * 3,) * 3
    surely = evaluate(labels, np.eye(3)[(labels + 1) % 3])
    assert surely.confusion == ((math.inf, 0.0, math.inf), (math.inf, math.inf, 0.0), (0.0, math.inf, math.inf))
    assert [(pair.label, pair.taken_for) for pair in surely.confused] == [(0, 1), (1, 2), (2, 0)]
    assert surely.plot.confusion(ax) is ax
    assert "0, 1, 2" in surely.warnings[1]  # whose columns are permuted


def test_matplotlib_draws_the_histogram_of_the_report(report, ax):
    assert report.plot.histogram(ax) is ax
    heights = np.array([bar.get_height() for bar in ax.patches])
    assert math.isclose(heights[heights > 0].sum(), 1.0, rel_tol=1e-9)
    assert math.isclose(heights[heights < 0].sum(), -1.0, rel_tol=1e-9)


def test_matplotlib_draws_the_groups_of_the_report(report, ax):
    assert report.plot.groups(ax) is ax
    assert [bar.get_width() for bar in ax.patches] == [one.loss for one in report.by_group]
    assert [text.get_text() for text in ax.get_yticklabels()] == [str(one.group) for one in report.by_group]


def test_a_figure_is_made_where_none_is_given(report, ax):
    import matplotlib.pyplot as plt

    drawn = [report.plot.reliability(), report.plot.histogram(), report.plot.reliability(of=1)]
    assert len({one.figure for one in (ax, *drawn)}) == 4
    for one in drawn:
        plt.close(one.figure)


@pytest.mark.parametrize("part", ["reliability", "ladder", "confusion", "groups"])
def test_what_a_report_lacks_is_said(part, ax):
    brief = evaluate([0, 1, 1], [0.2, 0.6, 0.7], brief=True)
    with pytest.raises(OptionError, match=r"brief=(True|False)|group="):
        getattr(brief.plot, part)(ax)


def test_an_unknown_class_is_named_with_those_there_are(report, ax):
    with pytest.raises(OptionError, match=r"no reliability curve of 7; it has those of 1"):
        report.plot.reliability(ax, of=7)


def test_without_matplotlib_the_next_step_is_said(report, monkeypatch):
    for name in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=r"pip install 'xent\[plot\]'"):
        report.plot.histogram()


def test_a_report_loads_no_matplotlib_before_it_draws():
    code = "import sys, xent; xent.evaluate([0, 1], [0.2, 0.7]).plot; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
