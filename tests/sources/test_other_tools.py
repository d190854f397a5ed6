"""Tables as other tools write them, read as they are; tests/data/tables/make.py made the samples.

Layouts that the tools could not write here follow their documentation:
BigQuery ML: https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-predict
W&B: https://docs.wandb.ai/ref/python/data-types/table and `Table.to_json` in wandb/sdk/data_types/table.py
MLflow's `log_table` wrote its own; so did Spark.
"""

import json
import pickle
import tracemalloc
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import xent
from xent import cli
from xent.errors import ProbabilityError, SourceError
from xent.scoring.prepare import open_table
from xent.sources import choose_columns, json_table
from xent.sources.known import layout_of

DATA = Path(__file__).parents[1] / "data" / "tables"


def columns_of(source):
    table = open_table(source)
    return choose_columns(table.schema, layout=layout_of(table))


def read(source, *names):
    batches = [batch.data for batch in open_table(source).batches(names)]
    return pa.Table.from_batches(batches).to_pydict()


def dense(vector):
    """A vector of Spark by hand."""
    if vector["type"] == 1:
        return vector["values"]
    return [dict(zip(vector["indices"], vector["values"], strict=True)).get(i, 0.0) for i in range(vector["size"])]


def nats(p, y):
    return float(np.mean([-np.log(row[int(label)]) for row, label in zip(p, y, strict=True)]))


@pytest.mark.parametrize("name", ["logistic_regression", "random_forest"])
def test_spark_vectors_dense_and_sparse(name):
    rows = [json.loads(line) for line in (DATA / f"spark_{name}.jsonl").read_text().splitlines()]
    kinds = {row["probability"]["type"] for row in rows}
    assert kinds == ({0, 1} if name == "random_forest" else {1})
    truth = {column: [dense(row[column]) for row in rows] for column in ("probability", "rawPrediction")}
    for suffix in ("jsonl", "parquet"):
        found = read(DATA / f"spark_{name}.{suffix}", "probability", "rawPrediction", "label")
        assert found == {**truth, "label": [row["label"] for row in rows]}
        chosen = columns_of(DATA / f"spark_{name}.{suffix}")
        assert (chosen.labels, chosen.predictions, chosen.kind) == (("label",), ("probability",), None)
        assert any("Spark ML" in note for note in chosen.notes)


def test_spark_probabilities_are_scored_not_the_predicted_class():
    path = DATA / "spark_logistic_regression.parquet"
    found = read(path, "probability", "label", "prediction")
    assert found["prediction"] == [float(np.argmax(p)) for p in found["probability"]]
    report = xent.scan(path)
    assert report.loss == pytest.approx(nats(found["probability"], found["label"]), rel=1e-14)
    assert xent.check(path).loss == pytest.approx(report.loss, rel=1e-14)
    assert xent.compare(path, path.with_suffix(".jsonl")).pairs[0].difference == 0.0


def test_spark_raw_predictions_are_logits_where_nothing_else_is_there():
    path = DATA / "spark_raw_prediction.parquet"
    report = xent.scan(path)
    assert report.loss == pytest.approx(xent.scan(DATA / "spark_logistic_regression.parquet").loss, rel=1e-12)
    assert any("rawPrediction" in note and "logits" in note and "trees" in note for note in report.notes)
    asked = columns_of_asked(DATA / "spark_random_forest.parquet", "rawPrediction")
    assert (asked.predictions, asked.kind) == (("rawPrediction",), "logits")


def columns_of_asked(source, prediction):
    table = open_table(source)
    return choose_columns(table.schema, prediction=prediction, layout=layout_of(table))


@pytest.mark.parametrize(("model", "scale"), [("logistic_regression", 1.0), ("boosted_trees", 2.0)])
def test_raw_predictions_of_two_classes_say_too_little(model, scale):
    path = DATA / f"spark_two_classes_{model}.parquet"
    found = read(path, "probability", "rawPrediction")
    raw, p = np.array(found["rawPrediction"]), np.array(found["probability"])
    assert np.array_equal(raw[:, 0], -raw[:, 1])  # why they are refused: the same form, two meanings
    np.testing.assert_allclose(p[:, 1], 1 / (1 + np.exp(-scale * raw[:, 1])), rtol=1e-12)
    assert xent.scan(path).loss > 0.0
    with pytest.raises(SourceError, match="two numbers a row"):
        xent.scan(path, prediction="rawPrediction")
    only = pa.parquet.read_table(path).drop_columns("probability")
    with pytest.raises(SourceError, match="Score the column `probability`"):
        xent.scan(only)


VECTOR = pa.struct(
    [("type", pa.int8()), ("size", pa.int32()), ("indices", pa.list_(pa.int32())), ("values", pa.list_(pa.float64()))]
)


def vector(values, indices=None, size=None, kind=None):
    given = (1 if indices is None else 0) if kind is None else kind
    return {"type": given, "size": size, "indices": indices, "values": values}


def vectors(*rows):
    return pa.table({"label": pa.array([0] * len(rows)), "probability": pa.array(list(rows), VECTOR)})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (vector([1.0], [2], 2), r"indices \[2\], which must rise within \[0, 2\)"),
        (vector([1.0], [-1], 2), r"indices \[-1\]"),
        (vector([0.5, 0.5], [1, 1], 2), r"indices \[1, 1\]"),
        (vector([0.5, 0.5], [1, 0], 2), r"indices \[1, 0\]"),
        (vector([0.5, 0.5], [1], 2), "has 1 indices for 2 values"),
        (vector([1.0], [1]), "without a size"),
        (vector([0.5, 0.5], kind=2), "of type 2"),
        (vector([0.5, 0.25, 0.25]), "is a list of 3, but must be one of 2"),
        (None, "is missing"),
    ],
)
def test_a_wrong_vector_is_named_by_its_row(wrong, said, tmp_path):
    good = [vector([0.75, 0.25]), vector([1.0], [0], 2), vector([], [], 2)]
    path = tmp_path / "preds.parquet"
    pa.parquet.write_table(vectors(*good[:2], wrong), path, row_group_size=2)
    with pytest.raises(SourceError, match=rf"preds\.parquet, row 2 .*'probability' {said}|row 2 .*{said}"):
        xent.scan(path)
    batches = pa.Table.from_batches(vectors(*good[:2], wrong).to_batches(max_chunksize=2))
    with pytest.raises(SourceError, match=rf"the table, row 2 .*{said}"):
        xent.scan(batches)
    assert read(vectors(*good, None), "probability") == {"probability": [[0.75, 0.25], [1.0, 0.0], [0.0, 0.0], None]}
    sliced = pa.Table.from_batches([vectors(*good, None).to_batches()[0].slice(1, 2)])
    assert read(sliced, "probability") == {"probability": [[1.0, 0.0], [0.0, 0.0]]}


def test_features_of_spark_stay_as_they_are(tmp_path):
    path, out = DATA / "spark_logistic_regression.parquet", tmp_path / "cured.parquet"
    report = tmp_path / "report.json"
    report.write_text(xent.scan(path).json())
    assert cli.main(["recalibrate", str(path), "--with", str(report), "-o", str(out)]) == 0
    before, after = pa.parquet.read_table(path), pa.parquet.read_table(out)
    assert after["features"].to_pylist() == before["features"].to_pylist()
    assert after["probability"].type == pa.list_(pa.float64())
    assert xent.scan(out, prediction="probability").loss <= xent.scan(path).loss


def test_a_cure_is_applied_to_a_struct_of_bigquery(tmp_path):
    path, out, report = DATA / "bigquery.parquet", tmp_path / "cured.parquet", tmp_path / "report.json"
    report.write_text(xent.scan(path).json())
    assert cli.main(["recalibrate", str(path), "--with", str(report), "-o", str(out)]) == 0
    cured = xent.scan(out, label="species", prediction="predicted_species_probs_*")
    assert cured.loss <= xent.scan(path).loss


@pytest.mark.parametrize("name", ["bigquery.parquet", "bigquery.jsonl"])
def test_bigquery_matches_probabilities_by_label(name):
    rows = pa.parquet.read_table(DATA / name).to_pylist() if "parquet" in name else None
    rows = rows or [json.loads(line) for line in (DATA / name).read_text().splitlines()]
    label = "species" if "parquet" in name else "y"
    orders = {tuple(pair["label"] for pair in row[f"predicted_{label}_probs"]) for row in rows}
    assert len(orders) > 3
    truth = [
        next(pair["prob"] for pair in row[f"predicted_{label}_probs"] if pair["label"] == row[label]) for row in rows
    ]
    report = xent.scan(DATA / name)
    assert report.loss == pytest.approx(-np.log(truth).mean(), rel=1e-14)
    assert any("BigQuery ML" in note for note in report.notes)
    assert any(f"label column '{label}' (by the layout)" in note for note in report.notes)
    assert xent.scan(DATA / name, prediction=f"predicted_{label}_probs").loss == report.loss
    assert xent.scan(DATA / name, prediction=f"predicted_{label}_probs_*").loss == report.loss
    assert xent.check(DATA / name).loss == pytest.approx(report.loss, rel=1e-14)
    assert not xent.check(DATA / name).serious


@pytest.mark.parametrize("library", ["polars", "duckdb", "pandas"])
@pytest.mark.parametrize("name", ["bigquery", "spark_random_forest", "hugging_face_fixed"])
def test_the_same_from_data_frames(library, name):
    path = DATA / f"{name}.parquet"
    frames = {
        "polars": pl.read_parquet,
        "duckdb": lambda path: duckdb.connect().sql(f"select * from '{path}'"),
        "pandas": lambda path: pa.parquet.read_table(path).to_pandas(),
    }
    report = xent.scan(frames[library](path), clip=1e-7)
    assert (report.loss, report.notes) == (xent.scan(path, clip=1e-7).loss, xent.scan(path, clip=1e-7).notes)


def pairs(*rows, kind=None):
    kind = kind or pa.string()
    lists = pa.list_(pa.struct([("label", kind), ("prob", pa.float64())]))
    made = [None if row is None else [{"label": label, "prob": p} for label, p in row] for row in rows]
    return pa.table({"y": pa.array([rows[0][0][0]] * len(rows), kind), "predicted_y_probs": pa.array(made, lists)})


@pytest.mark.parametrize(
    ("labels", "kind"),
    [((True, False), pa.bool_()), ((10, 9), pa.int64()), ((1.0, 0.0), pa.float64()), (("a_b", "a_c"), pa.string())],
)
def test_labels_of_bigquery_of_every_type(labels, kind):
    one, other = labels
    found = xent.scan(pairs([(one, 0.25), (other, 0.75)], [(other, 0.5), (one, 0.5)], kind=kind))
    assert found.loss == pytest.approx(-(np.log(0.25) + np.log(0.5)) / 2, rel=1e-14)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([("a", 0.5), ("c", 0.5)], r"labels \['a', 'c'\], but the first row has \['a', 'b'\]"),
        ([("a", 1.0)], r"labels \['a'\]"),
        ([("a", 0.5), ("a", 0.5)], r"labels \['a', 'a'\]"),
        ([("a", 0.2), ("b", 0.2), ("c", 0.6)], r"labels \['a', 'b', 'c'\]"),
        ([("a", 0.5), (None, 0.5)], r"labels \['a', None\]"),
        ([], r"labels \[\]"),
        ([("a", 0.5), ("b", None)], "is missing"),
        (None, "is missing"),
    ],
)
def test_other_labels_in_a_row_of_bigquery_are_an_error(wrong, said, tmp_path):
    path = tmp_path / "preds.parquet"
    pa.parquet.write_table(pairs([("a", 0.5), ("b", 0.5)], [("b", 0.5), ("a", 0.5)], wrong), path)
    with pytest.raises(SourceError, match=rf"preds\.parquet, row 2 .*'predicted_y_probs\w*' .*{said}"):
        xent.scan(path)


@pytest.mark.parametrize("name", ["hugging_face_fixed.parquet", "hugging_face_variable.parquet", "hugging_face.jsonl"])
def test_lists_as_hugging_face_names_them(name):
    report, chosen = xent.scan(DATA / name), columns_of(DATA / name)
    rows = [json.loads(line) for line in (DATA / "hugging_face.jsonl").read_text().splitlines()]
    truth = nats([row["probabilities"] for row in rows], [row["label"] for row in rows])
    assert report.loss == pytest.approx(truth, rel=1e-6)  # the logits are float32
    expected = (("label",), ("probabilities",), None) if "jsonl" in name else (("labels",), ("logits",), "logits")
    assert (chosen.labels, chosen.predictions, chosen.kind) == expected


def test_a_row_of_hugging_face_that_is_too_short(tmp_path):
    path = tmp_path / "preds.jsonl"
    path.write_text('{"label": 0, "logits": [1.0, 2.0]}\n{"label": 1, "logits": [1.0]}\n')
    with pytest.raises(SourceError, match=r"preds\.jsonl, row 1 .*'logits' is a list of 1, but must be one of 2"):
        xent.scan(path)


@pytest.mark.parametrize("name", ["eval_results_table.json", "wandb.table.json"])
def test_tables_of_mlflow_and_wandb(name):
    whole = json.loads((DATA / name).read_text())
    frame = pd.DataFrame(whole["data"], columns=whole["columns"])
    label, prefix = ("target", "probability_") if "eval" in name else ("label", "score_")
    truth = [frame[f"{prefix}{y}"][i] for i, y in enumerate(frame[label])]
    report = xent.scan(DATA / name)
    assert report.loss == pytest.approx(-np.log(truth).mean(), rel=1e-14)
    assert "labels matched to columns by name" in report.notes
    assert xent.compare(DATA / name, DATA / name).pairs[0].difference == 0.0
    assert cli.main(["score", str(DATA / name), "--json"]) == 0


@pytest.mark.parametrize("layout", ["indent", "sorted", "index", "gz", "bom"])
def test_the_same_table_however_it_is_written(layout, tmp_path):
    import gzip

    whole = json.loads((DATA / "wandb.table.json").read_text())
    frame = pd.DataFrame(whole["data"], columns=whole["columns"])
    texts = {"indent": json.dumps(whole, indent=2), "sorted": json.dumps(whole, sort_keys=True)}
    texts |= {"index": frame.to_json(orient="split"), "gz": json.dumps(whole), "bom": "\ufeff" + json.dumps(whole)}
    content = texts[layout].encode()
    path = tmp_path / ("table.json.gz" if layout == "gz" else "table.json")
    path.write_bytes(gzip.compress(content) if layout == "gz" else content)
    assert xent.scan(path).loss == xent.scan(DATA / "wandb.table.json").loss


def test_a_number_that_goes_on_in_the_next_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(json_table, "_CHUNK", 1)
    path = tmp_path / "t.json"
    path.write_text('{"nrows": 12, "ncols": 345, "columns": ["label", "p"], "data": [[1, 0.25], [0, 0.75]]}')
    assert read(path, "label", "p") == {"label": [1, 0], "p": [0.25, 0.75]}


def write(path, columns, rows):
    path.write_text(json.dumps({"columns": columns, "data": rows}))
    return path


def test_values_of_a_json_table_have_one_type_and_are_read_in_pieces(tmp_path, monkeypatch):
    rows = [
        [i % 2, 1 if i < 50 else 0.5, None if i < 60 else "é", [0, i] if i < 70 else [0.5], {"a": i}] for i in range(90)
    ]
    path = write(tmp_path / "t.json", ["label", "p", "text", "list", "mixed"], [*rows, [1, 0.5, "x", None, "text"]])
    monkeypatch.setattr(json_table, "_CHUNK", 7)
    monkeypatch.setattr(json_table, "_VALUES", 40)
    found = read(path, "p", "label", "list", "text", "mixed")
    assert found["p"] == [1.0] * 50 + [0.5] * 41
    assert found["list"][:2] == [[0.0, 0.0], [0.0, 1.0]]
    assert found["text"][58:62] == [None, None, "é", "é"]
    assert found["mixed"][:1] + found["mixed"][-1:] == ['{"a": 0}', "text"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"columns": ["label", "p"], "data": [[0, 0.5], [1]]}', r"row 1 .* has 1 values, but there are 2 columns"),
        ('{"columns": ["label", "p"], "data": [[0, 0.5], 7]}', r"row 1 .* has a int"),
        ('{"columns": ["label", "p"], "data": [[0, 0.5], [1, 0.', r"row 1 .* cannot be read as JSON"),
        ('{"columns": ["label", "p"], "data": [[0, 0.5], [1, null]]}', r"row 1 .*'p' is missing"),
        ('{"columns": ["label", "p"], "data": [[0, 0.5], [1, "high"]]}', r"row 1 .*'p' is 'high'"),
        ('{"columns": ["label", "p"], "data": []}', "no rows"),
    ],
)
def test_a_json_table_that_is_wrong(text, said, tmp_path):
    path = tmp_path / "t.table.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=rf"{said}"):
        xent.scan(path)


def test_several_json_tables_are_one(tmp_path):
    for name, p in (("a", [1, 0]), ("b", [0.75, 0.25])):
        write(tmp_path / f"{name}.table.json", ["label", "p"], [[1, p[0]], [0, p[1]]])
    assert xent.scan(tmp_path / "*.table.json").loss == pytest.approx(-np.log(0.75) / 2, rel=1e-15)


def test_lines_of_objects_are_no_table(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"data": [1], "columns": ["a"], "label": 1, "p": 0.5}\n{"data": [2], "columns": [], "label": 0, "p": 0.25}\n'
    )
    assert xent.scan(path).rows == 2


def test_a_json_table_is_never_held_whole(tmp_path):
    rows = 120_000
    random = np.random.default_rng(0)
    p = random.dirichlet(np.ones(8), rows).round(5)
    data = np.column_stack([random.integers(0, 8, rows), p]).tolist()
    path = write(tmp_path / "t.json", ["label", *(f"p_{j}" for j in range(8))], data)
    del data
    tracemalloc.start()
    table = open_table(path)
    assert sum(batch.data.num_rows for batch in table.batches(["label", "p_7"])) == table.rows == rows
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 << 20  # all values as Python objects are some 40 MB


def iris():
    x, y = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=500).fit(x, y).predict_proba(x), y


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("naming", ["proba", "numbers", "classes"])
def test_arrays_that_pandas_writes_one_column_a_class(naming, suffix, tmp_path):
    """As of scikit-learn's predict_proba, and of XGBoost's predict with multi:softprob: (rows, classes)."""
    p, y = iris()
    names = {"proba": "proba_{}", "numbers": "{}", "classes": "{}"}[naming]
    called = ["setosa", "versicolor", "virginica"] if naming == "classes" else range(3)
    frame = pd.DataFrame(p, columns=[names.format(name) for name in called])
    frame["label"] = np.array(["setosa", "versicolor", "virginica"])[y] if naming == "classes" else y
    path = tmp_path / f"preds.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    options = {"prediction": "setosa,versicolor,virginica"} if naming == "classes" else {}
    report = xent.scan(path, **options)
    assert report.loss == pytest.approx(log_loss(y, p), rel=1e-12)
    if naming == "classes":
        with pytest.raises(SourceError, match=r"(?s)'setosa'.*--prediction"):
            xent.scan(path)


def test_numbered_features_are_not_taken_for_logits():
    x, y = load_iris(return_X_y=True)
    frame = pd.DataFrame(x - x.mean(axis=0), columns=list("0123")).assign(label=y)
    with pytest.raises(ProbabilityError):
        xent.scan(frame)
    assert xent.scan(frame, prediction="0,1,2", kind="logits").rows == len(y)


NUMBER, LIST = pa.float64(), pa.list_(pa.float64())


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"logits": LIST, "probabilities": LIST}, "'?logits or probabilities"),
        ({"prediction": NUMBER, "score_a": NUMBER, "score_b": NUMBER}, r"prediction or score_\*"),
        ({"prediction": NUMBER, "0": NUMBER, "1": NUMBER}, r"prediction or 0, 1, …"),
        ({"p": NUMBER, "probs": LIST}, "p or probs"),
        ({"probability": VECTOR, "p_0": NUMBER, "p_1": NUMBER}, r"p_\* or probability"),
        ({"labels": NUMBER, "logits": LIST}, "'label', 'labels'"),
        ({"0": NUMBER, "2": NUMBER}, r"missing; looked for .*score_\*"),
        ({"score_a": NUMBER}, "missing"),
        ({"features": VECTOR}, "missing"),
        (
            {"predicted_a_probs": pairs([("x", 1.0)]).schema.field(1).type, "scores": LIST},
            "scores or predicted_a_probs",
        ),
    ],
)
def test_what_could_be_several_is_never_guessed(columns, said):
    values = {"predicted_a_probs": [[{"label": "x", "prob": 1.0}]], "logits": [[0.5]], "scores": [[0.5]]}
    values |= {"probabilities": [[0.5]], "probs": [[0.5]], "probability": [vector([1.0])], "features": [vector([1.0])]}
    arrays = {name: pa.array(values.get(name, [0.5]), kind) for name, kind in columns.items()}
    with pytest.raises(SourceError, match=said) as raised:
        xent.scan(pa.table({"label": [0], **arrays}))
    assert all(repr(name) in str(raised.value) for name in columns if name != "predicted_a_probs")
    assert "--prediction" in str(raised.value) or "--label" in str(raised.value)


@pytest.mark.parametrize("names", [("score_0", "score_1"), ("0", "1"), ("p_0", "p_1"), ("probs",)])
def test_predicted_classes_beside_their_scores_are_left_out_and_said(names):
    p = [[0.75, 0.5], [0.25, 0.5]] if len(names) == 2 else [[[0.75, 0.25], [0.5, 0.5]]]
    table = pa.table({"label": [0, 1], "prediction": [0, 1], **dict(zip(names, p, strict=True))})
    report = xent.scan(table)
    assert report.loss == pytest.approx(-(np.log(0.75) + np.log(0.5)) / 2, rel=1e-14)
    assert any("'prediction' has whole numbers, as predicted classes are" in note for note in report.notes)


@pytest.mark.parametrize("name", ["spark_random_forest.parquet", "bigquery.parquet"])
def test_a_rearranged_table_can_be_sent_to_another_process(name):
    table = open_table(DATA / name)
    there = pickle.loads(pickle.dumps(table))
    assert list(there.batches(there.schema.names)) == list(table.batches(table.schema.names))
