"""Definitions on discrete distributions: truth from mpmath, from identities and from scipy."""

import contextlib
import doctest
import functools
import math
import subprocess
import sys

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from xent import _arrays, information, units
from xent.errors import ArgumentTypeError, OptionError, ProbabilityError, ShapeError

LIBRARIES = {"numpy": np, "strict": array_api_strict, "torch": torch, "jax": jnp}
TOLERANCE = {"float64": 1e-13, "float32": 1e-5}


@pytest.fixture(params=LIBRARIES)
def xp(request):
    with jax.enable_x64(True) if request.param == "jax" else contextlib.nullcontext():
        yield LIBRARIES[request.param]


@pytest.fixture(autouse=True)
def fifty_digits():
    with mp.workdps(50):
        yield


@pytest.fixture(params=TOLERANCE)
def dtype(request):
    return request.param


def array(xp, values, dtype="float64"):
    return xp.asarray(np.asarray(values, dtype).tolist(), dtype=getattr(xp, dtype))


@functools.cache
def compiled(xp, function, **options):
    """Give JAX's functions under `jit`: the same numbers, and one compilation instead of one per operation."""
    function = functools.partial(function, **options)
    return jax.jit(function) if xp is jnp else function


def plain(x):
    return np.asarray(x.detach() if isinstance(x, torch.Tensor) else x).astype(np.float64)


# --- the definitions, spelled out -----------------------------------------------------------------


def xlog(p, ratio):
    return mpf(0) if p == 0 else mp.inf if ratio == 0 else -p * mp.log(ratio)


def exact_rows(rows, dtype):
    return [[mpf(float(x)) for x in row] for row in np.asarray(rows, dtype)]


def exact_entropy(p):
    return mp.fsum(xlog(x, x) for x in p)


def exact_cross_entropy(p, q):
    return mp.fsum(xlog(x, y) for x, y in zip(p, q, strict=True))


def exact_kl(p, q):
    return mp.fsum(
        y - x + (mpf(0) if x == 0 else mp.inf if y == 0 else x * mp.log(x / y)) for x, y in zip(p, q, strict=True)
    )


def exact_normalised_kl(p, q):
    p, q = ([x / mp.fsum(row) for x in row] for row in (p, q))
    return mp.fsum(x * mp.log(x / y) for x, y in zip(p, q, strict=True))


def exact_js(p, q):
    middle = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    return (exact_kl(p, middle) + exact_kl(q, middle)) / 2


@mp.workdps(700)  # 50 digits are too few for 1 + 1e-300
def exact_conditional(table):
    return mp.fsum(xlog(p, p / mp.fsum(row)) for row in table for p in row if p > 0)


@mp.workdps(700)
def exact_information(table):
    columns = [mp.fsum(column) for column in zip(*table, strict=True)]
    total = mp.fsum(columns)
    return mp.fsum(
        -xlog(p, p * total / (mp.fsum(row) * column))
        for row in table
        for p, column in zip(row, columns, strict=True)
        if p > 0
    )


# --- accuracy -------------------------------------------------------------------------------------

GENERATOR = np.random.default_rng(20)
TINY = {"float64": 1e-300, "float32": 1e-37}


def hostile_rows(dtype):
    """Rows of six, from nearly certain to uniform."""
    tiny, eps = TINY[dtype], float(np.finfo(dtype).eps)
    spread = np.exp(-(np.arange(6.0) ** 2.2))
    rows = [
        [1 - eps / 2, eps / 2, 0, 0, 0, 0],
        [1, tiny, tiny * 3, 0, 0, 0],
        [tiny, 1e-30, 1e-16, 0.25, 0.75, 0],
        [1 - 1e-3, 5e-4, 5e-4, tiny, 0, 0],
        [1 / 6] * 6,
        spread / spread.sum(),
        *GENERATOR.dirichlet(np.full(6, 0.1), 4),
        *GENERATOR.dirichlet(np.ones(6), 4),
    ]
    return np.maximum(np.asarray(rows), 0).astype(dtype)


def near_pairs(dtype):
    """Pairs of rows that differ by a relative 1e-15 to 0.9, and hostile rows against positive ones."""
    size = [d for d in np.logspace(-15, np.log10(0.9), 24) if d > float(np.finfo(dtype).eps)]
    pairs = []
    for d in size:
        p = GENERATOR.dirichlet(np.full(6, 2.0))
        tilt = p * GENERATOR.uniform(-0.5, 0.5, 6)
        pairs.append((p, p + d * (tilt - p * tilt.sum())))
    hostile = hostile_rows(dtype)
    positive = [row for row in hostile if (row > 0).all()]
    pairs += [(p, q) for p in hostile for q in positive]
    p, q = zip(*pairs, strict=True)
    return np.asarray(p).astype(dtype), np.asarray(q).astype(dtype)


def near_tables(dtype):
    """Tables from exactly dependent to independent but for a relative 1e-14."""
    tiny, eps = TINY[dtype], float(np.finfo(dtype).eps)
    tables = [
        [[0.5, 0, 0], [0, 0.25, 0], [0, 0, 0.25]],
        [[1 - eps / 2, tiny, tiny], [tiny, eps / 2, 0], [0, 0, 0]],
        [[1, 0, 0], [0, tiny * 8, 0], [0, tiny, tiny]],
        [[0.9, 1e-20, 1e-17], [1e-12, 0.1 - 1e-12, tiny], [0, 0, 1e-30]],
    ]
    for d in np.logspace(-14, 0, 15):
        outer = np.outer(GENERATOR.dirichlet(np.ones(3)), GENERATOR.dirichlet(np.ones(3)))
        table = outer * (1 + d * GENERATOR.uniform(-1, 1, (3, 3)))
        tables.append(table / table.sum())
    return np.asarray(tables).astype(dtype)


def assert_relative(got, truth, dtype):
    for value, true in zip(plain(got).tolist(), truth, strict=True):
        if true in (0, mp.inf):
            assert value == true
        else:
            assert abs(value - true) <= TOLERANCE[dtype] * abs(true), (value, true)


def test_surprisal_from_tiny_to_nearly_certain(xp, dtype):
    p = np.asarray([TINY[dtype], 1e-30, 1e-16, 1e-3, 0.3, 0.9999, 1 - float(np.finfo(dtype).epsneg), 1], dtype)
    truth = [-mp.log(mpf(float(x))) for x in p]
    assert_relative(information.surprisal(array(xp, p, dtype)), truth, dtype)
    assert math.copysign(1, float(information.surprisal(array(xp, 1.0, dtype)))) == 1


def test_entropy_and_perplexity(xp, dtype):
    rows = hostile_rows(dtype)
    truth = [exact_entropy(p) for p in exact_rows(rows, dtype)]
    assert_relative(compiled(xp, information.entropy)(array(xp, rows, dtype)), truth, dtype)
    assert_relative(compiled(xp, information.perplexity)(array(xp, rows, dtype)), [mp.exp(h) for h in truth], dtype)


def test_divergences_of_near_and_far_rows(xp, dtype):
    p, q = near_pairs(dtype)
    pairs = list(zip(exact_rows(p, dtype), exact_rows(q, dtype), strict=True))
    p, q = array(xp, p, dtype), array(xp, q, dtype)
    assert_relative(
        compiled(xp, information.cross_entropy)(p, q), [exact_cross_entropy(*pair) for pair in pairs], dtype
    )
    assert_relative(compiled(xp, information.kl_divergence)(p, q), [exact_kl(*pair) for pair in pairs], dtype)
    assert_relative(compiled(xp, information.js_divergence)(p, q), [exact_js(*pair) for pair in pairs], dtype)
    perplexity = [mp.exp(exact_cross_entropy(*pair)) for pair in pairs]
    with np.errstate(over="ignore"):
        assert_relative(compiled(xp, information.perplexity)(p, q), perplexity, dtype)


def test_tables_from_dependent_to_nearly_independent(xp, dtype):
    tables = near_tables(dtype)
    exact = [exact_rows(table, dtype) for table in tables]
    tables = array(xp, tables, dtype)
    joint = [exact_entropy([p for row in table for p in row]) for table in exact]
    assert_relative(compiled(xp, information.joint_entropy)(tables), joint, dtype)
    assert_relative(compiled(xp, information.conditional_entropy)(tables), map(exact_conditional, exact), dtype)
    assert_relative(compiled(xp, information.mutual_information)(tables), map(exact_information, exact), dtype)


def test_kl_of_rounded_rows_is_that_of_the_normalised_ones():
    p, q = near_pairs("float64")
    for x, y in zip(p, q, strict=True):
        if x.all():
            truth = exact_normalised_kl(*exact_rows([x, y], "float64"))
            assert abs(float(information.kl_divergence(x, y)) - truth) <= 1e-12 * truth + mpf("1e-31")


@pytest.mark.parametrize(("dtype", "tiny"), [("float64", 1e-310), ("float32", 1e-44)])
@pytest.mark.parametrize("library", ["numpy", "strict", "torch"])  # JAX takes such numbers for 0
def test_numbers_below_the_normal_range(library, dtype, tiny):
    pairs = np.asarray([[[tiny, 0.5, 0.5], [0.5, tiny, 0.5]], [[0.5, tiny, 0.5], [tiny, 0.5, 0.5]]], dtype)
    truth = [exact_kl(*exact_rows(pair, dtype)) for pair in pairs]
    p, q = (array(LIBRARIES[library], pairs[:, side], dtype) for side in (0, 1))
    assert_relative(information.kl_divergence(p, q), truth, dtype)


def test_many_outcomes_along_any_axis(xp, dtype):
    p = GENERATOR.dirichlet(np.full(5_000, 0.3), 2).astype(dtype)
    truth = [exact_entropy(row) for row in exact_rows(p, dtype)]
    assert_relative(compiled(xp, information.entropy)(array(xp, p, dtype)), truth, dtype)
    assert_relative(compiled(xp, information.entropy, axis=0)(array(xp, p.T, dtype)), truth, dtype)


def test_scipy_agrees():
    special = pytest.importorskip("scipy.special")
    distance = pytest.importorskip("scipy.spatial.distance")
    p, q = GENERATOR.dirichlet(np.ones(5), 2)
    np.testing.assert_allclose(information.entropy(p), special.entr(p).sum(), rtol=1e-14)
    np.testing.assert_allclose(information.kl_divergence(p, q), special.kl_div(p, q).sum(), rtol=1e-12)
    np.testing.assert_allclose(information.js_divergence(p, q), distance.jensenshannon(p, q) ** 2, rtol=1e-12)


# --- identities -----------------------------------------------------------------------------------


@st.composite
def rows(draw, count=1, size=None):
    size = size or draw(st.integers(1, 6))
    weight = st.one_of(st.just(0.0), st.floats(1e-300, 1.0), st.floats(-300, 0).map(lambda e: 10.0**e))
    made = []
    for _ in range(count):
        weights = np.asarray(draw(st.lists(weight, min_size=size, max_size=size)))
        weights[draw(st.integers(0, size - 1))] = 1.0
        made.append(weights / weights.sum())
    return made


@given(rows(count=2))
def test_cross_entropy_is_entropy_plus_divergence(pair):
    p, q = pair
    cross = information.cross_entropy(p, q)
    np.testing.assert_allclose(information.entropy(p) + information.kl_divergence(p, q), cross, rtol=1e-13, atol=1e-15)
    assert information.kl_divergence(p, q) >= 0
    assert information.kl_divergence(p, p) == 0
    assert 0 <= information.js_divergence(p, q) <= math.log(2) * (1 + 1e-15)
    assert information.js_divergence(p, q) == information.js_divergence(q, p)
    assert 0 <= information.entropy(p) <= math.log(p.size) + 1e-15
    np.testing.assert_allclose(information.entropy(p, base=2) * math.log(2), information.entropy(p), rtol=1e-15)


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_chain_rule_and_information(x, y, data):
    table = data.draw(rows(size=x * y))[0].reshape(x, y)
    px, py = table.sum(1), table.sum(0)
    joint, conditional = information.joint_entropy(table), information.conditional_entropy(table)
    shared = information.mutual_information(table)
    entropy_x = information.entropy(px)
    np.testing.assert_allclose(entropy_x + conditional, joint, rtol=1e-13, atol=1e-15)
    assert shared >= 0
    assert conditional >= 0
    np.testing.assert_allclose(information.entropy(py) - conditional, shared, rtol=0, atol=4e-15)
    np.testing.assert_allclose(information.mutual_information(table.T), shared, rtol=1e-13)


# --- libraries, shapes, dtypes, devices -----------------------------------------------------------

P, Q = np.asarray([[0.1, 0.4, 0.5], [1.0, 0.0, 0.0]]), np.asarray([0.8, 0.15, 0.05])
CALLS = {
    "surprisal": lambda f, p, _: f(p),
    "entropy": lambda f, p, _: f(p),
    "cross_entropy": lambda f, p, q: f(p, q),
    "kl_divergence": lambda f, p, q: f(p, q),
    "js_divergence": lambda f, p, q: f(p, q),
    "joint_entropy": lambda f, p, _: f(p / 2),
    "conditional_entropy": lambda f, p, _: f(p / 2),
    "mutual_information": lambda f, p, _: f(p / 2),
    "perplexity": lambda f, p, q: f(p, q),
}


def test_calls_cover_every_public_name():
    assert set(CALLS) == set(information.__all__)


@pytest.mark.parametrize("name", CALLS)
def test_library_dtype_and_values_are_kept(name, xp, dtype):
    function = getattr(information, name)
    # JAX as it is in float32 and under jit in float64: each operation by itself takes a second to compile
    checked = compiled(xp, function) if dtype == "float64" else function
    got = CALLS[name](checked, array(xp, P, dtype), array(xp, Q, dtype))
    assert _arrays.namespace_of(got) is _arrays.namespace_of(array(xp, P))
    assert got.dtype == getattr(xp, dtype)
    want = CALLS[name](function, P.astype(dtype), Q.astype(dtype))
    np.testing.assert_allclose(plain(got), want, rtol=TOLERANCE[dtype])


def test_devices_are_kept():
    elsewhere = array_api_strict.Device("device1")
    p = array_api_strict.asarray([0.5, 0.5], device=elsewhere)
    assert information.cross_entropy(p, [0.25, 0.75]).device == elsewhere
    assert information.cross_entropy([0.25, 0.75], p).device == elsewhere
    assert information.mutual_information(p[None, :]).device == elsewhere


def test_nested_lists_numbers_and_integers():
    assert information.surprisal(0.25, base=2) == 2
    assert information.entropy([1, 0, 0]) == 0
    assert math.copysign(1, information.entropy([1, 0, 0])) == 1
    assert information.entropy([[0.5, 0.5], [1, 0]], base=2).tolist() == [1, 0]
    assert information.entropy([True, False]).dtype == np.float64
    assert information.entropy(np.asarray([1, 0, 0])).dtype == np.float64
    assert information.entropy(torch.tensor([1, 0, 0])).dtype == torch.float32
    mixed = information.cross_entropy(torch.tensor([1, 0]), torch.tensor([0.25, 0.75], dtype=torch.float64))
    assert mixed.dtype == torch.float64
    assert information.cross_entropy(np.asarray([1, 0], np.float32), [0.5, 0.5]).dtype == np.float32
    assert information.cross_entropy(torch.tensor([0.5, 0.5]), [np.float64(0.5), 0.5]).shape == ()


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16, jnp.bfloat16, np.float16])
def test_16_bit_floats_are_computed_in_float32(half):
    xp = {"torch": torch}.get(half.__module__ if not isinstance(half, torch.dtype) else "torch", jnp)
    xp = np if half is np.float16 else xp
    p = xp.asarray([0.7, 0.2, 0.0999], dtype=half)
    got = information.entropy(p)
    assert got.dtype == xp.float32
    wide = [mpf(float(x)) for x in p]
    assert abs(float(got) - exact_entropy(wide)) < 1e-6
    with pytest.raises(ProbabilityError, match="sums to"):
        information.entropy(xp.asarray([0.7, 0.2, 0.2], dtype=half))


@pytest.mark.parametrize("classes", [2, 3, 10, 100, 1000, 10_000, 50_000])
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_a_softmax_in_16_bits_is_a_distribution(half, classes):
    spread = np.asarray([0.0, 0.3, 1.0, 3.0, 10.0])[:, None, None]
    z = spread * GENERATOR.normal(size=(5, max(1, min(2000, 100_000 // classes)), classes))
    softmax = [jax.nn.softmax, jax.jit(jax.nn.softmax)]
    for p in (*(f(jnp.asarray(z, half)) for f in softmax), torch.tensor(z).to(getattr(torch, half)).softmax(-1)):
        entropy = np.asarray(information.entropy(p))
        assert (entropy <= np.log(classes) + 0.02).all()


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_sums_in_16_bits_may_be_off_by_two_units_of_rounding(half):
    eps = torch.finfo(half).eps
    information.entropy(torch.tensor([0.75, 0.25 + 2 * eps], dtype=half))
    with pytest.raises(ProbabilityError, match="sums to"):
        information.entropy(torch.tensor([0.75, 0.25 + 2.25 * eps], dtype=half))


def test_every_axis_and_broadcasting(xp):
    p = GENERATOR.dirichlet(np.ones(4), (2, 3))
    q = GENERATOR.dirichlet(np.ones(4))
    for name in ("cross_entropy", "kl_divergence", "js_divergence", "perplexity"):
        function = getattr(information, name)
        want = np.asarray([[function(row, q) for row in group] for group in p])
        assert want.shape == (2, 3)
        for axis in (-1, 2):
            np.testing.assert_allclose(
                plain(compiled(xp, function, axis=axis)(array(xp, p), array(xp, q))), want, rtol=1e-14
            )
        moved, column = array(xp, np.moveaxis(p, -1, 1)), array(xp, q[:, None])
        for axis in (-2, 1):
            np.testing.assert_allclose(plain(compiled(xp, function, axis=axis)(moved, column)), want, rtol=1e-14)
    tables = array(xp, p / 3)
    for name in ("joint_entropy", "conditional_entropy", "mutual_information"):
        function = getattr(information, name)
        np.testing.assert_allclose(
            plain(compiled(xp, function)(tables)), [function(table) for table in p / 3], rtol=1e-12
        )


def test_x_lies_along_axis_minus_2():
    known = [[0.25, 0.25, 0.0], [0.0, 0.0, 0.5]]  # y tells x, x does not tell y
    assert information.conditional_entropy(known, base=2) == pytest.approx(0.5, rel=1e-15)
    assert information.conditional_entropy(np.transpose(known), base=2) == 0


def test_impossible_events_cost_infinity(xp):
    p, q = array(xp, [0.5, 0.5, 0]), array(xp, [1, 0, 0])
    assert float(information.surprisal(array(xp, 0.0))) == math.inf
    assert float(information.cross_entropy(p, q)) == math.inf
    assert float(information.kl_divergence(p, q)) == math.inf
    assert float(information.perplexity(p, q)) == math.inf
    assert float(information.kl_divergence(q, p)) == pytest.approx(math.log(2), rel=1e-15)
    assert float(information.js_divergence(array(xp, [0, 1]), array(xp, [1, 0]))) == math.log(2)


# --- gradients ------------------------------------------------------------------------------------


def true_gradients(p, q, table):
    """Slopes on paper, infinite where p·log p meets an exact zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        m = (p + q) / 2
        px, py = table.sum(1, keepdims=True), table.sum(0, keepdims=True)
        return {
            "entropy": (-np.log(p) - 1,),
            "cross_entropy": (-np.log(q), -p / q),
            "kl_divergence": (np.log(p / q), 1 - p / q),
            "js_divergence": (np.log(p / m) / 2, np.log(q / m) / 2),
            "perplexity": tuple(np.exp(-(p * np.log(q)).sum()) * g for g in (-np.log(q), -p / q)),
            "joint_entropy": (-np.log(table) - 1,),
            "conditional_entropy": (np.log(px / table),),
            "mutual_information": (np.log(table / px / py),),
        }


SMOOTH = (np.asarray([0.1, 0.4, 0.5]), np.asarray([0.8, 0.15, 0.05]), np.asarray([[0.1, 0.2], [0.3, 0.4]]))
ZEROS = (np.asarray([0.0, 0.4, 0.6]), np.asarray([0.8, 0.15, 0.05]), np.asarray([[0.0, 0.2], [0.3, 0.5]]))


@pytest.mark.parametrize(("p", "q", "table"), [SMOOTH, ZEROS], ids=["positive", "zeros"])
@pytest.mark.parametrize("name", [name for name in CALLS if name != "surprisal"])
def test_gradients_are_right_and_finite(name, p, q, table):
    want = true_gradients(p, q, table)[name]
    inputs = (p, q)[: len(want)] if len(want) == 2 else (table,) if table.shape == want[0].shape else (p,)
    function = getattr(information, name)
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    by_torch = torch.autograd.grad(function(*tensors), tensors)
    with jax.enable_x64(True):
        arguments = tuple(range(len(inputs)))
        by_jit = jax.jit(jax.grad(function, arguments))(*map(jnp.asarray, inputs))
    for got in (by_torch, by_jit):
        for slope, true in zip(got, want, strict=True):
            true = np.where(np.isfinite(true), true, plain(slope))  # any finite slope will do there
            np.testing.assert_allclose(plain(slope), true, rtol=1e-12, atol=1e-14)
            assert np.isfinite(plain(slope)).all()


def test_gradients_where_p_and_q_are_both_zero():
    p, q = (torch.tensor(x, requires_grad=True) for x in ([0.0, 0.4, 0.6], [0.0, 0.5, 0.5]))
    for function in (information.cross_entropy, information.kl_divergence, information.js_divergence):
        for slope in torch.autograd.grad(function(p, q), (p, q)):
            assert torch.isfinite(slope).all()


def test_an_impossible_event_has_an_infinite_slope_not_a_silent_zero():
    q = torch.tensor([1.0, 0.0], requires_grad=True)
    for function in (information.cross_entropy, information.kl_divergence):
        (slope,) = torch.autograd.grad(function(torch.tensor([0.5, 0.5]), q), q)
        assert slope[1] == -math.inf


def test_gradient_vanishes_exactly_at_equality():
    p = torch.tensor([0.1, 0.2, 0.7], dtype=torch.float64, requires_grad=True)
    q = p.detach().clone().requires_grad_()
    for function in (information.kl_divergence, information.js_divergence):
        for slope in torch.autograd.grad(function(p, q), (p, q)):
            assert (slope == 0).all()


# --- JAX under jit and vmap, torch under vmap -----------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_jit_gives_the_same_and_skips_value_checks(name):
    function = getattr(information, name)
    with jax.enable_x64(True):
        jitted = jax.jit(lambda p, q: CALLS[name](function, p, q))
        want = CALLS[name](function, P, Q)
        np.testing.assert_allclose(jitted(jnp.asarray(P), jnp.asarray(Q)), want, rtol=1e-13)
        jitted(jnp.asarray(P - 1), jnp.asarray(Q))
        with pytest.raises(ProbabilityError):
            CALLS[name](function, jnp.asarray(P - 1), jnp.asarray(Q))
        with pytest.raises(ShapeError):
            jax.jit(information.joint_entropy)(jnp.asarray(Q))


@pytest.mark.parametrize("name", CALLS)
def test_torch_compile_gives_the_same_in_one_graph_and_skips_value_checks(name):
    torch.compiler.reset()  # one code object of the test would else be compiled once for each name, and no more than 8 times
    function = getattr(information, name)
    graph = torch.compile(lambda p, q: CALLS[name](function, p, q), fullgraph=True, backend="eager")
    p, q = (torch.tensor(values, requires_grad=True) for values in (P, Q))
    got, want = graph(p, q), CALLS[name](function, P, Q)
    np.testing.assert_allclose(got.detach(), want, rtol=1e-13)
    slopes = [
        torch.autograd.grad(found.sum(), (p, q), allow_unused=True) for found in (got, CALLS[name](function, p, q))
    ]
    for slope, plain_slope in zip(*slopes, strict=True):
        assert (slope is None) == (plain_slope is None)
        if slope is not None:
            torch.testing.assert_close(slope, plain_slope, rtol=1e-13, atol=0.0)
    graph(p.detach() - 1, q)
    with pytest.raises(ProbabilityError):
        CALLS[name](function, p - 1, q)


def test_the_first_use_of_torch_may_be_compiled():
    code = """import torch, xent
logits, labels = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([0])
compiled = torch.compile(xent.softmax_cross_entropy, fullgraph=True, backend="eager")
print(*(f"{float(compiled(logits, labels, label_smoothing=0.1)):.6g}" for _ in range(2)))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "2.30761 2.30761\n", done.stderr


def test_vmap():
    np.testing.assert_allclose(jax.vmap(information.entropy)(jnp.asarray(P)), information.entropy(P), rtol=1e-6)
    batched = torch.func.vmap(information.entropy)(torch.tensor(P))
    np.testing.assert_allclose(batched, information.entropy(P), rtol=1e-14)


def test_values_are_checked_under_grad():
    for values, message in (([0.5, 0.625], r"sums to 1\.125"), ([0.5, -0.5], r"\[1\] is -0\.5")):
        with pytest.raises(ProbabilityError, match=message):
            jax.grad(information.entropy)(jnp.asarray(values))
        with pytest.raises(ProbabilityError, match=message):
            information.entropy(torch.tensor(values, requires_grad=True))


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda a: information.entropy(a([0.6, -0.1, 0.5])),
            r"^p\[1\] is -0\.1, .*\[0, 1\]; 1 of 3 values is",
        ),
        (lambda a: information.entropy(a([[0.5, 0.5], [math.nan, 1]])), r"^p\[1, 0\] is nan"),
        (lambda a: information.entropy(a([0.95, 0.1])), r"^p sums to 1\.05, not 1\.\n"),
        (
            lambda a: information.entropy(a([[0.5, 0.5], [0.9, 0.15], [0.5, 0.9]])),
            r"^p\[1\] sums to 1\.05, not 1 \(2 of 3 rows are off by more than 0\.001; the largest is p\[2\]\)",
        ),
        (lambda a: information.entropy(a([[0.5, 0.9], [0.5, 0.9]]), axis=0), r"^p\[:, 1\] sums to 1\.8"),
        (lambda a: information.cross_entropy(a([0.5, 0.5]), a([0.5, 0.6])), r"^q sums to 1\.1"),
        (lambda a: information.kl_divergence(a([0.5, 0.5]), a([-0.5, 1.5])), r"^q\[0\] is -0\.5"),
        (lambda a: information.surprisal(a([0.5, 1.5])), r"^p\[1\] is 1\.5"),
        (lambda a: information.surprisal(a(-1.0)), r"^p is -1, "),
        (lambda a: information.entropy(a([math.inf, 0.0])), r"^p sums to inf"),
        (lambda a: information.mutual_information(a([[0.5, 0.6]])), r"^pxy sums to 1\.1"),
        (
            lambda a: information.joint_entropy(a([[[0.5, 0.5]], [[0.5, 0.6]]])),
            r"^pxy\[1\] sums to 1\.1.*tables",
        ),
        (lambda a: information.conditional_entropy(a([[0.5, 0.5, -1.0, 1.0]])), r"^pxy\[0, 2\] is -1"),
        (lambda a: information.surprisal(a([1 + 2.0**-18])), r"^p\[0\] is 1\.00000381\d*, but"),
        (lambda a: information.surprisal(a([-1e-30, 0.0])), r"^p\[0\] is -1e-30, but"),
    ],
)
def test_values_are_refused_by_name_index_and_value(call, message, xp):
    with pytest.raises(ProbabilityError, match=message) as caught:
        call(lambda values: array(xp, values))
    assert "\n" in str(caught.value)  # the next step


def test_round_off_passes_and_more_does_not():
    information.entropy(np.full(3, 0.3333))
    information.entropy(np.full(1_000_000, 1e-6, np.float32))
    information.surprisal(np.float32(1.0000001))
    with pytest.raises(ProbabilityError):
        information.entropy(np.full(3, 0.333 - 1e-4))
    with pytest.raises(ProbabilityError, match=r"^p is 1\.0000001, but"):
        information.surprisal(1.0000001)


def test_shapes_types_and_options_are_refused():
    for p, q in (([0.5, 0.5], [0.2, 0.3, 0.5]), ([1.0], [0.5, 0.5])):
        with pytest.raises(ShapeError):
            information.cross_entropy(p, q)
    with pytest.raises(ShapeError):
        information.entropy([[], []])
    with pytest.raises(ShapeError):
        information.cross_entropy([0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]], axis=0)
    with pytest.raises(ShapeError):
        information.joint_entropy([0.5, 0.5])
    for call in (information.entropy, information.perplexity, lambda p: information.cross_entropy(p, 0.25)):
        with pytest.raises(ShapeError, match=r"^p is 0\.5.*: a number, not a distribution"):
            call(0.5)
    for axis in (1, -2, 0.5, None):
        with pytest.raises(OptionError, match="axis is"):
            information.entropy([0.5, 0.5], axis=axis)
    with pytest.raises(OptionError, match="base is 1"):
        information.entropy([0.5, 0.5], base=1)
    for wrong in (["a"], [[0.5], [0.5, 0.5]], [0.5 + 0j], None, torch.tensor([1 + 0j])):
        with pytest.raises(ArgumentTypeError, match=r"^p "):
            information.entropy(wrong)
    with pytest.raises(ArgumentTypeError, match="one library"):
        information.cross_entropy(np.asarray([0.5, 0.5]), torch.tensor([0.5, 0.5]))


def test_inputs_are_never_overwritten():
    p, q = P.copy(), Q.copy()
    p.flags.writeable = q.flags.writeable = False
    for name, call in CALLS.items():
        call(getattr(information, name), p, q)
    assert (p == P).all()
    assert (q == Q).all()


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_permuting_outcomes_changes_nothing(seed):
    random = np.random.default_rng(seed)
    p, q = random.dirichlet(np.ones(7), 2)
    order = random.permutation(7)
    for name in ("cross_entropy", "kl_divergence", "js_divergence"):
        function = getattr(information, name)
        np.testing.assert_allclose(function(p[order], q[order]), function(p, q), rtol=1e-14)


def test_docstring_examples():
    pytest.importorskip("xent", reason="needs the public names")
    import xent

    if not hasattr(xent, "entropy"):
        pytest.skip("xent exports nothing yet")
    for module in (information, units):
        assert doctest.testmod(module).failed == 0
