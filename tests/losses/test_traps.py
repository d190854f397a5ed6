"""Calls that once gave a wrong number, a wrong gradient or a crash."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional

import xent

Z = jnp.arange(35.0).reshape(7, 5) % 3
W = jnp.arange(35.0).reshape(7, 5) % 4
Y = jnp.arange(7)


def linear(features, weight):
    return xent.linear_cross_entropy(features, weight, Y)


def dense(features, weight):
    logits = features @ weight.T
    return jnp.mean(jax.nn.logsumexp(logits, axis=-1) - logits[jnp.arange(7), Y])


def test_jax_gradients_do_not_depend_on_what_was_differentiated_before():
    truth = jax.grad(dense, (0, 1))(Z, W)
    for wrap in (lambda f: f, jax.jit, jax.checkpoint):
        for argnum in (1, 0, 1):
            np.testing.assert_allclose(jax.grad(wrap(linear), argnum)(Z, W), truth[argnum], atol=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_features_may_be_made_of_the_weight(reduction):
    weight = torch.eye(3, dtype=torch.float64, requires_grad=True)
    loss = xent.linear_cross_entropy(weight.tanh(), weight, torch.arange(3), reduction=reduction).mean()
    truth = torch.autograd.grad(functional.cross_entropy(weight.tanh() @ weight.T, torch.arange(3)), weight)[0]
    for create_graph in (True, False):
        (found,) = torch.autograd.grad(loss, weight, create_graph=create_graph, retain_graph=True)
        torch.testing.assert_close(found, truth)


def test_a_skipped_row_takes_no_part_in_the_formulas_either():
    features, labels = torch.eye(4), torch.tensor([0, -1, 2, 3])
    features[1] = torch.nan
    gradient = torch.func.grad(lambda w: xent.linear_cross_entropy(features, w, labels, ignore_index=-1))(torch.eye(4))
    kept = torch.tensor([0, 2, 3])
    truth = torch.func.grad(lambda w: functional.cross_entropy(features[kept] @ w.T, labels[kept]))(torch.eye(4))
    torch.testing.assert_close(gradient, truth)


def test_compiled_float16_gradients_are_scaled_before_they_are_rounded():
    features, weight = torch.eye(4).half(), torch.eye(4).half().requires_grad_()
    compiled = torch.compile(xent.linear_cross_entropy, backend="eager")
    (compiled(features, weight, torch.arange(4)) * 65536.0).backward()
    truth = torch.eye(4, dtype=torch.float64).requires_grad_()
    (functional.cross_entropy(truth, torch.arange(4)) * 65536.0).backward()
    torch.testing.assert_close(weight.grad.double(), truth.grad.T, rtol=1e-3, atol=0.0)


def test_a_compiled_gradient_refuses_to_be_differentiated():
    weight = torch.eye(4, requires_grad=True)
    loss = torch.compile(xent.linear_cross_entropy, backend="eager")(torch.eye(4), weight, torch.arange(4))
    with pytest.raises(xent.OptionError, match=r"(?s)xent\.linear_cross_entropy or .* outside of torch\.compile"):
        torch.autograd.grad(loss, weight, create_graph=True)


def test_jax_data_from_outside_of_jit_is_no_obstacle():
    expected = float(xent.softmax_cross_entropy(Z, Y % 5))
    traced = jax.jit(lambda s: xent.softmax_cross_entropy(Z, Y % 5, sample_weight=s))(jnp.ones(7))
    assert float(traced) == pytest.approx(expected, rel=1e-6)
    count = jax.jit(lambda w: xent.linear_cross_entropy(Z, w, Y, ignore_index=0, denominator=(Y != 0).sum()))(W)
    assert float(count) == pytest.approx(float(xent.linear_cross_entropy(Z, W, Y, ignore_index=0)), rel=1e-6)


@pytest.mark.parametrize("denominator", [0, -1.0, float("nan"), float("inf")])
def test_denominators_are_numbers_above_0(denominator):
    for loss, labels in (
        (xent.sigmoid_cross_entropy, torch.ones(3, 2)),
        (xent.softmax_cross_entropy, torch.ones(3).long()),
    ):
        with pytest.raises(xent.OptionError, match="denominator is"):
            loss(torch.zeros(3, 2), labels, denominator=denominator)


def test_long_doubles_are_refused():
    with pytest.raises(xent.ArgumentTypeError, match="float64"):
        xent.softmax_cross_entropy(np.zeros((2, 3), np.longdouble), [0, 1])
