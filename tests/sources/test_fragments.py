"""Pieces of files: together they are the file, whatever is in it, and the report is that of one reading in order."""

import itertools
import pickle
import re

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import xent
from xent.errors import SourceError, XentError
from xent.scoring import data, judge
from xent.sources import open_files
from xent.sources.csv_text import UnsettledError

QUICK = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows_of(pieces, schema):
    """(number, values) of every row."""
    for piece in pieces:
        for batch in pickle.loads(pickle.dumps(piece)).batches(schema, 1 << 20):
            yield from enumerate(batch.data.to_pylist(), batch.first_row)


def read_whole(path):
    t = open_files([path])
    return [
        (row, values)
        for batch in t.batches(t.schema.names)
        for row, values in enumerate(batch.data.to_pylist(), batch.first_row)
    ]


def read_in_pieces(path, target):
    """As `xent.scan` does: cut by how the file looks, and whole if it was not as it looked."""
    for settle in (False, True):
        try:
            t = open_files([path], settle=settle)
            return list(rows_of(t.fragments(t.schema.names, target), t.schema))
        except UnsettledError:
            assert not settle
    return None


def outcome(read):
    """What is read, or the refusal (an empty file is refused by the table, not by its pieces)."""
    try:
        return read() or "no rows"
    except SourceError as error:
        return "no rows" if "no rows" in str(error) else str(error)


cells = st.sampled_from(["", "a", "1", "0.5", "-2", "true", '"b"', '"c,d"', '"e\nf"', '"g""h"', 'i"j', "é", "x" * 30])
line_ends = st.sampled_from(["\n"] * 9 + ["\r\n"] * 3 + ["\r", "\n\n", "\r\n\r\n"])
lines = st.tuples(st.lists(cells, min_size=2, max_size=2).map(",".join), line_ends).map("".join)
texts = st.tuples(
    st.sampled_from(["y,p\n", "y,p\r\n", "\ufeffy,p\n", "\ny,p\n", '"y","p"\n', '"y\nz",p\n', "y,p\r"]),
    st.lists(lines, max_size=60).map("".join),
    st.sampled_from(["", "a,1", "\n", "\n\n\n", '"', "\r", "a"]),
).map("".join)


@QUICK
@given(texts | st.text(alphabet='ab1,"\n\r', max_size=400).map("y,p\n".__add__), st.sampled_from([1, 7, 64, 200]))
@example("y,p\n" + 'a,0.5\nx,a"b,"c\n' * 40, 20)
@example("y,p\n" + "a,0.5\n" * 40 + "\n" * 9_000, 20)
def test_a_csv_text_in_pieces_is_the_text(tmp_path, text, target):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    whole = outcome(lambda: read_whole(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xent.sources.csv_text._BLOCK", 128)
        pieces = outcome(lambda: read_in_pieces(path, target))
    if isinstance(pieces, str) and "row too long" in pieces:  # only with blocks as small as these
        return
    assert str(pieces) == str(whole)  # nan is nan


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoted", [False, True])
def test_plain_csv_is_cut(tmp_path, end, quoted):
    path = tmp_path / "t.csv"
    label = '"cat"' if quoted else "cat"
    path.write_bytes(f"y,p{end}".encode() + f"{label},0.5{end}".encode() * 400_000)
    t = open_files([path], settle=False)
    pieces = list(t.fragments(t.schema.names, 1 << 20))
    assert len(pieces) >= 4
    assert [piece.first_row for piece in pieces] == [
        sum(piece.part.rows for piece in pieces[:i]) for i in range(len(pieces))
    ]
    assert sum(piece.part.rows for piece in pieces) == 400_000
    assert pieces[1].name.startswith(f"{path} (bytes 1,")
    spans = [piece.part.span for piece in pieces]
    assert all(one[1] == other[0] for one, other in itertools.pairwise(spans))
    assert spans[-1][1] == path.stat().st_size - len(end)


def predictions(rows, label=lambda i: str(i % 3)):
    random = np.random.default_rng(0)
    p = random.dirichlet([1, 2, 3], rows)
    return [f"{label(i)},{','.join(map(repr, row.tolist()))},{i % 7},t{i}" for i, row in enumerate(p)]


HEADER = "label,p_0,p_1,p_2,country,text"
ROWS = 3_000
PLAIN = predictions(ROWS)
LATE = {
    "fractions": "\n".join([HEADER, *PLAIN, *predictions(1, lambda _: "1.0")]),
    "text": "\n".join([HEADER, *PLAIN, *predictions(1, lambda _: "cat")]),
    "no label": "\n".join([HEADER, *PLAIN, *predictions(1, lambda _: "")]),
    "country": "\n".join([HEADER, *PLAIN, *PLAIN[:9]]).replace(",6,t", ",six,t") + "\n",
    "late country": "\n".join([HEADER, *PLAIN, PLAIN[0].replace(",0,t", ",,t"), PLAIN[0].replace(",0,t", ",a,t")]),
    "no country at first": "\n".join([HEADER, *[line.replace(f",{i % 7},t", ",,t") for i, line in enumerate(PLAIN)]]),
    "empty lines": "\n".join([HEADER, *PLAIN[:1500], "", "", *PLAIN[1500:]]),
    "an empty first line": "\n" + "\n".join([HEADER, *PLAIN]),
    "quoted line ends": "\n".join([HEADER, *PLAIN, f'{PLAIN[0][:-2]}"a\nb"', *PLAIN]),
    "quotes": "\n".join([HEADER, *PLAIN]).replace(",t", ',"t').replace("\n", '"\n').replace('"text"', "text") + '"\n',
    "a quote left open": "\n".join([HEADER, *PLAIN[:2000], PLAIN[0][:-2] + '"t0', *PLAIN[2000:]]) + "\n",
    "quotes within": "\n".join([HEADER, *PLAIN]).replace(",t1", ',a"b') + "\n",
    "windows": "\r\n".join([HEADER, *PLAIN]) + "\r\n",
    "old line ends": "\r".join([HEADER, *PLAIN]) + "\r",
    "a lone old line end": "\n".join([HEADER, *PLAIN]) + "\r" + "\n".join(PLAIN),
    "byte order mark": "\ufeff" + "\n".join([HEADER, *PLAIN]) + "\n",
    "no last line end": "\n".join([HEADER, *PLAIN]),
    "blank lines at the end": "\n".join([HEADER, *PLAIN]) + "\n\r\n\n",
    "a second header": "\n".join([HEADER, *PLAIN, HEADER, *PLAIN]),
    "a prediction that is none": "\n".join([HEADER, *PLAIN, "1,0.5,abc,0.5,1,t"]),
    "a short row": "\n".join([HEADER, *PLAIN, "1,0.5"]),
    "a bad sum": "\n".join([HEADER, *PLAIN, "1,0.9,0.9,0.9,1,t"]),
    "an unknown label": "\n".join([HEADER, *PLAIN, "7,0.5,0.25,0.25,1,t"]),
}


@pytest.mark.parametrize("case", LATE)
def test_the_report_is_that_of_one_reading_in_order(tmp_path, case, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_bytes(LATE[case].encode())

    def scanned():
        try:
            return xent.scan(path, group="country").json()
        except XentError as error:
            return type(error).__name__, re.findall(r"row \d+|column '\w+'", str(error))

    with pytest.MonkeyPatch.context() as patch:
        settled = judge.open_data
        patch.setattr(judge, "open_data", lambda source, **options: settled(source, **{**options, "settle": True}))
        whole = scanned()
    monkeypatch.setattr("xent.sources.csv_text._BLOCK", 4_000)
    monkeypatch.setattr(data, "FRAGMENT_BYTES", 20_000)
    assert scanned() == whole
    refused = {
        "a quote left open",
        "text",
        "no label",
        "a second header",
        "a prediction that is none",
        "a short row",
        "a bad sum",
    }
    assert isinstance(whole, tuple) == (case in refused | {"an unknown label"})


def test_row_groups_together_are_the_file(tmp_path):
    truth = pa.table({"y": range(1000), "p": np.linspace(0, 1, 1000)})
    path = tmp_path / "t.parquet"
    with pa.parquet.ParquetWriter(path, truth.schema) as writer:
        for start, size in ((0, 400), (400, 0), (400, 1), (401, 299), (700, 300)):
            writer.write_table(truth.slice(start, size))
    t = open_files([path])
    for target in (1, 1_000, 5_000, 1 << 20):
        found = list(rows_of(t.fragments(["y", "p"], target), t.schema))
        assert found == list(enumerate(truth.to_pylist()))


def test_the_footer_is_parsed_once_for_all_fragments_and_anew_for_each_look(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    for seed in range(2):
        truth = pa.table({"y": np.arange(1000) + seed, "p": np.linspace(0, 1, 1000)})
        pa.parquet.write_table(truth, path, row_group_size=100 * (seed + 1))
        t = open_files([path])
        parsed = []
        whole = pa.parquet.ParquetFile

        def counted(source, metadata=None, whole=whole, parsed=parsed, **options):
            parsed.append(metadata is None)
            return whole(source, metadata=metadata, **options)

        with monkeypatch.context() as patch:
            patch.setattr("pyarrow.parquet.ParquetFile", counted)
            fragments = [pickle.loads(pickle.dumps(fragment)) for fragment in t.fragments(["y", "p"], 1)]
            assert list(rows_of(fragments, t.schema)) == list(enumerate(truth.to_pylist()))
        assert sum(parsed) == 1
        assert len(parsed) == 1 + 10 // (seed + 1)
