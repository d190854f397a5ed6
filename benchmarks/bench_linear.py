"""The linear layer and its softmax loss in one: `xent.linear_cross_entropy`, forward and backward, on two threads, against

- `products`: its three matrix products alone (`torch.mm` in the dtype of the layer, into memory already in use);
- `dense`: PyTorch's loss on logits, `cross_entropy(linear(features, weight), labels)`;
- `chunked`: PyTorch's `linear_cross_entropy(..., options=LinearCrossEntropyOptions())`.

To reach: 1.2 times the products in float32, 1.4 in bfloat16; not slower than dense at 1/7 of its extra memory; 2.5 times
faster than chunked; with 75 % of the labels ignored at most 35 % of the time.

Extra memory is that of one step in a fresh process, on top of what a step is given and what it leaves: the peak of
resident memory (VmHWM, reset before the step) less what was resident just before (VmRSS: libraries, compiled code, features,
weight, labels; a step on a small layer has run, and malloc has given back what was free) less the bytes of the two
gradients. It is measured twice: with malloc as it comes (`as_it_comes`), which may keep freed blocks and serve others from them, and
with every block from 128 kB mapped and unmapped by itself (`each_mapped`, MALLOC_MMAP_THRESHOLD_), where the peak is what the
step holds at once.

Errors are against float64 on the same features and weight: the loss's difference, and the gradient of the weight by
|found − truth| / |truth|. `one_product` is the gradient by a single product of float32 numbers, rounded to the weight's dtype.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NamedTuple

import torch
from measure import extra_memory, in_turns, ratio, report
from torch import Tensor
from torch.nn import LinearCrossEntropyOptions
from torch.nn.functional import cross_entropy, linear, linear_cross_entropy

import xent

THREADS = 2
SHAPES = [(1024, 512, 32000), (512, 768, 50257), (2048, 256, 32000)]  # rows, dim, classes
IGNORED = -100  # which PyTorch ignores by default


class Layer(NamedTuple):
    """What a step is given."""

    features: Tensor  # (rows, dim)
    weight: Tensor  # (classes, dim)
    labels: Tensor  # (rows,)


Step = Callable[[Layer], Tensor]
STEPS: dict[str, Step] = {
    "xent": lambda layer: xent.linear_cross_entropy(*layer, ignore_index=IGNORED),
    "dense": lambda layer: cross_entropy(linear(layer.features, layer.weight), layer.labels),
    "chunked": lambda layer: linear_cross_entropy(*layer, options=LinearCrossEntropyOptions()),
}


def make(rows: int, dim: int, classes: int, dtype: torch.dtype) -> Layer:
    """Normal features and weights whose logits are normal too; leaves that need gradients."""
    draws = torch.Generator().manual_seed(0)
    features = torch.randn(rows, dim, generator=draws).to(dtype)
    weight = (torch.randn(classes, dim, generator=draws) / dim**0.5).to(dtype)
    labels = torch.randint(classes, (rows,), generator=draws)
    return Layer(features.requires_grad_(), weight.requires_grad_(), labels)


def step(layer: Layer, loss: Step) -> tuple[Tensor, Tensor, Tensor]:
    """The loss and its gradients by features and weight, in new memory."""
    layer.features.grad = layer.weight.grad = None
    value = loss(layer)
    value.backward()
    features, weight = layer.features.grad, layer.weight.grad
    layer.features.grad = layer.weight.grad = None
    assert features is not None
    assert weight is not None
    return value.detach(), features, weight


def products_of(layer: Layer) -> Callable[[], None]:
    """The least that any step must do: logits, and a gradient for each side, into memory already in use."""
    features, weight = layer.features.detach(), layer.weight.detach()
    logits = features @ weight.T
    on_features, on_weight = torch.zeros_like(features), torch.zeros_like(weight)

    def products() -> None:
        torch.mm(features, weight.T, out=logits)
        torch.mm(logits, weight, out=on_features)
        torch.mm(logits.T, features, out=on_weight)

    return products


def errors(layer: Layer) -> dict[str, dict[str, float]]:
    """How far loss and gradient of the weight are from float64's; xent's are checked."""
    features, weight = layer.features.detach().double(), layer.weight.detach().double()
    logits = features @ weight.T
    truth = cross_entropy(logits, layer.labels)
    logits = logits.softmax(dim=1)  # ∂/∂logits from here on
    logits[torch.arange(len(logits)), layer.labels] -= 1.0
    logits /= len(logits)
    slope = logits.T @ features
    single = (logits.float().T @ features.float()).to(layer.weight.dtype)
    del logits, features, weight

    def off(gradient: Tensor) -> float:
        return float((gradient.double() - slope).norm() / slope.norm())

    loss, gradient = {}, {"one_product": off(single)}
    for name, function in STEPS.items():
        value, _, on_weight = step(layer, function)
        loss[name], gradient[name] = abs(float(value) - float(truth)), off(on_weight)
    assert loss["xent"] <= 1e-4, loss
    assert gradient["xent"] <= max(1e-6, 1.02 * gradient["one_product"]), gradient
    return {"loss_error": shown(loss), "weight_gradient_error": shown(gradient)}


def shown(values: dict[str, float]) -> dict[str, float]:
    """Two digits each."""
    return {name: float(f"{value:.2g}") for name, value in values.items()}


def step_memory(name: str, rows: int, dim: int, classes: int, dtype: torch.dtype) -> float:
    """Megabytes of one step, in this process, beyond what it is given and what it leaves."""
    step(make(64, dim, 1000, dtype), STEPS[name])
    layer = make(rows, dim, classes, dtype)
    left = layer.features.nbytes + layer.weight.nbytes
    return extra_memory(lambda: step(layer, STEPS[name])) - left / 1e6


def fresh_memory(name: str, rows: int, dim: int, classes: int, dtype: str, mapped: bool) -> float:
    """The same in a fresh process."""
    command = [sys.executable, __file__, "--memory", name, *map(str, (rows, dim, classes)), dtype]
    setting = {"MALLOC_MMAP_THRESHOLD_": str(1 << 17)} if mapped else {}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **setting})
    return float(json.loads(done.stdout))


def memory(rows: int, dim: int, classes: int, dtype: str) -> dict[str, Any]:
    """Extra megabytes of each step by both ways of malloc, and the share of dense's that xent needs."""
    found: dict[str, Any] = {}
    for way, mapped in (("as_it_comes", False), ("each_mapped", True)):
        peaks = {name: fresh_memory(name, rows, dim, classes, dtype, mapped) for name in STEPS}
        found[f"extra_memory_mb_{way}"] = {name: round(peak, 1) for name, peak in peaks.items()}
        found[f"memory_of_dense_{way}"] = peaks["xent"] / peaks["dense"]
    return found


def time(rows: int, dim: int, classes: int, dtype: str, rounds: int) -> None:
    """Print a line."""
    layer = make(rows, dim, classes, getattr(torch, dtype))
    found = errors(layer)
    load = os.getloadavg()[0]
    some = layer._replace(labels=torch.where(torch.arange(rows) % 4 == 0, layer.labels, IGNORED))
    calls: dict[str, Callable[[], Any]] = {
        name: lambda function=function: step(layer, function) for name, function in STEPS.items()
    }
    calls["products"] = products_of(layer)
    calls["xent_75_ignored"] = lambda: step(some, STEPS["xent"])
    seconds = in_turns(calls, rounds)
    report(
        f"linear {rows}x{dim}x{classes} {dtype}",
        of_products=1.0 / ratio(seconds["products"], seconds["xent"]),
        dense_of_products=1.0 / ratio(seconds["products"], seconds["dense"]),
        ratio_dense=ratio(seconds["dense"], seconds["xent"]),
        ratio_chunked=ratio(seconds["chunked"], seconds["xent"]),
        of_time_75_ignored=1.0 / ratio(seconds["xent"], seconds["xent_75_ignored"]),
        **memory(rows, dim, classes, dtype),
        **found,
        **seconds,
        threads=THREADS,
        load=load,
        torch_version=version("torch"),
    )


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="share of rows and classes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", nargs=5, metavar=("STEP", "ROWS", "DIM", "CLASSES", "DTYPE"), help="of one step")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    if options.memory:
        name, *shape, dtype = options.memory
        print(step_memory(name, *map(int, shape), getattr(torch, dtype)))
        return
    for dtype in ("float32", "bfloat16"):
        for rows, dim, classes in SHAPES:
            time(int(rows * options.scale), dim, int(classes * options.scale), dtype, options.rounds)


if __name__ == "__main__":
    main()
