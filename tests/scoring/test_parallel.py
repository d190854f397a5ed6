"""Threads over items: every result in its place, errors when it is their turn, and never many under way."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xent.scoring.parallel import ordered_map


@given(st.integers(0, 40), st.integers(0, 5))
def test_results_come_in_the_order_of_the_items(count, workers):
    def squared(n):
        time.sleep(0.0005 * (n % 3))
        return n * n

    assert list(ordered_map(squared, iter(range(count)), workers)) == [n * n for n in range(count)]


def test_the_caller_works_too_and_as_one_of_several():
    meeting, names = threading.Barrier(3, timeout=60.0), set()

    def work(n):
        names.add(threading.current_thread())
        if n < 3:
            meeting.wait()

    list(ordered_map(work, range(50), 3))
    assert len(names) == 3
    assert threading.current_thread() in names


def test_one_worker_is_one_thread_and_leaves_the_caller_to_read():
    names = set()
    list(ordered_map(lambda _: names.add(threading.current_thread()), range(50), 1))
    assert len(names) == 1
    assert threading.current_thread() not in names


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
@pytest.mark.parametrize("bad", [0, 1, 7, 19])
def test_an_error_comes_when_it_is_its_items_turn(workers, bad):
    def work(n):
        time.sleep(0.002 * (n == 3))
        if n >= bad:
            raise ValueError(n)
        return n

    found = []
    with pytest.raises(ValueError, match=f"^{bad}$"):
        found.extend(ordered_map(work, range(20), workers))
    assert found == list(range(bad))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_few_items_are_under_way(workers):
    taken, most, given_back = 0, 0, 0

    def items():
        nonlocal taken
        for n in range(100):
            taken += 1
            yield n

    for _ in ordered_map(lambda n: n, items(), workers):
        most = max(most, taken - given_back)
        given_back += 1
    assert given_back == 100
    assert most <= 2 * workers
