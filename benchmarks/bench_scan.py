"""`xent.scan(…, brief=True)` of a 20M×10 float32 Parquet file against pyarrow merely reading its columns in batches.

To reach: at most 3 times pyarrow's time on core NumPy, 1.5 times with the extra `fast`; peak memory of the whole process
under 500 MB, and the same for 2M rows ± 20 %. The file is made in a temporary folder (0.9 GB) unless --folder has it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import in_turns, kernels, ratio, report

import xent

CLASSES = 10
MILLION = 1_000_000


def make(path: Path, millions: int) -> None:
    """Softmax of normal logits, and labels drawn from it: a calibrated model."""
    if path.exists():
        return
    r = np.random.default_rng(0)
    writer = None
    for _ in range(millions):
        p = np.exp(r.normal(size=(MILLION, CLASSES)).astype(np.float32))
        p /= p.sum(axis=1, keepdims=True)
        label = np.minimum((p.cumsum(axis=1) < r.random((MILLION, 1))).sum(axis=1), CLASSES - 1)
        columns = {f"p_{j}": np.ascontiguousarray(p[:, j]) for j in range(CLASSES)}
        table = pa.table({"label": label, **columns})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def read(path: Path) -> int:
    """What any scoring has to wait for."""
    file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
    return sum(batch.num_rows for batch in file.iter_batches(batch_size=174_762))


def truth(path: Path) -> float:
    """Mean of −log p, by NumPy."""
    total, rows = 0.0, 0
    for batch in pq.ParquetFile(path).iter_batches(batch_size=MILLION):
        p = np.stack([batch[f"p_{j}"] for j in range(CLASSES)])
        label = np.asarray(batch["label"])
        total -= np.log(p[label, np.arange(len(label))].astype(np.float64)).sum()
        rows += len(label)
    return total / rows


PEAK = """
import json, sys, xent
sys.path.insert(0, sys.argv[3])
from measure import kernels, status
with kernels(sys.argv[2]):
    loss = xent.scan(sys.argv[1]).loss
print(json.dumps([loss, status("VmHWM") / 1e3]))
"""


def peak_memory(path: Path, which: str) -> float:
    """Megabytes of a fresh process that scores the file, the median of three."""
    command = [sys.executable, "-c", PEAK, str(path), which, str(Path(__file__).parent)]
    runs = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3))
    return median(float(json.loads(printed)[1]) for printed in runs)


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to keep the files")
    parser.add_argument("--millions", type=int, default=20, help="of rows")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        path, small = folder / f"{options.millions}M.parquet", folder / "2M.parquet"
        make(path, options.millions)
        make(small, 2)
        expected = truth(path)

        def scan(which: str) -> None:
            with kernels(which):
                assert abs(xent.scan(path, brief=True).loss / expected - 1.0) < 1e-9

        scan("fast")
        seconds = in_turns(
            {"pyarrow": lambda: read(path), "core": lambda: scan("core"), "fast": lambda: scan("fast")}, options.rounds
        )
        report(
            f"{options.millions}Mx10 float32 Parquet",
            of_reading_core=1.0 / ratio(seconds["pyarrow"], seconds["core"]),
            of_reading_fast=1.0 / ratio(seconds["pyarrow"], seconds["fast"]),
            **{f"peak_mb_{which}": peak_memory(path, which) for which in ("core", "fast")},
            **{f"peak_mb_2M_{which}": peak_memory(small, which) for which in ("core", "fast")},
            **seconds,
        )


if __name__ == "__main__":
    main()
