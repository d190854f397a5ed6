"""Every format gives back what was written, in batches, as often as asked; broken files are named."""

import gc
import gzip
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xent.errors import SourceError
from xent.sources import choose_columns, csv_text, open_files, prediction_block, read_rows

ROWS = 5_000


def read(t, columns, **options):
    """Read all batches and check their numbering."""
    parts, row, source = [], 0, object()
    for batch in t.batches(columns, **options):
        row = row if batch.source == source else 0
        assert batch.first_row == row
        assert batch.data.num_rows > 0
        assert batch.data.schema.names == list(columns)
        source, row = batch.source, row + batch.data.num_rows
        parts.append(batch.data)
    return pa.Table.from_batches(parts)


def test_every_format_gives_back_what_was_written(any_format, made, write):
    truth = made(ROWS)
    path = write(truth, any_format)
    t = open_files([path])
    columns = ["p_fox", "y", "p_cat"]
    for _ in range(2):  # again: the same
        found = read(t, columns, batch_bytes=10_000)
        for column in columns:
            assert found[column].to_pylist() == truth[column].to_pylist()
    assert t.rows in (ROWS, None)
    assert t.bytes == path.stat().st_size
    assert next(t.batches(columns)).source == str(path)


def test_batches_are_bounded_in_bytes(any_format, made, write):
    path = write(made(ROWS), any_format)
    sizes = [b.data.nbytes for b in open_files([path]).batches(["p_cat", "p_fox"], batch_bytes=8_000)]
    assert max(sizes) <= 9_000
    assert len(sizes) >= 10


@pytest.mark.parametrize("name", ["arrow.csv", "arrow.parquet", "file.arrow", "lines.jsonl", "arrays.npz"])
def test_several_files_and_patterns_are_one_data_set(tmp_path, name, made, write):
    for part in range(3):
        write(made(100 + part, part), name, to=f"{part}-{name}")
    truth = pa.concat_tables([made(100 + part, part) for part in range(3)])
    t = open_files([tmp_path / f"*{name}"])
    assert read(t, ["count", "p_dog"]).to_pydict() == truth.select(["count", "p_dog"]).to_pydict()
    assert [b.source for b in t.batches(["y"])] == [str(tmp_path / f"{part}-{name}") for part in range(3)]
    assert [b.first_row for b in t.batches(["y"])] == [0, 0, 0]
    again = pickle.loads(pickle.dumps(t))  # engines send files, not rows
    assert read(again, ["count"]) == read(t, ["count"])


def test_standard_input_can_be_read_twice(made, write, monkeypatch):
    path = write(made(ROWS), "stream.arrows")
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": path.open("rb"), "isatty": lambda _: False})())
    t = open_files(["-"])
    sys.stdin.buffer.close()
    assert read(t, ["y", "p_cat"]).equals(read(t, ["y", "p_cat"]))
    assert next(t.batches(["y"])).source == "-"


@pytest.mark.parametrize("last", ["1.0,0.5", "maybe,0.5"])
def test_later_lines_of_standard_input_may_be_of_another_type(tmp_path, last):
    """Types are settled on all rows then, of the copy: there is nothing more to be read."""
    path = tmp_path / "late.csv"
    path.write_text("label,p\n" + "0,0.25\n1,0.75\n" * 100_000 + f"{last}\n")
    command = [sys.executable, "-m", "xent.cli", "score", "--brief", "--json"]
    file, piped = (
        subprocess.run([*command, name], input=path.read_bytes(), capture_output=True, check=False)
        for name in (str(path), "-")
    )
    assert file.returncode == piped.returncode
    assert piped.stdout.decode() == file.stdout.decode().replace(str(path), "-")
    assert piped.stderr.decode() == file.stderr.decode().replace(str(path), "-")


def test_what_is_no_file_is_not_below_a_folder(tmp_path):
    (tmp_path / "a.csv").write_text("label,p\n1,0.5\n")
    os.mkfifo(tmp_path / "pipe.csv")
    assert [part.name for part in open_files([tmp_path]).parts] == [str(tmp_path / "a.csv")]
    (tmp_path / "b.csv").symlink_to("nowhere.csv")
    with pytest.raises(SourceError, match=r"b.csv does not exist"):
        open_files([tmp_path])


def test_a_name_that_is_no_text_is_said(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv")
    with open(name, "w") as file:
        file.write("label,p\n1,0.5\n")
    with pytest.raises(SourceError, match=r"\\udcff.csv' is not UTF-8, and so cannot be read.\nRename the file"):
        open_files([name])


def test_the_copy_of_standard_input_is_deleted_at_exit():
    code = "from xent.sources import open_files; t = open_files(['-']); print(t.parts[0].path, t.schema.names)"
    done = subprocess.run([sys.executable, "-c", code], input=b"y,p\n1,0.5\n", capture_output=True, check=True)
    path, names = done.stdout.decode().split(" ", 1)
    assert names.strip() == "['y', 'p']"
    assert not Path(path).exists()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text(min_size=1), st.floats(allow_nan=False)), min_size=1, max_size=30))
def test_csv_keeps_every_bit_and_every_character(tmp_path, rows):
    texts = ["x" + text.replace("\0", "").replace("\r", "").encode("utf-8", "ignore").decode() for text, _ in rows]
    truth = pa.table({"label": texts, "p": [value for _, value in rows]})
    pa.csv.write_csv(truth, tmp_path / "t.csv")
    assert read(open_files([tmp_path / "t.csv"]), ["label", "p"]).to_pydict() == truth.to_pydict()


LATER = 300_000  # rows; beyond pyarrow's first block


@pytest.mark.parametrize(
    ("first", "later", "kind"),
    [
        ("7", "0.25", pa.float64()),
        ("7", "cat", pa.string()),
        ("7", "007", pa.int64()),
        ("true", "cat", pa.string()),
        ("7", "NA", pa.string()),
        ("true", "0.5", pa.string()),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_a_csv_column_that_changes_late_is_read_as_what_it_is(tmp_path, first, later, kind, suffix):
    text = "y,p\n" + f"{first},0.5\n" * LATER + f"{later},0.5\n"
    path = tmp_path / f"t{suffix}"
    path.write_bytes(gzip.compress(text.encode(), 1) if suffix.endswith("gz") else text.encode())
    t = open_files([path])
    assert t.schema.field("y").type == kind
    assert t.rows == LATER + 1
    y = read(t, ["y"])["y"]
    assert y.type == kind
    want = {pa.float64(): (7.0, 0.25), pa.int64(): (7, 7)}.get(kind, (first, later))
    assert (y[0].as_py(), y[LATER].as_py()) == want
    assert len(y.unique()) == len(set(want))


def test_a_csv_column_that_is_empty_at_first_takes_the_later_type(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("y,w\n" + "1,\n" * LATER + "1,0.5\n")
    assert open_files([path]).schema.field("w").type == pa.float64()


def test_json_numbers_that_become_fractions_late(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"y": 1, "p": 0, "l": [1, 2]}\n' * 150_000 + '{"y": 2, "p": 0.5, "l": [0.5, 1]}\n')
    t = open_files([path])
    assert t.schema == pa.schema([("y", pa.int64()), ("p", pa.float64()), ("l", pa.list_(pa.float64()))])
    last = list(t.batches(["l", "p"]))[-1]
    assert last.data.slice(last.data.num_rows - 1).to_pylist() == [{"l": [0.5, 1], "p": 0.5}]


def test_dates_stay_text(tmp_path):
    (tmp_path / "t.csv").write_text("y,p\n2024-01-01,1\n12:30,0\n")
    (tmp_path / "t.jsonl").write_text('{"y": "2024-01-01", "p": 1}\n')
    (tmp_path / "d.csv").write_text("y,p\n2024-01-01,1\n")
    for name in ("t.csv", "t.jsonl", "d.csv"):
        assert read(open_files([tmp_path / name]), ["y"])["y"][0].as_py() == "2024-01-01"


def test_csv_quotes_blank_lines_and_byte_order_mark(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes('\ufeffy,text,p\n"NA","line 1\nline ""2""",nan\n\n"",x,inf\n'.encode())
    data = read(open_files([path]), ["y", "text", "p"]).to_pydict()
    assert data["y"] == ["NA", ""]
    assert data["text"] == ['line 1\nline "2"', "x"]
    assert np.isnan(data["p"][0])
    assert data["p"][1] == np.inf


def test_csv_quotes_may_hold_more_line_ends_than_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr("xent.sources.csv_text._BLOCK", 1 << 14)
    texts = ["\n1,2,3" * (500 + 7 * i) for i in range(100)]
    pa.csv.write_csv(pa.table({"y": range(100), "text": texts, "p": [0.5] * 100}), tmp_path / "t.csv")
    found = read(open_files([tmp_path / "t.csv"]), ["y", "text", "p"])
    assert found["text"].to_pylist() == texts
    assert found["y"].to_pylist() == list(range(100))


def test_types_of_csv_parts_are_unified(tmp_path):
    for part, text in enumerate(["y,p\n1,1\n", "p,y\n0.5,cat\n", "y,p\n"]):
        (tmp_path / f"{part}.csv").write_text(text)
    t = open_files([tmp_path / "*.csv"])
    assert t.schema == pa.schema([("y", pa.string()), ("p", pa.float64())])
    assert read(t, ["p", "y"]).to_pydict() == {"p": [1.0, 0.5], "y": ["1", "cat"]}


def test_column_order_of_parquet_parts_may_differ_types_may_not(tmp_path):
    pa.parquet.write_table(pa.table({"y": [1], "p": [0.5]}), tmp_path / "0.parquet")
    pa.parquet.write_table(pa.table({"p": [0.25], "y": [2]}), tmp_path / "1.parquet")
    assert read(open_files([tmp_path / "*.parquet"]), ["y", "p"]).to_pydict() == {"y": [1, 2], "p": [0.5, 0.25]}
    pa.parquet.write_table(pa.table({"p": [0.25], "y": [2.0]}), tmp_path / "2.parquet")
    with pytest.raises(SourceError, match=r"'y' is int64 in .*0\.parquet but double in .*2\.parquet"):
        open_files([tmp_path / "*.parquet"])
    (tmp_path / "3.csv").write_text("y,q\n1,2\n")
    with pytest.raises(SourceError, match=r"3\.csv has other columns than .*: missing 'p'; more 'q'"):
        open_files([tmp_path / "0.parquet", tmp_path / "3.csv"])


def test_columns_with_dots_and_lists(tmp_path):
    truth = pa.table({"p": [1.0, 2.0], "p.1": [3.0, 4.0], "l": [[1.0, 2.0]] * 2, "y": [0, 1]})
    pa.parquet.write_table(truth, tmp_path / "t.parquet")
    t = open_files([tmp_path / "t.parquet"])
    for columns in (["p"], ["p.1", "y"], ["l", "p.1"]):
        assert read(t, columns).to_pydict() == truth.select(columns).to_pydict()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npz_with_a_matrix_of_predictions(tmp_path, save, order):
    p = np.random.default_rng(0).random((3_000, 7)).astype(">f4")
    save(tmp_path / "t.npz", y=np.arange(3_000, dtype=np.uint8), p=np.asarray(p, order=order), names=np.array(["a"]))
    t = open_files([tmp_path / "t.npz"])
    columns = choose_columns(t.schema)
    blocks = [prediction_block(b.data, columns.predictions) for b in read_rows(t, columns, batch_bytes=5_000)]
    np.testing.assert_array_equal(np.concatenate(blocks), p.astype(np.float32))
    assert blocks[0].dtype == np.float32
    assert len(blocks) > 10
    with pytest.raises(SourceError, match=r"differ in rows: 'y' has 3000, 'names' has 1"):
        list(t.batches(["y", "names"]))


def test_importing_sources_stays_light():
    code = (
        "import sys, xent.sources; heavy = {'pandas', 'polars', 'duckdb', 'pyarrow.dataset', 'pyarrow.parquet',"
        "'pyarrow.csv', 'pyarrow.json'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_reading_parquet_does_not_import_pandas(tmp_path):
    pd.DataFrame({"y": [1], "p": [0.5]}).to_parquet(tmp_path / "t.parquet")
    code = (
        f"import sys; from xent.sources import *; list(open_files([{str(tmp_path / 't.parquet')!r}]).batches(['y']));"
        "assert not {'pandas', 'pyarrow.dataset'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


class Text(bytes):
    """A block of text that is counted while it is held: tracemalloc, stopped beside threads that allocate, crashes Python."""

    held: ClassVar[dict[int, int]] = {}

    def __init__(self, text):
        self.held[id(self)] = len(text)

    def __del__(self):
        del self.held[id(self)]


def most_held(t, columns):
    """The most memory of Arrow and of blocks of text in use at any batch, over what was in use before."""
    gc.collect()
    before = pa.total_allocated_bytes()
    batches = t.batches(columns, batch_bytes=1 << 16)
    return max(pa.total_allocated_bytes() - before + sum(list(Text.held.values())) for _ in batches)


@pytest.mark.parametrize("name", ["arrow.parquet", "file.arrow", "lines.jsonl", "arrays.npz"])
def test_memory_does_not_grow_with_the_rows(name, made, write):
    columns = ["y", "p_cat", "p_fox"]
    less, more = (most_held(open_files([write(made(rows), name)]), columns) for rows in (50_000, 200_000))
    assert more < 1.2 * less + (1 << 18)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_memory_of_csv_does_not_grow_with_the_rows(tmp_path, suffix, monkeypatch):
    block = 1 << 16
    monkeypatch.setattr("xent.sources.csv_text._BLOCK", block)
    read = csv_text._Quoted.read
    monkeypatch.setattr(csv_text._Quoted, "read", lambda stream, size=-1: Text(read(stream, size)))
    path, text = tmp_path / f"t{suffix}", b"y,p,rest\n" + b"cat,0.0625,%s\n" % (b"x" * 80) * 240_000
    path.write_bytes(gzip.compress(text, 1) if suffix.endswith("gz") else text)
    held = most_held(open_files([path]), ["y", "p"])  # by up to some 70 blocks, as far as the reader is ahead
    assert block < held < 100 * block < len(text) / 3


def test_types_of_json_parts_are_unified(tmp_path):
    for part, text in enumerate(['{"y": 1, "p": 0}', '{"p": 0.5, "y": null}', '{"p": 1, "y": 2}']):
        (tmp_path / f"{part}.jsonl").write_text(text)
    t = open_files([tmp_path / "*.jsonl"])
    assert read(t, ["y", "p"]).to_pydict() == {"y": [1, None, 2], "p": [0.0, 0.5, 1.0]}
    (tmp_path / "3.jsonl").write_text('{"p": 1, "y": "a"}')
    with pytest.raises(SourceError, match=r"'y' is int64 in .*0\.jsonl but string in .*3\.jsonl"):
        open_files([tmp_path / "*.jsonl"])


def test_corrupt_pages_with_checksums_are_refused(tmp_path, made):
    path = tmp_path / "t.parquet"
    pa.parquet.write_table(made(2_000), path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    t = open_files([path])
    with pytest.raises(SourceError, match=r"t\.parquet, row group 0, column 'p_cat' cannot be read"):
        list(t.batches(t.schema.names))
