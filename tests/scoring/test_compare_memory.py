"""`compare` of rows that do not fit: whatever the limit, the order and the parts, the same bits; and memory is bounded."""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xent
from xent.errors import LabelError, OptionError, SourceError, WeightError
from xent.scoring import aligning, means
from xent.scoring.compare import compare
from xent.scoring.memory_limit import memory_limit

ROWS = 900


def table(seed, key, order, dropped=(), **more):
    """Rows of one truth, probabilities of their own, in some order and without some."""
    truth = np.random.default_rng(99).integers(0, 3, ROWS)
    r = np.random.default_rng(seed)
    logits = r.normal(size=(ROWS, 3))
    logits[np.arange(ROWS), truth] += 1.0
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    kept = np.setdiff1d(np.arange(ROWS), dropped)
    kept = kept[np.argsort(order[kept], kind="stable")]
    columns = {"id": key, "label": truth, **{f"p_{i}": p[:, i] for i in range(3)}, **more}
    return pa.table({name: pa.array(np.asarray(column)[kept]) for name, column in columns.items()})


@pytest.fixture
def few_resamples(monkeypatch):
    """Slices of few rows are resampled some thousand times otherwise, for each of the limits."""
    monkeypatch.setattr(means, "RESAMPLES", 99)


KEYS = {
    "ascending": (np.arange(ROWS) * 3 - 70, np.arange(ROWS)),
    "shuffled": (np.arange(ROWS) * 3 - 70, np.random.default_rng(5).permutation(ROWS)),
    "text": (np.array([f"row {i % 7} é {i}" for i in range(ROWS)]), np.random.default_rng(6).permutation(ROWS)),
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("asked", [{}, {"group": "g"}, {"cluster": "c", "group": "g"}])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.usefixtures("few_resamples")
def test_no_limit_changes_a_bit(key, asked, weighted):
    r = np.random.default_rng(7)
    more = {
        "c": r.integers(0, 250, ROWS),
        "g": r.choice(["x", "y", "z", "rare", "rarer"], ROWS, p=[0.5, 0.28, 0.2, 0.01, 0.01]),
    }
    names, order = KEYS[key]
    if weighted:
        more["w"] = r.random(ROWS) * (r.random(ROWS) > 0.1)
        asked = {**asked, "sample_weight": "w"}
    tables = [
        table(0, names, order, dropped=range(0, ROWS, 50), **more),
        table(1, names, np.arange(ROWS) if "asc" in key else order[::-1], dropped=range(3, 40)),
        table(2, names, order),
    ]
    whole = compare(*tables, on="id", **asked)
    assert whole.only_in[2] > whole.only_in[0] > 0
    for limit in (30_000, 300_000):
        assert compare(*tables, on="id", max_memory=limit, **asked) == whole
    sorted_by_id = [one.sort_by("id") for one in tables]
    assert compare(*sorted_by_id, on="id", max_memory=20_000, **asked) == whole
    if not weighted:  # by position, with neither keys nor files
        kept = [i for i in range(ROWS) if i % 50 and not 3 <= i < 40]
        cut = [
            one.sort_by("id").filter(pa.compute.is_in(one.sort_by("id")["id"], pa.array(names[kept]))) for one in tables
        ]
        assert compare(*cut, max_memory=20_000, **asked).pairs == whole.pairs


rows = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 1), st.sampled_from([0.0, 1e-300, 0.2, 0.5, 0.9, 1.0]), st.floats(0.01, 0.99)),
    min_size=1, max_size=40, unique_by=lambda row: row[0],
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows, st.randoms(), st.integers(1_000, 30_000), st.booleans(), st.booleans())
def test_any_order_and_any_partition_give_the_same_comparison(data, random, limit, clustered, infinite):
    def model(lines, column):
        p = [line[column] if infinite else min(max(line[column], 1e-6), 1 - 1e-6) for line in lines]
        ids, labels = [line[0] for line in lines], [line[1] for line in lines]
        return pa.table(
            {"id": ids, "label": pa.array(labels), "p": pa.array(p, pa.float64()), "c": [i % 5 for i in ids]}
        )

    asked = {"on": "id", "classes": [0, 1], "cluster": "c" if clustered else None}
    plain = compare(model(data, 2), model(data, 3), **asked)
    other = list(data)
    random.shuffle(other)
    found = compare(model(data, 2), model(other, 3), max_memory=limit, **asked)
    assert repr(found) == repr(plain)


def test_a_cluster_larger_than_the_limit_is_summed_all_the_same():
    names, order = KEYS["shuffled"]
    one = {"c": np.where(np.arange(ROWS) < 600, 7, np.arange(ROWS))}
    tables = [table(0, names, order, **one), table(1, names, order[::-1])]
    plain = compare(*tables, on="id", cluster="c")
    assert plain.clusters == 301
    assert compare(*tables, on="id", cluster="c", max_memory=6_000) == plain


WRONG = {
    "a key twice": (lambda t: t.set_column(0, "id", pa.array(np.where(np.arange(ROWS) % 300 == 5, 8, t["id"]))), SourceError),
    "other labels": (lambda t: t.set_column(1, "label", pa.array((np.asarray(t["label"]) + (np.arange(ROWS) % 9 == 2)) % 3)), LabelError),
    "no key in common": (lambda t: t.set_column(0, "id", pa.array(np.asarray(t["id"]) + 10**6)), SourceError),
    "a missing key": (lambda t: t.set_column(0, "id", pa.array([None, *t["id"].to_pylist()[1:]])), SourceError),
    "other weights": (lambda t: t.set_column(5, "w", pa.array(np.arange(ROWS) * 1.0)), WeightError),
    "a missing cluster": (lambda t: t.set_column(6, "c", pa.array([None] * ROWS, pa.int64())), SourceError),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_errors_are_told_alike_and_leave_no_file(name, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spoil, error = WRONG[name]
    names, order = KEYS["shuffled"]
    more = {"w": np.ones(ROWS), "c": np.arange(ROWS) // 3}
    spoiled = spoil(table(1, names, order[::-1], **more))
    tables = (
        [table(0, names, order, **more), spoiled] if name != "a missing cluster" else [spoiled, table(0, names, order)]
    )
    said = set()
    for limit in (None, 40_000, 8_000):
        with pytest.raises(error) as caught:
            compare(*tables, on="id", sample_weight="w" if name == "other weights" else None,
                    cluster="c" if name == "a missing cluster" else None, max_memory=limit)  # fmt: skip
        said.add(str(caught.value))
    assert len(said) == 1
    assert os.listdir(tmp_path) == []


def test_an_interruption_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []

    def interrupted(*_):
        seen.extend(os.listdir(tmp_path))
        raise KeyboardInterrupt

    monkeypatch.setattr(aligning, "_small_enough", interrupted)
    names, order = KEYS["shuffled"]
    with pytest.raises(KeyboardInterrupt):
        compare(table(0, names, order), table(1, names, order[::-1]), on="id", max_memory=1000)
    assert len(seen) == 1
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_said(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    names, order = KEYS["shuffled"]
    with pytest.raises(SourceError, match=r"cannot be written to /proc/nowhere.*\n.*TMPDIR"):
        compare(table(0, names, order), table(1, names, order[::-1]), on="id", max_memory=1000)


@pytest.fixture
def full_disk(tmp_path, monkeypatch):
    """Files of more than a few bytes cannot be written."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 9, limits[1]))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    "work",
    [
        lambda path: compare(path, path.with_name("b.parquet"), on="id", max_memory=1000),
        lambda path: xent.scan(path, cluster="id", max_memory=1000),
        lambda path: xent.scan(path, cluster="id", max_memory=1000, on_bad_file="skip"),
    ],
)
def test_a_disk_that_fills_up_is_said_and_left_empty(work, request, tmp_path):
    r = np.random.default_rng(0)
    order = r.permutation(50_000)
    rows = pa.table({"id": order, "label": order % 2, "p": r.random(50_000)})
    pq.write_table(rows, tmp_path / "a.parquet")
    pq.write_table(rows.take(order), tmp_path / "b.parquet")
    full_disk = request.getfixturevalue("full_disk")
    with pytest.raises(SourceError, match=rf"cannot be written to {full_disk}/xent-.*\n.*TMPDIR") as caught:
        work(full_disk / "a.parquet")
    assert not hasattr(caught.value, "__notes__")  # that files may be left out
    assert sorted(os.listdir(full_disk)) == ["a.parquet", "b.parquet"]


@pytest.mark.parametrize(
    ("given", "found"),
    [(5, 5), ("5", 5), ("2GB", 2 * 10**9), ("1.5 GiB", 3 << 29), ("64kb", 64_000), ("7MiB", 7 << 20)],
)
def test_limits_in_words(given, found):
    assert memory_limit(given) == found


@pytest.mark.parametrize("given", [0, -1, "many", "2 XB", "", True, "GB", float("nan")])
def test_limits_that_are_none(given):
    with pytest.raises(OptionError, match="max_memory is"):
        memory_limit(given)


def test_the_default_limit_is_below_what_the_machine_has():
    assert 1 << 20 < memory_limit(None) < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


PEAK = """
import json, sys, xent
from pathlib import Path
def peak():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
small = sys.argv[1:3]
xent.compare(*small, on="id", cluster="c")  # what the libraries take
before = peak()
found = xent.compare(*sys.argv[3:5], on="id", cluster="c", max_memory=int(sys.argv[5]))
print(json.dumps([found.json(), (peak() - before) / 1e3]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process's memory is asked of Linux")
def test_peak_memory_stays_below_the_limit(tmp_path):
    r = np.random.default_rng(3)
    for name, rows in (("small", 100_000), ("large", 1_200_000)):
        y = r.integers(0, 2, rows)
        for model in "ab":
            order = r.permutation(rows)
            p = r.random(rows)
            columns = {"id": order, "label": y[order], "p": p, "c": order // 3}
            pq.write_table(pa.table(columns), tmp_path / f"{name}-{model}.parquet", row_group_size=100_000)
    files = [str(tmp_path / f"{name}-{model}.parquet") for name in ("small", "large") for model in "ab"]
    peaks, said = {}, set()
    for limit in (60_000_000, 20_000_000_000):
        command = [sys.executable, "-c", PEAK, *files, str(limit)]
        text, peaks[limit] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        said.add(text)
    assert len(said) == 1
    assert peaks[60_000_000] < 60.0
    assert peaks[20_000_000_000] > 120.0
