"""Where Azure is looked for, and with which key; it was read by hand from its emulator, Azurite."""

import urllib.parse

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet
import pytest

import xent
from xent.cli import main
from xent.errors import SourceError
from xent.sources import stores
from xent.sources.failures import shown

KEY = "Eby8vdM0/2xNOcqFlqUwJPLlmEtlCDXJ+w=="  # in no message
QUOTED = urllib.parse.quote(KEY, safe="")


def written(seed, rows=500):
    random = np.random.default_rng(seed)
    p = random.random(rows)
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(pa.table({"label": (random.random(rows) < p).astype(int), "p": p}), sink, row_group_size=100)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("address", "account", "options", "paths"),
    [
        (f"abfs://box:{QUOTED}@mine.dfs.core.windows.net/preds", "mine", [".blob.core.windows.net"], ["box/preds"]),
        (f"abfss://:{QUOTED}@mine.blob.core.chinacloudapi.cn/box/preds", "mine", [".blob.core.chinacloudapi.cn"],
         ["box/preds"]),
        (f"abfs://mine:{QUOTED}@localhost:10000/box/preds?enable_tls=false", "mine", ["localhost:10000", "http"],
         ["box/preds"]),
    ],
)  # fmt: skip
def test_an_account_of_azure_is_opened_with_the_key_of_its_address(
    address, account, options, paths, tmp_path, monkeypatch
):
    """pyarrow leaves the key out of such addresses, and refuses paths that begin with a slash."""
    (tmp_path / "box/preds").mkdir(parents=True)
    (tmp_path / "box/preds/a.parquet").write_bytes(written(1))
    asked, seen = {}, set()

    def opened(name, **how):
        asked.update(how, name=name)
        return Strict(pa.fs.SubTreeFileSystem(str(tmp_path), pa.fs.LocalFileSystem()), seen)

    stores._connected.cache_clear()
    monkeypatch.setattr(pa.fs, "AzureFileSystem", opened, raising=False)
    for suffix in ("/a.parquet", "/*.parquet", "/"):
        whole, mark, query = address.partition("?")
        report = xent.scan(f"{whole}{suffix}{mark}{query}")
        assert report.loss == xent.scan(tmp_path / "box/preds/a.parquet").loss
        assert KEY not in report.json()
        assert QUOTED not in report.json()
    stores._connected.cache_clear()
    assert (asked["name"], asked["account_key"]) == (account, KEY)
    assert set(options) <= set(asked.values())
    assert seen >= set(paths)


class Strict:
    """A file system that takes paths as Azure's does."""

    def __init__(self, system, seen):
        self.system, self.seen = system, seen

    def get_file_info(self, what):
        self.looked_at(getattr(what, "base_dir", what))
        return self.system.get_file_info(what)

    def open_input_file(self, path):
        self.looked_at(path)
        return self.system.open_input_file(path)

    def looked_at(self, path):
        assert not path.startswith("/")
        self.seen.add(path)


def test_what_azure_says_is_no_traceback(monkeypatch):
    class Refusing:
        def get_file_info(self, _):
            raise pa.ArrowException(f"Unknown error: no token for https://mine/box?sig={QUOTED}.")

    stores._connected.cache_clear()
    monkeypatch.setattr(pa.fs, "AzureFileSystem", lambda *_, **__: Refusing(), raising=False)
    with pytest.raises(SourceError, match="cannot be reached: Unknown error: no token for") as caught:
        xent.scan(f"abfs://box:{QUOTED}@mine.dfs.core.windows.net/*.parquet")
    stores._connected.cache_clear()
    assert QUOTED not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "s3://key:wJalr/SECRET@bucket/x.parquet",
        "https://me:pa?SECRET@127.0.0.1:1/x.csv",
        " https://me:SECRET@127.0.0.1:1/x.csv?token=SECRET",
        "http:/me:SECRET@127.0.0.1:1/x.csv",
        "http://u:SECRET@[bad/x.parquet",
    ],
)
def test_addresses_that_are_mistyped_show_no_secret(address, capsys):
    assert main(["score", address]) == 2
    said = capsys.readouterr().err
    assert said.startswith("xent: SourceError: ")
    assert "SECRET" not in said
    with pytest.raises(SourceError) as caught:
        xent.read_state(address)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("url", ["jdbc:sqlserver://h;user=u;password=SECRET", "mysql:u:SECRET", "sqlserver://h;password=SECRET",
                                 "postgresql:user:SECRET", "sqlite:/missing.db?key=SECRET"])  # fmt: skip
def test_databases_that_are_mistyped_show_no_secret(url):
    with pytest.raises(SourceError) as caught:
        xent.scan(xent.sql("select 1", url))
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["https://host:80/a@b.csv", "s3://bucket/a@b", "https://[::1]:80/a?b@c", "https://h/a:b/c@d"]
)
def test_an_address_with_an_at_is_no_mistake(address):
    assert shown(address) == address.partition("?")[0]
