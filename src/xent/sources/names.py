"""Finding columns by name, and saying which there are when one is not."""

import difflib
import re
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from xent.errors import ArgumentTypeError, SourceError
from xent.texts.catalogue import Sentence, sentence

__all__ = ["columns_found", "columns_of", "find_column", "listing", "narrowed", "refused"]

_MOST_LISTED = 30


def find_column(schema: pa.Schema, name: str, flag: str) -> str:
    """Give the column's own spelling: the name itself, or the one that differs in case only."""
    if not isinstance(name, str):
        raise ArgumentTypeError(
            f"a column is asked for by {reprlib.repr(name)}, a {type(name).__name__}, but columns of a table are asked for by "
            f"name; columns found: {listing(schema.names)}.\nPass {flag}; xent.evaluate takes arrays."
        )
    if len(schema.get_all_field_indices(name)) == 1:
        return name
    matches = [column for column in schema.names if column == name]
    matches = matches or [column for column in schema.names if column.lower() == name.lower()]
    if len(matches) == 1:
        return str(matches[0])
    if matches:
        what = sentence("refused.same_name", name=repr(name), names=listing(matches))
        raise refused(what, sentence("refused.rename"))
    what = sentence("refused.no_column", name=repr(name), found=sentence("columns.found", names=listing(schema.names)))
    closest = difflib.get_close_matches(name, schema.names, n=1)
    if closest:
        what = sentence("refused.closest", what=what, closest=repr(closest[0]))
    raise refused(what, sentence("refused.pass", flag=flag))


def refused(what: str, step: str) -> SourceError:
    """An error that can be said in other languages."""
    error = SourceError(f"{what}\n{step}")
    error.said = what, step
    return error


@contextmanager
def columns_of(table: str) -> Iterator[None]:
    """Where one of several tables has not the columns asked for, say which."""
    try:
        yield
    except SourceError as error:
        if not error.said:
            raise
        what, step = error.said
        raise refused(sentence("refused.of", table=table, what=what), step) from None


def narrowed(schema: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    """Give the schema of the columns asked for, in the order asked."""
    found = [find_column(schema, name, "one of these names") for name in dict.fromkeys(columns)]
    return pa.schema([schema.field(name) for name in found])


def listing(names: Sequence[str]) -> str:
    """Spell column names out, the first 30 of them."""
    if not names:
        return sentence("listed.none")
    shown = ", ".join(map(repr, names[:_MOST_LISTED]))
    more = len(names) - _MOST_LISTED
    return sentence("listed.more", names=shown, count=more) if more > 0 else shown


def columns_found(schema: pa.Schema) -> Sentence:
    """Which columns there are, and what their names look like where they are no names."""
    names = schema.names
    found = sentence("columns.found", names=listing(names))
    numbers = [name for name in names if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", name.strip())]
    if numbers and len(numbers) * 2 >= len(names):
        return sentence("columns.found.values", found=found)
    if len(names) == 1 and re.search(r"[| ]", names[0]):
        return sentence("columns.found.one", found=found)
    if any(name != name.strip() for name in names):
        return sentence("columns.found.blanks", found=found)
    return found
