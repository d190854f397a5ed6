"""How long many workers take to score many rows, and what their driver has to do: the model of docs/scale.md.

Rows lie in fragments of equal size. A worker takes a fragment, reads and scores it on all its cores, and writes the
fragment's state to storage, so that no later mishap loses it. Then states are merged, FAN_IN to one, in a tree whose last
step is the driver's. The map is simulated event by event:

* an attempt at a fragment takes start + rows / (rate of a core · cores) seconds, at most as fast as the worker can read;
* a share of the attempts takes several times as long (stragglers);
* a worker is killed after an exponential time; what it was at is begun anew by another, and it is back after a while;
* where no fragment waits, a free worker begins the oldest one under way a second time; the first to end counts.

The tree is a closed form: a level of n states takes ⌈⌈n / fan-in⌉ / workers⌉ rounds, each of which waits for a message,
receives, reads and adds fan-in states and writes one. It is the same with the fragments' states added in any order, so a
late fragment holds up the merges above it alone; the model has the first level begin when the last fragment is done.
"""

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Constants:
    """Of one core and one state, as measured."""

    rows_per_second: float  # read from Parquet and scored
    bytes_per_row: float  # in the file
    state_bytes: float
    write_seconds: float  # state → text
    read_seconds: float  # text → state
    merge_seconds: float  # adding one


@dataclass(frozen=True)
class Cluster:
    """What is scored on what; the defaults are assumptions, not measurements."""

    rows: float = 1e12
    rows_per_fragment: float = 1e7
    workers: int = 1000
    cores: int = 1  # of each worker
    fan_in: int = 32
    start: float = 0.1  # seconds to be given a fragment and open it
    latency: float = 0.01  # seconds, a message between two machines
    link: float = 1.25e9  # bytes per second into one machine
    slow_share: float = 0.01  # of attempts
    slow_times: float = 5.0  # as long
    kills_per_hour: float = 0.1  # of each worker
    restart: float = 60.0  # seconds until a killed worker is back
    second_tries: bool = True

    @property
    def fragments(self) -> int:
        """How many."""
        return math.ceil(self.rows / self.rows_per_fragment)


@dataclass
class Map:
    """What the simulation of the map found."""

    seconds: float = 0.0
    kills: int = 0
    second_tries: int = 0
    worked: float = 0.0  # seconds of all workers, also at what was lost or done twice


@dataclass(frozen=True)
class Tree:
    """The merges after the map."""

    depth: int
    seconds: float
    states_at_driver: int
    levels: tuple[int, ...]  # states that go into each level


@dataclass
class _Work:
    """Fragments that wait, and those under way."""

    waiting: deque[int]
    tries: dict[int, int] = field(default_factory=dict)  # of those under way, oldest first
    idle: list[int] = field(default_factory=list)  # workers

    def next(self, second_tries: bool) -> int | None:
        if self.waiting:
            return self.waiting.popleft()
        if second_tries:
            return next((fragment for fragment, tries in self.tries.items() if tries == 1), None)
        return None


def attempt_seconds(constants: Constants, cluster: Cluster) -> float:
    """One fragment on one worker that is neither slow nor killed."""
    rate = min(constants.rows_per_second * cluster.cores, cluster.link / constants.bytes_per_row)
    return cluster.start + cluster.rows_per_fragment / rate + constants.write_seconds


def simulate_map(seconds: float, cluster: Cluster, seed: int = 0) -> Map:
    """All fragments, of `seconds` each where nothing goes wrong."""
    r = random.Random(seed)
    found, work = Map(), _Work(deque(range(cluster.fragments)))
    events: list[tuple[float, int, int | None, bool]] = []  # when, worker, fragment (None: it is back), done or killed
    left = cluster.fragments
    mean_life = 3600.0 / cluster.kills_per_hour if cluster.kills_per_hour else math.inf

    def begin(worker: int, now: float) -> None:
        fragment = work.next(cluster.second_tries)
        if fragment is None:
            work.idle.append(worker)
            return
        work.tries[fragment] = work.tries.get(fragment, 0) + 1
        found.second_tries += work.tries[fragment] > 1
        needed = seconds * (cluster.slow_times if r.random() < cluster.slow_share else 1.0)
        life = r.expovariate(1.0 / mean_life) if mean_life < math.inf else math.inf
        found.worked += min(needed, life)
        heapq.heappush(events, (now + min(needed, life), worker, fragment, needed <= life))

    for worker in range(cluster.workers):
        begin(worker, 0.0)
    while left:
        now, worker, fragment, done = heapq.heappop(events)
        if fragment is not None and done:
            left -= work.tries.pop(fragment, None) is not None
        elif fragment is not None:
            found.kills += 1
            heapq.heappush(events, (now + cluster.restart, worker, None, True))
            if fragment in work.tries:
                work.tries[fragment] -= 1
                if not work.tries[fragment]:
                    del work.tries[fragment]
                    work.waiting.appendleft(fragment)
                    if work.idle:
                        begin(work.idle.pop(), now)
            continue
        found.seconds = now
        begin(worker, now)
    found.worked -= sum(when - found.seconds for when, _, fragment, _ in events if fragment is not None)
    return found


def merge_tree(states: int, constants: Constants, cluster: Cluster) -> Tree:
    """From the fragments' states to one; the last level is the driver's."""
    one = constants.read_seconds + constants.merge_seconds + constants.state_bytes / cluster.link
    levels, seconds = [], 0.0
    while states > 1 or not levels:
        levels.append(states)
        into = min(states, cluster.fan_in)
        states = math.ceil(states / cluster.fan_in)
        rounds = math.ceil(states / cluster.workers)
        seconds += rounds * (cluster.latency + into * one + constants.write_seconds)
    return Tree(len(levels), seconds, levels[-1], tuple(levels))
