"""Which engine is meant."""

from typing import Any

from xent.engines.contract import Engine
from xent.engines.dask import Dask
from xent.engines.local import Local
from xent.engines.ray import Ray
from xent.engines.spark import Spark
from xent.errors import ArgumentTypeError, OptionError

__all__ = ["ENGINES", "engine_of"]

ENGINES = ("local", "processes", "dask", "ray", "spark")


def engine_of(engine: Any = None, workers: int | None = None, address: str | None = None) -> Engine:
    """The engine behind a name, a Dask client, or a Spark session.

    Args:
        engine: "local" or None (threads of this process), "processes" (of this machine), "dask", "ray", "spark", an
            engine, a `distributed.Client`, or a `SparkSession`, classic or Connect.
        workers: how many threads or processes of this machine; None takes all CPUs.
        address: of the cluster; None takes the one that this process is connected to.

    Raises:
        OptionError: there is no such engine, or it has no use for `workers` or `address`.
        ArgumentTypeError: something else.
    """
    local = engine in (None, "local", "processes") if isinstance(engine, str | None) else False
    if workers is not None and not local:
        raise OptionError("workers (--workers) are threads or processes of this machine; a cluster has its own.")
    if address is not None and (local or not isinstance(engine, str)):
        raise OptionError("address (--address) is of a cluster. Name its engine too: dask, ray or spark.")
    if local:
        return Local(workers, processes=engine == "processes")
    if isinstance(engine, str):
        return _named(engine, address)
    packages = {kind.__module__.partition(".")[0] for kind in type(engine).__mro__}
    if "distributed" in packages:
        return Dask(engine)
    if "pyspark" in packages:
        return Spark(engine)
    if not hasattr(engine, "run"):
        raise ArgumentTypeError(
            f"engine is a {type(engine).__name__}, but must be one of {', '.join(ENGINES)}, a Dask client, or a Spark "
            "session."
        )
    found: Engine = engine
    return found


def _named(engine: str, address: str | None) -> Engine:
    if engine == "dask":
        return Dask(address=address)
    if engine == "ray":
        return Ray(address or "auto")
    if engine == "spark":
        return Spark(address=address)
    raise OptionError(f"engine is {engine!r}, but must be one of {', '.join(ENGINES)}.")
