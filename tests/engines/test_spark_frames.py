"""Spark DataFrames that exist only as a plan: the sums of their rows are those of the same rows in a file."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import xent
from xent.errors import ArgumentTypeError, LabelError, OptionError, ProbabilityError, ShapeError, SourceError

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
OPTIONS = {"group": "country", "cluster": "user", "sample_weight": "weight"}
GROUPS = [pytest.param(name, marks=pytest.mark.xdist_group("engine spark")) for name in ("spark", "connect")]


@pytest.fixture(params=GROUPS)
def session(request, spark_sessions):
    return spark_sessions[request.param == "connect"]


@pytest.fixture
def judge(within):
    """`xent.spark.evaluate`, bounded in time."""
    from xent.spark import evaluate

    return lambda frame, **options: within(90, evaluate, frame, **options)


def facts(report):
    """All of a report but how its input was read, and which of equal rows are the worst: here they have no number."""
    found = json.loads(report.json())
    found.pop("notes")
    found["worst"] = [row["nats"] for row in found["worst"]]
    return found


def test_rows_of_a_plan_give_the_bits_of_a_file(session, judge, folder):
    frame = session.read.parquet(*[str(folder / f"part{part}.parquet") for part in range(3)]).repartition(5)
    options = {**OPTIONS, "brief": True}
    assert facts(judge(frame, **options)) == facts(xent.scan(folder / "part*.parquet", **options))


def test_cures_and_their_tests_are_the_same_bit_for_bit(session, judge, folder):
    frame = session.read.parquet(str(folder / "part0.parquet")).repartition(3)
    assert facts(judge(frame, **OPTIONS)) == facts(xent.scan(folder / "part0.parquet", **OPTIONS))


def test_more_partitions_than_are_merged_at_a_time_some_of_them_empty(session, judge, folder):
    frame = session.read.parquet(str(folder / "part0.parquet")).filter("user < 40").repartition(60)
    small = pq.read_table(folder / "part0.parquet", filters=[("user", "<", 40)])
    assert facts(judge(frame, brief=True)) == facts(xent.scan(small, brief=True))


def test_halves_are_by_cluster(session, judge, folder):
    frame = session.read.parquet(str(folder / "part0.parquet")).repartition(3)
    found, expected = (
        judged(source, holdout=True, cluster="user")
        for judged, source in ((judge, frame), (xent.scan, folder / "part0.parquet"))
    )
    assert (found.rows, found.loss, found.cure) == (expected.rows, expected.loss, expected.cure)
    assert 960 < found.rows < 1440
    with pytest.raises(OptionError, match="cluster="):
        judge(frame, holdout=True)


def test_classes_are_found_in_all_rows(session, judge, tmp_path):
    table = pa.table({"y": [1, 2, 3] * 50 + [0], "p": [[0.1, 0.2, 0.3, 0.4]] * 151})
    pq.write_table(table, tmp_path / "lists.parquet")
    frame = session.read.parquet(str(tmp_path / "lists.parquet")).repartition(4)
    assert facts(judge(frame, brief=True)) == facts(xent.scan(tmp_path / "lists.parquet", brief=True))


def test_names_with_dots_and_columns_of_labels(session, judge, tmp_path):
    truth, p = [0.0, 1.0, 1.0, 0.0], [0.25, 0.75, 0.5, 0.125]
    table = pa.table({"y_a.b": truth, "y_c`d": truth[::-1], "p_c`d": p, "p_a.b": p})
    pq.write_table(table, tmp_path / "tags.parquet")
    options = {"label": "y_*", "prediction": "p_*", "task": "multilabel", "brief": True}
    frame = session.read.parquet(str(tmp_path / "tags.parquet")).repartition(2)
    assert facts(judge(frame, **options)) == facts(xent.scan(tmp_path / "tags.parquet", **options))


@pytest.mark.xdist_group("engine spark")
def test_vectors_of_spark_ml_are_lists(spark_sessions, judge):
    from pyspark.ml.linalg import Vectors

    rows = [(1, Vectors.dense(0.25, 0.75)), (0, Vectors.sparse(2, [0], [1.0])), (1, Vectors.dense(0.5, 0.5))] * 9
    frame = spark_sessions[0].createDataFrame(rows, ["label", "probability"])
    table = pa.table({"label": [1, 0, 1] * 9, "probability": [[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]] * 9})
    assert facts(judge(frame, brief=True)) == facts(xent.scan(table, brief=True))


def test_what_is_wrong_is_said_with_its_partition(session, judge):
    frame = session.range(0, 1000, 1, 4).selectExpr("id % 2 as label", "if(id = 777, 1.5, 0.5) as p")
    with pytest.raises(
        ProbabilityError, match=r"row 27, column 'p' is 1\.5(.|\n)*from 0 in partition 3 of the DataFrame"
    ):
        judge(frame)
    with pytest.raises(LabelError):
        judge(session.range(0, 100, 1, 4).selectExpr("id as label", "0.5 as p"))
    with pytest.raises(ShapeError, match="no rows"):
        judge(frame.filter("id < 0") if "id" in frame.columns else frame.filter("p < 0"))
    with pytest.raises(SourceError, match="no column is named 'q'"):
        judge(frame, prediction="q")


def test_what_is_no_frame_of_spark_is_refused():
    from xent.spark import evaluate

    with pytest.raises(ArgumentTypeError, match=r"xent\.scan"):
        evaluate(pa.table({"label": [0], "p": [0.5]}))
