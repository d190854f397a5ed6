"""Prediction columns become one array with the same numbers, not copied where that is possible."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xent.errors import SourceError
from xent.sources import prediction_block

FLOATS = [np.float16, np.float32, np.float64]


@given(hnp.arrays(st.sampled_from(FLOATS), hnp.array_shapes(min_dims=2, max_dims=2, max_side=8)), st.integers(0, 3))
def test_columns_and_lists_give_the_same_block(matrix, skipped):
    rows, classes = matrix.shape
    wanted = matrix.astype(np.promote_types(matrix.dtype, np.float32))[skipped:]
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), classes)
    offsets = np.arange(rows + 1) * classes
    data = pa.record_batch(
        {f"p_{j}": np.ascontiguousarray(matrix[:, j]) for j in range(classes)}
        | {
            "fixed": fixed,
            "list": pa.ListArray.from_arrays(offsets.astype(np.int32), pa.array(matrix.reshape(-1))),
            "large": pa.LargeListArray.from_arrays(offsets, pa.array(matrix.reshape(-1))),
            "view": pa.ListViewArray.from_arrays(
                offsets[:-1].astype(np.int32), np.full(rows, classes, np.int32), pa.array(matrix.reshape(-1))
            ),
        }
    ).slice(skipped)
    several = [f"p_{j}" for j in range(classes)]
    for names in (several, "fixed", "list", "large", "view"):
        block = prediction_block(data, names)
        assert block.dtype == wanted.dtype
        assert block.flags.f_contiguous if names == several else block.flags.c_contiguous
        if data.num_rows and (classes > 1 or names != several):
            np.testing.assert_array_equal(block, wanted)
    np.testing.assert_array_equal(prediction_block(data, "p_0"), wanted[:, 0])
    assert prediction_block(data, ["p_0"]).ndim == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_single_columns_and_lists_are_not_copied(dtype):
    values = np.arange(12, dtype=dtype)
    scalar, lists = pa.array(values), pa.FixedSizeListArray.from_arrays(pa.array(values.repeat(3)), 3)
    data = pa.record_batch({"p": scalar, "l": lists, "v": lists.cast(pa.list_(scalar.type))}).slice(2, 7)
    assert prediction_block(data, "p").__array_interface__["data"][0] == values[2:].__array_interface__["data"][0]
    for name in ("l", "v"):
        buffer = data[name].values.buffers()[1]
        assert prediction_block(data, name).__array_interface__["data"][0] == buffer.address + 6 * values.itemsize


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 0, 2], pa.int8()),
        ([1, 0, 2], pa.uint64()),
        ([Decimal("0.25"), Decimal("0.5"), Decimal("1.0")], pa.decimal128(5, 3)),
        ([True, False, True], pa.bool_()),
        ([0.5, 0.5, 0.25], pa.dictionary(pa.int8(), pa.float64())),
    ],
)
def test_other_numbers_become_float64(values, kind):
    data = pa.record_batch({"a": pa.array(values, kind), "b": pa.array([0.5] * 3, pa.float32())})
    assert prediction_block(data, "a").dtype == np.float64
    np.testing.assert_array_equal(prediction_block(data, "a"), np.array(values, float))
    np.testing.assert_array_equal(prediction_block(data, ["b", "a"])[:, 1], np.array(values, float))
    assert prediction_block(data, ["a", "b"]).dtype == np.float64


@given(st.lists(st.decimals(0, 1, places=6), min_size=1))
def test_decimals_are_the_nearest_float64(values):
    data = pa.record_batch({"p": pa.array(values, pa.decimal128(7, 6))})
    assert prediction_block(data, ["p"]).ravel().tolist() == [float(value) for value in values]


def test_tensors_in_extension_types():
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    np.testing.assert_array_equal(prediction_block(pa.record_batch({"p": tensor}), "p"), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([0.5, None]), r"f\.csv, row 8 \(counted from 0\), column 'p' is missing"),
        (pa.array([[0.5, 0.5], None]), r"row 8 .* is missing"),
        (pa.array([[0.5, 0.5], [0.5, None]]), r"row 8 .* missing value in its list"),
        (pa.array([[0.5, 0.5], [1.0]]), r"f\.csv, row 8 .* is a list of 1, but must be one of 2"),
        (pa.array(["a", "b"]), "column 'p' is of type string"),
        (pa.array([["a"], ["b"]]), "column 'p' is of type string"),
        (pa.array([{"a": 1}, {"a": 2}]), "column 'p' is of type struct"),
    ],
)
def test_what_is_no_prediction_is_refused(column, message):
    with pytest.raises(SourceError, match=message):
        prediction_block(pa.record_batch({"p": column}), "p", source="f.csv", first_row=7)


def test_lists_are_as_long_as_those_of_the_batches_before():
    with pytest.raises(SourceError, match=r"row 0 .* is a list of 2, but must be one of 3"):
        prediction_block(pa.record_batch({"p": pa.array([[0.5, 0.5]])}), "p", classes=3)
