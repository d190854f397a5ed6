"""How the samples beside this script were made: needs pyspark and a Java, mlflow(-skinny), pandas and pyarrow.

What the tools themselves could not write here follows their documentation, cited in tests/sources/test_other_tools.py.
"""

import glob
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

HERE = Path(__file__).parent
ROWS = 20


def spark():
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.ml.classification import GBTClassifier, LogisticRegression, RandomForestClassifier
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.linalg import SparseVector, VectorUDT
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import udf

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = session.config("spark.sql.parquet.compression.codec", "gzip").getOrCreate()
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 3))
    y = (x + random.normal(size=x.shape)).argmax(axis=1)
    rows = [(*map(float, row), float(label), float(label > 0)) for row, label in zip(x, y, strict=True)]
    table = session.createDataFrame(rows, ["a", "b", "c", "label", "two"])
    table = VectorAssembler(inputCols=["a", "b", "c"], outputCol="features").transform(table).drop("a", "b", "c")

    def smaller(vector):  # what Vector.compressed does on the JVM: sparse where that is smaller
        stored = [i for i in range(len(vector)) if vector[i] != 0.0]
        return SparseVector(len(vector), stored, [float(vector[i]) for i in stored]) if len(stored) < 2 else vector

    compressed = udf(smaller, VectorUDT())

    def save(predictions, name):
        with tempfile.TemporaryDirectory() as folder:
            form = "parquet" if name.endswith("parquet") else "json"
            predictions.coalesce(1).write.format(form).save(f"{folder}/out")
            shutil.copy(glob.glob(f"{folder}/out/part-*")[0], HERE / name)

    multinomial = LogisticRegression(regParam=0.01).fit(table).transform(table)
    save(multinomial, "spark_logistic_regression.parquet")
    save(multinomial, "spark_logistic_regression.jsonl")
    save(multinomial.drop("probability", "features"), "spark_raw_prediction.parquet")
    for name, model in (
        ("logistic_regression", LogisticRegression(labelCol="two")),
        ("boosted_trees", GBTClassifier(labelCol="two", maxIter=3, seed=1)),
    ):
        predicted = model.fit(table).transform(table).drop("label", "features").withColumnRenamed("two", "label")
        save(predicted, f"spark_two_classes_{name}.parquet")
    forest = RandomForestClassifier(numTrees=3, maxDepth=4, seed=1).fit(table).transform(table)
    forest = forest.withColumn("probability", compressed("probability"))
    forest = forest.withColumn("rawPrediction", compressed("rawPrediction"))
    save(forest, "spark_random_forest.parquet")
    save(forest, "spark_random_forest.jsonl")


def predictions():
    random = np.random.default_rng(1)
    p = random.dirichlet(np.ones(3), ROWS).round(6)
    p[:, 2] = (1.0 - p[:, 0] - p[:, 1]).round(6)
    return p, (random.random(ROWS)[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(0, 2)


def mlflow():
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow as tracking

    p, y = predictions()
    frame = pd.DataFrame({"target": y, "outputs": p.argmax(axis=1)} | {f"probability_{j}": p[:, j] for j in range(3)})
    with tempfile.TemporaryDirectory() as folder:
        tracking.set_tracking_uri(f"file:{folder}")
        tracking.create_experiment("tables", artifact_location=f"{folder}/artifacts")
        tracking.set_experiment("tables")
        with tracking.start_run():
            tracking.log_table(frame, "eval_results_table.json")
        [written] = glob.glob(f"{folder}/artifacts/**/eval_results_table.json", recursive=True)
        shutil.copy(written, HERE / "eval_results_table.json")


def wandb():
    p, y = predictions()
    names = ["cat", "dog", "fox"]
    columns = ["id", "label", "prediction", *(f"score_{name}" for name in names)]
    rows = [[i, names[y[i]], names[p[i].argmax()], *p[i]] for i in range(ROWS)]
    optional = {"params": {"allowed_types": [{"wb_type": "none"}, {"wb_type": "number"}]}, "wb_type": "union"}
    types = {"params": {"type_map": dict.fromkeys(columns, optional)}, "wb_type": "typedDict"}
    table = {"_type": "table", "column_types": types, "columns": columns, "data": rows, "log_mode": "IMMUTABLE"}
    Path(HERE / "wandb.table.json").write_text(json.dumps({**table, "ncols": len(columns), "nrows": ROWS}))


def hugging_face():
    p, y = predictions()
    logits = np.log(p).astype(np.float32)
    flat = pa.array(logits.reshape(-1))
    for name, column in (
        ("fixed", pa.FixedSizeListArray.from_arrays(flat, 3)),
        ("variable", pa.array(logits.tolist(), pa.list_(pa.float32()))),
    ):
        table = pa.table({"text": [f"text {i}" for i in range(ROWS)], "labels": pa.array(y), "logits": column})
        pa.parquet.write_table(table, HERE / f"hugging_face_{name}.parquet")
    lines = [json.dumps({"label": int(y[i]), "probabilities": p[i].tolist()}) for i in range(ROWS)]
    Path(HERE / "hugging_face.jsonl").write_text("\n".join(lines) + "\n")


def bigquery():
    p, y = predictions()
    names, random = ["setosa", "versicolor", "virginica"], np.random.default_rng(2)
    rows = []
    for i in range(ROWS):
        pairs = [{"label": names[j], "prob": float(p[i, j])} for j in random.permutation(3)]
        chosen = max(pairs, key=lambda pair: pair["prob"])["label"]
        rows.append({"predicted_species": chosen, "predicted_species_probs": pairs, "id": i, "species": names[y[i]]})
    pairs = pa.list_(pa.field("element", pa.struct([("label", pa.string()), ("prob", pa.float64())])))
    kinds = [("predicted_species", pa.string()), ("predicted_species_probs", pairs), ("id", pa.int64())]
    table = pa.Table.from_pylist(rows, pa.schema([*kinds, ("species", pa.string())]))
    pa.parquet.write_table(table, HERE / "bigquery.parquet")
    number = {name: str(names.index(name)) for name in names}  # INT64 is text in BigQuery's JSON, and 1.0 is 1
    lines = []
    for row in rows:
        pairs = [{"label": number[pair["label"]], "prob": pair["prob"] or 0} for pair in row["predicted_species_probs"]]
        numbers = {"predicted_y": number[row["predicted_species"]], "predicted_y_probs": pairs}
        lines.append(json.dumps({**numbers, "id": str(row["id"]), "y": number[row["species"]]}))
    Path(HERE / "bigquery.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    for make in (spark, mlflow, wandb, hugging_face, bigquery):
        make()
