"""How exact the losses and their gradients are: truth from mpmath at 50 digits, at any lead and any number of classes."""

import contextlib
import functools

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from mpmath import mp, mpf

import xent

LIBRARIES = {"numpy": np, "strict": array_api_strict, "torch": torch, "jax": jnp}
DTYPES = ["float64", "float32"]
LEADS = [-80, -40, -20, -5, -1, -1e-3, 0, 1e-3, 1, 5, 20, 40, 60, 80]  # of the label before the best of the others
CLASSES = [1, 2, 3, 10, 1000, 32_000]
SMALLEST = {"float64": 0.0, "float32": 1.2e-38}  # below it float32 keeps few digits, or none
HALVES = [("torch", "bfloat16"), ("torch", "float16"), ("jax", "bfloat16"), ("numpy", "float16")]
each_library = pytest.mark.parametrize("library", LIBRARIES)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
EACH = [(library, dtype) for library in LIBRARIES for dtype in DTYPES if (library, dtype) != ("jax", "float64")]
each_library_and_dtype = pytest.mark.parametrize(("library", "dtype"), EACH)  # JAX compiles each shape and dtype anew
each_differentiable = pytest.mark.parametrize("library", ["torch", "jax"])


@pytest.fixture(autouse=True)
def fifty_digits():
    with mp.workdps(50):
        yield


def wide(library, dtype="float64"):
    return jax.enable_x64(True) if library == "jax" and dtype == "float64" else contextlib.nullcontext()


def array(library, values, dtype):
    xp, values = LIBRARIES[library], np.asarray(values)
    if library == "numpy":
        return values.astype(dtype)
    if library == "torch":
        return torch.tensor(values).to(getattr(torch, dtype))
    return xp.asarray(values, dtype=getattr(xp, dtype)) if library == "jax" else xp.asarray(values.astype(dtype))


def plain(x):
    return np.asarray(x.detach().double() if isinstance(x, torch.Tensor) else x).astype(np.float64)


def bound(dtype, lead=0.0):
    """Relative error allowed: float32 cannot hold the differences of the logits better."""
    return 1e-13 if dtype == "float64" else 1e-6 * (1 + np.maximum(lead, 0) / 8)


# --- rows and what is true of them ----------------------------------------------------------------


@functools.cache
def rows_by_lead(classes, dtype, leads=tuple(LEADS), offset=0.0, spread=1.0, seed=0):
    """One row for each lead, of at most 300 distinct logits, so that mpmath has the truth of 262,144 soon."""
    random = np.random.default_rng(seed)
    levels = (offset + spread * random.normal(size=300)).astype(dtype)
    logits = levels[random.integers(0, 300, (len(leads), classes))]
    labels = random.integers(0, classes, len(leads))
    for row, (lead, label) in enumerate(zip(leads, labels, strict=True)):
        others = np.delete(logits[row], label)
        logits[row, label] = (others.max() if classes > 1 else offset) + lead
    return logits, labels


class Truth:
    """nll, logsumexp and softmax of rows; softmax at the label less 1, as what it leaves to the others."""

    def __init__(self, logits, labels):
        logits, truths = np.asarray(logits, np.float64), []
        for row, label in zip(logits, labels, strict=True):
            at_label = mpf(row[label])
            levels, counts = np.unique(np.delete(row, label), return_counts=True)
            rest = mp.fsum(int(n) * mp.exp(mpf(z) - at_label) for z, n in zip(levels, counts, strict=True))
            by_level = {z: float(mp.exp(mpf(z) - at_label) / (1 + rest)) for z in levels}
            gradient = np.asarray([by_level.get(z, 0.0) for z in row])
            gradient[label] = float(-rest / (1 + rest))
            truths.append((float(mp.log1p(rest)), float(at_label + mp.log1p(rest)), gradient))
        nll, logsumexp, gradient = zip(*truths, strict=True)
        self.nll, self.logsumexp, self.gradient = np.asarray(nll), np.asarray(logsumexp), np.asarray(gradient)
        at_label = np.take_along_axis(logits, np.asarray(labels)[:, None], 1)
        others = logits.copy()
        np.put_along_axis(others, np.asarray(labels)[:, None], -np.inf, 1)
        best = others.max(1) if logits.shape[1] > 1 else at_label[:, 0]
        self.lead = at_label[:, 0] - best
        self.behind = logits.max(1, keepdims=True) - logits  # each entry's softmax is no better known than this
        np.put_along_axis(self.behind, np.asarray(labels)[:, None], np.maximum(self.lead, 0)[:, None], 1)
        self.behind[~np.isfinite(self.behind)] = 0.0
        self.scale = np.abs(logits).max(1) + np.abs(self.logsumexp - logits.max(1))


@functools.cache
def truth_by_lead(*arguments, **options):
    return Truth(*rows_by_lead(*arguments, **options))


def assert_close(got, true, allowed, smallest=0.0):
    got, true = plain(got), np.asarray(true)
    error = np.abs(got - true)
    worst = np.unravel_index(np.argmax(error - allowed * np.abs(true)), error.shape) if error.ndim else ()
    assert np.isfinite(got).all()
    assert (error <= allowed * np.abs(true) + smallest).all(), (worst, got[worst], true[worst], error[worst])


def assert_statistics(nll, logsumexp, truth, dtype, flushed=1):
    assert_close(nll, truth.nll, bound(dtype, truth.lead), flushed * SMALLEST[dtype])
    eps = float(np.finfo(dtype).eps)
    assert (np.abs(plain(logsumexp) - truth.logsumexp) <= 4 * eps * truth.scale).all()


@functools.cache
def statistics_of(library):
    return jax.jit(xent.row_statistics) if library == "jax" else xent.row_statistics


@functools.cache
def slope_of(library, loss):
    """∂ loss(logits, labels)/∂ logits, and by the other floating arguments before the labels, as a function."""
    if library == "jax":
        return jax.jit(jax.grad(loss))

    def slope(logits, labels):
        logits = logits.clone().requires_grad_()
        return torch.autograd.grad(loss(logits, labels), logits)[0]

    return slope


def total(logits, labels):
    return xent.softmax_cross_entropy(logits, labels, reduction="sum")


def total_of_layer(logits, labels):
    """The same logits as weight.T of a layer whose features are the rows of 1: exact in any dtype."""
    eye = torch.eye(logits.shape[0], dtype=logits.dtype) if isinstance(logits, torch.Tensor) else jnp.eye(len(logits))
    return xent.linear_cross_entropy(eye, logits.T, labels, reduction="sum")


def total_of_layer_by_row(logits, labels):
    eye = torch.eye(logits.shape[0], dtype=logits.dtype) if isinstance(logits, torch.Tensor) else jnp.eye(len(logits))
    return xent.linear_cross_entropy(eye, logits.T, labels, reduction="none").sum()


def total_of_soft(logits, labels):
    return xent.softmax_cross_entropy(logits, labels, reduction="sum")


# --- by lead and by number of classes -------------------------------------------------------------


@pytest.mark.parametrize("classes", CLASSES)
@each_dtype
@pytest.mark.parametrize("library", ["numpy", "strict", "torch"])
def test_nll_and_logsumexp(library, dtype, classes):
    for offset, spread in ((0.0, 1.0), (-50.0, 0.01), (300.0, 10.0)):
        rows = rows_by_lead(classes, dtype, offset=offset, spread=spread)
        got = xent.row_statistics(array(library, rows[0], dtype), array(library, rows[1], "int64"))
        assert_statistics(*got, truth_by_lead(classes, dtype, offset=offset, spread=spread), dtype)


@pytest.mark.parametrize("classes", [1, 3, 1000])
@each_dtype
def test_nll_and_logsumexp_in_jax(dtype, classes):
    for offset, spread in ((0.0, 1.0), (300.0, 10.0)):
        rows = rows_by_lead(classes, dtype, offset=offset, spread=spread)
        with wide("jax", dtype):
            got = statistics_of("jax")(array("jax", rows[0], dtype), array("jax", rows[1], "int32"))
        truth = truth_by_lead(classes, dtype, offset=offset, spread=spread)
        assert_statistics(*got, truth, dtype, flushed=classes)  # JAX takes numbers below the normal range for 0


FEW = (-80, 0, 20, 80)


@each_dtype
@each_library
def test_262144_classes(library, dtype):
    rows, truth = (make(262_144, dtype, leads=FEW) for make in (rows_by_lead, truth_by_lead))
    with wide(library, dtype):
        logits, labels = array(library, rows[0], dtype), array(library, rows[1], "int32")
        assert_statistics(*statistics_of(library)(logits, labels), truth, dtype)
        if library in ("torch", "jax"):
            got = slope_of(library, total)(logits, labels)
            assert_close(got, truth.gradient, bound(dtype, truth.behind), SMALLEST[dtype])


@pytest.mark.parametrize("classes", CLASSES)
@each_dtype
def test_gradients_by_torch(dtype, classes):
    for offset, spread in ((0.0, 1.0), (300.0, 10.0)):
        rows = rows_by_lead(classes, dtype, offset=offset, spread=spread)
        truth = truth_by_lead(classes, dtype, offset=offset, spread=spread)
        logits, labels = torch.tensor(rows[0]), torch.tensor(rows[1])
        for loss in (total, total_of_layer, total_of_layer_by_row):
            got = slope_of("torch", loss)(logits, labels)
            assert_close(got, truth.gradient, bound(dtype, truth.behind), SMALLEST[dtype])


@pytest.mark.parametrize("classes", [1, 3, 1000])
@each_dtype
def test_gradients_by_jax(dtype, classes):
    rows, truth = rows_by_lead(classes, dtype), truth_by_lead(classes, dtype)
    with wide("jax", dtype):
        logits, labels = array("jax", rows[0], dtype), array("jax", rows[1], "int32")
        for loss in (total, total_of_layer) if classes == 3 else (total,):
            got = slope_of("jax", loss)(logits, labels)
            assert_close(got, truth.gradient, bound(dtype, truth.behind), SMALLEST[dtype])


@pytest.mark.parametrize("classes", [1, 1000])
@each_library_and_dtype
def test_statistics_of_a_layer(library, dtype, classes):
    rows, truth = rows_by_lead(classes, dtype), truth_by_lead(classes, dtype)
    with wide(library, dtype):
        eye, weight = array(library, np.eye(len(LEADS)), dtype), array(library, rows[0].T.copy(), dtype)
        got = xent.linear_row_statistics(eye, weight, array(library, rows[1], "int32"), entropy=True)
    assert_statistics(got.nll, got.logsumexp, truth, dtype)
    exact = []
    for row in rows[0].astype(np.float64):
        levels, counts = np.unique(row, return_counts=True)
        peak = mpf(levels.max())
        mass = [int(n) * mp.exp(mpf(z) - peak) for z, n in zip(levels, counts, strict=True)]
        rest = mp.fsum(mass[:-1]) + (int(counts[-1]) - 1)
        log_sum = mp.log1p(rest)
        gaps = [log_sum + (peak - mpf(z)) for z in levels]
        exact.append(float(mp.fdot(mass, gaps) / (1 + rest)))
    assert_close(got.entropy, np.asarray(exact), 4 * bound(dtype, 80.0), SMALLEST[dtype])


@pytest.mark.parametrize("classes", [2, 1000])
@each_dtype
@pytest.mark.parametrize("library", ["numpy", "strict", "torch"])
def test_one_hot_labels_are_as_exact_as_classes(library, dtype, classes):
    rows, truth = rows_by_lead(classes, dtype), truth_by_lead(classes, dtype)
    one_hot = np.zeros((len(LEADS), classes), dtype)
    np.put_along_axis(one_hot, rows[1][:, None], 1.0, 1)
    logits, soft = array(library, rows[0], dtype), array(library, one_hot, dtype)
    assert_statistics(*xent.row_statistics(logits, soft), truth, dtype)
    if library == "torch":
        got = slope_of("torch", total_of_soft)(logits, soft)
        assert_close(got, truth.gradient, bound(dtype, truth.behind), SMALLEST[dtype])


@each_library_and_dtype
def test_soft_labels(library, dtype):
    """Σ q (logsumexp − z) has no negative term, so it is as exact as its terms, however small."""
    random = np.random.default_rng(1)
    logits = rows_by_lead(10, dtype)[0]
    soft = random.dirichlet(np.full(10, 0.3), len(logits)).astype(dtype)
    nll, slopes = [], []
    for row, weight in zip(logits.astype(float), soft.astype(float), strict=True):
        peak = mpf(row.max())
        others = np.delete(row, row.argmax())
        log_sum = mp.log1p(mp.fsum(mp.exp(mpf(z) - peak) for z in others))
        nll.append(float(mp.fsum(mpf(q) * (log_sum + peak - mpf(z)) for q, z in zip(weight, row, strict=True))))
        mass = mp.fsum(map(mpf, weight))
        slopes.append([float(mass * mp.exp(mpf(z) - peak - log_sum) - q) for q, z in zip(weight, row, strict=True)])
    with wide(library, dtype):
        given = array(library, logits, dtype), array(library, soft, dtype)
        assert_close(xent.softmax_cross_entropy(*given, reduction="none"), nll, bound(dtype))
        if library in ("torch", "jax"):
            got = slope_of(library, total_of_soft)(*given)
            np.testing.assert_allclose(plain(got), slopes, rtol=0, atol=2e-15 if dtype == "float64" else 5e-7)


@each_library_and_dtype
def test_label_smoothing_and_weights_keep_the_digits(library, dtype):
    """With the label ahead by 80 the smoothed loss is ε/K·Σ(z_y − z_j) and no more."""
    rows, labels = rows_by_lead(3, dtype)
    truth = []
    for row, label in zip(rows.astype(float), labels, strict=True):
        rest = mp.fsum(mp.exp(mpf(z) - mpf(row[label])) for j, z in enumerate(row) if j != label)
        gaps = [mp.log1p(rest) + mpf(row[label]) - mpf(z) for z in row]
        share = mpf("1e-6") / 3
        truth.append(float(mp.fsum(share * gap for gap in gaps) + (1 - mpf("1e-6")) * mp.log1p(rest)))
    with wide(library, dtype):
        given = array(library, rows, dtype), array(library, labels, "int32")
        got = xent.softmax_cross_entropy(*given, label_smoothing=1e-6, reduction="none")
    assert_close(got, truth, bound(dtype))


# --- where the common formula gives 0 -------------------------------------------------------------


@pytest.mark.parametrize(("lead", "known"), [(20, "6.7e-09"), (40, "1.4e-17"), (80, "5.9e-35")])
@each_library_and_dtype
def test_tiny_losses_over_three_logits_near_0(library, dtype, lead, known):
    logits = np.asarray([[lead, 0.05, 0.1, 0.2]]).astype(dtype)
    truth = Truth(logits, [0])
    assert abs(truth.nll[0] / float(known) - 1) < 0.05
    with wide(library, dtype):
        z, y = array(library, logits, dtype), array(library, [0], "int32")
        for loss in (
            xent.softmax_cross_entropy(z, y),
            xent.softmax_cross_entropy(z, array(library, [[1.0, 0, 0, 0]], dtype)),
            xent.linear_cross_entropy(array(library, [[1.0]], dtype), array(library, logits.T.copy(), dtype), y),
            xent.sigmoid_cross_entropy(z[:, 0], array(library, [1.0], dtype)),
        ):
            assert float(loss) > 0
        assert_close(xent.softmax_cross_entropy(z, y), truth.nll[0], bound(dtype, lead))
        if library in ("torch", "jax"):
            got = plain(slope_of(library, total)(z, y))
            assert (got != 0).all()
            assert_close(got, truth.gradient, bound(dtype, truth.behind))


@each_differentiable
def test_equal_peaks_have_equal_gradients(library):
    """Where several logits are the largest, none of them is special."""
    logits, labels = np.asarray([[2.0, 2.0, 2.0, 0.0]] * 4), np.arange(4)
    with wide(library):
        got = slope_of(library, total)(array(library, logits, "float64"), array(library, labels, "int32"))
        soft = slope_of(library, total_of_soft)(array(library, logits, "float64"), array(library, np.eye(4), "float64"))
    p = [1 / (3 + mp.exp(-2))] * 3 + [mp.exp(-2) / (3 + mp.exp(-2))]
    want = np.asarray([[float(p[j] - (i == j)) for j in range(4)] for i in range(4)])
    np.testing.assert_allclose(plain(got), want, rtol=1e-14)
    np.testing.assert_allclose(plain(soft), want, rtol=1e-14)


# --- 16 bits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("library", "half"), HALVES)
def test_16_bit_logits_lose_nothing_but_their_own_rounding(library, half):
    random = np.random.default_rng(2)
    drawn = random.normal(size=(6, 40)) * 3
    labels = random.integers(0, 40, 6)
    drawn[np.arange(6), labels] += [0, 5, 9, 13, 20, -20]
    logits = array(library, drawn, half)
    truth = Truth(plain(logits), labels)
    index = array(library, labels, "int32")
    rows = xent.row_statistics(logits, index)
    assert_statistics(*rows, truth, "float32")
    eye = array(library, np.eye(6), half)
    layer = xent.linear_row_statistics(eye, array(library, plain(logits).T.copy(), half), index)
    assert_statistics(layer.nll, layer.logsumexp, truth, "float32")
    if library in ("torch", "jax"):
        got = slope_of(library, total)(logits, index)
        assert got.dtype == logits.dtype
        allowed = 1.01 * float(torch.finfo(getattr(torch, half)).eps) / 2 + 2e-6
        smallest = 4e-8 if half == "float16" else 0.0
        assert_close(got, truth.gradient, allowed, smallest)


# --- sigmoid --------------------------------------------------------------------------------------

NOT_NEGATIVE = [0.0, 1e-30, 1e-6, 0.1, 1.0, 5.0, 10.0, 20.0, 40.0, 80.0]
POINTS = [*NOT_NEGATIVE, *(-z for z in NOT_NEGATIVE if z)]


def total_of_sigmoid(logits, labels):
    return xent.sigmoid_cross_entropy(logits, labels, reduction="sum")


@pytest.mark.parametrize("label", [0.0, 1.0, 0.25])
@each_dtype
@each_library
def test_sigmoid(library, dtype, label):
    points = [mpf(float(z)) for z in np.asarray(POINTS, dtype)]
    yes, no = ([mp.log1p(mp.exp(sign * z)) for z in points] for sign in (-1, 1))
    truth = [float(label * a + (1 - label) * b) for a, b in zip(yes, no, strict=True)]
    with wide(library, dtype):
        given = array(library, POINTS, dtype), array(library, np.full(len(POINTS), label), dtype)
        assert_close(xent.sigmoid_cross_entropy(*given, reduction="none"), truth, bound(dtype))
        if library in ("torch", "jax"):
            slope = [(1 - label) / (1 + mp.exp(-z)) - label / (1 + mp.exp(z)) for z in points]
            got = slope_of(library, total_of_sigmoid)(*given)
            smallest = 0.0 if label != 0.25 else 1e-16 if dtype == "float64" else 1e-7  # where the two nearly cancel
            assert_close(got, [float(x) for x in slope], bound(dtype), smallest)


@pytest.mark.parametrize("smoothing", [1e-6, 1e-3, 0.1])
@pytest.mark.parametrize("label", [0.0, 1.0])
@each_library_and_dtype
def test_smoothed_sigmoid_labels_keep_the_digits(library, dtype, label, smoothing):
    """What smoothing gives to the other answer, ε/2, is not 1 less something near 1."""
    points = [mpf(float(z)) for z in np.asarray(POINTS, dtype)]
    y = (1 - mpf(smoothing)) * mpf(label) + mpf(smoothing) / 2
    truth = [float(y * mp.log1p(mp.exp(-z)) + (1 - y) * mp.log1p(mp.exp(z))) for z in points]
    with wide(library, dtype):
        given = array(library, POINTS, dtype), array(library, np.full(len(POINTS), label), dtype)
        got = xent.sigmoid_cross_entropy(*given, label_smoothing=smoothing, reduction="none")
    assert_close(got, truth, bound(dtype))


@each_dtype
@each_library
def test_sigmoid_far_out(library, dtype):
    logits = np.asarray([1000.0, 1000.0, -1000.0, -1000.0, np.inf, np.inf, -np.inf, -np.inf, np.nan])
    labels = np.asarray([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    with wide(library, dtype):
        z, y = array(library, logits, dtype), array(library, labels, dtype)
        got = plain(xent.sigmoid_cross_entropy(z, y, reduction="none"))
        np.testing.assert_array_equal(got, [0, 1000, 1000, 0, 0, np.inf, np.inf, 0, np.nan])
        if library in ("torch", "jax"):
            slope = plain(slope_of(library, total_of_sigmoid)(z, y))
            np.testing.assert_array_equal(slope[:4], [0, 1, -1, 0])
            np.testing.assert_array_equal(slope[4:8], [0, 1, -1, 0])


# --- infinities -----------------------------------------------------------------------------------

INF, NAN = np.inf, np.nan
EXTREMES = [
    ([1.0, -INF, 0.0, -INF], 0, "finite"),  # masked classes cost nothing
    ([1.0, -INF, 0.0, -INF], 1, INF),  # an impossible label
    ([5.0, -INF, -INF, -INF], 0, 0.0),  # the only class left
    ([INF, 0.0, 0.0, 0.0], 0, NAN),
    ([INF, 0.0, 0.0, 0.0], 1, NAN),
    ([INF, INF, 0.0, -INF], 2, NAN),
    ([NAN, 0.0, 0.0, 0.0], 0, NAN),
    ([0.0, 0.0, NAN, 0.0], 0, NAN),
    ([-INF, -INF, NAN, -INF], 1, NAN),
    ([-INF, -INF, -INF, -INF], 0, NAN),
    ([3e38, 0.0, 0.0, 0.0], 0, 0.0),
    ([3e38, 0.0, 0.0, 0.0], 1, 3e38),
    ([1e-40, 1e-45, 0.0, -1e-40], 1, float(np.log(4.0))),
]
MASKED = float(np.log1p(np.exp(-1.0)))


@each_library_and_dtype
def test_infinite_and_undefined_rows(library, dtype):
    logits, labels, want = zip(*EXTREMES, strict=True)
    want = [MASKED if value == "finite" else value for value in want]
    with wide(library, dtype):
        z, y = array(library, np.asarray(logits), dtype), array(library, labels, "int32")
        rows = xent.row_statistics(z, y)
        np.testing.assert_allclose(plain(rows.nll), want, rtol=1e-6)
        undefined = np.isnan(np.asarray(want))
        assert np.isfinite(plain(rows.logsumexp)[~undefined]).all()
        loss = plain(xent.softmax_cross_entropy(z, y, reduction="none"))
        np.testing.assert_allclose(loss, want, rtol=1e-6)
        soft = array(library, np.eye(4)[list(labels)], dtype)
        np.testing.assert_allclose(plain(xent.row_statistics(z, soft).nll), want, rtol=1e-6)
        assert np.isnan(float(xent.softmax_cross_entropy(z, y)))
        assert float(xent.softmax_cross_entropy(z[:3, :], y[:3])) == INF


@each_differentiable
def test_gradients_beside_infinities(library):
    """A masked class gets exactly 0, the others what they would get without it; one undefined row spoils no other."""
    logits = np.asarray([[1.0, -INF, 0.0, -INF], [1.0, -INF, 0.0, -INF], [NAN, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    labels, p = np.asarray([0, 1, 0, 2]), float(1 / (1 + mp.exp(-1)))
    first, second, last = [p - 1, 0, 1 - p, 0], [p, -1, 1 - p, 0], [0.25, 0.25, -0.75, 0.25]
    with wide(library):
        z, y = array(library, logits, "float64"), array(library, labels, "int32")
        got = plain(slope_of(library, total)(z, y))
        np.testing.assert_allclose(got[[0, 1, 3]], [first, second, last], rtol=1e-14)
        assert np.isnan(got[2]).all()
        soft = plain(slope_of(library, total_of_soft)(z, array(library, np.eye(4)[labels], "float64")))
        np.testing.assert_allclose(soft[[0, 3]], [first, last], rtol=1e-14)


@each_library_and_dtype
def test_soft_labels_of_0_at_masked_classes_cost_nothing(library, dtype):
    logits, soft = [[1.0, -INF, 0.0], [-INF, 2.0, -INF], [0.0, -INF, 0.0]], [[0.5, 0, 0.5], [0, 1, 0], [0.5, 0.5, 0]]
    with wide(library, dtype):
        z, q = array(library, logits, dtype), array(library, soft, dtype)
        got = plain(xent.softmax_cross_entropy(z, q, reduction="none"))
        np.testing.assert_allclose(got, [MASKED + 0.5, 0.0, INF], rtol=1e-6)
        if library in ("torch", "jax"):
            slope = plain(slope_of(library, total_of_soft)(z, q))
            p = float(1 / (1 + mp.exp(-1)))
            np.testing.assert_allclose(slope[:2], [[p - 0.5, 0, 0.5 - p], [0, 0, 0]], rtol=1e-6, atol=1e-16)


@each_library_and_dtype
def test_masks_by_the_bias_of_a_layer(library, dtype):
    with wide(library, dtype):
        features, weight = (
            array(library, [[1.0, 0.0]] * 2, dtype),
            array(library, [[1.0, 0.0], [5.0, 5.0], [0.0, 1.0]], dtype),
        )
        bias = array(library, [0.0, -INF, 0.0], dtype)
        got = xent.linear_cross_entropy(features, weight, array(library, [0, 1], "int32"), bias, reduction="none")
        np.testing.assert_allclose(plain(got), [MASKED, INF], rtol=1e-6)
        entropy = xent.linear_row_statistics(features, weight, array(library, [0, 0], "int32"), bias, entropy=True)[2]
        p = 1 / (1 + mp.exp(-1))
        np.testing.assert_allclose(plain(entropy), float(-p * mp.log(p) - (1 - p) * mp.log(1 - p)), rtol=1e-6)


@each_library_and_dtype
def test_one_class_costs_nothing(library, dtype):
    with wide(library, dtype):
        logits, labels = array(library, [[5.0], [-300.0], [0.0]], dtype), array(library, [0, 0, 0], "int32")
        for loss in (
            xent.softmax_cross_entropy(logits, labels, reduction="none", label_smoothing=0.5),
            xent.softmax_cross_entropy(logits, array(library, [[1.0]] * 3, dtype), reduction="none"),
            xent.linear_cross_entropy(logits, array(library, [[2.0]], dtype), labels, reduction="none"),
        ):
            np.testing.assert_array_equal(plain(loss), [0, 0, 0])
        if library in ("torch", "jax"):
            np.testing.assert_array_equal(plain(slope_of(library, total)(logits, labels)), [[0.0]] * 3)


def test_a_loss_is_never_minus_zero_or_negative():
    random = np.random.default_rng(4)
    for dtype in DTYPES:
        logits = (random.normal(size=(2000, 5)) * 10 ** random.uniform(-8, 1.2, (2000, 1))).astype(dtype)
        nll = xent.row_statistics(logits, logits.argmax(1)).nll
        assert (nll > 0).all()
        nll = xent.row_statistics(logits, random.integers(0, 5, 2000)).nll
        assert (nll > 0).all()
