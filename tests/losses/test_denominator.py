"""`denominator=` makes parts of a batch add up to the whole: micro-batches, and processes that share the rows.

Run as a script, this file is one of the processes: `test_denominator.py RANK STORE RESULT`.
"""

import doctest
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import xent

CLASSES, DIM, TIME, PADDING = 7, 5, 6, -1
LENGTHS = [1, 6, 2, 4, 0, 5, 3, 6]  # tokens in each sequence; the rest of its TIME is padding
PROCESSES = 2
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "replace-torch.md"


class Model(torch.nn.Module):
    """A linear layer before the last, so that features have gradients too."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(DIM, DIM)
        self.last = torch.nn.Linear(DIM, CLASSES)
        self.double()

    def forward(self, inputs, labels, loss, denominator=None):
        options = {"ignore_index": PADDING, "denominator": denominator}
        features = self.first(inputs).tanh()
        if loss == "linear":
            return xent.linear_cross_entropy(features, self.last.weight, labels, self.last.bias, **options)
        return xent.softmax_cross_entropy(self.last(features), labels, **options)


def batch():
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(len(LENGTHS), TIME, DIM, generator=generator, dtype=torch.float64)
    labels = torch.randint(CLASSES, (len(LENGTHS), TIME), generator=generator)
    for row, length in zip(labels, LENGTHS, strict=True):
        row[length:] = PADDING
    return inputs, labels


def gradients(model):
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def of_the_whole_batch(loss):
    model = Model()
    value = model(*batch(), loss)
    value.backward()
    return value.detach(), gradients(model)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert gradient.abs().max() > 1e-3
        torch.testing.assert_close(found[name], gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("loss", ["softmax", "linear"])
def test_micro_batches_add_up_to_the_batch(loss):
    inputs, labels = batch()
    count = (labels != PADDING).sum()
    model, total = Model(), 0.0
    for rows in torch.arange(len(LENGTHS)).chunk(4):
        part = model(inputs[rows], labels[rows], loss, denominator=count)
        part.backward()
        total += part.detach()
    value, expected = of_the_whole_batch(loss)
    torch.testing.assert_close(total, value, rtol=1e-14, atol=0)
    assert_same(gradients(model), expected)


@pytest.mark.parametrize("loss", ["softmax", "linear"])
def test_the_mean_of_means_is_another_number(loss):
    inputs, labels = batch()
    model = Model()
    parts = [model(inputs[rows], labels[rows], loss) / 4 for rows in torch.arange(len(LENGTHS)).chunk(4)]
    value, _ = of_the_whole_batch(loss)
    assert abs(sum(parts) - value) > 1e-3


def test_weights_count_like_rows():
    inputs, labels = batch()
    weights = torch.linspace(0.5, 2.0, labels.numel(), dtype=torch.float64).reshape(labels.shape)
    logits = Model().last(inputs).detach()

    def loss(rows, **options):
        return xent.softmax_cross_entropy(
            logits[rows], labels[rows], sample_weight=weights[rows], ignore_index=PADDING, **options
        )

    total = weights[labels != PADDING].sum()
    parts = [loss(rows, denominator=total) for rows in torch.arange(len(LENGTHS)).chunk(4)]
    torch.testing.assert_close(sum(parts), loss(slice(None)), rtol=1e-14, atol=0)


@pytest.fixture(scope="module")
def recipes():
    """What the page on replacing PyTorch's loss defines."""
    page = doctest.DocTestParser().get_doctest(PAGE.read_text(encoding="utf-8"), {}, PAGE.name, str(PAGE), 0)
    assert doctest.DocTestRunner().run(page, clear_globs=False).failed == 0
    return page.globs


EVERY = slice(None)


@pytest.mark.parametrize(
    ("recipe", "tokens", "read", "told"),
    [
        ("loss_of_next_tokens", EVERY, (EVERY, slice(-1)), (EVERY, slice(1, None))),
        ("loss_of_classes", EVERY, ..., ...),
        ("loss_of_classes", 0, ..., ...),
    ],
    ids=["next tokens", "tokens", "texts"],
)
def test_the_losses_for_a_hugging_face_trainer_add_up_to_torchs_of_the_batch(recipes, recipe, tokens, read, told):
    inputs, labels = batch()
    inputs, labels = inputs[:, tokens], labels[:, tokens].masked_fill(labels[:, tokens] == PADDING, -100)
    weight = torch.randn(CLASSES, DIM, dtype=torch.float64, requires_grad=True)
    logits = inputs @ weight.T
    expected = torch.nn.functional.cross_entropy(logits[read].reshape(-1, CLASSES), labels[told].flatten())

    def of(rows, count=None):
        return recipes[recipe](SimpleNamespace(logits=logits[rows]), labels[rows], num_items_in_batch=count)

    parts = sum(of(rows, (labels[told] != -100).sum()) for rows in torch.arange(len(LENGTHS)).chunk(4))
    (truth,) = torch.autograd.grad(expected, weight, retain_graph=True)
    for found in (parts, of(EVERY)):
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)
        (gradient,) = torch.autograd.grad(found, weight, retain_graph=True)
        torch.testing.assert_close(gradient, truth, rtol=1e-11, atol=1e-14)


def test_processes_add_up_to_the_batch(tmp_path):
    results = [tmp_path / f"{rank}.pt" for rank in range(PROCESSES)]
    running = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(tmp_path / "store"), str(result)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, result in enumerate(results)
    ]
    try:
        messages = [process.communicate(timeout=300)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0] * PROCESSES, messages
    for result in results:
        by_way = torch.load(result)
        assert len(by_way) == 4
        for (_, loss), found in by_way.items():
            assert_same(found, of_the_whole_batch(loss)[1])


def one_process(rank, store, result):
    """Write the gradients that this process holds after its share of the rows, by both ways to bring them together."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=PROCESSES)
    inputs, labels = (whole[rank::PROCESSES] for whole in batch())
    count = (labels != PADDING).sum()
    torch.distributed.all_reduce(count)  # of all processes
    found = {}
    for loss in ("softmax", "linear"):
        model = Model()
        model(inputs, labels, loss, denominator=count).backward()
        for parameter in model.parameters():
            torch.distributed.all_reduce(parameter.grad)  # their sum
        found["all_reduce", loss] = gradients(model)

        model = Model()
        parallel = torch.nn.parallel.DistributedDataParallel(model)
        parallel(inputs, labels, loss, denominator=count / PROCESSES).backward()  # it takes the mean of the processes
        found["DistributedDataParallel", loss] = gradients(model)
    torch.save(found, result)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    one_process(int(sys.argv[1]), *sys.argv[2:])
