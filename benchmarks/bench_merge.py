"""A driver that merges the states of many small fragments, which come one by one as text.

Each fragment is four rows of two classes, its state a line of a file (about 3 kB). A fresh process reads the lines and
merges them: by `State.merge`, and in a tree of fan-in 32 that holds at most 31 states a level. Printed are states per
second of CPU time, what a fragment costs, and by how much the process's memory rises: it must not grow with the number of
states. Both ends have to give the state of all rows, bit for bit.

With --groups each fragment has four of a thousand groups, so the sum has more in it than any part.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from measure import extra_memory, report

from xent import State

ROWS, FAN_IN, GROUPS = 4, 32, 1000


def rows(fragments: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions and groups of all fragments."""
    r = np.random.default_rng(0)
    p = r.uniform(0.01, 0.99, fragments * ROWS)
    return (r.random(len(p)) < p).astype(np.int64), p, r.integers(0, GROUPS, len(p))


def blank() -> State:
    """What every fragment begins with."""
    return State([0, 1])


def make(path: Path, fragments: int, grouped: bool) -> State:
    """A line a fragment; and the state of all rows, made of the rows."""
    y, p, group = rows(fragments)
    with path.open("w") as file:
        for start in range(0, len(y), ROWS):
            part = slice(start, start + ROWS)
            found = blank().update(y[part], p[part], group=group[part] if grouped else None, first_row=start)
            file.write(found.to_json() + "\n")
    return blank().update(y, p, group=group if grouped else None, first_row=0)


def read(path: Path) -> Iterator[State]:
    """The states, one at a time."""
    with path.open() as file:
        yield from map(State.from_json, file)


def tree(states: Iterable[State]) -> State:
    """Merged as workers would: FAN_IN states make one of the next level, as soon as they are there."""
    levels: list[list[State]] = [[]]
    for state in states:
        levels[0].append(state)
        level = 0
        while len(levels[level]) == FAN_IN:
            if level + 1 == len(levels):
                levels.append([])
            levels[level + 1].append(State.merge(levels[level]))
            levels[level].clear()
            level += 1
    return State.merge(state for level in levels for state in level)


def drive(path: Path, how: str) -> None:
    """In a process of its own: merge, and print what it took."""
    found: list[State] = []
    merge = {"fold": State.merge, "tree": tree}[how]
    began = time.process_time()
    extra = extra_memory(lambda: found.append(merge(read(path))))
    seconds = time.process_time() - began
    text = found[0].to_json()
    print(json.dumps([seconds, extra, found[0].rows, len(text), hashlib.sha256(text.encode()).hexdigest()]))


def main() -> None:
    """Print a line for each number of fragments and each way to merge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fragments", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--groups", action="store_true")
    parser.add_argument("--drive", nargs=2, metavar=("FILE", "HOW"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        drive(Path(options.drive[0]), options.drive[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        for fragments in options.fragments:
            path = Path(folder) / "states.jsonl"
            whole = make(path, fragments, options.groups).to_json()
            size = path.stat().st_size
            for how in ("fold", "tree"):
                command = [sys.executable, __file__, "--drive", str(path), how]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                seconds, extra, merged, bytes_out, digest = json.loads(done.stdout)
                assert (merged, digest) == (fragments * ROWS, hashlib.sha256(whole.encode()).hexdigest())
                report(
                    f"{fragments:,} states, {how}{', 1000 groups in all' if options.groups else ''}",
                    states_per_cpu_second=round(fragments / seconds),
                    microseconds_per_fragment=1e6 * seconds / fragments,
                    bytes_per_fragment=round(size / fragments),
                    bytes_of_the_sum=bytes_out,
                    extra_memory_mb=extra,
                )


if __name__ == "__main__":
    main()
