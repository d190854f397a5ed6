"""A language model of Python's own source whose logits never exist: `xent.linear_cross_entropy`.

Tokens are words of the standard library's modules, each with the space before it. The commonest are classes of their
own; a word without a class is spelled in bytes, which are classes too. So every text has a cost in nats, and that over
the bytes of the text compares models of any vocabulary: bits per byte = nats / (log 2 · bytes).

With 20,000 classes the last layer is most of the model, and its logits would be most of the memory. Prints what one
training step takes at its peak, by this loss and by torch's on logits, each in a process of its own; then trains, and
prints bits per byte on modules not trained on, beside those of a model that knows only how frequent each word is.

Needs PyTorch (pip install 'xent[torch]') and a Unix, for the memory.
"""

import argparse
import json
import math
import re
import resource
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch

import xent

WORD = re.compile(r"\n *| ?\w+| ?[^\w\s]+|\s")  # every text is the join of its matches


class Size(NamedTuple):
    """How much to do."""

    classes: int  # 256 bytes, then words
    modules: int
    dim: int
    batch: int
    time: int
    steps: int
    scored: int  # tokens not trained on


FULL = Size(classes=20_000, modules=120, dim=128, batch=32, time=64, steps=400, scored=50_000)
QUICK = Size(classes=6_000, modules=30, dim=32, batch=32, time=32, steps=32, scored=8_000)


class Model(torch.nn.Module):
    """Embedding → GRU → linear layer. It starts as the model that knows the frequencies of the words alone."""

    def __init__(self, frequencies, dim):
        super().__init__()
        self.embedding = torch.nn.Embedding(len(frequencies), dim)
        self.gru = torch.nn.GRU(dim, dim, batch_first=True)
        self.last = torch.nn.Linear(dim, len(frequencies))
        with torch.no_grad():
            self.last.weight.zero_()
            self.last.bias.copy_(frequencies.log())

    def forward(self, tokens):
        """Features of what comes next: (batch, time) → (batch, time, dim)."""
        return self.gru(self.embedding(tokens))[0]


def lean(model, features, labels, **options):
    """The loss from features: logits exist a few rows at a time."""
    return xent.linear_cross_entropy(features, model.last.weight, labels, model.last.bias, **options)


def dense(model, features, labels):
    """The loss as it is usually written: (batch · time, classes) logits."""
    return torch.nn.functional.cross_entropy(model.last(features).flatten(0, 1), labels.flatten())


def corpus(size):
    """Texts of modules to train on and, one in ten, to judge by."""
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[: size.modules]
    texts = [path.read_text(encoding="utf-8") for path in modules]
    return "".join(text for i, text in enumerate(texts) if i % 10), "".join(texts[::10])


def encode(words, classes_of):
    """Each word's class, or those of its bytes."""
    known = ([classes_of[word]] if word in classes_of else list(word.encode()) for word in words)
    return torch.tensor([token for tokens in known for token in tokens])


def windows(tokens, size):
    """Batches for ever: tokens and those that follow them, (batch, time) each."""
    generator = torch.Generator().manual_seed(0)
    while True:
        first = torch.randint(len(tokens) - size.time, (size.batch, 1), generator=generator)
        taken = tokens[first + torch.arange(size.time + 1)]
        yield taken[:, :-1], taken[:, 1:]


def train_and_score(size):
    """Print bits per byte before and after training."""
    train_text, test_text = corpus(size)
    train_words, test_words = WORD.findall(train_text), WORD.findall(test_text)[: size.scored]
    common = Counter(train_words).most_common(size.classes - 256)
    # Words seen once get no class: from them it learns what spelling costs.
    classes_of = {word: 256 + i for i, (word, count) in enumerate(common) if count > 1}
    tokens, unseen = encode(train_words, classes_of), encode(test_words, classes_of)
    counts = 1.0 + torch.bincount(tokens, minlength=size.classes)
    torch.manual_seed(0)
    model = Model(counts / counts.sum(), size.dim)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    scored_bytes = len("".join(test_words).encode())
    print(f"\n{len(tokens):,} tokens to train on, {len(unseen):,} ({scored_bytes:,} bytes) to judge by")
    print(f"{'step':<8}{'training nats/token':<22}held-out bits/byte")
    for step, (before, after) in enumerate(windows(tokens, size)):
        loss = lean(model, model(before), after)
        if step % (size.steps // 4) == 0:
            print(f"{step:<8}{loss.item():<22.4f}{bits_per_byte(model, unseen, scored_bytes):.4f}", flush=True)
        if step == size.steps:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("(before step 0 the model is the frequencies of the words)")


@torch.no_grad()
def bits_per_byte(model, tokens, text_bytes):
    """Of the whole text in one call: dense logits would be tokens × classes."""
    before = torch.cat([torch.zeros_like(tokens[:1]), tokens[:-1]])
    nats = lean(model, model(before[None]), tokens[None], reduction="sum")
    return nats.item() / (math.log(2) * text_bytes)


def one_step(loss, size):
    """Print the loss of a training step, and by how many MB it raises the peak memory of this process."""
    torch.manual_seed(0)
    model = Model(torch.full((size.classes,), 1 / size.classes), size.dim)
    torch.nn.init.normal_(model.last.weight)
    before, after = torch.randint(size.classes, (2, size.batch, size.time))
    loss(model, model(before[:1, :2]), after[:1, :2]).backward()  # what is loaded or made once is not the step's
    held = peak_memory()
    nats = loss(model, model(before), after)
    nats.backward()
    print(json.dumps({"nats": nats.item(), "megabytes": peak_memory() - held}))


def peak_memory():
    """The most this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def compare_steps(options):
    """Print loss and memory of a step by both losses, each in a fresh process."""
    print(f"{'one training step':<34}{'loss':<14}peak memory, MB")
    for name in ("lean", "dense"):
        command = [sys.executable, __file__, "--step", name, *options]
        step = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        called = {"lean": "xent.linear_cross_entropy", "dense": "torch cross_entropy on logits"}[name]
        print(f"{called:<34}{step['nats']:<14.6f}{step['megabytes']:.0f}", flush=True)


def main():
    """Compare, then train."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smaller model, and few steps")
    parser.add_argument("--step", choices=["lean", "dense"], help="only print loss and memory of one step")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else FULL
    if arguments.step:
        one_step({"lean": lean, "dense": dense}[arguments.step], size)
    else:
        compare_steps(["--quick"] if arguments.quick else [])
        train_and_score(size)


if __name__ == "__main__":
    main()
