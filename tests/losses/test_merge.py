"""The classes of a row may lie on several machines: peaks and tails of the parts merge into the whole row's."""

import functools
import math
import random as order_of

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from xent.formulas.rows import (
    Normaliser,
    index_gradient,
    index_statistics,
    merge,
    soft_gradient,
    soft_statistics,
)

LIBRARIES = {"numpy": np, "strict": array_api_strict, "torch": torch, "jax": jnp}
TOLERANCE = {"float64": 1e-13, "float32": 1e-6}


@pytest.fixture(autouse=True)
def fifty_digits():
    with mp.workdps(50):
        yield


def column(xp, values, dtype):
    return xp.asarray([float(x) for x in values], dtype=getattr(xp, dtype))


def plain(x):
    return np.asarray(x, np.float64)


def exact(rows):
    """Peak and Σ exp(z − peak) over all but one entry at the peak, of each row, in mpmath."""
    peaks, tails = [], []
    for row in rows:
        peak = max(map(float, row))
        logits = sorted(map(mpf, map(float, row)))[:-1]
        peaks.append(peak)
        tails.append(mpf(0) if peak == -math.inf else mp.fsum(mp.exp(z - peak) for z in logits if z != -mp.inf))
    return peaks, tails


def normaliser(xp, rows, dtype):
    """What one machine knows of its part of the classes: truth, rounded once."""
    return Normaliser(*(column(xp, values, dtype) for values in exact(rows)))


def merged(parts, seed):
    """Merge in any order and grouping."""
    parts, shuffle = list(parts), order_of.Random(seed)
    while len(parts) > 1:
        one, other = (parts.pop(shuffle.randrange(len(parts))) for _ in range(2))
        parts.append(merge(one, other))
    return parts[0]


@st.composite
def splits(draw, dtype="float64", infinite=True):
    """Rows of logits, the ends of the parts that the classes fall into, and a seed for the order of merging."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, classes = draw(st.integers(1, 4)), draw(st.integers(2, 40))
    logits = random.normal(size=(rows, classes)) * draw(st.sampled_from([1e-3, 1.0, 25.0]))
    logits = logits + draw(st.sampled_from([0.0, -300.0, 1000.0]))
    if draw(st.booleans()):
        logits = np.round(logits)  # many equal peaks
    if infinite and draw(st.booleans()):
        logits[:, 1:][random.random((rows, classes - 1)) < 0.5] = -np.inf  # whole parts of them now and then
    ends = sorted(draw(st.sets(st.integers(1, classes - 1), max_size=6)))
    return logits.astype(dtype), ends, draw(st.integers(0, 1000))


def assert_is_the_whole(got, rows, dtype):
    peaks, tails = exact(rows)
    np.testing.assert_array_equal(plain(got.peak), peaks)
    for tail, true in zip(plain(got.tail), tails, strict=True):
        gap = -mp.log(true) if 0 < true < 1 else 0  # float32 cannot hold the differences of the logits better
        assert abs(mpf(float(tail)) - true) <= 2 * TOLERANCE[dtype] * (1 + gap / 8) * true + 1e-37


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("library", ["numpy", "strict", "torch"])
@settings(max_examples=40)
@given(data=st.data())
def test_any_split_of_the_classes_in_any_order_gives_the_whole_row(library, dtype, data):
    logits, ends, seed = data.draw(splits(dtype))
    parts = [normaliser(LIBRARIES[library], part, dtype) for part in np.split(logits, ends, axis=1)]
    got = merged(parts, seed)
    assert got.peak.dtype == got.tail.dtype == getattr(LIBRARIES[library], dtype)
    assert_is_the_whole(got, logits, dtype)


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), ends=st.sets(st.integers(1, 11), max_size=3))
def test_any_split_in_jax(seed, ends):
    logits = np.random.default_rng(seed).normal(size=(4, 12)) * 25
    for dtype in TOLERANCE:
        rows = logits.astype(dtype)
        with jax.enable_x64(dtype == "float64"):
            parts = [normaliser(jnp, part, dtype) for part in np.split(rows, sorted(ends), axis=1)]
            assert_is_the_whole(merged(parts, seed), rows, dtype)


@given(splits(), st.integers(0, 1000))
def test_order_changes_nothing_but_rounding(split, other_seed):
    logits, ends, seed = split
    parts = [normaliser(np, part, "float64") for part in np.split(logits, ends, axis=1)]
    one, other = merged(parts, seed), merged(parts[::-1], other_seed)
    np.testing.assert_array_equal(one.peak, other.peak)
    np.testing.assert_allclose(one.tail, other.tail, rtol=1e-14)


def test_a_part_without_a_possible_class_changes_nothing():
    nothing = Normaliser(np.asarray([-np.inf, -np.inf]), np.zeros(2))
    some = Normaliser(np.asarray([3.0, -700.0]), np.asarray([0.25, 0.0]))
    for got in (merge(nothing, some), merge(some, nothing)):
        assert (got.peak == some.peak).all()
        assert (got.tail == some.tail).all()


def test_equal_peaks_count_once_each():
    one = Normaliser(np.asarray([5.0]), np.asarray([0.0]))
    assert functools.reduce(merge, [one] * 7).tail.tolist() == [6.0]


def test_an_undefined_part_makes_the_row_undefined():
    some = Normaliser(np.asarray([3.0]), np.asarray([0.25]))
    for peak, tail in ((np.nan, 0.0), (3.0, np.nan)):
        bad = Normaliser(np.asarray([peak]), np.asarray([tail]))
        for got in (merge(bad, some), merge(some, bad)):
            assert np.isnan(index_statistics(got, np.asarray([3.0])).nll).all()


# --- from the merged numbers to the loss and its gradient -----------------------------------------


@st.composite
def labelled(draw, dtype):
    logits, ends, seed = draw(splits(dtype, infinite=False))
    labels = np.asarray([draw(st.integers(0, logits.shape[1] - 1)) for _ in logits])
    lead = draw(st.sampled_from([None, 20, 60, 80]))
    if lead is not None:
        logits[np.arange(len(logits)), labels] = logits.max(1) + dtype_of(dtype)(lead)
    return logits, ends, seed, labels


def dtype_of(name):
    return np.dtype(name).type


def exact_loss(row, label):
    """nll and softmax; softmax at the label less 1."""
    at_label = mpf(float(row[label]))
    terms = [mp.exp(mpf(float(z)) - at_label) for z in row]
    rest = mp.fsum(t for j, t in enumerate(terms) if j != label)
    return mp.log1p(rest), [float(-rest / (1 + rest) if j == label else t / (1 + rest)) for j, t in enumerate(terms)]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("library", ["numpy", "torch"])
@settings(max_examples=40)
@given(data=st.data())
def test_loss_and_gradient_from_parts(library, dtype, data):
    """Each part computes its own classes' gradient from the merged numbers, as a machine that holds it would."""
    logits, ends, seed, labels = data.draw(labelled(dtype))
    xp, rows = LIBRARIES[library], np.arange(len(logits))
    whole = merged([normaliser(xp, part, dtype) for part in np.split(logits, ends, axis=1)], seed)
    statistics = index_statistics(whole, column(xp, logits[rows, labels], dtype))
    ones = column(xp, np.ones(len(logits)), dtype)
    scale, entry, _ = (
        part if part is None else plain(part) for part in index_gradient(whole, statistics.nll, ones, 0 * ones)
    )
    parts = []
    for part in np.split(logits, ends, axis=1):
        with np.errstate(under="ignore"):
            parts.append(scale[:, None] * np.exp(part.astype(float) - plain(whole.peak)[:, None]))
    gradient = np.concatenate(parts, axis=1)
    gradient[rows, labels] = entry
    for i, label in enumerate(labels):
        nll, slope = exact_loss(logits[i], label)
        others = np.delete(logits[i], label)
        behind = max(float(logits[i, label]) - float(others.max()), 0.0)
        allowed = TOLERANCE[dtype] * (1 + behind / 8)
        assert abs(mpf(float(statistics.nll[i])) - nll) <= allowed * nll + mpf("1e-37")
        np.testing.assert_allclose(gradient[i], slope, rtol=4 * allowed, atol=1e-37)


@pytest.mark.parametrize("dtype", TOLERANCE)
@settings(max_examples=40)
@given(data=st.data())
@example(data=None).via("a row whose peak has an equal")
def test_soft_labels_from_parts(dtype, data):
    """Σ t (peak − z) of the parts, each against the merged peak, add up."""
    random = np.random.default_rng(0)
    if data is None:
        logits, ends, seed = np.asarray([[1.0, 1.0, 0.0]]).astype(dtype), [1], 0
    else:
        logits, ends, seed = data.draw(splits(dtype, infinite=False))
    targets = random.dirichlet(np.ones(logits.shape[1]), len(logits)).astype(dtype)
    whole = merged([normaliser(np, part, dtype) for part in np.split(logits, ends, axis=1)], seed)
    pairs = list(zip(np.split(logits, ends, axis=1), np.split(targets, ends, axis=1), strict=True))
    spread = sum((t * (whole.peak[:, None] - z)).sum(1, dtype=dtype) for z, t in pairs)
    mass = sum(t.sum(1, dtype=dtype) for _, t in pairs)
    got = soft_statistics(whole, spread, mass)
    top = logits.argmax(1)
    rows, ones = np.arange(len(logits)), np.ones(len(logits), dtype)
    at_peak = targets[rows, top]
    others = np.where(np.arange(logits.shape[1]) == top[:, None], 0, targets).sum(1, dtype=dtype)
    scale, entry, on_soft = soft_gradient(whole, others, at_peak, ones, 0.5 * ones)
    gradient = scale[:, None] * np.exp(logits - whole.peak[:, None]) - on_soft[:, None] * targets
    unique = (logits == whole.peak[:, None]).sum(1) == 1
    gradient[rows[unique], top[unique]] = entry[unique]
    for i, (z, t) in enumerate(zip(logits.astype(float), targets.astype(float), strict=True)):
        lse = mp.log(mp.fsum(mp.exp(mpf(x) - mpf(z.max())) for x in z)) + mpf(z.max())
        nll = mp.fsum(mpf(q) * (lse - mpf(x)) for q, x in zip(t, z, strict=True))
        assert abs(mpf(float(got.nll[i])) - nll) <= 4 * TOLERANCE[dtype] * nll
        share = mp.fsum(map(mpf, t)) + mpf("0.5")
        slope = [float(share * mp.exp(mpf(x) - lse) - mpf(q)) for q, x in zip(t, z, strict=True)]
        np.testing.assert_allclose(gradient[i], slope, rtol=0, atol=4 * TOLERANCE[dtype])
