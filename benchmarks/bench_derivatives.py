"""Derivatives of `xent.linear_cross_entropy` beyond a plain backward pass, against PyTorch's loss on logits (dense), on two threads.

Of a mean over 2,048 rows of 64 features and 32,000 classes in float32. Extra memory is measured as in bench_linear.py: the
peak of one call in a fresh process above what was there before, every block from 128 kB mapped by itself.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from bench_linear import STEPS, THREADS, Layer, make
from measure import extra_memory, in_turns, ratio, report
from torch import Tensor

SHAPE = (2048, 64, 32000)  # rows, dim, classes
Loss = Callable[..., Tensor]  # of features and weight


def functional(layer: Layer, loss: Loss) -> Any:
    """Both gradients by torch.func.grad."""
    return torch.func.grad(loss, (0, 1))(layer.features.detach(), layer.weight.detach())


def forward(layer: Layer, loss: Loss) -> Any:
    """The derivative along the layer itself."""
    there = (layer.features.detach(), layer.weight.detach())
    return torch.func.jvp(loss, there, there)


def double_backward(layer: Layer, loss: Loss) -> Any:
    """Gradients of the squared norm of the gradients."""
    first = torch.autograd.grad(loss(*layer[:2]), layer[:2], create_graph=True)
    return torch.autograd.grad(sum((part**2).sum() for part in first), layer[:2])


def hessian_times(layer: Layer, loss: Loss) -> Any:
    """The Hessian by the features times a vector."""
    features, weight = layer.features.detach(), layer.weight.detach()
    return torch.func.jvp(torch.func.grad(lambda f: loss(f, weight)), (features,), (features,))


CALLS: dict[str, Callable[[Layer, Loss], Any]] = {
    "torch.func.grad": functional,
    "forward mode": forward,
    "double backward": double_backward,
    "Hessian times a vector": hessian_times,
}


def call(case: str, name: str, layer: Layer) -> Any:
    """One derivative of one loss."""
    return CALLS[case](layer, lambda features, weight: STEPS[name](Layer(features, weight, layer.labels)))


def fresh_memory(case: str, name: str) -> float:
    """Megabytes of one call in a fresh process."""
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 17)}
    command = [sys.executable, __file__, "--memory", case, name]
    return float(
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    )


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", nargs=2, metavar=("CASE", "LOSS"), help="of one call")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    layer = make(*SHAPE, torch.float32)
    if options.memory:
        case, name = options.memory
        call(case, name, make(64, 64, 1000, torch.float32))
        print(extra_memory(lambda: call(case, name, layer)))
        return
    for case in CALLS:
        calls = {name: functools.partial(call, case, name, layer) for name in ("xent", "dense")}
        torch.testing.assert_close(calls["xent"](), calls["dense"](), rtol=1e-3, atol=1e-6)
        seconds = in_turns(calls, options.rounds)
        peaks = {name: fresh_memory(case, name) for name in calls}
        report(
            f"{case}, {'x'.join(map(str, SHAPE))} float32",
            of_dense=1.0 / ratio(seconds["dense"], seconds["xent"]),
            extra_memory_mb={name: round(peak, 1) for name, peak in peaks.items()},
            **seconds,
            threads=THREADS,
            torch_version=version("torch"),
        )


if __name__ == "__main__":
    main()
