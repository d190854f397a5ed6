"""Real engines with two workers each, started once a session: Dask, Ray, Spark classic and Spark Connect."""

import os
import shutil
import socket
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from xent.engines.choose import engine_of
from xent.engines.local import Local
from xent.sources.files import FileTable

ON_WORKERS = str(Path(__file__).parent / "on_workers")
sys.path.append(ON_WORKERS)
SMALL = 1 << 13  # bytes of a fragment here


def grouped(*names):
    """Engines as parameters, the tests of each cluster in one process of pytest-xdist: both of Spark share one Java."""
    return [
        pytest.param(name, marks=pytest.mark.xdist_group(f"engine {name.replace('connect', 'spark')}"))
        for name in names
    ]


@pytest.fixture(scope="session", autouse=True)
def what_workers_see():
    """Workers run this Python, and import xent and this folder's module from where this process does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([ON_WORKERS, *filter(None, sys.path)]))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # half of the CPU time of a Java that ends in a minute goes into compiling with great care, and on several threads
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        yield


@pytest.fixture(scope="session")
def dask_client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def ray_cluster():
    ray = pytest.importorskip("ray")
    context = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture(scope="session")
def spark_sessions():
    """A classic session, and one of Connect to a server in the same Java process."""
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("no java is installed")
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    settings = {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.port": port,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
        "spark.default.parallelism": 2,
        "spark.sql.shuffle.partitions": 4,  # 200 would be 200 tasks, each of a tenth of a second, where there is no adapting
        "spark.sql.adaptive.coalescePartitions.initialPartitionNum": 4,
    }
    session = SparkSession.builder.master("local[2,4]").config(map=settings).getOrCreate()  # local[2] does not retry
    connected = ConnectSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
    yield session, connected, f"sc://localhost:{port}"
    connected.stop()
    session.stop()


@pytest.fixture(scope="session")
def any_engine(request):
    """The engine of that name."""

    def started(name):
        if name == "threads":
            return Local(2)
        if name == "processes":
            return Local(2, processes=True)
        if name == "dask":
            return engine_of(request.getfixturevalue("dask_client"))
        if name == "ray":
            request.getfixturevalue("ray_cluster")
            return engine_of("ray")
        return engine_of(request.getfixturevalue("spark_sessions")[name == "connect"])

    return started


@pytest.fixture(params=grouped("threads", "processes", "dask", "ray", "spark", "connect"))
def engine(request, any_engine):
    return any_engine(request.param)


@pytest.fixture(params=grouped("processes", "dask", "ray", "spark", "connect"))
def other_processes(request, any_engine):
    """Engines whose workers can be killed."""
    return any_engine(request.param)


@pytest.fixture(params=grouped("dask", "ray", "spark", "connect"))
def cluster(request, any_engine):
    return any_engine(request.param)


@pytest.fixture(autouse=True)
def small_fragments(monkeypatch):
    """As if files were large."""
    whole = FileTable.fragments
    monkeypatch.setattr(FileTable, "fragments", lambda table, columns, _=SMALL: whole(table, columns, SMALL))


@pytest.fixture
def within():
    """Call a function, and fail if it is not done in time: a hang is a failure, not a night."""

    def called(seconds, function, *arguments, **options):
        outcome = []

        def work():
            try:
                outcome.append((function(*arguments, **options), None))
            except BaseException as error:
                outcome.append((None, error))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(seconds)
        assert outcome, f"not done in {seconds} s"
        result, error = outcome[0]
        if error is not None:
            raise error
        return result

    return called


def predictions(rows, seed=0, names="abc"):
    """Somewhat overconfident predictions of some classes, with weights, groups, and users of several rows."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, len(names)))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    drawn = (p.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1).clip(max=len(names) - 1)
    sharp = p**1.5 / (p**1.5).sum(axis=1, keepdims=True)
    columns = {"label": np.array(list(names))[drawn], "weight": random.integers(1, 4, rows) / 2}
    columns |= {"country": np.array(["at", "ch", "de"])[random.integers(0, 3, rows)], "user": np.arange(rows) // 5}
    return pa.table(columns | {f"p_{name}": sharp[:, j].astype(np.float32) for j, name in enumerate(names)})


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Parquet with many row groups, large CSV, and Arrow, which is never cut."""
    path = tmp_path_factory.mktemp("engines")
    for part in range(3):
        pq.write_table(predictions(2400, part), path / f"part{part}.parquet", row_group_size=400)
        csv.write_csv(predictions(1000, part), path / f"part{part}.csv")
    pa.feather.write_feather(predictions(700, 7), path / "one.arrow", compression="uncompressed")
    return path
