"""Costs against SciPy, and how often chance raises an alarm."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_expit, log_softmax, logsumexp, xlogy

from xent.scoring import confusion_costs as costs

logits = arrays(np.float64, (5, 3), elements=st.floats(-700, 700))


@given(logits)
def test_costs_of_logits(z):
    np.testing.assert_allclose(costs.class_costs("logits", z), -log_softmax(z, axis=1), rtol=1e-12, atol=1e-12)
    absent, present = costs.label_costs("logits", z)
    np.testing.assert_allclose(absent, -log_expit(-z), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(present, -log_expit(z), rtol=1e-12, atol=1e-300)


@given(arrays(np.float64, 9, elements=st.floats(1e-9, 1 - 1e-9)))
def test_costs_of_a_column(p):
    odds = np.log(p) - np.log1p(-p)
    wanted = np.stack([-np.log1p(-p), -np.log(p)], axis=1)
    for kind, block in (("probabilities", p), ("logits", odds), ("log_probabilities", np.log(p))):
        np.testing.assert_allclose(costs.class_costs(kind, block), wanted, rtol=1e-6)


def test_edges():
    given = np.array([[0.0, 1.0], [np.nan, 0.5]])
    found = costs.class_costs("probabilities", given)
    assert found[0].tolist() == [math.inf, 0.0]
    assert not np.signbit(found[0, 1])
    assert np.isnan(found[1, 0])
    assert costs.class_costs("logits", np.array([[-np.inf, 3.0]])).tolist() == [[math.inf, 0.0]]
    np.testing.assert_array_equal(
        costs.class_costs("log_probabilities", np.array([0.0, -np.inf])), [[np.inf, 0], [0, np.inf]]
    )


def test_sums_of_rows():
    z = np.random.default_rng(0).normal(size=(6, 4))
    np.testing.assert_allclose(costs.row_totals("log_probabilities", z), np.exp(logsumexp(z, axis=1)))
    np.testing.assert_allclose(costs.row_totals("probabilities", z), z.sum(axis=1))


def test_grouped_sums():
    found = costs.grouped(np.array([2, 0, 2]), np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]]), 4)
    assert found.tolist() == [[2, 6], [0, 0], [4, 12], [0, 0]]


def test_the_smallest_loss():
    assert costs.smallest_loss(0.01) == pytest.approx(-math.log(0.99))
    assert costs.log_choices(5, 2) == pytest.approx(math.log(20))


def test_noise_is_hardly_ever_taken_for_an_order():
    """Costs of two columns that are exchangeable: for any number of rows, at most 1 in 50 may be worth a look."""
    random = np.random.default_rng(0)
    looks = sure = 0
    for _ in range(4000):
        rows = int(random.integers(1, 60))
        a, b = random.exponential(random.choice([0.1, 1.0, 10.0]), size=(2, rows)).clip(max=costs.CAP)
        found = costs.evidence(a.sum(keepdims=True), b.sum(keepdims=True), (a**2 + b**2).sum(keepdims=True), rows, 0.0)
        looks, sure = looks + found.likely, sure + found.sure
    assert looks <= 4000 * costs.LIKELY
    assert sure == 0


def test_an_entropy_from_the_same_costs():
    p = np.random.default_rng(1).dirichlet(np.ones(4), 50)
    entropy = (p * costs.class_costs("probabilities", p)).sum(axis=1)
    np.testing.assert_allclose(entropy, -xlogy(p, p).sum(axis=1), rtol=1e-12)
