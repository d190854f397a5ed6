"""What is refused, and that the message says what, where, got, allowed and the next step."""

import re
import subprocess
import sys
import warnings

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import xent
from xent.checks import losses

LIBRARIES = {"numpy": np, "strict": array_api_strict, "torch": torch, "jax": jnp}
each_library = pytest.mark.parametrize("library", LIBRARIES)

LOGITS = [[0.0, 1.0, 2.0], [3.0, -1.0, 0.0], [1.0, 1.0, 5.0], [2.0, 0.0, -4.0]]  # 4 rows of 3 classes
WEIGHT = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
INDEX = [0, 1, 2, 0]
SOFT = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.25, 0.25, 0.5]]


def floats(library, values):
    return LIBRARIES[library].asarray(values, dtype=LIBRARIES[library].float32)


def whole(library, values):
    return LIBRARIES[library].asarray(values, dtype=LIBRARIES[library].int32)


def softmax(library, labels, **options):
    return xent.softmax_cross_entropy(floats(library, LOGITS), labels, **options)


def linear(library, labels, **options):
    return xent.linear_cross_entropy(floats(library, LOGITS), floats(library, WEIGHT), labels, **options)


def rows(library, labels, **options):
    return xent.row_statistics(floats(library, LOGITS), labels, **options)


def linear_rows(library, labels, **options):
    return xent.linear_row_statistics(floats(library, LOGITS), floats(library, WEIGHT), labels, **options)


def sigmoid(library, labels, **options):
    return xent.sigmoid_cross_entropy(floats(library, LOGITS), labels, **options)


FUNCTIONS = {"softmax": softmax, "linear": linear, "rows": rows, "linear_rows": linear_rows}
each_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
LOSSES = {"softmax": softmax, "linear": linear, "sigmoid": sigmoid}


def good_labels(library, function):
    return floats(library, SOFT) if function is sigmoid else whole(library, INDEX)


def refused(error, kind, *says):
    """Expect a child of XentError and of the built-in kind, whose message has all parts and a next step."""
    assert issubclass(error, xent.XentError)
    assert issubclass(error, kind)

    class Caught:
        def __enter__(self):
            self.context = pytest.raises(error)
            self.info = self.context.__enter__()
            return self

        def __exit__(self, *exception):
            swallowed = self.context.__exit__(*exception)
            message = str(self.info.value)
            for part in says:
                assert re.search(part, message), (part, message)
            what, _, step = message.partition("\n")
            assert what.endswith(".")
            assert len(step) > 10
            assert step.endswith(".")
            return swallowed

    return Caught()


# --- labels that name no class --------------------------------------------------------------------


@each_function
@each_library
def test_a_label_out_of_range_is_named_with_its_index_and_a_way_to_skip_it(library, function):
    with refused(
        xent.LabelError,
        ValueError,
        r"^labels\[3\] is 10, but .*3 classes",
        r"must be in \[0, 3\); 1 of 4 labels (is|are) outside\.\n",
        r"\n.*ignore_index=10",
    ):
        function(library, whole(library, [0, 1, 2, 10]))
    with refused(xent.LabelError, ValueError, r"^labels\[1\] is -100, .*2 of 4 labels are", r"\n.*ignore_index=-100"):
        function(library, whole(library, [0, -100, 2, -100]))
    with refused(xent.LabelError, ValueError, r"^labels\[0\] is 3, "):  # the first that is too large
        function(library, whole(library, [3, 1, 2, 0]))


@each_function
@each_library
def test_a_label_out_of_range_beside_rows_to_skip(library, function):
    with refused(xent.LabelError, ValueError, r"^labels\[2\] is -1, .*1 of 4", r"\n.*ignore_index is -100"):
        function(library, whole(library, [0, -100, -1, -100]), ignore_index=-100)


@each_library
def test_a_label_out_of_range_in_a_batch_of_sequences(library):
    logits = floats(library, [LOGITS, LOGITS])
    with refused(xent.LabelError, ValueError, r"^labels\[1, 2\] is 3, .*2 of 8"):
        xent.softmax_cross_entropy(logits, whole(library, [[0, 1, 2, 0], [0, 1, 3, -1]]))
    with refused(xent.LabelError, ValueError, r"^labels\[1, 2\] is 3, .*2 of 8"):
        xent.linear_cross_entropy(logits, floats(library, WEIGHT), whole(library, [[0, 1, 2, 0], [0, 1, 3, -1]]))


@each_library
def test_labels_are_checked_where_gradients_are_taken(library):
    labels = whole(library, [0, 1, 2, 3])
    with refused(xent.LabelError, ValueError, r"^labels\[3\] is 3"):
        if library == "torch":
            xent.softmax_cross_entropy(floats(library, LOGITS).requires_grad_(), labels)
        else:
            softmax(library, labels)


def test_one_label_by_itself():
    with refused(xent.LabelError, ValueError, r"^labels(\[\])? is 3, .*1 of 1"):
        xent.softmax_cross_entropy(np.asarray([0.0, 1.0, 2.0]), 3)


# --- labels that are neither classes nor weights --------------------------------------------------


@each_function
@each_library
def test_floats_for_classes_are_refused(library, function):
    with refused(xent.ArgumentTypeError, TypeError, r"^labels has dtype .*float32", r"\(4,\)", "integers", r"\[0, 3\)"):
        function(library, floats(library, INDEX))


@each_function
@each_library
def test_labels_of_another_shape_are_refused(library, function):
    for labels in (
        floats(library, [[0.5, 0.5]] * 4),
        floats(library, [[0.25] * 4] * 4),
        floats(library, SOFT[:3]),
        whole(library, [0, 1, 2]),
        whole(library, [INDEX]),
        whole(library, [[0], [1], [2], [0]]),
        whole(library, 0),
    ):
        shape = re.escape(str(tuple(labels.shape)))
        with refused(xent.ShapeError, ValueError, rf"^labels has shape {shape}", r"\(4,\)", r"\(4, 3\)"):
            function(library, labels)


@pytest.mark.parametrize(
    "labels", [[True, False, True, False], ["cat", "dog", "cat", "dog"], None, [[0], [1, 2]], [1j] * 4]
)
def test_labels_that_are_no_numbers_are_refused(labels):
    for function in FUNCTIONS.values():
        with refused(xent.ArgumentTypeError, TypeError, "^labels "):
            function("numpy", labels)


# --- soft labels ----------------------------------------------------------------------------------


@each_function
@each_library
def test_soft_labels_that_do_not_sum_to_1_are_refused(library, function):
    wrong = [*SOFT[:1], [0.5, 0.6, 0.0], *SOFT[2:3], [0.0, 0.0, 0.0]]
    with refused(
        xent.ProbabilityError,
        ValueError,
        r"^labels row 1 sums to 1\.1, not 1",
        r"2 of 4 rows",
        r"0\.001",
        "largest is row 3",
    ):
        function(library, floats(library, wrong))


@each_function
@each_library
def test_soft_labels_that_are_negative_or_undefined_are_refused(library, function):
    for value, name in ((-0.5, r"-0\.5"), (float("nan"), "nan")):
        wrong = [*SOFT[:2], [0.0, value, 1.5], SOFT[3]]
        with refused(xent.ProbabilityError, ValueError, rf"^labels row 2, class 1 is {name}", r"\[0, 1\]", "1 of 12"):
            function(library, floats(library, wrong))


def test_soft_labels_may_be_off_by_rounding():
    thirds = np.full((4, 3), 1 / 3)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        softmax("torch", torch.tensor(thirds, dtype=dtype))
    softmax("numpy", [[0.3333, 0.3333, 0.3333]] * 4)
    with pytest.raises(xent.ProbabilityError):
        softmax("numpy", [[0.333, 0.333, 0.332]] * 4)


@each_library
def test_soft_labels_name_no_row_to_skip(library):
    for function in (softmax, linear, rows, linear_rows):
        with refused(xent.OptionError, ValueError, "^ignore_index is 1, but labels holds weights over the classes"):
            function(library, floats(library, SOFT), ignore_index=1)


def test_masked_arrays_are_refused_as_their_hidden_values_are_none():
    masked = np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[False, False], [True, False]])
    nothing = np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=False)
    with pytest.raises(xent.ArgumentTypeError, match="logits is masked in places"):
        xent.softmax_cross_entropy(masked, [0, 1])
    with pytest.raises(xent.ArgumentTypeError, match="labels is masked in places"):
        xent.softmax_cross_entropy(np.zeros((2, 2)), np.ma.array([0, 1], mask=[True, False]))
    with pytest.raises(xent.ArgumentTypeError, match="p is masked in places"):
        xent.entropy(np.ma.array([0.2, 0.2, 0.6], mask=[False, False, True]))
    assert xent.softmax_cross_entropy(nothing, [0, 1]) == xent.softmax_cross_entropy(nothing.data, [0, 1])


def test_dtypes_that_are_not_numpys_own_are_refused():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    with pytest.raises(xent.ArgumentTypeError, match="logits has dtype bfloat16, but must hold real numbers"):
        xent.softmax_cross_entropy(np.zeros((2, 2), ml_dtypes.bfloat16), [0, 1])


@each_library
def test_sigmoid_labels_outside_0_and_1_are_refused(library):
    for value, name in ((1.5, r"1\.5"), (-1.0, "-1"), (float("nan"), "nan")):
        wrong = [row.copy() for row in SOFT]
        wrong[1][2] = value
        with refused(xent.LabelError, ValueError, rf"^labels\[1, 2\] is {name}", r"\[0, 1\]", "1 of 12"):
            sigmoid(library, floats(library, wrong))


@each_library
def test_sigmoid_labels_are_never_broadcast(library):
    for labels in (
        floats(library, [0.0, 1.0, 1.0]),
        floats(library, [[0.0], [1.0], [1.0], [0.0]]),
        floats(library, 1.0),
    ):
        shape = re.escape(str(tuple(labels.shape)))
        with refused(xent.ShapeError, ValueError, rf"^labels has shape {shape}, .*\(4, 3\)"):
            sigmoid(library, labels)


# --- weights and options --------------------------------------------------------------------------


@each_library
def test_class_weights_of_another_length_are_refused(library):
    for function in LOSSES.values():
        for weight in ([1.0, 2.0], [1.0, 2.0, 3.0, 4.0], [[1.0, 2.0, 3.0]], 1.0):
            wrong = floats(library, weight)
            shape = re.escape(str(tuple(wrong.shape)))
            with refused(xent.ShapeError, ValueError, rf"^class_weight has shape {shape}, .*3 classes", r"\(3,\)"):
                function(library, good_labels(library, function), class_weight=wrong)


@each_library
def test_sample_weights_of_another_shape_are_refused(library):
    for function in (softmax, linear):
        for weight in ([1.0, 2.0], [[1.0]] * 4, [[1.0] * 3] * 4):
            wrong = floats(library, weight)
            shape = re.escape(str(tuple(wrong.shape)))
            with refused(xent.ShapeError, ValueError, rf"^sample_weight has shape {shape}", r"\(4,\)"):
                function(library, whole(library, INDEX), sample_weight=wrong)
    for name in ("sample_weight", "pos_weight"):
        for weight in ([1.0, 2.0], [1.0] * 4, [[[1.0]]]):
            with refused(xent.ShapeError, ValueError, rf"^{name} has shape", r"\(4, 3\)"):
                sigmoid(library, floats(library, SOFT), **{name: floats(library, weight)})


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), -1])
@pytest.mark.parametrize("function", LOSSES.values(), ids=LOSSES)
def test_label_smoothing_outside_0_and_1_is_refused(function, value):
    with refused(xent.OptionError, ValueError, rf"^label_smoothing is {value}", r"\[0, 1\]"):
        function("numpy", good_labels("numpy", function), label_smoothing=value)


@pytest.mark.parametrize(
    ("name", "values", "allowed"),
    [
        ("softcap", [0, 0.0, -30.0, float("nan"), float("inf")], "above 0"),
        ("z_loss", [-1e-4, float("nan"), float("inf")], "0 or more"),
        ("max_memory", [0, -1], "above 0"),
    ],
)
@pytest.mark.parametrize("function", [softmax, linear], ids=["softmax", "linear"])
def test_options_outside_of_their_range_are_refused(function, name, values, allowed):
    if name == "max_memory" and function is softmax:
        function = linear_rows
    for value in values:
        with refused(xent.OptionError, ValueError, rf"^{name} is {value}", allowed):
            function("numpy", INDEX, **{name: value})


@pytest.mark.parametrize(
    ("function", "name", "value", "allowed"),
    [
        (softmax, "ignore_index", "a", "must be an integer: the label of the rows to skip"),
        (softmax, "ignore_index", 1.5, "must be an integer"),
        (linear, "ignore_index", True, "must be an integer"),
        (linear, "max_memory", 1e6, "must be an integer: a number of bytes"),
        (linear, "max_memory", "a", "must be finite and above 0"),
        (softmax, "label_smoothing", "a", "must be in"),
        (sigmoid, "label_smoothing", "a", "must be in"),
    ],
)
def test_options_of_another_type_are_refused(function, name, value, allowed):
    with refused(xent.OptionError, ValueError, f"{name} is {value!r}", allowed):
        function("numpy", good_labels("numpy", function), **{name: value})


@pytest.mark.parametrize("function", LOSSES.values(), ids=LOSSES)
def test_reductions_and_denominators(function):
    labels = good_labels("numpy", function)
    for value in ("avg", "", None, "Mean"):
        with refused(xent.OptionError, ValueError, f"^reduction is {value!r}", '"none", "sum" or "mean"'):
            function("numpy", labels, reduction=value)
    for reduction in ("sum", "none"):
        for denominator in (5, np.asarray(5.0)):
            with refused(xent.OptionError, ValueError, "^denominator .*reduction is '" + reduction, 'reduction="mean"'):
                function("numpy", labels, reduction=reduction, denominator=denominator)


# --- logits and layers ----------------------------------------------------------------------------


@each_library
def test_logits_without_classes_are_refused(library):
    xp = LIBRARIES[library]
    for function in (xent.softmax_cross_entropy, xent.row_statistics):
        for logits in (floats(library, 1.0), xp.zeros((2, 0)), xp.zeros((0,))):
            shape = re.escape(str(tuple(logits.shape)))
            with refused(xent.ShapeError, ValueError, rf"^logits has shape {shape}", r"\(\.\.\., classes\)"):
                function(logits, whole(library, [0, 0]))


@pytest.mark.parametrize(
    "logits", [None, "logits", ["a", "b"], [[1.0], [1.0, 2.0]], [1j, 2j], np.asarray([1j, 2j])], ids=str
)
def test_logits_that_are_no_numbers_are_refused(logits):
    for function in (xent.softmax_cross_entropy, xent.row_statistics, xent.sigmoid_cross_entropy):
        with refused(xent.ArgumentTypeError, TypeError, "^logits "):
            function(logits, [0])
    with refused(xent.ArgumentTypeError, TypeError, "^features "):
        xent.linear_cross_entropy(logits, WEIGHT, [0])


@each_library
def test_a_layer_whose_parts_do_not_fit_is_refused(library):
    xp, labels = LIBRARIES[library], whole(library, INDEX)
    for function in (xent.linear_cross_entropy, xent.linear_row_statistics):
        for shape in ((3, 5), (3,), (2, 3, 3), (0, 3), ()):
            says = (
                r"^features has shape \(4, 3\)",
                r"weight (has shape )?" + re.escape(str(shape)),
                r"\(classes, dim\)",
            )
            with refused(xent.ShapeError, ValueError, *says):
                function(floats(library, LOGITS), xp.zeros(shape), labels)
        with refused(xent.ShapeError, ValueError, r"^features has shape \(\)"):
            function(floats(library, 1.0), floats(library, WEIGHT), labels)
        for bias in ([1.0, 2.0], [1.0] * 4, [[1.0] * 3], 1.0):
            wrong = floats(library, bias)
            shape = re.escape(str(tuple(wrong.shape)))
            with refused(xent.ShapeError, ValueError, rf"^bias has shape {shape}, .*3 classes"):
                function(floats(library, LOGITS), floats(library, WEIGHT), labels, wrong)


# --- several libraries ----------------------------------------------------------------------------

LIBRARY_PAIRS = [("numpy", "torch"), ("torch", "numpy"), ("jax", "torch"), ("strict", "torch"), ("torch", "strict")]


@pytest.mark.parametrize(("one", "other"), LIBRARY_PAIRS)
def test_arrays_of_two_libraries_are_refused(one, other):
    logits, labels = floats(one, LOGITS), whole(one, INDEX)
    calls = {
        "labels": lambda: xent.softmax_cross_entropy(logits, whole(other, INDEX)),
        "class_weight": lambda: xent.softmax_cross_entropy(logits, labels, class_weight=floats(other, [1.0] * 3)),
        "sample_weight": lambda: xent.softmax_cross_entropy(logits, labels, sample_weight=floats(other, [1.0] * 4)),
        "denominator": lambda: xent.softmax_cross_entropy(logits, labels, denominator=floats(other, 4.0)),
        "weight": lambda: xent.linear_cross_entropy(logits, floats(other, WEIGHT), labels),
        "bias": lambda: xent.linear_cross_entropy(logits, floats(one, WEIGHT), labels, floats(other, [1.0] * 3)),
        "pos_weight": lambda: xent.sigmoid_cross_entropy(
            logits, floats(one, SOFT), pos_weight=floats(other, [1.0] * 3)
        ),
    }
    for name, call in calls.items():
        with refused(xent.ArgumentTypeError, TypeError, rf"\b{name} is a", "one library"):
            call()


# --- where values cannot be read ------------------------------------------------------------------


def test_shapes_and_options_are_checked_under_jit():
    logits = floats("jax", LOGITS)
    with pytest.raises(xent.ShapeError):
        jax.jit(xent.softmax_cross_entropy)(logits, whole("jax", [0, 1]))
    with pytest.raises(xent.ArgumentTypeError):
        jax.jit(xent.softmax_cross_entropy)(logits, floats("jax", INDEX))
    with pytest.raises(xent.OptionError):
        jax.jit(lambda z: xent.softmax_cross_entropy(z, whole("jax", INDEX), label_smoothing=2.0))(logits)


# --- probabilities passed as logits ---------------------------------------------------------------

ONCE = """
import warnings
import numpy as np
import {library}
import xent
probabilities = np.asarray([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [0.0, 0.0, 1.0]], np.float32)
logits, labels = {array}(probabilities), {array}(np.asarray([0, 1, 2]))
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    for fine in (logits * 2, logits - 1, logits[:1], logits[:, :1], logits[:0]):
        xent.softmax_cross_entropy(fine, labels[: len(fine)] * 0)
    assert not seen, seen
    {before}
    assert not seen, seen
    for _ in range(3):
        xent.softmax_cross_entropy(logits, labels)
(warning,) = seen
assert warning.category is UserWarning
assert "logits looks like probabilities" in str(warning.message)
assert "softmax" in str(warning.message)
print(warning.filename)
"""
ELSEWHERE = {
    "numpy": "pass",
    "torch": "xent.softmax_cross_entropy(logits.to('meta'), labels.to('meta'))",
}


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_probabilities_as_logits_warn_once_in_a_process_where_they_can_be_read(library):
    """And the warning points to the line that passed them."""
    array = {"numpy": "np.array", "torch": "torch.tensor"}[library]
    code = ONCE.format(library=library, array=array, before=ELSEWHERE[library])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "<string>"


def test_probabilities_of_16_bits_warn_too(monkeypatch):
    monkeypatch.setattr(losses, "_warned", False)
    with pytest.warns(UserWarning, match="looks like probabilities"):
        xent.softmax_cross_entropy(torch.tensor([SOFT], dtype=torch.bfloat16), torch.tensor([INDEX]))


def test_logits_of_16_bits_are_not_widened_to_be_looked_at():
    """PyTorch would share that out, and its threads then spin for a while in the way of ours: a fifth of a step."""
    sizes = []

    class Recorded(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor) and out.dtype == torch.float32:
                sizes.append(out.numel())
            return out

    logits = torch.full((2, 4, 50_000), -1.0, dtype=torch.bfloat16)
    with Recorded():
        losses.probabilities_as_logits(logits)
    assert sizes
    assert max(sizes) <= 4


@pytest.mark.parametrize("name", ["label_smoothing", "z_loss", "softcap"])
def test_options_that_jit_has_traced_are_refused_in_words(name):
    def loss(value):
        return xent.softmax_cross_entropy(jnp.asarray(LOGITS), jnp.asarray(INDEX), **{name: value})

    with pytest.raises(
        xent.errors.OptionError, match=rf"{name} is .*known when the loss is traced(.|\n)*static_argnames"
    ):
        jax.jit(loss)(0.5)
    assert jax.jit(loss, static_argnums=0)(0.5) == pytest.approx(float(loss(jnp.asarray(0.5))), rel=1e-6)


def test_probabilities_as_logits_do_not_warn_under_jit():
    jax.jit(xent.softmax_cross_entropy)(floats("jax", SOFT), whole("jax", INDEX))


def test_looking_for_probabilities_makes_no_noise_of_its_own():
    """Logits that are huge, infinite or undefined, in the first rows too."""
    for value in (3e38, np.inf, np.nan):
        logits = np.full((4, 3), value, np.float32)
        logits[0] = [0.25, 0.25, 0.5]
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            xent.softmax_cross_entropy(logits, [0, -1, -1, -1], ignore_index=-1)
        assert not seen, seen[0].message
