"""Loss and gradient of logits: `xent.softmax_cross_entropy` and `xent.sigmoid_cross_entropy` against PyTorch's.

To reach: 5 times faster in float32, 4 times in bfloat16 and for the loss alone, 2.5 times for the sigmoid; at 32×10 at most
twice PyTorch's time. All on two threads, forward and backward, gradients in new memory.

`share_of_copy`: loss and gradient must read the logits and write as many numbers, as a copy does; the loss alone must read
them, half a copy; the sigmoid must read its labels too, one and a half. So this is the time that `copy_` of the logits into
memory already in use takes for as many numbers, as a share of xent's. `share_of_clone` is the same with a copy into new
memory, which is what a gradient needs.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import NamedTuple

import torch
from measure import extra_memory, in_turns, ratio, report
from torch import Tensor
from torch.nn.functional import cross_entropy

import xent

Loss = Callable[[Tensor, Tensor], Tensor]
THREADS = 2


class Case(NamedTuple):
    """One line of the table."""

    name: str
    ours: Loss
    peer: Loss
    logits: Tensor
    labels: Tensor
    moved: float  # numbers that must be read or written, per logit; a copy moves 2


def softmax(name: str, shape: tuple[int, int], dtype: torch.dtype = torch.float32, moved: float = 2) -> Case:
    """Normal logits and labels that know nothing of them."""
    draws = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=draws).to(dtype)
    labels = torch.randint(shape[1], shape[:1], generator=draws)
    return Case(f"softmax {name}", xent.softmax_cross_entropy, cross_entropy, logits, labels, moved)


def cases(scale: float) -> Iterator[Case]:
    """The lines of the table; `scale` multiplies the rows."""

    def rows(count: int) -> int:
        return max(1, int(count * scale))

    yield softmax("1024x32000 float32", (rows(1024), 32000))
    yield softmax("512x128256 float32", (rows(512), 128256))
    yield softmax("65536x1000 float32", (rows(65536), 1000))
    yield softmax("1Mx10 float32", (rows(1_000_000), 10))
    yield softmax("1024x32000 bfloat16", (rows(1024), 32000), torch.bfloat16)
    yield softmax("1024x32000 float32, loss only", (rows(1024), 32000), moved=1)
    draws = torch.Generator().manual_seed(0)
    logits = torch.randn(rows(10_000_000), generator=draws)
    labels = torch.bernoulli(torch.full_like(logits, 0.5), generator=draws)
    peer = torch.nn.BCEWithLogitsLoss()
    yield Case("sigmoid 10M float32", xent.sigmoid_cross_entropy, peer, logits, labels, moved=3)


def step(case: Case, loss: Loss) -> tuple[Tensor, Tensor | None]:
    """The loss, and its gradient in new memory if that is part of the case."""
    logits = case.logits.detach().requires_grad_(case.moved > 1)
    value = loss(logits, case.labels)
    if case.moved > 1:
        value.backward()
    return value.detach(), logits.grad


def check(case: Case) -> None:
    """Loss and every entry of the gradient against PyTorch in float64."""
    found, gradient = step(case, case.ours)
    labels = case.labels.double() if case.labels.is_floating_point() else case.labels
    truth, slope = step(case._replace(logits=case.logits.double(), labels=labels), case.peer)
    torch.testing.assert_close(found.double(), truth, rtol=1e-6, atol=0.0)
    if gradient is not None:
        rounding = torch.finfo(case.logits.dtype).eps
        torch.testing.assert_close(gradient.double(), slope, rtol=max(4e-6, rounding), atol=0.0)


def time_large(case: Case, rounds: int) -> None:
    """Print a line."""
    check(case)
    calls = {"xent": lambda: step(case, case.ours), "torch": lambda: step(case, case.peer)}
    peak = {f"extra_memory_mb_{name}": extra_memory(call) for name, call in calls.items()}
    copy = torch.zeros_like(case.logits)
    calls |= {"copy": lambda: copy.copy_(case.logits), "clone": lambda: case.logits.clone()}
    load = os.getloadavg()[0]
    in_turns(calls, 1)
    seconds = in_turns(calls, rounds)
    copies = case.moved / 2
    report(
        case.name,
        ratio=ratio(seconds["torch"], seconds["xent"]),
        share_of_copy=copies * ratio(seconds["copy"], seconds["xent"]),
        share_of_clone=copies * ratio(seconds["clone"], seconds["xent"]),
        **peak,
        **seconds,
        threads=THREADS,
        load=load,
        torch_version=version("torch"),
    )


def time_small(rounds: int) -> None:
    """The cost of a call, in microseconds."""
    case = softmax("32x10 float32", (32, 10))
    check(case)
    calls = {"xent": lambda: step(case, case.ours), "torch": lambda: step(case, case.peer)}
    load = os.getloadavg()[0]
    in_turns(calls, rounds // 10)
    seconds = in_turns(calls, rounds)
    report(
        case.name,
        times_torch=1.0 / ratio(seconds["torch"], seconds["xent"]),
        **{f"{name}_us": [1e6 * s for s in each] for name, each in seconds.items()},
        threads=THREADS,
        load=load,
        torch_version=version("torch"),
    )


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--small-rounds", type=int, default=5000)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    for case in cases(options.scale):
        time_large(case, options.rounds)
    time_small(options.small_rounds)


if __name__ == "__main__":
    main()
