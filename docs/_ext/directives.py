"""What the reference has besides docstrings: the options of the command, and the fields of frozen data."""

import argparse
import importlib
import inspect
import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from xent import cli

__all__ = ["CommandHelp", "Fields"]

FIELD = re.compile(r"^    (?P<name>[a-z]\w*): (?P<type>.+?)(?: = .*?)?(?:  # (?P<said>.*))?$")
CLOSING = re.compile(r"^    \)  # (?P<said>.*)$")


class CommandHelp(SphinxDirective):
    """What `xent COMMAND --help` prints, for each command."""

    def run(self) -> list[nodes.Node]:
        """A section for each."""
        parser = cli._parser()
        found = next(a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        return [self.section(name, command) for name, command in found.items()]

    def section(self, name: str, command: argparse.ArgumentParser) -> nodes.section:
        """The command's name and its help."""
        section = nodes.section(ids=[f"xent-{name}"], names=[name])
        section += nodes.title(text=f"xent {name}")
        command.formatter_class = Wide
        section += nodes.literal_block(text=command.format_help(), language="text")
        return section


class Wide(argparse.RawDescriptionHelpFormatter):
    """Help of one width, whatever the terminal."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **{**options, "width": 96})


class Fields(SphinxDirective):
    """The fields of a class that is plain data, with the comments beside them."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A table."""
        module, _, name = self.arguments[0].rpartition(".")
        found = getattr(importlib.import_module(module), name)
        lines = [f".. list-table:: Fields of ``{name}``", "   :widths: 22 28 50", ""]
        for field, kind, said in fields(inspect.getsource(found)):
            lines += [f"   * - ``{field}``", f"     - ``{kind}``", f"     - {said}"]
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, source=self.arguments[0]), self.content_offset, holder)
        return holder.children


def fields(source: str) -> list[tuple[str, str, str]]:
    """Name, type and comment of each field; a comment goes on in the lines that have nothing else."""
    found: list[tuple[str, str, str]] = []
    for line in source.splitlines():
        if line.startswith(("    def ", "    @")):
            break
        if match := FIELD.match(line):
            found.append((match["name"], match["type"], match["said"] or ""))
        elif (match := CLOSING.match(line)) and found:
            found[-1] = (*found[-1][:2], match["said"])
    return found
