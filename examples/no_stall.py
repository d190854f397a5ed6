"""Float32 that does not stall: the same network, trained by a loss that ends near 1e-7 and by one that does not.

A network learns addition modulo p by heart. Once the label leads the other logits by about 17, log(Σ exp z) in float32
is the label's own logit, to the last digit: the usual loss of that row is exactly 0, and its gradient has no digits
left. `xent.softmax_cross_entropy` keeps the others' share apart from the label's 1, so that loss and gradient stay
right to the last digits, and training goes on.

Nothing else may stand in the way: no weight decay, an eps in Adam that is below every gradient, and squared gradients
averaged over 100 steps (beta 0.99), not 1,000, so that the steps follow gradients that shrink this fast.

The true loss of both networks is computed from their logits in float64. Prints it and the share of rows whose float32
loss is exactly 0, and draws both. Needs PyTorch and Matplotlib: pip install 'xent[torch,plot]'.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch

import xent


class Size(NamedTuple):
    """How much to do."""

    p: int
    width: int
    beta: float
    steps: int


FULL = Size(p=67, width=200, beta=0.99, steps=8000)
QUICK = Size(p=17, width=100, beta=0.95, steps=1000)


class Point(NamedTuple):
    """What is known of a network after so many steps."""

    step: int
    nats: float  # true mean loss
    zeros: float  # share of rows whose float32 loss is exactly 0


LOSSES = {
    "torch": torch.nn.functional.cross_entropy,
    "xent": xent.softmax_cross_entropy,
}


def sums(p):
    """All pairs (a, b), one-hot side by side, and a + b modulo p."""
    a, b = torch.cartesian_prod(torch.arange(p), torch.arange(p)).T
    return torch.cat([torch.eye(p)[a], torch.eye(p)[b]], dim=1), (a + b) % p  # (p², 2p), (p²,)


def train(loss_of, size):
    """Train a fresh network on all pairs in full batches; the seed is the same for every loss."""
    features, labels = sums(size.p)
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(2 * size.p, size.width),
        torch.nn.ReLU(),
        torch.nn.Linear(size.width, size.width),
        torch.nn.ReLU(),
        torch.nn.Linear(size.width, size.p),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.9, size.beta), eps=1e-25)
    points = []
    for step in range(size.steps + 1):
        logits = network(features)
        if step % (size.steps // 100) == 0:
            points.append(measure(step, logits.detach(), labels, loss_of))
        optimizer.zero_grad()
        loss_of(logits, labels).backward()
        optimizer.step()
    return points


def measure(step, logits, labels, loss_of):
    """The truth in float64, and the zeros of the loss in use."""
    nats = xent.softmax_cross_entropy(logits.double(), labels)
    zeros = (loss_of(logits, labels, reduction="none") == 0).double().mean()
    return Point(step, nats.item(), zeros.item())


def print_table(curves):
    """Print eleven of the points."""
    print(f"{'':<8}" + "".join(f"{name:<26}" for name in curves))
    print(f"{'step':<8}" + f"{'true loss':<12}{'rows at 0':<14}" * len(curves))
    for points in list(zip(*curves.values(), strict=True))[::10]:
        print(f"{points[0].step:<8}" + "".join(f"{point.nats:<12.3g}{point.zeros:<14.1%}" for point in points))


def draw(curves, path):
    """Draw both curves over the steps."""
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(7, 6), height_ratios=[2, 1], layout="constrained")
    for name, points in curves.items():
        steps, nats, zeros = zip(*points, strict=True)
        above.plot(steps, nats, label=f"{name}'s loss")
        below.plot(steps, [100 * share for share in zeros])
    above.set(yscale="log", ylabel="true training loss, nats", title="Addition modulo p in float32")
    below.set(xlabel="step", ylabel="% of rows with loss 0", ylim=(-5, 105))
    above.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main():
    """Train with both losses, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smaller table, and fewer steps")
    parser.add_argument("--plot", type=Path, default=Path("out/no_stall.png"), help="where to draw (%(default)s)")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else FULL
    print(f"p = {size.p}: {size.p**2:,} rows, two hidden layers of {size.width}, {size.steps:,} steps")
    curves = {name: train(loss, size) for name, loss in LOSSES.items()}
    print_table(curves)
    draw(curves, arguments.plot)
    print(f"drawn in {arguments.plot}")


if __name__ == "__main__":
    main()
