"""Peak memory and time of `xent.scan(…, brief=True)` of one Parquet row group of 1.2 GB: 300,000 rows of 1,000 classes in float32.

To reach: near 240 MB on core NumPy, whatever the size of the row group; Numba alone takes some 150 MB more. What importing
xent and pyarrow takes is printed beside it. The file is made in a temporary folder unless --folder has it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import report

CLASSES = 1_000

PEAK = """
import json, sys, time, pyarrow.parquet, xent
sys.path.insert(0, sys.argv[3])
from measure import kernels, status
with kernels(sys.argv[2]):
    xent.evaluate([0, 1], [0.2, 0.7], brief=True)
    before = status("VmHWM") / 1e3
    start = time.perf_counter()
    rows = xent.scan(sys.argv[1], brief=True).rows
    seconds = time.perf_counter() - start
print(json.dumps([rows, before, status("VmHWM") / 1e3, seconds]))
"""


def make(path: Path, rows: int) -> None:
    """Normal logits, and labels that know nothing of them."""
    if path.exists():
        return
    r = np.random.default_rng(0)
    columns = {f"logit_{j}": r.normal(size=rows).astype(np.float32) for j in range(CLASSES)}
    table = pa.table({"label": r.integers(0, CLASSES, rows), **columns})
    pq.write_table(table, path, row_group_size=rows, use_dictionary=False, compression="none")


def main() -> None:
    """Print one line a kind of kernels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to keep the file")
    parser.add_argument("--rows", type=int, default=300_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = (options.folder or Path(temporary)) / f"{options.rows}x{CLASSES}.parquet"
        make(path, options.rows)
        assert pq.ParquetFile(path).metadata.num_row_groups == 1
        for which in ("core", "fast"):
            command = [sys.executable, "-c", PEAK, str(path), which, str(Path(__file__).parent)]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            rows, before, peak, seconds = json.loads(told)
            assert rows == options.rows
            gigabytes = path.stat().st_size / 1e9
            report(f"one row group, {which}", gigabytes=gigabytes, seconds=seconds, loaded_mb=before, peak_mb=peak)


if __name__ == "__main__":
    main()
