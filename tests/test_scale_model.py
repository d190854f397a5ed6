"""The model behind docs/scale.md against what can be worked out by hand."""

import importlib.util
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "benchmarks" / "scale_model.py"
spec = importlib.util.spec_from_file_location("scale_model", PATH)
model = importlib.util.module_from_spec(spec)
sys.modules["scale_model"] = model  # dataclasses look there
spec.loader.exec_module(model)

CONSTANTS = model.Constants(1e6, 40.0, 50_000.0, 0.002, 0.001, 0.0005)
CALM = model.Cluster(rows=1e9, rows_per_fragment=1e6, workers=7, slow_share=0.0, kills_per_hour=0.0)


def test_without_mishaps_the_map_takes_its_rounds():
    found = model.simulate_map(2.0, CALM)
    assert found.seconds == 2.0 * math.ceil(1000 / 7)
    assert found.kills == 0
    # The last round leaves one of the seven without a fragment; it begins one a second time, and ends with the others.
    assert found.worked == 2.0 * (1000 + 7 - 1000 % 7)


def test_an_attempt_waits_for_the_slower_of_core_and_link():
    assert model.attempt_seconds(CONSTANTS, CALM) == pytest.approx(0.1 + 1.0 + 0.002)
    slow_link = replace(CALM, link=8e6, cores=100)
    assert model.attempt_seconds(CONSTANTS, slow_link) == pytest.approx(0.1 + 5.0 + 0.002)


def test_kills_cost_what_they_do_on_average():
    """One worker, no second tries: a fragment of s seconds takes (e^{λs} − 1)(1/λ + restart) on average."""
    rate, s, restart = 1 / 20.0, 10.0, 3.0
    one = replace(CALM, rows=2e10, workers=1, kills_per_hour=3600.0 * rate, restart=restart, second_tries=False)
    found = model.simulate_map(s, one)
    assert found.seconds / 20_000 == pytest.approx((math.exp(rate * s) - 1) * (1 / rate + restart), rel=0.03)
    assert found.kills / 20_000 == pytest.approx(math.exp(rate * s) - 1, rel=0.03)


def test_second_tries_cut_the_tail_of_stragglers_and_of_kills():
    slow = replace(CALM, workers=100, slow_share=0.02, slow_times=20.0)
    with_tries, without = (model.simulate_map(2.0, replace(slow, second_tries=on)) for on in (True, False))
    assert without.seconds > 40.0
    assert with_tries.seconds < without.seconds
    assert without.second_tries == 0
    killed = model.simulate_map(2.0, replace(slow, kills_per_hour=60.0))
    assert killed.kills > 0
    assert killed.seconds < math.inf


def test_a_tree_is_as_deep_as_its_fan_in_says():
    for states in (1, 2, 31, 32, 33, 1000, 1024, 1025, 100_000):
        for fan_in in (2, 3, 32, 1000):
            depth, reach = 1, fan_in
            while reach < states:
                depth, reach = depth + 1, reach * fan_in
            found = model.merge_tree(states, CONSTANTS, replace(CALM, fan_in=fan_in))
            assert found.depth == depth
            assert found.states_at_driver <= fan_in


def test_a_tree_waits_for_each_of_its_levels():
    """1000 states, fan-in 10, 7 workers: 100 merges in 15 rounds, then 10 in 2, then 1."""
    one = 10 * (0.001 + 0.0005 + 50_000 / 1.25e9) + 0.002 + 0.01
    found = model.merge_tree(1000, CONSTANTS, replace(CALM, fan_in=10))
    assert found.levels == (1000, 100, 10)
    assert found.seconds == pytest.approx((15 + 2 + 1) * one)
