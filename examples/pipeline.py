"""Counts the words of a text by programs that are joined by pipes, without a shell, and says who failed if one does.

    python examples/pipeline.py [file]
"""

from __future__ import annotations

import sys
from pathlib import Path

from pinfold import Command, ProcessError


def main(path: Path) -> None:
    words = Command("tr", ["-cs", "a-zA-Z", "\\n"]) | Command("tr", ["A-Z", "a-z"])
    count = words | Command("sort") | Command("uniq", ["-c"]) | Command("sort", ["-k1,1nr", "-k2"])
    # A file and a program that takes no more than it wants: those before it end without a failure.
    print((path | count | Command("head", ["-n3"])).timeout(30).run())

    try:
        (path | words | Command("false") | Command("wc", ["-l"])).run()
    except ProcessError as error:
        print(f"stage {error.stage} failed: {error.program}, code {error.code}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else __file__))
