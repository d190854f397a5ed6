"""The linear loss by tiles, against float64 and the way by blocks: any size, dtype, memory and number of threads."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, linear

import xent
from xent.autodiff import linear_kept, linear_tiles
from xent.kernels import choice, linear_tiles_numba, panels_numba, registers_numba

needs_tiles = pytest.mark.skipif(choice.tiles() is None, reason="the processor is not one that tiles are made for")
pytestmark = needs_tiles
SHAPES = [
    (1, 1, 1),
    (1, 8, 3),
    (13, 7, 33),
    (37, 6, 481),
    (70, 33, 479),
    (101, 34, 977),
    (300, 64, 1500),
    (401, 70, 2050),
]
KEPT = 1920  # classes of float32 from which on logits are kept


@pytest.fixture
def taken(monkeypatch):
    """How often the loss went by tiles."""
    calls, loss = [], linear_tiles.loss

    def recorded(*given):
        calls.append(given)
        return loss(*given)

    monkeypatch.setattr(linear_tiles, "loss", recorded)
    return calls


def drawn(rows, dim, classes, dtype=torch.float32, bias=True, scale=3.0):
    draws = torch.Generator().manual_seed(rows)
    sizes = [(rows, dim), (classes, dim)] + [(classes,)] * bias
    parts = [torch.randn(size, generator=draws).mul(scale / dim**0.25).to(dtype).requires_grad_() for size in sizes]
    return parts, torch.randint(classes, (rows,), generator=draws)


def step(parts, labels, **options):
    features, weight, *bias = parts
    loss = xent.linear_cross_entropy(features, weight, labels, *bias, **options)
    return loss.detach(), torch.autograd.grad(loss, parts)


def truth(parts, labels, **options):
    parts = [part.detach().double().requires_grad_() for part in parts]
    loss = cross_entropy(linear(*parts), labels, **options)
    return loss.detach(), torch.autograd.grad(loss, parts)


def off(found, true):
    return float((found.double() - true).norm() / true.norm().clamp_min(1e-300))


# --- products ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1), (12, 32, 256), (13, 33, 257), (50, 70, 600), (5, 31, 3)])
@pytest.mark.parametrize("kept", [0, 1])
def test_products_of_packed_operands(shape, pairs, kept):
    """Small integers: float32 sums are exact, so the truth is NumPy's integer product. Beyond the result nothing is written."""
    if pairs and not registers_numba.pairs_available():
        pytest.skip("the processor does not multiply bfloat16")
    rows, columns, steps = shape
    random, numbers = np.random.default_rng(0), 2 * steps if pairs else steps
    left, right = (random.integers(-9, 10, (count, numbers)) for count in (rows, columns))
    stored = [
        (v.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16) if pairs else v.astype(np.float32)
        for v in (left, right)
    ]
    by_steps = [v.reshape(-1).view(np.int32) if pairs else v.reshape(-1) for v in stored]
    dtype = np.int32 if pairs else np.float32
    whole = np.full((rows + 2, columns + 40), 7.0, np.float32)
    by_rows, by_columns = (linear_tiles.Plan(pairs, False, 0).memory(steps * (columns + 64)) for _ in range(2))
    assert by_rows.dtype == dtype
    panels_numba.pack_rows(by_steps[1].reshape(columns, steps), by_rows)
    panels_numba.pack_columns(np.ascontiguousarray(stored[1].T).reshape(-1), columns, columns, numbers, by_columns)
    size = steps * -(-columns // 32) * 32
    np.testing.assert_array_equal(by_rows[:size], by_columns[:size])
    turned = np.ascontiguousarray(by_steps[0].reshape(rows, steps).T).reshape(-1)
    for operand, line, step in ((by_steps[0], steps, 1), (turned, 1, rows)):
        whole[:] = 7.0
        panels_numba.multiply(operand, line, step, by_rows, steps, whole.reshape(-1), columns + 40, rows, columns, kept)
        expected = np.full_like(whole, 7.0)
        expected[:rows, :columns] = left @ right.T + (7.0 if kept else 0.0)
        np.testing.assert_array_equal(whole, expected)


# --- the loss ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_loss_and_gradients_against_float64(taken, dtype, bias, shape):
    """16-bit gradients are rounded once more than their sums: twice half a unit in the last place."""
    parts, labels = drawn(*shape, dtype, bias)
    labels[1::3] = -5
    loss, gradients = step(parts, labels, ignore_index=-5)
    true_loss, true = truth(parts, labels, ignore_index=-5)
    assert len(taken) == 1
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(true_loss), rel=1e-6, abs=2e-6)
    for found, expected in zip(gradients, true, strict=True):
        assert found.dtype == dtype
        assert off(found, expected) < (3e-6 if dtype == torch.float32 else torch.finfo(dtype).eps)


@pytest.fixture
def kept(monkeypatch):
    """How many rows' logits were kept at a time."""
    rows, slopes_of_all = [], linear_kept.slopes_of_all

    def recorded(block, *given):
        rows.append(len(block.labels))
        slopes_of_all(block, *given)

    monkeypatch.setattr(linear_kept, "slopes_of_all", recorded)
    return rows


@pytest.mark.parametrize(
    ("memory", "blocks"), [(None, [150]), (4_000_000, [150]), (1_200_000, [96, 54]), (400_000, [])]
)
def test_logits_are_kept_where_memory_is_enough(kept, memory, blocks):
    parts, labels = drawn(200, 16, KEPT)
    labels[::4] = -1
    loss, gradients = step(parts, labels, ignore_index=-1, max_memory=memory)
    true_loss, true = truth(parts, labels, ignore_index=-1)
    assert kept == blocks
    assert float(loss) == pytest.approx(float(true_loss), rel=1e-6)
    assert max(off(found, expected) for found, expected in zip(gradients, true, strict=True)) < 2e-6
    assert not gradients[0][::4].any()


def test_logits_of_few_classes_or_of_16_bits_or_without_gradients_are_not_kept(kept):
    step(*drawn(200, 16, KEPT - 1))
    step(*drawn(200, 16, KEPT, torch.bfloat16))
    (features, weight, bias), labels = drawn(200, 16, KEPT)
    xent.linear_cross_entropy(features.detach(), weight.detach(), labels, bias.detach())
    assert not kept
    weight.requires_grad_(False)
    xent.linear_cross_entropy(features.detach(), weight, labels, bias)
    assert kept == [200]


@pytest.mark.parametrize(("dtype", "classes"), [(torch.float32, 1500), (torch.float32, KEPT), (torch.bfloat16, 1500)])
def test_memory_and_threads_do_not_matter(taken, dtype, classes):
    """Threads to no bit; blocks of rows only to the order of the sums over them."""
    parts, labels = drawn(300, 64, classes, dtype)
    before = torch.get_num_threads()
    try:
        results = []
        for threads, memory in [(1, None), (2, None), (7, None), (2, 3_000_000), (3, 1_200_000)]:
            torch.set_num_threads(threads)
            results.append(step(parts, labels, max_memory=memory))
    finally:
        torch.set_num_threads(before)
    (loss, gradients), *others = results
    assert len(taken) == len(results)
    for number, (other, found) in enumerate(others):
        assert float(other) == (float(loss) if number < 2 else pytest.approx(float(loss), rel=1e-6))
        for one, two in zip(gradients, found, strict=True):
            assert torch.equal(one, two) if number < 2 else off(two, one.double()) < torch.finfo(dtype).eps


@pytest.mark.parametrize("lead", [10.0, 20.0, 40.0, 60.0])
@pytest.mark.parametrize("label", [0, 998])
def test_leads_beyond_the_spacing_of_float32(label, lead):
    """Losses down to 1e-13, and gradients as small, are not drowned where peaks of tiles are merged."""
    weight = torch.zeros(1000, 2)
    weight[0, 0], weight[998, 0] = 1.0, 0.5  # the peak in the first tile, the next in the last
    weight.requires_grad_()
    loss = xent.linear_cross_entropy(torch.tensor([[lead, 0.0]]), weight, torch.tensor([label]))
    rest = 998.0 * np.exp(-lead) + np.exp(-lead / 2.0)
    ahead = 0.0 if label == 0 else lead / 2.0
    precise = 1e-6 * (1.0 + lead / 8.0)
    assert float(loss.detach()) == pytest.approx(np.log1p(rest) + ahead, rel=precise)
    (slope,) = torch.autograd.grad(loss, weight)
    other = np.exp(-lead / 2.0) / (1.0 + rest) if label == 0 else 1.0 / (1.0 + rest)
    at_label = rest / (1.0 + rest) if label == 0 else 1.0 - np.exp(-lead / 2.0) / (1.0 + rest)
    assert float(slope[998 - label, 0]) == pytest.approx(lead * other, rel=precise)
    assert float(slope[label, 0]) == pytest.approx(-lead * at_label, rel=precise)
    assert float(slope[500, 0]) == pytest.approx(lead * np.exp(-lead) / (1.0 + rest), rel=precise)


@pytest.mark.parametrize("classes", [1200, KEPT])
def test_impossible_classes_and_broken_rows(classes):
    """A whole tile at −inf is no evidence against the others; NaN and +inf make a row NaN as everywhere."""
    parts, labels = drawn(5, 4, classes)
    with torch.no_grad():
        parts[2][:600] = -torch.inf
        parts[2][1100:] = -torch.inf
    labels = labels % 500 + 600
    loss, gradients = step(parts, labels)
    true_loss, true = truth(parts, labels)
    assert float(loss) == pytest.approx(float(true_loss), rel=1e-6)
    assert off(gradients[1], true[1]) < 1e-6
    with torch.no_grad():
        parts[0][2, 1] = torch.nan
    assert torch.isnan(step(parts, labels)[0])
    rows = xent.linear_cross_entropy(
        parts[0], parts[1], labels, parts[2], sample_weight=torch.tensor([1.0, 1, 0, 1, 1])
    )
    assert torch.isnan(rows)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("place", [0, 1, 479, 480, 700, 1198])
@pytest.mark.parametrize("classes", [1199, KEPT + 1])
def test_one_broken_class_breaks_every_row(classes, place, value):
    """Wherever it stands: what comes after it in its tile, or in later tiles, must not hide it."""
    parts, labels = drawn(40, 4, classes)
    with torch.no_grad():
        parts[2][place] = value
    loss, gradients = step(parts, labels)
    assert torch.isnan(loss)
    assert all(torch.isnan(gradient).any(dim=-1).all() for gradient in gradients[:2])


@pytest.mark.parametrize("classes", [1, 2, 59, 480, 481, 30_001])
def test_equal_logits_are_counted_one_by_one(classes):
    """log of their number, however many tiles they lie in."""
    features, weight = torch.ones(3, 2), torch.zeros(classes, 2)
    loss = xent.linear_cross_entropy(features, weight.requires_grad_(), torch.zeros(3, dtype=torch.int64))
    assert float(loss.detach()) == pytest.approx(np.log(classes), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("classes", [30, KEPT])
def test_weights_without_features_or_out_of_line(taken, classes, dtype):
    """Of no features every class is as likely. A transposed weight is as good as any."""
    nothing = [torch.zeros(size, dtype=dtype, requires_grad=True) for size in [(5, 0), (classes, 0)]]
    loss, gradients = step(nothing, torch.arange(5))
    assert float(loss) == pytest.approx(np.log(classes), rel=1e-6)
    assert [gradient.shape for gradient in gradients] == [(5, 0), (classes, 0)]
    parts, labels = drawn(50, 16, classes, dtype)
    assert not taken
    turned = [parts[0], parts[1].detach().T.contiguous().T.requires_grad_(), parts[2]]
    (loss, gradients), (true_loss, true) = step(turned, labels), truth(parts, labels)
    assert float(loss) == pytest.approx(float(true_loss), rel=2e-6)
    for found, expected in zip(gradients, true, strict=True):
        assert off(found, expected) < (3e-6 if dtype == torch.float32 else torch.finfo(dtype).eps)


@pytest.mark.parametrize("options", [{"z_loss": 0.1}, {"reduction": "sum"}, {"denominator": 3.0}])
@pytest.mark.parametrize("classes", [700, KEPT])
def test_options_as_by_blocks(monkeypatch, taken, options, classes):
    parts, labels = drawn(50, 16, classes)
    weights = {
        "class_weight": torch.linspace(0, 2, classes),
        "sample_weight": torch.linspace(0, 1, 50),
        "ignore_index": 3,
    }
    options = options | weights
    loss, gradients = step(parts, labels, **options)
    assert len(taken) == 1
    monkeypatch.setattr(choice, "tiles", lambda: None)
    other, expected = step(parts, labels, **options)
    assert len(taken) == 1
    assert float(loss) == pytest.approx(float(other), rel=1e-6)
    for one, two in zip(gradients, expected, strict=True):
        assert off(one, two.double()) < 1e-6


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("classes", [700, KEPT])
def test_only_what_is_wanted(number, classes):
    parts, labels = drawn(50, 16, classes)
    expected = step(parts, labels)[1][number]
    for other, part in enumerate(parts):
        part.requires_grad_(other == number)
    loss = xent.linear_cross_entropy(*parts[:2], labels, parts[2])
    (found,) = torch.autograd.grad(loss, parts[number])
    assert torch.equal(found, expected)


def test_tiles_are_whole_panels():
    assert (
        linear_tiles_numba.CLASSES % linear_tiles_numba.ROWS
        == linear_tiles_numba.GATHERED % linear_tiles_numba.ROWS
        == 0
    )
    assert linear_tiles_numba.CLASSES % linear_tiles_numba.COLUMNS == 0
    assert (
        linear_tiles_numba.CLASSES % linear_tiles_numba.HEIGHT
        == linear_tiles_numba.HEIGHT % linear_tiles_numba.ROWS
        == 0
    )
