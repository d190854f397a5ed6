"""`xent.scan(…, brief=True)` of a CSV file of 20M rows and 10 classes (2.3 GB) against Polars merely summing its columns.

To reach: at most 1.5 times Polars' time with the extra `fast`. Both read every column, on all CPUs; the answer is first
compared with the loss as Polars computes it. The file is made in a temporary folder unless --folder has it; --scale 0.2
makes 4M rows.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
from measure import in_turns, kernels, ratio, report

import xent

CLASSES = 10
MILLION = 1_000_000


def make(path: Path, millions: int) -> None:
    """Softmax of normal logits, and labels drawn from it: a calibrated model."""
    if path.exists():
        return
    r = np.random.default_rng(0)
    with path.open("wb") as file:
        for part in range(millions):
            p = np.exp(r.normal(size=(MILLION, CLASSES)).astype(np.float32))
            p /= p.sum(axis=1, keepdims=True)
            label = np.minimum((p.cumsum(axis=1) < r.random((MILLION, 1))).sum(axis=1), CLASSES - 1)
            columns = {f"p_{j}": np.ascontiguousarray(p[:, j]) for j in range(CLASSES)}
            options = pa.csv.WriteOptions(include_header=part == 0)
            pa.csv.write_csv(pa.table({"label": label, **columns}), file, options)


def polars_sums(path: Path) -> float:
    """What any scoring has to wait for."""
    return float(pl.scan_csv(path).sum().collect(engine="streaming")["p_0"][0])


def truth(path: Path) -> float:
    """Mean of −log p, by Polars."""
    of_label = pl.coalesce(pl.when(pl.col("label") == j).then(pl.col(f"p_{j}")) for j in range(CLASSES))
    return float(pl.scan_csv(path).select(-of_label.log().mean()).collect(engine="streaming").item())


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to keep the file")
    parser.add_argument("--scale", type=float, default=1.0, help="of the 20M rows")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    millions = max(1, round(20 * options.scale))
    with tempfile.TemporaryDirectory() as temporary:
        path = (options.folder or Path(temporary)) / f"{millions}M.csv"
        make(path, millions)
        expected = truth(path)

        def scan(which: str) -> None:
            with kernels(which):
                assert abs(xent.scan(path, brief=True).loss / expected - 1.0) < 1e-9

        scan("fast")
        seconds = in_turns(
            {"polars": lambda: polars_sums(path), "core": lambda: scan("core"), "fast": lambda: scan("fast")},
            options.rounds,
        )
        report(
            f"{millions}Mx10 CSV",
            gigabytes=path.stat().st_size / 1e9,
            of_polars_core=1.0 / ratio(seconds["polars"], seconds["core"]),
            of_polars_fast=1.0 / ratio(seconds["polars"], seconds["fast"]),
            **seconds,
        )


if __name__ == "__main__":
    main()
