"""What the mean divides by: one number whatever is traced, and no 0 where rows count.

Truth is the sum, divided by hand.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import xent

LOGITS = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5], [0.0, 3.0, 1.0], [2.0, 0.2, 0.1]])
LABELS = np.array([0, 0, 0, 0])
EYE = np.eye(3)
LOSSES = {
    "softmax": xent.softmax_cross_entropy,
    "linear": lambda z, y, **options: xent.linear_cross_entropy(z, z[:3] * 0 + _like(EYE, z), y, **options),
    "sigmoid": lambda z, y, **options: xent.sigmoid_cross_entropy(z, 0 * z + (y == 0)[:, None], **options),
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def _like(array, other):
    return torch.as_tensor(array) if isinstance(other, torch.Tensor) else array


def total(loss):
    return float(loss(LOGITS, LABELS, reduction="sum"))


@each_loss
@pytest.mark.parametrize("denominator", [np.array([2.0]), np.array([[2.0]]), [2.0], np.array(2.0)])
def test_an_array_of_one_number_is_that_number(loss, denominator):
    z, y = torch.tensor(LOGITS, requires_grad=True), torch.tensor(LABELS)
    given = denominator if isinstance(denominator, list) else torch.tensor(denominator)
    weight = torch.ones(1, dtype=z.dtype, requires_grad=True)
    found = [
        loss(LOGITS, LABELS, denominator=denominator),
        loss(z, y, denominator=given),
        loss(z, y, denominator=given, sample_weight=weight),
        loss(jnp.asarray(LOGITS), jnp.asarray(LABELS), denominator=jnp.asarray(denominator)),
        jax.jit(loss)(jnp.asarray(LOGITS), jnp.asarray(LABELS), denominator=jnp.asarray(denominator)),
    ]
    for value in found:
        assert tuple(value.shape) == ()
        assert float(value.detach() if isinstance(value, torch.Tensor) else value) == pytest.approx(
            total(loss) / 2.0, rel=1e-6
        )
    slope = torch.func.grad(lambda z: loss(z, y, denominator=given))(z)
    torch.testing.assert_close(slope, torch.autograd.grad(loss(z, y, reduction="sum"), z)[0] / 2.0)


@each_loss
@pytest.mark.parametrize("numbers", [[1.0, 2.0, 4.0], []])
def test_more_numbers_are_refused_where_no_value_can_be_read_too(loss, numbers):
    z, y, given = torch.tensor(LOGITS), torch.tensor(LABELS), torch.tensor(numbers)
    calls = [
        lambda: loss(LOGITS, LABELS, denominator=numbers),
        lambda: loss(z, y, denominator=given),
        lambda: torch.func.grad(lambda z: loss(z, y, denominator=given))(z),
        lambda: jax.jit(lambda d: loss(jnp.asarray(LOGITS), jnp.asarray(LABELS), denominator=d))(jnp.array(numbers)),
    ]
    for call in calls:
        with pytest.raises(xent.ShapeError, match=r"^denominator has shape \((3|0),\), but must be one number"):
            call()


CANCELLED = {
    "class_weight": {"class_weight": [0.0, 1.0, 1.0], "label_smoothing": 0.1},
    "class_weight-z_loss": {"class_weight": [0.0, 1.0, 1.0], "z_loss": 0.1},
    "sample_weight": {"sample_weight": [1.0, -1.0, 1.0, -1.0]},
}


@pytest.mark.parametrize("options", CANCELLED.values(), ids=CANCELLED)
@pytest.mark.parametrize("name", ["softmax", "linear"])
def test_no_sum_stands_for_a_mean(name, options):
    """Rows count, but their weights sum to 0: refused, or infinite or NaN where that cannot be read."""
    loss = LOSSES[name]
    for library in (np.asarray, torch.tensor, jnp.asarray):
        with pytest.raises(xent.OptionError, match=r"sum to 0, though .*\n.*denominator"):
            loss(library(LOGITS), library(LABELS), **options)
    traced = jax.jit(lambda z: loss(z, jnp.asarray(LABELS), **options))(jnp.asarray(LOGITS))
    assert not math.isfinite(traced)
    zero = jax.jit(lambda z, d: loss(z, jnp.asarray(LABELS), denominator=d))(jnp.asarray(LOGITS), jnp.array(0.0))
    assert not math.isfinite(zero)


def test_no_sum_of_questions_stands_for_a_mean():
    weight = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    with pytest.raises(xent.OptionError, match="sum to 0"):
        LOSSES["sigmoid"](LOGITS, LABELS, sample_weight=weight)
    assert LOSSES["sigmoid"](LOGITS, LABELS, sample_weight=0 * weight) == 0.0


@pytest.mark.parametrize(
    "options",
    [
        {"class_weight": [0.0, 1.0, 1.0]},
        {"sample_weight": [0.0] * 4, "label_smoothing": 0.1, "z_loss": 0.1},
        {"ignore_index": 0, "label_smoothing": 0.1, "z_loss": 0.1, "class_weight": [1.0, 2.0, 3.0]},
    ],
)
@pytest.mark.parametrize("name", ["softmax", "linear"])
def test_the_mean_over_nothing_is_0(name, options):
    loss = LOSSES[name]
    for library in (np.asarray, torch.tensor, jnp.asarray):
        assert float(loss(library(LOGITS), library(LABELS), **options)) == 0.0
    slope = jax.jit(jax.grad(lambda z: loss(z, jnp.asarray(LABELS), **options)))(jnp.asarray(LOGITS))
    assert not slope.any()
