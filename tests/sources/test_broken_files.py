"""Bad files stop before a number is computed, with the file, the row and the column named."""

import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

import xent
from xent.errors import SourceError, XentError
from xent.scoring import data
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
    "cut_header.csv": (b"y,p", "no row below its first line"),
    "blank.csv": (b"\n\n", "no row below its first line"),
    "page.csv": (b"<!DOCTYPE html>\n<title>404</title>", "is a page, such as a server sends"),
    "frame.pkl": (b"\x80\x04\x95" + b"x" * 90, "is a Python pickle"),
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
    "zero.csv": (b"label,p\n0,0.1\n\x001,0.9\n", "zero byte in line 3, and text has none"),
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
    "short.csv": (GOOD_CSV.encode() + b"1\n", r"row 10 \(counted from 0\) has 1 field where the header has 2"),
    "quote.csv": (GOOD_CSV.encode() + b'"1,0.5\n' + b"1,0.5\n" * LATER, "quote"),
    "open.csv": (b'y,p,note\n1,0.5,"as seen\n0,0.25,x\n', "a quote that is never closed: .* 2 lines .* only 1 rows"),
    "open.csv.gz": (gzip.compress(b'y,p,note\n1,0.5,"as seen\n0,0.25,x\n'), "a quote that is never closed"),
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


def test_quotes_within_cells_are_text_and_need_no_partner(tmp_path):
    path = tmp_path / "inches.csv"
    path.write_text('y,p,note\n1,0.5,a 5" disk\n\n0,0.25,"two\nlines"\n')
    with pytest.raises(SourceError, match="never closed"):  # an odd one, and fewer rows than lines: which is it?
        read_all(path)
    path.write_text('y,p,note\n1,0.5,a 5" disk\n\n0,0.25,x\n')
    assert sum(batch.data.num_rows for batch in open_files([path]).batches(["y"])) == 2


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


def scanned(paths):
    """The loss of fragments read side by side, each cut as small as it goes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "FRAGMENT_BYTES", 3_000)
        patch.setattr("xent.sources.parquet._MOST_COMPRESSED", 1 << 20)
        patch.setattr("xent.sources.csv_text._BLOCK", 1_000)
        return xent.scan(paths, label="y", prediction="p_*", brief=True).loss


@pytest.fixture
def parts(made, write):
    """Three Parquet files with checksums, of seven row groups each."""
    paths = [write(made(6_300, seed), "arrow.parquet", to=f"part-{seed}.parquet") for seed in range(3)]
    for seed, path in enumerate(paths):
        pa.parquet.write_table(
            made(6_300, seed), path, row_group_size=900, write_page_checksum=True, use_dictionary=False
        )
    return paths


def test_broken_parts_among_others_are_refused_by_name(parts, made):
    whole = scanned(parts)
    path, good = parts[1], parts[1].read_bytes()
    path.unlink()
    with pytest.raises(SourceError, match=r"part-1\.parquet does not exist"):
        scanned(parts)
    for content, message in [(b"", "is empty"), (b"PAR1", "cannot be read")]:
        path.write_bytes(content)
        with pytest.raises(SourceError, match=rf"part-1\.parquet {message}"):
            scanned(parts)
    for kept in np.linspace(5, len(good) - 1, 40, dtype=int):
        path.write_bytes(good[:kept])
        with pytest.raises(SourceError, match=r"part-1\.parquet cannot be read"):
            scanned(parts)
    others = made(6_300).rename_columns(["y", "count", "p_cat", "p_dog", "p_owl"])
    pa.parquet.write_table(others, path)
    with pytest.raises(SourceError, match=r"part-1.* has other columns than .*part-0.*: missing 'p_fox'; more 'p_owl'"):
        scanned(parts)
    pa.parquet.write_table(made(6_300).set_column(2, "p_cat", pa.array(["a"] * 6_300)), path)
    with pytest.raises(SourceError, match=r"'p_cat' is double in .*part-0.* but string in .*part-1"):
        scanned(parts)
    pa.parquet.write_table(made(0), path)
    assert scanned(parts) == scanned([parts[0], parts[2]]) != whole


def test_a_corrupt_row_group_is_named(parts):
    path, good = parts[1], parts[1].read_bytes()
    group = pa.parquet.ParquetFile(path).metadata.row_group(4)
    chunk = group.column(group.num_columns - 1)
    at = chunk.data_page_offset + chunk.total_compressed_size // 2
    path.write_bytes(good[:at] + bytes([good[at] ^ 255]) + good[at + 1 :])
    with pytest.raises(SourceError, match=r"part-1\.parquet, row group 4, column 'p_fox' cannot be read: .*CRC"):
        scanned(parts)


def test_csv_that_is_no_utf8_or_no_number_names_the_row(made, write):
    path = write(made(6_000), "arrow.csv")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5_001] = "é".encode("latin-1") + lines[5_001][5:]
    path.write_bytes(b"".join(lines))
    with pytest.raises(SourceError, match=r"arrow\.csv, row 5000 \(counted from 0\), column 'y' is not UTF-8"):
        scanned([path])
    cells = [*map(repr, made(6_000)["p_cat"].to_pylist()[:-1]), "half"]
    pa.csv.write_csv(
        made(6_000).set_column(2, "p_cat", pa.array(cells)), path, pa.csv.WriteOptions(quoting_style="none")
    )
    with pytest.raises(SourceError, match=r"arrow\.csv, row 5999 \(counted from 0\), column 'p_cat' is 'half'"):
        scanned([path])


@pytest.mark.parametrize(
    "name", ["arrow.csv.gz", "checked.parquet", "arrays.npz", "arrow.csv", "lines.jsonl", "file.arrow"]
)
def test_files_cut_or_changed_anywhere_are_refused_or_right(tmp_path, name, made, write):
    """A wrong number may come of formats without checksums only: text and Arrow IPC."""
    t, random, path = made(2_000), np.random.default_rng(0), tmp_path / name
    if name == "checked.parquet":
        pa.parquet.write_table(t, path, row_group_size=500, write_page_checksum=True)
    else:
        write(t, name)
    good, right = path.read_bytes(), scanned([path])
    checked = name in ("arrow.csv.gz", "checked.parquet", "arrays.npz")
    for _ in range(60):
        at, cut = int(random.integers(len(good))), random.random() < 0.5
        flipped = good[:at] + bytes([good[at] ^ int(random.integers(1, 256))]) + good[at + 1 :]
        path.write_bytes(good[:at] if cut else flipped)
        try:
            found = scanned([path])
        except XentError:
            continue
        assert not (checked and cut)
        assert found == right or not checked, at


def test_a_header_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("label,p_café\n0,0.5\n".encode("latin-1"))
    with pytest.raises(SourceError, match=r"the header of .*latin\.csv is not UTF-8 text"):
        open_files([path])


@pytest.mark.parametrize(
    ("header", "mark"),
    [('label;p_0;p_1;"note, of a reader"', ";"), ('label,p_0,p_1,"a\tb"', ","), ('label;"p_0";p_1;"x ""y"", z"', ";")],
)
def test_what_separates_columns_is_not_looked_for_in_quotes(tmp_path, header, mark):
    path = tmp_path / "named.csv"
    path.write_text("\n".join([header, mark.join(["0", "0.75", "0.25", "x"]), ""]))
    assert xent.scan(path).loss == pytest.approx(-np.log(0.75), rel=1e-15)


def test_what_is_odd_about_a_header_is_said(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text("label|p_0|p_1\n0|0.5|0.5\n")
    with pytest.raises(SourceError, match="may be separated by commas, tabs or semicolons"):
        xent.scan(path)
    path.write_text("label, p_0, p_1\n0, 0.5, 0.5\n")
    with pytest.raises(SourceError, match=r"' p_0', ' p_1' \(spaces around names are part of them\)"):
        xent.scan(path)


def test_arrays_that_are_no_columns_matter_only_where_they_are_asked_for(tmp_path):
    path = tmp_path / "arrays.npz"
    more = {
        "when": np.array(["2020-01-01"] * 2, "M8[D]"),
        "about": np.array([{}, None], object),
        "raw": np.array([b"a"] * 2),
    }
    np.savez(path, label=np.array([0, 1]), p=np.array([0.25, 0.5]), **more)
    assert xent.scan(path).loss == pytest.approx((-np.log(0.75) - np.log(0.5)) / 2, rel=1e-15)
    for name, message in (("when", r"dtype datetime64\[D\]"), ("about", "pickled objects"), ("raw", r"dtype \|S1")):
        with pytest.raises(SourceError, match=f"arrays.npz, array '{name}' .*{message}"):
            xent.scan(path, label=name)


@pytest.mark.parametrize("kind", ["npz", "list", "fixed", "JSON Lines"])
def test_labels_of_one_column_are_labels(tmp_path, kind):
    """Shape (rows, 1), as Keras has them; in memory they always were."""
    path, labels, p = tmp_path / "labels", np.array([2, 0, 1]), np.array([[0.5, 0.25, 0.25]] * 3)
    if kind == "npz":
        with open(path, "wb") as file:
            np.savez(file, label=labels[:, None], p=p)
    elif kind == "JSON Lines":
        path.write_text(
            "".join(f'{{"label": [{y}], "p": {list(row)}}}\n' for y, row in zip(labels, p.tolist(), strict=True))
        )
    else:
        size = 1 if kind == "fixed" else -1
        column = pa.array([[int(y)] for y in labels], pa.list_(pa.int32(), size))
        pa.parquet.write_table(pa.table({"label": column, "p": p.tolist()}), path)
    assert xent.scan(path).loss == pytest.approx(xent.evaluate(labels, p).loss, rel=1e-15)
