"""PyTorch's names on xent's losses: signatures, state, layouts, the rules of the mean, and where they differ on purpose."""

import copy
import inspect
import itertools
import math
import pickle
import subprocess
import sys

import pytest
import torch
from torch.nn import functional

import xent.torch
from xent.errors import ArgumentTypeError, LabelError, OptionError, ShapeError

DEPRECATED = {"size_average", "reduce"}
PAIRS = [
    (functional.cross_entropy, xent.torch.cross_entropy),
    (functional.linear_cross_entropy, xent.torch.linear_cross_entropy),
    (functional.binary_cross_entropy_with_logits, xent.torch.binary_cross_entropy_with_logits),
]
MODULE_NAMES = ("CrossEntropyLoss", "BCEWithLogitsLoss", "LinearCrossEntropyLoss")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors gain nothing by PyTorch's threads, which wait long for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def draw(*shape, dtype=torch.float32, scale=3.0, seed=0):
    return (scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))).to(dtype)


def classes(high, *shape, seed=1):
    return torch.randint(high, shape, generator=torch.Generator().manual_seed(seed))


def gradient_of(loss, *inputs):
    return torch.autograd.grad(loss, inputs)


# ---------------------------------------------------------------------------------------------- names and arguments


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=lambda function: function.__name__)
def test_functions_have_pytorchs_arguments_and_defaults(theirs, ours):
    wanted = {
        name: each.default for name, each in inspect.signature(theirs).parameters.items() if name not in DEPRECATED
    }
    assert {name: each.default for name, each in inspect.signature(ours).parameters.items()} == wanted


@pytest.mark.parametrize("name", MODULE_NAMES)
def test_modules_have_pytorchs_arguments_in_pytorchs_order(name):
    theirs, ours = (inspect.signature(getattr(library, name)) for library in (torch.nn, xent.torch))
    assert [(each.name, each.default, each.kind) for each in ours.parameters.values()] == [
        (each.name, each.default, each.kind) for each in theirs.parameters.values()
    ]


@pytest.mark.filterwarnings("ignore:size_average and reduce args will be deprecated")
@pytest.mark.parametrize(
    "old", [{"size_average": False}, {"size_average": True}, {"reduce": False}, {"reduce": True, "size_average": False}]
)
def test_the_old_names_of_reduction_mean_what_they_meant(old):
    logits, labels = draw(4, 3), classes(3, 4)
    for name, target in (("CrossEntropyLoss", labels), ("BCEWithLogitsLoss", functional.one_hot(labels, 3).float())):
        ours, theirs = (getattr(library, name)(**old)(logits, target) for library in (xent.torch, torch.nn))
        torch.testing.assert_close(ours, theirs)


MODULES = [
    (name, made)
    for name, made in (
        ("CrossEntropyLoss", lambda library: library.CrossEntropyLoss()),
        ("CrossEntropyLoss", lambda library: library.CrossEntropyLoss(torch.tensor([1.0, 2.0, 3.0]))),
        ("BCEWithLogitsLoss", lambda library: library.BCEWithLogitsLoss(torch.ones(2), pos_weight=torch.ones(1))),
        ("LinearCrossEntropyLoss", lambda library: library.LinearCrossEntropyLoss(3, 4)),
        (
            "LinearCrossEntropyLoss",
            lambda library: library.LinearCrossEntropyLoss(3, 2, bias=True, weight=torch.ones(2)),
        ),
        (
            "LinearCrossEntropyLoss",
            lambda library: library.LinearCrossEntropyLoss(3, 2, out_features=(2, 5), bias=True),
        ),
    )
]


@pytest.mark.parametrize(("name", "made"), MODULES)
def test_state_is_interchangeable_with_pytorchs(name, made):
    ours, theirs = made(xent.torch), made(torch.nn)
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    assert {key: value.shape for key, value in ours.state_dict().items()} == {
        key: value.shape for key, value in theirs.state_dict().items()
    }
    assert {key for key, _ in ours.named_buffers()} == {key for key, _ in theirs.named_buffers()}
    assert {key for key, _ in ours.named_parameters()} == {key for key, _ in theirs.named_parameters()}
    assert all(value.dtype == torch.float64 for value in ours.double().state_dict().values())
    for twin in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert repr(twin) == repr(ours)
        assert repr(ours).startswith(f"{name}(")


def test_print_shows_the_options():
    assert repr(xent.torch.CrossEntropyLoss(ignore_index=3)) == (
        "CrossEntropyLoss(ignore_index=3, reduction=mean, label_smoothing=0.0)"
    )
    assert repr(xent.torch.BCEWithLogitsLoss(reduction="sum")) == "BCEWithLogitsLoss(reduction=sum)"
    assert "in_features=3, bias=False, num_classes=4" in repr(xent.torch.LinearCrossEntropyLoss(3, 4))


def test_the_layer_starts_as_pytorchs_does():
    torch.manual_seed(3)
    ours = xent.torch.LinearCrossEntropyLoss(3, 4, bias=True, out_features=(2,))
    torch.manual_seed(3)
    theirs = torch.nn.LinearCrossEntropyLoss(3, 4, bias=True, out_features=(2,))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_a_step_of_training_is_pytorchs():
    features, labels = draw(16, 5), classes(4, 16)
    weights = []
    for library in (xent.torch, torch.nn):
        torch.manual_seed(0)
        head = library.LinearCrossEntropyLoss(5, 4, bias=True, label_smoothing=0.1)
        optimizer = torch.optim.SGD(head.parameters(), lr=0.5)
        for _ in range(5):
            optimizer.zero_grad()
            head(features, labels).backward()
            optimizer.step()
        weights.append(head.linear.weight.detach())
    torch.testing.assert_close(*weights, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------------------------------------- rules of the mean


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 3.0])])
def test_a_mean_over_ignored_rows_alone_is_nan_with_gradient_zero_as_pytorchs(weight, smoothing):
    logits, labels = draw(4, 3).requires_grad_(), torch.full((4,), -100)
    options = {"weight": weight, "label_smoothing": smoothing}
    for function in (functional.cross_entropy, xent.torch.cross_entropy):
        loss = function(logits, labels, **options)
        assert loss.isnan()
        assert torch.equal(gradient_of(loss, logits)[0], torch.zeros(4, 3))
        assert function(logits, labels, reduction="sum", **options) == 0.0
        assert torch.equal(function(logits, labels, reduction="none", **options), torch.zeros(4))


@pytest.mark.parametrize("places", [(), (2,)])
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 3.0])])
def test_a_linear_mean_over_ignored_rows_alone_is_nan_with_gradient_zero_as_pytorchs(weight, places):
    features, layer = draw(4, 5).requires_grad_(), draw(3, *places, 5).requires_grad_()
    for function in (functional.linear_cross_entropy, xent.torch.linear_cross_entropy):
        loss = function(features, layer, torch.full((4, *places), 7), weight=weight, ignore_index=7)
        assert loss.isnan()
        for gradient in gradient_of(loss, features, layer):
            assert not gradient.any()


def test_a_mean_over_no_rows_is_nan_as_pytorchs():
    cases = [
        ((0, 3), (0,)),
        ((0, 3, 5), (0, 5)),
        ((2, 3, 0), (2, 0)),
    ]
    for shape, rows in cases:
        for target in (torch.zeros(rows, dtype=torch.long), torch.zeros(shape)):
            for function in (functional.cross_entropy, xent.torch.cross_entropy):
                assert function(torch.zeros(shape), target).isnan()
                assert function(torch.zeros(shape), target, reduction="sum") == 0.0
                assert function(torch.zeros(shape), target, reduction="none").shape == rows
    for function in (functional.linear_cross_entropy, xent.torch.linear_cross_entropy):
        assert function(torch.zeros(0, 5), torch.zeros(3, 5), torch.zeros(0, dtype=torch.long)).isnan()
    for function in (functional.binary_cross_entropy_with_logits, xent.torch.binary_cross_entropy_with_logits):
        assert function(torch.zeros(0), torch.zeros(0)).isnan()
        assert function(torch.zeros(0), torch.zeros(0), reduction="sum") == 0.0


def test_a_mean_whose_weights_are_zero_is_nan_as_pytorchs():
    logits, labels, weight = draw(4, 3), torch.tensor([0, 0, 1, -100]), torch.tensor([0.0, 0.0, 1.0])
    for function in (functional.cross_entropy, xent.torch.cross_entropy):
        assert function(logits, labels, weight).isnan()
        assert function(logits, labels, weight, reduction="sum") == 0.0


def test_the_mean_of_binary_losses_divides_by_their_number_whatever_they_weigh():
    logits, target = draw(4, 3), (draw(4, 3, seed=2) > 0).float()
    for weight in (torch.tensor([1.0, 2.0, 3.0]), torch.rand(4, 1), torch.zeros(()), -torch.ones(3)):
        ours, theirs = (
            function(logits, target, weight)
            for function in (
                xent.torch.binary_cross_entropy_with_logits,
                functional.binary_cross_entropy_with_logits,
            )
        )
        torch.testing.assert_close(ours, theirs)


# -------------------------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint32])
def test_targets_may_be_of_any_integer_dtype(dtype):
    logits, labels = draw(6, 5), classes(5, 6)
    assert torch.equal(xent.torch.cross_entropy(logits, labels.to(dtype)), xent.torch.cross_entropy(logits, labels))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((draw(4, 3), torch.tensor([0, 1, 3, 0])), LabelError, r"target\[2\] is 3, but input has 3 classes"),
        ((draw(4, 3), torch.tensor([0, -1, 2, 0])), LabelError, "pass ignore_index=-1"),
        ((draw(4, 3), classes(3, 5)), ShapeError, r"target must be \(4,\)"),
        ((draw(4, 3), draw(4, 4)), ShapeError, r"or \(4, 3\) of weights"),
        ((draw(2, 3, 4), draw(2, 4, 3)), ShapeError, r"or \(2, 3, 4\) of weights"),
        ((draw(4, 3), draw(4)), ArgumentTypeError, "classes are numbered by integers"),
        ((draw(4, 3), torch.zeros(4, dtype=torch.bool)), ArgumentTypeError, "classes are numbered by integers"),
        ((draw(4, 3), torch.zeros(4, dtype=torch.complex64)), ArgumentTypeError, "classes are numbered by integers"),
        ((draw(4, 3), torch.zeros(4, dtype=torch.float8_e5m2)), ArgumentTypeError, "classes are numbered by integers"),
        ((draw(4, 3), torch.zeros(4, 3, dtype=torch.long)), ArgumentTypeError, "weights over the classes"),
        ((draw(4, 3), classes(3, 4), torch.ones(4)), ShapeError, r"weight has shape \(4,\)"),
        ((torch.tensor(1.0), torch.tensor(0)), ArgumentTypeError, "target"),
    ],
)
def test_what_does_not_fit_is_refused_in_pytorchs_words(arguments, error, words):
    with pytest.raises(error, match=words):
        xent.torch.cross_entropy(*arguments)


def test_options_that_do_not_fit_are_refused():
    logits, labels, soft = draw(4, 3), classes(3, 4), draw(4, 3).softmax(1)
    for options in ({"reduction": "average"}, {"label_smoothing": 1.5}, {"label_smoothing": -0.1}):
        with pytest.raises(OptionError):
            xent.torch.cross_entropy(logits, labels, **options)
        with pytest.raises(OptionError):
            xent.torch.linear_cross_entropy(logits, draw(3, 3), labels, **options)
    with pytest.raises(OptionError, match="ignore_index is 1"):
        xent.torch.cross_entropy(logits, soft, ignore_index=1)
    with pytest.raises(OptionError, match="ignore_index is -1"):
        xent.torch.linear_cross_entropy(logits, draw(3, 3), soft, ignore_index=-1)
    with pytest.raises(OptionError, match="label_smoothing"):
        xent.torch.LinearCrossEntropyLoss(3, 2, label_smoothing=2.0)
    with pytest.raises(ShapeError, match="weight"):
        xent.torch.LinearCrossEntropyLoss(3, 2, weight=torch.ones(3))


@pytest.mark.parametrize(
    ("features", "layer", "target", "bias", "words"),
    [
        (draw(4, 5), draw(3, 6), classes(3, 4), None, "linear_weight"),
        (draw(4, 5), draw(3, 5), classes(3, 5), None, "target must be"),
        (draw(4, 5), draw(3, 5), classes(3, 4), draw(4), "linear_bias has shape"),
        (draw(4, 5), draw(5), classes(3, 4), None, "linear_weight|target"),
        (draw(5), draw(3, 2, 5), classes(3, 2), None, r"\(rows, dim\)"),
        (draw(2, 2, 5), draw(3, 2, 5), classes(3, 2, 2, 2), None, r"\(rows, dim\)"),
        (draw(4, 5), draw(3, 2, 5), classes(3, 4, 2), draw(3), "linear_bias"),
        (draw(4, 5), draw(3, 2, 6), classes(3, 4, 2), None, "linear_weight"),
    ],
)
def test_layers_that_do_not_fit_are_refused(features, layer, target, bias, words):
    with pytest.raises(ShapeError, match=words):
        xent.torch.linear_cross_entropy(features, layer, target, linear_bias=bias)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("ours", [pair[1] for pair in PAIRS])
def test_arrays_of_other_libraries_are_refused_by_name(ours, place):
    names = list(inspect.signature(ours).parameters)[:3]
    linear = ours is xent.torch.linear_cross_entropy
    arguments = dict(
        zip(names, [torch.eye(3), torch.eye(3), torch.ones(3).long() if linear else torch.ones(3)], strict=True)
    )
    arguments[names[place]] = arguments[names[place]].numpy()
    with pytest.raises(ArgumentTypeError, match=rf"^{names[place]} is a numpy.ndarray, but must be a torch.Tensor"):
        ours(**arguments)


def test_binary_targets_outside_of_0_and_1_cost_what_they_cost_in_torch():
    logits, targets = draw(4), torch.tensor([0.0, 2.0, -0.5, 1.0], dtype=torch.float64)
    torch.testing.assert_close(
        xent.torch.binary_cross_entropy_with_logits(logits, targets),
        functional.binary_cross_entropy_with_logits(logits.double(), targets),
        check_dtype=False,
    )


def test_binary_targets_are_of_the_logits_shape():
    with pytest.raises(ShapeError, match="target has shape"):
        xent.torch.binary_cross_entropy_with_logits(draw(4, 1), torch.ones(4))
    with pytest.raises(ShapeError, match="weight has shape"):
        xent.torch.binary_cross_entropy_with_logits(draw(4), torch.ones(4), torch.ones(2, 4))


def test_features_may_have_a_time_axis():
    features, layer, labels = draw(2, 6, 5), draw(3, 5), classes(3, 2, 6)
    labels[0, 2] = -100
    dense = functional.cross_entropy((features @ layer.T).flatten(0, 1), labels.flatten(), reduction="none")
    loss = xent.torch.linear_cross_entropy(features, layer, labels, reduction="none")
    torch.testing.assert_close(loss, dense.reshape(2, 6))
    soft = functional.one_hot(labels.clamp(min=0), 3).float()
    torch.testing.assert_close(
        xent.torch.linear_cross_entropy(features, layer, soft),
        functional.cross_entropy((features @ layer.T).flatten(0, 1), soft.flatten(0, 1)),
    )


@pytest.mark.parametrize("memory", [0, 1 << 30])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", ["index", "soft"])
def test_a_layer_for_each_place_with_and_without_logits(monkeypatch, kind, reduction, memory):
    monkeypatch.setattr("xent.torch.functional.MAX_MEMORY", memory)
    leaves = [draw(*shape, dtype=torch.float64).requires_grad_() for shape in ((8, 5), (4, 3, 2, 5), (4, 3, 2))]
    labels = classes(4, 8, 3, 2)
    labels[2], labels[4, 1] = 2, 2
    target, ignored = (labels, 2) if kind == "index" else (draw(8, 4, 3, 2, dtype=torch.float64).softmax(1), None)
    for options in ({}, {"label_smoothing": 0.1}, {"weight": torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)}):
        losses = [
            function(*leaves[:2], target, linear_bias=leaves[2], reduction=reduction, ignore_index=ignored, **options)
            for function in (xent.torch.linear_cross_entropy, functional.linear_cross_entropy)
        ]
        torch.testing.assert_close(*losses)
        torch.testing.assert_close(*(gradient_of(loss.sum(), *leaves) for loss in losses))
    for dtype in (torch.bfloat16, torch.float16):
        given = [leaf.detach().to(dtype) for leaf in leaves]
        loss = xent.torch.linear_cross_entropy(*given[:2], labels, linear_bias=given[2])
        exact = functional.linear_cross_entropy(
            *(each.double() for each in given[:2]), labels, linear_bias=given[2].double()
        )
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss.double(), exact, rtol=1e-4, atol=0.0)


# ------------------------------------------------------------------------------------- where they differ on purpose


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_inputs_give_float32_losses_and_16_bit_gradients(dtype):
    logits, labels = draw(6, 5, dtype=dtype).requires_grad_(), classes(5, 6)
    for reduction in ("mean", "sum", "none"):
        loss = xent.torch.cross_entropy(logits, labels, reduction=reduction)
        assert loss.dtype == torch.float32
        exact = functional.cross_entropy(logits.double(), labels, reduction=reduction)
        torch.testing.assert_close(loss.double(), exact, rtol=1e-6, atol=1e-6)
    assert gradient_of(loss.sum(), logits)[0].dtype == dtype
    assert xent.torch.binary_cross_entropy_with_logits(logits, torch.ones(6, 5, dtype=dtype)).dtype == torch.float32
    assert xent.torch.linear_cross_entropy(logits, draw(3, 5, dtype=dtype), classes(3, 6)).dtype == torch.float32


def test_float64_targets_give_float64_losses():
    logits = draw(6, 5)
    soft = draw(6, 5).double().softmax(1)
    loss = xent.torch.cross_entropy(logits, soft)
    torch.testing.assert_close(loss, functional.cross_entropy(logits.double(), soft), rtol=1e-14, atol=0.0)
    loss = xent.torch.binary_cross_entropy_with_logits(logits, soft)
    exact = functional.binary_cross_entropy_with_logits(logits.double(), soft)
    torch.testing.assert_close(loss, exact, rtol=1e-14, atol=0.0)


def test_a_small_loss_is_not_rounded_to_nothing():
    logits = torch.tensor([[20.0, 0.0, 0.0]], requires_grad=True)
    loss = xent.torch.cross_entropy(logits, torch.tensor([0]))
    exact = math.log1p(2 * math.exp(-20.0))
    assert loss.item() == pytest.approx(exact, rel=1e-6)
    assert gradient_of(loss, logits)[0][0, 0].item() == pytest.approx(math.expm1(-exact), rel=1e-6)
    assert functional.cross_entropy(logits, torch.tensor([0])) == 0.0


def test_a_soft_target_of_zero_on_a_logit_of_minus_infinity_costs_nothing():
    logits, soft = torch.tensor([[0.0, 1.0, -math.inf]]), torch.tensor([[0.25, 0.75, 0.0]])
    exact = functional.cross_entropy(logits[:, :2], soft[:, :2])
    torch.testing.assert_close(xent.torch.cross_entropy(logits, soft), exact)
    assert functional.cross_entropy(logits, soft).isnan()


def test_soft_targets_of_any_values_count_as_they_are():
    logits, soft = draw(4, 3, dtype=torch.float64), draw(4, 3, dtype=torch.float64, seed=5)
    torch.testing.assert_close(xent.torch.cross_entropy(logits, soft), functional.cross_entropy(logits, soft))


def test_class_weights_get_gradients():
    logits, labels = draw(6, 3, dtype=torch.float64), classes(3, 6)
    weight = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: xent.torch.cross_entropy(logits, labels, w), weight)
    assert torch.autograd.gradcheck(lambda w: xent.torch.cross_entropy(logits, labels, w, label_smoothing=0.1), weight)


def test_binary_targets_may_be_integers_or_booleans():
    logits, target = draw(4, 3), draw(4, 3, seed=2) > 0
    exact = functional.binary_cross_entropy_with_logits(logits, target.float())
    for given in (target, target.long(), target.to(torch.uint8)):
        torch.testing.assert_close(xent.torch.binary_cross_entropy_with_logits(logits, given), exact)


# ---------------------------------------------------------------------------- what fused kernels have got wrong before

SHAPES = [(2, 3), (12, 47), (33, 128), (3, 1023), (41, 401, 3)]
GRID = list(
    itertools.product(
        SHAPES,
        (torch.float32, torch.float64, torch.bfloat16, torch.float16),
        ("mean", "sum", "none"),
        (0.0, 0.1),
        (False, True),
    )
)


@pytest.mark.parametrize(("shape", "dtype", "reduction", "smoothing", "weighted"), GRID)
def test_every_combination_of_options(shape, dtype, reduction, smoothing, weighted):
    """Shapes × dtypes × reductions × options, with and without ignored rows, on inputs that are not contiguous."""
    count = shape[1]
    rows = (shape[0], *shape[2:])
    base = draw(*reversed(shape), dtype=dtype)
    logits = base.permute(*range(base.ndim - 1, -1, -1)).requires_grad_()
    kept = logits.detach().clone()
    weight = draw(count, seed=3).abs().to(torch.float64 if dtype == torch.float64 else torch.float32)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-6
    rounding = {torch.bfloat16: 2**-8, torch.float16: 2**-10}.get(dtype, 0.0)
    for ignore_index in (-100, 0, 1):
        labels = classes(count, *rows)
        labels[0] = ignore_index
        labels[-1] = 1 - max(ignore_index, 0)
        options = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": smoothing}
        exact_logits = kept.double().requires_grad_()
        exact = functional.cross_entropy(exact_logits, labels, weight.double() if weighted else None, **options)
        loss = xent.torch.cross_entropy(logits, labels, weight if weighted else None, **options)
        torch.testing.assert_close(loss.double(), exact, rtol=tolerance, atol=tolerance)
        upstream = torch.linspace(0.5, 1.5, loss.numel(), dtype=torch.float64).reshape(loss.shape)
        (wanted,) = torch.autograd.grad(exact, exact_logits, upstream)
        (gradient,) = torch.autograd.grad(loss, logits, upstream.to(loss.dtype))
        torch.testing.assert_close(
            gradient.double(), wanted, rtol=tolerance + rounding, atol=tolerance + 1e-7 * bool(rounding)
        )
        assert not gradient.movedim(1, -1)[labels == ignore_index].any()
        assert torch.equal(logits.detach(), kept)


@pytest.mark.parametrize("inplace", [False, True])
def test_logits_can_be_used_by_others_and_twice(inplace):
    """Kernels that store gradients in their input break the second use."""
    base, labels = draw(12, 7), classes(7, 12)
    results = []
    for function in (xent.torch.cross_entropy, functional.cross_entropy):
        leaf = base.clone().requires_grad_()
        logits = leaf * 2.0
        first = function(logits, labels)
        second = function(logits.relu_() if inplace else logits.relu(), labels, label_smoothing=0.1)
        results.append((first, second, *torch.autograd.grad(first + 3.0 * second, leaf)) if not inplace else (second,))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_second_backward_gives_the_same():
    logits, labels = draw(12, 7).requires_grad_(), classes(7, 12)
    features, layer = draw(12, 5).requires_grad_(), draw(7, 5).requires_grad_()
    for loss, leaves in (
        (xent.torch.cross_entropy(logits, labels), [logits]),
        (xent.torch.linear_cross_entropy(features, layer, labels), [features, layer]),
        (xent.torch.linear_cross_entropy(features, layer, labels, reduction="none").sum(), [features, layer]),
    ):
        once = torch.autograd.grad(loss, leaves, retain_graph=True)
        again = torch.autograd.grad(loss, leaves)
        assert all(map(torch.equal, once, again))


@pytest.mark.parametrize("options", [{}, {"weight": torch.rand(7)}, {"label_smoothing": 0.1}])
def test_drop_ins_compile_whole(options):
    logits, labels = draw(12, 7).requires_grad_(), classes(7, 12)
    labels[3] = -100
    compiled = torch.compile(xent.torch.cross_entropy, fullgraph=True, backend="aot_eager")
    for target in (labels, torch.full_like(labels, -100)):
        ours, theirs = (function(logits, target, **options) for function in (compiled, functional.cross_entropy))
        torch.testing.assert_close(ours, theirs, equal_nan=True)
        torch.testing.assert_close(gradient_of(ours, logits), gradient_of(theirs, logits))


def test_linear_and_binary_drop_ins_compile_whole():
    features, layer, labels = draw(12, 5).requires_grad_(), draw(7, 5).requires_grad_(), classes(7, 12)
    labels[3] = -100
    compiled = torch.compile(xent.torch.linear_cross_entropy, fullgraph=True, backend="aot_eager")
    results = [each(features, layer, labels) for each in (compiled, functional.linear_cross_entropy)]
    torch.testing.assert_close(*results)
    torch.testing.assert_close(*(gradient_of(loss, features, layer) for loss in results))
    module = torch.compile(xent.torch.BCEWithLogitsLoss(), fullgraph=True, backend="aot_eager")
    loss = module(features, torch.ones(12, 5))
    torch.testing.assert_close(loss, functional.binary_cross_entropy_with_logits(features, torch.ones(12, 5)))


@pytest.mark.parametrize("chunk", [1, 3, None])
def test_the_chunking_options_are_taken_and_change_nothing(chunk):
    options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=chunk, chunking_method=None)
    features, layer, labels = draw(12, 5), draw(7, 5), classes(7, 12)
    assert torch.equal(
        xent.torch.linear_cross_entropy(features, layer, labels, options=options),
        xent.torch.linear_cross_entropy(features, layer, labels),
    )


class LeafLosses(torch.fx.Tracer):
    """Traces a model, and takes its loss as one step."""

    def is_leaf_module(self, module, name):
        return isinstance(module, xent.torch.CrossEntropyLoss) or super().is_leaf_module(module, name)


def test_symbolic_tracing_takes_the_loss_as_a_leaf():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.loss = torch.nn.Linear(4, 3), xent.torch.CrossEntropyLoss()

        def forward(self, features, target):
            return self.loss(self.layer(features), target)

    model, features, target = Model(), torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    with pytest.raises(ArgumentTypeError, match="is_leaf_module"):
        torch.fx.symbolic_trace(model)
    traced = torch.fx.GraphModule(model, LeafLosses().trace(model))
    truth = torch.nn.functional.cross_entropy(model.layer(features), target)
    torch.testing.assert_close(traced(features, target), truth)


def test_without_pytorch_the_error_names_the_extra():
    code = "import sys; sys.modules['torch'] = None; import xent.torch"
    failed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert failed.returncode == 1
    assert "xent.errors.MissingPackageError: xent.torch needs PyTorch" in failed.stderr
    assert "pip install 'xent[torch]'" in failed.stderr
