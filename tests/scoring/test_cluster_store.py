"""Sums by cluster beyond memory: the same bits in the report, whatever the limit, and no file left behind."""

import os
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xent.errors import ShapeError, StateError
from xent.scoring import passes, spill
from xent.scoring.cluster_store import ClusterStore
from xent.scoring.cluster_sums import ClusterSums
from xent.scoring.compare import compare
from xent.scoring.judge import scan
from xent.scoring.key_text import key_of
from xent.scoring.merged_report import merged_report
from xent.scoring.state import State

ROWS = 4000
entries = st.tuples(
    st.integers(0, 40), st.integers(0, 1 << 1100), st.integers(-(1 << 1100), 1 << 1100), st.integers(0, 9)
)


def rows(seed=0):
    r = np.random.default_rng(seed)
    return {
        "label": r.integers(0, 2, ROWS),
        "p": r.random(ROWS),
        "c": r.integers(0, 1500, ROWS),
        "g": r.choice(["x", "y", "z", "rare", "rarer"], ROWS, p=[0.5, 0.29, 0.2, 0.005, 0.005]),
        "w": r.random(ROWS) * (r.random(ROWS) > 0.1),
    }


@settings(max_examples=12, deadline=None)
@given(st.lists(st.lists(entries, max_size=20), max_size=4), st.sampled_from([1 << 30, 200_000]))
def test_a_store_adds_up_what_a_dictionary_does(parts, limit):
    truth = {}
    with ClusterStore(limit) as store:
        for part in parts:
            mapping = {f'["g{name % 3}", "c{name}"]': tuple(sums) for name, *sums in part}
            store.add(ClusterSums.of(mapping))
            for text, more in mapping.items():
                truth[text] = tuple(map(sum, zip(truth.get(text, (0, 0, 0)), more, strict=True)))
        assert bool(store) == bool(truth)
        assert dict(store) == dict(store) == truth


def test_sums_of_any_width_that_were_written_several_times_come_back_once():
    r = np.random.default_rng(0)
    truth = {}
    with ClusterStore(60_000) as store:
        for bits in (10, 400, 1100, 400, 10, 1100):
            names = r.permutation(40)[:20]
            part = {f'["g{n % 3}", "c{n}"]': (1 << bits, int(r.integers(1, 1 << 60)) << bits, 3) for n in names}
            store.add(ClusterSums.of(part))
            for text, more in part.items():
                truth[text] = tuple(map(sum, zip(truth.get(text, (0, 0, 0)), more, strict=True)))
        found = list(store)
    assert len(found) == len(truth)
    assert dict(found) == truth


def test_what_is_of_one_cluster_is_in_one_part():
    with ClusterStore(20_000) as store:
        for group in "abc":
            store.add(ClusterSums.of({f'["{group}", {i}]': (1, 1, 0) for i in range(300)}))
        parts = list(store.parts())
    assert len(parts) > 10
    names = [{key_of(text)[-1] for text, _ in part.items()} for part in parts]
    assert sum(map(len, names)) == len(set().union(*names)) == 300


@pytest.mark.parametrize("asked", [{}, {"group": "g"}, {"sample_weight": "w"}, {"group": "g", "sample_weight": "w"}])
@pytest.mark.parametrize("brief", [True, False])
def test_no_limit_changes_a_bit_of_the_report(asked, brief, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = []
    monkeypatch.setattr(tempfile, "mkdtemp", lambda make=tempfile.mkdtemp, **how: made.append(make(**how)) or made[-1])
    table = pa.table(rows())
    whole = scan(table, prediction="p", cluster="c", brief=brief, **asked)
    assert made == []
    for limit in (200_000, 100_000):
        assert scan(table, prediction="p", cluster="c", brief=brief, max_memory=limit, **asked) == whole
    assert len(made) == (2 if brief else 4)  # sums of losses, and of the ladder's slopes
    assert os.listdir(tmp_path) == []


def test_the_report_of_a_state_is_that_of_a_scan():
    data = rows()
    state = State([0, 1])
    for part in np.array_split(np.random.default_rng(1).permutation(ROWS), 5):
        state.update(data["label"][part], data["p"][part], cluster=data["c"][part])
    found = scan(pa.table(data), prediction="p", cluster="c", max_memory=100_000)
    report = state.report()
    assert (found.loss, found.standard_error, found.clusters) == (report.loss, report.standard_error, report.clusters)
    assert found.interval == report.interval


@pytest.mark.parametrize("asked", [{"cluster": "c"}, {"cluster": "c", "group": "g"}, {}])
def test_states_are_merged_within_a_limit_to_the_same_bits(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data, made, real = rows(), [], spill.Scratch.file
    monkeypatch.setattr(spill.Scratch, "file", lambda *args: made.append(args) or real(*args))
    states = []
    for part in np.array_split(np.random.default_rng(1).permutation(ROWS), 5):
        keys = {name: data[column][part] for name, column in asked.items()}
        states.append(State([0, 1]).update(data["label"][part], data["p"][part], **keys))
    whole = State.merge(states).report(unit="bits")
    for limit in (None, 100_000):
        assert merged_report(iter(states), names=None, unit="bits", max_memory=limit) == whole
        assert bool(made) == (limit is not None and "cluster" in asked)
    assert os.listdir(tmp_path) == []
    with pytest.raises(StateError, match="the last does not fit"):
        merged_report([*states, State([0, 2])], names=[*"abcde", "the last"], unit=None, max_memory=None)
    with pytest.raises(ShapeError, match="no rows"):
        merged_report([State(), State()], names=None, unit=None, max_memory=None)


@pytest.mark.parametrize(
    "clusters",
    [
        np.array([0.0, -0.0, 1.0, 2.0]),
        np.frombuffer(np.array([0x7FF8 << 48, (0x7FF8 << 48) + 1, 0, 0x3FF0 << 48], np.uint64).tobytes()),  # two NaNs
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), pa.array(["a", "a", "b", "c"])),
    ],
    ids=["zeros", "no numbers", "a dictionary"],
)
def test_a_cluster_that_is_written_in_two_ways_is_one(clusters):
    labels, p = [1, 0, 0, 1], np.array([0.5, 0.25, 0.75, 0.5])
    state = State([0, 1]).update(labels, p, cluster=clusters)
    one_by_one = sum(
        State([0, 1]).update(labels[i : i + 1], p[i : i + 1], cluster=clusters[i : i + 1]) for i in range(4)
    )
    assert len(state.sums.clusters) == 3
    assert one_by_one == State.from_json(state.to_json()) == state
    named = State([0, 1]).update(labels, p, cluster=["a", "a", "b", "c"])
    assert state.report().standard_error == named.report().standard_error


@pytest.mark.parametrize("engine", ["local", "processes"])
@pytest.mark.parametrize("limit", [None, 100_000])
def test_a_file_that_is_skipped_leaves_no_cluster(engine, limit, tmp_path, monkeypatch):
    """Those of its rows that came before what cannot be read were once among the sums by cluster."""
    monkeypatch.setattr(passes, "BATCH_BYTES", 20_000)
    monkeypatch.setattr(passes, "LONE_BATCH_BYTES", 20_000)
    data = rows()
    for name, first in (("good", 0), ("bad", 10_000)):
        table = pa.table({"label": data["label"], "p": data["p"], "c": data["c"] + first})
        pa.parquet.write_table(table, tmp_path / f"{name}.parquet", row_group_size=500, compression="none")
    good = scan(tmp_path / "good.parquet", cluster="c")
    last = pa.parquet.read_metadata(tmp_path / "bad.parquet").row_group(7).column(1)
    with (tmp_path / "bad.parquet").open("r+b") as file:
        file.seek(last.dictionary_page_offset or last.data_page_offset)
        file.write(b"\xff" * 200)
    found = scan(tmp_path, cluster="c", on_bad_file="skip", engine=engine, max_memory=limit)
    assert [one.file for one in found.skipped] == [str(tmp_path / "bad.parquet")]
    assert (found.rows, found.clusters) == (good.rows, good.clusters)
    assert (found.interval, found.ladder) == (good.interval, good.ladder)


def test_a_hand_made_sandwich():
    data = rows()
    x = -np.log(np.where(data["label"] == 1, data["p"], 1 - data["p"]))
    residuals = np.bincount(data["c"], weights=x - x.mean())
    count = len(np.unique(data["c"]))
    truth = np.sqrt(count / (count - 1) * (residuals**2).sum()) / ROWS
    found = scan(pa.table(data), prediction="p", cluster="c", max_memory=100_000)
    assert (found.clusters, found.standard_error) == (count, pytest.approx(truth, rel=1e-12))


def test_a_limit_of_a_byte_makes_no_end_of_files(monkeypatch):
    """`--max-memory 2` may be meant as 2 GB; each cluster was once split from every other, 64 files at a time."""
    made, real = [], spill.Scratch.file

    def counted(self, schema):
        made.append(schema)
        assert len(made) <= 1_000
        return real(self, schema)

    monkeypatch.setattr(spill.Scratch, "file", counted)
    data = rows() | {"id": np.arange(ROWS)}
    whole = scan(pa.table(data), prediction="p", cluster="c", brief=True)
    assert scan(pa.table(data), prediction="p", cluster="c", brief=True, max_memory=1) == whole
    assert made
    other = pa.table(data | {"p": data["p"][::-1]})
    plain = compare(pa.table(data), other, prediction="p", on="id", cluster="c")
    assert compare(pa.table(data), other, prediction="p", on="id", cluster="c", max_memory=1) == plain
