"""The tables of the docs, made of what benchmarks measured: results/NAME.jsonl, one JSON line a case.

`accuracy.py --save` writes its own; the lines of any other script are kept by

    python benchmarks/bench_softmax.py | python benchmarks/tables.py softmax

which lets them through, and puts them in the place of those of the same case. The pages call these functions
where a table stands (docs/_ext/computed.py), so no figure in one is typed by hand.
"""

import datetime
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]
COLUMNS = {  # by benchmark: headings of its table, and what stands below them
    "score": {
        "core NumPy": "ratio_core",
        "with `fast`": "ratio_fast",
        "merely summing": "ratio_summing",
        "extra memory with `fast`": "extra_memory_mb_fast: .0f MB",
    },
    "softmax": {
        "times faster": "ratio",
        "extra memory": "extra_memory_mb_xent: .0f MB",
        "PyTorch's": "extra_memory_mb_torch: .0f MB",
    },
    "linear": {
        "in times of the products": "of_products",
        "dense, likewise": "dense_of_products",
        "faster than chunked": "ratio_chunked",
        "extra memory": "extra_memory_mb_as_it_comes.xent: .0f MB",
        "dense": "extra_memory_mb_as_it_comes.dense: .0f MB",
        "75 % ignored": "of_time_75_ignored",
    },
    "derivatives": {
        "in times of dense": "of_dense",
        "extra memory": "extra_memory_mb.xent: .0f MB",
        "dense": "extra_memory_mb.dense: .0f MB",
    },
    "jax": {
        "in times of optax": "time_ratio",
        "temporaries": "temp_mb_xent: .0f MB",
        "optax's": "temp_mb_optax: .0f MB",
    },
    "scan": {
        "core NumPy": "of_reading_core",
        "with `fast`": "of_reading_fast",
        "peak memory, core": "peak_mb_core: .0f MB",
        "peak memory, `fast`": "peak_mb_fast: .0f MB",
    },
    "breakdown": {
        "brief, in times of reading": "of_reading_brief",
        "full, likewise": "of_reading_full",
        "brief": "brief.median: .2f s",
        "full": "full.median: .2f s",
        "in 20 groups": "grouped.median: .2f s",
    },
    "csv": {
        "core NumPy": "of_polars_core",
        "with `fast`": "of_polars_fast",
        "Polars": "polars.median: .1f s",
    },
    "memory": {"once loaded": "loaded_mb: .0f MB", "peak": "peak_mb: .0f MB"},
    "start": {
        "Python": "nothing.median: .2f s",
        "`import numpy`": "import_numpy.median: .2f s",
        "`import xent`": "import_xent.median: .2f s",
        "`xent --help`": "xent_help.median: .2f s",
    },
    "engines": {"in times of two threads": "of_two_threads", "seconds": "seconds.median: .2f"},
    "merge": {
        "states per CPU second": "states_per_cpu_second: ,",
        "a fragment costs": "microseconds_per_fragment: .0f µs",
        "its state": "bytes_per_fragment: , bytes",
        "extra memory": "extra_memory_mb: .1f MB",
    },
    "keyed": {"seconds": "seconds: .1f", "rows a second": "rows_per_second: ,.0f", "peak memory": "peak_mb: .0f MB"},
}
ONE_CORE = {
    "rows per second": "rows_per_core_second_numba: ,",
    "bytes per row": "bytes_per_row: ,.1f",
    "state, kB": "kilobytes: .0f",
    "write, ms": "write_ms: .2f",
    "read, ms": "read_ms: .2f",
    "merge, ms": "merge_ms: .2f",
    "rows per second, NumPy": "rows_per_core_second_numpy: ,",
}
PLANS = {
    "map, nothing fails": "map_seconds_if_nothing_fails: , s",
    "map, stragglers and kills": "map_seconds: , s",
    "killed": "killed: ,",
    "read in all, GB/s": "read_gb_per_second: .0f",
    "tree": "tree_seconds: .2g s",
    "driver alone, core seconds": "driver_alone_core_seconds: ,",
}
FAN_INS = {
    "depth": "depth: ,",
    "seconds": "seconds: .2f",
    "states at the driver": "states_at_driver: ,",
    "MB at the driver": "mb_at_driver: ,.1f",
}
FRAGMENTS = {"a fragment costs": "microseconds_each: .0f µs", "extra memory": "extra_mb: .1f MB"}


def load(name: str) -> list[Row]:
    """What was measured."""
    return [json.loads(line) for line in (RESULTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def save(name: str, rows: Iterable[Row]) -> None:
    """Keep it."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (RESULTS / f"{name}.jsonl").write_text("\n".join([*lines, ""]), encoding="utf-8")


def markdown(head: list[str], lines: Iterable[list[str]]) -> str:
    """A table."""
    rows = [f"| {' | '.join(line)} |" for line in (head, *lines)]
    return "\n".join([rows[0], "|" + "---|" * len(head), *rows[1:], ""])


def when(name: str) -> str:
    """The day, or the days, of the measurement, and the machine."""
    rows = [row for row in load(name) if "date" in row and "machine" in row]
    days = sorted({row["date"] for row in rows})
    machines = sorted({row["machine"] for row in rows})
    return f"Measured on {' to '.join(days[:: max(1, len(days) - 1)])}; {'; '.join(machines)}.\n"


def versions(name: str) -> str:
    """The day, and what was measured."""
    about = load(name)[0]
    return f"Measured on {about['date']}: {', '.join(f'{name} {v}' for name, v in about['versions'].items())}.\n"


def speed(name: str) -> str:
    """The table of a benchmark."""
    return cases(name, COLUMNS[name])


def cases(name: str, columns: dict[str, str], only: str = "") -> str:
    """A line for each case whose name begins with `only`; one that ends with a colon is left out of the names.

    `columns` has for each heading the key of the figure, and after a colon how it is written: `extra_memory: .0f MB`.
    Keys with dots go into what is nested: `seconds.median`.
    """
    lines = []
    for row in load(name):
        if row["case"].startswith(only):
            shown = row["case"].removeprefix(only) if only.endswith(": ") else row["case"]
            lines.append([shown, *(cell(row, key) for key in columns.values())])
    return markdown(["", *columns], lines)


def figure(name: str, case: str, key: str) -> float:
    """One number, for a sentence."""
    return float(next(row for row in load(name) if row["case"] == case)[key])


def cell(row: Row, key: str) -> str:
    """One figure; empty where there is none."""
    path, _, style = key.partition(": ")
    style, _, unit = style.partition(" ")
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else f"{value:{style or '.2g'}}{' ' + unit if unit else ''}"


def errors(what: str, rows: list[Row] | None = None) -> str:
    """Relative errors of the "loss" or the "gradient" by lead, the worst of all numbers of classes."""
    found = _of(what, rows)
    leads = sorted({lead for _, lead, _ in found})
    classes = sorted({count for _, _, count in found})
    names = list(dict.fromkeys(name for name, _, _ in found))
    lines = [[str(lead), *(digit(max(found[n, lead, k] for k in classes)) for n in names)] for lead in leads]
    return markdown(["lead", *names], lines)


def errors_by_classes(what: str, rows: list[Row] | None = None) -> str:
    """The same by number of classes, at a lead of 0."""
    found = _of(what, rows)
    names = list(dict.fromkeys(name for name, _, _ in found))
    classes = sorted({count for _, _, count in found})
    return markdown(["classes", *names], [[f"{k:,}", *(digit(found[n, 0, k]) for n in names)] for k in classes])


def limits(rows: list[Row] | None = None) -> str:
    """Where each library stops."""
    head = ["", "loss off by 1 % from a lead of", "loss 0 from", "gradient 0 from", "loss at 120", "loss at −120"]
    return markdown(head, [row["limits"] for row in rows or load("accuracy") if "limits" in row])


def _of(what: str, rows: list[Row] | None) -> dict[tuple[str, int, int], float]:
    kept = [row for row in rows or load("accuracy") if row.get("what") == what]
    return {(row["of"], row["lead"], row["classes"]): row["error"] for row in kept}


def digit(error: float) -> str:
    """An error with one digit."""
    if 0.095 <= error < 100.0:
        return f"{error:.1f}" if error < 0.95 else f"{error:.0f}"
    figure, exponent = f"{error:.0e}".split("e")
    return f"{figure}e{int(exponent)}"


def keep(name: str, lines: Iterable[str]) -> None:
    """Put measured lines in the place of earlier ones of the same case."""
    path = RESULTS / f"{name}.jsonl"
    kept = {row["case"]: row for row in load(name)} if path.exists() else {}
    for line in lines:
        print(line, end="", flush=True)
        if line.startswith("{"):
            row = json.loads(line)
            load_now = round(os.getloadavg()[0], 1)
            kept[row["case"]] = {**row, "date": datetime.date.today().isoformat(), "load": load_now}
    save(name, kept.values())


if __name__ == "__main__":
    keep(sys.argv[1], sys.stdin)
