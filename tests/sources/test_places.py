"""Files elsewhere: an S3 server and web servers on this machine, and what is said when they do not answer.

Google Cloud Storage, Azure and HDFS are not here to be tested: of these only that their addresses are understood.
"""

import gzip
import http.server
import io
import json
import pickle
import re
import threading
import time
import traceback
import urllib.parse
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.fs
import pyarrow.ipc
import pyarrow.parquet
import pytest

import xent
from xent.cli import main
from xent.errors import SourceError
from xent.scoring import data
from xent.sources import open_files
from xent.sources.places import Remote, address_of

SECRET = "wJalrXUtnFEMI+K7MDENG/bPx"  # in no message, whatever goes wrong
QUOTED = urllib.parse.quote(SECRET, safe="")


class Files(http.server.BaseHTTPRequestHandler):
    """Serves a dictionary of files; with ranges, unless the server is told not to."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer is one packet

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        server = self.server
        server.seen.append((self.command, self.path, self.headers.get("Range"), self.headers.get("Authorization")))
        content = server.files.get(urllib.parse.urlsplit(self.path).path)
        status = server.status or (404 if content is None else 200)
        content = (content or b"") if status == 200 else b"<Error><Code>AccessDenied</Code></Error>"
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if status == 200 and found and server.ranges:
            status, whole = 206, content
            content = content[int(found[1]) : int(found[2]) + 1]
        self.send_response(status)
        if server.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {found[1]}-{int(found[1]) + len(content) - 1}/{len(whole)}")
        if self.path.startswith("/encoded"):
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def serving(files, ranges=True, status=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.files, server.ranges, server.status, server.seen = files, ranges, status, []
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def table(rows=3_000, seed=0):
    random = np.random.default_rng(seed)
    p = random.dirichlet([1, 2, 3], rows)
    columns = {"label": random.integers(0, 3, rows), **{f"p_{j}": p[:, j] for j in range(3)}}
    return pa.table(columns | {"unread": random.random(rows)})


def content(t, name):
    sink = io.BytesIO()
    if name.endswith(".parquet"):
        pa.parquet.write_table(t, sink, row_group_size=500)
    elif ".csv" in name:
        pa.csv.write_csv(t, sink)
    elif name.endswith(".arrow"):
        with pa.ipc.new_file(sink, t.schema) as writer:
            writer.write_table(t, max_chunksize=700)
    elif name.endswith(".jsonl"):
        sink.write("".join(json.dumps(row) + "\n" for row in t.to_pylist()).encode())
    elif name.endswith(".npz"):
        np.savez(sink, **{column: t[column].to_numpy() for column in t.column_names})
    return gzip.compress(sink.getvalue()) if name.endswith(".gz") else sink.getvalue()


NAMES = ["a.parquet", "a.csv", "a.csv.gz", "a.arrow", "a.jsonl", "a.npz"]


@pytest.fixture(scope="module")
def s3_server():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch):
    """What is behind the address, and a bucket `preds` with files in it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = pa.fs.S3FileSystem(
        endpoint_override=s3_server, scheme="http", region="us-east-1", allow_bucket_creation=True
    )
    store.create_dir("preds")

    def put(name, what):
        with store.open_output_stream(f"preds/{name}", compression=None) as file:
            file.write(what)

    query = f"endpoint_override={s3_server}&scheme=http&region=us-east-1"
    return f"?{query}", put


def local(tmp_path, name, t):
    (tmp_path / name).write_bytes(content(t, name))
    return tmp_path / name


@pytest.mark.parametrize("name", NAMES)
def test_a_file_in_s3_is_the_file(s3, tmp_path, name, monkeypatch):
    query, put = s3
    monkeypatch.setattr(data, "FRAGMENT_BYTES", 20_000)
    monkeypatch.setattr("xent.sources.csv_text._BLOCK", 10_000)
    put(f"formats/{name}", content(table(), name))
    address = f"s3://preds/formats/{name}{query}"
    report = xent.scan(address)
    assert report.loss == xent.scan(local(tmp_path, name, table())).loss
    assert f'"s3://preds/formats/{name}"' in report.json()
    again = pickle.loads(pickle.dumps(open_files([address])))  # engines send parts, which open the file anew
    assert sum(batch.data.num_rows for batch in again.batches(["p_1"])) == 3_000


def test_an_object_that_is_replaced_while_it_is_read_is_refused(s3, monkeypatch):
    query, put = s3
    monkeypatch.setattr(data, "FRAGMENT_BYTES", 20_000)
    put("replaced/a.parquet", content(table(), "a.parquet"))
    longer = [content(table(4_000), "a.parquet")]

    def replace(_):
        if longer:
            put("replaced/a.parquet", longer.pop())

    with pytest.raises(SourceError, match=r"^s3://preds/replaced/a.parquet has been written to since it was opened"):
        xent.scan(f"s3://preds/replaced/a.parquet{query}", brief=True, progress=replace)


def test_patterns_folders_and_their_columns_in_s3(s3):
    query, put = s3
    parts = {f"day={day}/part {n}.parquet": table(200, 10 * day + n) for day in (1, 2) for n in (0, 1)}
    for name, part in parts.items():
        put(f"days/{name}", content(part, name))
    put("days/_SUCCESS", b"")
    put("days/day=1/.part.crc", b"x")
    whole = pa.concat_tables(parts.values())
    days = np.repeat([1, 2], 400)
    expected = xent.evaluate(whole["label"].to_numpy(), np.stack([whole[f"p_{j}"] for j in range(3)], 1), group=days)
    report = xent.scan(f"s3://preds/days/{query}", group="day")
    assert (report.rows, report.loss) == (800, expected.loss)
    assert report.json().count("s3://preds/days/day%3D1") or report.json().count("s3://preds/days/day=1/part%200")
    assert xent.scan(f"s3://preds/days/day=*/part*.parquet{query}").loss == expected.loss
    assert xent.scan(f"s3://preds/days/**/*0.parquet{query}").rows == 400
    assert xent.scan(f"s3://preds/days/day=1{query}").rows == 400
    assert xent.scan(f"s3://preds/days/day=[2]/part 1.parquet{query}").rows == 200
    with pytest.raises(SourceError, match="no file matches 's3://preds/days/"):
        xent.scan(f"s3://preds/days/*.parquet{query}")


def test_names_in_s3_that_have_to_be_quoted(s3):
    query, put = s3
    t = table(200)
    names = ["a b.parquet", "[1].parquet", "1.parquet", "*.parquet"]
    for n, name in enumerate(names):
        put(f"quoted/day=%2F {n}%25/{name}", content(t.slice(50 * n, 50), name))
    below = f"s3://preds/quoted/{query}"
    groups = {one.group: one.rows for one in xent.scan(below, group="day").by_group}
    assert groups == {f"/ {n}%": 50 for n in range(4)}  # a key is quoted in its folder, and that in the address
    day = "s3://preds/quoted/day=%252F%20{}%2525/"
    assert xent.scan(f"{day.format(1)}%5B1%5D.parquet{query}").rows == 50
    assert xent.scan(f"{day.format(3)}%2a.parquet{query}").rows == 50
    assert xent.scan(f"{day.format('*')}[[]*{query}").rows == 50
    assert xent.scan(f"{day.format('*')}[1]*{query}").rows == 50
    spaced = f"{day.format(0)}a b.parquet{query}"
    with pytest.raises(SourceError, match="given twice"):
        xent.scan([spaced, spaced.replace("a b", "a%20b")])


def test_a_text_that_a_server_keeps_compressed_is_read_as_it_is_kept():
    for ranges in (True, False):
        with serving({"/encoded.csv.gz": content(table(), "a.csv.gz")}, ranges) as server:
            report = xent.scan(f"http://127.0.0.1:{server.server_port}/encoded.csv.gz")
        assert report.rows == 3_000


def test_only_the_columns_asked_for_are_fetched():
    random = np.random.default_rng(0)
    t = pa.table({"label": random.integers(0, 2, 50_000), "p": random.random(50_000), "w": random.random(50_000)})
    t = t.append_column("large", pa.array(random.bytes(100) for _ in range(50_000)))
    whole = content(t, "t.parquet")
    with serving({"/t.parquet": whole}) as server:
        report = xent.scan(f"http://127.0.0.1:{server.server_port}/t.parquet", brief=True)
        asked = [found for command, _, found, _ in server.seen if command == "GET"]
    assert report.rows == 50_000
    spans = [tuple(map(int, found.removeprefix("bytes=").split("-"))) for found in asked]
    assert sum(stop - start + 1 for start, stop in spans) < len(whole) / 4


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_on_the_web_is_the_file(tmp_path, name, ranges, monkeypatch):
    monkeypatch.setattr(data, "FRAGMENT_BYTES", 20_000)
    monkeypatch.setattr("xent.sources.csv_text._BLOCK", 10_000)
    with serving({f"/{name}": content(table(), name)}, ranges) as server:
        address = f"http://user:{QUOTED}@127.0.0.1:{server.server_port}/{name}?token={QUOTED}"
        report = xent.scan(address)
        assert all(authorization.startswith("Basic ") for *_, authorization in server.seen)
        assert all(f"token={QUOTED}" in path for _, path, *_ in server.seen)
    assert report.loss == xent.scan(local(tmp_path, name, table())).loss
    assert f'"http://127.0.0.1:{server.server_port}/{name}"' in report.json()
    assert SECRET not in report.json()
    assert QUOTED not in report.json()


def test_servers_that_do_not_keep_to_what_they_said():
    with serving({"/t.parquet": content(table(), "t.parquet")}) as server:
        address = f"http://127.0.0.1:{server.server_port}/t.parquet"
        t = open_files([address])
        server.files["/t.parquet"] = server.files["/t.parquet"][:20_000]
        with pytest.raises(SourceError, match=r"t\.parquet cannot be read"):
            list(t.batches(["p_0"]))
        server.status = 500
        with pytest.raises(SourceError, match=r"t\.parquet cannot be reached: the server answers 500"):
            list(t.batches(["p_0"]))


def no_secrets(error):
    """Of the error, of what caused it, and of all that a traceback shows."""
    told = "".join(traceback.format_exception(error)) + repr(error)
    told = "\n".join(line for line in told.splitlines() if "address" not in line)  # this file's own lines
    return SECRET not in told and QUOTED not in told


def s3_address(key, where):
    return f"s3://{key}?access_key=AKIA&secret_key={QUOTED}&endpoint_override={where}&scheme=http&region=us-east-1"


@pytest.fixture
def refusing():
    with serving({}, status=403) as server:
        yield f"127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("suffix", ["a.parquet", "*.parquet", ""])
def test_what_is_said_of_s3_that_does_not_answer(s3_server, refusing, suffix, capsys):
    cases = {
        s3_address(f"nobody/{suffix}", s3_server): "does not exist",
        s3_address(f"preds/none/{suffix}", s3_server): "does not exist|no file matches",
        s3_address(f"preds/{suffix}", refusing): "may not be read: .*\nCheck the credentials .*AWS_ACCESS_KEY_ID",
        s3_address(f"preds/{suffix}", "127.0.0.1:9"): "cannot be reached: .*\nCheck the address, the network",
        f"s3://AKIA:{QUOTED}@preds/{suffix}?endpoint_override=127.0.0.1:9&region=x": "cannot be reached",
        f"s3://AKIA:{QUOTED}@preds/{suffix}?secret={QUOTED}": "unknown options secret",
    }
    for address, message in cases.items():
        start = time.monotonic()
        with pytest.raises(SourceError, match=message) as caught:
            xent.scan(address)
        assert time.monotonic() - start < 20
        assert no_secrets(caught.value)
        assert main(["score", address]) == 2
        assert main(["check", address]) in (1, 2)
        shown = "".join(capsys.readouterr())
        assert "s3://" in shown
        assert SECRET not in shown
        assert QUOTED not in shown


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_what_is_said_of_web_servers_that_refuse(status, capsys):
    with serving({}, status=status) as server:
        address = f"http://user:{QUOTED}@127.0.0.1:{server.server_port}/a.csv?token={QUOTED}"
        with pytest.raises(SourceError, match=rf"/a\.csv .*{status}") as caught:
            xent.scan(address)
        assert no_secrets(caught.value)
        assert main(["score", address]) == 2
    with pytest.raises(SourceError, match="cannot be reached") as caught:
        xent.scan(address.replace(str(server.server_port), "9"))
    assert no_secrets(caught.value)
    assert QUOTED not in "".join(capsys.readouterr())


def test_secrets_are_in_no_representation_but_go_with_what_is_sent(s3):
    query, put = s3
    put("secrets.parquet", content(table(), "secrets.parquet"))
    address = f"s3://AKIA:{QUOTED}@preds/secrets.parquet{query}"
    t = open_files([address])
    assert QUOTED not in repr(t)
    assert QUOTED not in repr(list(t.fragments(["p_0"], 1_000)))
    assert QUOTED.encode() in pickle.dumps(t)  # a worker cannot open it else: docs/how-to/files.md says so
    assert next(t.batches(["p_0"])).source == "s3://preds/secrets.parquet"


def test_reports_of_files_elsewhere_name_them_without_secrets(s3, tmp_path, capsys):
    query, put = s3
    for name in ("one.parquet", "two.parquet"):
        put(name, content(table(seed=len(name)), name))
    addresses = [f"s3://AKIA:{QUOTED}@preds/{name}.parquet{query}" for name in ("one", "two")]
    state = tmp_path / "s.json"
    assert main(["score", *addresses, "--state", str(state), "--html", str(tmp_path / "r.html")]) == 0
    assert main(["score", *addresses, "--state", str(state), "--resume", "--json"]) == 0
    assert main(["compare", *addresses]) == 0
    assert main(["check", addresses[0]]) in (0, 1)
    everything = "".join(capsys.readouterr()) + state.read_text() + (tmp_path / "r.html").read_text()
    assert "s3://preds/one.parquet" in everything
    for secret in (SECRET, QUOTED, "AKIA"):
        assert secret not in everything
    with pytest.raises(SourceError, match="given twice"):  # names are what rows are told apart by
        xent.scan([addresses[0], f"s3://preds/one.parquet{query}"])


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("gs://bucket/a.parquet", "gs://bucket/a.parquet"),
        ("abfs://container@account.dfs.core.windows.net/a", "abfs://container@account.dfs.core.windows.net/a"),
        (f"abfs://container:{QUOTED}@account.dfs.core.windows.net/a", "abfs://account.dfs.core.windows.net/a"),
        ("hdfs://user@node:8020/a", "hdfs://node:8020/a"),
        (f"HTTPS://u:{QUOTED}@host:1/a%20b?x={QUOTED}#y", "https://host:1/a%20b"),
        (f"s3://b/a?secret_key={SECRET}", "s3://b/a"),
        (f"s3://key:{SECRET}@b/a", "s3://key:wJalrXUtnFEMI+K7MDENG/bPx@b/a"),  # no address: / must be written %2F
    ][:-1],
)
def test_addresses_and_how_they_are_shown(address, name):
    place = address_of(address)
    assert isinstance(place, Remote)
    assert place.name == name
    assert repr(place) == "Remote()"


def test_addresses_of_this_machine_and_of_none(tmp_path):
    path = local(tmp_path, "a b.csv", table())
    assert address_of(path.as_uri()) == str(path)
    assert xent.scan(path.as_uri()).loss == xent.scan(path).loss
    with pytest.raises(SourceError, match=r"az:// is unknown|az://, which is unknown") as caught:
        xent.scan(f"az://container/a?sig={QUOTED}")
    assert "abfs://container@account" in str(caught.value)
    assert no_secrets(caught.value)
