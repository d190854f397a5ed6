"""Which row and which column a refusal names."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import xent

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
