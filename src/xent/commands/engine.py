"""Where a command works: threads, processes, or a cluster."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xent.engines.contract import Engine

__all__ = ["add", "chosen"]


def add(parser: Any) -> None:
    """The arguments."""
    group = parser.add_argument_group("where to read and score files (the answer is the same, bit for bit)")
    group.add_argument("--engine", metavar="NAME", help="local (threads), processes, dask, ray or spark")
    group.add_argument("--workers", type=int, metavar="N", help="threads or processes of this machine (all CPUs)")
    group.add_argument("--address", metavar="URL", help="of the cluster: tcp://…:8786 (Dask), HOST:6379 (Ray), "
                       "spark://…:7077 or sc://…:15002 (Spark)")  # fmt: skip


def chosen(options: argparse.Namespace) -> "Engine":
    """The engine that was asked for.

    Raises:
        OptionError: there is none of that name, or it has no use for the other options.
    """
    from xent.engines.choose import engine_of

    return engine_of(options.engine, options.workers, options.address)
