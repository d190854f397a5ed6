"""10^12 rows on 1,000 workers: constants measured on this machine, put into the model of scale_model.py.

First, for 2 to 1000 classes, brief and full: rows per second of one core (CPU time of all threads) from a Parquet file
to a state, with Numba and without; bytes of the state as text, and milliseconds to write, read and add it; bytes that
`State.all_reduce` sends. One JSON line each. Then what the model makes of them: the plan of each case, and that of one
with other fan-ins. The tables of docs/scale.md are made of these lines:

    python benchmarks/simulate_scale.py | python benchmarks/tables.py scale

--check runs 24 fragments on two processes here, merges them in a tree of fan-in 4, holds the result against the state of
all rows, bit for bit, and prints the time that the model gives beside the time that it took, and how many CPUs it had.
"""

import argparse
import json
import math
import pickle
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench_merge import tree as merge_in_tree
from measure import extra_memory, kernels, report
from scale_model import Cluster, Constants, attempt_seconds, merge_tree, simulate_map

from xent import State
from xent.scoring.parallel import available_cpus
from xent.scoring.state_limbs import layout_of, to_limbs

CASES = [(k, brief, 0) for k in (2, 10, 100, 1000) for brief in (True, False)] + [(10, False, 1000)]
NUMBERS = 1 << 20  # in a batch


def make(path: Path, rows: int, classes: int, groups: int, seed: int = 0) -> None:
    """Softmax of normal logits in float32, labels drawn at random from all classes; one column for two classes."""
    r = np.random.default_rng(seed)
    writer = None
    step = max(1, 4_000_000 // classes)
    for start in range(0, rows, step):
        count = min(step, rows - start)
        p = np.exp(r.normal(size=(count, classes)).astype(np.float32))
        p /= p.sum(axis=1, keepdims=True)
        names = ["p_1"] if classes == 2 else [f"p_{j}" for j in range(classes)]
        columns = {name: np.ascontiguousarray(p[:, int(name[2:])]) for name in names}
        columns |= {"group": r.integers(0, groups, count)} if groups else {}
        table = pa.table({"label": r.integers(0, classes, count), **columns})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def score(path: Path, classes: int, brief: bool, groups: int) -> State:
    """One fragment."""
    state = State(range(classes), brief=brief)
    file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
    for batch in file.iter_batches(batch_size=max(4096, NUMBERS // classes)):
        predictions = pa.table(batch).select([name for name in batch.schema.names if name.startswith("p_")])
        state.update(batch["label"], predictions, group=batch["group"] if groups else None, first_row=state.rows)
    return state


def cpu_seconds(function: Callable[[], object], times: int) -> float:
    """Least of two, of all threads, for one call."""
    found = []
    for _ in range(2):
        began = time.process_time()
        for _ in range(times):
            function()
        found.append((time.process_time() - began) / times)
    return min(found)


def measure(folder: Path, classes: int, brief: bool, groups: int) -> Constants:
    """One case; prints its line."""
    path = folder / "rows.parquet"
    rates, rows = {}, 0
    for which, numbers in (("core", 2_000_000), ("fast", 8_000_000)):
        rows = numbers // classes
        make(path, rows, classes, groups)
        with kernels(which):
            score(path, classes, brief, groups)  # compiles
            rates[which] = rows / cpu_seconds(lambda: score(path, classes, brief, groups), 1)
    state = score(path, classes, brief, groups)
    text = state.to_json()
    assert State.from_json(text) == state
    merged = State.merge([state] * 50)
    assert merged.sums.weight == 50 * state.sums.weight
    found = Constants(
        rows_per_second=rates["fast"],
        bytes_per_row=path.stat().st_size / rows,
        state_bytes=len(text),
        write_seconds=cpu_seconds(state.to_json, 20),
        read_seconds=cpu_seconds(lambda: State.from_json(text), 20),
        merge_seconds=cpu_seconds(lambda: State.merge([state] * 50), 1) / 50,
    )
    layout = layout_of(state.sums)
    report(
        f"one core: {name_of(classes, brief, groups)}",
        rows_per_core_second_numba=two_digits(rates["fast"]),
        rows_per_core_second_numpy=two_digits(rates["core"]),
        bytes_per_row=found.bytes_per_row,
        kilobytes=len(text) / 1e3,
        write_ms=1e3 * found.write_seconds,
        read_ms=1e3 * found.read_seconds,
        merge_ms=1e3 * found.merge_seconds,
        driver_memory_mb=extra_memory(lambda: State.merge(State.from_json(text) for _ in range(100))),
        all_reduce_gathered_bytes=len(pickle.dumps(layout)),
        all_reduce_limb_bytes=to_limbs(state.sums, layout).nbytes,
    )
    return found


def two_digits(rate: float) -> int:
    """As exact as it comes out again."""
    return int(float(f"{rate:.1e}"))


def name_of(classes: int, brief: bool, groups: int) -> str:
    """As the tables call it."""
    return f"{classes} classes, {'brief' if brief else 'full'}{f', {groups} groups' if groups else ''}"


def plan(name: str, constants: Constants, cluster: Cluster) -> None:
    """Print what the model says of one case."""
    one = attempt_seconds(constants, cluster)
    ideal = math.ceil(cluster.fragments / cluster.workers) * one
    found = simulate_map(one, cluster)
    once = simulate_map(one, replace(cluster, second_tries=False))
    merges = merge_tree(cluster.fragments, constants, cluster)
    alone = cluster.fragments * (constants.read_seconds + constants.merge_seconds)
    figures = {
        "fragments": cluster.fragments,
        "fragment_seconds": round(one, 2),
        "map_seconds_if_nothing_fails": round(ideal),
        "map_seconds": round(found.seconds),
        "map_seconds_without_second_tries": round(once.seconds),
        "killed": found.kills,
        "second_tries": found.second_tries,
        "work_lost_or_doubled": round(1 - cluster.fragments * one / found.worked, 4),
        "read_gb_per_second": round(cluster.rows * constants.bytes_per_row / found.seconds / 1e9, 1),
        "tree_depth": merges.depth,
        "tree_seconds": round(merges.seconds, 2),
        "states_at_driver": merges.states_at_driver,
        "driver_alone_core_seconds": round(alone),
        "driver_alone_states_per_second": round(cluster.fragments / found.seconds),
        "driver_alone_mb_per_second": round(cluster.fragments * constants.state_bytes / found.seconds / 1e6, 1),
        "driver_alone_busy": round(alone / found.seconds, 3),
    }
    print(json.dumps({"case": f"plan: {name}", **figures, "cluster": asdict(cluster)}), flush=True)


def fan_ins(name: str, constants: Constants, cluster: Cluster) -> None:
    """Print trees of other fan-ins."""
    for fan_in in (2, 8, 32, 128, 1000, cluster.fragments):
        found = merge_tree(cluster.fragments, constants, replace(cluster, fan_in=fan_in))
        at_driver = found.states_at_driver * constants.state_bytes / 1e6
        figures = {"of": name, **asdict(found), "mb_at_driver": round(at_driver, 2)}
        print(json.dumps({"case": f"fan-in: {fan_in:,}", **figures}), flush=True)


def work(path: str) -> tuple[str, float]:
    """A fragment in a process of its own: its state, and seconds of CPU."""
    began = time.process_time()
    return score(Path(path), 10, False, 0).to_json(), time.process_time() - began


def check(folder: Path, fragments: int = 24, rows: int = 400_000) -> None:
    """The model's time for this machine beside the time that it took."""
    paths = [str(folder / f"{i}.parquet") for i in range(fragments)]
    for i, path in enumerate(paths):
        make(Path(path), rows, 10, 0, seed=i)
    workers = min(2, available_cpus())
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(work, paths[: 2 * workers]))  # starts and compiles
        began = time.perf_counter()
        found = list(pool.map(work, paths))
        took = time.perf_counter() - began
    began = time.perf_counter()
    merged = merge_in_tree(State.from_json(text) for text, _ in found)
    merging = time.perf_counter() - began
    whole = State(range(10))
    for path in paths:
        whole += score(Path(path), 10, False, 0)
    assert whole.rows == fragments * rows
    assert merged == whole
    state = State.from_json(found[0][0])
    rate = rows / float(np.median([seconds for _, seconds in found]))
    text = found[0][0]
    constants = Constants(
        rate,
        1.0,
        len(text),
        0.0,
        cpu_seconds(lambda: State.from_json(text), 5),
        cpu_seconds(lambda: State.merge([state] * 50), 1) / 50,
    )
    cluster = Cluster(
        rows=fragments * rows,
        rows_per_fragment=rows,
        workers=workers,
        start=0.0,
        latency=0.0,
        slow_share=0.0,
        kills_per_hour=0.0,
        fan_in=fragments,
        link=math.inf,
    )
    model = simulate_map(attempt_seconds(constants, cluster), cluster).seconds
    tree = merge_tree(fragments, constants, cluster).seconds
    had = sum(seconds for _, seconds in found) / took  # what other work on the machine left of the two
    report(
        "check",
        cpus_had=had,
        map_seconds=took,
        map_seconds_of_model=model,
        merge_seconds=merging,
        merge_seconds_of_model=tree,
    )


def main() -> None:
    """Constants, then what follows from them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in asdict(Cluster()).items():
        if not isinstance(value, bool):
            parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--no-second-tries", action="store_true")
    parser.add_argument("--check", action="store_true", help="hold the model against two processes here")
    options = vars(parser.parse_args())
    checked, second_tries = options.pop("check"), not options.pop("no_second_tries")
    cluster = Cluster(**options, second_tries=second_tries)
    with tempfile.TemporaryDirectory() as folder:
        if checked:
            check(Path(folder))
            return
        constants = {case: measure(Path(folder), *case) for case in CASES}
    for case, found in constants.items():
        plan(name_of(*case), found, cluster)
    fan_ins(name_of(*CASES[3]), constants[CASES[3]], cluster)


if __name__ == "__main__":
    main()
