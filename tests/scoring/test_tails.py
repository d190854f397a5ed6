"""Tails and quantiles against mpmath and SciPy; adjusted p-values against SciPy and the definition."""

import math

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from xent.scoring.tails import benjamini_hochberg, chi_squared_tail, holm, t_quantile, t_tails

DEGREES = [1, 2, 3, 4, 5, 9, 10, 30, 99, 100, 101, 999, 1000, 1001, 10**4]


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("t", [1e-6, 0.01, 0.5, 1.0, 1.96, -3.0, 8.0, 30.0])
def test_t_tails_are_those_of_mpmath(df, t):
    with mpmath.workdps(40):
        x = mpmath.mpf(df) / (df + mpmath.mpf(t) ** 2)
        truth = mpmath.betainc(mpmath.mpf(df) / 2, mpmath.mpf(1) / 2, 0, x, regularized=True)
        assert t_tails(t, df) == pytest.approx(float(truth), rel=1e-11)


@pytest.mark.parametrize("df", [10**6, 10**7, 10**9, 10**12])
def test_t_tails_of_many_degrees_are_near_the_normal_ones(df):
    assert t_tails(1.96, df) == pytest.approx(2.0 * stats.norm.sf(1.96), rel=6.0 / df + 1e-9)


@pytest.mark.parametrize("df", [*DEGREES, 10**6, 10**7])
def test_t_quantiles_are_scipys(df):
    assert t_quantile(0.975, df) == pytest.approx(stats.t.ppf(0.975, df), rel=1e-11 if df <= 10**4 else 1e-10)


@pytest.mark.parametrize("df", [1, 2, 3, 9, 10, 99, 999, 9999])
def test_chi_squared_tails_are_those_of_mpmath(df):
    for x in (1e-5, 0.1, 1.0, df / 2, float(df), 1.1 * df, 2.0 * df, df + 50.0):
        with mpmath.workdps(40):
            truth = float(mpmath.gammainc(mpmath.mpf(df) / 2, mpmath.mpf(x) / 2, mpmath.inf, regularized=True))
        assert chi_squared_tail(x, df) == pytest.approx(truth, rel=1e-10)


def test_nothing_and_nan():
    assert t_tails(0.0, 5) == chi_squared_tail(0.0, 3) == 1.0
    assert t_tails(math.inf, 5) == t_tails(1e300, 1) == 0.0
    assert t_tails(1e-300, 5) == 1.0
    assert math.isnan(t_tails(math.nan, 5))
    assert math.isnan(chi_squared_tail(math.nan, 5))


p_values = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20)


@given(p_values)
def test_false_discoveries_as_scipy_controls_them(found):
    assert benjamini_hochberg(found) == pytest.approx(stats.false_discovery_control(found).tolist(), abs=1e-15)


@given(p_values)
def test_holm_rejects_what_the_step_down_procedure_rejects(found):
    adjusted = holm(found)
    for level in (0.01, 0.05, 0.3):
        rejected, order = set(), sorted(range(len(found)), key=found.__getitem__)
        for rank, i in enumerate(order):
            if (len(found) - rank) * found[i] > level:
                break
            rejected.add(i)
        assert {i for i, p in enumerate(adjusted) if p <= level} == rejected
