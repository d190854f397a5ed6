"""The engines, two workers each, on one 20M×10 float32 Parquet file: `xent.scan(…, brief=True)`, answers checked equal.

To reach: Ray and Spark at most 1.5 times the time of two threads, each alone on the machine and after start-up (the first
scans are not timed); two processes at most 0.7 times one, and 1.2 times pyarrow merely reading the file with two threads.
Then the cost of a fragment where there are 100,000 that do nothing.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("PYSPARK_PYTHON", sys.executable)

import pyarrow.parquet as pq
from bench_scan import make
from measure import extra_memory, in_turns, report

import xent
from xent.engines.contract import each_once
from xent.engines.local import Local

WORKERS = 2
STARTING = 8  # scans that are not timed: processes load, and Java compiles what it has run often


def read(path: Path) -> None:
    """What any scoring has to wait for, on as many threads as there are CPUs."""
    for _ in pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False).iter_batches(batch_size=174_762):
        pass


@contextlib.contextmanager
def dask_cluster() -> Iterator[Any]:
    """Two processes of Dask."""
    import distributed

    with (
        distributed.LocalCluster(WORKERS, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextlib.contextmanager
def ray_cluster() -> Iterator[str]:
    """Two processes of Ray."""
    import ray

    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    yield "ray"
    ray.shutdown()


@contextlib.contextmanager
def spark_cluster() -> Iterator[Any]:
    """Two executor threads of Spark, each with a Python process."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{WORKERS},4]").config("spark.ui.enabled", "false")
    session = builder.config("spark.log.level", "ERROR").getOrCreate()
    yield session
    session.stop()


CLUSTERS = {"dask": dask_cluster, "ray": ray_cluster, "spark": spark_cluster}


def nothing(_: int) -> int:
    """The work on a fragment that costs nothing."""
    return 1


def many_fragments(name: str, given: Any, count: int) -> None:
    """Microseconds and bytes of this process for each of very many fragments."""
    from xent.engines.choose import engine_of

    engine = engine_of(given)

    def work() -> None:
        assert sum(result for _, result in each_once(engine.run(nothing, range(count), sum), count)) == count

    work()
    start = time.perf_counter()
    megabytes = extra_memory(work)
    micros = (time.perf_counter() - start) / count * 1e6
    report(f"{count} fragments, {name}", microseconds_each=micros, extra_mb=megabytes)


def compare(path: Path, millions: int, engines: dict[str, Any], rounds: int) -> dict[str, list[float]]:
    """Print a line for each engine; all give the same report."""
    expected = xent.scan(path, brief=True).json()

    def scan(engine: Any) -> None:
        assert xent.scan(path, brief=True, engine=engine).json() == expected

    for engine in list(engines.values()) * STARTING:
        scan(engine)
    threads = {"threads 2": Local(WORKERS)} | engines
    timed = {name: lambda engine=engine: scan(engine) for name, engine in threads.items()}
    seconds = in_turns({"pyarrow reading": lambda: read(path), **timed}, rounds)
    base = median(seconds["threads 2"])
    for name in engines:
        report(f"{millions}Mx10, {name}", of_two_threads=median(seconds[name]) / base, seconds=seconds[name])
    return seconds


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to keep the file")
    parser.add_argument("--millions", type=int, default=20, help="of rows")
    parser.add_argument("--rounds", type=int, default=25, help="fewer move by a tenth from run to run")
    parser.add_argument("--fragments", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = (options.folder or Path(temporary)) / f"{options.millions}M.parquet"
        make(path, options.millions)
        own = {
            "threads 1": Local(1),
            "processes 1": Local(1, processes=True),
            "processes 2": Local(WORKERS, processes=True),
        }
        seconds = compare(path, options.millions, own, options.rounds)
        base = median(seconds["threads 2"])
        for name in ("threads 2", "pyarrow reading"):
            report(
                f"{options.millions}Mx10, {name}", of_two_threads=median(seconds[name]) / base, seconds=seconds[name]
            )
        both = median(seconds["processes 2"])
        report(
            "two processes",
            of_one=both / median(seconds["processes 1"]),
            of_reading=both / median(seconds["pyarrow reading"]),
        )
        many_fragments("threads 2", Local(WORKERS), options.fragments)
        for name, started in CLUSTERS.items():
            with started() as engine:
                compare(path, options.millions, {name: engine}, options.rounds)
                many_fragments(name, engine, options.fragments)


if __name__ == "__main__":
    main()
