"""The training examples, run as their readers would, show what they claim."""

import itertools
import math
import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def printed(name, *arguments):
    """The words of each line that the example prints."""
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--quick", *map(str, arguments)]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}  # the other tests have the other cores
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=alone)
    assert done.returncode == 0, done.stderr
    return [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()]


def test_training_loss_and_evaluation_are_one_number():
    lines = printed("train_digits")
    for model in ("numpy", "torch"):
        training, test = (words[1:] for words in lines if words[0] == model)
        mean, exact, report = map(float, training[:3])
        assert 0.0 < exact < 1.0
        assert abs(exact - report) <= 2 * math.ulp(exact)
        assert math.isclose(mean, exact, rel_tol=1e-14)
        loss, _, baseline, skill, accuracy = test
        assert float(loss) < 0.5 * float(baseline)
        assert float(skill) > 0.5
        assert float(accuracy) > 0.85


def test_language_model_learns_in_a_fraction_of_the_memory():
    lines = printed("language_model")
    steps = {words[0]: (float(words[1]), float(words[2])) for words in lines if len(words) == 3 and "." in words[1]}
    lean, dense = steps["xent.linear_cross_entropy"], steps["torch cross_entropy on logits"]
    assert math.isclose(lean[0], dense[0], rel_tol=1e-6)
    assert lean[1] < 0.6 * dense[1]
    held_out = [bits for name, (_, bits) in steps.items() if name.isdigit()]
    assert len(held_out) == 5
    assert 0.0 < held_out[-1] < 0.97 * held_out[0]  # what the frequencies of the words alone give


def test_float32_does_not_stall(tmp_path):
    picture = tmp_path / "made" / "no_stall.png"
    lines = printed("no_stall", "--plot", picture)
    points = [[float(word.rstrip("%")) for word in words] for words in lines if words[0].isdigit()]
    assert len(points) == 11
    _, torch_nats, torch_zeros, xent_nats, xent_zeros = zip(*points, strict=True)
    assert max(torch_zeros) > 10.0
    assert max(xent_zeros) == 0.0
    assert min(torch_nats) > 1e-8
    assert xent_nats[-1] < 1e-9
    assert all(after < before for before, after in itertools.pairwise(xent_nats))
    assert picture.read_bytes().startswith(b"\x89PNG")
