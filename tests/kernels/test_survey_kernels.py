"""The kernels of the breakdown: twins give the same bits; what they sum is right, against mpmath and by hand."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xent.kernels import ladder_numpy as ladder
from xent.kernels import survey_numba, survey_numpy
from xent.kernels.ladder_numpy import FIXED_BITS
from xent.kernels.survey_numpy import COST_BITS, MOST_CLASSES, ODDS_BINS, PROBABILITY_BITS
from xent.kernels.temper_numpy import BETAS, CUMULANTS, FEW, tempered

each_twin = pytest.mark.parametrize("kernels", [survey_numpy, survey_numba], ids=["numpy", "numba"])


def empty_sums(classes):
    many = classes <= MOST_CLASSES
    own = classes if many else 0
    return (
        np.zeros(tempered(classes), np.int64),
        np.zeros(ladder.moments_count(classes) if many else 0, np.int64),
        np.zeros((2, own, own), np.int64),
        np.zeros((3, own + 1, ODDS_BINS), np.int64),
    )


def rows(classes, logs, dtype, n=1300, seed=0):
    """Mild and extreme rows, with impossible classes; (rows,) for two classes in one column."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(n, max(classes, 2))) * random.choice([0.1, 3.0, 30.0, 300.0], (n, 1))
    codes = random.integers(0, max(classes, 2), n)
    z[5] = -np.inf
    z[5, 1] = 3.0
    if classes == 1:
        z = z[:, 1] - z[:, 0]
        z[5] = 9.0
        return (z if logs else np.exp(-np.logaddexp(0.0, -z))).astype(dtype), codes
    if not logs:
        z = np.exp(z - z.max(axis=1, keepdims=True))
        z /= z.sum(axis=1, keepdims=True)
    return z.astype(dtype), codes


@each_twin
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_no_rows_add_nothing(kernels, classes):
    block, codes = rows(classes, True, "float64")
    sums, cured = empty_sums(max(classes, 2)), np.zeros(ladder.moments_count(max(classes, 2)), np.int64)
    kernels.survey(block[:0], True, codes[:0], *sums)
    kernels.cure_sums(block[:0], True, 0.6, np.zeros(max(classes, 2), np.float32), cured)
    assert not any(found.any() for found in (*sums, cured))


@pytest.mark.parametrize(
    "least", [0, 2**-33, 3 * 2**-33, 1e-9, 0.1, 1.0, 4000.0, 2.0**19 - 1, 2.0**19, 4000.0**2 / 4, 2.0**30]
)
def test_numbers_are_rounded_as_fractions_are(least):
    random = np.random.default_rng(0)
    values = (least * np.concatenate([[1.0, -1.0], random.uniform(-1.0, 1.0, 50)])).astype(np.float32)
    truth = [round(Fraction(value) * 2**FIXED_BITS) for value in values.tolist()]  # to even
    assert ladder.rounded(values).tolist() == truth


@pytest.mark.parametrize("logs", [False, True], ids=["probabilities", "logits"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [1, 2, 3, 10, 64, 65, 200])
@pytest.mark.filterwarnings("ignore:underflow")
def test_twins_give_the_same_bits(classes, dtype, logs):
    block, codes = rows(classes, logs, dtype)
    found = []
    for kernels in (survey_numpy, survey_numba):
        sums = empty_sums(max(classes, 2))
        kernels.survey(block, logs, codes, *sums)
        moments = ladder.moments_count(max(classes, 2)) if classes <= MOST_CLASSES else 0
        offsets = np.linspace(-1, 1, max(classes, 2)).astype(np.float32)
        cured = [np.zeros(moments, np.int64) for beta in (0.6, 0.0)]  # at 0 a logit of −4000 has its whole square
        if moments:
            kernels.cure_sums(block, logs, 0.6, offsets, cured[0])
            kernels.cure_sums(block, logs, 0.0, offsets, cured[1])
        found.append([*sums, *cured])
    for one, other in zip(*found, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("classes", [2, 3, 10, 17])
def test_twins_give_the_same_bits_where_nothing_is_impossible(classes):
    random = np.random.default_rng(1)
    p = random.dirichlet(np.ones(classes), 1300).astype(np.float32)
    p[700] = np.where(np.arange(classes) == 1, 1.0, 0.0)  # in one block of several
    codes = random.integers(0, classes, 1300)
    found = []
    for kernels in (survey_numpy, survey_numba):
        sums = empty_sums(classes)
        kernels.survey(p, False, codes, *sums)
        found.append(sums)
    assert found[0][2][1].sum() == classes - 1
    for one, other in zip(*found, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("classes", [2, 10, 65])
@pytest.mark.parametrize("n", [63, 5000])
def test_rows_that_are_all_alike_are_all_rounded_the_same_way(classes, n):
    """Errors that do not cancel: sums of what is rounded are as large as they can be."""
    for share in (0.3, 0.9, 0.9999, 1 - 2.0**-10, 1 - 2.0**-11, 2.0**-10):
        p = np.full((n, classes), (1.0 - share) / (classes - 1), np.float32)
        p[:, 1] = share
        found = []
        for kernels in (survey_numpy, survey_numba):
            sums = empty_sums(classes)
            kernels.survey(p, False, np.arange(n) % classes, *sums)
            found.append(sums)
        one = empty_sums(classes)
        survey_numpy.survey(p[:1], False, np.zeros(1, np.int64), *one)
        for there, here, single in zip(*found, one, strict=True):
            assert there.tobytes() == here.tobytes()
            if single.ndim == 1:
                assert (here == n * single).all()


@each_twin
def test_sums_do_not_depend_on_the_blocks(kernels):
    block, codes = rows(10, False, "float64")
    whole, parts = empty_sums(10), empty_sums(10)
    kernels.survey(block, False, codes, *whole)
    for start in (0, 1, 17, 600):
        stop = {0: 1, 1: 17, 17: 600, 600: 1300}[start]
        kernels.survey(block[start:stop], False, codes[start:stop], *parts)
    for one, other in zip(whole, parts, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("classes", [1, 2, 10])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_how_rows_lie_in_memory_makes_no_difference(classes, dtype):
    block, codes = rows(classes, False, dtype)
    two_axes = block.reshape(len(block), -1)
    apart = np.full((3 * len(block), 2 * two_axes.shape[1]), 0.5, dtype)
    apart[1::3, 1::2] = two_axes
    longer = np.asfortranarray(np.concatenate([two_axes, two_axes, two_axes]))
    found = []
    for lying in (two_axes, longer[len(block) : 2 * len(block)], apart[1::3, 1::2], two_axes[::-1].copy()[::-1]):
        sums = empty_sums(max(classes, 2))
        survey_numba.survey(lying.reshape(block.shape) if classes == 1 else lying, False, codes, *sums)
        found.append([one.tobytes() for one in sums])
    assert all(one == found[0] for one in found)


@each_twin
@pytest.mark.parametrize("logs", [False, True], ids=["probabilities", "logits"])
@pytest.mark.parametrize(("classes", "n"), [(7, 60), (FEW + 1, 12)])
def test_losses_at_every_temperature_are_those_of_mpmath(kernels, logs, classes, n):
    block, codes = rows(classes, logs, "float64", n=n)
    betas = [beta * half for half in (1.0, math.sqrt(0.5)) for beta in BETAS]
    for i in range(len(block)):
        sums = empty_sums(classes)
        kernels.survey(block[i : i + 1], logs, codes[i : i + 1], *sums)
        z = [mpmath.mpf(v) if logs else (mpmath.log(v) if v else -mpmath.inf) for v in block[i].tolist()]
        peak = max(z)
        if z[codes[i]] == -mpmath.inf:
            assert not sums[0].any()
            continue
        found = sums[0].reshape(-1, CUMULANTS, len(BETAS)).swapaxes(0, 1).reshape(CUMULANTS, -1) * 2.0**-FIXED_BITS
        for node, beta in enumerate(betas[: found.shape[1]]):
            w = [beta * (v - peak) for v in z if v > -mpmath.inf]
            total = mpmath.fsum(map(mpmath.exp, w))
            mean, square, cube = (mpmath.fsum(mpmath.exp(v) * v**m for v in w) / total for m in (1, 2, 3))
            truth = [mpmath.log(total), mean, square - mean**2, cube - 3 * mean * square + 2 * mean**3]
            rounded_away = max(
                1.0, float(-cube - mean * (3 * square - 2 * mean**2))
            )  # the third is what they differ by
            np.testing.assert_allclose(found[:, node], [float(v) for v in truth], atol=4e-7 * rounded_away, rtol=2e-6)


@each_twin
def test_moments_are_those_of_the_definition(kernels):
    block, _ = rows(5, True, "float64", n=40, seed=3)
    block = np.clip(block, -20.0, 20.0)
    beta, offsets = 0.8, np.array([0.5, -1.0, 0.0, 0.25, 2.0])
    sums = np.zeros(ladder.moments_count(5), np.int64)
    kernels.cure_sums(block, True, beta, offsets.astype(np.float32), sums)
    z = block - block.max(axis=1, keepdims=True)
    w = beta * z + offsets
    total = np.log(np.exp(w).sum(axis=1))
    q = np.exp(w - total[:, None])
    mean = (q * z).sum(axis=1)
    away = z - mean[:, None]
    pairs = [q[:, j] * q[:, k] for j in range(5) for k in range(j + 1, 5)]
    truth = [total, mean, (q * away**2).sum(axis=1), *q.T, *(q * away).T, *pairs]
    np.testing.assert_allclose(sums * 2.0**-FIXED_BITS, [v.sum() for v in truth], rtol=1e-6, atol=2e-5)


@each_twin
def test_costs_by_label_and_class(kernels):
    block = np.array([[0.5, 0.25, 0.25], [0.125, 0.875, 0.0], [0.25, 0.25, 0.5]])
    sums = empty_sums(3)
    kernels.survey(block, False, np.array([0, 0, 2]), *sums)
    cost = sums[2][0] * 2.0**-COST_BITS
    log = np.log
    truth = [[log(2) + log(8), log(4) - log(0.875), log(4)], [0, 0, 0], [log(4), log(4), log(2)]]
    np.testing.assert_allclose(cost, truth, atol=1e-6)
    assert sums[2][1].tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


@each_twin
@given(st.lists(st.floats(1e-6, 1.0 - 1e-6), min_size=1, max_size=30), st.integers(0, 2**30))
def test_reliability_counts_every_row_once_in_a_bin_of_its_odds(kernels, p, bits):
    block = np.array(p)
    codes = np.array([(bits >> i) & 1 for i in range(len(p))], np.int64)
    sums = empty_sums(2)
    kernels.survey(block, False, codes, *sums)
    rows_of, probability, truth = sums[3]
    assert rows_of[0].sum() == 0  # of two classes, the second says it all
    assert rows_of[1].sum() == rows_of[2].sum() == len(p)
    assert truth[1].sum() == codes.sum()
    assert truth[2].sum() == sum((v > 0.5) == (c == 1) for v, c in zip(p, codes.tolist(), strict=True))
    assert probability[1].sum() * 2.0**-PROBABILITY_BITS == pytest.approx(block.sum(), rel=1e-6, abs=len(p) * 2.0**-31)
    for at in np.flatnonzero(rows_of[1]):
        mean = probability[1][at] * 2.0**-PROBABILITY_BITS / rows_of[1][at]
        low, high = (2.0 ** (np.array([at - 1, at]) // 4 - 32) * (1 + (np.array([at - 1, at]) % 4) / 4)).tolist()
        assert low * (1 - 1e-3) <= mean / (1 - mean) <= high * (1 + 1e-3)
