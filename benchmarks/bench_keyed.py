"""Two models of 20M rows compared on an id, ascending and shuffled, and 20M rows in 5M clusters, whose report is brief or
has the ladder, with sums of slopes by cluster: each within a limit.

Every answer is first checked against NumPy, or pyarrow's own join. Each case is a process of its own, whose peak memory is
that of all it does; `ratio` is its time by that of merely reading the same columns of both files. --scale 0.1 takes a
tenth of the rows; the files are made in a temporary folder (1 GB) unless --folder has them.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import report

ROWS, CLUSTERS = 20_000_000, 5_000_000
STEP = 1 << 20
CASES = ("ascending", "shuffled", "clusters", "clusters and ladder")  # what is true of the last is of the third


def make(folder: Path, rows: int, clusters: int) -> None:
    """One truth, two models that know a part of it; a is in order, b once in order and once shuffled."""
    r = np.random.default_rng(0)
    label = r.integers(0, 2, rows).astype(np.int8)
    cluster = r.integers(0, clusters, rows)
    shuffled = r.permutation(rows)
    for name, noise, order in (
        ("a", 1.0, None),
        ("b", 1.1, None),
        ("a-shuffled", 1.0, shuffled),
        ("b-shuffled", 1.1, shuffled[::-1]),
    ):
        path = folder / f"{name}.parquet"
        generator = np.random.default_rng(1 if name[0] == "a" else 2)
        p = 1 / (1 + np.exp(-(2.0 * label - 1.0) - noise * generator.normal(size=rows)))
        picked = np.arange(rows) if order is None else order
        writer = None
        for start in range(0, rows, STEP):
            part = picked[start : start + STEP]
            table = pa.table({"id": part * 7, "label": label[part], "p": p[part], "cluster": cluster[part]})
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
        assert writer is not None
        writer.close()


def nats(table: pa.Table) -> np.ndarray:
    """−log p of what happened."""
    p = np.asarray(table["p"])
    return -np.log(np.where(np.asarray(table["label"]) == 1, p, 1.0 - p))


def truth(folder: Path, case: str) -> tuple[float, float]:
    """Mean and standard error, by pyarrow's sort or NumPy's sums by cluster."""
    if case == "clusters":
        table = pq.read_table(folder / "a.parquet")
        x, c = nats(table), np.asarray(table["cluster"])
        residuals = np.bincount(c, weights=x - x.mean())
        count = len(np.unique(c))
        return float(x.mean()), math.sqrt(count / (count - 1) * float(residuals @ residuals)) / len(x)
    ending = "" if case == "ascending" else "-shuffled"
    first, second = (
        pq.read_table(folder / f"{name}{ending}.parquet", columns=["id", "label", "p"]).sort_by("id") for name in "ab"
    )
    assert first["id"].equals(second["id"])
    d = nats(first) - nats(second)
    return float(d.mean()), float(d.std(ddof=1)) / math.sqrt(len(d))


RUN = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from measure import status
folder, case, limit = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
ending, clustered = "-shuffled" if case == "shuffled" else "", case.startswith("clusters")
files = [folder / f"{name}{ending}.parquet" for name in ("a" if clustered else "ab")]
columns = ["cluster" if clustered else "id", "label", "p"]
import pyarrow.parquet as pq
start = time.perf_counter()
for path in files:
    for batch in pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False).iter_batches(1 << 18, columns=columns):
        pass
reading = time.perf_counter() - start
import xent
start = time.perf_counter()
if clustered:
    brief = case == "clusters"
    found = xent.scan(files[0], label="label", prediction="p", cluster="cluster", max_memory=limit, brief=brief)
    answer = found.loss, found.standard_error
else:
    pair = xent.compare(*files, on="id", label="label", prediction="p", max_memory=limit).pairs[0]
    answer = pair.difference, pair.standard_error
print(json.dumps([answer, time.perf_counter() - start, reading, status("VmHWM") / 1e3]))
"""


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to keep the files")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of rows")
    parser.add_argument("--limit", default="1GB", help="max_memory")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--check-only", action="store_true", help="make the files and compute what is true, no more")
    options = parser.parse_args()
    rows = int(ROWS * options.scale)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        known = folder / "truth.json"
        if not known.exists():
            folder.mkdir(exist_ok=True)
            make(folder, rows, int(CLUSTERS * options.scale))
            known.write_text(json.dumps({case: truth(folder, case) for case in CASES[:3]}))
        for case in () if options.check_only else options.cases.split(","):
            command = [sys.executable, "-c", RUN, str(folder), case, options.limit, str(Path(__file__).parent)]
            done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            answer, seconds, reading, peak = json.loads(done)
            np.testing.assert_allclose(answer, json.loads(known.read_text())[case.split()[0]], rtol=1e-9)
            report(f"{case}, {rows:,} rows, limit {options.limit}", seconds=seconds, rows_per_second=rows / seconds,
                   peak_mb=peak, reading_seconds=reading, ratio=seconds / reading)  # fmt: skip


if __name__ == "__main__":
    main()
