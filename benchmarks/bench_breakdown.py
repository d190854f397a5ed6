"""What the full report costs: ladder, classes, groups, confusion, reliability, worst rows.

To reach: 20M×10 float32 from Parquet in at most 3 times the time of reading it, memory constant in rows; 10M binary rows
in memory in at most 1 s on 2 threads. The file is made in a temporary folder (0.9 GB) unless --folder has it.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from bench_scan import make, peak_memory, read
from measure import in_turns, ratio, report

import xent


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
        brief, full = xent.scan(path, brief=True), xent.scan(path)
        assert brief.loss == full.loss
        assert full.ladder is not None
        temperature = full.ladder[2].temperature or 0.0
        assert abs(temperature - 1.0) < 0.01  # the model is calibrated
        seconds = in_turns(
            {
                "pyarrow": lambda: read(path),
                "brief": lambda: xent.scan(path, brief=True),
                "full": lambda: xent.scan(path),
            },
            options.rounds,
        )
        report(
            f"{options.millions}Mx10 float32 Parquet",
            of_reading_brief=1.0 / ratio(seconds["pyarrow"], seconds["brief"]),
            of_reading_full=1.0 / ratio(seconds["pyarrow"], seconds["full"]),
            peak_mb=peak_memory(path, "fast"),
            peak_mb_2M=peak_memory(small, "fast"),
            **seconds,
        )
    random = np.random.default_rng(0)
    p = 1.0 / (1.0 + np.exp(-random.normal(size=10_000_000)))
    labels = (random.random(len(p)) < p).astype(np.int8)
    group = random.integers(0, 20, len(p))
    seconds = in_turns(
        {
            "brief": lambda: xent.evaluate(labels, p, brief=True),
            "full": lambda: xent.evaluate(labels, p),
            "grouped": lambda: xent.evaluate(labels, p, group=group),
        },
        options.rounds,
    )
    report("10M binary rows in memory", **seconds)


if __name__ == "__main__":
    main()
