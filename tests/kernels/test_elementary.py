"""log, log1p and exp against mpmath at 50 digits."""

import threading

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xent.kernels import elementary_numpy as spec

mpmath.mp.dps = 50
EPSILON = 2.0**-52


def assert_within(ulps, found, truth):
    truth = mpmath.mpf(truth)
    assert abs(mpmath.mpf(float(found)) - truth) <= ulps * EPSILON * abs(truth) + mpmath.mpf(2) ** -1074


@given(st.floats(5e-324, 1.7e308))
@example(5e-324)
@example(2.0**-1022)
@example(np.nextafter(1.0, 0.0))
@example(np.nextafter(1.0, 2.0))
@example(0.5**0.5)
def test_neg_log_is_within_an_ulp(u):
    assert_within(1.0, spec.neg_log(np.array([u]))[0], -mpmath.log(u))


@given(st.floats(0.0, 1e300))
@example(1e-320)
@example(1e-30)
@example(1.0)
def test_neg_log1p_is_within_two_ulps(r):
    assert_within(2.0, spec.neg_log1p(np.array([r]))[0], -mpmath.log1p(r))


@given(st.floats(0.0, np.nextafter(1.0, 0.0)))
@example(1e-300)
@example(1.5e-16)
@example(np.nextafter(1.0, 0.0))
def test_neg_log_of_one_minus_p_is_within_two_ulps(p):
    assert_within(2.0, spec.neg_log1p_minus(np.array([p]))[0], -mpmath.log1p(-mpmath.mpf(p)))


@given(st.floats(-745.0, 0.0))
@example(-1e-300)
@example(-0.5 * np.log(2.0))
@example(-744.9)
def test_exp_is_within_an_ulp(x):
    assert_within(1.0, spec.exp(np.array([x]))[0], mpmath.exp(x))


def test_what_is_no_positive_number():
    with np.errstate(all="raise"):
        nats = spec.neg_log(np.array([0.0, -0.0, -1.0, np.inf, np.nan, 1.0]))
    np.testing.assert_array_equal(nats, [np.inf, np.inf, np.nan, np.nan, np.nan, 0.0])


@pytest.mark.parametrize(("x", "result"), [(-np.inf, 0.0), (-1e9, 0.0), (0.0, 1.0), (np.nan, np.nan)])
def test_exp_at_the_ends(x, result):
    np.testing.assert_array_equal(spec.exp(np.array([x])), [result])


def test_each_number_has_its_exp_alone_in_whatever_array(monkeypatch):
    monkeypatch.setattr(spec, "MAX_ROWS", 7)  # numbers in one go
    monkeypatch.setattr(spec, "_kept", threading.local())  # memory of that size is not to stay for other tests
    x = -np.random.default_rng(0).exponential(100.0, (6, 10))
    x[2, 3], x[5, 9] = np.nan, -np.inf
    for array in (x, x[:, ::3], x.T, x[0], x[:0]):
        alone = [spec.exp(np.array([number]))[0] for number in array.ravel()]
        np.testing.assert_array_equal(spec.exp(array), np.reshape(alone, array.shape))
