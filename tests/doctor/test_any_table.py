"""Whatever is in a table, `check` says something, and gives a loss only where `scan` gives the same one."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import xent
from xent.doctor.check import check

NUMBERS = (
    st.floats(width=32) | st.floats(0, 1) | st.sampled_from([0.0, 1.0, 0.5, 0.25, 100.0, -1.0, math.nan, math.inf])
)
TEXTS = st.sampled_from(["a", "b", "c", "1", "0", "A", " a", "", "nan", "1.5", "2", "é"])
LABELS = st.one_of(
    st.lists(st.none() | st.integers(-1, 4), min_size=1, max_size=8),
    st.lists(st.integers(0, 2), min_size=1, max_size=8),
    st.lists(st.none() | TEXTS, min_size=1, max_size=8),
    st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=8),
    st.lists(st.booleans(), min_size=1, max_size=8),
    st.lists(st.none() | NUMBERS, min_size=1, max_size=8),
    st.lists(st.none(), min_size=1, max_size=8),
    st.lists(st.lists(NUMBERS | st.integers(0, 1).map(float), max_size=3), min_size=1, max_size=8),
    st.lists(st.dates(), min_size=1, max_size=8),
)
NAMES = st.sampled_from(["p", "p_a", "p_b", "p_c", "p_0", "p_1", "p_2", "logit_a", "logit_b", "logp_0", "logp_1"])


@st.composite
def columns(draw, rows):
    kind = draw(st.sampled_from(["numbers", "nulls", "texts", "lists", "distribution", "integers", "text numbers"]))
    one = {
        "numbers": NUMBERS,
        "nulls": st.none() | NUMBERS,
        "texts": st.none() | TEXTS,
        "lists": st.none() | st.lists(st.none() | NUMBERS, max_size=3),
        "distribution": st.just(0.5),
        "integers": st.integers(0, 3),
        "text numbers": st.sampled_from(["0.5", "0.25", "0"]),
    }[kind]
    return draw(st.lists(one, min_size=rows, max_size=rows))


@st.composite
def tables(draw):
    labels = draw(LABELS)
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    table = {"label": labels, **{name: draw(columns(len(labels))) for name in names}}
    if draw(st.booleans()):
        table["w"] = draw(
            st.lists(st.sampled_from([0.0, 1.0, 2.5]) | NUMBERS, min_size=len(labels), max_size=len(labels))
        )
    if draw(st.booleans()):
        table["id"] = draw(st.lists(st.none() | TEXTS, min_size=len(labels), max_size=len(labels)))
    return pa.table({name: pa.array(values) for name, values in table.items()})


def scanned(table, options):
    try:
        return xent.scan(table, **options).loss
    except xent.XentError:
        return None


@settings(max_examples=350)
@given(tables(), st.sampled_from(["auto", "probabilities", "logits", "log_probabilities"]))
def test_any_table(table, kind):
    options = {"kind": kind, "sample_weight": "w" if "w" in table.column_names else None}
    loss = scanned(table, options)
    checkup = check(table, **options)
    event(f"scan gives a loss: {loss is not None}, check does: {checkup.loss is not None}")
    assert "nan" not in str(checkup.loss)
    str(checkup), checkup.json()
    if checkup.loss is not None:
        assert checkup.loss == pytest.approx(loss, rel=1e-9, abs=1e-12)
    if loss is not None:
        assert checkup.loss is not None, str(checkup)
    if loss is None:
        assert checkup.serious


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(2, 5), st.integers(1, 200), st.sampled_from([np.float32, np.float64]))
def test_honest_predictions(seed, classes, rows, dtype):
    random = np.random.default_rng(seed)
    p = random.dirichlet(np.ones(classes) * 0.7, rows)
    p = (np.maximum(p, 1e-6) / np.maximum(p, 1e-6).sum(axis=1, keepdims=True)).astype(dtype)
    label = np.array([random.choice(classes, p=row / row.sum()) for row in p.astype(float)])
    table = {"label": label, **{f"p_{j}": p[:, j] for j in range(classes)}}
    checkup = check(table)
    assert not checkup.serious
    assert checkup.loss == pytest.approx(xent.scan(table).loss, rel=1e-9)
