"""Bad files stop before a number is computed, with the file, the row and the column named."""

import gzip
import io

import numpy as np
import pyarrow as pa
import pytest

from xent.errors import SourceError
from xent.sources import choose_columns, open_files, read_rows

LATER = 300_000  # rows; beyond pyarrow's first block
GOOD_CSV = "y,p\n" + "1,0.5\n" * 10


def read_all(path):
    """Go through all that a file is asked for: every column as it is, then labels and predictions."""
    t = open_files([path])
    list(t.batches(t.schema.names))
    list(read_rows(t, choose_columns(t.schema)))


def half(name):
    return lambda content_of: content_of(name)[: len(content_of(name)) // 2]


def overwritten(name, start):
    return lambda content_of: content_of(name)[:start] + b"\xff" * 3_000 + content_of(name)[start + 3_000 :]


def with_objects(_):
    file = io.BytesIO()
    np.savez(file, y=np.array([{}, 1], dtype=object))
    return file.getvalue()


BROKEN = {
    "empty.csv": (b"", "is empty"),
    "empty.csv.gz": (gzip.compress(b""), "is empty once decompressed"),
    "header.csv": (b"y,p\n", "no rows in"),
    "cut.parquet": (half("arrow.parquet"), "cannot be read"),
    "noise.parquet": (b"hello, world", "is not the parquet file"),
    "body.parquet": (overwritten("arrow.parquet", 4), "cannot be read"),
    "cut.arrow": (half("file.arrow"), "cannot be read"),
    "cut.arrows": (half("stream.arrows"), "cannot be read"),
    "cut.npz": (half("arrays.npz"), "cannot be read"),
    "flipped.npz": (overwritten("arrays.npz", 30_000), "cannot be read"),
    "objects.npz": (with_objects, "pickled objects"),
    "cut.csv.gz": (half("arrow.csv.gz"), "cannot be read"),
    "flipped.csv.gz": (overwritten("arrow.csv.gz", 1_000), "cannot be read"),
    "parquet.gz": (lambda content_of: gzip.compress(content_of("arrow.parquet")), "is parquet inside gzip"),
    "binary": (b"ab\0\1" * 20, "unknown format"),
    "utf16.csv": (GOOD_CSV.encode("utf-16"), "UTF-16"),
    "latin.csv": ("y,p\né,0.5\n".encode("latin-1"), r"row 0 .*column 'y' is not UTF-8"),
    "list.json": (b'[{"y": 1}]', "not JSON Lines"),
    "late.jsonl": (b'{"y": 1}\n\n{"y": \n', r"row 1 \(counted from 0\) cannot be read as JSON Lines"),
    "mixed.jsonl": (b'{"y": 1}\n{"y": "a"}\n', r"row 1 .*changed from number to string"),
    "changed.jsonl": (
        b'{"y": 1, "p": 0.125}\n' * LATER + b'{"y": "a", "p": 0.125}\n' * LATER,
        rf"(row {LATER} \(counted from 0\).*changed from number to string)",
    ),
    "single.npy": (b"\x93NUMPY\1\0", "numpy.savez"),
    "short.csv": (GOOD_CSV.encode() + b"1\n", r"row 10 \(counted from 0\) has 1 fields where the header has 2"),
    "quote.csv": (GOOD_CSV.encode() + b'"1,0.5\n' + b"1,0.5\n" * LATER, "quote"),
    "excel.xlsx": (b"PK\x05\x06" + b"\0" * 18, "zip archive without arrays"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_by_name(tmp_path, name, made, write):
    content, message = BROKEN[name]
    if callable(content):
        content = content(lambda good: write(made(3_000), good).read_bytes())
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        read_all(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" in str(caught.value)  # a next step


def test_missing_files_directories_and_doubles(tmp_path):
    (tmp_path / "a.csv").write_text(GOOD_CSV)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "_SUCCESS").touch()
    for given_paths, message in [
        ([tmp_path / "b.csv"], "does not exist"),
        ([tmp_path / "nothing"], "no file is below"),
        ([tmp_path / "*.parquet"], "no file matches"),
        ([tmp_path / "a.csv", tmp_path / "*.csv"], "given twice"),
        ([], "no file is given"),
    ]:
        with pytest.raises(SourceError, match=message):
            open_files(given_paths)
    (tmp_path / "a[1].csv").write_text(GOOD_CSV)  # a file named like a pattern
    assert open_files([tmp_path / "a[1].csv"]).schema.names == ["y", "p"]


@pytest.mark.parametrize("rows", [16, LATER])
def test_text_among_the_predictions_is_found(tmp_path, rows):
    path = tmp_path / "t.csv"
    path.write_text("y,p\n" + "1,0.5\n" * rows + "2,abc\n" + "1,0.5\n" * 5)
    with pytest.raises(SourceError, match=rf"t\.csv, row {rows} \(counted from 0\), column 'p' is 'abc'"):
        read_all(path)


def test_blank_lines_and_quoted_line_ends_do_not_shift_the_row(tmp_path):
    path, rows = tmp_path / "t.csv", 60_000
    for bad, message in [("a,b,abc", r"column 'p' is 'abc', not a number"), ("a,b", "has 2 fields")]:
        path.write_text("y,text,p\n\n" + '1,"a\nb",0.5\n\n' * rows * 3 + f"{bad}\n")
        with pytest.raises(SourceError, match=rf"row {rows * 3} \(counted from 0\),? {message}"):
            read_all(path)


@pytest.mark.parametrize("column", ["y", "p", "w"])
@pytest.mark.parametrize("name", ["arrow.csv", "arrow.parquet", "lines.jsonl"])
def test_missing_values_are_found(write, column, name):
    rows = [{"y": "a", "p": 0.5, "w": 1.0, "g": None} for _ in range(40)]
    rows[17][column] = None
    t = open_files([write(pa.Table.from_pylist(rows), name)])
    with pytest.raises(SourceError, match=rf"{name}, row 17 \(counted from 0\), column '{column}' is missing"):
        list(read_rows(t, choose_columns(t.schema, weight="w"), also=["g"], batch_bytes=64))
    rows[17][column] = rows[16][column]
    t = open_files([write(pa.Table.from_pylist(rows), name)])
    assert sum(b.data.num_rows for b in read_rows(t, choose_columns(t.schema, weight="w"), also=["g"])) == 40
