"""``python -m pinfold.distributed``: carries out the order that is the first line of standard input, and writes the answer as a
line. When standard input ends, the command is stopped, and the answer says that: so nothing is left where a connection broke."""

from __future__ import annotations

import os
import sys
import threading

from pinfold._errors import InvalidInput
from pinfold._native import CancelToken
from pinfold.distributed._wire import perform


def main() -> int:
    order = sys.stdin.readline()
    token = CancelToken()

    def watch() -> None:
        # Without a buffer, whose lock would be held at the end of the interpreter.
        while os.read(0, 4096):
            pass
        token.cancel()

    threading.Thread(target=watch, daemon=True).start()
    try:
        answer = perform(order, token)
    except InvalidInput as error:
        print(f"pinfold.distributed: {error}", file=sys.stderr)
        return 2
    print(answer, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
