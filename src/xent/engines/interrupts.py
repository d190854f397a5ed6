"""Ctrl-C goes to all processes of a terminal: only the one that started the others has something to say of it.

What kills that one alone is heard by no other, and so they look after it.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from typing import Any

__all__ = ["begin_at_work", "interrupts_wait", "start_server"]


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Ctrl-C does what it does only once this is left."""
    usual = signal.getsignal(signal.SIGINT)
    if not callable(usual) or threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if heard:
        signal.raise_signal(signal.SIGINT)


def start_server() -> None:
    """The server that forks processes, deaf to Ctrl-C from its first instruction on, as are those that it forks."""
    resource_tracker.ensure_running()  # which would unblock the signal
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def begin_at_work() -> None:
    """Deaf to Ctrl-C, also where no such server has forked this process, which ends when the one that asks it does.

    Else it would wait for more, and whoever reads what that one prints would wait for it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_behind, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_behind(parent: Any) -> None:
    parent.join()
    os._exit(1)
