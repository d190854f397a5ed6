"""Losses of PyTorch tensors while something watches the operators, takes them down, or brings tensors of its own.

Truth is the same loss with nothing of the kind, or PyTorch's own code.
"""

from functools import partial

import pytest
import torch
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts
from torch.utils.flop_counter import FlopCounterMode

import xent
from xent.autodiff.torch_blocks import COPIES
from xent.formulas import rows as formulas

ROWS, CLASSES, DIM = 12, 6, 4


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(found, expected):
    torch.testing.assert_close(found, expected)


LABELS = torch.arange(ROWS) % CLASSES


def checkpointed(saved, loss, *tensors):
    context = partial(create_selective_checkpoint_contexts, saved)
    return checkpoint(loss, *tensors, use_reentrant=False, context_fn=context)


def counted(loss, *tensors):
    with FlopCounterMode(display=False):
        return loss(*tensors)


WATCHERS = {
    "nothing-saved": partial(checkpointed, lambda *_, **__: CheckpointPolicy.PREFER_RECOMPUTE),
    "products-saved": partial(checkpointed, [torch.ops.aten.mm.default]),
    "flops": counted,
}


@pytest.mark.parametrize("watched", WATCHERS.values(), ids=WATCHERS)
def test_a_mode_that_watches_operators_leaves_memory_bounded(monkeypatch, watched):
    """Selective checkpoints and counters of operations see real values: a linear loss goes over blocks of rows."""
    seen, row_statistics = [], formulas.row_statistics
    monkeypatch.setattr(formulas, "row_statistics", lambda z, *rest: seen.append(len(z)) or row_statistics(z, *rest))
    features, weight = (drawn(*shape, seed=len(shape)).requires_grad_() for shape in ((ROWS, DIM), (CLASSES, DIM)))

    def loss(features, weight):
        memory = 4 * COPIES * CLASSES * features.itemsize
        return xent.linear_cross_entropy(features, weight, LABELS, max_memory=memory)

    value = watched(loss, features, weight)
    found = torch.autograd.grad(value, (features, weight))
    assert seen
    assert max(seen) <= 4
    plain = loss(features, weight)
    close((value, *found), (plain, *torch.autograd.grad(plain, (features, weight))))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.torch.jit.trace:DeprecationWarning")
@pytest.mark.parametrize("name", ["linear", "softmax", "skipping", "drop-in"])
def test_what_jit_traced_is_right_for_other_numbers(name):
    """The loss of the first is no constant in it."""

    def loss(logits, labels):
        weight = torch.eye(CLASSES, dtype=logits.dtype)
        return {
            "linear": lambda: xent.linear_cross_entropy(logits, weight, labels),
            "softmax": lambda: xent.softmax_cross_entropy(logits, labels),
            "skipping": lambda: xent.softmax_cross_entropy(logits, labels, ignore_index=-100),
            "drop-in": lambda: xent.torch.cross_entropy(logits, labels),
        }[name]()

    traced = torch.jit.trace(loss, (drawn(ROWS, CLASSES), LABELS))
    other = drawn(ROWS, CLASSES, seed=1), LABELS.flip(0)
    close(traced(*other), torch.nn.functional.cross_entropy(*other))
