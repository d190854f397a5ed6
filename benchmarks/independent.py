"""What a report says, beside independent code: scikit-learn, SciPy, statsmodels and NumPy, in a Markdown table a model.

Four models of handwritten digits: logistic regression, naive Bayes and a random forest (examples/data), and a neural net
trained far too long, on labels of which 15 % are wrong. The peers see the same rows: log p, and which class was true.
Clusters are three neighbouring rows each. Classes are all frequent enough for an offset of their own, so that χ² has the
degrees of freedom of textbooks: 9 for offsets, 1 for a temperature, 10 for both.

    pip install '.[fast,examples]' 'scikit-learn>=1.8' statsmodels
    python benchmarks/independent.py

Exit status 1 if a difference is above the tolerance that stands beside it.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import statsmodels.api as sm
import tables
from peer_cures import Array, Model, by_scikit_learn, by_scipy, models
from scipy import stats
from scipy.special import softmax
from sklearn.isotonic import IsotonicRegression
from statsmodels.stats.multitest import multipletests

import xent

NATS = 1e-6  # of losses and gains
SCALE = 5e-3  # of temperatures, relative, and of offsets in nats: the loss is flat where it is least
TAIL = 2e-3  # of p-values of cures, relative: 2n·NATS
SHARE = 1e-6  # of probabilities and shares of rows
CLOSE = 1e-9  # relative: where both compute the same formula in float64
TAILS = 5e-2  # of p-values in clusters, relative: at 1e-68 the curvature's fourth digit shows


class Line(NamedTuple):
    """One quantity from both sides; relative tolerances are of the larger one."""

    quantity: str
    xent: float
    independent: float
    tolerance: float
    relative: bool = False

    @property
    def difference(self) -> float:
        """Absolute, or relative."""
        if self.xent == self.independent:  # infinity too
            return 0.0
        away = abs(self.xent - self.independent)
        return away / max(abs(self.xent), abs(self.independent)) if self.relative else away

    @property
    def shown(self) -> list[str]:
        """A row of the table."""
        unit = " of it" if self.relative else ""
        figures = [f"{self.xent:.9g}", f"{self.independent:.9g}", f"{self.difference:.1e}{unit}"]
        return [self.quantity, *figures, f"{self.tolerance:.0e}{unit}", "" if self.holds else "APART"]

    @property
    def holds(self) -> bool:
        """Whether the two are as near as they should be; NaN is not."""
        return self.difference <= self.tolerance


def least_alike(quantity: str, ours: Any, theirs: Any, tolerance: float, relative: bool = False) -> Line:
    """Of many pairs the one that differs most, the largest of those that differ as much."""
    pairs = zip(np.ravel(ours).tolist(), np.ravel(theirs).tolist(), strict=True)
    lines = [Line(f"{quantity}, the least alike of {np.size(ours)}", *pair, tolerance, relative) for pair in pairs]
    return max(lines, key=lambda line: (not line.difference <= line.tolerance, line.difference, line.xent))


def ladder(model: Model, report: xent.Report) -> Iterator[Line]:
    """Each rung: loss, gain less what is chance, χ², and the cure itself."""
    n, before = len(model.p), float(model.nats.mean())
    rungs = {rung.name: rung for rung in report.ladder or ()}
    found, degrees = by_scipy(model), {"class bias": 9, "temperature": 1, "both": 10}
    for name, (loss, beta, offsets) in found.items():
        rung, k = rungs[name], degrees[name]
        yield Line(f"{name}: k", rung.parameters, k, 0.0)
        yield Line(f"{name}: loss after it (SciPy)", rung.loss, loss, NATS)
        yield Line(f"{name}: gain − k/2n", rung.corrected_gain, before - loss - k / (2 * n), NATS)
        yield Line(f"{name}: p (χ², SciPy)", rung.p_value, stats.chi2.sf(2 * n * (before - loss), k), TAIL, True)
        if name != "class bias":
            yield Line(f"{name}: temperature (SciPy)", rung.temperature, 1 / beta, SCALE, True)
        if name != "temperature":
            yield least_alike(f"{name}: offsets (SciPy)", rung.offsets, offsets - offsets.mean(), SCALE)
    loss, temperature = by_scikit_learn(model)
    yield Line("temperature: loss after it (scikit-learn)", rungs["temperature"].loss, loss, NATS)
    yield Line("temperature: temperature (scikit-learn)", rungs["temperature"].temperature, temperature, SCALE, True)
    cured = report.recalibrate(model.p)
    applied = -np.log(cured[np.arange(n), model.labels]).mean()
    best = "both" if any(report.cure.offsets) and report.cure.temperature != 1 else "temperature"
    yield Line(f"recalibrate: loss after it ({best}, SciPy)", applied, found[best][0], NATS)
    yield Line("parts of the ladder added up", math.fsum(rung.part or 0.0 for rung in rungs.values()), before, 1e-12)


def sandwich(model: Model) -> Iterator[Line]:
    """The same gain where rows come in clusters: trace of H⁻¹·J, and Rao and Scott's χ²."""
    report = xent.evaluate(model.labels, model.p, cluster=model.cluster)
    rung = next(rung for rung in report.ladder if rung.name == "both")
    loss, beta, offsets = by_scipy(model)["both"]
    z, n = model.logits, len(model.p)
    q = softmax(beta * z + offsets, axis=1)
    away = q - np.eye(10)[model.labels]
    slopes = np.column_stack([(away * z).sum(axis=1), away[:, :9]])  # the last offset is fixed: only differences matter
    by_cluster = np.array([slopes[model.cluster == c].sum(axis=0) for c in np.unique(model.cluster)])
    scatter = by_cluster.T @ by_cluster * len(by_cluster) / (len(by_cluster) - 1)
    features = np.concatenate([z[:, :, None], np.broadcast_to(np.eye(10)[:, :9], (n, 10, 9))], axis=2)
    centred = features - (q[:, :, None] * features).sum(axis=1, keepdims=True)
    curvature = np.einsum("nj,nja,njb->ab", q, centred, centred)
    product = np.linalg.solve(curvature, scatter)
    trace, degrees = np.trace(product), min(10.0, np.trace(product) ** 2 / np.trace(product @ product))
    gain = float(model.nats.mean()) - loss
    yield Line("clusters: both, gain − tr(H⁻¹J)/2n", rung.corrected_gain, gain - trace / (2 * n), 1e-5)
    p = stats.chi2.sf(2 * n * gain * degrees / trace, degrees)
    yield Line("clusters: both, p (Rao–Scott)", rung.p_value, p, TAILS, True)
    fit = sm.OLS(model.nats, np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": model.cluster}, use_t=True)
    yield Line("clusters: standard error (statsmodels)", report.standard_error, fit.bse[0], CLOSE, True)
    yield from ends("clusters: 95 %", "statsmodels", report.interval, fit.conf_int()[0])


def ends(name: str, by: str, ours: tuple[float, float], theirs: Any) -> Iterator[Line]:
    """An interval of a mean that cannot be below 0."""
    yield Line(f"{name} from ({by})", ours[0], max(0.0, theirs[0]), CLOSE, True)
    yield Line(f"{name} to ({by})", ours[1], theirs[1], CLOSE, True)


def loss_and_parts(model: Model, report: xent.Report) -> Iterator[Line]:
    """The mean, its interval, the baseline; by class, by pairs of classes, by group."""
    n, nats = len(model.p), model.nats
    yield Line("loss (NumPy)", report.loss, nats.mean(), CLOSE, True)
    yield Line("standard error (SciPy)", report.standard_error, stats.sem(nats), CLOSE, True)
    yield from ends("95 %", "SciPy", report.interval, stats.ttest_1samp(nats, 0.0).confidence_interval())
    counts = np.bincount(model.labels)
    yield Line("baseline (SciPy's entropy)", report.baseline, stats.entropy(counts), CLOSE, True)
    yield Line("accuracy", report.accuracy, (model.p.argmax(axis=1) == model.labels).mean(), CLOSE)
    by_class = [nats[model.labels == digit].mean() for digit in range(10)]
    yield least_alike("loss by class", [one.loss for one in report.by_class], by_class, CLOSE, True)
    given = [model.p[model.labels == digit] for digit in range(10)]
    # of subnormal numbers xent takes a rough logarithm here
    usual = np.array([((p == 0.0) | (p >= np.finfo(float).tiny)).all(axis=0) for p in given])
    with np.errstate(divide="ignore"):
        costs = np.array([-np.log(p).mean(axis=0) for p in given])
    confusion = np.array(report.confusion, float)
    yield least_alike("confusion in nats", confusion[usual], costs[usual], NATS, True)
    group = np.arange(n) % 7
    shown = sorted(xent.evaluate(model.labels, model.p, group=group).by_group, key=lambda one: one.group)
    tests = [stats.ttest_ind(nats[group == g], nats[group != g], equal_var=False).pvalue for g in range(7)]
    yield least_alike("p of groups (Welch, SciPy)", [one.p_value for one in shown], tests, CLOSE, True)
    adjusted = stats.false_discovery_control(tests)
    yield least_alike("p by Benjamini–Hochberg (SciPy)", [one.adjusted_p_value for one in shown], adjusted, CLOSE, True)


def reliability(model: Model, report: xent.Report) -> Iterator[Line]:
    """Bins of all curves: means by NumPy, Wilson's band by SciPy, isotonic regression by scikit-learn."""
    found = []
    for curve in report.reliability:
        of = model.p.argmax(axis=1) if curve.of is None else np.full(len(model.p), curve.of)
        p, true = model.p[np.arange(len(of)), of], model.labels == of
        rest = np.where(np.arange(10) == of[:, None], 0.0, model.p).sum(axis=1)
        rows = np.column_stack([p, true, rising(p, rest, true)])[np.lexsort((-rest, p))]
        last = np.cumsum([one.weight for one in curve.bins]).astype(int)
        assert last[-1] == len(p)
        for one, piece in zip(curve.bins, np.split(rows, last[:-1]), strict=True):
            band = stats.binomtest(int(piece[:, 1].sum()), len(piece)).proportion_ci(method="wilson")
            ours = one.predicted, one.observed, one.fitted, one.low, one.high
            found.append((ours, (*piece.mean(axis=0), band.low, band.high)))
    sides = np.transpose(found, (2, 1, 0))  # (5, 2, bins)
    names = ("predicted (NumPy)", "observed (NumPy)", "fitted (scikit-learn)", "band from (SciPy)", "band to (SciPy)")
    for name, pairs in zip(names, sides, strict=True):
        told = pairs[:, ~np.isnan(pairs[1])]
        if told.size:
            yield least_alike(f"reliability: {name}", *told, SHARE)


def rising(p: Array, rest: Array, true: Array) -> Array:
    """Isotonic regression over bins of the odds p : rest, four for each doubling from 2^-32 to 2^32, one on each side.

    NaN where odds lie on the edge of two bins, so that their last digit decides: those of a forest that counts its trees.
    """
    with np.errstate(divide="ignore"):
        mantissa, power = np.frexp(p / rest)
    told = (p > 0.0) & (rest > 0.0)
    eighths = 8.0 * mantissa[told]
    if (np.abs(eighths - np.rint(eighths)) < 1e-5).any():
        return np.full(len(p), np.nan)
    odds = np.where(p > 0.0, np.clip(4 * power + np.floor(8 * mantissa) + 121, 0, 257), 0)
    bins, at, rows = np.unique(odds, return_inverse=True, return_counts=True)
    share = np.bincount(at, weights=true) / rows
    return IsotonicRegression().fit_transform(bins, share, sample_weight=rows)[at]


def comparison(given: list[Model]) -> Iterator[Line]:
    """Every pair of models, row by row: Student's t, clusters, and Holm's method over the pairs."""
    names, cluster, labels = [model.name for model in given], given[0].cluster, given[0].labels
    predictions = [model.p for model in given]
    plain = xent.compare(*predictions, labels=labels, names=names).pairs
    clustered = xent.compare(*predictions, labels=labels, names=names, cluster=cluster).pairs
    nats = {model.name: model.nats for model in given}
    holm = multipletests([stats.ttest_rel(nats[pair.first], nats[pair.second]).pvalue for pair in plain], method="holm")
    for pair, other, adjusted in zip(plain, clustered, holm[1], strict=True):
        name, difference = f"{pair.first} − {pair.second}", nats[pair.first] - nats[pair.second]
        test = stats.ttest_rel(nats[pair.first], nats[pair.second])
        yield Line(f"{name}: difference", pair.difference, difference.mean(), CLOSE, True)
        yield Line(f"{name}: p (SciPy)", pair.p_value, test.pvalue, 1e-6, True)
        yield Line(f"{name}: p by Holm (statsmodels)", pair.adjusted_p_value, adjusted, 1e-6, True)
        yield Line(f"{name}: 95 % from (SciPy)", pair.interval[0], test.confidence_interval().low, CLOSE, True)
        fit = sm.OLS(difference, np.ones(len(labels))).fit(cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True)
        yield Line(f"{name}: clustered error (statsmodels)", other.standard_error, fit.bse[0], CLOSE, True)
        yield Line(f"{name}: clustered p (statsmodels)", other.p_value, fit.pvalues[0], 1e-6, True)


def main() -> None:
    """Print the tables."""
    given, apart = list(models()), list[str]()
    for model in given:
        report = xent.evaluate(model.labels, model.p)
        parts = (loss_and_parts(model, report), ladder(model, report), sandwich(model), reliability(model, report))
        print(f"\n{model.name}: {report.verdict}; {report.diagnosis}\n")
        apart += shown([line for part in parts for line in part])
    print("\nmodels against each other\n")
    apart += shown(list(comparison(given)))
    if apart:
        raise SystemExit(f"\nfurther apart than they should be: {', '.join(apart)}")


def shown(lines: list[Line]) -> list[str]:
    """Print a table; the quantities that are too far apart."""
    heads = ["quantity", "xent", "independent", "difference", "tolerance", ""]
    print(tables.markdown(heads, [line.shown for line in lines]))
    return [line.quantity for line in lines if not line.holds]


if __name__ == "__main__":
    main()
