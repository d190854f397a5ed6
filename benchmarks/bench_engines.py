"""The engines, two workers each, on one 20M×10 float32 Parquet file: `xent.scan(…, brief=True)`, answers checked equal.

To reach: Ray and Spark at most 1.5 times the time of two threads, after start-up (the first scan of each is not timed); two processes at most 0.7 times one. Beside them pyarrow merely
reading the file with two threads. Then the cost of a fragment where there are 100,000 that do nothing.
"""

import argparse
import os
import sys
import tempfile
import time
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


def read(path: Path) -> None:
    """What any scoring has to wait for, on as many threads as there are CPUs."""
    for _ in pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False).iter_batches(batch_size=174_762):
        pass


def clusters() -> dict[str, Any]:
    """Dask, Ray and Spark on this machine."""
    import distributed
    import ray
    from pyspark.sql import SparkSession

    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    spark = SparkSession.builder.master(f"local[{WORKERS},4]").config("spark.ui.enabled", "false")
    return {
        "dask": distributed.Client(distributed.LocalCluster(WORKERS, threads_per_worker=1, dashboard_address=":0")),
        "ray": "ray",
        "spark": spark.config("spark.log.level", "ERROR").getOrCreate(),
    }


def nothing(_: int) -> int:
    """The work on a fragment that costs nothing."""
    return 1


def many_fragments(engines: dict[str, Any], count: int) -> None:
    """Microseconds and bytes of this process for each of very many fragments."""
    from xent.engines.choose import engine_of

    for name, given in engines.items():
        engine = engine_of(given)

        def work(engine: Any = engine) -> None:
            assert sum(result for _, result in each_once(engine.run(nothing, range(count), sum), count)) == count

        work()
        start = time.perf_counter()
        megabytes = extra_memory(work)
        micros = (time.perf_counter() - start) / count * 1e6
        report(f"{count} fragments, {name}", microseconds_each=micros, extra_mb=megabytes)


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to keep the file")
    parser.add_argument("--millions", type=int, default=20, help="of rows")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fragments", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = (options.folder or Path(temporary)) / f"{options.millions}M.parquet"
        make(path, options.millions)
        engines = {
            "threads 1": Local(1),
            "threads 2": Local(WORKERS),
            "processes 1": Local(1, processes=True),
            "processes 2": Local(WORKERS, processes=True),
            **clusters(),
        }
        expected = xent.scan(path, brief=True).json()

        def scan(engine: Any) -> None:
            assert xent.scan(path, brief=True, engine=engine).json() == expected

        for name in ("processes 1", "processes 2", "dask", "ray", "spark"):
            scan(engines[name])
        timed = {name: lambda engine=engine: scan(engine) for name, engine in engines.items()}
        seconds = in_turns({"pyarrow reading": lambda: read(path), **timed}, options.rounds)
        base = median(seconds["threads 2"])
        for name, each in seconds.items():
            report(f"{options.millions}Mx10, {name}", of_two_threads=median(each) / base, seconds=each)
        report("two processes", of_one=median(seconds["processes 2"]) / median(seconds["processes 1"]))
        many_fragments({name: engines[name] for name in ("threads 2", "dask", "ray", "spark")}, options.fragments)


if __name__ == "__main__":
    main()
