"""The state: exact, mergeable, the same bits in any split, any order and on any number of threads."""

import json
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xent
from xent import State
from xent.checks.predictions import Place
from xent.kernels import choice, score_numba, score_numpy
from xent.scoring import exact
from xent.scoring.inputs import Rows
from xent.scoring.totals import total

CLASSES = ["ant", "bee", "cat"]


@st.composite
def scored_rows(draw, weighted):
    """Label, prediction, weight."""
    p = draw(st.lists(st.sampled_from([0.0, 1e-300, 1e-12, 0.1, 0.3, 1.0, 7.0]), min_size=3, max_size=3))
    p = np.array(p) + (0.0 if sum(p) else 1.0)
    weight = draw(st.sampled_from([0.0, 0.1, 1.0, 2.5, 1e6])) if weighted else 1.0
    return draw(st.sampled_from(CLASSES)), p / p.sum(), weight


def state_of(rows, weighted=True, **options):
    state = State(CLASSES, **options)
    if rows:
        labels, predictions, weights = zip(*rows, strict=True)
        state.update(list(labels), np.array(predictions), sample_weight=weights if weighted else None)
    return state


@pytest.mark.parametrize("weighted", [True, False])
@given(data=st.data(), random=st.randoms(use_true_random=False))
@settings(deadline=None)
def test_any_split_in_any_order_gives_the_same_bits(weighted, data, random):
    parts = data.draw(st.lists(st.lists(scored_rows(weighted), max_size=5), max_size=5))
    whole = state_of([row for part in parts for row in part], weighted, top=4)
    random.shuffle(parts)
    for part in parts:
        random.shuffle(part)
    merged = sum((state_of(part, weighted, top=4) for part in parts), State(CLASSES, top=4))
    assert merged == whole
    assert merged.to_json() == whole.to_json()


@given(rows=st.lists(scored_rows(weighted=True), max_size=8))
@settings(deadline=None)
def test_state_goes_through_json_unchanged(rows):
    state = state_of(rows)
    again = State.from_json(state.to_json())
    assert again == state
    assert again.to_json() == state.to_json()


@given(rows=st.lists(scored_rows(weighted=True), min_size=1, max_size=8))
@settings(deadline=None)
def test_sums_are_exact_sums_of_the_rows(rows):
    sums = state_of(rows).sums
    weights = [Fraction(weight) for *_, weight in rows]
    assert Fraction(sums.weight, 1 << exact.UNIT_BITS) == sum(weights)
    finite = [
        (weight, -mpmath.log(mpmath.mpf(float(p[CLASSES.index(label)]))))
        for label, p, weight in rows
        if weight and p[CLASSES.index(label)]
    ]
    truth = mpmath.fsum(mpmath.mpf(weight) * nats for weight, nats in finite)
    assert abs(exact.to_float(sums.loss) - float(truth)) <= 1e-14 * float(truth) + 1e-300
    infinite = sum(1 for label, p, weight in rows if weight and not p[CLASSES.index(label)])
    assert sums.infinite_rows == infinite


def random_rows(n, classes=5, dtype=np.float64):
    r = np.random.default_rng(n)
    p = r.dirichlet(np.ones(classes), n).astype(dtype)
    return r.integers(0, classes, n), p


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_thread_and_two_and_both_kernels_give_the_same_bits(dtype, monkeypatch):
    labels, predictions = random_rows(70_000, dtype=dtype)
    plan = State(range(5)).plan or pytest.fail("a state with classes has a plan")

    def batches():
        for start in range(0, len(labels), 9_000):
            rows = slice(start, start + 9_000)
            yield Rows(predictions[rows], labels[rows], None, Place("", start))

    found = []
    for kernels in (score_numpy, score_numba):
        monkeypatch.setattr(choice, "score_kernels", lambda _, kernels=kernels: kernels)
        monkeypatch.setattr("xent.scoring.chunks.score_kernels", lambda _, kernels=kernels: kernels)
        found += [total(plan, batches(), numbered=True, workers=workers) for workers in (1, 2, 5)]
    assert all(sums == found[0] for sums in found)
    assert found[0].rows == 70_000


@pytest.mark.parametrize("first_row", [0, None])
@pytest.mark.parametrize("top", [0, 10, 6_000])
@pytest.mark.parametrize("certain", [0, 5, 9_995, 10_000])  # rows that cost nothing
def test_many_rows_at_once_are_as_few_at_a_time(certain, top, first_row):
    labels, predictions = random_rows(10_000)
    predictions[:certain] = labels[:certain, None] == np.arange(5)
    predictions[-3] = predictions[-3] * 1e-9
    predictions[-3, (labels[-3] + 1) % 5] += 1.0
    whole = State(range(5), top=top).update(labels, predictions, first_row=first_row)
    parts = State(range(5), top=top)
    for start in range(0, 10_000, 2_500):
        rows = slice(start, start + 2_500)
        parts.update(labels[rows], predictions[rows], first_row=None if first_row is None else start)
    assert whole == parts


@given(rows=st.lists(scored_rows(weighted=False), min_size=1, max_size=8))
def test_weights_of_one_are_no_weights(rows):
    assert state_of(rows, weighted=True) == state_of(rows, weighted=False)


def test_an_error_leaves_the_state_as_it_was():
    state = State([0, 1]).update([0, 1], [0.2, 0.7])
    before = state.to_json()
    with pytest.raises(xent.ProbabilityError):
        state.update([0, 1], [0.2, 1.7])
    with pytest.raises(xent.LabelError):
        state.update([0, 2], [0.2, 0.7])
    assert state.to_json() == before


def test_a_state_does_not_grow_with_the_rows():
    labels, predictions = random_rows(200_000)
    medium = len(State(range(5)).update(labels[:100_000], predictions[:100_000]).to_json())
    assert len(State(range(5)).update(labels, predictions).to_json()) < 1.1 * medium < 50_000


def test_a_blank_state_is_neutral_and_takes_classes_from_its_first_batch():
    state = State([0, 1, 2]).update([0, 2], [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    assert State() + state == state == state + State()
    assert State().update([0, 2], [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]) == state
    assert State.from_json(State().to_json()) == State()


def test_states_of_other_classes_or_options_do_not_merge():
    with pytest.raises(xent.StateError, match=r"classes \[0, 1\] and \[0, 2\]"):
        State([0, 1]) + State([0, 2])
    with pytest.raises(xent.StateError, match=r"clip None and 1e-07"):
        State([0, 1]) + State([0, 1], clip=1e-7)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "xent-state", "version": 6}', '{"format": "other", "version": 1}'],
)
def test_what_is_no_state_is_refused(text):
    with pytest.raises(xent.StateError):
        State.from_json(text)


def test_a_damaged_state_is_refused():
    text = State([0, 1]).update([0], [0.5]).to_json()
    for broken in (text[:-5], text.replace('"rows": 1', '"rows": "many"'), text.replace('"weight":', '"wait":')):
        with pytest.raises(xent.StateError):
            State.from_json(broken)


def test_a_state_may_be_laid_out_anew_but_not_changed():
    state = State([0, 1]).update([0, 1], [0.5, 0.25])
    data = json.loads(state.to_json())
    for again in (json.dumps(data, indent=2), json.dumps(dict(reversed(data.items())))):
        assert State.from_json(again) == state
    assert State.from_json(state.to_json().encode()) == state
    with pytest.raises(xent.StateError, match="checksum"):
        State.from_json(json.dumps({**data, "unit": "bits"}))
    with pytest.raises(xent.StateError, match="checksum"):
        State.from_json(state.to_json().replace('"rows": 2', '"rows": 3'))
    with pytest.raises(xent.StateError, match="checksum"):  # the later of two keys counts
        State.from_json(state.to_json()[:-1] + ', "unit": "bits"}')


def test_worst_rows_are_the_largest_losses_first_come_first():
    state = State([0, 1], top=3).update([1, 1, 1, 1], [0.5, 0.1, 0.5, 0.9], first_row=100, source="a.csv")
    assert [(row.index, row.source, row.probability) for row in state.report().worst] == [
        (101, "a.csv", pytest.approx(0.1)),
        (100, "a.csv", pytest.approx(0.5)),
        (102, "a.csv", pytest.approx(0.5)),
    ]


def test_equal_losses_keep_the_first_rows_however_many_there_are():
    n = 40_000
    state = State([0, 1], top=4)
    state.update(np.zeros(n, int), np.full(n, 0.5), first_row=n)
    state.update(np.zeros(n, int), np.full(n, 0.5), first_row=0)
    assert [row.index for row in state.report().worst] == [0, 1, 2, 3]


def test_torch_and_jax_arrays_are_taken():
    torch, jnp = pytest.importorskip("torch"), pytest.importorskip("jax.numpy")
    predictions = np.array([[0.75, 0.25], [0.5, 0.5]])
    expected = State([0, 1]).update([0, 1], predictions)
    tensors = torch.tensor([0, 1]), torch.tensor(predictions, requires_grad=True)
    assert State([0, 1]).update(*tensors) == expected
    assert State([0, 1]).update(torch.tensor([0, 1]), tensors[1].detach().bfloat16()) == expected
    assert State([0, 1]).update(jnp.array([0, 1]), jnp.array(predictions, jnp.bfloat16)) == expected


def test_merging_takes_states_one_by_one_and_is_their_sum():
    labels, predictions = random_rows(900)
    keys = [f"g{i % 4}" for i in range(900)]

    def parts(slices):
        for rows in slices:
            yield State(range(5), unit="bits").update(labels[rows], predictions[rows], group=keys[rows])

    cuts = [slice(i * 30, i * 30 + 30) for i in range(30)]
    whole = State(range(5)).update(labels, predictions, group=keys)
    found = State.merge(parts(cuts))
    assert found == whole == sum(parts(cuts)) == State.merge(parts(reversed(cuts)))
    assert found.unit == "bits"
    assert State.merge([]) == State()
    assert State.merge([State(), whole, State()]) == whole
    only = State(kind="logits")
    assert State.merge([only]) == only
    assert State.merge([only]) is not only


def test_merging_names_the_state_that_does_not_fit():
    fit = State([0, 1]).update([0], [0.5])
    with pytest.raises(
        xent.StateError, match=r"states\[2\] does not fit those before it: classes \[0, 1\] and \[0, 2\]"
    ):
        State.merge([State(), fit, State([0, 2]), fit])
    with pytest.raises(xent.StateError, match=r"states\[3\] does not fit .* some rows have a cluster"):
        State.merge([fit, State(), fit, State([0, 1]).update([0], [0.5], cluster=["a"])])
    with pytest.raises(xent.StateError, match=r"states\[1\] does not fit .* their options differ"):
        State.merge([State(), State(kind="logits")])
    with pytest.raises(xent.StateError, match=r"states\[2\] does not fit .*: unit 'nats' and 'bits'"):
        State.merge([fit, State([0, 1], unit="nats"), State([0, 1], unit="bits")])
    with pytest.raises(xent.ArgumentTypeError, match=r"states\[1\] is a str"):
        State.merge([fit, fit.to_json()])
