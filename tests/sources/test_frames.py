"""Tables in memory of every library give back their rows, without copies."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from xent.errors import ArgumentTypeError, SourceError
from xent.sources import choose_columns, open_frame, prediction_block, read_rows

ROWS = 5_000


def truth():
    random = np.random.default_rng(0)
    y = np.array(["cat", "dog"])[random.integers(0, 2, ROWS)]
    return pa.table({"y": y, "p_cat": random.random(ROWS), "p_dog": random.random(ROWS, np.float32)})


def relation():
    connection = duckdb.connect()
    connection.register("t", truth())
    return connection.sql("select * from t")


FRAMES = {
    "table": truth,
    "chunked": lambda: pa.concat_tables([truth().slice(i, 777) for i in range(0, ROWS, 777)]),
    "batch": lambda: truth().to_batches()[0],
    "pandas": lambda: truth().to_pandas(),
    "pandas categories": lambda: truth().to_pandas().astype({"y": "category"}).set_index(np.arange(ROWS) + 7),
    "polars": lambda: pl.from_arrow(truth()),
    "polars categories": lambda: pl.from_arrow(truth()).with_columns(pl.col("y").cast(pl.Categorical)),
    "duckdb": relation,
    "arrays": lambda: {n: truth()[n].to_numpy() for n in truth().column_names},
    "lists": lambda: truth().to_pydict(),
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_gives_back_its_rows(name):
    t = open_frame(FRAMES[name]())
    assert t.rows in (ROWS, None)
    assert t.bytes is None
    for _ in range(2):
        columns = choose_columns(t.schema)
        batches = list(read_rows(t, columns, batch_bytes=9_000))
        assert len(batches) > 5
        assert [b.first_row for b in batches] == np.cumsum([0, *(b.data.num_rows for b in batches)]).tolist()[:-1]
        assert {b.source for b in batches} == {None}
        labels = [y for b in batches for y in b.data["y"].to_pylist()]
        assert labels == truth()["y"].to_pylist()
        block = np.concatenate([prediction_block(b.data, columns.predictions) for b in batches])
        np.testing.assert_array_equal(block, np.stack([truth()["p_cat"], truth()["p_dog"]], 1))


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_dict_of_arrays_with_a_matrix(order):
    p = np.asarray(np.random.default_rng(0).random((ROWS, 3)), order=order)
    t = open_frame({"label": np.arange(ROWS) % 3, "p": p})
    columns = choose_columns(t.schema)
    blocks = [prediction_block(b.data, columns.predictions) for b in read_rows(t, columns, batch_bytes=10_000)]
    np.testing.assert_array_equal(np.concatenate(blocks), p)
    if order == "C":
        assert np.shares_memory(blocks[-1], p)


def test_arrow_columns_are_not_copied():
    table = truth()
    data = next(open_frame(table).batches(["p_cat"])).data
    assert data["p_cat"].buffers()[1].address == table["p_cat"].chunk(0).buffers()[1].address


def test_a_reader_is_read_once_and_says_so():
    t = open_frame(pa.RecordBatchReader.from_batches(truth().schema, truth().to_batches()))
    assert sum(b.data.num_rows for b in t.batches(["y"])) == ROWS
    with pytest.raises(SourceError, match="can be read once"):
        next(t.batches(["y"]))


def test_strange_arrays():
    t = open_frame({"y": np.array(["a", None], object), "p": np.ma.array([0.5, 0.25], mask=[False, True])})
    assert next(t.batches(["y", "p"])).data.to_pydict() == {"y": ["a", None], "p": [0.5, None]}
    with pytest.raises(SourceError, match=r"the table, row 1 .* column 'y' is missing"):
        list(read_rows(t, choose_columns(t.schema)))
    half = open_frame({"y": [0, 1], "p": np.array([0.5, 0.25], ">f2")[::-1]})
    block = prediction_block(next(half.batches(["p"])).data, "p")
    assert block.dtype == np.float32
    assert block.tolist() == [0.25, 0.5]


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        ({"y": [1, 2], "p": [0.5]}, SourceError, r"differ in rows: 'y' has 2, 'p' has 1"),
        ({"y": np.zeros((2, 2, 2))}, SourceError, r"'y' has shape \(2, 2, 2\)"),
        ({"y": np.float64(3)}, SourceError, r"'y' has shape \(\)"),
        ({"y": np.zeros(2, "M8[s]")}, SourceError, "dtype datetime64"),
        ({"y": np.array([1, "a"], object)}, SourceError, "cannot be read as an array"),
        ({"y": [[1], [1, 2]]}, SourceError, "cannot be read as an array"),
        ({"y": []}, SourceError, "no rows"),
        ({}, SourceError, "no arrays"),
        (pa.table({"y": pa.array([], pa.int64())}), SourceError, "no rows"),
        (pd.DataFrame({"y": [1, "a"]}, dtype=object), SourceError, "the table cannot be read"),
        ([1, 2], ArgumentTypeError, "builtins.list is not a table"),
        (pl.LazyFrame({"y": [1]}), ArgumentTypeError, "LazyFrame is not a table"),
        (np.zeros((2, 2)), ArgumentTypeError, "ndarray is not a table"),
    ],
)
def test_what_is_no_table_is_refused(frame, error, message):
    with pytest.raises(error, match=message):
        list(open_frame(frame).batches(["y"]))


def test_errors_of_the_owner_are_translated():
    connection = duckdb.connect()
    bad = connection.sql("select 1 as y, cast(s as double) as p from (select 'abc' as s from range(10))")
    with pytest.raises(SourceError, match="the table cannot be read"):
        list(open_frame(bad).batches(["y", "p"]))


def test_text_in_a_prediction_column_is_found():
    t = open_frame(pl.DataFrame({"y": [0, 1, 1], "p": ["0.5", "1e-3", "half"]}))
    with pytest.raises(SourceError, match=r"the table, row 2 .* column 'p' is 'half', which is no number"):
        list(read_rows(t, choose_columns(t.schema)))
    text = open_frame(pl.DataFrame({"y": [0, 1], "p": ["0.5", "1e-3"]}))
    with pytest.raises(SourceError, match="column 'p' is not numeric"):
        list(read_rows(text, choose_columns(text.schema)))


def test_missing_values_inside_lists_and_dictionaries_are_found():
    lists = pa.array([[0.5, 0.5], [0.5, None]])
    labels = pa.DictionaryArray.from_arrays(pa.array([0, 0, 1]), pa.array(["a", None]))
    for table, message in [
        (pa.table({"y": [0, 1], "p": lists}), r"row 1 .* column 'p' is missing"),
        (pa.table({"y": [0, 1], "p": lists.cast(pa.list_(pa.float64(), 2))}), r"row 1 .* column 'p' is missing"),
        (pa.table({"y": labels, "p": [0.5] * 3}), r"row 2 .* column 'y' is missing"),
    ]:
        t = open_frame(table)
        with pytest.raises(SourceError, match=message):
            list(read_rows(t, choose_columns(t.schema), batch_bytes=16))


def test_a_weight_is_there_and_one_number():
    gaps = [pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array([1.0, None])), [1.0, None, 1.0]]
    lists = [pa.array([[1.0]] * 3), pa.array([[1.0, 2.0]] * 3, pa.list_(pa.float64(), 2))]
    for weights, message in [
        *((one, r"the table, row 1 \(counted from 0\), column 'w' is missing") for one in gaps),
        *((one, r"column 'w' is not numeric; the column's type is (fixed_size_)?list") for one in lists),
    ]:
        t = open_frame(pa.table({"y": [0, 1, 1], "p": [0.5] * 3, "w": weights}))
        with pytest.raises(SourceError, match=message):
            list(read_rows(t, choose_columns(t.schema, weight="w")))


@pytest.mark.parametrize(
    ("written", "step"),
    [("0,5", "Write numbers with a decimal point"), ("-1,5e-3", "Write numbers with a decimal point"),
     ("1,000.5", "Correct the row"), ("half", "Correct the row"), (",", "Correct the row")],
)  # fmt: skip
def test_decimal_commas_are_recognized(written, step):
    table = open_frame({"label": np.array([0, 1]), "p": np.array(["0.5", written])})
    with pytest.raises(SourceError, match=f"row 1 .* is '{written}', which is no number(.|\n)*{step}"):
        next(read_rows(table, choose_columns(table.schema)))
