"""Rows of a database: the same numbers as from a file, in bounded memory, and no password anywhere."""

import glob
import hashlib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import adbc_driver_postgresql.dbapi
import duckdb
import numpy as np
import psycopg
import pyarrow as pa
import pytest

import xent
from xent import cli
from xent.errors import ArgumentTypeError, MissingPackageError, OptionError, SourceError
from xent.sources.sql import open_query, sql
from xent.sources.sql_url import shown

PASSWORD, QUOTED, USER = "pa%ss/w@rd", "pa%25ss%2Fw%40rd", "judge"
INITDB = shutil.which("initdb") or next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))), None)
ROWS = 3_000
QUERY = "select y, p_cat, p_dog, p_fox, w, g, number from preds order by number"
KINDS = ["url", "psycopg", "adbc", "sqlite url", "sqlite3", "duckdb"]
needs_server = pytest.mark.skipif(INITDB is None, reason="no PostgreSQL server is installed")


@contextmanager
def running():
    """A server in a temporary directory, on a free port."""
    programs, home = Path(INITDB).parent, Path(tempfile.mkdtemp(prefix="xent-postgresql-"))
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    as_user = []
    if os.getuid() == 0:  # the server refuses to run as root
        shutil.chown(home, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    secret = home / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)

    def run(program, *arguments):
        subprocess.run([*as_user, programs / program, *arguments], check=True, cwd=home, stdout=subprocess.DEVNULL)

    data = home / "data"
    try:
        run("initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync", "-E", "UTF8")
        settings = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "-D", data, "-o", settings, "-l", home / "log", "-w", "start")
        try:
            yield f"127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def server():
    if INITDB is None:
        pytest.skip("no PostgreSQL server is installed")
    with running() as place:
        url = f"postgresql://{USER}:{QUOTED}@{place}"
        with adbc_driver_postgresql.dbapi.connect(url) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest("preds", predictions(), mode="create")
            connection.commit()
        yield place


def predictions():
    random = np.random.default_rng(7)
    p = random.dirichlet(np.ones(3), ROWS)
    y = np.array(["cat", "dog", "fox"])[(random.random(ROWS)[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(0, 2)]
    columns = {"y": y, "p_cat": p[:, 0], "p_dog": p[:, 1], "p_fox": p[:, 2]}
    return pa.table(
        columns | {"w": random.integers(1, 5, ROWS) * 0.5, "g": np.arange(ROWS) % 4, "number": np.arange(ROWS)}
    )


def sqlite_file(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "create table preds (y text, p_cat real, p_dog real, p_fox real, w real, g integer, number integer)"
        )
        database.executemany(
            "insert into preds values (?, ?, ?, ?, ?, ?, ?)", map(tuple, map(dict.values, predictions().to_pylist()))
        )
        database.commit()
    return path


@pytest.fixture
def source(request, tmp_path):
    """A function from a query to a source, of each kind."""
    kind = request.param
    if kind in ("url", "psycopg", "adbc"):
        url = f"postgresql://{USER}:{QUOTED}@{request.getfixturevalue('server')}"
    if kind == "url":
        yield lambda query: sql(query, url)
    elif kind == "sqlite url":
        path = sqlite_file(tmp_path / "a?b#c%41.db")
        yield lambda query: sql(query, f"sqlite:{path}")
    else:
        opened = {
            "psycopg": lambda: psycopg.connect(url),
            "adbc": lambda: adbc_driver_postgresql.dbapi.connect(url),
            "sqlite3": lambda: sqlite3.connect(sqlite_file(tmp_path / "preds.db")),
            "duckdb": lambda: duckdb.connect(str(tmp_path / "preds.duckdb")),
        }
        with closing(opened[kind]()) as connection:
            if kind == "duckdb":
                connection.register("given", predictions())
                connection.execute("create table preds as select * from given")
            yield lambda query: sql(query, connection)


def numbers(report):
    """All of a report but where its rows come from."""
    found = json.loads(report.json())
    for row in found["worst"]:
        row["source"] = None
    return found


@pytest.mark.parametrize("source", KINDS, indirect=True)
@pytest.mark.parametrize("options", [{}, {"group": "g", "unit": "bits"}, {"sample_weight": "w"}])
def test_the_same_rows_give_the_same_report_as_from_a_file(source, options, tmp_path):
    import pyarrow.parquet

    pyarrow.parquet.write_table(predictions(), tmp_path / "preds.parquet")
    truth = numbers(xent.scan(tmp_path / "preds.parquet", **options))
    assert truth["loss"] > 0.1
    found = numbers(xent.scan(source(QUERY + " -- in their order"), **options))
    if "sample_weight" in options:  # where the last digits of cures depend on where batches end
        cures = [[rung.pop("corrected_gain") for rung in one["ladder"][1:-1]] for one in (found, truth)]
        assert cures[0] == pytest.approx(cures[1], rel=1e-9)
        p_values = [[rung.pop("p_value") for rung in one["ladder"]] for one in (found, truth)]
        assert p_values[0][1:-1] == pytest.approx(p_values[1][1:-1], rel=1e-9)
    assert found == truth


@pytest.mark.parametrize("source", KINDS, indirect=True)
def test_clusters_and_holdout(source):
    found, truth = xent.scan(source(QUERY), cluster="g"), xent.scan(predictions(), cluster="g")
    assert (found.loss, found.interval) == (truth.loss, truth.interval)
    assert 0 < xent.scan(source(QUERY), holdout=True).rows < ROWS


@pytest.mark.parametrize("source", KINDS, indirect=True)
def test_check_and_compare_take_queries(source):
    from_sql, from_memory = xent.check(source(QUERY)), xent.check(predictions())
    assert (from_sql.rows, from_sql.findings) == (ROWS, from_memory.findings)
    assert from_sql.loss == pytest.approx(from_memory.loss, rel=1e-14)
    found = xent.compare(source(QUERY), predictions(), on="number")
    assert (found.rows, found.pairs[0].difference) == (ROWS, 0.0)


VALUES = """
select label, p::{kind} as p from (values (1, 0.75), (0, 0.25), (1, 0.5)) as given (label, p)
"""


@needs_server
@pytest.mark.parametrize("driver", ["url", "psycopg"])
@pytest.mark.parametrize("kind", ["numeric", "numeric(6, 4)", "real", "double precision", "text::float8"])
@pytest.mark.parametrize(
    "label", ["label::bigint", "label::smallint", "label::numeric", "label = 1", "label::text", "label::float8"]
)
def test_every_type_of_number_label_and_probability(server, driver, kind, label):
    url = f"postgresql://{USER}:{QUOTED}@{server}"
    query = VALUES.format(kind=kind).replace("select label", f"select ({label}) as label")
    with closing(psycopg.connect(url)) as connection:
        report = xent.scan(sql(query, url if driver == "url" else connection), brief=True)
    assert report.loss == pytest.approx(-(np.log(0.75) * 2 + np.log(0.5)) / 3, rel=1e-15)


@needs_server
@pytest.mark.parametrize("driver", ["url", "psycopg"])
@pytest.mark.parametrize("kind", ["float8[]", "real[]", "numeric[]", "numeric(4, 3)[]"])
def test_arrays_are_columns_of_lists(server, driver, kind):
    url = f"postgresql://{USER}:{QUOTED}@{server}"
    query = f"select y as label, p::{kind} as p from (values (2, '{{0.25, 0.25, 0.5}}'), (0, '{{0.125, 0.5, 0.375}}')) as t (y, p)"
    with closing(psycopg.connect(url)) as connection:
        given = sql(query, url if driver == "url" else connection)
        assert xent.scan(given).loss == pytest.approx(-(np.log(0.5) + np.log(0.125)) / 2, rel=1e-15)
        ragged = sql(query.replace("0.125, ", ""), given.connection)
        with pytest.raises(SourceError, match=r"row 1.*'p' is a list of 2, but must be one of 3"):
            xent.scan(ragged)
        missing = sql(query.replace("0.125", "NULL"), given.connection)
        with pytest.raises(SourceError, match=r"row 1.*'p' is missing"):
            xent.scan(missing)


OTHERS = """
select i % 2 as label, 0.5 as p, md5((i % 3)::text)::uuid as u, '{"a": [1]}'::jsonb as j, '10.0.0.1'::inet as a,
    now() as t, interval '1 day' as v, '[1,2)'::int4range as r, '\\x00'::bytea as b, null as n, date '2020-01-01' as d
from generate_series(1, 90) as i
"""


@needs_server
@pytest.mark.parametrize("driver", ["url", "psycopg"])
def test_columns_of_other_types_are_no_hindrance(server, driver):
    url = f"postgresql://{USER}:{QUOTED}@{server}"
    with closing(psycopg.connect(url)) as connection:
        database = url if driver == "url" else connection
        assert xent.scan(sql(OTHERS, database)).loss == pytest.approx(np.log(2), rel=1e-15)
        for group in ("u", "d", "t"):
            report = xent.scan(sql(OTHERS, database), group=group, cluster=group)
            if group == "u":
                names = {str(uuid.UUID(hashlib.md5(text).hexdigest())) for text in (b"0", b"1", b"2")}
                assert {one.group for one in report.by_group} == names
            assert sum(one.rows for one in report.by_group) == 90
        with pytest.raises(SourceError, match=r"predictions must be numbers|not numeric|no number"):
            xent.scan(sql(OTHERS, database), prediction="j")


@needs_server
@pytest.mark.parametrize("driver", ["url", "psycopg"])
def test_what_is_missing_is_named_by_its_row(server, driver):
    url = f"postgresql://{USER}:{QUOTED}@{server}"
    with closing(psycopg.connect(url)) as connection:
        database = url if driver == "url" else connection
        for column in ("y", "p_dog", "w"):
            other = f"case when number = 1234 then null else {column} end as {column}"
            query = re.sub(rf"\b{column}\b", other, QUERY, count=1)
            with pytest.raises(SourceError, match=f"row 1234 .*'{column}' is missing"):
                xent.scan(sql(query, database), sample_weight="w")
        huge = "select 0 as label, 0.5 as p, 12345678901234567890::numeric as g"
        with pytest.raises(SourceError, match=r"row 0 .*'g' is 12345678901234567890, more than a float64 holds"):
            xent.scan(sql(huge, database), cluster="g")


@needs_server
def test_nothing_is_said_of_the_password(server, capsys):
    good = f"postgresql://{USER}:{QUOTED}@{server}"
    port = server.partition(":")[2].partition("/")[0]
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        closed = held.getsockname()[1]
        for url, query, said in [
            (f"postgresql://{USER}:wr0ng-secret@{server}", QUERY, "password authentication failed"),
            (f"postgresql://{USER}:{QUOTED}@127.0.0.1:{closed}/postgres", QUERY, "Connection refused"),
            (f"postgresql://{USER}:{QUOTED}@no-such-host.invalid/postgres", QUERY, "no-such-host.invalid"),
            (f"postgresql://{USER}:pa%ss@{server}", QUERY, "% as %25"),
            (f"postgresql://{USER}:se/cr@et@{server}", QUERY, "/ as %2F"),
            (f"postgresql://{server}?user={USER}&password=wr0ng-secret", QUERY, "password authentication failed"),
            (f"postgresql://{server}?user={USER}&pasword=wr0ng-secret", QUERY, "invalid URI query parameter"),
            (f"postgresql://{server}?user={USER}&wr0ng-secret", QUERY, "malformed"),
            (good, "selec label from preds", 'syntax error at or near "selec"'),
            (good, "select y, p from nowhere", 'relation "nowhere" does not exist'),
            (good, "select y, nothing from preds", 'column "nothing" does not exist'),
            (good, "select 1 into made", "cannot be read: cannot execute SELECT INTO in a read-only transaction"),
            (good, "select 1 / (number - 2000) as y, p_cat as p from preds", "division by zero"),
            (good, "select y, p_cat, p_dog, p_fox from preds where false", "no rows"),
            (good, "select y, p_cat, p_cat from preds", "ambiguous"),
        ]:
            assert cli.main(["score", "--sql", query, "--connect", url]) == 2
            err = capsys.readouterr().err
            assert said in err
            for secret in (USER, PASSWORD, QUOTED, "pa%ss", "wr0ng", "secret", "cr@et", "se/"):
                assert secret not in err
            if "invalid" not in url:
                assert port in err or str(closed) in err or "ambiguous" in said


@needs_server
def test_nothing_is_said_of_the_password_in_reports(server, capsys, tmp_path):
    url = f"postgresql://{USER}:{QUOTED}@{server}"
    page = tmp_path / "report.html"
    assert cli.main(["score", "--sql", QUERY, "--connect", url, "--json", "--html", str(page)]) == 0
    shown_there = (
        page.read_text() + capsys.readouterr().out + repr(sql(QUERY, url)) + xent.check(sql(QUERY, url)).json()
    )
    assert f"postgresql://{server}" in shown_there
    assert not any(secret in shown_there for secret in (PASSWORD, QUOTED, f"{USER}:", f"{USER}@"))


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://u:p@h:1/d?sslpassword=x", "postgresql://h:1/d"),
        ("postgres://u:p@ss/w?o#rd@h/d", "postgres://h/d"),
        ("postgresql:///d?host=/run&password=a@b", "postgresql://b"),
        ("mysql+driver://u:p@h/d", "mysql+driver://h/d"),
        ("host=h password=p", "the connection"),
        ("host=h password=a:b", "the connection"),
        ("sqlite:a/b.db", "sqlite:a/b.db"),
    ],
)
def test_a_url_is_shown_without_user_password_and_options(url, seen):
    assert shown(url) == seen


MEMORY = """
import resource, sqlite3, sys
import psycopg, xent
kind, place, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
database = {"url": lambda: place, "psycopg": lambda: psycopg.connect(place), "sqlite3": lambda: sqlite3.connect(place)}[kind]()
query = f"select number % 2 as label, 0.5 as p, {'pad' if 'sqlite' in kind + place else 'text'} as pad from wide where number < {rows}"
report = xent.scan(xent.sql(query, database), prediction="p", brief=True)
print(report.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


@pytest.mark.parametrize("kind", ["url", "psycopg", "sqlite3", "sqlite url"])
def test_memory_does_not_grow_with_the_rows(kind, request, tmp_path):
    pad, many = "x" * 1000, 160_000  # 160 MB, of which nothing may stay
    if kind.startswith("sqlite"):
        place = str(tmp_path / "wide.db")
        with closing(sqlite3.connect(place)) as database:
            database.execute("create table wide (number integer, pad text)")
            database.executemany("insert into wide values (?, ?)", ((i, pad) for i in range(many)))
            database.commit()
        kind, place = ("url", f"sqlite:{place}") if kind == "sqlite url" else (kind, place)
    else:
        place = f"postgresql://{USER}:{QUOTED}@{request.getfixturevalue('server')}"
        with closing(psycopg.connect(place)) as database:
            database.execute("create table if not exists wide as select i as number, repeat('x', 1000) as text "
                             f"from generate_series(0, {many - 1}) as i")  # fmt: skip
            database.commit()

    def held(rows):
        run = [sys.executable, "-W", "ignore", "-c", MEMORY, kind, place, str(rows)]
        counted, size = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
        assert int(counted) == rows
        return int(size)

    assert held(many) - held(many // 4) < 60


def test_rows_that_come_in_between_are_an_error_or_not_seen(tmp_path):
    path = sqlite_file(tmp_path / "preds.db")
    with closing(sqlite3.connect(path)) as database:
        table = open_query(sql(QUERY, database))
        assert sum(batch.data.num_rows for batch in table.batches(["y"])) == table.rows == ROWS
        database.execute("insert into preds select * from preds where number < 5")
        with pytest.raises(SourceError, match=r"3,000 rows when the query was first run, and now 3,005"):
            list(table.batches(["y"]))


@needs_server
def test_all_readings_of_a_postgresql_url_see_one_state(server):
    url = f"postgresql://{USER}:{QUOTED}@{server}"
    with closing(psycopg.connect(url)) as other:
        other.execute("create table growing as select 1 as label, 0.5 as p from generate_series(1, 10)")
        other.commit()
        table = open_query(sql("select * from growing", url))
        other.execute("insert into growing values (0, 0.25)")
        other.commit()
        assert [sum(batch.data.num_rows for batch in table.batches(["p"])) for _ in range(2)] == [10, 10]
        with pytest.raises(SourceError, match="read-only transaction"):
            open_query(sql("select * into copied from growing", url))


@needs_server
def test_a_reading_that_is_given_up_leaves_the_connection_usable(server):
    url = f"postgresql://{USER}:{QUOTED}@{server}"
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for database in (url, connection):
            table = open_query(sql("select i % 2 as label, 0.5 as p from generate_series(1, 300000) as i", database))
            given_up = table.batches(["label"], batch_bytes=1000)
            assert next(given_up).first_row == 0
            given_up.close()
            assert sum(batch.data.num_rows for batch in table.batches(["p"])) == 300_000


def test_values_of_several_types_in_a_column_of_sqlite(tmp_path):
    path = tmp_path / "loose.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table loose (label, p)")
        database.executemany("insert into loose values (?, ?)", [(i % 2, 1 if i < 2000 else 0.5) for i in range(3000)])
        database.commit()
        query = "select label, p from loose"
        kinds = open_query(sql(query, database)).schema.types
        assert kinds == [pa.int64(), pa.float64()]
        with pytest.raises(SourceError, match=r"write cast\(column as real\)"):
            xent.scan(sql(query, f"sqlite:{path}"))
        cast = "select label, cast(p as real) as p from loose where p < 1 or label"
        assert (
            xent.scan(sql(cast, f"sqlite:{path}")).loss
            == xent.scan(sql(cast, database)).loss
            == pytest.approx(np.log(2) / 2)
        )
        database.execute("insert into loose values (1, 'high')")
        with pytest.raises(SourceError, match=r"row 3000 .*'p' is str, but int in the rows before"):
            xent.scan(sql(query, database))


def test_the_command_takes_a_query_or_files(capsys, tmp_path):
    url = f"sqlite:{sqlite_file(tmp_path / 'preds.db')}"
    arguments = ["score", "--sql", QUERY, "--connect", url]
    assert cli.main([*arguments, "--group", "g", "--weight", "w", "--prediction", "p_*", "--label", "y", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == ROWS
    assert (
        cli.main([*arguments, "--fail-above", "0.1", "--baseline-report", str(_old(tmp_path)), "--on", "number"]) == 1
    )
    assert "paired by 'number' over 3,000 rows" in capsys.readouterr().err
    tokens = ["--sql", "select -0.5 as lp from preds", "--connect", url, "--log-probability", "lp", "--json"]
    assert cli.main(["score", *tokens]) == 0
    assert "1.64872" in capsys.readouterr().out  # exp(1/2), the perplexity
    with pytest.raises(SystemExit):
        cli.main(["score"])
    assert "required: FILE, or --sql and --connect" in capsys.readouterr().err
    for wrong, said in [
        ([*arguments, "preds.csv"], "preds.csv"),
        (["score", "--sql", QUERY], "--connect URL"),
        (["score", "--connect", url], "--sql QUERY"),
        (["score", "--sql", QUERY, "--connect", "sqlite:///nowhere.db"], "does not exist"),
        (["score", "--sql", QUERY, "--connect", "mysql://u:p@h/d"], "pass the connection to xent.sql"),
        (["score", "--sql", " ; ", "--connect", url], "SELECT"),
    ]:
        assert cli.main(wrong) == 2
        assert said in capsys.readouterr().err


def _old(folder):
    import pyarrow.parquet

    pyarrow.parquet.write_table(predictions(), folder / "old.parquet")
    return folder / "old.parquet"


def test_rows_that_are_dicts_or_named(tmp_path, request):
    with closing(sqlite3.connect(sqlite_file(tmp_path / "preds.db"))) as database:
        truth = xent.scan(sql(QUERY, database)).loss
        database.row_factory = sqlite3.Row
        assert xent.scan(sql(QUERY, database)).loss == truth
        database.row_factory = lambda cursor, row: dict(zip([one[0] for one in cursor.description], row, strict=True))
        assert xent.scan(sql(QUERY, database)).loss == truth
    if INITDB is not None:
        url = f"postgresql://{USER}:{QUOTED}@{request.getfixturevalue('server')}"
        with closing(psycopg.connect(url, row_factory=psycopg.rows.dict_row)) as database:
            assert xent.scan(sql(QUERY, database)).loss == truth


def test_nothing_that_is_printed_of_a_table_has_the_password(tmp_path):
    table = open_query(sql(QUERY, f"sqlite:{sqlite_file(tmp_path / 'preds.db')}"))
    hidden = replace(table, database=replace(table.database, url=f"postgresql://{USER}:{QUOTED}@host/database"))
    assert QUOTED not in repr(hidden)


def test_what_is_no_query_or_no_connection_is_refused(tmp_path):
    with pytest.raises(ArgumentTypeError, match="SELECT"):
        sql(7, "sqlite:a.db")
    with pytest.raises(ArgumentTypeError, match="connection is of type dict"):
        sql("select 1", {})
    with closing(sqlite3.connect(sqlite_file(tmp_path / "preds.db"))) as database:
        with pytest.raises(SourceError, match="no SELECT"):
            xent.scan(sql("pragma case_sensitive_like = 1", database))
        with pytest.raises(SourceError, match="no such table: nowhere"):
            xent.scan(sql("select * from nowhere", database))
    with pytest.raises(OptionError, match="beside it"):
        raise_from_command(["score", "--sql", "select 1"])


@pytest.mark.parametrize(
    "query",
    ["delete from predictions", " -- all\n/* of\n them */ Delete from predictions", "insert into predictions values (1)",
     "UPDATE predictions set label = 0", "; delete from predictions", "\ufeffdelete from predictions",
     "with x as (select 1) delete  from predictions", "/* a */ /* b */ delete from predictions", "(delete from predictions)",
     "drop table predictions", "create table other (a)", "replace into predictions values (1)"],
)  # fmt: skip
def test_a_query_that_changes_the_database_is_not_run(query, tmp_path):
    file = sqlite_file(tmp_path / "preds.db")
    with closing(sqlite3.connect(file)) as database:
        before = list(database.iterdump())
        with pytest.raises(SourceError, match=r"the query has [A-Z ]+, which may change the database, and was not"):
            sql(query, database)
        database.commit()
        assert list(database.iterdump()) == before


def test_queries_that_speak_of_changes_are_run(tmp_path):
    with closing(sqlite3.connect(sqlite_file(tmp_path / "preds.db"))) as database:
        truth = xent.scan(sql(QUERY, database)).loss
        banner = "/* - */" * 50
        for query in (
            f"with updates as ({QUERY}) select * from updates",
            f"/* delete; */ {QUERY} -- drop",
            f"/* scores */ {QUERY} /* as they are; */",
            f"/* a */ select *, /* b */ replace('delete from x; y', 'a', 'b') as note from ({QUERY})",
            f"{banner} {QUERY} {banner}",
        ):
            assert xent.scan(sql(query, database)).loss == truth


def test_one_statement_is_taken(tmp_path):
    url = f"sqlite:{sqlite_file(tmp_path / 'preds.db')}"
    with pytest.raises(SourceError, match=r"^the query has several statements"):
        sql(f"{QUERY}; select 1", url)
    for same in (f"{QUERY} ; ", f"{QUERY} -- ; no more\n", f"select * from ({QUERY}) where 'a;b' <> \"label\""):
        assert xent.scan(sql(same, url)).loss == xent.scan(sql(QUERY, url)).loss
    with pytest.raises(SourceError, match=r"preds.db has options behind the \?, and none are taken"):
        xent.scan(sql(QUERY, f"{url}?mode=ro"))


def raise_from_command(arguments):
    options = cli._parser().parse_args(arguments)
    options.run(options)


@pytest.mark.parametrize(("url", "driver"), [("sqlite:{}", "sqlite"), ("postgresql://u:s3cret@h/d", "postgresql")])
def test_a_missing_driver_says_what_to_install(url, driver, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, f"adbc_driver_{driver}.dbapi", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'xent\[sql\]'") as raised:
        xent.scan(sql("select 1", url.format(sqlite_file(tmp_path / "preds.db"))))
    assert "s3cret" not in str(raised.value)
