"""Losses that `torch.compile` and `torch.export` take for any number of rows.

Truth is the same function outside of both, which the other tests hold against PyTorch's own code.
"""

import pytest
import torch
from torch.nn.functional import one_hot

import xent.torch

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # PyTorch's own

CLASSES = 5
EYE = torch.eye(CLASSES)
LOSSES = {
    "softmax": xent.softmax_cross_entropy,
    "sum": lambda z, y: xent.softmax_cross_entropy(z, y, reduction="sum"),
    "none": lambda z, y: xent.softmax_cross_entropy(z, y, reduction="none"),
    "ignore_index": lambda z, y: xent.softmax_cross_entropy(z, y, ignore_index=1),
    "label_smoothing": lambda z, y: xent.softmax_cross_entropy(z, y, label_smoothing=0.1),
    "class_weight": lambda z, y: xent.softmax_cross_entropy(z, y, class_weight=torch.arange(1.0, 6.0)),
    "sample_weight": lambda z, y: xent.softmax_cross_entropy(z, y, sample_weight=y + 0.5),
    "z_loss": lambda z, y: xent.softmax_cross_entropy(z, y, z_loss=0.1, softcap=5.0),
    "denominator": lambda z, y: xent.softmax_cross_entropy(z, y, denominator=2 * y.shape[0]),
    "soft": lambda z, y: xent.softmax_cross_entropy(z, one_hot(y, CLASSES).float()),
    "sigmoid": lambda z, y: xent.sigmoid_cross_entropy(z, one_hot(y, CLASSES).float()),
    "row-statistics": lambda z, y: xent.row_statistics(z, y).nll,
    "linear": lambda z, y: xent.linear_cross_entropy(z, EYE, y),
    "linear-soft": lambda z, y: xent.linear_cross_entropy(z, EYE, one_hot(y, CLASSES).float()),
    "torch": xent.torch.cross_entropy,
    "torch-weight": lambda z, y: xent.torch.cross_entropy(z, y, torch.arange(1.0, 6.0)),
    "torch-linear": lambda z, y: xent.torch.linear_cross_entropy(z, EYE, y),
    "torch-sigmoid": lambda z, y: xent.torch.binary_cross_entropy_with_logits(z, one_hot(y, CLASSES).float()),
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def rows(count):
    generator = torch.Generator().manual_seed(count)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    return torch.randn(count, CLASSES, generator=generator), labels


@each_loss
def test_one_graph_serves_any_number_of_rows(loss):
    """The first may be of one number of rows only, as PyTorch's own loss has two."""
    from torch._dynamo.testing import CompileCounter  # two seconds, which all who collect tests would wait

    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(loss, backend=counter, fullgraph=True)
    for count in (6, 7, 9, 11, 5):
        torch.testing.assert_close(compiled(*rows(count)), loss(*rows(count)))
    assert counter.frame_count <= 2


@each_loss
def test_an_exported_loss_takes_any_number_of_rows(loss):
    class Model(torch.nn.Module):
        def forward(self, z, y):
            return loss(z, y)

    batch = torch.export.Dim("batch")
    program = torch.export.export(Model(), rows(6), dynamic_shapes=({0: batch}, {0: batch}))
    for count in (2, 9):
        torch.testing.assert_close(program.module()(*rows(count)), loss(*rows(count)))
