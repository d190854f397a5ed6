"""Which engine is meant, and what it is not asked to do."""

import os
import pickle
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Timer

import array_api_compat
import numpy as np
import pyarrow as pa
import pytest

import xent
from xent.cli import main
from xent.engines import contract, dask
from xent.engines.choose import ENGINES, engine_of
from xent.engines.dask import Dask
from xent.engines.local import Local
from xent.engines.ray import Ray
from xent.engines.spark import Spark
from xent.errors import ArgumentTypeError, EngineError, MissingPackageError, OptionError, SourceError
from xent.scoring import prepare
from xent.scoring.passes import Reading
from xent.scoring.totals import Total

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")


def test_names_and_addresses():
    assert engine_of() == engine_of("local") == Local()
    assert engine_of("local", 3) == Local(3)
    assert engine_of("processes", 2) == Local(2, processes=True)
    assert engine_of("dask", address="tcp://head:8786") == Dask(address="tcp://head:8786")
    assert engine_of("ray") == Ray("auto")
    assert engine_of("ray", address="head:6379") == Ray("head:6379")
    assert engine_of("spark", address="sc://head:15002") == Spark(address="sc://head:15002")
    assert {type(engine_of(name)) for name in ENGINES} == {Local, Dask, Ray, Spark}


def test_engines_of_others_are_taken_as_they_are():
    class Theirs:
        def run(self, work, fragments, merge):
            yield range(len(fragments)), merge([work(fragment) for fragment in fragments])

    path = "examples/data/digits_naive_bayes.parquet"
    assert xent.scan(path, engine=Theirs()).json() == xent.scan(path).json()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        (("flink",), OptionError, "local, processes, dask, ray, spark"),
        (("ray", 2), OptionError, "a cluster has its own"),
        (("local", 0), OptionError, "1 or more"),
        (("local", None, "head:1"), OptionError, "dask, ray or spark"),
        ((None, None, "head:1"), OptionError, "dask, ray or spark"),
        ((3,), ArgumentTypeError, "int"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, said):
    with pytest.raises(error, match=said):
        engine_of(*options)


@pytest.mark.parametrize(("engine", "module"), [("dask", "distributed"), ("ray", "ray"), ("spark", "pyspark.sql")])
def test_a_missing_package_is_named(engine, module, monkeypatch, folder):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=f"xent\\[{engine}\\]"):
        xent.scan(folder / "one.arrow", engine=engine)


def test_a_cluster_that_does_not_answer_is_named(folder):
    """Ray tries without end where nothing listens."""
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        for asked in (address, f"ray://{address}"):
            with pytest.raises(EngineError, match=f"{asked} does not answer"):
                xent.scan(folder / "one.arrow", engine=Ray(asked))


def test_a_cluster_without_workers_is_waited_for_aloud(monkeypatch):
    """Not at once: one that died is replaced in a second or two, and then there is nothing to say."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(1, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        cluster.scale(0)
        while client.scheduler_info()["workers"]:
            time.sleep(0.05)
        monkeypatch.setattr(dask, "SOON", 0.2)
        with pytest.warns(RuntimeWarning, match="no workers"), Dask(client)._connected() as (_, found):
            assert found is client
        monkeypatch.setattr(dask, "SOON", 60.0)
        Timer(0.3, cluster.scale, [1]).start()
        with Dask(client)._connected():
            assert len(client.scheduler_info()["workers"]) == 1


def test_tables_in_memory_do_not_go_to_a_cluster():
    with pytest.raises(ArgumentTypeError, match=r"xent\.spark\.evaluate"):
        xent.scan({"label": np.array([0, 1]), "p": np.array([0.5, 0.5])}, engine="ray")


def test_a_pipe_does_not_go_to_a_cluster(tmp_path, folder):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", folder / "part0.csv", pipe]), pytest.raises(SourceError, match="is a pipe"):
        xent.scan(pipe, engine="ray")


def test_an_engine_that_counts_twice_or_never_is_caught():
    with pytest.raises(EngineError, match="fragment 1 was counted twice"):
        list(contract.each_once([((0, 1), "a"), ((1, 2), "b")], 3))
    with pytest.raises(EngineError, match="fragment 2 was left out"):
        list(contract.each_once([((0, 1), "a")], 3))


def test_very_many_fragments_make_few_tasks():
    tasks = contract.tasks_of(100_000)
    assert len(tasks) <= 4096
    assert [number for task in tasks for number in task] == list(range(100_000))
    assert list(map(len, contract.tasks_of(3))) == [1, 1, 1]


def test_no_more_than_sixteen_results_are_held():
    held = []

    def merge(results):
        held.append(len(results))
        return sum(results)

    assert contract.gathered(iter(range(1000)), merge) == sum(range(1000))
    assert max(held) == contract.FAN_IN


def _reading(path):
    data = prepare.open_data(path, label="label")
    prepared = prepare.prepare(data, "auto", "auto", None, {"brief": False})
    reader = data.reader.ordered(prepared.order)
    return Reading(reader, data._schema, None, Total(prepared.plan)), list(data.table.fragments(reader.needed))


def test_a_worker_of_another_version_is_refused(folder):
    reading, fragments = _reading(folder / "part0.parquet")
    with pytest.raises(EngineError, match=r"has xent .* but 0\.0\.1 asks"):
        replace(reading, version="0.0.1")(fragments[0])


WORKER = """
import pickle, sys
work, fragment = pickle.load(sys.stdin.buffer)
outcome = work(fragment)
assert outcome.rows and not outcome.failures
sys.stdout.buffer.write(pickle.dumps(outcome.value))
"""


def test_a_worker_needs_numpy_pyarrow_and_xent_alone(folder, tmp_path):
    """And array-api-compat, which is a few files of Python that `import xent` loads."""
    for module in (xent, np, pa, array_api_compat):
        place = Path(module.__file__).parent
        (tmp_path / place.name).symlink_to(place)
        if (libraries := place.with_name(f"{place.name}.libs")).exists():
            (tmp_path / libraries.name).symlink_to(libraries)
    reading, fragments = _reading(folder / "part0.parquet")
    done = subprocess.run(
        [sys.executable, "-S", "-c", WORKER],  # -S: nothing that is installed is found
        input=pickle.dumps((reading, fragments[0])),
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert pickle.loads(done.stdout) == reading(fragments[0]).value


def test_relative_names_are_found_by_workers_in_another_folder(cluster, folder, monkeypatch, within):
    monkeypatch.chdir(folder)
    expected = xent.scan("part0.parquet", workers=1, brief=True)
    assert within(90, xent.scan, "part0.parquet", engine=cluster, brief=True).json() == expected.json()
    assert expected.worst[0].source == "part0.parquet"


COMMANDS = [
    pytest.param("processes", None, marks=pytest.mark.xdist_group("engine processes")),
    pytest.param("dask", "dask_client", marks=pytest.mark.xdist_group("engine dask")),
    pytest.param("ray", "ray_cluster", marks=pytest.mark.xdist_group("engine ray")),
    pytest.param("spark", "spark_sessions", marks=pytest.mark.xdist_group("engine spark")),
]


@pytest.mark.parametrize(("engine", "started"), COMMANDS)
def test_the_command_on_a_running_cluster(engine, started, folder, request):
    cluster = request.getfixturevalue(started) if started else None
    address = {
        "dask": lambda: cluster.scheduler.address,
        "ray": lambda: cluster,
        "spark": lambda: cluster[2],
        "processes": lambda: None,
    }[engine]()
    where = ["--engine", engine, *(["--address", address] if address else ["--workers", "2"])]
    command = [sys.executable, "-m", "xent.cli", "score", str(folder / "part0.parquet"), "--brief", "--json"]
    expected = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found = subprocess.run([*command, *where], capture_output=True, text=True, check=True, timeout=90).stdout
    assert found == expected
    assert '"loss"' in found


def test_the_command_refuses_what_makes_no_sense(folder, capsys):
    assert main(["score", str(folder / "one.arrow"), "--engine", "flink"]) == 2
    assert "engine is 'flink'" in capsys.readouterr().err
    log = str(Path(__file__).parents[1] / "data" / "token_logs" / "chats.jsonl")
    assert main(["score", log, "--engine", "ray"]) == 2
    assert "--engine has no meaning" in capsys.readouterr().err
