"""Keras's losses, on PyTorch and on JAX: Keras picks one when it is imported, so the cases run in a process for each.

As a test this file asks those processes to run the cases and reports what they say. As a script, given the name of
what Keras is to run on, it is such a process: it reads names of cases and answers each with a line of JSON.
"""

import contextlib
import copy
import functools
import inspect
import itertools
import json
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import mpmath
import numpy as np
import pytest

LIBRARIES = ["torch", "jax"]
LOSSES = ["CategoricalCrossentropy", "SparseCategoricalCrossentropy", "BinaryCrossentropy"]
REDUCTIONS = ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None]
CASES = {}
ON_TORCH_ALONE = ("learns_from", "agrees_with_keras_in_float64")  # JAX keeps no logits, and no float64 unless asked to


def case(**options):
    """Make a function a case, or as many as there are combinations of options."""

    def register(function):
        for values in itertools.product(*options.values()):
            name = "-".join([function.__name__, *map(str, values)])
            CASES[name] = functools.partial(function, **dict(zip(options, values, strict=True)))
        return function

    return register


def numbers(tensor):
    """As NumPy numbers of at least 32 bits."""
    narrow = keras.backend.standardize_dtype(tensor.dtype) in {"float16", "bfloat16"}
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32") if narrow else tensor)


def gradient(function, values):
    if keras.config.backend() == "jax":
        return numbers(jax.grad(function)(values))
    leaf = values.detach().clone().requires_grad_()
    function(leaf).backward()
    return numbers(leaf.grad)


def softmax(z, axis=-1):
    powers = np.exp(z - z.max(axis=axis, keepdims=True))
    return (powers / powers.sum(axis=axis, keepdims=True)).astype(z.dtype)


def example(loss, from_logits, shape=(6, 5, 4), dtype="float32"):
    """Labels and predictions in an ordinary range for a loss of that name."""
    random = np.random.default_rng(7)
    z = random.normal(size=shape).astype(dtype)
    if loss == "BinaryCrossentropy":
        return random.integers(0, 2, shape), z if from_logits else 1 / (1 + np.exp(-z))
    labels = random.integers(0, shape[-1], shape[:-1])
    if loss == "CategoricalCrossentropy":
        labels = np.eye(shape[-1], dtype=dtype)[labels]
    return labels, z if from_logits else softmax(z)


def weights_for(kind):
    random = np.random.default_rng(8)
    shapes = {"no": None, "one": (), "rows": (6, 1), "each": (6, 5), "more": (6, 5, 1)}
    return None if shapes[kind] is None else random.uniform(0.5, 2.0, shapes[kind]).astype("float32")


def same_as_keras(name, labels, predictions, weight=None, rtol=2e-6, slopes=True, **options):
    ours, theirs = (getattr(module, name)(**options) for module in (xk, keras.losses))
    predictions = keras.ops.convert_to_tensor(predictions)
    one, other = ours(labels, predictions, weight), theirs(labels, predictions, weight)
    assert keras.backend.standardize_dtype(one.dtype) == keras.backend.standardize_dtype(other.dtype)
    assert one.shape == other.shape
    np.testing.assert_allclose(numbers(one), numbers(other), rtol=rtol, atol=1e-7)
    if not slopes:
        return
    one, other = (gradient(lambda p, f=f: keras.ops.sum(f(labels, p, weight)), predictions) for f in (ours, theirs))
    if not options.get("from_logits"):  # Keras divides by the sum, and so takes a constant off the slopes of each row
        one, other = (slope - slope.mean(axis=-1, keepdims=True) for slope in (one, other))
        rtol *= 10
    np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


@case(name=LOSSES, from_logits=[True, False], reduction=REDUCTIONS)
def agrees_with_keras(name, from_logits, reduction):
    labels, predictions = example(name, from_logits)
    options = {"from_logits": from_logits, "reduction": reduction}
    for kind in ("no", "each", "more", "one", "rows"):
        if kind in ("one", "rows") and reduction == "mean_with_sample_weight":
            continue  # Keras divides by the weights before it broadcasts them
        slopes = kind == "each" and reduction in ("sum_over_batch_size", "mean_with_sample_weight")
        same_as_keras(name, labels, predictions, weights_for(kind), slopes=slopes, **options)


@case(name=["CategoricalCrossentropy", "BinaryCrossentropy"], from_logits=[True, False])
def agrees_with_keras_on_smooth_and_soft_labels(name, from_logits):
    labels, predictions = example(name, from_logits)
    soft = 0.75 * labels.astype("float32") + 0.25 * (softmax(predictions) if name[0] == "C" else 0.5)
    for truth, smoothing in ((labels, 0.1), (labels, 1.0), (soft, 0.0), (soft, 0.2)):
        same_as_keras(name, truth, predictions, from_logits=from_logits, label_smoothing=smoothing)


@case(name=LOSSES, from_logits=[True, False])
def agrees_with_keras_in_float64(name, from_logits):
    labels, predictions = example(name, from_logits, dtype="float64")
    options = {"reduction": "sum", "dtype": "float64"}  # Keras's means are float32
    same_as_keras(name, labels, predictions, rtol=1e-12, from_logits=from_logits, **options)
    if from_logits:
        narrow = predictions.astype("float32")  # which only the loss widens
        same_as_keras(name, labels, narrow, rtol=1e-12, slopes=False, from_logits=True, **options)


@case(name=LOSSES)
def has_the_arguments_of_keras(name):
    ours, theirs = (inspect.signature(getattr(module, name).__init__).parameters for module in (xk, keras.losses))
    assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]
    assert issubclass(getattr(xk, name), keras.losses.Loss)


@case(shapes=[((6,), (6, 1)), ((6, 1), (6,)), ((6, 5), (6, 5, 1)), ((6, 5, 1), (6, 5))])
def lines_up_ranks_as_keras_does(shapes):
    random = np.random.default_rng(1)
    labels, logits = random.integers(0, 2, shapes[0]), random.normal(size=shapes[1]).astype("float32")
    same_as_keras("BinaryCrossentropy", labels, logits, slopes=False, from_logits=True, reduction=None)


@case(from_logits=[True, False])
def takes_integer_labels_of_any_kind(from_logits):
    labels, predictions = example("SparseCategoricalCrossentropy", from_logits)
    loss = xk.SparseCategoricalCrossentropy(from_logits=from_logits)
    truth = numbers(loss(labels, predictions))
    for kind in ("int8", "uint8", "int16", "int32", "float16", "float32"):
        assert numbers(loss(labels.astype(kind), predictions)) == truth
    assert numbers(loss(labels[..., None], predictions)) == truth
    assert numbers(loss(labels.tolist(), predictions.tolist())) == pytest.approx(truth, rel=1e-6)
    assert numbers(loss(labels == 1, predictions)) == numbers(loss((labels == 1).astype(int), predictions))


@case(dtype=["bfloat16", "float16", "mixed_bfloat16"])
def never_casts_labels(dtype):
    logits = np.zeros((1, 1001), "float32")
    logits[0, 999], logits[0, 1000] = 3.0, -50.0
    policy = keras.DTypePolicy(dtype) if "mixed" in dtype else dtype
    for given in (logits, keras.ops.cast(logits, dtype.removeprefix("mixed_"))):
        loss = xk.SparseCategoricalCrossentropy(from_logits=True, dtype=policy)([999], given)
        assert numbers(loss) == pytest.approx(float(np.log(np.exp(logits[0] - 3).sum())), rel=2e-3)
        skipped = xk.SparseCategoricalCrossentropy(from_logits=True, dtype=policy, ignore_class=999)
        assert numbers(skipped([999, 1000], np.repeat(logits, 2, axis=0))) > 50


@case(name=LOSSES, from_logits=[True, False], dtype=["bfloat16", "float16"])
def computes_narrow_predictions_in_float32(name, from_logits, dtype):
    labels, predictions = example(name, from_logits)
    if not from_logits:
        predictions[:] = [0.5, 0.25, 0.125, 0.125]  # 16 bits hold these exactly
    narrow = keras.ops.cast(predictions, dtype)
    loss, truth = getattr(xk, name)(from_logits=from_logits), None
    truth = numbers(loss(labels, numbers(narrow)))
    result = loss(labels, narrow)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    np.testing.assert_allclose(numbers(result), truth, rtol=1e-6)
    asked = getattr(xk, name)(from_logits=from_logits, dtype=dtype)(labels, narrow)
    assert keras.backend.standardize_dtype(asked.dtype) == dtype
    np.testing.assert_allclose(numbers(asked), truth, rtol=2**-8)


@case(lead=[-80.0, -20.0, 0.0, 20.0, 80.0])
def logits_are_exact_however_far_the_label_leads(lead):
    truth = float(mpmath.log1p(mpmath.exp(-mpmath.mpf(lead))))
    slope = -float(1 / (1 + mpmath.exp(mpmath.mpf(lead))))
    both, one = keras.ops.convert_to_tensor([[lead, 0.0]]), keras.ops.convert_to_tensor([[lead]])
    for name, labels, logits in zip(LOSSES, ([[1, 0]], [0], [[1]]), (both, both, one), strict=True):
        loss = getattr(xk, name)(from_logits=True)
        np.testing.assert_allclose(numbers(loss(labels, logits)), truth, rtol=1e-5)
        np.testing.assert_allclose(gradient(lambda z, f=loss, y=labels: f(y, z), logits)[0, 0], slope, rtol=1e-5)


@case(p=[1e-30, 1e-10, 1e-4, 0.3, 0.5, 0.75, 1 - 2**-24])
def probabilities_are_not_clipped(p):
    p = np.float32(p)
    with mpmath.workdps(50):
        yes, no = (float(-mpmath.log(value)) for value in (mpmath.mpf(float(p)), 1 - mpmath.mpf(float(p))))
    loss, tensor = xk.BinaryCrossentropy(), keras.ops.convert_to_tensor([[p]])
    np.testing.assert_allclose([numbers(loss([[1]], tensor)), numbers(loss([[0]], tensor))], [yes, no], rtol=1e-6)
    slopes = [gradient(lambda q, y=y: loss([[y]], q), tensor)[0, 0] for y in (1, 0)]
    np.testing.assert_allclose(slopes, [-1 / float(p), 1 / (1 - float(p))], rtol=1e-6)
    rows = np.array([[p, 1 - p]], "float32")
    for labels, several in (([0], xk.SparseCategoricalCrossentropy()), ([[1, 0]], xk.CategoricalCrossentropy())):
        np.testing.assert_allclose(numbers(several(labels, rows)), yes, rtol=1e-6)


@case(name=LOSSES)
def probability_0_costs_infinity_and_spares_other_rows(name):
    activation = keras.activations.sigmoid if name[0] == "B" else keras.activations.softmax
    logits = np.array([[-200.0, 0.0], [1.0, 0.5]], "float32")
    labels = {"B": [[1, 0], [1, 0]], "C": [[1, 0], [1, 0]], "S": [0, 0]}[name[0]]
    loss = getattr(xk, name)(reduction=None)

    def through(z):
        made = activation(z)
        return loss(labels, made * 1.0)  # a new array, which knows no logits

    assert np.isinf(numbers(through(keras.ops.convert_to_tensor(logits)))).tolist() == [True, False]
    slopes = gradient(lambda z: keras.ops.sum(through(z)), keras.ops.convert_to_tensor(logits))
    exact = getattr(xk, name)(from_logits=True, reduction="sum")
    truth = gradient(lambda z: exact(labels, z), keras.ops.convert_to_tensor(logits))
    assert np.isfinite(slopes).all()
    np.testing.assert_allclose(slopes[1], truth[1], rtol=1e-5)
    weighed = getattr(xk, name)()(
        labels, activation(keras.ops.convert_to_tensor(logits)) * 1.0, sample_weight=[0.0, 1.0]
    )
    assert np.isfinite(numbers(weighed))


@case(name=LOSSES)
def logits_that_keras_kept_are_used(name):
    activation = keras.activations.sigmoid if name[0] == "B" else keras.activations.softmax
    logits = keras.ops.convert_to_tensor(np.array([[-200.0, 0.0], [40.0, 0.5]], "float32"))
    labels = {"B": [[1, 0], [1, 0]], "C": [[1, 0], [1, 0]], "S": [0, 0]}[name[0]]
    made = activation(logits)
    options = {"reduction": None}
    truth = numbers(getattr(xk, name)(from_logits=True, **options)(labels, logits))
    np.testing.assert_array_equal(numbers(getattr(xk, name)(**options)(labels, made)), truth)
    if keras.config.backend() == "torch":
        for loss, axis in (("CategoricalCrossentropy", 0), ("BinaryCrossentropy", -1)):
            wrong = keras.activations.softmax(logits) if loss[0] == "B" else keras.activations.sigmoid(logits)
            with contextlib.suppress(ValueError):  # it is no distribution along that axis
                one = getattr(xk, loss)(axis=axis, **options)([[1, 0], [0, 1]], wrong)
                other = getattr(xk, loss)(axis=axis, **options)([[1, 0], [0, 1]], wrong.detach())
                np.testing.assert_array_equal(numbers(one), numbers(other))
        with torch.no_grad():
            blocked = activation(logits.clone().requires_grad_())
        assert not getattr(xk, name)()(labels, blocked).requires_grad


@case(from_logits=[True, False])
def ignored_rows_take_no_part(from_logits):
    labels, predictions = example("SparseCategoricalCrossentropy", from_logits)
    each = numbers(xk.SparseCategoricalCrossentropy(from_logits, reduction=None)(labels, predictions)).astype("float64")
    skipped = np.random.default_rng(2).integers(0, 2, labels.shape).astype(bool)
    broken = np.where(skipped[..., None], np.nan, predictions).astype("float32")
    marked = np.where(skipped, 255, labels).astype("uint8")
    weight = weights_for("each")
    for reduction in REDUCTIONS:
        loss = xk.SparseCategoricalCrossentropy(from_logits, ignore_class=255, reduction=reduction)
        for given in (None, weight):
            terms = np.where(skipped, 0, each if given is None else each * given)
            counted = (
                ~skipped if given is None or reduction != "mean_with_sample_weight" else np.where(skipped, 0, given)
            ).sum()
            truth = {"sum": terms.sum(), "none": terms, None: terms}.get(reduction, terms.sum() / counted)
            np.testing.assert_allclose(numbers(loss(marked, broken, given)), truth, rtol=1e-6)
    loss = xk.SparseCategoricalCrossentropy(from_logits, ignore_class=-1)
    nothing = np.full(labels.shape, -1)
    assert numbers(loss(nothing, broken)) == 0
    assert (gradient(lambda p: loss(nothing, p), keras.ops.convert_to_tensor(broken)) == 0).all()
    same_as_keras("SparseCategoricalCrossentropy", marked, predictions, from_logits=from_logits, ignore_class=255)


@case(name=LOSSES, from_logits=[True, False])
def classes_may_lie_on_any_axis(name, from_logits):
    labels, predictions = example(name, from_logits)
    options = {"from_logits": from_logits, "reduction": None}
    if name[0] != "S":
        options["label_smoothing"] = 0.1  # which Keras 3.15 may divide by the length of the last axis
    truth = numbers(getattr(xk, name)(**options)(labels, predictions))
    for axis in (0, 1, -2):
        moved = labels if name[0] == "S" else np.moveaxis(labels, -1, axis)
        result = getattr(xk, name)(axis=axis, **options)(moved, np.moveaxis(predictions, -1, axis))
        np.testing.assert_allclose(numbers(result), truth, rtol=2e-6)


@case(name=LOSSES, reduction=REDUCTIONS, ignore=[False, True])
def masked_losses_do_not_count(name, reduction, ignore):
    if ignore and name[0] != "S":
        return
    labels, predictions = example(name, True)
    mask = np.random.default_rng(3).integers(0, 2, (6, 5)).astype(bool)
    options = {"ignore_class": 2} if ignore else {}
    for weight in (None, weights_for("each")):
        results = []
        for module in (xk, keras.losses):
            tensor = keras.ops.convert_to_tensor(predictions)
            set_keras_mask(tensor, keras.ops.convert_to_tensor(mask))
            loss = getattr(module, name)(from_logits=True, reduction=reduction, **options)
            results.append(numbers(loss(labels, tensor, weight)))
        np.testing.assert_allclose(*results, rtol=2e-6)
    tensor = keras.ops.convert_to_tensor(predictions)
    set_keras_mask(tensor, keras.ops.convert_to_tensor(np.zeros((6, 5), bool)))
    assert not numbers(getattr(xk, name)(from_logits=True, reduction=reduction, **options)(labels, tensor)).any()


@case()
def a_weighted_mean_divides_by_the_weight_of_every_loss():
    labels, logits = example("SparseCategoricalCrossentropy", True)
    each = numbers(xk.SparseCategoricalCrossentropy(True, reduction=None)(labels, logits))
    loss = xk.SparseCategoricalCrossentropy(True, reduction="mean_with_sample_weight")
    for kind in ("one", "rows", "each", "more"):
        weight = weights_for(kind)
        whole = np.broadcast_to(weight[..., 0] if kind == "more" else weight, each.shape)
        np.testing.assert_allclose(numbers(loss(labels, logits, weight)), (each * whole).sum() / whole.sum(), rtol=1e-6)
    zero = np.zeros((6, 5), "float32")
    assert numbers(loss(labels, logits, zero)) == 0


@case(name=LOSSES, from_logits=[True, False])
def the_mean_over_nothing_is_0(name, from_logits):
    labels, predictions = example(name, from_logits, (6, 4))
    for reduction in ("mean", "sum", "mean_with_sample_weight"):
        loss = getattr(xk, name)(from_logits=from_logits, reduction=reduction)
        assert numbers(loss(labels[:0], predictions[:0])) == 0


@case()
def soft_labels_need_not_sum_to_1():
    labels = np.array([[0, 0, 0], [1, 0, 1]], "float32")
    same_as_keras("CategoricalCrossentropy", labels, np.array([[1, 2, 3], [0, 5, 1]], "float32"), from_logits=True)
    loss = xk.CategoricalCrossentropy(reduction=None)(labels, [[0.5, 0.5, 0.0], [0.25, 0.5, 0.25]])
    np.testing.assert_allclose(numbers(loss), [0, 2 * np.log(4)], rtol=1e-6)


@case()
def what_cannot_be_meant_is_an_error():
    logits, rows = np.zeros((3, 4), "float32"), np.full((3, 4), 0.25, "float32")
    sparse, several, binary = xk.SparseCategoricalCrossentropy, xk.CategoricalCrossentropy, xk.BinaryCrossentropy
    steps, square = np.zeros((3, 5, 4), "float32"), np.zeros((5, 5, 4), "float32")
    for error, call, words in [
        (xent.LabelError, lambda: sparse(True)([0, 1, 4], logits), r"labels\[2\] is 4"),
        (xent.LabelError, lambda: sparse()([0, -1, 2], rows), r"labels\[1\] is -1.*ignore_class=-1"),
        (xent.LabelError, lambda: sparse(True)([0.0, 1.5, 2.0], logits), "fractions"),
        (xent.LabelError, lambda: binary(True)([[0, 1, 2, 0]], logits[:1]), r"labels\[0, 2\] is 2"),
        (xent.LabelError, lambda: binary()([[0, 1, -1, 0]], rows[:1]), r"labels\[0, 2\] is -1"),
        (xent.ProbabilityError, lambda: sparse()([0, 1, 2], 2 * rows), r"y_pred\[0\] sums to 2"),
        (xent.ProbabilityError, lambda: several()(np.eye(4)[:3], -rows), r"y_pred\[0, 0\] is -0.25"),
        (xent.ProbabilityError, lambda: binary()([[1, 0]], [[1.5, 0.5]]), r"y_pred\[0, 0\] is 1.5"),
        (xent.ProbabilityError, lambda: binary()([[1, 0]], [[np.nan, 0.5]]), r"y_pred\[0, 0\] is nan"),
        (xent.ShapeError, lambda: several(True)([0, 1, 2], logits), "must have the same shape"),
        (xent.ShapeError, lambda: sparse(True)(np.eye(4)[:3], logits), "CategoricalCrossentropy"),
        (xent.ShapeError, lambda: binary(True)([0, 1, 0, 1], logits), "must have the same shape"),
        (xent.ShapeError, lambda: sparse(True)([0, 1, 2], logits[:, :0]), "at least one class"),
        (xent.ShapeError, lambda: several()(np.zeros((3, 0)), rows[:, :0]), "at least one class"),
        (xent.ShapeError, lambda: sparse(True)([0, 1, 2], logits, [1.0, 2.0]), "sample_weight"),
        (xent.ShapeError, lambda: sparse(True)(np.zeros((3, 5), int), steps, np.ones(3)), "sample_weight"),
        (xent.ShapeError, lambda: sparse(True)(np.zeros((5, 5), int), square, np.ones(5)), r"sample_weight\[:, None\]"),
        (xent.ShapeError, lambda: binary(True)([0, 1, 1], [0.0, 1.0, 2.0], [1.0, 2.0, 3.0]), "sample_weight"),
        (xent.OptionError, lambda: several(label_smoothing=1.5), "label_smoothing"),
        (xent.OptionError, lambda: binary(label_smoothing=-0.1), "label_smoothing"),
        (ValueError, lambda: binary(reduction="average"), "reduction"),
        (TypeError, lambda: sparse(ignore_class=1.5), "float"),
        (TypeError, lambda: several(axis=None), "NoneType"),
        (SyntaxWarning, lambda: several(True)(np.ones((3, 1)), logits[:, :1]), "num_classes"),
    ]:
        with pytest.raises(error, match=f"(?s){words}"):
            call()
    assert numbers(sparse(True)(np.zeros((3, 5), int), steps, np.ones((3, 1)))) == pytest.approx(np.log(4))


@case()
def where_values_cannot_be_read_what_is_wrong_is_nan():
    calls = [
        (
            lambda p: xk.SparseCategoricalCrossentropy(reduction=None)([0, 1, 0, 7, 0.5], p),
            [False, True, True, True, True],
        ),
        (
            lambda p: xk.CategoricalCrossentropy(reduction=None)(np.eye(2)[[0, 1, 0, 1, 0]], p),
            [False, True, True, False, False],
        ),
        (
            lambda p: xk.BinaryCrossentropy(reduction=None)(np.eye(2)[[0, 1, 0, 1, 0]], p),
            [False, False, True, False, False],
        ),
    ]
    rows = keras.ops.convert_to_tensor(
        np.array([[0.5, 0.5], [0.9, 0.9], [1.5, -0.5], [0.5, 0.5], [0.5, 0.5]], "float32")
    )
    for call, broken in calls:
        on_jax = keras.config.backend() == "jax"
        for function in (call, (jax if on_jax else torch.func).grad(lambda p, f=call: f(p).sum())):
            if on_jax:
                found = jax.jit(function)(rows)
            else:
                found = torch.func.vmap(lambda _, f=function: f(rows))(torch.zeros(1))[0]
            wrong = np.isnan(numbers(found))
            assert wrong.reshape(5, -1).all(1).tolist() == wrong.reshape(5, -1).any(1).tolist() == broken


@case(name=LOSSES)
def a_loss_survives_being_saved(name):
    options = {"ignore_class": 3} if name[0] == "S" else {"label_smoothing": 0.25}
    loss = getattr(xk, name)(from_logits=True, axis=1, reduction="sum", name="mine", dtype="float16", **options)
    text = json.dumps(keras.saving.serialize_keras_object(loss))
    assert f"xent>{name}" in text
    copies = [
        type(loss).from_config(loss.get_config()),
        keras.saving.deserialize_keras_object(json.loads(text)),
        keras.losses.deserialize(keras.losses.serialize(loss)),
        pickle.loads(pickle.dumps(loss)),
        copy.deepcopy(loss),
    ]
    labels, logits = example(name, True, (3, 4))
    for other in copies:
        assert type(other) is type(loss)
        assert other.get_config() == loss.get_config()
        assert numbers(other(labels, logits)) == numbers(loss(labels, logits))


def trained(module, name, labels, features, *, from_logits, activation, units, epochs=3, **options):
    """Loss by epoch, and the model."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(features.shape[1:]), keras.layers.Dense(units, activation=activation)])
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss=getattr(module, name)(from_logits=from_logits))
    return model.fit(features, labels, epochs=epochs, batch_size=8, verbose=0, **options).history["loss"], model


@case(name=LOSSES, from_logits=[True, False])
def trains_a_model_as_keras_does(name, from_logits):
    random = np.random.default_rng(0)
    features, units = random.normal(size=(24, 3)).astype("float32"), 1 if name[0] == "B" else 4
    labels = random.integers(0, 2 if name[0] == "B" else 4, 24)
    if name[0] == "C":
        labels = np.eye(4, dtype="float32")[labels]
    activation = None if from_logits else {"B": "sigmoid"}.get(name[0], "softmax")
    options = {"from_logits": from_logits, "activation": activation, "units": units}
    weights = (
        {"sample_weight": random.uniform(0.5, 2.0, 24)}
        if from_logits
        else {"class_weight": {0: 2.0, 1: 0.5, 2: 1.0, 3: 1.0}}
    )
    (ours, model), (theirs, _) = (
        trained(module, name, labels, features, **options, **weights) for module in (xk, keras.losses)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        again = keras.saving.load_model(Path(folder) / "model.keras")
    assert type(again.loss) is getattr(xk, name)
    assert again.evaluate(features, labels, verbose=0) == pytest.approx(model.evaluate(features, labels, verbose=0))


@case(name=["SparseCategoricalCrossentropy", "BinaryCrossentropy"])
def learns_from_rows_where_clipping_stops_it(name):
    random = np.random.default_rng(0)
    features, labels = 20 * random.normal(size=(24, 3)).astype("float32"), random.integers(0, 2, 24)
    activation, units = ("sigmoid", 1) if name[0] == "B" else ("softmax", 2)
    options = {"from_logits": False, "activation": activation, "units": units, "epochs": 8}
    losses = []
    for module in (xk, keras.losses):
        history, model = trained(module, name, labels, features, **options)
        assert not np.isnan(history).any()
        weight, bias = model.get_weights()
        losses.append(numbers(getattr(xk, name)(from_logits=True)(labels[:, None], features @ weight + bias)))
    assert losses[0] < 0.8 * losses[1]


@case(name=["CategoricalCrossentropy", "SparseCategoricalCrossentropy"], policy=["mixed_bfloat16", "mixed_float16"])
def trains_in_mixed_precision(name, policy):
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(512, 20)).astype("float32"), random.integers(0, 3, 512)
    if name[0] == "C":
        labels = np.eye(3, dtype="float32")[labels]
    keras.config.set_dtype_policy(policy)
    try:
        ours, theirs = (
            trained(module, name, labels, features, from_logits=False, activation="softmax", units=3)[0]
            for module in (xk, keras.losses)
        )
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(ours, theirs, rtol=5e-2)  # where their slopes overflow, steps are left out


@case()
def masks_of_layers_reach_the_loss():
    random = np.random.default_rng(0)
    tokens, labels = random.integers(1, 7, (16, 6)), random.integers(0, 3, (16, 6))
    tokens[:, 4:] = 0
    histories = []
    for module in (xk, keras.losses):
        keras.utils.set_random_seed(1)
        embedding = keras.layers.Embedding(7, 4, mask_zero=True)
        model = keras.Sequential(
            [keras.Input((6,), dtype="int32"), embedding, keras.layers.Dense(3, activation="softmax")]
        )
        model.compile(optimizer="sgd", loss=module.SparseCategoricalCrossentropy())
        histories.append(model.fit(tokens, labels, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-5)


@pytest.fixture(scope="session")
def process_on():
    """The process of a library, which is started when it is first asked for."""
    with contextlib.ExitStack() as ends:

        @functools.cache
        def started(library):
            process = subprocess.Popen(
                [sys.executable, __file__, library],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "KERAS_BACKEND": library},
            )
            ends.enter_context(process)
            ends.callback(process.kill)
            return process

        yield started


@pytest.mark.parametrize(
    ("library", "name"),
    [
        (library, name)
        for library in LIBRARIES
        for name in CASES
        if library == "torch" or not name.startswith(ON_TORCH_ALONE)
    ],
)
def test_case(process_on, library, name):
    process = process_on(library)
    print(name, file=process.stdin, flush=True)
    answer = process.stdout.readline()
    assert answer, "the process died"
    failure = json.loads(answer)
    assert not failure, failure


@pytest.mark.parametrize(
    ("library", "raised", "words"),
    [("tensorflow", "MissingPackageError", "PyTorch or JAX"), ("numpy", "OptionError", "'torch' and 'jax'")],
)
def test_other_libraries_are_refused_by_name(library, raised, words):
    import_it = [sys.executable, "-c", "import xent.keras"]
    failed = subprocess.run(import_it, capture_output=True, text=True, env={**os.environ, "KERAS_BACKEND": library})
    assert failed.returncode == 1
    last = failed.stderr.strip().splitlines()
    assert any(line.startswith(f"xent.errors.{raised}: ") and words in line for line in last)


def test_keras_is_loaded_by_xent_keras_alone():
    code = "import sys, xent, xent.losses.softmax, xent.information; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def answer_for_cases(channel):
    """Run the cases named on standard input, and write for each "" or how it failed."""
    for name in map(str.strip, sys.stdin):
        failure = ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras's of PyTorch
                CASES[name]()
        except BaseException:  # pytest's own are no Exception
            failure = traceback.format_exc()
        print(json.dumps(failure), file=channel, flush=True)


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what else is printed is no answer
    import keras
    from keras.src.backend import set_keras_mask

    import xent
    import xent.keras as xk

    if keras.config.backend() == "jax":
        import jax
    else:
        import torch

    with answers:
        answer_for_cases(answers)
