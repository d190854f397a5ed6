"""`Report.log_to_mlflow` into a real file store, read back through MLflow's own client."""

import json
import math
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import xent


@pytest.fixture(scope="module")
def mlflow():
    """Loaded where it is needed: every process collects all tests, and it takes seconds."""
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}  # read when it is imported
    with warnings.catch_warnings():  # its dependencies may be behind each other; what it logs is tested below
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        import mlflow
    return mlflow


@pytest.fixture
def client(mlflow, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    yield mlflow.MlflowClient()
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.set_tracking_uri(before)


def animals():
    random = np.random.default_rng(0)
    p = random.dirichlet((1.0, 1.0, 1.0), 300)
    labels = (p.cumsum(axis=1) < random.random((300, 1))).sum(axis=1)
    return np.array(["cat", "dog", "owl"])[labels], p


@pytest.fixture(scope="module")
def report():
    return xent.evaluate(*animals(), classes=["cat", "dog", "owl"])


def logged(client, run_id):
    return client.get_run(run_id).data.metrics


def artefacts(client, run_id, folder="xent"):
    return sorted(one.path for one in client.list_artifacts(run_id, folder))


def test_numbers_are_those_of_the_rows(client, report):
    found = logged(client, report.log_to_mlflow())
    labels, p = animals()
    nats = -np.log(p[np.arange(300), np.searchsorted(["cat", "dog", "owl"], labels)])
    assert found["xent/loss"] == pytest.approx(nats.mean(), rel=1e-14)
    assert found["xent/standard_error"] == pytest.approx(nats.std(ddof=1) / math.sqrt(300), rel=1e-12)
    assert found["xent/interval_low"] < found["xent/loss"] < found["xent/interval_high"]
    assert found["xent/perplexity"] == pytest.approx(math.exp(nats.mean()), rel=1e-14)
    assert found["xent/rows"] == 300
    assert found["xent/infinite_rows"] == 0
    shares = np.unique(labels, return_counts=True)[1] / 300
    baseline = -(shares * np.log(shares)).sum()
    assert found["xent/baseline"] == pytest.approx(baseline, rel=1e-14)
    assert found["xent/skill"] == pytest.approx(1 - nats.mean() / baseline, rel=1e-12)
    assert found["xent/skill_low"] < found["xent/skill"] < found["xent/skill_high"]
    for name in ("cat", "dog", "owl"):
        assert found[f"xent/class_loss/{name}"] == pytest.approx(nats[labels == name].mean(), rel=1e-14)
    assert found["xent/ladder/temperature/gain"] >= 0.0
    assert "xent/weight" not in found  # nothing was weighted


def test_words_page_and_json(mlflow, client, report):
    run_id = report.log_to_mlflow()
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"  # it was started here, so it is ended here
    assert mlflow.active_run() is None
    assert run.data.tags["xent/verdict"] == report.verdict
    assert run.data.tags["xent/diagnosis"] == report.diagnosis
    assert run.data.tags["xent/unit"] == "nats"
    assert artefacts(client, run_id) == ["xent/report.html", "xent/report.json"]
    text = Path(client.download_artifacts(run_id, "xent/report.json")).read_text(encoding="utf-8")
    assert json.loads(text)["loss"] == report.loss
    assert "<html" in Path(client.download_artifacts(run_id, "xent/report.html")).read_text(encoding="utf-8")


def test_the_active_run_is_used_and_left_open(mlflow, client, report):
    with mlflow.start_run() as run:
        assert report.log_to_mlflow("validation/", page=False) == run.info.run_id
        assert mlflow.active_run().info.run_id == run.info.run_id
        mlflow.log_metric("own", 1.0)
    assert {"validation/loss", "own"} <= set(logged(client, run.info.run_id))
    assert artefacts(client, run.info.run_id, "validation") == ["validation/report.json"]


def test_another_run_by_its_id(mlflow, client, report):
    run_id = client.create_run("0").info.run_id
    with mlflow.start_run() as active:
        assert report.log_to_mlflow(run_id=run_id) == run_id
    assert "xent/loss" in logged(client, run_id)
    assert logged(client, active.info.run_id) == {}


def test_steps_of_training_are_a_history(mlflow, client, report):
    worse = xent.evaluate([0, 1], [[0.5, 0.5], [0.5, 0.5]])
    with mlflow.start_run() as run:
        for step, one in enumerate([worse, report]):
            one.log_to_mlflow(page=False, step=step)
    history = client.get_metric_history(run.info.run_id, "xent/loss")
    assert [(point.step, point.value) for point in history] == [(0, worse.loss), (1, report.loss)]


def test_infinity_arrives_as_infinity_and_what_is_undefined_is_left_out(client):
    report = xent.evaluate([1, 1], [0.0, 0.5])  # one class, so there is no skill
    found = logged(client, report.log_to_mlflow(page=False))
    assert found["xent/loss"] == math.inf
    assert found["xent/infinite_rows"] == 1
    assert found["xent/finite_loss"] == pytest.approx(math.log(2.0), rel=1e-15)
    assert "xent/skill" not in found


def test_class_names_that_no_file_may_have_stay_apart(client):
    classes = ["../a", "a/b", "a:b", "A_b", "", ".", "猫", "x" * 300]
    report = xent.evaluate(classes * 2, np.full((16, 8), 1 / 8), classes=classes)
    found = logged(client, report.log_to_mlflow(page=False))
    names = sorted(name.removeprefix("xent/class_loss/") for name in found if "class_loss" in name)
    assert names == sorted(["_a", "a_b_1", "a_b_2", "A_b_3", "__4", "__5", "猫", "x" * 50])


def test_many_classes_are_not_logged_one_by_one(client):
    report = xent.evaluate(np.arange(101), np.full((101, 101), 1 / 101))
    found = logged(client, report.log_to_mlflow(page=False))
    assert not any("class_loss" in name for name in found)
    assert found["xent/loss"] == pytest.approx(math.log(101), rel=1e-14)


def test_without_prefix(client, report):
    run_id = report.log_to_mlflow("")
    assert "loss" in logged(client, run_id)
    assert artefacts(client, run_id, None) == ["report.html", "report.json"]


def test_without_mlflow_the_error_says_what_to_install(monkeypatch, report):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(xent.MissingPackageError, match=r"pip install 'xent\[mlflow\]'"):
        report.log_to_mlflow()


@pytest.mark.usefixtures("client")
def test_an_unknown_run_is_mlflows_own_error(mlflow, report):
    with pytest.raises(mlflow.exceptions.MlflowException, match="0123"):
        report.log_to_mlflow(run_id="0123")
