"""What each option of a loss means, in every path and library: truth from the table of options, in mpmath."""

import contextlib
from typing import Any, NamedTuple

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

import xent
from xent import _arrays

LIBRARIES = {"numpy": np, "strict": array_api_strict, "torch": torch, "jax": jnp}
TOLERANCE = {"float64": 1e-12, "float32": 4e-6}
INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
CAPS = {None: lambda z: z, 4.0: lambda z: 4 * mp.tanh(z / 4)}
each_library = pytest.mark.parametrize("library", LIBRARIES)


@pytest.fixture(autouse=True)
def fifty_digits():
    with mp.workdps(50):
        yield


def wide(library, dtype="float64"):
    """JAX has no 64 bits of its own accord."""
    return jax.enable_x64(True) if library == "jax" and dtype == "float64" else contextlib.nullcontext()


def array(library, values, dtype="float64"):
    xp, values = LIBRARIES[library], np.asarray(values)
    flat = xp.asarray(values.reshape(-1).tolist(), dtype=getattr(xp, dtype))
    return xp.reshape(flat, values.shape)


def plain(x):
    if isinstance(x, torch.Tensor):
        x = x.detach().to(torch.float64)
    return np.asarray(x).astype(np.float64)


def exactly(values):
    """Values, all of them multiples of 1/8, as mpmath numbers in a NumPy array of objects."""
    return None if values is None else np.vectorize(mpf, otypes=[object])(np.asarray(values, np.float64))


# --- the table, spelled out -----------------------------------------------------------------------


def row_losses(
    logits,
    labels,
    class_weight=None,
    sample_weight=None,
    ignore_index=None,
    label_smoothing=0.0,
    z_loss=0.0,
    softcap=None,
):
    """ℓ_i = s_i·(Σ_j c_j t_ij (lse_i − z_ij) + z_loss·lse_i²), and what a mean divides by: Σ s_i c_{y_i} or Σ s_i."""
    rows, classes = logits.shape
    weight = [mpf(1)] * classes if class_weight is None else class_weight
    losses, counted = [mpf(0)] * rows, mpf(0)
    for i in range(rows):
        index = labels.ndim == 1
        if index and labels[i] == ignore_index:
            continue
        z = [CAPS[softcap](x) for x in logits[i]]
        lse = mp.log(mp.fsum(mp.exp(x) for x in z))
        target = [mpf(int(j == labels[i])) for j in range(classes)] if index else labels[i]
        target = [(1 - mpf(label_smoothing)) * t + mpf(label_smoothing) / classes for t in target]
        s = mpf(1) if sample_weight is None else sample_weight[i]
        nll = mp.fsum(c * t * (lse - x) for c, t, x in zip(weight, target, z, strict=True))
        losses[i] = s * (nll + mpf(z_loss) * lse**2)
        counted += s * weight[labels[i]] if index else s
    return losses, counted


def reduce_rows(losses, counted, reduction, denominator=None):
    """The scalar that gradients are taken of; for "none" the rows weighted 1, 2, 3, …"""
    if reduction == "none":
        return mp.fsum((i + 1) * loss for i, loss in enumerate(losses))
    total = mp.fsum(losses)
    divisor = 1 if reduction == "sum" else counted if denominator is None else mpf(denominator)
    return mpf(0) if divisor == 0 else total / divisor


def yes_or_no_losses(logits, labels, pos_weight=None, class_weight=None, sample_weight=None, label_smoothing=0.0):
    """s·c·(pos·y·softplus(−z) + (1 − y)·softplus(z)), and Σ s·c over all logits."""
    losses, counted = [], mpf(0)
    for (i, j), z in np.ndenumerate(logits):
        y = (1 - mpf(label_smoothing)) * labels[i, j] + mpf(label_smoothing) / 2
        weight = (1 if class_weight is None else class_weight[j]) * (1 if sample_weight is None else sample_weight[i])
        yes = y * mp.log1p(mp.exp(-z)) * (1 if pos_weight is None else pos_weight[j])
        losses.append(weight * (yes + (1 - y) * mp.log1p(mp.exp(z))))
        counted += weight
    return losses, counted


def logits_of(features, weight, bias):
    return np.asarray([[mp.fdot(f, w) for w in weight] for f in features], object) + (0 if bias is None else bias)


def slopes(function, arrays):
    """∂ function/∂ each entry of each array, by central differences of 50 digits."""
    step, found = mpf(10) ** -18, []
    for k, values in enumerate(arrays):
        slope = np.zeros(values.shape)
        for index in np.ndindex(values.shape):
            ends = []
            for sign in (1, -1):
                moved = values.copy()
                moved[index] += sign * step
                ends.append(function(*arrays[:k], moved, *arrays[k + 1 :]))
            slope[index] = float((ends[0] - ends[1]) / (2 * step))
        found.append(slope)
    return found


# --- cases ----------------------------------------------------------------------------------------


class Case(NamedTuple):
    """Inputs of a loss as NumPy arrays of multiples of 1/8, which every dtype holds exactly."""

    shape: tuple
    logits: Any  # (*shape, classes)
    layer: tuple  # features (*shape, dim), weight (classes, dim), bias (classes,) or None
    labels: Any
    label_dtype: str
    weights: dict  # class_weight, sample_weight
    options: dict
    max_memory: int | None

    def flat(self, name):
        values = self.weights.get(name)
        return None if values is None else exactly(values).reshape(-1)

    def truth(self, logits, labels=None, weights=None):
        """Row losses and what is counted, of exact logits (rows, classes)."""
        options = {k: v for k, v in self.options.items() if k not in ("reduction", "denominator")}
        weights = {k: self.flat(k) for k in self.weights} if weights is None else weights
        return row_losses(logits, self.rows() if labels is None else labels, **weights, **options)

    def rows(self):
        """Labels as (rows,) integers or exact (rows, classes)."""
        if self.label_dtype == "soft":
            return exactly(self.labels).reshape(-1, self.labels.shape[-1])
        return self.labels.reshape(-1)


def eighths(random, low, high, shape):
    return random.integers(low * 8, high * 8, shape, endpoint=True) / 8


def soft_rows(random, rows, classes):
    return random.multinomial(8, np.ones(classes) / classes, rows) / 8


@st.composite
def cases(
    draw,
    shapes=((), (1,), (5,), (2, 3)),
    class_counts=(1, 2, 4),
    dtypes=(*INTEGERS, "soft"),
    memories=(None, 1, 200, 10**9),
):
    """All options at once: any that is drawn may meet any other."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape, classes = draw(st.sampled_from(shapes)), draw(st.sampled_from(class_counts))
    rows = int(np.prod(shape, dtype=int))
    label_dtype = draw(st.sampled_from(dtypes))
    of_classes = [] if label_dtype == "soft" else [0, classes + 5, classes - 1]  # which weights have no room for
    ignore_index = draw(st.sampled_from([None, -100, -1, *of_classes]))
    if label_dtype == "soft":
        labels = soft_rows(random, rows, classes).reshape(*shape, classes)
    else:
        labels = random.integers(0, classes, shape)
        if ignore_index is not None and (ignore_index >= 0 or label_dtype[0] != "u"):
            labels = np.where(random.random(shape) < 0.4, ignore_index, labels)
    made = {"class_weight": eighths(random, 1, 3, classes), "sample_weight": eighths(random, 1, 2, shape)}
    weights = {name: values for name, values in made.items() if draw(st.booleans())}
    reduction = draw(st.sampled_from(["mean", "mean", "sum", "none"]))
    choices = {
        "ignore_index": [ignore_index],
        "label_smoothing": [0.0, 0.125, 1.0],
        "z_loss": [0.0, 0.25],
        "softcap": [None, 4.0],
        "reduction": [reduction],
        "denominator": [None, 7, 2.5] if reduction == "mean" else [None],
    }
    options = {name: draw(st.sampled_from(values)) for name, values in choices.items()}
    dim = 2
    bias = eighths(random, -2, 2, classes) if draw(st.booleans()) else None
    layer = (eighths(random, -2, 2, (*shape, dim)), eighths(random, -2, 2, (classes, dim)), bias)
    max_memory = draw(st.sampled_from(memories))
    logits = eighths(random, -6, 6, (*shape, classes))
    return Case(shape, logits, layer, labels, label_dtype, weights, options, max_memory)


JAX_CASES = cases(
    shapes=[(4,)], class_counts=[3], dtypes=["int32", "soft"], memories=[None, 1]
)  # each shape is compiled


def labels_of(library, case, dtype):
    if case.label_dtype != "soft":
        return array(library, case.labels, case.label_dtype)
    return array(library, case.labels, dtype)


def softmax_of(library, case, dtype):
    weights = {name: array(library, values, dtype) for name, values in case.weights.items()}
    logits = array(library, case.logits, dtype)
    return xent.softmax_cross_entropy(logits, labels_of(library, case, dtype), **weights, **case.options)


def linear_of(library, case, dtype):
    weights = {name: array(library, values, dtype) for name, values in case.weights.items()}
    features, weight, bias = (None if part is None else array(library, part, dtype) for part in case.layer)
    options = {**weights, **case.options, "max_memory": case.max_memory}
    return xent.linear_cross_entropy(features, weight, labels_of(library, case, dtype), bias, **options)


def assert_is(got, case, losses, counted, library, dtype, tolerance):
    xp = LIBRARIES[library]
    reduction = case.options["reduction"]
    assert _arrays.namespace_of(got) is _arrays.namespace_of(xp.zeros(1))
    assert got.dtype == getattr(xp, dtype)
    assert tuple(got.shape) == (case.shape if reduction == "none" else ())
    want = losses if reduction == "none" else [reduce_rows(losses, counted, reduction, case.options["denominator"])]
    want = np.asarray([float(x) for x in want]).reshape(got.shape)
    np.testing.assert_allclose(plain(got), want, rtol=tolerance, atol=tolerance)


def softmax_truth(case):
    return case.truth(exactly(case.logits).reshape(-1, case.logits.shape[-1]))


def linear_truth(case):
    features, weight, bias = map(exactly, case.layer)
    return case.truth(logits_of(features.reshape(-1, 2), weight, bias))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("library", ["numpy", "strict", "torch"])
@settings(max_examples=40)
@given(case=cases())
def test_options_mean_what_the_table_says(library, dtype, case):
    got = softmax_of(library, case, dtype)
    assert_is(got, case, *softmax_truth(case), library, dtype, TOLERANCE[dtype])
    got = linear_of(library, case, dtype)
    assert_is(got, case, *linear_truth(case), library, dtype, TOLERANCE[dtype])


@settings(max_examples=8)
@given(case=JAX_CASES)
def test_options_mean_the_same_in_jax(case):
    with wide("jax"):
        assert_is(softmax_of("jax", case, "float64"), case, *softmax_truth(case), "jax", "float64", 1e-12)
        assert_is(linear_of("jax", case, "float64"), case, *linear_truth(case), "jax", "float64", 1e-12)


HALVES = [("numpy", "float16"), ("torch", "float16"), ("torch", "bfloat16"), ("jax", "bfloat16")]


@pytest.mark.parametrize(("library", "half"), HALVES)
@settings(max_examples=6)
@given(case=JAX_CASES)
def test_16_bit_inputs_give_float32_results(library, half, case):
    losses = softmax_truth(case)
    assert_is(softmax_of(library, case, half), case, *losses, library, "float32", TOLERANCE["float32"])
    losses = linear_truth(case)
    assert_is(linear_of(library, case, half), case, *losses, library, "float32", TOLERANCE["float32"])


# --- gradients ------------------------------------------------------------------------------------


def gradients(library, function, arrays, dtype):
    """∂ of the reduced loss, rows of "none" weighted 1, 2, 3, …, by each of the arrays."""

    def scalar(*values):
        loss = function(*values)
        flat = LIBRARIES[library].reshape(loss, (-1,))
        weight = array(library, np.arange(1.0, flat.shape[0] + 1), dtype)
        return (flat * weight).sum()

    if library == "jax":
        found = jax.grad(scalar, tuple(range(len(arrays))))(*arrays)
    else:
        arrays = [values.requires_grad_() for values in arrays]
        found = torch.autograd.grad(scalar(*arrays), arrays, allow_unused=True, materialize_grads=True)
    for values, slope in zip(arrays, found, strict=True):
        assert slope.dtype == values.dtype
        assert slope.shape == values.shape
    return [plain(slope) for slope in found]


def differentiable(case, start):
    """Names and NumPy values of all that a gradient may be asked for."""
    given = {**start, **case.weights}
    if case.label_dtype == "soft":
        given["labels"] = case.labels
    return list(given), list(given.values())


def check_gradients(library, dtype, case, function, start, logits_from):
    names, values = differentiable(case, start)

    def call(*arrays):
        named = dict(zip(names, arrays, strict=True))
        labels = named.pop("labels", None)
        labels = labels_of(library, case, dtype) if labels is None else labels
        return function(labels=labels, **named, **case.options)

    def exact(*arrays):
        named = dict(zip(names, arrays, strict=True))
        weights = {name: named[name] for name in case.weights}
        losses, counted = case.truth(logits_from(named), named.get("labels"), weights)
        return reduce_rows(losses, counted, case.options["reduction"], case.options["denominator"])

    rows = int(np.prod(case.shape, dtype=int))
    by_row = {"logits": (rows, -1), "features": (rows, -1), "labels": (rows, -1), "sample_weight": (rows,)}
    flat = [np.reshape(v, by_row.get(name, v.shape)) for name, v in zip(names, values, strict=True)]
    want = slopes(exact, [exactly(v) for v in flat])
    got = gradients(library, call, [array(library, v, dtype) for v in values], dtype)
    for name, value, true in zip(names, got, want, strict=True):
        scale = TOLERANCE[dtype] * max(1.0, float(np.abs(true).max(initial=0.0)))
        np.testing.assert_allclose(value.reshape(true.shape), true, rtol=0, atol=scale, err_msg=name)


def check_all_gradients(library, dtype, case):
    check_gradients(
        library,
        dtype,
        case,
        lambda logits, **rest: xent.softmax_cross_entropy(logits, **rest),
        {"logits": case.logits},
        lambda named: named["logits"],
    )
    start = dict(zip(("features", "weight", "bias"), case.layer, strict=True))
    start = {name: value for name, value in start.items() if value is not None}
    check_gradients(
        library,
        dtype,
        case,
        lambda **named: xent.linear_cross_entropy(**named, max_memory=case.max_memory),
        start,
        lambda named: logits_of(named["features"], named["weight"], named.get("bias")),
    )


@pytest.mark.parametrize("dtype", TOLERANCE)
@settings(max_examples=20)
@given(case=cases(shapes=[(), (3,), (2, 2)], class_counts=[1, 3], dtypes=["int64", "uint8", "soft"]))
def test_gradients_by_torch(dtype, case):
    check_all_gradients("torch", dtype, case)


@settings(max_examples=5)
@given(case=JAX_CASES)
def test_gradients_by_jax(case):
    with wide("jax"):
        check_all_gradients("jax", "float64", case)


def frozen_case():
    random = np.random.default_rng(3)
    return [torch.tensor(eighths(random, -2, 2, shape)) for shape in ((6, 2), (4, 2), (4,))]


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("asked", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)], ids=str)
def test_frozen_parts_of_a_layer_leave_the_others_their_gradient(asked, reduction):
    labels = torch.tensor([0, 3, -100, 1, 1, 2])

    def found(which):
        parts = [part.clone().requires_grad_(i in which) for i, part in enumerate(frozen_case())]
        loss = xent.linear_cross_entropy(*parts[:2], labels, parts[2], ignore_index=-100, reduction=reduction).sum()
        return dict(zip(which, torch.autograd.grad(loss, [parts[i] for i in which]), strict=True))

    whole = found((0, 1, 2))
    for i, slope in found(asked).items():
        assert slope.abs().sum() > 0
        np.testing.assert_allclose(slope, whole[i], rtol=1e-13, atol=1e-15)


def test_a_second_backward_gives_the_same():
    for function, inputs in (
        (lambda z: xent.softmax_cross_entropy(z, torch.tensor([0, 1, 2])), (3, 4)),
        (lambda f: xent.linear_cross_entropy(f, torch.ones(5, 4) / 3, torch.tensor([0, 1, 2])), (3, 4)),
        (lambda z: xent.sigmoid_cross_entropy(z, torch.ones(3, 4)), (3, 4)),
    ):
        z = torch.linspace(-1, 1, 12).reshape(inputs).requires_grad_()
        loss = function(z)
        first, second = (torch.autograd.grad(loss, z, retain_graph=True)[0] for _ in range(2))
        assert torch.equal(first, second)


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", INTEGERS)
@each_library
def test_labels_of_every_integer_dtype(library, dtype):
    mark = 9 if dtype[0] == "u" else -1
    values = [0, 2, mark, 2]
    with wide(library):
        logits, labels = array(library, np.arange(12.0).reshape(4, 3) % 5), array(library, values, dtype)
        want = xent.softmax_cross_entropy(plain(logits), np.asarray(values), ignore_index=mark, reduction="none")
        got = xent.softmax_cross_entropy(logits, labels, ignore_index=mark, reduction="none")
        np.testing.assert_allclose(plain(got), want, rtol=1e-14)
        weight = array(library, np.eye(3))
        got = xent.linear_cross_entropy(logits, weight, labels, ignore_index=mark, reduction="none")
        np.testing.assert_allclose(plain(got), want, rtol=1e-14)
        rows = xent.row_statistics(logits, labels, ignore_index=mark)
        np.testing.assert_allclose(plain(rows.nll), want, rtol=1e-14)
        with pytest.raises(xent.LabelError, match=rf"^labels\[2\] is {mark}, .*1 of 4"):
            xent.softmax_cross_entropy(logits, labels)
        with pytest.raises(xent.LabelError, match=r"^labels\[1\] is 2, .*2 of 4"):
            xent.softmax_cross_entropy(logits[:, :2], labels, ignore_index=mark)


@pytest.mark.parametrize("ignore_index", [-(2**40), -(2**31) - 1, -129, 256, 2**31, 2**62])
@pytest.mark.parametrize("dtype", ["uint8", "int32"])
@each_library
def test_any_integer_may_mark_rows_to_skip_whatever_the_labels_can_hold(library, dtype, ignore_index):
    logits, labels = array(library, [[1.0, 2.0], [3.0, 0.5]], "float32"), array(library, [1, 0], dtype)
    for function in (xent.softmax_cross_entropy, lambda *a, **k: xent.linear_cross_entropy(a[0], logits, a[1], **k)):
        assert float(function(logits, labels, ignore_index=ignore_index)) == float(function(logits, labels))


@each_library
def test_large_marks_in_labels_of_64_bits(library):
    mark = 2**40
    with wide(library):
        logits, labels = array(library, [[1.0, 2.0], [3.0, 0.5]]), array(library, [mark, 0], "int64")
        got = xent.softmax_cross_entropy(logits, labels, ignore_index=mark)
        assert float(got) == pytest.approx(float(mp.log1p(mp.exp(mpf(-2.5)))), rel=1e-14)


def test_large_class_numbers_are_never_rounded():
    logits = torch.zeros(3, 1001, dtype=torch.bfloat16)
    logits[:, 999] = 8
    rows = xent.softmax_cross_entropy(logits, torch.tensor([999, 1000, 998]), reduction="none")
    assert rows[0] < 0.5
    assert rows[1] > 8
    assert rows[2] > 8


@each_library
def test_classes_as_integers_and_as_one_hot_rows_agree(library):
    with wide(library):
        logits = array(library, np.arange(12.0).reshape(3, 4) % 5)
        index, one_hot = array(library, [2, 0, 3], "int64"), np.eye(4)[[2, 0, 3]]
        want = xent.softmax_cross_entropy(logits, index, label_smoothing=0.125, z_loss=0.5)
        for dtype in ("float64", "int64"):
            soft = array(library, one_hot.astype(dtype), dtype)
            got = xent.softmax_cross_entropy(logits, soft, label_smoothing=0.125, z_loss=0.5)
            assert float(got) == pytest.approx(float(want), rel=1e-14)


def test_square_labels_are_classes_by_their_number_of_axes():
    logits = np.arange(8.0).reshape(2, 2, 2)
    by_class = xent.softmax_cross_entropy(logits, np.asarray([[0, 1], [1, 0]]), reduction="none")
    assert by_class.shape == (2, 2)
    by_weight = xent.softmax_cross_entropy(logits[0], np.asarray([[0, 1], [1, 0]]), reduction="none")
    assert by_weight.shape == (2,)


def test_labels_that_name_no_class_give_nan_rows_where_values_cannot_be_read():
    logits, labels = jnp.asarray([[1.0, 2.0]] * 6), jnp.asarray([0, -1, 2, -100, 1, 2**31 - 1])
    want = [False, True, True, False, False, True]
    rows = jax.jit(lambda z, y: xent.softmax_cross_entropy(z, y, ignore_index=-100, reduction="none"))(logits, labels)
    assert np.isnan(rows).tolist() == want
    assert rows[3] == 0
    assert rows[0] == rows[4] + 1
    layer = jax.jit(lambda z, y: xent.linear_cross_entropy(z, jnp.eye(2), y, ignore_index=-100, reduction="none"))
    assert np.isnan(layer(logits, labels)).tolist() == want
    smooth = jax.jit(lambda z, y: xent.softmax_cross_entropy(z, y, label_smoothing=0.1, reduction="none"))
    assert np.isnan(smooth(logits, labels)).tolist() == [False, True, True, True, False, True]
    mapped = jax.vmap(lambda z, y: xent.softmax_cross_entropy(z, y))(logits, labels)
    assert np.isnan(mapped).tolist() == [False, True, True, True, False, True]


# --- rows that do not count -----------------------------------------------------------------------


def losses_of_nothing(library, dtype):
    """Each loss over rows none of which count, as functions of its floating inputs, and those inputs."""
    skipped, index = array(library, [-7] * 4, "int32"), array(library, [0, 1, 2, 0], "int32")
    logits, zero = array(library, np.ones((4, 3)), dtype), array(library, np.zeros(4), dtype)
    features, weight = array(library, np.ones((4, 2)), dtype), array(library, np.ones((3, 2)), dtype)
    no_row, no_label = array(library, np.zeros((0, 3)), dtype), array(library, np.zeros(0), "int32")
    no_feature, yes = array(library, np.zeros((0, 2)), dtype), array(library, np.ones((4, 3)), dtype)
    return [
        (lambda z: xent.softmax_cross_entropy(z, skipped, ignore_index=-7), [logits]),
        (lambda z: xent.softmax_cross_entropy(z, skipped, ignore_index=-7, label_smoothing=0.1, z_loss=0.1), [logits]),
        (lambda z: xent.softmax_cross_entropy(z, index, sample_weight=zero, z_loss=0.1), [logits]),
        (lambda z: xent.softmax_cross_entropy(z, no_label), [no_row]),
        (lambda f, w: xent.linear_cross_entropy(f, w, skipped, ignore_index=-7, max_memory=1), [features, weight]),
        (lambda f, w: xent.linear_cross_entropy(f, w, index, sample_weight=zero), [features, weight]),
        (lambda f, w: xent.linear_cross_entropy(f, w, no_label), [no_feature, weight]),
        (lambda z: xent.sigmoid_cross_entropy(z, yes, sample_weight=zero[:, None]), [logits]),
        (lambda z: xent.sigmoid_cross_entropy(z, no_row), [no_row]),
    ]


@each_library
def test_the_mean_over_nothing_is_zero(library):
    for function, inputs in losses_of_nothing(library, "float32"):
        got = function(*inputs)
        assert float(got) == 0.0
        assert tuple(got.shape) == ()


@each_library
def test_an_empty_list_of_labels_is_one_of_no_rows(library):
    nothing = array(library, np.zeros((0, 3)), "float32")
    assert float(xent.softmax_cross_entropy(nothing, [])) == 0.0
    assert float(xent.linear_cross_entropy(nothing, array(library, np.ones((4, 3)), "float32"), [])) == 0.0


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_the_mean_over_nothing_has_zero_gradients(library):
    for function, inputs in losses_of_nothing(library, "float32"):
        for slope in gradients(library, function, inputs, "float32"):
            assert not slope.any()


@each_library
def test_a_weight_of_zero_counts_as_zero_even_of_an_infinite_loss(library):
    logits = array(library, [[0.0, -np.inf], [1.0, 2.0]], "float32")
    labels, weight = array(library, [1, 1], "int32"), array(library, [0.0, 1.0], "float32")
    got = xent.softmax_cross_entropy(logits, labels, sample_weight=weight)
    assert float(got) == pytest.approx(float(mp.log1p(mp.exp(-1))), rel=1e-6)
    got = xent.sigmoid_cross_entropy(logits[:, 1], labels, sample_weight=weight)
    assert float(got) == pytest.approx(float(mp.log1p(mp.exp(-2))), rel=1e-6)


ROWS = np.asarray([[1.0, 2.0, -1.0], [0.5, 3.0, 0.0], [9.0, 9.0, 9.0], [0.25, -2.0, 1.5]])
KEPT = [0, 1, 3]
MARKED = np.asarray([0, 1, -100, 2])
LAYER = np.asarray([[1.0, 0.5, 0.0], [0.0, 2.0, -1.0], [0.5, 0.0, 1.0]])
each_poison = pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38], ids=str)


def poisoned(library, value):
    rows = ROWS.copy()
    rows[2] = value
    return array(library, rows, "float32"), array(library, MARKED, "int32"), array(library, LAYER, "float32")


@each_poison
@each_library
def test_rows_to_skip_take_no_part_whatever_is_in_them(library, value):
    rows, labels, weight = poisoned(library, value)
    options = {"label_smoothing": 0.25, "z_loss": 0.5}
    for reduction in ("mean", "none"):
        asked = {**options, "reduction": reduction}
        want = xent.softmax_cross_entropy(ROWS[KEPT], MARKED[KEPT], **asked)
        got = plain(xent.softmax_cross_entropy(rows, labels, ignore_index=-100, **asked))
        np.testing.assert_allclose(got[KEPT] if reduction == "none" else got, want, rtol=1e-6)
        want = xent.linear_cross_entropy(ROWS[KEPT], LAYER, MARKED[KEPT], **asked)
        layered = plain(xent.linear_cross_entropy(rows, weight, labels, ignore_index=-100, **asked))
        np.testing.assert_allclose(layered[KEPT] if reduction == "none" else layered, want, rtol=1e-6)
    assert got[2] == 0
    assert layered[2] == 0
    assert [float(part[2]) for part in xent.row_statistics(rows, labels, ignore_index=-100)] == [0, 0]
    statistics = xent.linear_row_statistics(rows, weight, labels, ignore_index=-100, entropy=True)
    assert [float(part[2]) for part in statistics] == [0, 0, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=str)
@each_library
def test_weights_of_rows_to_skip_take_no_part(library, value):
    rows, labels, weight = poisoned(library, 0.0)
    by_row = np.asarray([2.0, 0.5, value, 1.0])
    for reduction in ("mean", "sum"):
        options = {"reduction": reduction, "z_loss": 0.5}
        marked = {**options, "ignore_index": -100, "sample_weight": array(library, by_row, "float32")}
        want = xent.softmax_cross_entropy(ROWS[KEPT], MARKED[KEPT], sample_weight=by_row[KEPT], **options)
        assert float(xent.softmax_cross_entropy(rows, labels, **marked)) == pytest.approx(float(want), rel=1e-6)
        want = xent.linear_cross_entropy(ROWS[KEPT], LAYER, MARKED[KEPT], sample_weight=by_row[KEPT], **options)
        assert float(xent.linear_cross_entropy(rows, weight, labels, **marked)) == pytest.approx(float(want), rel=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@each_poison
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_rows_to_skip_have_no_gradient_whatever_is_in_them(library, value, reduction):
    rows, labels, weight = poisoned(library, value)
    options = {"z_loss": 0.5, "reduction": reduction, "ignore_index": -100}
    kept, classes = torch.tensor(ROWS[KEPT]), torch.tensor(MARKED[KEPT])
    weight_by_torch = torch.tensor(LAYER)

    def softmax(labels):
        return lambda z: xent.softmax_cross_entropy(z, labels, **options).sum()

    def linear(labels):
        return lambda f, w: xent.linear_cross_entropy(f, w, labels, **options).sum()

    (got,) = gradients(library, softmax(labels), [rows], "float32")
    (want,) = gradients("torch", softmax(classes), [kept], "float64")
    assert not got[2].any()
    np.testing.assert_allclose(got[KEPT], want, rtol=2e-6)
    got, on_weight = gradients(library, linear(labels), [rows, weight], "float32")
    want, true_on_weight = gradients("torch", linear(classes), [kept, weight_by_torch], "float64")
    assert not got[2].any()
    np.testing.assert_allclose(got[KEPT], want, rtol=1e-5)
    np.testing.assert_allclose(on_weight, true_on_weight, rtol=1e-5)


# --- denominators and weights ---------------------------------------------------------------------


@each_library
def test_micro_batches_over_one_denominator_give_the_whole_batch(library):
    random = np.random.default_rng(5)
    logits, labels, weight = random.normal(size=(12, 3)), random.integers(0, 3, 12), random.normal(size=(3, 3))
    labels[[1, 4, 5, 6]] = -100  # 3, 1 and 4 tokens of 4
    losses = (
        lambda z, _, y, **options: xent.softmax_cross_entropy(z, y, ignore_index=-100, **options),
        lambda z, w, y, **options: xent.linear_cross_entropy(z, w, y, ignore_index=-100, **options),
    )
    with wide(library):
        parts = [(array(library, logits[i : i + 4]), array(library, labels[i : i + 4], "int64")) for i in (0, 4, 8)]
        layer = array(library, weight)
        for loss in losses:
            want = float(loss(logits, weight, labels))
            for count in (8, 8.0, np.int64(8), np.float32(8), array(library, 8.0), array(library, 8, "int64")):
                got = sum(float(loss(z, layer, y, denominator=count)) for z, y in parts)
                assert got == pytest.approx(want, rel=1e-14)


def test_a_denominator_passes_gradients_on():
    count = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)
    logits, labels = 2 * torch.eye(3, dtype=torch.float64), torch.tensor([0, 1, 1])
    for loss in (
        xent.softmax_cross_entropy(logits, labels, denominator=count),
        xent.linear_cross_entropy(logits, torch.eye(3, dtype=torch.float64), labels, denominator=count),
    ):
        (slope,) = torch.autograd.grad(loss, count)
        assert float(slope) == pytest.approx(-loss.item() / 4, rel=1e-14)


@each_library
def test_sample_weight_broadcasts_over_batch_and_time(library):
    with wide(library):
        logits, labels = array(library, np.arange(12.0).reshape(2, 2, 3) % 5), array(library, [[0, 1]] * 2, "int64")
        for weight in ([[1.0], [3.0]], [1.0, 2.0], 2.5):
            whole = array(library, np.broadcast_to(weight, (2, 2)).copy())
            for reduction in ("mean", "none"):
                got, want = (
                    xent.softmax_cross_entropy(logits, labels, sample_weight=s, reduction=reduction)
                    for s in (array(library, weight), whole)
                )
                np.testing.assert_allclose(plain(got), plain(want), rtol=1e-14)


# --- statistics of rows ---------------------------------------------------------------------------


@pytest.mark.parametrize("softcap", CAPS)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("dtype", TOLERANCE)
@each_library
def test_statistics_of_rows_and_of_a_layer(library, dtype, soft, softcap):
    random = np.random.default_rng(8)
    features, weight, bias = (eighths(random, -2, 2, shape) for shape in ((4, 2), (3, 2), (3,)))
    labels = soft_rows(random, 4, 3) if soft else np.asarray([0, -1, 2, 1])
    skipped = np.zeros(4, bool) if soft else labels == -1
    z = logits_of(*map(exactly, (features, weight, bias)))
    capped = np.vectorize(CAPS[softcap], otypes=[object])(z)
    total = [mp.log(mp.fsum(mp.exp(x) for x in row)) for row in capped]
    targets = exactly(labels) if soft else exactly(np.eye(3)[labels])
    gaps = np.asarray(total, object)[:, None] - capped
    nll = [mp.fdot(*pair) for pair in zip(targets, gaps, strict=True)]
    entropy = [mp.fsum(mp.exp(-x) * x for x in row) for row in gaps]
    want = [np.where(skipped, 0.0, np.asarray(part, float)) for part in (nll, total, entropy)]
    with wide(library, dtype):
        index = array(library, labels, dtype if soft else "int32")
        layer = [array(library, part, dtype) for part in (features, weight)]
        bias = array(library, bias, dtype)
        options = {"ignore_index": -1, "softcap": softcap}
        for memory in (None, 1):
            got = xent.linear_row_statistics(*layer, index, bias, entropy=True, max_memory=memory, **options)
            for part, true in zip(got, want, strict=True):
                assert part.dtype == layer[0].dtype
                np.testing.assert_allclose(plain(part), true, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        assert xent.linear_row_statistics(*layer, index, bias, **options).entropy is None
        if softcap is None:
            logits = array(library, z.astype(float), dtype)
            for part, true in zip(xent.row_statistics(logits, index, ignore_index=-1), want, strict=False):
                assert part.dtype == layer[0].dtype
                np.testing.assert_allclose(plain(part), true, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_statistics_of_a_layer_have_gradients(library):
    random = np.random.default_rng(9)
    parts = [eighths(random, -2, 2, shape) for shape in ((4, 2), (3, 2), (3,))]
    labels = np.asarray([0, 2, -1, 1])

    def exact(features, weight, bias):
        total = mpf(0)
        for y, z in zip(labels, logits_of(features, weight, bias), strict=True):
            capped = [CAPS[4.0](x) for x in z]
            lse = mp.log(mp.fsum(map(mp.exp, capped)))
            entropy = mp.fsum(mp.exp(x - lse) * (lse - x) for x in capped)
            total += 0 if y < 0 else (1 + y) * (lse - capped[y] + 2 * lse + 3 * entropy)
        return total

    with wide(library):
        index, by_row = array(library, labels, "int32"), array(library, labels + 1.0)

        def call(features, weight, bias):
            options = {"entropy": True, "ignore_index": -1, "softcap": 4.0, "max_memory": 100}
            nll, lse, entropy = xent.linear_row_statistics(features, weight, index, bias, **options)
            return (by_row * (nll + 2 * lse + 3 * entropy)).sum()

        got = gradients(library, call, [array(library, part) for part in parts], "float64")
    for value, true in zip(got, slopes(exact, [exactly(part) for part in parts]), strict=True):
        np.testing.assert_allclose(value, true, rtol=0, atol=1e-12)


# --- sigmoid --------------------------------------------------------------------------------------


@st.composite
def yes_or_no_cases(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits, kind = eighths(random, -6, 6, (3, 2)), draw(st.sampled_from(["float64", "uint8", "bool", "soft"]))
    labels = eighths(random, 0, 1, (3, 2)) if kind == "soft" else random.integers(0, 2, (3, 2)).astype(float)
    made = {
        "pos_weight": eighths(random, 0, 3, 2),
        "class_weight": eighths(random, 1, 3, 2),
        "sample_weight": eighths(random, 1, 3, (3, 1)),
    }
    weights = {name: values for name, values in made.items() if draw(st.booleans())}
    reduction = draw(st.sampled_from(["mean", "sum", "none"]))
    options = {
        "label_smoothing": draw(st.sampled_from([0.0, 0.125, 1.0])),
        "reduction": reduction,
        "denominator": draw(st.sampled_from([None, 7, 2.5])) if reduction == "mean" else None,
    }
    return logits, labels, kind, weights, options


def yes_or_no_truth(weights, options, logits, labels):
    return yes_or_no_losses(logits, labels, **weights, label_smoothing=options["label_smoothing"])


def flat_weights(weights):
    return {name: exactly(values).reshape(-1) for name, values in weights.items()}


@pytest.mark.parametrize("dtype", TOLERANCE)
@each_library
@settings(max_examples=20)
@given(case=yes_or_no_cases())
def test_options_of_the_sigmoid_loss(library, dtype, case):
    logits, labels, kind, weights, options = case
    losses, counted = yes_or_no_truth(flat_weights(weights), options, exactly(logits), exactly(labels))
    with wide(library, dtype):
        given = {name: array(library, values, dtype) for name, values in weights.items()}
        kind = {"bool": "bool", "uint8": "uint8"}.get(kind, dtype)
        truth = array(library, labels.astype(kind), kind)
        got = xent.sigmoid_cross_entropy(array(library, logits, dtype), truth, **given, **options)
        assert got.dtype == getattr(LIBRARIES[library], dtype)
    reduction = options["reduction"]
    want = losses if reduction == "none" else [reduce_rows(losses, counted, reduction, options["denominator"])]
    assert tuple(got.shape) == ((3, 2) if reduction == "none" else ())
    want = np.asarray([float(x) for x in want]).reshape(got.shape)
    np.testing.assert_allclose(plain(got), want, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize(("library", "half"), HALVES)
def test_sigmoid_of_16_bit_logits_is_float32(library, half):
    logits, labels = [[-6.5, 3.25], [0.125, 4.0]], [[1.0, 1.0], [0.0, 0.75]]
    losses, _ = yes_or_no_losses(exactly(logits), exactly(labels))
    got = xent.sigmoid_cross_entropy(array(library, logits, half), array(library, labels, half), reduction="none")
    assert got.dtype == LIBRARIES[library].float32
    np.testing.assert_allclose(plain(got).reshape(-1), np.asarray(losses, float), rtol=1e-6)


@pytest.mark.parametrize("library", ["torch", "jax"])
@settings(max_examples=12)
@given(case=yes_or_no_cases())
def test_gradients_of_the_sigmoid_loss(library, case):
    logits, labels, _, weights, options = case
    names = ["logits", "labels", *weights]

    def exact(logits, labels, *rest):
        named = dict(zip(names[2:], (values.reshape(-1) for values in rest), strict=True))
        losses, counted = yes_or_no_truth(named, options, logits, labels)
        return reduce_rows(losses, counted, options["reduction"], options["denominator"])

    def call(*arrays):
        return xent.sigmoid_cross_entropy(**dict(zip(names, arrays, strict=True)), **options)

    values = [logits, labels, *weights.values()]
    with wide(library):
        got = gradients(library, call, [array(library, v) for v in values], "float64")
    for name, value, true in zip(names, got, slopes(exact, [exactly(v) for v in values]), strict=True):
        np.testing.assert_allclose(value, true, rtol=1e-11, atol=1e-11, err_msg=name)


@each_library
def test_sigmoid_weights_broadcast_and_logits_may_have_any_shape(library):
    with wide(library):
        for shape in ((), (3,), (2, 3), (2, 3, 4)):
            logits, labels = array(library, np.ones(shape)), array(library, np.zeros(shape))
            loss = xent.sigmoid_cross_entropy(logits, labels, reduction="none")
            assert tuple(loss.shape) == shape
            np.testing.assert_allclose(plain(loss), float(mp.log1p(mp.e)), rtol=1e-14)
        z, y = array(library, np.arange(6.0).reshape(2, 3) - 2), array(library, np.eye(2, 3))
        whole, rows = np.asarray([[1.0, 2.0, 3.0]] * 2), np.asarray([[1.0], [4.0]])
        for name, weight in (("pos_weight", whole[0]), ("sample_weight", rows), ("pos_weight", 2.0)):
            got, want = (
                xent.sigmoid_cross_entropy(z, y, **{name: array(library, w)})
                for w in (weight, np.broadcast_to(weight, (2, 3)))
            )
            assert float(got) == pytest.approx(float(want), rel=1e-14)


# --- what goes in and what comes out --------------------------------------------------------------


def every_loss(logits, labels, soft, weight, bias):
    """All public functions on one set of inputs: logits (4, 3) serve as features too."""
    for y in (labels, soft):
        for reduction in ("mean", "none"):
            options = {"label_smoothing": 0.1, "z_loss": 0.1, "softcap": 5.0, "reduction": reduction}
            yield xent.softmax_cross_entropy(logits, y, **options)
            yield xent.linear_cross_entropy(logits, weight, y, bias, max_memory=50, **options)
        yield from xent.row_statistics(logits, y)
        yield from xent.linear_row_statistics(logits, weight, y, bias, entropy=True)
    yield xent.sigmoid_cross_entropy(logits, soft, label_smoothing=0.1)


LOGITS = np.asarray([[1.0, -2.0, 0.5], [0.0, 0.0, 3.0], [2.0, 2.0, 2.0], [-1.0, 0.0, 1.0]])
LABELS, SOFT = np.asarray([0, 2, 1, 1]), np.asarray([[0.5, 0.5, 0], [0, 0, 1], [0.25, 0.5, 0.25], [1, 0, 0]])


INPUTS = (LOGITS, LABELS, SOFT, LOGITS[:3] / 4, LOGITS[0] / 2)


def test_inputs_are_never_overwritten():
    inputs = [values.copy() for values in INPUTS]
    for values in inputs:
        values.flags.writeable = False  # writing would raise
    list(every_loss(*inputs))
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        tensors = [torch.tensor(x) if x.dtype == np.int64 else torch.tensor(x, dtype=dtype) for x in INPUTS]
        kept = [values.clone() for values in tensors]
        tensors[0].requires_grad_()
        for loss in every_loss(*tensors):
            torch.autograd.grad(loss.sum(), tensors[0], retain_graph=True)
        assert all(map(torch.equal, tensors, kept))
        assert not any(values._version for values in tensors)  # no in-place operation saw them


def test_strides_and_order_of_memory_change_nothing():
    want = list(every_loss(*INPUTS))
    spread = np.full((8, 6), np.nan)
    spread[::2, ::2] = LOGITS
    for logits in (np.asfortranarray(LOGITS), spread[::2, ::2], LOGITS[::-1].copy()[::-1]):
        others = LABELS[::-1].copy()[::-1], np.asfortranarray(SOFT), np.asfortranarray(INPUTS[3]), INPUTS[4]
        for got, true in zip(every_loss(logits, *others), want, strict=True):
            np.testing.assert_allclose(got, true, rtol=1e-14)
    turned = torch.tensor(LOGITS).T.contiguous().T
    for got, true in zip(every_loss(turned, *map(torch.tensor, INPUTS[1:])), want, strict=True):
        np.testing.assert_allclose(plain(got), true, rtol=1e-14)
    broadcast = np.broadcast_to(LOGITS[0], (4, 3))
    whole = list(every_loss(broadcast.copy(), *INPUTS[1:]))
    for got, true in zip(every_loss(broadcast, *INPUTS[1:]), whole, strict=True):
        np.testing.assert_allclose(got, true, rtol=1e-14)


def test_nested_lists_are_taken_for_numpy_arrays_or_follow_the_arrays_beside_them():
    want = list(every_loss(*INPUTS))
    lists = [values.tolist() for values in INPUTS]
    for got, true in zip(every_loss(*lists), want, strict=True):
        assert isinstance(got, np.ndarray | np.generic)
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, true, rtol=1e-14)
    got = xent.softmax_cross_entropy(*lists[:2], class_weight=[1, 2, 3], sample_weight=[1] * 4)
    assert got == xent.softmax_cross_entropy(LOGITS, LABELS, class_weight=np.asarray([1.0, 2, 3]))
    for library in ("strict", "torch", "jax"):
        logits = array(library, LOGITS, "float32")
        for got, true in zip(every_loss(logits, *lists[1:]), want, strict=True):
            assert got.dtype == logits.dtype
            assert type(got) is type(logits)
            np.testing.assert_allclose(plain(got), true, rtol=1e-5, atol=1e-6)


def test_integers_as_logits_are_floats_of_their_library():
    for xp, dtype in ((np, np.float64), (torch, torch.float32), (jnp, jnp.float32)):
        got = xent.softmax_cross_entropy(xp.asarray([[1, 2, 4], [3, 0, 0]]), xp.asarray([0, 1]))
        assert got.dtype == dtype


def test_devices_are_kept():
    elsewhere = array_api_strict.Device("device1")
    for loss in every_loss(*(array_api_strict.asarray(x.tolist(), device=elsewhere) for x in INPUTS)):
        assert loss.device == elsewhere


def test_values_on_another_device_are_never_read():
    """Tensors on torch's meta device have none: reading one raises."""
    logits, labels, soft, weight, bias = (torch.tensor(x, device="meta") for x in INPUTS)
    for loss in every_loss(logits, labels, soft, weight, bias):
        assert loss.device.type == "meta"
    options = {"ignore_index": -100, "class_weight": bias, "sample_weight": logits[:, 0]}
    for reduction in ("mean", "none"):
        assert xent.softmax_cross_entropy(soft, labels, reduction=reduction, **options).device.type == "meta"
        loss = xent.linear_cross_entropy(soft, weight, labels, reduction=reduction, **options)
        assert loss.device.type == "meta"


@pytest.mark.parametrize("library", ["numpy", "strict", "torch"])
@settings(max_examples=20)
@given(memory=st.integers(1, 5000), rows=st.integers(1, 40), seed=st.integers(0, 1000))
@example(memory=1, rows=1, seed=0)
def test_the_bound_on_memory_changes_nothing_but_rounding(library, memory, rows, seed):
    random = np.random.default_rng(seed)
    features, weight = array(library, random.normal(size=(rows, 3))), array(library, random.normal(size=(7, 3)))
    labels = array(library, np.where(random.random(rows) < 0.3, -1, random.integers(0, 7, rows)), "int64")
    options = {"ignore_index": -1, "label_smoothing": 0.1, "z_loss": 0.1, "softcap": 3.0}
    got, want = (xent.linear_cross_entropy(features, weight, labels, **options, max_memory=m) for m in (memory, None))
    assert float(got) == pytest.approx(float(want), rel=1e-13, abs=1e-300)
