"""A report as a run of MLflow: its numbers, what it says, and its page."""

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xent.errors import MissingPackageError
from xent.report.model import Report

__all__ = ["numbers", "tags", "write"]

CLASSES = 100  # whose losses are logged one by one
LONGEST_NAME = 50  # characters of a class: stores make files of that name
LONGEST_TAG = 5_000  # characters, the least of MLflow's stores


def write(report: Report, prefix: str = "xent/", run_id: str | None = None, page: bool = True, step: int = 0) -> str:
    """Log a report to the run given, else to the active one, else to one that is started and ended here.

    Returns:
        The run's id.

    Raises:
        MissingPackageError: MLflow is not installed.
        mlflow.exceptions.MlflowException: MLflow refuses, as where there is no such run.
    """
    mlflow = _mlflow()
    if run_id is None and mlflow.active_run() is None:
        with mlflow.start_run() as run:
            _log(mlflow, report, prefix, run.info.run_id, page, step)
        return str(run.info.run_id)
    run_id = mlflow.active_run().info.run_id if run_id is None else run_id
    _log(mlflow, report, prefix, run_id, page, step)
    return str(run_id)


def _mlflow() -> Any:
    try:
        import mlflow  # not before it is asked for: it takes seconds
    except ImportError as error:
        raise MissingPackageError(
            f"mlflow cannot be imported ({error}). Install it, or its smaller form: pip install 'xent[mlflow]'"
        ) from error
    return mlflow


def _log(mlflow: Any, report: Report, prefix: str, run_id: str, page: bool, step: int) -> None:
    client, now = mlflow.MlflowClient(), int(time.time() * 1000.0)
    logged = [mlflow.entities.Metric(prefix + name, value, now, step) for name, value in numbers(report)]
    said = [mlflow.entities.RunTag(prefix + name, text) for name, text in tags(report)]
    client.log_batch(run_id, logged, (), said)
    with tempfile.TemporaryDirectory(prefix="xent-mlflow-") as folder:
        Path(folder, "report.json").write_text(report.json(), encoding="utf-8")
        if page:
            report.html(Path(folder, "report.html"))
        client.log_artifacts(run_id, folder, prefix.strip("/") or None)


def numbers(report: Report) -> Iterator[tuple[str, float]]:
    """Names and values; what is undefined is left out, infinity stays what it is."""
    ends, skills = report.interval or (None, None), report.skill_interval or (None, None)
    found: list[tuple[str, float | None]] = [
        ("loss", report.loss),
        ("standard_error", report.standard_error),
        ("interval_low", ends[0]),
        ("interval_high", ends[1]),
        ("baseline", report.baseline),
        ("skill", report.skill),
        ("skill_low", skills[0]),
        ("skill_high", skills[1]),
        ("perplexity", report.perplexity),
        ("typical_probability", report.typical_probability),
        ("accuracy", report.accuracy),
        ("rows", report.rows),
        ("weight", report.weight),
        ("infinite_rows", report.infinite),
        ("finite_loss", report.finite_loss),
    ]
    if len(report.by_class) <= CLASSES:
        names = _names([one.label for one in report.by_class])
        found += [(f"class_loss/{name}", one.loss) for name, one in zip(names, report.by_class, strict=True)]
    for rung in report.ladder or ():
        step = f"ladder/{rung.name.replace(' ', '_')}"
        fitted = (
            ("loss", rung.loss),
            ("gain", rung.gain),
            ("p_value", rung.p_value),
            ("temperature", rung.temperature),
        )
        found += [(f"{step}/{name}", value) for name, value in fitted]
    return ((name, float(value)) for name, value in found if value is not None)


def tags(report: Report) -> Iterator[tuple[str, str]]:
    """What a report says in words."""
    found = {
        "verdict": report.verdict,
        "diagnosis": report.diagnosis,
        "unit": report.unit,
        "task": report.task,
        "kind": report.kind,
        "warnings": "\n".join(report.warnings),
    }
    return ((name, text[:LONGEST_TAG]) for name, text in found.items() if text)


def _names(labels: list[Any]) -> list[str]:
    """Classes as MLflow takes names, which are those of files; the number of the class is added where two would be one."""
    plain = [re.sub(r"[^\w .-]", "_", str(label))[:LONGEST_NAME].strip(" .") or "_" for label in labels]
    folded = [name.lower() for name in plain]
    return [f"{name}_{i}" if folded.count(name.lower()) > 1 else name for i, name in enumerate(plain)]
