"""The mean and its uncertainty: against SciPy, formulas written out by hand, and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from xent.scoring.means import RESAMPLES, bootstrap_t, mean_of


def skewed(generator, *shape):
    """Like losses: a few large ones carry the mean."""
    return generator.lognormal(-1.0, 1.0, shape)


def test_students_t_is_scipys():
    x = skewed(np.random.default_rng(0), 500) - 0.4
    found, truth = mean_of(x), stats.ttest_1samp(x, 0.0)
    ends = truth.confidence_interval(0.95)
    assert found.estimate == pytest.approx(x.mean(), rel=1e-13)
    assert found.standard_error == pytest.approx(stats.sem(x), rel=1e-13)
    assert found.interval == pytest.approx((ends.low, ends.high), rel=1e-9)
    assert found.p_value == pytest.approx(truth.pvalue, rel=1e-9)
    assert (found.degrees, found.method) == (499, "t")


def test_weights_are_the_ratio_estimator():
    r = np.random.default_rng(1)
    x, w = r.normal(0.1, 1.0, 300), r.gamma(1.0, 1.0, 300)
    mean = (w * x).sum() / w.sum()
    error = math.sqrt(300 / 299 * (w**2 * (x - mean) ** 2).sum()) / w.sum()
    found = mean_of(x, w)
    assert (found.estimate, found.standard_error) == pytest.approx((mean, error), rel=1e-12)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(mean / error), 299), rel=1e-9)


def test_weights_change_nothing_by_their_unit():
    r = np.random.default_rng(2)
    x, w = r.normal(size=300), r.random(300)
    assert mean_of(x, w) == mean_of(x, w * 2.0**700)
    assert mean_of(x, np.full(300, 0.37)).interval == pytest.approx(mean_of(x).interval, rel=1e-12)


def sandwich(x, w, clusters):
    """Liang and Zeger's variance of a weighted mean, cluster by cluster."""
    mean = sum(w * x) / sum(w)
    totals = {}
    for value, weight, cluster in zip(x, w, clusters, strict=True):
        totals[cluster] = totals.get(cluster, 0.0) + weight * (value - mean)
    count = len(totals)
    return mean, math.sqrt(count / (count - 1) * sum(total**2 for total in totals.values())) / sum(w), count


@pytest.mark.parametrize("weighted", [False, True])
def test_clusters_are_the_sandwich(weighted):
    r = np.random.default_rng(3)
    clusters = r.integers(0, 250, 1200)
    x = r.normal(size=250)[clusters] + r.normal(0.2, 1.0, 1200)
    w = r.random(1200) if weighted else np.ones(1200)
    mean, error, count = sandwich(x, w, clusters)
    found = mean_of(x, w if weighted else None, clusters)
    assert (found.estimate, found.standard_error) == pytest.approx((mean, error), rel=1e-12)
    assert found.interval[1] == pytest.approx(mean + stats.t.ppf(0.975, count - 1) * error, rel=1e-9)
    assert (found.degrees, found.method) == (count - 1, "cluster-robust t")
    assert found.standard_error > 1.3 * mean_of(x).standard_error  # what ignoring the clusters would claim


def test_clusters_of_one_row_are_no_clusters():
    x = skewed(np.random.default_rng(4), 400)
    alone, plain = mean_of(x, clusters=np.arange(400)[::-1]), mean_of(x)
    assert alone[:5] == plain[:5]


rows = st.lists(
    st.tuples(st.floats(-50, 50), st.floats(0.01, 5.0), st.integers(0, 4)), min_size=2, max_size=40
)  # value, weight, cluster


@settings(max_examples=60)
@given(rows, st.randoms(), st.booleans(), st.booleans())
def test_the_order_of_rows_changes_no_bit(data, random, weighted, clustered):
    def mean(lines):
        x, w, c = (np.array(column) for column in zip(*lines, strict=True))
        return mean_of(x, w if weighted else None, c if clustered else None)

    shuffled = list(data)
    random.shuffle(shuffled)
    assert repr(mean(data)) == repr(mean(shuffled))


def test_order_and_names_of_clusters_change_no_bit_in_many_rows():
    r = np.random.default_rng(5)
    x, w, c, order = r.normal(size=5000), r.random(5000), r.integers(0, 900, 5000), r.permutation(5000)
    assert mean_of(x, w, c) == mean_of(x[order], w[order], 10_000 - c[order])
    assert mean_of(x) == mean_of(x[order])


@pytest.mark.parametrize(("value", "p"), [(0.0, 1.0), (0.1, 0.0), (-3.0, 0.0)])
@pytest.mark.parametrize("rows", [2, 7, 1000])
def test_values_that_are_all_equal(value, p, rows):
    found = mean_of([value] * rows, np.linspace(0.1, 0.7, rows))
    assert found[:4] == (value, 0.0, (value, value), p)


def test_a_single_row_or_cluster_has_no_error():
    assert mean_of([2.0])[:4] == (2.0, None, None, None)
    assert mean_of([2.0, 4.0, 9.0], clusters=[5, 5, 5])[:4] == (5.0, None, None, None)
    assert mean_of([2.0, 4.0], [1.0, 0.0])[:2] == (2.0, None)


def test_rows_of_weight_zero_are_left_out():
    x = skewed(np.random.default_rng(6), 60)
    w = np.linspace(0.5, 2.0, 60)
    more = np.append(x, 1e9), np.append(w, 0.0), np.append(np.arange(60) // 3, 77)
    assert mean_of(*more[:2]) == mean_of(x, w)
    assert mean_of(*more) == mean_of(x, w, np.arange(60) // 3)


@pytest.mark.parametrize("power", [-900, 330])
def test_no_size_of_the_values_overflows(power):
    x = skewed(np.random.default_rng(7), 250)
    small, plain = mean_of(x * 2.0**power), mean_of(x)
    assert small.estimate == plain.estimate * 2.0**power
    assert small.standard_error == plain.standard_error * 2.0**power
    assert small.p_value == plain.p_value


def slowly(x, w, resamples, level):
    """The studentised bootstrap, one resample at a time, of rows in sorted order."""
    order = np.lexsort((w, w * (x - (w * x).sum() / w.sum())))
    x, w, n = x[order], w[order], len(x)

    def ratio(x, w):
        mean = (w * x).sum() / w.sum()
        return mean, math.sqrt(n / (n - 1) * (w**2 * (x - mean) ** 2).sum()) / w.sum()

    mean, error = ratio(x, w)
    draws = np.random.Generator(np.random.PCG64(1948)).integers(0, n, (resamples, n))
    pivots = sorted((m - mean) / e for m, e in (ratio(x[rows], w[rows]) for rows in draws))
    tail = round((resamples + 1) * (1 - level) / 2)
    return mean - error * pivots[resamples - tail], mean - error * pivots[tail - 1]


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_bootstrap_is_the_textbooks(level):
    r = np.random.default_rng(8)
    x, w = skewed(r, 40), r.random(40) + 0.1
    assert bootstrap_t(x, w, level, resamples=999) == pytest.approx(slowly(x, w, 999, level), rel=1e-9)
    found = bootstrap_t(x, level=level, resamples=999)
    assert found == pytest.approx(slowly(x, np.ones(40), 999, level), rel=1e-9)


def test_clusters_are_resampled_whole():
    """Rows that repeat within their cluster are the clusters' means, seen several times."""
    x = skewed(np.random.default_rng(9), 30)
    once = bootstrap_t(x)
    assert bootstrap_t(np.repeat(x, 5), clusters=np.repeat(np.arange(30), 5)) == pytest.approx(once, rel=1e-9)
    assert bootstrap_t(np.repeat(x, 5))[1] - bootstrap_t(np.repeat(x, 5))[0] < 0.6 * (once[1] - once[0])


def test_few_rows_are_bootstrapped_and_say_so():
    x = skewed(np.random.default_rng(10), 199)
    assert mean_of(x).method == "bootstrap-t"
    assert mean_of(x).interval == bootstrap_t(x)
    assert mean_of(np.append(x, 1.0)).method == "t"
    assert mean_of(x, few=0).method == "t"
    assert mean_of(np.tile(x, 5), clusters=np.tile(np.arange(199), 5)).method == "bootstrap-t"


@pytest.mark.parametrize("shift", [-0.9, -0.3, -0.05, 0.0, 0.05, 0.2, 0.6])
def test_the_bootstraps_p_value_fits_its_interval(shift):
    x = skewed(np.random.default_rng(11), 60)
    found = mean_of(x - x.mean() + shift)
    assert (found.p_value <= 0.05) == (not found.interval[0] <= 0.0 <= found.interval[1])
    assert found.p_value >= 1 / (RESAMPLES + 1)


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("rows", [2, 3, 8, 40, 190])
def test_of_turned_values_everything_is_turned(rows, clustered):
    """What is said of A − B is said of B − A."""
    for seed in range(6):
        r = np.random.default_rng(seed)
        values, weights = np.round(r.lognormal(size=rows) - 1.4, 3), r.integers(1, 4, rows)
        clusters = np.arange(rows) // 2 if clustered else None
        found, turned = (mean_of(sign * values, weights, clusters) for sign in (1.0, -1.0))
        assert turned.estimate == -found.estimate
        assert turned.standard_error == found.standard_error
        assert turned.p_value == found.p_value
        assert found.interval is None or turned.interval == (-found.interval[1], -found.interval[0])


def test_resamples_without_spread_never_narrow_the_interval():
    rare = np.zeros(60)
    rare[:2] = 1.0, 0.5  # one resample in seven has none of the two
    found = mean_of(rare)
    low, high = stats.t.interval(0.95, 59, rare.mean(), stats.sem(rare))
    assert found.interval[0] <= low < high <= found.interval[1] < math.inf
    assert found.p_value >= stats.ttest_1samp(rare, 0.0).pvalue - 1e-12
    two = mean_of([1.0, 2.0])
    assert two.interval == pytest.approx(stats.t.interval(0.95, 1, 1.5, 0.5), rel=1e-9)


def covered(intervals, truth):
    return np.mean([low <= truth <= high for low, high in intervals])


def test_coverage_of_skewed_values():
    r = np.random.default_rng(12)
    intervals = [mean_of(skewed(r, 1000)).interval for _ in range(1500)]
    assert 0.93 <= covered(intervals, math.exp(-0.5)) <= 0.97


def test_coverage_of_clustered_values():
    """250 documents of four rows that share half of their variance."""
    r = np.random.default_rng(13)
    clusters = np.repeat(np.arange(250), 4)
    truth, robust, naive = math.exp(-0.5), [], []
    for _ in range(1200):
        x = np.exp(-1.0 + math.sqrt(0.5) * (r.normal(size=250)[clusters] + r.normal(size=1000)))
        robust.append(mean_of(x, clusters=clusters).interval)
        naive.append(mean_of(x).interval)
    assert 0.93 <= covered(robust, truth) <= 0.97
    assert covered(naive, truth) < 0.9


@pytest.mark.parametrize(("sizes", "most"), [(np.r_[1.0e6, np.ones(299)], 0.0), (np.arange(1, 101) ** -1.5, 0.07)])
def test_few_rows_that_weigh_most_are_no_finding(sizes, most):
    """Differences that are chance alone: with n − 1 degrees of freedom 100 % and 14 % of them are taken for findings."""
    r = np.random.default_rng(15)
    found = [mean_of(r.normal(size=len(sizes)), sizes) for _ in range(800)]
    assert np.mean([mean.p_value is not None and mean.p_value < 0.05 for mean in found]) <= most
    telling = math.floor(sizes.sum() ** 2 / (sizes**2).sum())
    assert {mean.degrees for mean in found} == {telling - 1}
    assert {mean.interval is None for mean in found} == {telling < 2}


def test_where_few_weigh_most_the_interval_is_students_with_as_few_degrees_of_freedom():
    x, sizes = np.random.default_rng(16).normal(size=20), np.r_[60.0, 50.0, 40.0, np.ones(17)]
    telling = math.floor(sizes.sum() ** 2 / (sizes**2).sum())  # 3
    for clusters in (None, np.arange(20)):
        found = mean_of(x, sizes, clusters)
        reach = stats.t.ppf(0.975, telling - 1) * found.standard_error
        assert found.interval == pytest.approx((found.estimate - reach, found.estimate + reach), rel=1e-12)
        assert found.p_value == pytest.approx(
            2.0 * stats.t.sf(abs(found.estimate) / found.standard_error, telling - 1), rel=1e-12
        )


def test_the_bootstrap_covers_skewed_values_better_than_students_t():
    r = np.random.default_rng(14)
    samples = [skewed(r, 50) for _ in range(1000)]
    resampled = covered([bootstrap_t(x, resamples=999) for x in samples], math.exp(-0.5))
    student = covered([mean_of(x, few=0).interval for x in samples], math.exp(-0.5))
    assert student < 0.92 < resampled
    assert resampled <= 0.97
