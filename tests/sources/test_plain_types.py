"""Run-end encoded columns and short decimals: what is read of them is what they hold."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import xent
from xent.doctor.check import check
from xent.sources.plain_types import plain_columns, plain_schema

VALUES = {
    "text": pa.array(["a", None, "b"]),
    "long text": pa.array(["a", None, "b"], pa.large_string()),
    "text views": pa.array(["a", None, "b"], pa.string_view()),
    "dictionary": pa.array(["a", None, "b"]).dictionary_encode(),
    "integers": pa.array([1, None, 3]),
    "floats": pa.array([0.5, None, 0.25], pa.float32()),
    "booleans": pa.array([True, None, False]),
    "decimals": pa.array([1, None, 3], pa.decimal128(5, 2)),
    "lists": pa.array([[0.5, 0.5], None, [0.25, 0.75]]),
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("ends", [pa.int16(), pa.int32(), pa.int64()], ids=str)
def test_every_slice_holds_the_same(values, ends):
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 7], ends), values)
    truth = [values[i].as_py() for i in (0, 0, 1, 2, 2, 2, 2)]
    for start in range(8):
        for stop in range(start, 8):
            plain = plain_columns(runs.slice(start, stop - start))
            assert plain.to_pylist() == truth[start:stop]
            assert plain.type in (values.type, pa.string())
    chunks = plain_columns(pa.chunked_array([runs, runs[3:5]]))
    assert chunks.to_pylist() == truth + truth[3:5]


def test_what_is_plain_is_left_alone():
    table = pa.table({"a": [1]})
    schema = table.schema
    assert plain_columns(table) is table
    assert plain_schema(schema) is schema


PLAIN = pa.table(
    {
        "id": list(range(8)),
        "label": ["a", "a", "b", "b", "b", "a", "a", "b"],
        "p_a": [0.75, 0.75, 0.25, 0.25, 0.5, 0.5, 0.5, 0.125],
        "p_b": [0.25, 0.25, 0.75, 0.75, 0.5, 0.5, 0.5, 0.875],
        "weight": [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 1.0],
        "group": ["x", "x", "x", "y", "y", "y", "y", "y"],
        "cluster": [1, 1, 2, 2, 3, 3, 4, 5],
    }
)
RUNS = pa.table({name: pc.run_end_encode(PLAIN[name]) for name in PLAIN.column_names})
KEYS = ["sample_weight", "group", "cluster"]


def test_arrays_of_runs_are_scored_as_plain_ones():
    plain, runs = (
        xent.evaluate(
            table["label"], table.select(["p_a", "p_b"]), **{key: table[key.removeprefix("sample_")] for key in KEYS}
        )
        for table in (PLAIN, RUNS)
    )
    assert runs.json() == plain.json()


@pytest.mark.parametrize("form", ["table", "file", "stream"])
def test_tables_of_runs_are_read_as_plain_ones(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = RUNS
    if form != "table":
        source = "runs.arrow"
        with {"file": pa.ipc.new_file, "stream": pa.ipc.new_stream}[form](source, RUNS.schema) as writer:
            writer.write_table(RUNS, max_chunksize=3)
    options = {"sample_weight": "weight", "group": "group", "cluster": "cluster"}
    found, truth = (xent.scan(table, **options) for table in (source, PLAIN))
    for name in ("loss", "standard_error", "baseline", "by_class", "by_group"):
        assert getattr(found, name) == getattr(truth, name)
    assert xent.compare(source, PLAIN, on="id", cluster="cluster", group="group").pairs[0].difference == 0.0
    assert check(source).findings == check(PLAIN).findings


def test_a_missing_value_in_runs_is_found():
    p = pa.RunEndEncodedArray.from_arrays([1, 4, 5], pa.array([0.5, None, 0.25]))
    with pytest.raises(xent.SourceError, match=r"row 1 \(counted from 0\), column 'p' is missing"):
        xent.scan(pa.table({"label": [0, 1, 1, 0, 1], "p": p}))


@pytest.mark.parametrize("kind", [pa.decimal32(4, 1), pa.decimal64(12, 2)], ids=str)
@pytest.mark.parametrize("form", ["arrays", "table", "arrow", "parquet", "runs", "dictionary"])
def test_short_decimals_are_scored_as_whole_numbers(form, kind, tmp_path):
    numbers = pa.table(
        {
            "id": list(range(80)),
            "label": [0, 0, 1, 1] * 20,
            "p_0": [0.75, 0.5, 0.25, 0.5] * 20,
            "p_1": [0.25, 0.5, 0.75, 0.5] * 20,
            "weight": [1, 2] * 40,
            "group": [1, 2] * 40,
        }
    )
    keys = {"sample_weight": "weight", "cluster": "group"}
    decimals = [pa.array(map(Decimal, numbers[name].to_pylist()), kind) for name in ("label", "weight", "group")]
    if form == "runs":
        decimals = [pa.RunEndEncodedArray.from_arrays(range(1, 81), one) for one in decimals]
    if form == "dictionary":
        values = pa.array([Decimal(0), Decimal(1)], kind)
        decimals[0] = pa.DictionaryArray.from_arrays(numbers["label"].combine_chunks(), values)
    table = numbers
    for name, column in zip(("label", "weight", "group"), decimals, strict=True):
        table = table.set_column(table.column_names.index(name), name, column)
    source, truth = table, xent.scan(numbers, **keys)
    if form == "arrays":
        found = xent.evaluate(
            table["label"], table.select(["p_0", "p_1"]), sample_weight=table["weight"], cluster=table["group"]
        )
        assert (found.loss, found.interval, found.clusters) == (truth.loss, truth.interval, 2)
        return
    if form == "parquet":
        source = tmp_path / "t.parquet"
        pq.write_table(table, source)
    if form == "arrow":
        source = tmp_path / "t.arrow"
        with pa.ipc.new_file(source, table.schema) as file:
            file.write_table(table)
    found = xent.scan(source, **keys)
    assert (found.loss, found.interval, found.clusters, found.ladder) == (truth.loss, truth.interval, 2, truth.ladder)
    grouped = xent.scan(source, group="group")
    assert [(float(one.group), one.loss) for one in grouped.by_group] == [
        (one.group, one.loss) for one in xent.scan(numbers, group="group").by_group
    ]
    assert check(source).rows == 80
