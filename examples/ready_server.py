"""Starts a server, uses it as soon as it is ready, and leaves nothing of it.

    python examples/ready_server.py
"""

from __future__ import annotations

import sys
import tempfile
import urllib.request
from pathlib import Path

from pinfold import Command, NotReady, Probe, Timeout


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "index.html").write_text("hello from the server\n")
        # It takes a free port and says which.
        server = Command(sys.executable, ["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]).cwd(directory)
        with server.start() as process:
            try:
                process.wait_until(Probe.line("Serving HTTP on"), timeout=30)
                line = next(process.stdout_lines())
                url = line.partition("(")[2].partition(")")[0]
                process.wait_until(Probe.http(url), timeout=30)
            except Timeout as error:
                # It lives on; leaving the block ends it.
                sys.exit(f"it did not come up: {error}")
            except NotReady as error:
                # It died, and this is how.
                sys.exit(f"it could not come up: {error}")
            with urllib.request.urlopen(url) as answer:
                print(answer.read().decode().strip())
        print("it is gone:", process.wait().signal is not None or process.wait().code is not None)


if __name__ == "__main__":
    main()
