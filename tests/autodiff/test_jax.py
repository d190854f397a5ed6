"""The losses on JAX arrays: every derivative and transformation, in bounded memory.

Truth is the table of options in JAX's own operations in float64, mpmath, or optax.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from mpmath import mp

import xent

ROWS, DIM, CLASSES = 7, 3, 5
SKIP = -100
BLOCKS = 250  # bytes: a block of a row or two
OPTIONS = {
    "plain": {},
    "weights": {"class_weight": True, "sample_weight": True, "bias": True},
    "smooth": {"label_smoothing": 0.1, "class_weight": True},
    "all": {"label_smoothing": 0.2, "z_loss": 0.1, "softcap": 2.0, "class_weight": True, "sample_weight": True},
    "soft": {"soft": True, "z_loss": 0.1, "bias": True, "softcap": 2.0},
    "soft weights": {"soft": True, "label_smoothing": 0.1, "class_weight": True, "sample_weight": True},
}
each_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def draw(*shape, seed=0, dtype=np.float64):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def labels_for(rows=ROWS, classes=CLASSES, skipped=(2,)):
    labels = np.random.default_rng(5).integers(0, classes, rows)
    labels[list(skipped)] = SKIP
    return jnp.asarray(labels)


def problem(options):
    """Arrays that gradients are taken by, and options that are numbers."""
    arrays = {"features": draw(ROWS, DIM), "weight": 2.0 * draw(CLASSES, DIM, seed=1)}
    if "bias" in options:
        arrays["bias"] = draw(CLASSES, seed=2)
    if "soft" in options:
        arrays["labels"] = jax.nn.softmax(draw(ROWS, CLASSES, seed=3))
    if "class_weight" in options:
        arrays["class_weight"] = jnp.abs(draw(CLASSES, seed=4)) + 0.2
    if "sample_weight" in options:
        arrays["sample_weight"] = jnp.abs(draw(ROWS, seed=6)) + 0.2
    return arrays, {name: value for name, value in options.items() if not isinstance(value, bool)}


def logits_of(features, weight, bias=None):
    return features @ weight.T + (0.0 if bias is None else bias)


def truth(logits, labels, class_weight=1.0, sample_weight=1.0, label_smoothing=0.0, z_loss=0.0, softcap=None):
    """Losses of the rows and their mean, as the table of options says."""
    count = logits.shape[-1]
    logits = logits if softcap is None else softcap * jnp.tanh(logits / softcap)
    index = labels.ndim < logits.ndim
    kept = labels != SKIP if index else jnp.ones(logits.shape[:-1], bool)
    target = jax.nn.one_hot(labels, count, dtype=logits.dtype) if index else labels
    on_row = jnp.where(kept, sample_weight * (jnp.sum(target * class_weight, -1) if index else 1.0), 0.0)
    target = (1.0 - label_smoothing) * target + label_smoothing / count
    squares = jax.nn.logsumexp(logits, axis=-1) ** 2
    rows = -jnp.sum(class_weight * target * jax.nn.log_softmax(logits), -1) + z_loss * squares
    rows = jnp.where(kept, sample_weight * rows, 0.0)
    return rows, jnp.sum(rows) / jnp.sum(on_row)


def truth_of(arrays, numbers):
    logits = logits_of(*(arrays.get(name) for name in ("features", "weight", "bias")))
    others = {name: arrays[name] for name in ("class_weight", "sample_weight") if name in arrays}
    return truth(logits, arrays.get("labels", labels_for()), **others, **numbers)


def by_softmax(arrays, numbers, reduction="mean"):
    arrays = dict(arrays)
    logits = logits_of(arrays.pop("features"), arrays.pop("weight"), arrays.pop("bias", None))
    labels = arrays.pop("labels", None)
    skip = {"ignore_index": SKIP} if labels is None else {}
    labels = labels_for() if labels is None else labels
    return xent.softmax_cross_entropy(logits, labels, **arrays, **numbers, **skip, reduction=reduction)


def by_linear(arrays, numbers, reduction="mean"):
    arrays = {"labels": labels_for(), **arrays}
    skip = {"ignore_index": SKIP} if arrays["labels"].ndim == 1 else {}
    return xent.linear_cross_entropy(**arrays, **numbers, **skip, reduction=reduction, max_memory=BLOCKS)


def agree(found, expected, rtol=1e-9, atol=1e-12):
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=rtol, atol=atol), found, expected)


@pytest.mark.usefixtures("float64")
class TestDerivatives:
    @each_option
    @pytest.mark.parametrize("path", [by_softmax, by_linear])
    def test_by_every_array_for_every_option(self, path, options):
        arrays, numbers = problem(options)
        found = jax.jit(jax.value_and_grad(lambda arrays: path(arrays, numbers)))(arrays)
        expected = jax.jit(jax.value_and_grad(lambda arrays: truth_of(arrays, numbers)[1]))(arrays)
        agree(found, expected)

    @pytest.mark.parametrize("options", [OPTIONS["all"], OPTIONS["soft"]], ids=["all", "soft"])
    def test_of_losses_per_row(self, options):
        arrays, numbers = problem(options)
        found = jax.jit(jax.value_and_grad(lambda arrays: jnp.sum(by_linear(arrays, numbers, "none") ** 2)))(arrays)
        expected = jax.jit(jax.value_and_grad(lambda arrays: jnp.sum(truth_of(arrays, numbers)[0] ** 2)))(arrays)
        agree(found, expected)

    @pytest.mark.parametrize("name", ["features", "weight", "labels"])
    def test_of_one_array_alone(self, name):
        arrays, numbers = problem(OPTIONS["soft"])
        found = jax.jit(jax.grad(lambda one: by_linear({**arrays, name: one}, numbers)))(arrays[name])
        agree(found, jax.jit(jax.grad(lambda one: truth_of({**arrays, name: one}, numbers)[1]))(arrays[name]))

    def test_of_entropy_and_logsumexp(self):
        features, weight, labels = draw(ROWS, DIM), draw(CLASSES, DIM, seed=1), labels_for()

        def found(features):
            rows = xent.linear_row_statistics(
                features, weight, labels, ignore_index=SKIP, entropy=True, max_memory=BLOCKS
            )
            return jnp.sum(rows.entropy**2) + jnp.sum(rows.logsumexp**2)

        def expected(features):
            logs = jax.nn.log_softmax(features @ weight.T)
            entropy = -jnp.sum(jnp.exp(logs) * logs, axis=-1)
            both = entropy**2 + jax.nn.logsumexp(features @ weight.T, axis=-1) ** 2
            return jnp.sum(jnp.where(labels == SKIP, 0.0, both))

        def derivatives(loss):
            return jax.jit(lambda features: (jax.value_and_grad(loss)(features), jax.hessian(loss)(features)))

        agree(derivatives(found)(features), derivatives(expected)(features))


@pytest.mark.usefixtures("float64")
class TestTransformations:
    twice = pytest.mark.parametrize("name", ["plain", "smooth", "soft weights"])

    def both(self, path, name):
        """A loss as a function of the features, and the truth."""
        arrays, numbers = problem(OPTIONS[name])
        return (
            lambda features: path({**arrays, "features": features}, numbers),
            lambda features: truth_of({**arrays, "features": features}, numbers)[1],
            arrays["features"],
        )

    @twice
    @pytest.mark.parametrize("inner", [jax.jacrev, jax.jacfwd])
    def test_second_derivatives(self, inner, name):
        found, expected, features = self.both(by_softmax, name)
        agree(jax.jit(jax.jacrev(inner(found)))(features), jax.jit(jax.hessian(expected))(features))

    @twice
    def test_second_derivatives_of_the_linear_loss(self, name):
        found, expected, features = self.both(by_linear, name)
        hessian = jax.jit(jax.hessian(expected))(features)
        agree(jax.jit(jax.hessian(found))(features), hessian)
        if name == "plain":
            agree(jax.jit(jax.jacrev(jax.jacrev(found)))(features), hessian)

    def test_forward_mode(self):
        found, expected, features = self.both(by_softmax, "all")
        push = draw(ROWS, DIM, seed=9)
        agree(*(jax.jit(lambda z, loss=loss: jax.jvp(loss, (z,), (push,)))(features) for loss in (found, expected)))

    def test_forward_mode_of_the_linear_loss_is_refused(self):
        found, _, features = self.both(by_linear, "plain")
        with pytest.raises(TypeError, match="forward-mode"):
            jax.jvp(found, (features,), (features,))

    @pytest.mark.parametrize("path", [by_softmax, by_linear])
    def test_vmap(self, path):
        found, expected, features = self.both(path, "plain")
        batch = jnp.stack([features, -features, 3.0 * features])
        agree(
            jax.jit(jax.vmap(jax.value_and_grad(found)))(batch),
            jax.tree.map(lambda *each: jnp.stack(each), *map(jax.jit(jax.value_and_grad(expected)), batch)),
        )

    def test_vmap_over_labels(self):
        logits, labels = draw(2, ROWS, CLASSES), jnp.stack([labels_for(), labels_for(skipped=(0, 1))])
        found = jax.vmap(lambda z, y: xent.softmax_cross_entropy(z, y, ignore_index=SKIP))(logits, labels)
        agree(found, jnp.stack([truth(z, y)[1] for z, y in zip(logits, labels, strict=True)]))

    def test_sigmoid(self):
        logits, labels = draw(4, 3).at[0, 0].set(0.0), jax.nn.sigmoid(draw(4, 3, seed=1))

        def found(logits, labels, weight):
            return xent.sigmoid_cross_entropy(logits, labels, pos_weight=weight, reduction="sum")

        def expected(logits, labels, weight):
            yes, no = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
            return -jnp.sum(weight * labels * yes + (1.0 - labels) * no)

        arrays = logits, labels, jnp.asarray([1.0, 2.0, 0.5])

        def derivatives(loss):
            return jax.jit(
                lambda *arrays: (
                    jax.value_and_grad(loss, (0, 1, 2))(*arrays),
                    jax.hessian(loss)(*arrays),
                    jax.jvp(loss, arrays, arrays),
                )
            )

        agree(derivatives(found)(*arrays), derivatives(expected)(*arrays))


LEADS = [20.0, 40.0, 80.0, 0.0, -20.0, -80.0]


def ways():
    """Losses of rows whose label, 0, leads three classes by LEADS, from the lead."""
    rows, labels = len(LEADS), jnp.zeros(len(LEADS), int)
    weight = jnp.asarray([[1.0], [0.0], [0.0]])
    soft = jnp.tile(jnp.asarray([[1.0, 0.0, 0.0]]), (rows, 1))
    yield "label", lambda lead: xent.softmax_cross_entropy(lead @ weight.T, labels, reduction="none")
    yield "soft", lambda lead: xent.softmax_cross_entropy(lead @ weight.T, soft, reduction="none")
    yield "linear", lambda lead: xent.linear_cross_entropy(lead, weight, labels, reduction="none")
    yield "compiled", jax.jit(lambda lead: xent.softmax_cross_entropy(lead @ weight.T, labels, reduction="none"))


@pytest.mark.parametrize("way", [way for _, way in ways()], ids=[name for name, _ in ways()])
def test_nothing_is_lost_in_float32_however_far_the_label_leads(way):
    lead = jnp.asarray(LEADS, jnp.float32)[:, None]
    nll, pull = jax.vjp(way, lead)
    (slope,) = pull(jnp.ones_like(nll))
    with mp.workdps(50):
        for each, found, by_lead in zip(LEADS, nll, slope[:, 0], strict=True):
            expected = mp.log1p(2 * mp.exp(-each))
            tolerance = 1e-6 * (1 + max(each, 0) / 8)
            assert abs(float(found) / expected - 1) <= tolerance
            assert abs(float(by_lead) / mp.expm1(-expected) - 1) <= tolerance


@pytest.mark.parametrize("lead", [0.0, 25.0])
@pytest.mark.parametrize("classes", [2, 12, 16])
def test_logits_that_xla_computes_anew_for_each_use_count_once(classes, lead):
    """XLA rounds the softcap of a block of one row otherwise for the peak than for what is compared with it."""
    r = np.random.default_rng(0)
    features, weight, bias = (r.normal(size=shape) for shape in ((7, 4), (classes, 4), (classes,)))
    labels = r.integers(0, classes, 7)
    features[np.arange(7), 0] += lead * 10.0
    weight[:, 0] = 0.1 * (np.arange(classes) == labels[0])
    arrays = [np.float32(features), np.float32(2.0 * weight), labels, np.float32(bias)]
    wide = arrays[0].astype(float) @ arrays[1].astype(float).T + arrays[3]
    with mp.workdps(50):
        rows = [[30 * mp.tanh(mp.mpf(z) / 30) for z in row] for row in wide]
        truth = [
            float(mp.log1p(mp.fsum(mp.exp(z - row[label]) for j, z in enumerate(row) if j != label)))
            for row, label in zip(rows, labels, strict=True)
        ]
        lowest = float(min(truth))
    assert lead == 0.0 or lowest < 1e-6
    for jit in (jax.jit, lambda function: function):

        def losses(*arrays, reduction="none"):
            return xent.linear_cross_entropy(*arrays, softcap=30.0, max_memory=1, reduction=reduction)

        given = list(map(jnp.asarray, arrays))
        np.testing.assert_allclose(jit(losses)(*given), truth, rtol=1e-4)
        found = jit(lambda *arrays: losses(*arrays, reduction="mean"))(*given)
        np.testing.assert_allclose(found, np.mean(truth), rtol=1e-5)
        one_hot = jax.nn.one_hot(given[2], classes)
        found = jit(losses)(*given[:2], one_hot, given[3])
        np.testing.assert_allclose(found, truth, rtol=1e-4)


def temporaries(rows, dtype=jnp.float32, argnums=(0, 1), **options):
    """Bytes that XLA sets aside for a step of the linear loss."""
    shapes = (
        jax.ShapeDtypeStruct((rows, 16), dtype),
        jax.ShapeDtypeStruct((4000, 16), dtype),
        jax.ShapeDtypeStruct((rows,), jnp.int32),
    )

    def step(features, weight, labels):
        return xent.linear_cross_entropy(features, weight, labels, **options)

    program = jax.jit(jax.value_and_grad(step, argnums)).lower(*shapes).compile()
    return program.memory_analysis().temp_size_in_bytes


class TestMemory:
    @pytest.mark.parametrize("rows", [1000, 8000])
    def test_of_a_step_stays_within_max_memory(self, rows):
        # A few numbers a row come on top; the logits of 8000 rows would take 128 MB.
        assert temporaries(rows, max_memory=4 << 20) <= (4 << 20) + 32 * rows

    @pytest.mark.parametrize(
        ("dtype", "options"),
        [
            (jnp.float32, {"label_smoothing": 0.1, "softcap": 30.0}),
            (jnp.bfloat16, {}),
            (jnp.float16, {}),
        ],
    )
    def test_whatever_the_options(self, dtype, options):
        in_float32 = 0 if dtype == jnp.float32 else 4 * 4000 * 16  # the weight's gradient while it is summed
        assert temporaries(8000, dtype, max_memory=4 << 20, **options) <= (4 << 20) + in_float32

    def test_of_the_loss_of_logits_holds_no_second_array_of_their_size(self):
        def step(logits, labels):
            return xent.softmax_cross_entropy(logits, labels)

        shapes = jax.ShapeDtypeStruct((800, 10_000), jnp.float32), jax.ShapeDtypeStruct((800,), jnp.int32)
        program = jax.jit(jax.value_and_grad(step)).lower(*shapes).compile()
        assert program.memory_analysis().temp_size_in_bytes <= 4 << 20  # the logits: 32 MB


class TestInputs:
    @pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
    def test_of_16_bits_are_summed_in_float32(self, dtype):
        features, weight = draw(300, 32, dtype=dtype), draw(50, 32, seed=1, dtype=dtype)
        labels = labels_for(300, 50, skipped=())

        def loss(features, weight):
            return xent.linear_cross_entropy(features, weight, labels, max_memory=1 << 14)

        found, (by_features, by_weight) = jax.jit(jax.value_and_grad(loss, (0, 1)))(features, weight)
        with jax.enable_x64(True):
            exact = features.astype(float), weight.astype(float)
            expected, slopes = jax.jit(jax.value_and_grad(lambda f, w: truth(f @ w.T, labels)[1], (0, 1)))(*exact)
        assert found.dtype == jnp.float32
        assert by_features.dtype == by_weight.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        eps = float(jnp.finfo(dtype).eps)
        for one, other in zip((by_features, by_weight), slopes, strict=True):
            assert np.linalg.norm(np.asarray(one, float) - np.asarray(other)) <= eps * np.linalg.norm(other)

    @pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
    def test_logits_of_16_bits(self, dtype):
        logits, labels = draw(40, 10, dtype=dtype), labels_for(40, 10, skipped=())
        step = jax.value_and_grad(lambda z: xent.softmax_cross_entropy(z, labels, softcap=3.0))
        found, slope = jax.jit(step)(logits)
        assert (found.dtype, slope.dtype) == (jnp.float32, dtype)
        with jax.enable_x64(True):
            expected = jax.jit(lambda z: truth(z, labels, softcap=3.0)[1])(logits.astype(float))
        np.testing.assert_allclose(found, expected, rtol=1e-6)

    @pytest.mark.parametrize("dtype", ["int8", "uint8", "uint32"])
    def test_labels_of_any_integer_dtype(self, dtype):
        logits = draw(3, 200, dtype=np.float32)
        labels = jnp.asarray([0, 127, 5]).astype(dtype)
        found = xent.softmax_cross_entropy(logits, labels, reduction="none")
        np.testing.assert_allclose(found, truth(logits, labels.astype(int))[0], rtol=1e-5)

    @pytest.mark.parametrize(("bits", "wide"), [(32, False), (32, True), (64, True)])
    def test_labels_too_large_for_a_signed_integer_stay_what_they_are(self, bits, wide):
        with jax.enable_x64(wide):
            largest = 2**bits - 1
            logits, labels = jnp.zeros((2, 3), jnp.float32), jnp.asarray(np.asarray([0, largest], f"uint{bits}"))
            for skipped, expected in [(None, np.nan), (-1, np.nan), (largest, 0.0)]:
                loss = functools.partial(xent.softmax_cross_entropy, ignore_index=skipped, reduction="none")
                found = [jax.jit(loss)(logits, labels)]
                if skipped == largest:
                    found.append(loss(logits, labels))
                else:
                    with pytest.raises(xent.LabelError, match=rf"labels\[1\] is {largest}"):
                        loss(logits, labels)
                for losses in found:
                    np.testing.assert_allclose(losses, [np.log(3.0), expected], rtol=1e-6)

    def test_rows_to_skip_take_no_part_be_they_nan(self):
        features = draw(ROWS, DIM, dtype=np.float32).at[2].set(jnp.nan)
        weight, labels = draw(CLASSES, DIM, seed=1, dtype=np.float32), labels_for()
        kept = jnp.asarray([0, 1, 3, 4, 5, 6])

        def by_logits(features, weight):
            return xent.softmax_cross_entropy(features @ weight.T, labels, ignore_index=SKIP)

        def by_layer(features, weight):
            return xent.linear_cross_entropy(features, weight, labels, ignore_index=SKIP)

        def expected(features, weight):
            return truth(features[kept] @ weight.T, labels[kept])[1]

        value, (by_features, by_weight) = jax.jit(jax.value_and_grad(expected, (0, 1)))(features, weight)
        agree(jax.jit(jax.value_and_grad(by_logits))(features, weight), (value, by_features), rtol=1e-5, atol=1e-6)
        found = jax.jit(jax.value_and_grad(by_layer, (0, 1)))(features, weight)
        agree(found, (value, (by_features, by_weight)), rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("rows", [0, 4])
    def test_the_mean_over_nothing_is_0_with_gradient_0(self, rows):
        features, weight = jnp.full((rows, 2), jnp.nan), jnp.ones((3, 2))
        labels = jnp.full(rows, SKIP)
        found = jax.value_and_grad(xent.linear_cross_entropy, (0, 1))(features, weight, labels, ignore_index=SKIP)
        agree(found, (0.0, (jnp.zeros((rows, 2)), jnp.zeros((3, 2)))))
        found = jax.value_and_grad(xent.softmax_cross_entropy)(features, labels, ignore_index=SKIP)
        agree(found, (0.0, jnp.zeros((rows, 2))))

    def test_infinite_and_nan_logits(self):
        inf, nan = jnp.inf, jnp.nan
        logits = jnp.asarray([[nan, 0.0], [inf, 0.0], [-inf, -inf], [-inf, 0.0], [0.0, -inf]])
        labels = jnp.zeros(5, int)
        found = xent.softmax_cross_entropy(logits, labels, reduction="none")
        np.testing.assert_array_equal(found, [nan, nan, nan, inf, 0.0])
        slope = jax.grad(lambda z: xent.softmax_cross_entropy(z, labels, reduction="none")[3:].sum())(logits)
        np.testing.assert_array_equal(slope[3:], [[-1.0, 1.0], [0.0, 0.0]])

    def test_classes_that_tie(self):
        soft = jnp.asarray([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
        logits = jnp.asarray([[2.0, 2.0, 2.0], [2.0, 2.0, -1.0]])
        for labels in (soft, jnp.asarray([0, 1])):
            slope = jax.grad(lambda z, labels=labels: xent.softmax_cross_entropy(z, labels, reduction="sum"))(logits)
            target = labels if labels.ndim == 2 else jax.nn.one_hot(labels, 3)
            np.testing.assert_allclose(slope, jax.nn.softmax(logits) - target, atol=1e-6)

    def test_one_class_and_a_large_vocabulary(self):
        assert float(xent.softmax_cross_entropy(jnp.ones((3, 1)), jnp.zeros(3, int))) == 0.0
        logits = draw(2, 262_144, dtype=np.float32)
        labels = jnp.asarray([0, 262_143])
        with jax.enable_x64(True):
            expected = jax.jit(lambda z: truth(z, labels)[0])(logits.astype(float))
        np.testing.assert_allclose(xent.softmax_cross_entropy(logits, labels, reduction="none"), expected, rtol=1e-6)


class TestBesideOptax:
    def test_integer_labels_and_sigmoid_agree(self):
        logits, labels = draw(40, 10, dtype=np.float32), labels_for(40, 10, skipped=())
        expected = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        np.testing.assert_allclose(xent.softmax_cross_entropy(logits, labels, reduction="none"), expected, rtol=2e-5)
        soft = jax.nn.softmax(draw(40, 10, seed=1, dtype=np.float32))
        expected = optax.softmax_cross_entropy(logits, soft)
        np.testing.assert_allclose(xent.softmax_cross_entropy(logits, soft, reduction="none"), expected, rtol=2e-5)
        expected = optax.sigmoid_binary_cross_entropy(logits, soft)
        np.testing.assert_allclose(xent.sigmoid_cross_entropy(logits, soft, reduction="none"), expected, rtol=2e-5)

    @pytest.mark.parametrize("wrong", [-1, SKIP, 3])
    def test_labels_that_name_no_class_are_never_given_a_plausible_loss(self, wrong):
        logits, labels = draw(2, 3, dtype=np.float32), jnp.asarray([0, wrong])
        if wrong == -1:  # optax takes the last class
            assert jnp.isfinite(optax.softmax_cross_entropy_with_integer_labels(logits, labels)).all()
        for path in (
            lambda z, y: xent.softmax_cross_entropy(z, y),
            lambda z, y: xent.linear_cross_entropy(z, logits, y),
        ):
            with pytest.raises(xent.LabelError, match=str(wrong)):
                path(logits, labels)
            slope = jax.jit(jax.grad(path))(logits, labels)
            assert jnp.isnan(jax.jit(path)(logits, labels))
            assert jnp.isfinite(slope[0]).all()
            assert jnp.isnan(slope[1]).all()

    def test_float32_does_not_stall(self):
        logits, labels = jnp.asarray([[20.0, 0.0, 0.0]]), jnp.asarray([0])
        stalled = jax.value_and_grad(lambda z: optax.softmax_cross_entropy_with_integer_labels(z, labels).mean())
        assert float(stalled(logits)[0]) == 0.0
        found, slope = jax.value_and_grad(xent.softmax_cross_entropy)(logits, labels)
        assert float(found) == pytest.approx(4.1223e-9, rel=1e-4)
        assert float(slope[0, 0]) == pytest.approx(-4.1223e-9, rel=1e-4)


def test_numpy_arrays_beside_jaxs_are_taken_as_jaxs():
    logits, labels = draw(ROWS, CLASSES, dtype=np.float32), np.arange(ROWS) % CLASSES
    options = {"class_weight": np.linspace(1.0, 2.0, CLASSES), "sample_weight": np.ones(ROWS, np.float32)}
    expected = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    found = jax.jit(lambda z: xent.softmax_cross_entropy(z, labels, sample_weight=options["sample_weight"]))(logits)
    assert isinstance(found, jax.Array)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    weighted = xent.softmax_cross_entropy(logits, labels, **options)
    own = xent.softmax_cross_entropy(
        logits, jnp.asarray(labels), **{name: jnp.asarray(v) for name, v in options.items()}
    )
    assert float(weighted) == float(own)
    assert isinstance(xent.sigmoid_cross_entropy(logits, np.zeros((ROWS, CLASSES))), jax.Array)


def test_labels_that_jax_would_make_others_of_are_refused():
    with pytest.raises(
        xent.ArgumentTypeError, match=r"labels has 4294967297 at 1, which JAX would make another number"
    ):
        xent.softmax_cross_entropy(draw(2, 3, dtype=np.float32), np.array([0, 2**32 + 1]))
