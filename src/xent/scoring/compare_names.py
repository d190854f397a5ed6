"""What models are called: as the caller says, else after their files, else A, B, …."""

import os
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from xent.errors import OptionError
from xent.sources.failures import shown

__all__ = ["model_names"]


def model_names(models: Sequence[Any], names: Sequence[str] | None, in_memory: bool) -> list[str]:
    """A name for each model, no two alike.

    Raises:
        OptionError: fewer than two models, or `names` are not one for each.
    """
    if len(models) < 2:
        raise OptionError(
            f"compare needs two models or more, but got {len(models)}. To judge one, use evaluate, scan or xent score."
        )
    if names is not None:
        called = [names] if isinstance(names, str) else [str(name) for name in names]
        if len(called) != len(models) or len(set(called)) < len(called) or not all(called):
            raise OptionError(
                f"names is {', '.join(map(repr, called))}, but must be {len(models)} names, each another: one a model."
            )
        return called
    files = [None if in_memory else _file(model) for model in models]
    if any(file is None for file in files):
        return [_letter(i) for i in range(len(models))]
    paths = [_named(str(file)) for file in files]
    for found in (_endings(paths, 1), [path.name for path in paths], *(_endings(paths, k) for k in range(2, 9))):
        if len(set(found)) == len(found):
            return found
    seen: list[str] = []
    for path in paths:  # the same file twice
        again = sum(other == str(path) for other in map(str, paths[: len(seen)]))
        seen.append(f"{path.stem if len(set(paths)) == 1 else path}" + (f" ({again + 1})" if again else ""))
    return seen


def _named(file: str) -> PurePath:
    """A file, or the folder of a pattern for all that is there."""
    path = PurePath(file)
    while len(path.parts) > 1 and re.fullmatch(r"\*+(\.\w+)*", path.name):
        path = path.parent
    return path


def _endings(paths: Sequence[PurePath], depth: int) -> list[str]:
    """The last parts of each path, without the file's suffix."""
    return [str(PurePath(*path.with_suffix("").parts[-depth:])) for path in paths]


def _file(model: Any) -> str | None:
    """The first file's name, if the model is one or several."""
    first = model[0] if isinstance(model, list | tuple) and model else model
    return shown(os.fspath(first)) if isinstance(first, str | os.PathLike) else None


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"model {index + 1}"
