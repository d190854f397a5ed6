"""`xent score --sql`: rows of a database in place of files."""

import argparse
from typing import TYPE_CHECKING

from xent.errors import OptionError

if TYPE_CHECKING:
    from xent.sources.sql import Query

__all__ = ["add", "asked"]


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments, in place of FILE."""
    parser.set_defaults(refuse=parser.error)
    group = parser.add_argument_group("rows of a database, in place of FILE (needs the extra sql)")
    group.add_argument("--sql", metavar="QUERY", help="'select label, p_0, p_1 from predictions'; run several times")
    group.add_argument("--connect", metavar="URL", help="postgresql://user@host/database, or sqlite:path; the password "
                       "is best left to ~/.pgpass or PGPASSWORD")  # fmt: skip


def asked(options: argparse.Namespace) -> "Query | None":
    """The query; None where files are given.

    Raises:
        OptionError: there is neither, or both, or one of the two options without the other.
    """
    if (options.sql is None) != (options.connect is None):
        given, missing = ("--connect", "--sql QUERY") if options.sql is None else ("--sql", "--connect URL")
        raise OptionError(f"{given} needs {missing} beside it: the query, and the database that it is put to.")
    if options.sql is None:
        if not options.files:
            options.refuse("the following arguments are required: FILE, or --sql and --connect")
        return None
    if options.files:
        raise OptionError(
            f"FILE ({options.files[0]}) and --sql are both given, but are two data sets. Pass one of them; to compare "
            "them, pass the old predictions as --baseline-report."
        )
    from xent.sources.sql import sql

    return sql(options.sql, options.connect)
