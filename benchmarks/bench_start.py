"""How long it takes to start: `import xent`, `xent --help`, and of Python doing nothing. To reach: 0.3 s each, 0.2 s for the import.

Fresh processes, in turns; the median of each.
"""

import subprocess
import sys

from measure import in_turns, report

COMMANDS = {
    "nothing": [sys.executable, "-c", "pass"],
    "import_numpy": [sys.executable, "-c", "import numpy"],
    "import_xent": [sys.executable, "-c", "import xent"],
    "xent_help": [sys.executable, "-m", "xent.cli", "--help"],
}


def main() -> None:
    """Print one line."""
    calls = {
        name: lambda command=command: subprocess.run(command, check=True, capture_output=True)
        for name, command in COMMANDS.items()
    }
    in_turns(calls, 2)
    report("start", **in_turns(calls, 15))


if __name__ == "__main__":
    main()
