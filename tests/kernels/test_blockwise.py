"""The linear layer's loss by blocks: how much memory, which products, and that blocks do not change the answer."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch

import xent
from xent.autodiff import linear_arrays, torch_machine
from xent.autodiff.linear_arrays import Machine, Wanted
from xent.formulas.rows import RowWeights, Targets
from xent.kernels import choice, rows_numba
from xent.kernels.blockwise import ArrayProducts, LinearArrays

ROWS, DIM, CLASSES = 60, 7, 23


def layer_and_labels(dtype=np.float64, rows=ROWS):
    random = np.random.default_rng(0)
    features, weight, bias = random.normal(size=(rows, DIM)), random.normal(size=(CLASSES, DIM)), np.arange(CLASSES) / 9
    labels = random.integers(0, CLASSES, rows)
    return features.astype(dtype), weight.astype(dtype), bias.astype(dtype), labels


# --- memory -----------------------------------------------------------------------------------------------


WATCH = """
import resource, sys, tracemalloc
import numpy as np, xent

ROWS, DIM, CLASSES, MAX_MEMORY, MB = 2000, 8, 10_000, 2 << 20, 1 << 20
random = np.random.default_rng(0)
features = random.normal(size=(ROWS, DIM)).astype(np.float32)
weight = random.normal(size=(CLASSES, DIM)).astype(np.float32)
bias = np.zeros(CLASSES, np.float32)
labels = random.integers(0, CLASSES, ROWS)
labels[::4] = -100
soft = np.zeros((1, CLASSES), np.float32)
some = slice(0, 100)  # enough for the compiled kernels
options = {"max_memory": MAX_MEMORY, "ignore_index": -100}
"""

ARRAYS = """
grad = xent.value_and_grad(xent.linear_cross_entropy)
cases = {
    "loss": (lambda i: xent.linear_cross_entropy(features[i], weight, labels[i], bias, **options), 0),
    "rows": (lambda i: xent.linear_row_statistics(features[i], weight, labels[i], bias, entropy=True, **options), 0),
    "gradients": (lambda i: grad(features[i], weight, labels[i], bias, **options), 1),
    "of rows": (lambda i: grad(features[i], weight, labels[i], bias, reduction="none", **options), 1),
    "everything": (lambda i: grad(features[i], weight, labels[i], bias, softcap=30.0, label_smoothing=0.1,
                                  z_loss=1e-4, class_weight=np.ones(CLASSES), **options), 1),
}
for name, (compute, gradients) in cases.items():
    compute(some)
    tracemalloc.start()
    compute(slice(None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    allowed = MAX_MEMORY + gradients * (features.nbytes + 2 * weight.nbytes + bias.nbytes) + 60 * 4 * ROWS
    print(name, peak, allowed, "much" if peak > allowed else "fine")
"""

TENSORS = """
import torch

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

def step(i, dtype):
    inputs = [torch.tensor(values).to(dtype).requires_grad_() for values in (features[i], weight)]
    xent.linear_cross_entropy(*inputs, torch.tensor(labels[i]), **options).backward()
    per_row = xent.linear_cross_entropy(*inputs, torch.tensor(labels[i]), reduction="none", **options)
    per_row.sum().backward()

for dtype in (torch.float32, torch.bfloat16):
    step(some, dtype)
    before = most()
    step(slice(None), dtype)
    added, allowed = most() - before, 2 * MAX_MEMORY + 6 * (features.nbytes + weight.nbytes) + 16 * MB
    print(dtype, added, allowed, "much" if added > allowed else "fine")
"""


@pytest.mark.parametrize("script", [ARRAYS, TENSORS], ids=["numpy", "torch"])
def test_rows_times_classes_numbers_are_never_held(script):
    """All logits would take 80 MB; of 2 MB allowed, all but the gradients and a few numbers per row must do."""
    done = subprocess.run([sys.executable, "-c", WATCH + script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fine") >= 2
    assert "much" not in done.stdout, done.stdout


# --- the same answer whatever the block ---------------------------------------------------------------------


OPTIONS = [
    {},
    {"softcap": 5.0, "z_loss": 0.01, "label_smoothing": 0.1},
    {"class_weight": np.linspace(0.0, 2.0, CLASSES), "reduction": "sum"},
]
ONE_ROW = CLASSES * 4
each_memory = pytest.mark.parametrize("max_memory", [1, ONE_ROW, 7 * ONE_ROW, 60 * ONE_ROW, 1 << 30])


def relative(found, true):
    return np.max(np.abs(np.asarray(found, np.float64) - np.asarray(true, np.float64))) / np.max(np.abs(true))


@each_memory
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(("dtype", "precise"), [(np.float32, 1e-6), (np.float64, 1e-13)])
def test_any_max_memory_gives_the_same_loss_and_gradients(dtype, precise, options, max_memory):
    features, weight, bias, labels = layer_and_labels(dtype)
    labels[::5] = -1
    options = options | {"ignore_index": -1}
    logits = features.astype(np.float64) @ weight.astype(np.float64).T + bias
    dense = xent.softmax_cross_entropy(logits, labels, **options)
    value, gradients = xent.value_and_grad(xent.linear_cross_entropy)(
        features, weight, labels, bias, max_memory=max_memory, **options
    )
    assert value == xent.linear_cross_entropy(features, weight, labels, bias, max_memory=max_memory, **options)
    assert relative(value, dense) < precise
    _, true = xent.value_and_grad(xent.softmax_cross_entropy)(logits, labels, **options)
    by_logits = true["logits"]
    assert relative(gradients["features"], by_logits @ weight) < 3 * precise
    assert relative(gradients["weight"], by_logits.T @ features) < 3 * precise
    assert relative(gradients["bias"], by_logits.sum(axis=0)) < 3 * precise
    tensors = [torch.tensor(values, requires_grad=True) for values in (features, weight)]
    in_torch = xent.linear_cross_entropy(
        *tensors,
        torch.tensor(labels),
        torch.tensor(bias),
        max_memory=max_memory,
        **{name: torch.tensor(v) if isinstance(v, np.ndarray) else v for name, v in options.items()},
    )
    in_torch.backward()
    assert relative(in_torch.detach(), dense) < precise
    for tensor, name in zip(tensors, ("features", "weight"), strict=True):
        assert relative(tensor.grad, gradients[name]) < 3 * precise


@each_memory
def test_any_max_memory_gives_the_same_row_statistics(max_memory):
    features, weight, bias, labels = layer_and_labels()
    labels[::5] = -1
    found = xent.linear_row_statistics(
        features, weight, labels, bias, entropy=True, ignore_index=-1, max_memory=max_memory
    )
    logits = features @ weight.T + bias
    counted = labels >= 0
    for mine, dense in zip(found, xent.row_statistics(logits, labels, ignore_index=-1), strict=False):
        np.testing.assert_allclose(mine, dense, rtol=1e-13)
        assert (mine[~counted] == 0.0).all()
    p = np.exp(logits - found.logsumexp[:, None])
    np.testing.assert_allclose(found.entropy[counted], xent.entropy(p[counted] / p[counted].sum(1, keepdims=True)))
    assert (found.entropy[~counted] == 0.0).all()


# --- which products ----------------------------------------------------------------------------------------


class Recorded(ArrayProducts):
    """NumPy's products, and which they were: of logits, of the features' gradient, of the weight's."""

    def __init__(self):
        self.rows = {"logits": [], "features": [], "weight": []}

    def multiply(self, a, b, out):
        self.rows["logits" if a.shape[1] == DIM else "features"].append(len(a))
        super().multiply(a, b, out)

    def add(self, a, b, out):
        assert a.shape[0] == len(out) == CLASSES
        self.rows["weight"].append(a.shape[1])
        super().add(a, b, out)

    def done(self):
        """How many rows each product was taken of."""
        return {name: sum(rows) for name, rows in self.rows.items() if rows}


def computed(wanted, labels, block_rows=8):
    features, weight, bias, _ = layer_and_labels()
    products = Recorded()
    machine = Machine(rows_numba, products, 1, block_rows * CLASSES * 8)
    layer = LinearArrays(features, weight, bias, None)
    _, _, gradients = linear_arrays.loss(layer, Targets(labels), RowWeights(), 1.0, machine, Wanted(*wanted))
    return products, gradients


@pytest.mark.parametrize("wanted", list(itertools.product([False, True], repeat=3)))
def test_only_the_products_whose_results_are_wanted_are_taken(wanted):
    products, gradients = computed(wanted, layer_and_labels()[-1])
    expected = [True, wanted[0], wanted[1]]
    assert products.done() == {name: ROWS for name, asked in zip(products.rows, expected, strict=True) if asked}
    assert [gradient is not None for gradient in gradients] == list(wanted)
    assert max(products.rows["logits"]) <= 8


@pytest.mark.parametrize("share", [0.25, 0.75, 1.0])
def test_skipped_rows_cost_no_product(share):
    labels = layer_and_labels()[-1]
    labels[np.random.default_rng(0).permutation(ROWS)[: int(share * ROWS)]] = -1
    products, gradients = computed((True, True, True), labels)
    counted = int((labels >= 0).sum())
    assert products.done() == ({"logits": counted, "features": counted, "weight": counted} if counted else {})
    assert len(products.rows["logits"]) == -(-counted // 8)  # blocks are full: rows are gathered, not masked
    assert (gradients.features[labels < 0] == 0.0).all()


def test_rows_of_statistics_take_one_product_forward_and_three_back():
    features, weight, bias, labels = layer_and_labels()
    labels[:20] = -1
    layer, targets, products = LinearArrays(features, weight, bias, 4.0), Targets(labels), Recorded()
    machine = Machine(rows_numba, products, 1, 1 << 20)
    found = linear_arrays.statistics(layer, targets, machine)
    assert products.done() == {"logits": 40}
    ones = np.ones(ROWS)
    linear_arrays.statistics_gradient(layer, targets, found, ones, ones, machine, Wanted(True, True, False))
    assert products.done() == {"logits": 80, "features": 40, "weight": 40}


@pytest.fixture
def recorded(monkeypatch):
    """The products that PyTorch's adapter takes of its own library."""
    monkeypatch.setattr(choice, "tiles", lambda: None)
    rows = {"logits": 0, "features": 0, "weight": 0}

    class Products(torch_machine.Products):
        def multiply(self, a, b, out):
            rows["logits" if a.shape[1] == DIM else "features"] += len(a)
            super().multiply(a, b, out)

        def add(self, a, b, out):
            rows["weight"] += a.shape[1]
            super().add(a, b, out)

    monkeypatch.setattr(torch_machine, "Products", Products)
    return rows


def tensors(features_trained, weight_trained):
    features, weight, _, labels = layer_and_labels(np.float32)
    labels[:20] = -100
    features = torch.tensor(features, requires_grad=features_trained)
    return features, torch.tensor(weight, requires_grad=weight_trained), torch.tensor(labels)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("trained", list(itertools.product([False, True], repeat=2)))
def test_frozen_parts_of_a_layer_skip_their_product(recorded, trained, reduction):
    loss = xent.linear_cross_entropy(*tensors(*trained), ignore_index=-100, reduction=reduction, max_memory=800)
    if any(trained):
        loss.backward()
    assert recorded == {"logits": 40, "features": 40 * trained[0], "weight": 40 * trained[1]}


def test_without_gradients_one_product_is_taken(recorded):
    with torch.no_grad():
        xent.linear_cross_entropy(*tensors(True, True), ignore_index=-100)
        xent.linear_row_statistics(*tensors(True, True), ignore_index=-100)
    assert recorded == {"logits": 80, "features": 0, "weight": 0}


def test_a_second_backward_takes_the_products_again_and_gives_the_same(recorded):
    features, weight, labels = tensors(True, True)
    loss = xent.linear_cross_entropy(features, weight, labels, ignore_index=-100)
    first = torch.autograd.grad(loss, (features, weight), retain_graph=True)
    assert recorded == {"logits": 40, "features": 40, "weight": 40}
    second = torch.autograd.grad(loss, (features, weight))
    assert recorded == {"logits": 80, "features": 80, "weight": 80}
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)
