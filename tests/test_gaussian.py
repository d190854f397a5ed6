"""Gaussians: truth from mpmath (densities, determinants, inverses at 50 digits), identities and scipy."""

import contextlib
import doctest
import functools
import math
from typing import Any, NamedTuple

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from xent import gaussian
from xent.errors import OptionError, ProbabilityError, ShapeError

LIBRARIES = {"numpy": np, "strict": array_api_strict, "torch": torch, "jax": jnp}
TOLERANCE = {"float64": 1e-13, "float32": 1e-5}


@pytest.fixture(params=LIBRARIES)
def xp(request):
    with jax.enable_x64(True) if request.param == "jax" else contextlib.nullcontext():
        yield LIBRARIES[request.param]


@pytest.fixture(params=TOLERANCE)
def dtype(request):
    return request.param


@pytest.fixture(autouse=True)
def fifty_digits():
    with mp.workdps(50):
        yield


def array(xp, values, dtype="float64"):
    return xp.asarray(np.asarray(values, dtype).tolist(), dtype=getattr(xp, dtype))


@functools.cache
def compiled(xp, function, **options):
    """Give JAX's functions under `jit`: the same numbers, and one compilation instead of one per operation."""
    function = functools.partial(function, **options)
    return jax.jit(function) if xp is jnp else function


def plain(x):
    return np.asarray(x.detach() if isinstance(x, torch.Tensor) else x).astype(np.float64)


def exact_full(mean_p, cov_p, mean_q, cov_q):
    """Entropy of P, cross-entropy and divergence by the textbook's determinants and inverses."""
    n, p, q = len(mean_p), mp.matrix(cov_p.tolist()), mp.matrix(cov_q.tolist())
    shift = mp.matrix([mpf(a) - mpf(b) for a, b in zip(mean_p.tolist(), mean_q.tolist(), strict=True)])
    inverse = q**-1
    entropy = (n * mp.log(2 * mp.pi * mp.e) + mp.log(mp.det(p))) / 2
    product = inverse * p
    square = sum(product[i, i] for i in range(n)) + (shift.T * inverse * shift)[0]
    cross = (n * mp.log(2 * mp.pi) + mp.log(mp.det(q)) + square) / 2
    return entropy, cross, cross - entropy


def exact_scalar(mean_p, std_p, mean_q, std_q):
    one = [np.asarray([float(x)]) for x in (mean_p, std_p, mean_q, std_q)]
    with mp.workdps(1000):  # the squares of 1e±150 side by side
        p, q = (mp.matrix([[mpf(float(s)) ** 2]]) for s in (std_p, std_q))
        return exact_full(one[0], np.asarray(p.tolist(), object), one[2], np.asarray(q.tolist(), object))


def scalars(dtype):
    """Parameters from equal to far apart."""
    random = np.random.default_rng(1)
    size, big = (1e-15, 1e100) if dtype == "float64" else (1e-7, 1e12)
    rows = [
        (0, 1, 0, 1),
        (1, 2, 0, 1),
        (0, 1, 5, 3),
        (0, big, 0, big),
        (0, 1, 0, big),
        (0, 1 / big, 0, 1),
        (0, 0.1, 0, 9),
    ]
    for step in np.geomspace(size, 1, 20):
        std = random.uniform(0.5, 2)
        rows += [(0, std * (1 + step), 0, std), (step, std, 0, std), (step, std, 0, std * (1 + step))]
    return np.asarray(rows).T.astype(dtype)


def assert_relative(got, truth, dtype, absolute=1e-300):  # truth's own 1000 digits do not end at 0
    for value, true in zip(plain(got).tolist(), truth, strict=True):
        assert abs(value - true) <= TOLERANCE[dtype] * abs(true) + absolute, (value, true)


def test_elementwise_against_50_digits(xp, dtype):
    cases = scalars(dtype)
    truth = [exact_scalar(*case) for case in cases.T]
    entropy, cross, divergence = zip(*truth, strict=True)
    mean_p, std_p, mean_q, std_q = (array(xp, row, dtype) for row in cases)
    zero_crossing = 8 * float(np.finfo(dtype).eps)  # these may be 0, where relative errors mean nothing
    assert_relative(compiled(xp, gaussian.entropy)(std_p), entropy, dtype, zero_crossing)
    assert_relative(compiled(xp, gaussian.cross_entropy)(mean_p, std_p, mean_q, std_q), cross, dtype, zero_crossing)
    assert_relative(compiled(xp, gaussian.kl_divergence)(mean_p, std_p, mean_q, std_q), divergence, dtype)


def covariances():
    random = np.random.default_rng(2)
    for n in (1, 2, 5):
        for step in (1e-6, 1e-3, 0.1, 1.0):
            root = random.normal(size=(n, n + 2))
            cov_p = root @ root.T
            noise = random.normal(size=(n, n + 2))
            cov_q = cov_p + step * noise @ noise.T
            yield random.normal(size=n) * step, (cov_p + cov_p.T) / 2, np.zeros(n), (cov_q + cov_q.T) / 2


def test_full_covariance_against_50_digits(xp):
    for case in covariances():
        mean_p, cov_p, mean_q, cov_q = (array(xp, x) for x in case)
        entropy, cross, divergence = exact_full(*case)
        means = {"mean_p": mean_p, "mean_q": mean_q, "cov_p": cov_p, "cov_q": cov_q}
        assert abs(float(compiled(xp, gaussian.entropy)(cov=cov_p)) - entropy) < 1e-12
        assert abs(float(compiled(xp, gaussian.cross_entropy)(**means)) - cross) < 1e-12 * max(1, cross)
        # what the factors' rounding costs: their relative step is eps against one of at least 1e-6
        assert abs(float(compiled(xp, gaussian.kl_divergence)(**means)) - divergence) < 1e-8 * divergence
        assert float(compiled(xp, gaussian.kl_divergence)(**{**means, "mean_q": mean_p, "cov_q": cov_p})) == 0


def test_scipy_agrees():
    stats = pytest.importorskip("scipy.stats")
    for mean, cov, _, _ in covariances():
        np.testing.assert_allclose(gaussian.entropy(cov=cov), stats.multivariate_normal(mean, cov).entropy())
    np.testing.assert_allclose(gaussian.entropy(2.5), stats.norm(0, 2.5).entropy(), rtol=1e-14)


def test_cross_entropy_is_an_expected_log_density():
    with mp.workdps(20):
        integral = mp.quad(lambda x: -mp.npdf(x, 1, 2) * mp.log(mp.npdf(x, -1, 3)), [-30, -10, 0, 1, 2, 10, 30])
    assert float(gaussian.cross_entropy(1.0, 2.0, -1.0, 3.0)) == pytest.approx(float(integral), rel=1e-12)


stds = st.floats(1e-3, 1e3)
means = st.floats(-1e3, 1e3)


@given(means, stds, means, stds)
def test_cross_entropy_is_entropy_plus_divergence(mean_p, std_p, mean_q, std_q):
    divergence = gaussian.kl_divergence(mean_p, std_p, mean_q, std_q)
    cross = gaussian.cross_entropy(mean_p, std_p, mean_q, std_q)
    np.testing.assert_allclose(gaussian.entropy(std_p) + divergence, cross, rtol=1e-13, atol=1e-14)
    assert divergence >= 0
    assert gaussian.kl_divergence(mean_p, std_p, mean_p, std_p) == 0


@given(st.lists(st.tuples(means, stds, means, stds), min_size=1, max_size=4))
def test_diagonal_is_the_sum_over_its_axis_and_the_full_one_without_covariances(variables):
    mean_p, std_p, mean_q, std_q = np.asarray(variables).T
    covs = {"cov_p": np.diag(std_p**2), "cov_q": np.diag(std_q**2)}
    for name in ("cross_entropy", "kl_divergence"):
        function = getattr(gaussian, name)
        apart = function(mean_p, std_p, mean_q, std_q)
        assert apart.shape == mean_p.shape
        np.testing.assert_allclose(function(mean_p, std_p, mean_q, std_q, axis=-1), apart.sum(), rtol=1e-12)
        np.testing.assert_allclose(function(mean_p, std_p, mean_q, std_q, axis=0), apart.sum(), rtol=1e-12)
        np.testing.assert_allclose(function(mean_p, mean_q=mean_q, **covs), apart.sum(), rtol=1e-9, atol=1e-12)
    diagonal = gaussian.entropy(std_p, axis=-1)
    np.testing.assert_allclose(diagonal, gaussian.entropy(std_p).sum(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gaussian.entropy(cov=covs["cov_p"]), diagonal, rtol=1e-12, atol=1e-13)


def test_units():
    assert float(gaussian.entropy(2.0, base=2) * math.log(2)) == pytest.approx(float(gaussian.entropy(2.0)), rel=1e-15)
    for function in (gaussian.cross_entropy, gaussian.kl_divergence):
        bits, nats = function(0.0, 1.0, 1.0, 2.0, base=2), function(0.0, 1.0, 1.0, 2.0)
        assert float(bits * math.log(2)) == pytest.approx(float(nats), rel=1e-15)
    in_bits = float(gaussian.from_mean_squared_error(2.0, base=2))
    assert in_bits * math.log(2) == pytest.approx(float(gaussian.from_mean_squared_error(2.0)), rel=1e-15)


# --- the bridge -------------------------------------------------------------------------------------


def test_mean_squared_error_is_a_unit_gaussian_cross_entropy_up_to_a_constant(xp):
    random = np.random.default_rng(3)
    x, prediction = random.normal(size=40), random.normal(size=40)
    mse = np.mean((x - prediction) ** 2)
    for std in (1.0, 0.3):
        costs = [-mp.log(mp.npdf(a, b, std)) for a, b in zip(x.tolist(), prediction.tolist(), strict=True)]
        truth = mp.fsum(costs) / len(costs)
        got = gaussian.from_mean_squared_error(array(xp, mse), std)
        assert abs(float(got) - truth) < 1e-13 * abs(truth)
    constant = mp.log(2 * mp.pi) / 2
    assert abs(float(gaussian.from_mean_squared_error(array(xp, 0.0))) - constant) < 1e-15
    assert abs(float(gaussian.from_mean_squared_error(array(xp, mse))) - mse / 2 - constant) < 1e-15


@given(st.floats(0, 10), stds, stds)
def test_the_bridge_is_the_cross_entropy_of_that_mean_square(bias, spread, std):
    got = gaussian.from_mean_squared_error(bias**2 + spread**2, std)
    np.testing.assert_allclose(got, gaussian.cross_entropy(bias, spread, 0.0, std), rtol=1e-12, atol=1e-14)
    at_best = gaussian.from_mean_squared_error(std**2, std)
    np.testing.assert_allclose(at_best, gaussian.entropy(std), rtol=1e-13, atol=1e-14)


def test_half_the_gradient_of_the_mean_squared_error():
    x, prediction = (
        torch.randn(9, dtype=torch.float64),
        torch.zeros(9, dtype=torch.float64, requires_grad=True),
    )
    mse = ((x - prediction) ** 2).mean()
    (slope,) = torch.autograd.grad(gaussian.from_mean_squared_error(mse), prediction)
    torch.testing.assert_close(slope, (prediction - x).detach() / 9)


# --- libraries, shapes, dtypes, devices -------------------------------------------------------------

COV_P, COV_Q = np.asarray([[2, 0.5], [0.5, 1]]), np.asarray([[1.0, -0.2], [-0.2, 3]])
MEAN_P, MEAN_Q = np.asarray([0.2, 1.0]), np.asarray([0.5, -1.0])


class Arguments(NamedTuple):
    mean_p: Any
    cov_p: Any
    mean_q: Any
    cov_q: Any


def full(a):
    return {"mean_p": a.mean_p, "cov_p": a.cov_p, "mean_q": a.mean_q, "cov_q": a.cov_q}


CALLS = {
    "entropy": lambda a: gaussian.entropy(a.cov_p[..., 0]),
    "entropy/axis": lambda a: gaussian.entropy(a.cov_p[..., 0], axis=-1),
    "entropy/cov": lambda a: gaussian.entropy(cov=a.cov_p),
    "cross_entropy": lambda a: gaussian.cross_entropy(a.mean_p, a.cov_p[..., 0], a.mean_q, 2.0),
    "cross_entropy/cov": lambda a: gaussian.cross_entropy(**full(a)),
    "kl_divergence": lambda a: gaussian.kl_divergence(a.mean_p, 1, a.mean_q, a.cov_p[..., 0]),
    "kl_divergence/axis": lambda a: gaussian.kl_divergence(a.mean_p, 1, a.mean_q, a.cov_p[..., 0], axis=0),
    "kl_divergence/cov": lambda a: gaussian.kl_divergence(**full(a)),
    "from_mean_squared_error": lambda a: gaussian.from_mean_squared_error(a.mean_p, a.cov_p[..., 0]),
}
ARGUMENTS = Arguments(MEAN_P, COV_P, MEAN_Q, COV_Q)


def test_calls_cover_every_public_name():
    assert {name.split("/")[0] for name in CALLS} == set(gaussian.__all__)


@pytest.mark.parametrize("name", CALLS)
def test_library_dtype_and_values_are_kept(name, xp, dtype):
    call = compiled(xp, CALLS[name]) if dtype == "float64" else CALLS[name]
    got = call(Arguments(*(array(xp, x, dtype) for x in ARGUMENTS)))
    assert got.dtype == getattr(xp, dtype)
    assert isinstance(got, type(array(xp, [1.0], dtype))) or xp is np
    np.testing.assert_allclose(plain(got), CALLS[name](ARGUMENTS), rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("name", CALLS)
def test_gradients_agree_with_finite_differences(name):
    tensors = [torch.tensor(x, requires_grad=True) for x in ARGUMENTS]

    def total(mean_p, cov_p, mean_q, cov_q):
        cov_p, cov_q = ((cov + cov.mT) / 2 for cov in (cov_p, cov_q))  # steps that keep them symmetric
        return CALLS[name](Arguments(mean_p, cov_p, mean_q, cov_q)).sum()

    assert torch.autograd.gradcheck(total, tensors)


@pytest.mark.parametrize("name", CALLS)
def test_jit_gives_the_same_and_skips_value_checks(name):
    with jax.enable_x64(True):
        arguments = Arguments(*map(jnp.asarray, ARGUMENTS))
        negative = Arguments(*(-x for x in arguments))
        np.testing.assert_allclose(jax.jit(CALLS[name])(arguments), CALLS[name](ARGUMENTS), rtol=1e-13)
        jax.jit(CALLS[name])(negative)
        with pytest.raises(ProbabilityError):
            CALLS[name](negative)


def test_devices_batches_and_16_bits():
    elsewhere = array_api_strict.Device("device1")
    std = array_api_strict.asarray([1.0, 2.0], device=elsewhere)
    assert gaussian.kl_divergence(0.0, std, 1.0, 1.0).device == elsewhere
    many = gaussian.kl_divergence(np.zeros((4, 1, 2)), mean_q=MEAN_Q, cov_p=np.stack([COV_P] * 3), cov_q=COV_Q)
    one = gaussian.kl_divergence(np.zeros(2), mean_q=MEAN_Q, cov_p=COV_P, cov_q=COV_Q)
    assert many.shape == (4, 3)
    np.testing.assert_allclose(many, one, rtol=1e-14)
    half = torch.tensor([[2, 0.5], [0.5, 1]], dtype=torch.bfloat16)
    assert gaussian.entropy(cov=half).dtype == gaussian.entropy(half).dtype == torch.float32
    assert gaussian.entropy([1, 2]).dtype == np.float64


def test_badly_scaled_covariances_are_fine():
    scale = np.asarray([1e-12, 1e12])
    scaled = gaussian.kl_divergence(
        MEAN_P * scale,
        mean_q=MEAN_Q * scale,
        cov_p=COV_P * np.outer(scale, scale),
        cov_q=COV_Q * np.outer(scale, scale),
    )
    np.testing.assert_allclose(scaled, gaussian.kl_divergence(MEAN_P, mean_q=MEAN_Q, cov_p=COV_P, cov_q=COV_Q))


# --- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: gaussian.entropy(a([1.0, -1.0])), r"^std\[1\] is -1, .*above 0; 1 of 2"),
        (lambda a: gaussian.entropy(a(0.0)), r"^std is 0, "),
        (lambda a: gaussian.entropy(a(math.inf)), r"^std is inf, "),
        (lambda a: gaussian.kl_divergence(a(0.0), a(1.0), a(math.nan), a(1.0)), r"^mean_q is nan, "),
        (lambda a: gaussian.cross_entropy(a(0.0), a(1.0), a(0.0), a(-2.0)), r"^std_q is -2, "),
        (lambda a: gaussian.from_mean_squared_error(a([1.0, -1.0])), r"^mse\[1\] is -1, .*at least 0"),
        (lambda a: gaussian.from_mean_squared_error(a(1.0), a(0.0)), r"^std is 0, "),
        (lambda a: gaussian.entropy(cov=a([[1, 2], [2, 1]])), r"^smallest eigenvalue .* in cov is -1"),
        (
            lambda a: gaussian.entropy(cov=a([[1, 1], [1, 1]])),
            r"^smallest eigenvalue of the correlations in cov",
        ),
        (lambda a: gaussian.entropy(cov=a([[1, 0.5], [0.4, 1]])), r"^cov\[0, 1\] is 0\.5, .*symmetric"),
        (lambda a: gaussian.entropy(cov=a([[[1, 0], [0, -1]]])), r"^diagonal of cov\[0, 1\] is -1"),
        (lambda a: gaussian.entropy(cov=a([[1, math.nan], [0, 1]])), r"^cov\[0, 1\] is nan"),
    ],
)
def test_values_are_refused_by_name_index_and_value(call, message, xp):
    with pytest.raises(ProbabilityError, match=message) as caught:
        call(lambda values: array(xp, values))
    assert "\n" in str(caught.value)


def test_options_and_shapes_are_refused():
    for wrong in ({}, {"std": 1.0, "cov": [[1.0]]}, {"cov": [[1.0]], "axis": -1}, {"std": [1.0], "axis": 1}):
        with pytest.raises(OptionError):
            gaussian.entropy(**wrong)
    for wrong in (
        {"mean_q": 0.0, "std_p": 1.0},
        {"std_p": 1.0, "std_q": 1.0},
        {"mean_q": 0.0, "std_p": 1.0, "cov_q": [[1.0]]},
    ):
        with pytest.raises(OptionError):
            gaussian.kl_divergence(0.0, **wrong)
    with pytest.raises(ShapeError, match="broadcast"):
        gaussian.kl_divergence([0.0, 0.0], [1.0, 1.0, 1.0], 0.0, 1.0)
    with pytest.raises(ShapeError):
        gaussian.from_mean_squared_error([1.0, 1.0], [1.0, 1.0, 1.0])
    with pytest.raises(ShapeError, match=r"must be \(\.\.\., n, n\)"):
        gaussian.entropy(cov=[[1.0, 0.0]])
    with pytest.raises(ShapeError, match="3 variables"):
        gaussian.kl_divergence([0.0, 0.0, 0.0], mean_q=0.0, cov_p=[[1.0]], cov_q=[[1.0]])


def test_docstring_examples():
    import xent

    if not hasattr(xent, "entropy"):
        pytest.skip("xent exports nothing yet")
    assert doctest.testmod(gaussian).failed == 0


def test_a_ratio_whose_square_overflows_is_infinitely_far():
    assert gaussian.kl_divergence(0.0, 1e155, 0.0, 1.0) == math.inf
    assert gaussian.kl_divergence(0.0, 1.0, 0.0, 1e-160) == math.inf
    assert gaussian.kl_divergence(0.0, 1e150, 0.0, 1.0) == pytest.approx(0.5e300)


@pytest.mark.parametrize("name", CALLS)
def test_torch_compile_gives_the_same_in_one_graph(name):
    torch.compiler.reset()
    graph = torch.compile(lambda *arguments: CALLS[name](Arguments(*arguments)), fullgraph=True, backend="eager")
    got = graph(*(torch.tensor(x) for x in ARGUMENTS))
    np.testing.assert_allclose(got, CALLS[name](ARGUMENTS), rtol=1e-13)
