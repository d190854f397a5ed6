"""Files of every format, written by pyarrow, pandas and polars."""

import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest


def table(rows, seed=0):
    random = np.random.default_rng(seed)
    p = random.dirichlet(np.ones(3), rows)
    names = np.array(["cat", "dog", "fox"])
    columns = {"y": names[random.integers(0, 3, rows)], "count": np.arange(rows)}
    return pa.table(columns | {f"p_{name}": p[:, j] for j, name in enumerate(names)})


def write_json(t, path):
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in t.to_pylist()))


def write_npz(t, path):
    np.savez(path, **{n: t[n].to_numpy() if n != "y" else np.array(t[n].to_pylist()) for n in t.column_names})


def write_ipc(t, path):
    with pa.ipc.new_file(path, t.schema) as writer:
        writer.write_table(t, max_chunksize=700)


def write_stream(t, path):
    with pa.ipc.new_stream(path, t.schema) as writer:
        writer.write_table(t)


def zipped(write):
    def zip_up(t, path):
        write(t, path)
        Path(path).write_bytes(gzip.compress(Path(path).read_bytes()))

    return zip_up


WRITERS = {
    "arrow.csv": pa.csv.write_csv,
    "arrow.csv.gz": zipped(pa.csv.write_csv),
    "pandas.csv": lambda t, path: t.to_pandas().to_csv(path, index=False),
    "polars.csv": lambda t, path: pl.from_arrow(t).write_csv(path),
    "semicolons.csv": lambda t, path: t.to_pandas().to_csv(path, index=False, sep=";"),
    "tabs.tsv": lambda t, path: t.to_pandas().to_csv(path, index=False, sep="\t", lineterminator="\r\n"),
    "pandas.csv.bz2": lambda t, path: t.to_pandas().to_csv(path, index=False),
    "arrow.parquet": lambda t, path: pa.parquet.write_table(t, path, row_group_size=900),
    "polars.parquet": lambda t, path: pl.from_arrow(t).write_parquet(path),
    "pandas.parquet": lambda t, path: t.to_pandas().to_parquet(path),
    "file.arrow": write_ipc,
    "feather.feather": lambda t, path: pa.feather.write_feather(t, path),
    "polars.arrow": lambda t, path: pl.from_arrow(t).write_ipc(path),
    "stream.arrows": write_stream,
    "stream.arrows.gz": zipped(write_stream),
    "lines.jsonl": write_json,
    "lines.json.gz": zipped(write_json),
    "polars.ndjson": lambda t, path: pl.from_arrow(t).write_ndjson(path),
    "arrays.npz": write_npz,
    "unnamed": lambda t, path: pa.parquet.write_table(t, path, row_group_size=900),
    "wrongly_named.csv": lambda t, path: pa.parquet.write_table(t, path, row_group_size=900),
}


@pytest.fixture(params=WRITERS)
def any_format(request):
    """The name of a file, one of each format and writer."""
    return request.param


@pytest.fixture
def made():
    """Make a table: `made(rows, seed=0)`."""
    return table


@pytest.fixture
def write(tmp_path):
    """Write a table as the format that a name stands for, and give the path: `write(table, name, to=None)`."""

    def write_to(t, name, to=None):
        path = tmp_path / (to or name)
        WRITERS[name](t, str(path))
        return path

    return write_to
