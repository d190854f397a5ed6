"""The losses as differentiable functions of PyTorch tensors: every derivative, transformation and thread.

Truth is PyTorch's own code in float64, or finite differences.
"""

import itertools
import math
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional

import xent
import xent.torch
from xent.autodiff.torch_blocks import COPIES
from xent.formulas import rows as formulas

pytestmark = pytest.mark.filterwarnings(  # PyTorch's own, when it loads its forward derivatives or its compiler
    "ignore:.torch.jit.script:DeprecationWarning",
)

ROWS, CLASSES, DIM = 5, 4, 3
LABELS = torch.tensor([0, 3, 1, 1, 2])
SKIPPING = torch.tensor([0, -1, 1, 7, 2])  # 7 marks rows to skip below
SKIPPED = torch.tensor([0, 7, 1, 7, 2])
FLOAT64 = torch.float64


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors gain nothing by PyTorch's threads, which wait long for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def draw(*shape, dtype=FLOAT64, scale=2.0, seed=0):
    return (scale * torch.randn(*shape, dtype=FLOAT64, generator=torch.Generator().manual_seed(seed))).to(dtype)


def leaf(*shape, **options):
    return draw(*shape, **options).requires_grad_()


def positive(*shape, seed=0):
    return (draw(*shape, seed=seed).abs() + 0.2).requires_grad_()


def soft_targets(*shape, seed=4):
    return draw(*shape, seed=seed).softmax(-1)


def normalised(soft):
    """Soft labels that stay a distribution while they are pushed about."""
    return soft / soft.sum(-1, keepdim=True)


def truth_softmax(
    logits,
    labels,
    class_weight=None,
    sample_weight=None,
    ignore_index=None,
    label_smoothing=0.0,
    z_loss=0.0,
    softcap=None,
    reduction="mean",
    denominator=None,
):
    """The option table in PyTorch's own operations."""
    count = logits.shape[-1]
    logits = logits if softcap is None else softcap * torch.tanh(logits / softcap)
    index = not labels.is_floating_point()
    kept = torch.ones(logits.shape[:-1], dtype=torch.bool)
    if index and ignore_index is not None:
        kept = labels != ignore_index
    target = functional.one_hot(torch.where(kept, labels, 0), count).to(logits.dtype) if index else labels
    on_class = torch.ones(count, dtype=logits.dtype) if class_weight is None else class_weight
    on_row = torch.ones(logits.shape[:-1], dtype=logits.dtype) if sample_weight is None else sample_weight
    counted = torch.where(kept, on_row * ((target * on_class).sum(-1) if index else 1.0), 0.0).sum()
    target = (1 - label_smoothing) * target + label_smoothing / count
    logsumexp = logits.logsumexp(-1)
    loss = on_row * (-(on_class * target * logits.log_softmax(-1)).sum(-1) + z_loss * logsumexp**2)
    loss = torch.where(kept, loss, 0.0)
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.sum() / (counted if denominator is None else denominator)


def truth_linear(features, weight, labels, bias=None, **options):
    return truth_softmax(functional.linear(features, weight, bias), labels, **options)


def truth_sigmoid(logits, labels, pos_weight=None, class_weight=None, sample_weight=None, label_smoothing=0.0):
    labels = (1 - label_smoothing) * labels + label_smoothing / 2
    weight = 1.0 if class_weight is None else class_weight
    weight = weight if sample_weight is None else weight * sample_weight
    yes = labels if pos_weight is None else pos_weight * labels  # which PyTorch's own has no gradient for
    loss = -weight * (yes * functional.logsigmoid(logits) + (1 - labels) * functional.logsigmoid(-logits))
    return loss.sum() / (weight + torch.zeros_like(loss)).sum()


def truth_rows(logits, labels):
    logsumexp = logits.logsumexp(-1)
    return logsumexp - logits.gather(-1, labels[..., None])[..., 0], logsumexp


def linear_entropy(features, weight, labels, bias=None):
    return xent.linear_row_statistics(features, weight, labels, bias, entropy=True).entropy


def no_bias(function, **options):
    return lambda features, weight: function(features, weight, LABELS, **options)


# Every differentiable argument of every function, with and without the options that change the way to the result.
INDEX_OPTIONS = [
    {},
    {"reduction": "none"},
    {"reduction": "sum"},
    {"label_smoothing": 0.1},
    {"z_loss": 0.3},
    {"softcap": 2.5},
    {"denominator": 17.0},
    {"reduction": "none", "label_smoothing": 0.1, "z_loss": 0.3, "softcap": 2.5},
]


def problems():
    """(name, function of the leaves, the same in PyTorch's operations, leaves)"""
    skipping = torch.where(SKIPPING == -1, 7, SKIPPING)
    for options in INDEX_OPTIONS:
        named = ",".join(f"{name}={value}" for name, value in options.items()) or "plain"
        for kind, labels, more in (
            ("index", LABELS, {}),
            ("skipping", skipping, {"ignore_index": 7}),
            ("soft", soft_targets(ROWS, CLASSES), {}),
        ):
            given = {**options, **more}
            yield (
                f"softmax-{kind}-{named}",
                lambda z, t=labels, o=given: xent.softmax_cross_entropy(z, t, **o),
                lambda z, t=labels, o=given: truth_softmax(z, t, **o),
                (leaf(ROWS, CLASSES),),
            )
            yield (
                f"linear-{kind}-{named}",
                lambda f, w, b, t=labels, o=given: xent.linear_cross_entropy(f, w, t, b, **o),
                lambda f, w, b, t=labels, o=given: truth_linear(f, w, t, b, **o),
                (leaf(ROWS, DIM), leaf(CLASSES, DIM, seed=1), leaf(CLASSES, seed=2)),
            )
            yield (
                f"softmax-weights-{kind}-{named}",
                lambda z, c, s, t=labels, o=given: xent.softmax_cross_entropy(
                    z, t, class_weight=c, sample_weight=s, **o
                ),
                lambda z, c, s, t=labels, o=given: truth_softmax(z, t, class_weight=c, sample_weight=s, **o),
                (leaf(ROWS, CLASSES), positive(CLASSES), positive(ROWS, seed=1)),
            )
            yield (
                f"linear-weights-{kind}-{named}",
                lambda f, w, c, s, t=labels, o=given: xent.linear_cross_entropy(
                    f, w, t, class_weight=c, sample_weight=s, **o
                ),
                lambda f, w, c, s, t=labels, o=given: truth_linear(f, w, t, class_weight=c, sample_weight=s, **o),
                (leaf(ROWS, DIM), leaf(CLASSES, DIM, seed=1), positive(CLASSES), positive(ROWS, seed=1)),
            )
        yield (
            f"softmax-soft-labels-{named}",
            lambda z, t, o=options: xent.softmax_cross_entropy(z, normalised(t), **o),
            lambda z, t, o=options: truth_softmax(z, normalised(t), **o),
            (leaf(ROWS, CLASSES), positive(ROWS, CLASSES, seed=1)),
        )
        yield (
            f"linear-soft-labels-{named}",
            lambda f, w, b, t, o=options: xent.linear_cross_entropy(f, w, normalised(t), b, **o),
            lambda f, w, b, t, o=options: truth_linear(f, w, normalised(t), b, **o),
            (leaf(ROWS, DIM), leaf(CLASSES, DIM, seed=1), leaf(CLASSES, seed=2), positive(ROWS, CLASSES, seed=3)),
        )
    yield (
        "softmax-denominator",
        lambda z, d: xent.softmax_cross_entropy(z, LABELS, denominator=d),
        lambda z, d: truth_softmax(z, LABELS, denominator=d),
        (leaf(ROWS, CLASSES), torch.tensor(3.0, dtype=FLOAT64, requires_grad=True)),
    )
    yield (
        "linear-denominator",
        lambda f, w, d: xent.linear_cross_entropy(f, w, LABELS, denominator=d),
        lambda f, w, d: truth_linear(f, w, LABELS, denominator=d),
        (leaf(ROWS, DIM), leaf(CLASSES, DIM, seed=1), torch.tensor(3.0, dtype=FLOAT64, requires_grad=True)),
    )
    yield (
        "row-statistics",
        lambda z: tuple(xent.row_statistics(z, LABELS)),
        lambda z: truth_rows(z, LABELS),
        (leaf(ROWS, CLASSES),),
    )
    yield (
        "linear-row-statistics",
        lambda f, w, b: tuple(xent.linear_row_statistics(f, w, LABELS, b)[:2]),
        lambda f, w, b: truth_rows(functional.linear(f, w, b), LABELS),
        (leaf(ROWS, DIM), leaf(CLASSES, DIM, seed=1), leaf(CLASSES, seed=2)),
    )
    yield (
        "linear-entropy",
        lambda f, w, b: linear_entropy(f, w, LABELS, b),
        lambda f, w, b: torch.distributions.Categorical(logits=functional.linear(f, w, b)).entropy(),
        (leaf(ROWS, DIM), leaf(CLASSES, DIM, seed=1), leaf(CLASSES, seed=2)),
    )
    binary = soft_targets(ROWS, CLASSES)
    yield (
        "sigmoid",
        lambda z, y: xent.sigmoid_cross_entropy(z, y.sigmoid(), label_smoothing=0.1),
        lambda z, y: truth_sigmoid(z, y.sigmoid(), label_smoothing=0.1),
        (leaf(ROWS, CLASSES), leaf(ROWS, CLASSES, seed=1)),
    )
    yield (
        "sigmoid-weights",
        lambda z, p, c, s: xent.sigmoid_cross_entropy(z, binary, pos_weight=p, class_weight=c, sample_weight=s),
        lambda z, p, c, s: truth_sigmoid(z, binary, p, c, s),
        (leaf(ROWS, CLASSES), positive(CLASSES), positive(CLASSES, seed=1), positive(ROWS, 1, seed=2)),
    )


def in_blocks(function):
    """The same with memory for two rows of logits."""

    def of_leaves(*leaves):
        with mock.patch("xent.losses.linear.MAX_MEMORY", 2 * COPIES * CLASSES * FLOAT64.itemsize):
            return function(*leaves)

    return of_leaves


BLOCKS = {"linear-index-plain", "linear-skipping-reduction=none", "linear-soft-labels-plain", "linear-entropy"}
BLOCKS |= {"linear-weights-skipping-z_loss=0.3", "linear-weights-index-label_smoothing=0.1", "linear-row-statistics"}
BLOCKS |= {"linear-weights-soft-reduction=none,label_smoothing=0.1,z_loss=0.3,softcap=2.5"}
PROBLEMS = [pytest.param(*problem[1:], id=problem[0]) for problem in problems()]
PROBLEMS += [
    pytest.param(in_blocks(problem.values[0]), *problem.values[1:], id=f"{problem.id}-blocks")
    for problem in PROBLEMS
    if problem.id in BLOCKS
]
each_problem = pytest.mark.parametrize(("ours", "truth", "leaves"), PROBLEMS)
FEW = {"softmax-index-plain", "softmax-skipping-reduction=none", "softmax-soft-labels-plain", "linear-index-plain"}
FEW |= {
    "linear-skipping-reduction=none",
    "linear-soft-labels-plain",
    "linear-weights-skipping-z_loss=0.3",
    "sigmoid-weights",
}
FEW |= {f"{name}-blocks" for name in BLOCKS}
FEW |= {"row-statistics", "linear-row-statistics", "linear-entropy", "softmax-weights-index-label_smoothing=0.1"}
few_problems = pytest.mark.parametrize(
    ("ours", "truth", "leaves"), [problem for problem in PROBLEMS if problem.id in FEW]
)


def outputs(result):
    return result if isinstance(result, tuple) else (result,)


def scalar(result):
    """One number that every output enters with a slope of its own."""
    return sum(
        (part * torch.linspace(0.5, 1.5, part.numel(), dtype=part.dtype).reshape(part.shape)).sum() * (1 + place)
        for place, part in enumerate(outputs(result))
    )


def close(ours, truth, rtol=1e-10, atol=1e-12):
    torch.testing.assert_close(ours, truth, rtol=rtol, atol=atol)


def test_the_few_problems_are_all_there():
    assert {problem.id for problem in PROBLEMS} >= FEW


@each_problem
def test_values_and_gradients_are_the_truth(ours, truth, leaves):
    mine, exact = ours(*leaves), truth(*leaves)
    for one, other in zip(outputs(mine), outputs(exact), strict=True):
        close(one, other)
    close(torch.autograd.grad(scalar(mine), leaves), torch.autograd.grad(scalar(exact), leaves))


@each_problem
def test_gradients_are_finite_differences(ours, truth, leaves):  # noqa: ARG001
    assert gradcheck(ours, leaves, fast_mode=True, check_batched_grad=True)


@each_problem
def test_second_derivatives_are_the_truth(ours, truth, leaves):
    """Double backward is right, or raises; it is never silently zero."""
    results = []
    for function in (ours, truth):
        first = torch.autograd.grad(scalar(function(*leaves)), leaves, create_graph=True)
        total = sum(
            (each * torch.linspace(1.0, 2.0, each.numel(), dtype=FLOAT64).reshape(each.shape)).sum() for each in first
        )
        results.append(torch.autograd.grad(total, leaves, materialize_grads=True))
    close(*results)


@few_problems
def test_second_derivatives_are_finite_differences(ours, truth, leaves):  # noqa: ARG001
    assert gradgradcheck(ours, leaves, fast_mode=True)


@few_problems
def test_forward_derivatives_are_the_truth(ours, truth, leaves):
    tangents = [draw(*each.shape, seed=9) for each in leaves]
    results = []
    for function in (ours, truth):
        with forward_ad.dual_level():
            duals = [forward_ad.make_dual(each, tangent) for each, tangent in zip(leaves, tangents, strict=True)]
            results.append([forward_ad.unpack_dual(part).tangent for part in outputs(function(*duals))])
    assert all(tangent is not None for tangent in results[0])
    close(*results)


@few_problems
def test_functional_transformations_are_the_truth(ours, truth, leaves):
    places = tuple(range(len(leaves)))
    plain = tuple(each.detach() for each in leaves)
    tangents = tuple(draw(*each.shape, seed=9) for each in leaves)
    for transform in (
        lambda f: torch.func.grad(lambda *given: scalar(f(*given)), places)(*plain),
        lambda f: torch.func.grad_and_value(lambda *given: scalar(f(*given)), places)(*plain),
        lambda f: outputs(torch.func.jvp(f, plain, tangents)[1]),
        lambda f: outputs(
            torch.func.vjp(lambda *given: scalar(f(*given)), *plain)[1](torch.tensor(2.0, dtype=FLOAT64))
        ),
        lambda f: torch.func.jacrev(lambda *given: scalar(f(*given)), places)(*plain),
        lambda f: torch.func.jacfwd(lambda *given: scalar(f(*given)), places)(*plain),
        lambda f: torch.func.hessian(lambda *given: scalar(f(*given)), 0)(*plain),
    ):
        close(transform(ours), transform(truth))


@few_problems
def test_vmap_is_a_loop(ours, truth, leaves):
    stacked = [torch.stack([each.detach(), 0.5 * each.detach() + 0.1]) for each in leaves]
    places = tuple(range(len(leaves)))
    for transform in (
        lambda f: torch.func.vmap(f)(*stacked),
        lambda f: torch.func.vmap(torch.func.grad(lambda *given: scalar(f(*given)), places))(*stacked),
        lambda f: torch.func.vmap(f, in_dims=(0, *[None] * (len(leaves) - 1)))(
            stacked[0], *(each[0] for each in stacked[1:])
        ),
    ):
        close(transform(ours), transform(truth))


@pytest.mark.parametrize("of_weights", [False, True])
def test_no_derivative_holds_the_logits_of_all_rows(monkeypatch, of_weights):
    """Of 64 rows it has memory for 4 in the function, and for fewer in its derivatives."""
    seen, row_statistics = [], formulas.row_statistics
    monkeypatch.setattr(formulas, "row_statistics", lambda z, *rest: seen.append(len(z)) or row_statistics(z, *rest))
    features, weight, along = leaf(64, DIM), leaf(CLASSES, DIM, seed=1), draw(64, DIM, seed=2)
    labels, slopes = torch.arange(64) % CLASSES, positive(CLASSES) if of_weights else None
    memory = 4 * COPIES * CLASSES * FLOAT64.itemsize

    def loss(f, max_memory=memory):
        return xent.linear_cross_entropy(
            f, weight, labels, class_weight=slopes, label_smoothing=0.1, max_memory=max_memory
        )

    def squares(f, max_memory=memory):
        return (torch.autograd.grad(loss(f, max_memory), f, create_graph=True)[0] ** 2).sum()

    asked = [features, weight, *([slopes] if of_weights else [])]
    found = torch.autograd.grad(squares(features), asked)
    hessian_times = torch.func.jvp(torch.func.grad(loss), (features.detach(),), (along,))[1]
    assert set(seen) <= {1, 2, 4}
    close(found, torch.autograd.grad(squares(features, 1 << 20), asked))
    dense = torch.func.jvp(torch.func.grad(lambda f: loss(f, 1 << 20)), (features.detach(),), (along,))[1]
    close(hessian_times, dense)


TWICE = """
import resource, torch, xent
features, weight = torch.randn(200, 64, requires_grad=True), torch.randn(8000, 64, requires_grad=True)

def twice(rows):
    loss = xent.linear_cross_entropy(features[:rows], weight, torch.arange(rows), max_memory=1)
    (slope,) = torch.autograd.grad(loss, features, create_graph=True)
    torch.autograd.grad((slope**2).sum(), (features, weight))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

twice(16)
before = peak()
twice(200)
print(peak() - before)
"""


def test_many_blocks_take_no_more_memory_than_few():
    """As the system counts it: free memory with something small in it here and there is as good as taken."""
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=True, timeout=120)
    assert int(done.stdout) < 64  # MiB; what is kept of each row is less than 1 MiB in all


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("way", ["create_graph", "torch.func", "class_weight"])
def test_16_bit_gradients_are_summed_over_blocks_in_float32(dtype, way):
    """A thousand rows, each a block: what is rounded once is off by half a digit, a sum in 16 bits by much more."""
    features, weight = leaf(1000, 8, dtype=dtype), leaf(6, 8, dtype=dtype, seed=1)
    labels, slopes = torch.arange(1000) % 6, torch.ones(6, dtype=torch.float32, requires_grad=way == "class_weight")

    def loss(w, f=features, labels=labels):
        return xent.linear_cross_entropy(f, w, labels, class_weight=slopes, label_smoothing=0.1, max_memory=1)

    if way == "torch.func":
        found = torch.func.grad(lambda w: loss(w, features.detach()))(weight.detach())
    else:
        (found,) = torch.autograd.grad(loss(weight), weight, create_graph=way == "create_graph")
    wide = weight.detach().double().requires_grad_()
    logits = features.detach().double() @ wide.T
    (exact,) = torch.autograd.grad(functional.cross_entropy(logits, labels, label_smoothing=0.1), wide)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), exact, rtol=torch.finfo(dtype).eps, atol=1e-6)


def test_vmap_over_labels():
    logits, labels = draw(3, ROWS, CLASSES), torch.stack([LABELS, LABELS.flip(0), LABELS.roll(1)])
    ours = torch.func.vmap(xent.softmax_cross_entropy)(logits, labels)
    close(ours, torch.stack([functional.cross_entropy(z, y) for z, y in zip(logits, labels, strict=True)]))
    skipping = torch.where(labels == 3, -100, labels)
    ours = torch.func.vmap(lambda z, y: xent.softmax_cross_entropy(z, y, ignore_index=-100))(logits, skipping)
    close(ours, torch.stack([functional.cross_entropy(z, y) for z, y in zip(logits, skipping, strict=True)]))


def test_per_sample_gradients():
    """What differential privacy asks for."""
    weight, features = draw(CLASSES, DIM), draw(ROWS, DIM)
    per_row = torch.func.vmap(torch.func.grad(lambda w, f, y: xent.linear_cross_entropy(f, w, y)), (None, 0, 0))
    exact = torch.func.vmap(torch.func.grad(lambda w, f, y: functional.cross_entropy(w @ f, y)), (None, 0, 0))
    close(per_row(weight, features, LABELS), exact(weight, features, LABELS))


# --------------------------------------------------------------------------------------------------- graph and reuse


@each_problem
def test_a_second_backward_gives_the_same_bits_and_leaves_inputs_alone(ours, truth, leaves):  # noqa: ARG001
    before = [each.detach().clone() for each in leaves]
    total = scalar(ours(*leaves))
    once = torch.autograd.grad(total, leaves, retain_graph=True)
    kept = [each.clone() for each in once]
    again = torch.autograd.grad(total, leaves)
    assert all(map(torch.equal, once, again))
    assert all(map(torch.equal, once, kept))
    assert all(map(torch.equal, before, [each.detach() for each in leaves]))


@few_problems
def test_gradients_add_up_over_calls_and_uses(ours, truth, leaves):
    for function in (ours, truth):
        for each in leaves:
            each.grad = None
        scalar(function(*leaves)).backward()
        (2.0 * scalar(function(*leaves))).backward()
        if function is ours:
            mine = [each.grad for each in leaves]
    close(mine, [each.grad for each in leaves])
    for each in leaves:
        each.grad = None


@few_problems
def test_only_what_asks_for_a_gradient_gets_one(ours, truth, leaves):
    for chosen in range(len(leaves)):
        frozen = [each.detach().requires_grad_(place == chosen) for place, each in enumerate(leaves)]
        (gradient,) = torch.autograd.grad(scalar(ours(*frozen)), frozen[chosen])
        (exact,) = torch.autograd.grad(scalar(truth(*frozen)), frozen[chosen])
        close(gradient, exact)
    result = ours(*(each.detach() for each in leaves))
    assert not any(part.requires_grad for part in outputs(result))


@few_problems
def test_without_gradients_the_value_is_the_same(ours, truth, leaves):
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            for part, other in zip(outputs(ours(*leaves)), outputs(ours(*leaves)), strict=True):
                assert not part.requires_grad
                assert torch.equal(part, other)
            close(outputs(ours(*leaves)), tuple(part.detach() for part in outputs(truth(*leaves))))


@few_problems
def test_an_unused_output_counts_as_zero(ours, truth, leaves):
    for place in range(len(outputs(truth(*leaves)))):
        mine, exact = (
            torch.autograd.grad(outputs(function(*leaves))[place].sum(), leaves) for function in (ours, truth)
        )
        close(mine, exact)


@few_problems
def test_an_upstream_gradient_of_any_layout(ours, truth, leaves):
    for upstream in (lambda part: part.sum(), lambda part: (2.0 * part).mean(), lambda part: -part.flatten()[-1]):
        mine, exact = (
            torch.autograd.grad(sum(upstream(part) for part in outputs(function(*leaves))), leaves)
            for function in (ours, truth)
        )
        close(mine, exact)


def test_a_changed_input_is_noticed_before_backward():
    logits = leaf(ROWS, CLASSES)
    work = logits * 1.0
    loss = xent.softmax_cross_entropy(work, LABELS)
    work.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# ------------------------------------------------------------------------------------------------------ layouts, dtypes

LAYOUTS = [
    lambda base: base.mT.contiguous().mT,
    lambda base: torch.stack([base, -base], -1)[..., 0],
    lambda base: torch.repeat_interleave(base, 2, 0)[::2],
    lambda base: torch.cat([base, base], -1)[:, base.shape[-1] :],
    lambda base: base[:1].expand_as(base),
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=["transposed", "strided", "skipping rows", "offset", "expanded"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_inputs_of_any_stride(layout, dtype):
    logits = layout(draw(ROWS, CLASSES, dtype=dtype)).detach().requires_grad_()
    features = layout(draw(ROWS, DIM, dtype=dtype)).detach().requires_grad_()
    weight = layout(draw(CLASSES, DIM, dtype=dtype, seed=1)).detach().requires_grad_()
    for ours, leaves in (
        (lambda z: xent.softmax_cross_entropy(z, LABELS), (logits,)),
        (lambda f, w: xent.linear_cross_entropy(f, w, LABELS), (features, weight)),
        (lambda z: xent.sigmoid_cross_entropy(z, torch.ones_like(z)), (logits,)),
    ):
        plain = [each.detach().clone(memory_format=torch.contiguous_format).requires_grad_() for each in leaves]
        loss, same = ours(*leaves), ours(*plain)
        torch.testing.assert_close(loss, same)
        torch.testing.assert_close(
            torch.autograd.grad(loss, leaves), torch.autograd.grad(same, plain), check_stride=False
        )


def test_labels_of_any_stride_and_dtype():
    logits = draw(ROWS, CLASSES)
    exact = functional.cross_entropy(logits, LABELS)
    close(xent.softmax_cross_entropy(logits, torch.stack([LABELS, LABELS], 1)[:, 0]), exact)
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint32, torch.uint64):
        close(xent.softmax_cross_entropy(logits, LABELS.to(dtype)), exact)
        close(xent.softmax_cross_entropy(logits, LABELS.to(dtype), ignore_index=9), exact)
        close(xent.linear_cross_entropy(logits, torch.eye(CLASSES, dtype=FLOAT64), LABELS.to(dtype)), exact)


def test_labels_beyond_what_16_bits_count_stay_what_they_are():
    logits = torch.zeros(2, 70000, dtype=torch.bfloat16)
    logits[0, 65999], logits[1, 999] = 20.0, 20.0
    loss = xent.softmax_cross_entropy(logits, torch.tensor([65999, 999]), reduction="none")
    assert loss.max() < 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("options", INDEX_OPTIONS, ids=str)
def test_16_bit_inputs_give_float32_losses_and_rounded_gradients(dtype, options):
    features, weight = (leaf(37, 16, dtype=dtype, scale=0.7), leaf(50, 16, dtype=dtype, scale=0.7, seed=1))
    bias = leaf(50, dtype=dtype, seed=2)
    labels = torch.arange(37) % 50
    labels[5] = -100
    options = {**options, "ignore_index": -100}
    loss = xent.linear_cross_entropy(features, weight, labels, bias, **options)
    exact_leaves = [each.detach().double().requires_grad_() for each in (features, weight, bias)]
    exact = truth_linear(exact_leaves[0], exact_leaves[1], labels, exact_leaves[2], **options)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), exact, rtol=1e-4, atol=1e-5)
    for gradient, wanted in zip(
        torch.autograd.grad(scalar(loss), (features, weight, bias)),
        torch.autograd.grad(scalar(exact), exact_leaves),
        strict=True,
    ):
        assert gradient.dtype == dtype
        error = (gradient.double() - wanted).abs().max() / wanted.abs().max()
        assert error < {torch.bfloat16: 2**-7, torch.float16: 2**-10}[dtype]
    logits = leaf(37, 50, dtype=dtype)
    loss = xent.softmax_cross_entropy(logits, labels, **options)
    exact_logits = logits.detach().double().requires_grad_()
    exact = truth_softmax(exact_logits, labels, **options)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), exact, rtol=2e-6, atol=1e-6)
    (gradient,) = torch.autograd.grad(scalar(loss), logits)
    (wanted,) = torch.autograd.grad(scalar(exact), exact_logits)
    assert gradient.dtype == dtype
    torch.testing.assert_close(gradient.double(), wanted, rtol=2**-8, atol=1e-6)


def test_batch_and_time_axes():
    logits, labels = leaf(2, 3, ROWS, CLASSES), torch.arange(2 * 3 * ROWS).reshape(2, 3, ROWS) % CLASSES
    flat = functional.cross_entropy(logits.flatten(0, 2), labels.flatten(), reduction="none").reshape(2, 3, ROWS)
    loss = xent.softmax_cross_entropy(logits, labels, reduction="none")
    close(loss, flat)
    close(torch.autograd.grad(scalar(loss), logits), torch.autograd.grad(scalar(flat), logits))
    statistics = xent.row_statistics(logits, labels)
    assert statistics.nll.shape == statistics.logsumexp.shape == (2, 3, ROWS)
    features, weight = leaf(2, 3, DIM), leaf(CLASSES, DIM)
    loss = xent.linear_cross_entropy(features, weight, labels[..., 0], reduction="none")
    close(
        loss,
        functional.cross_entropy(
            (features @ weight.mT).flatten(0, 1), labels[..., 0].flatten(), reduction="none"
        ).reshape(2, 3),
    )
    assert torch.autograd.grad(loss.sum(), features)[0].shape == features.shape
    close(xent.softmax_cross_entropy(logits[0, 0, 0], labels[0, 0, 0]), flat[0, 0, 0])


# --------------------------------------------------------------------------------------------------------------- edges


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_no_rows(reduction):
    logits, labels = leaf(0, CLASSES), torch.zeros(0, dtype=torch.long)
    features, weight, bias = leaf(0, DIM), leaf(CLASSES, DIM), leaf(CLASSES)
    for loss, leaves in (
        (xent.softmax_cross_entropy(logits, labels, reduction=reduction), (logits,)),
        (xent.softmax_cross_entropy(logits, torch.zeros(0, CLASSES), reduction=reduction), (logits,)),
        (xent.linear_cross_entropy(features, weight, labels, bias, reduction=reduction), (features, weight, bias)),
        (xent.sigmoid_cross_entropy(logits, torch.zeros(0, CLASSES), reduction=reduction), (logits,)),
    ):
        assert loss.shape[:1] == ((0,) if reduction == "none" else ())
        assert loss.sum() == 0.0
        for gradient, each in zip(torch.autograd.grad(loss.sum(), leaves), leaves, strict=True):
            assert torch.equal(gradient, torch.zeros_like(each))
    assert xent.row_statistics(logits, labels).nll.shape == (0,)
    assert xent.linear_row_statistics(features, weight, labels, entropy=True).entropy.shape == (0,)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reduction": "none"},
        {"label_smoothing": 0.1},
        {"class_weight": [1.0, 2.0, 3.0, 4.0]},
        {"z_loss": 0.1},
        {"softcap": 3.0},
    ],
    ids=str,
)
def test_all_rows_ignored(options):
    logits, labels = leaf(ROWS, CLASSES), torch.full((ROWS,), 11)
    features, weight = leaf(ROWS, DIM), leaf(CLASSES, DIM)
    for loss, leaves in (
        (xent.softmax_cross_entropy(logits, labels, ignore_index=11, **options), (logits,)),
        (xent.linear_cross_entropy(features, weight, labels, ignore_index=11, **options), (features, weight)),
    ):
        assert not loss.any()
        assert not any(gradient.any() for gradient in torch.autograd.grad(loss.sum(), leaves))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "options",
    [{}, {"label_smoothing": 0.1}, {"z_loss": 0.2}, {"softcap": 3.0}, {"reduction": "none"}],
    ids=str,
)
def test_an_ignored_row_takes_no_part_whatever_it_holds(bad, options):
    logits, features, weight = draw(ROWS, CLASSES), draw(ROWS, DIM), leaf(CLASSES, DIM)
    labels = LABELS.clone()
    labels[2], logits[2], features[2] = -100, bad, bad
    kept = [0, 1, 3, 4]
    given = logits.clone().requires_grad_()
    loss = xent.softmax_cross_entropy(given, labels, ignore_index=-100, **options)
    close(loss.sum(), truth_softmax(logits[kept], labels[kept], **options).sum())
    (gradient,) = torch.autograd.grad(loss.sum(), given)
    assert gradient.isfinite().all()
    assert not gradient[2].any()
    given = features.clone().requires_grad_()
    loss = xent.linear_cross_entropy(given, weight, labels, ignore_index=-100, **options)
    close(loss.sum(), truth_linear(features[kept], weight, labels[kept], **options).sum())
    for gradient in torch.autograd.grad(loss.sum(), (given, weight)):
        assert gradient.isfinite().all()


def test_masked_classes_at_minus_infinity():
    logits = draw(ROWS, CLASSES)
    logits[:, 3] = -float("inf")
    labels = torch.tensor([0, 2, 1, 1, 2])
    given, exact_given = logits.clone().requires_grad_(), logits[:, :3].clone().requires_grad_()
    exact = functional.cross_entropy(exact_given, labels)
    soft = soft_targets(ROWS, 3)
    for loss, wanted in (
        (xent.softmax_cross_entropy(given, labels), exact),
        (
            xent.softmax_cross_entropy(given, functional.pad(soft, (0, 1))),
            functional.cross_entropy(exact_given, soft),
        ),
    ):
        close(loss, wanted)
        (gradient,) = torch.autograd.grad(loss, given)
        close(gradient[:, :3], torch.autograd.grad(wanted, exact_given)[0])
        assert not gradient[:, 3].any()
    assert xent.softmax_cross_entropy(given, torch.full((ROWS,), 3)).isposinf()


@pytest.mark.parametrize("lead", [20.0, 40.0, 80.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_small_losses_and_gradients_are_not_rounded_to_nothing(lead, dtype):
    exact = torch.log1p(2.0 * torch.exp(torch.tensor(-lead, dtype=FLOAT64)))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-13
    logits = torch.tensor([[lead, 0.0, 0.0]], dtype=dtype, requires_grad=True)
    weight = torch.tensor([[lead], [0.0], [0.0]], dtype=dtype, requires_grad=True)
    one = torch.ones(1, 1, dtype=dtype, requires_grad=True)
    label = torch.tensor([0])
    for loss, chosen in (
        (xent.softmax_cross_entropy(logits, label), logits),
        (xent.softmax_cross_entropy(logits, torch.eye(3, dtype=dtype)[:1]), logits),
        (xent.softmax_cross_entropy(logits, label, reduction="none").sum(), logits),
        (xent.linear_cross_entropy(one, weight, label), weight),
        (xent.linear_cross_entropy(one, weight, label, reduction="none").sum(), weight),
        (xent.row_statistics(logits, label).nll.sum(), logits),
    ):
        torch.testing.assert_close(loss.double(), exact, rtol=tolerance, atol=0.0)
        (gradient,) = torch.autograd.grad(loss, chosen)
        expected = torch.expm1(-exact) * torch.tensor([1.0, -0.5, -0.5], dtype=FLOAT64)
        torch.testing.assert_close(gradient.flatten().double(), expected, rtol=tolerance, atol=0.0)


@pytest.mark.parametrize("classes", [1, 2, 10, 100, 3000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_short_way_of_a_plain_loss_is_the_long_one(classes, dtype):
    """A denominator that is the number of rows changes nothing but the way that is taken, and the order of a sum."""
    torch.manual_seed(classes)
    logits = (8 * torch.randn(33, classes)).to(dtype).requires_grad_()
    labels = torch.randint(classes, (33,))
    results = []
    for options in ({"denominator": 33}, {}, {"ignore_index": -100}, {"ignore_index": classes}):
        loss = xent.softmax_cross_entropy(logits, labels, **options)
        results.append((loss, *torch.autograd.grad(3 * loss, logits)))
    (long, by_long), *short_ways = results
    for short, by_short in short_ways:
        assert short.dtype == long.dtype
        assert short.item() == pytest.approx(long.item(), rel=torch.finfo(long.dtype).eps)
        assert torch.equal(by_short, by_long)
    with pytest.raises(xent.LabelError, match=r"labels\[32\] is -1"):
        xent.softmax_cross_entropy(logits, torch.cat([labels[:-1], torch.tensor([-1])]))


def test_sums_beyond_float32_are_infinite_in_silence():
    """Warnings are errors here, as everywhere in these tests."""
    logits, labels = torch.tensor([[3e38, 0.0]] * 4), torch.ones(4, dtype=torch.long)
    weight, yes = torch.eye(2), torch.zeros(4, 2)
    for given in (logits, logits.clone().requires_grad_()):
        assert xent.softmax_cross_entropy(given, labels, reduction="sum").item() == math.inf
        assert xent.softmax_cross_entropy(given, labels, denominator=0.1).item() == math.inf
        assert xent.linear_cross_entropy(given, weight, labels, reduction="sum").item() == math.inf
        assert xent.sigmoid_cross_entropy(given, yes, reduction="sum").item() == math.inf
    for loss, *beside in (
        (xent.softmax_cross_entropy, labels.numpy()),
        (xent.sigmoid_cross_entropy, yes.numpy()),
    ):
        total, (value, _) = (
            each(loss)(logits.numpy(), *beside, reduction="sum") for each in (lambda same: same, xent.value_and_grad)
        )
        assert total == value == math.inf
        assert total.dtype == value.dtype == np.float32


def test_upstreams_of_vmap_outside_of_which_the_loss_was_computed():
    logits, labels, upstreams = leaf(ROWS, CLASSES), LABELS, torch.tensor([0.5, 1.0, -2.0], dtype=torch.float64)
    for loss in (xent.softmax_cross_entropy, xent.torch.cross_entropy):
        value = loss(logits, labels)

        def gradient(upstream, value=value):
            return torch.autograd.grad(value, logits, upstream, retain_graph=True)[0]

        (alone,) = torch.autograd.grad(functional.cross_entropy(logits, labels), logits)
        close(torch.func.vmap(gradient)(upstreams), upstreams[:, None, None] * alone)


def test_memory_blocks_change_nothing():
    features, weight, labels = leaf(64, DIM), leaf(50, DIM), torch.arange(64) % 50
    labels[::3] = -100
    results = []
    for memory, reduction in itertools.product((None, 1, 50 * 8 * 7, 1 << 20), ("mean", "none")):
        loss = xent.linear_cross_entropy(
            features, weight, labels, ignore_index=-100, max_memory=memory, reduction=reduction
        )
        total = loss if reduction == "mean" else loss.sum() / (labels >= 0).sum()
        results.append((total, *torch.autograd.grad(total, (features, weight))))
    for result in results[1:]:
        close(result, results[0])


# ------------------------------------------------------------------------------------------------------------- compile

COMPILED = {
    "softmax": lambda z, y, **o: xent.softmax_cross_entropy(z, y, ignore_index=-100, **o),
    "linear": lambda z, y, **o: xent.linear_cross_entropy(z, EYE, y, ignore_index=-100, **o),
}
EYE = torch.eye(CLASSES, dtype=FLOAT64)


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reduction": "none"},
        {"label_smoothing": 0.1},
        {"class_weight": draw(CLASSES).abs()},
        {"z_loss": 0.1, "softcap": 3.0},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_compiled_whole_with_any_number_of_rows_and_ignored_labels(name, options):
    torch.compiler.reset()
    function = COMPILED[name]
    compiled = torch.compile(lambda z, y: function(z, y, **options), fullgraph=True, dynamic=True, backend="aot_eager")
    for rows in (5, 8, 13):
        logits, labels = leaf(rows, CLASSES), torch.arange(rows) % CLASSES
        labels[rows // 2] = -100
        loss, exact = compiled(logits, labels), truth_softmax(logits, labels, ignore_index=-100, **options)
        close(loss, exact)
        close(torch.autograd.grad(scalar(loss), logits), torch.autograd.grad(scalar(exact), logits))


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_by_inductor(name):
    torch.compiler.reset()
    compiled = torch.compile(COMPILED[name], fullgraph=True)
    logits, labels = leaf(ROWS, CLASSES), torch.where(LABELS == 3, -100, LABELS)
    exact = functional.cross_entropy(logits, labels)
    # without vectors, as it finds out what kinds of these there are by compiling a program for each
    with torch._inductor.config.patch({"cpp.vec_isa_ok": False}):
        loss = compiled(logits, labels)
        close(loss, exact)
        close(torch.autograd.grad(loss, logits), torch.autograd.grad(exact, logits))


def test_others_compiled_whole():
    torch.compiler.reset()
    logits, features, weight = leaf(ROWS, CLASSES), leaf(ROWS, DIM), leaf(CLASSES, DIM)
    soft = soft_targets(ROWS, CLASSES)
    for function, truth, leaves in (
        (lambda z: xent.sigmoid_cross_entropy(z, soft), lambda z: truth_sigmoid(z, soft), (logits,)),
        (lambda z: xent.softmax_cross_entropy(z, soft), lambda z: functional.cross_entropy(z, soft), (logits,)),
        (lambda z: xent.row_statistics(z, LABELS).nll, lambda z: truth_rows(z, LABELS)[0], (logits,)),
        (
            lambda f, w: xent.linear_row_statistics(f, w, LABELS, entropy=True).entropy,
            lambda f, w: torch.distributions.Categorical(logits=f @ w.mT).entropy(),
            (features, weight),
        ),
    ):
        loss = torch.compile(function, fullgraph=True, backend="aot_eager")(*leaves)
        exact = truth(*leaves)
        close(loss, exact)
        close(torch.autograd.grad(scalar(loss), leaves), torch.autograd.grad(scalar(exact), leaves))


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("name", ["weights", "smoothed", "soft", "denominator"])
def test_compiled_gradients_of_all_that_asks_for_one(name, reduction):
    """An operator that returns no gradient for an argument makes it silently zero."""
    torch.compiler.reset()
    denominator = torch.tensor(3.0, dtype=FLOAT64, requires_grad=True)
    options = {"reduction": reduction}
    linear, truth, leaves = {
        "weights": (
            lambda f, w, c, s: xent.linear_cross_entropy(f, w, LABELS, class_weight=c, sample_weight=s, **options),
            lambda f, w, c, s: truth_linear(f, w, LABELS, class_weight=c, sample_weight=s, **options),
            (leaf(ROWS, DIM), leaf(CLASSES, DIM, seed=1), positive(CLASSES), positive(ROWS, seed=1)),
        ),
        "smoothed": (  # two rows at a time, of which one is skipped
            lambda f, w, c: xent.linear_cross_entropy(
                f, w, SKIPPED, class_weight=c, label_smoothing=0.1, ignore_index=7, max_memory=256, **options
            ),
            lambda f, w, c: truth_linear(f, w, SKIPPED, class_weight=c, label_smoothing=0.1, ignore_index=7, **options),
            (leaf(ROWS, DIM), leaf(CLASSES, DIM, seed=1), positive(CLASSES)),
        ),
        "soft": (
            lambda f, w, t: xent.linear_cross_entropy(f, w, normalised(t), **options),
            lambda f, w, t: truth_linear(f, w, normalised(t), **options),
            (leaf(ROWS, DIM), leaf(CLASSES, DIM, seed=1), positive(ROWS, CLASSES, seed=3)),
        ),
        "denominator": (
            lambda f, w, d: xent.linear_cross_entropy(f * d, w, LABELS, denominator=d),
            lambda f, w, d: truth_linear(f * d, w, LABELS, denominator=d),
            (leaf(ROWS, DIM), leaf(CLASSES, DIM, seed=1), denominator),
        ),
    }[name]
    loss, exact = torch.compile(linear, fullgraph=True, backend="aot_eager")(*leaves), truth(*leaves)
    close(loss, exact)
    close(torch.autograd.grad(scalar(loss), leaves), torch.autograd.grad(scalar(exact), leaves))


def test_compiled_functions_hold_no_logits_of_all_rows(monkeypatch):
    """Their operators are the kernels: no formula on all rows is traced."""
    torch.compiler.reset()
    monkeypatch.setattr(formulas, "row_statistics", None)
    monkeypatch.setattr(formulas, "entropy", None)
    features, weight, slopes = leaf(ROWS, DIM), leaf(CLASSES, DIM, seed=1), positive(CLASSES)

    def loss(f, w, c):
        smoothed = xent.linear_cross_entropy(f, w, LABELS, class_weight=c, label_smoothing=0.1)
        return smoothed + xent.linear_row_statistics(f, w, LABELS, entropy=True).entropy.sum()

    found = torch.compile(loss, fullgraph=True, backend="aot_eager")(features, weight, slopes)
    assert all(part.abs().sum() > 0.0 for part in torch.autograd.grad(found, (features, weight, slopes)))


def operators():
    """The library's own operators, if it has any."""
    xent.linear_cross_entropy(draw(1, 1), draw(1, 1), torch.tensor([0]))
    known = torch._C._dispatch_get_all_op_names()
    return sorted({name.partition("::")[2].partition(".")[0] for name in known if name.startswith("xent::")})


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", operators())
def test_operators_keep_the_rules_for_operators(name, dtype):
    """Fake kernels, mutation, autograd registration: what `torch.compile` relies on."""
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    known = {
        "features": draw(ROWS, DIM, dtype=dtype).requires_grad_(not name.endswith("gradient")),
        "weight": draw(CLASSES, DIM, dtype=dtype, seed=1).requires_grad_(not name.endswith("gradient")),
        "labels": LABELS,
        "on_nll": torch.linspace(0.5, 1.5, ROWS, dtype=wide),
        "on_logsumexp": torch.linspace(0.5, 1.5, ROWS, dtype=wide),
        "divisor": torch.tensor(5.0, dtype=FLOAT64),
        "max_memory": 1 << 20,
        "on": torch.linspace(0.5, 1.5, ROWS, dtype=wide),
        "wanted": [True, True, False] + [False] * 2 * (name == "linear_statistics_gradient"),
    }
    operator = getattr(torch.ops.xent, name).default
    torch.library.opcheck(operator, tuple(known.get(each.name) for each in operator._schema.arguments))


@few_problems
def test_traced_by_shapes_alone(ours, truth, leaves):  # noqa: ARG001
    """Under FakeTensorMode, as tools that plan memory run a training step: no value is looked at."""
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = [mode.from_tensor(each) for each in leaves]
        gradients = torch.autograd.grad(scalar(ours(*fake)), fake)
    assert [each.shape for each in gradients] == [each.shape for each in leaves]
    assert all(isinstance(each, FakeTensor) for each in gradients)


@few_problems
def test_traced_into_a_graph_of_other_numbers(ours, truth, leaves):  # noqa: ARG001
    """A `make_fx` graph of one step is right for other numbers: nothing of the first is kept in it."""

    def step(*given):
        return torch.autograd.grad(scalar(ours(*given)), given)

    graph = make_fx(step)(*leaves)
    others = [(each.detach() * 0.5).requires_grad_() for each in leaves]
    close(graph(*others), step(*others))


def test_a_label_out_of_range_is_nan_where_nobody_can_look():
    """Never a plausible number."""
    torch.compiler.reset()
    logits = leaf(ROWS, CLASSES)
    compiled = torch.compile(
        lambda z, y: xent.softmax_cross_entropy(z, y, reduction="none"), fullgraph=True, backend="aot_eager"
    )
    for wrong in (CLASSES, -1, 1000):
        labels = LABELS.clone()
        labels[1] = wrong
        for loss in (
            compiled(logits, labels),
            torch.func.vmap(lambda z, y: xent.softmax_cross_entropy(z, y, reduction="none"))(
                logits[None], labels[None]
            )[0],
        ):
            assert loss.isnan().tolist() == [False, True, False, False, False]


# ---------------------------------------------------------------------------------------------------- threads, processes


def step(seed=0, rows=256, count=300):
    """One training step's loss and gradients."""
    features = draw(rows, 16, dtype=torch.float32, scale=0.5, seed=seed).requires_grad_()
    weight = draw(count, 16, dtype=torch.float32, scale=0.5, seed=seed + 1).requires_grad_()
    labels = torch.arange(rows) % count
    logits = features @ weight.mT
    loss = xent.softmax_cross_entropy(logits, labels) + xent.linear_cross_entropy(features, weight, labels)
    loss = loss + xent.sigmoid_cross_entropy(logits, torch.zeros_like(logits))
    return loss.detach(), *torch.autograd.grad(loss, (features, weight))


def same(one, other):
    return all(map(torch.equal, one, other))


def test_four_threads_at_once():
    alone = [step(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert all(itertools.starmap(same, zip(pool.map(step, range(4)), alone, strict=True)))


class Steps(torch.utils.data.Dataset):
    """A data set whose items are computed with the loss, as hard-example mining does."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return step(index)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:os.fork.. was called:RuntimeWarning")  # JAX, where it was loaded before
def test_in_the_worker_of_a_data_loader():
    alone = [step(seed) for seed in range(3)]
    loader = torch.utils.data.DataLoader(
        Steps(), batch_size=None, num_workers=1, multiprocessing_context="fork", timeout=60
    )
    for mine, other in zip(loader, alone, strict=True):
        for one, two in zip(mine, other, strict=True):
            torch.testing.assert_close(one, two)  # a worker has one thread, whose matrix product may round otherwise


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:os.fork.. was called:RuntimeWarning")  # JAX, where it was loaded before
def test_after_fork():
    """A pool of threads does not survive a fork: the child needs one of its own, not a wait forever."""
    with torch.no_grad():
        logits, labels = draw(4096, 100, dtype=torch.float32), torch.arange(4096) % 100
    alone = xent.softmax_cross_entropy(logits, labels)
    child = os.fork()
    if not child:
        signal.alarm(60)  # kills a child that waits
        code = 1
        try:
            code = 0 if torch.equal(xent.softmax_cross_entropy(logits, labels), alone) else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_inside_backward():
    """Gradient hooks run in autograd's own threads, where the loss may be called again."""
    inner = []
    logits = leaf(ROWS, CLASSES)

    def hook(gradient):
        with torch.enable_grad():
            inner.append(step())
        return gradient

    doubled = logits * 2.0
    doubled.register_hook(hook)
    xent.softmax_cross_entropy(doubled, LABELS).backward()
    assert same(inner[0], step())
    reference = logits.detach().requires_grad_()
    functional.cross_entropy(reference * 2.0, LABELS).backward()
    close(logits.grad, reference.grad)


class Recomputed(torch.autograd.Function):
    """A loss whose forward is run again in its backward, as gradient checkpoints do."""

    @staticmethod
    def forward(ctx, logits):
        ctx.save_for_backward(logits)
        return xent.softmax_cross_entropy(logits, LABELS)

    @staticmethod
    def backward(ctx, upstream):
        with torch.enable_grad():
            logits = ctx.saved_tensors[0].detach().requires_grad_()
            return upstream * torch.autograd.grad(xent.softmax_cross_entropy(logits, LABELS), logits)[0]


def test_inside_another_backward():
    logits = leaf(ROWS, CLASSES)
    (gradient,) = torch.autograd.grad(Recomputed.apply(logits), logits)
    close(gradient, torch.autograd.grad(functional.cross_entropy(logits, LABELS), logits)[0])
    checkpointed = torch.utils.checkpoint.checkpoint(xent.softmax_cross_entropy, logits, LABELS, use_reentrant=False)
    close(torch.autograd.grad(checkpointed, logits)[0], gradient)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_anomaly_mode_finds_nothing(reduction):
    features, weight = leaf(ROWS, DIM), leaf(CLASSES, DIM)
    with torch.autograd.set_detect_anomaly(True, check_nan=True):
        loss = xent.linear_cross_entropy(features, weight, LABELS, reduction=reduction).sum()
        loss = loss + xent.softmax_cross_entropy(features @ weight.mT, LABELS, reduction=reduction).sum()
        loss.backward()
    assert features.grad.isfinite().all()


def test_autocast_leaves_the_loss_exact():
    logits, labels = draw(ROWS, CLASSES, dtype=torch.float32), LABELS
    plain = xent.softmax_cross_entropy(logits, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(xent.softmax_cross_entropy(logits, labels), plain)
        assert xent.softmax_cross_entropy(logits.bfloat16(), labels).dtype == torch.float32


def test_autocast_leaves_the_formulas_of_a_linear_layer_exact():
    features, weight = draw(64, 32, dtype=torch.float32), draw(40, 32, dtype=torch.float32, seed=1)
    labels = torch.arange(64) % 40
    truth = torch.nn.functional.cross_entropy(features.double() @ weight.double().T, labels).float()
    on_class = torch.ones(40, requires_grad=True)
    soft = torch.nn.functional.one_hot(labels, 40).float().requires_grad_()
    entropy = torch.distributions.Categorical(logits=features.double() @ weight.double().T).entropy().float()
    loss = xent.linear_cross_entropy
    with torch.autocast("cpu", torch.bfloat16):
        found = [
            loss(features, weight, labels),
            loss(features, weight, labels, class_weight=on_class),
            loss(features, weight, soft),
            torch.func.vmap(lambda weight: loss(features, weight, labels))(weight[None])[0],
        ]
        rows = torch.func.vmap(lambda weight: linear_entropy(features, weight, labels))(weight[None])[0]
    for each in found:
        torch.testing.assert_close(each, truth, rtol=1e-6, atol=0.0)
    torch.testing.assert_close(rows, entropy, rtol=1e-4, atol=1e-6)


def test_a_negative_view_counts_as_its_values():
    logits, labels = draw(5, 4), torch.arange(5) % 4
    found = xent.softmax_cross_entropy(torch._neg_view(logits), labels)
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(-logits, labels))
    imaginary = torch.complex(logits, logits).conj().imag
    found = xent.linear_cross_entropy(imaginary, draw(6, 4, seed=1), labels)
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(-logits @ draw(6, 4, seed=1).T, labels))
