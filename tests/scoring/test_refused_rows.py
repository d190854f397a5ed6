"""Which row and which column a refusal names."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import xent
from xent.scoring.parallel import ordered_map

CLASSES = ["cat", "dog", "eel"]
FAULTY = np.array([[0.5, 0.5, 0.0], [0.2, -0.3, 1.1], [0.1, 0.1, 0.8]])


@pytest.fixture
def frame():
    return pd.DataFrame(FAULTY, columns=[f"p_{name}" for name in CLASSES])


@pytest.fixture
def in_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("given", [pd.DataFrame, pa.Table.from_pandas], ids=["pandas", "Arrow"])
def test_columns_of_tables_are_named(frame, given):
    with pytest.raises(xent.ProbabilityError, match=r"^predictions row 1, column 'p_dog' is -0\.3, "):
        xent.evaluate(CLASSES, given(frame))


def test_columns_of_arrays_are_counted():
    with pytest.raises(xent.ProbabilityError, match=r"^predictions row 1, column 1 is -0\.3, "):
        xent.evaluate([0, 1, 2], FAULTY)


@pytest.mark.parametrize(
    ("kind", "cell"), [("auto", "row 1, 'p_eel', 1.1"), ("log_probabilities", "row 0, 'p_dog', 0.5")]
)
@pytest.mark.usefixtures("in_directory")
def test_columns_of_files_are_named_also_where_the_classes_are_in_another_order(frame, kind, cell):
    """The first column is that of the first class."""
    frame.assign(label=CLASSES).to_csv("preds.csv", index=False)
    with pytest.raises(xent.ProbabilityError) as refused:
        xent.scan("preds.csv", classes=["eel", "dog", "cat"], kind=kind)
    row, name, value = cell.split(", ")
    assert f"{row} of preds.csv (rows counted from 0), column {name} is {value}, " in str(refused.value)


@pytest.mark.usefixtures("in_directory")
def test_the_only_column_of_a_file_is_named():
    pd.DataFrame({"y": [0, 1], "p": [0.2, 1.4]}).to_csv("preds.csv", index=False)
    with pytest.raises(xent.ProbabilityError, match=r"rows counted from 0\), column 'p' is 1\.4, "):
        xent.scan("preds.csv")


@pytest.mark.usefixtures("in_directory")
def test_entries_of_lists_are_counted_in_their_column(frame):
    pd.DataFrame({"y": [0, 1, 2], "probs": frame.to_numpy().tolist()}).to_parquet("preds.parquet")
    with pytest.raises(xent.ProbabilityError, match=r"rows counted from 0\), entry 1 of column 'probs' is -0\.3, "):
        xent.scan("preds.parquet")


def test_columns_of_labels_are_named(frame):
    labels = frame.abs().rename(columns=lambda name: name.replace("p_", "y_"))[["y_eel", "y_dog", "y_cat"]]
    with pytest.raises(xent.LabelError, match=r"^labels row 1, column 'y_eel' is 1\.1, "):
        xent.evaluate(labels, frame.abs())


ROWS = 4000
NAMES = [f"p_{name}" for name in CLASSES]
# each kind of fault: what it does to a row of the table, and what is said of it
FAULTS = {
    "negative": ({"p_cat": -0.25}, "column 'p_cat' is -0.25"),
    "sum": ({"p_cat": 0.7, "p_dog": 0.7}, "sums to "),
    "NaN": ({"p_dog": np.nan}, "column 'p_dog' is nan"),
    "label": ({"label": "fox"}, "is 'fox', but labels must be"),
    "weight": ({"weight": -1.0}, "is -1, but weights must be"),
    "missing": ({"p_eel": None}, "column 'p_eel' is missing"),
    "missing label": ({"label": None}, "column 'label' is missing"),
}


def with_faults(kinds_by_row, rows=ROWS):
    random = np.random.default_rng(0)
    p = random.dirichlet(np.ones(3), rows)
    columns = {name: p[:, i].tolist() for i, name in enumerate(NAMES)}
    columns |= {"label": random.choice(CLASSES, rows).tolist(), "weight": [1.0] * rows}
    for row, kind in kinds_by_row.items():
        for name, value in FAULTS[kind][0].items():
            columns[name][row] = value
    return pa.table(columns)  # NaN stays NaN, None is missing


@pytest.mark.parametrize("engine", [None, "local"])
@pytest.mark.parametrize("second", FAULTS)
@pytest.mark.parametrize("first", FAULTS)
@pytest.mark.usefixtures("in_directory")
def test_of_faults_of_any_two_kinds_the_one_of_the_first_row_is_named(first, second, engine):
    pq.write_table(with_faults({1234: first, 1300: second, 2000: second}), "preds.parquet", row_group_size=1500)
    with pytest.raises(xent.XentError) as refused:
        xent.scan("preds.parquet", sample_weight="weight", classes=CLASSES, kind="probabilities", engine=engine)
    assert "row 1234" in str(refused.value)
    assert FAULTS[first][1] in str(refused.value)
    assert refused.value.row == 1234


@pytest.mark.parametrize("second", [kind for kind in FAULTS if kind not in ("weight", "missing label")])
@pytest.mark.parametrize("first", [kind for kind in FAULTS if kind not in ("weight", "missing label")])
def test_the_same_for_tables_in_memory(first, second):
    table = with_faults({1234: first, 1300: second, 2000: second})
    with pytest.raises(xent.XentError) as refused:
        xent.evaluate(table["label"], table.select(NAMES), classes=CLASSES, kind="probabilities")
    assert "row 1234" in str(refused.value)
    assert FAULTS[first][1] in str(refused.value)


@pytest.mark.usefixtures("in_directory")
def test_the_same_for_comparisons():
    pq.write_table(with_faults({}), "good.parquet")
    pq.write_table(with_faults({1234: "sum", 1300: "label"}), "bad.parquet")
    with pytest.raises(xent.ProbabilityError, match=r"row 1234 of bad\.parquet .* sums to "):
        xent.compare("good.parquet", "bad.parquet", classes=CLASSES)


@pytest.mark.parametrize("engine", ["local", "processes"])
@pytest.mark.usefixtures("in_directory")
def test_of_several_files_and_threads_the_first_in_order_is_named(engine):
    """The first fault is in a large file, found long after those of the small ones."""
    pq.write_table(with_faults({190_000: "sum"}, 200_000), "a.parquet")
    for name in "bcd":
        pq.write_table(with_faults({0: "negative"}, 10), f"{name}.parquet")
    with pytest.raises(xent.ProbabilityError, match=r"row 190000 of a\.parquet"):
        xent.scan("*.parquet", label="label", kind="probabilities", engine=engine)


def test_an_error_of_an_item_comes_before_that_of_their_source():
    def items():
        yield from range(3)
        raise OSError("the source")

    def work(item):
        if item == 2:
            raise ValueError("the item")
        return item

    for workers in (0, 1, 2, 4):
        found = ordered_map(work, items(), workers)
        assert [next(found), next(found)] == [0, 1]
        with pytest.raises(ValueError, match="the item"):
            next(found)


def test_results_come_before_the_error_of_their_source():
    def items():
        yield 1
        raise OSError("the source")

    for workers in (0, 2):
        found = ordered_map(str, items(), workers)
        assert next(found) == "1"
        with pytest.raises(OSError, match="the source"):
            next(found)
