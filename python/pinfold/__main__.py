"""``python -m pinfold``: the command-line tool of this installation."""

import os
import sys
import sysconfig


def _tool() -> str:
    """Where the tool lies: beside the interpreter's other scripts, wherever this package was installed."""
    name = "pinfold" + (sysconfig.get_config_var("EXE") or "")
    schemes = [sysconfig.get_default_scheme(), f"{os.name}_user"]
    if os.name == "posix":
        schemes.append("posix_prefix")
    places = [sysconfig.get_path("scripts", scheme) for scheme in schemes]
    for place in places:
        path = os.path.join(place, name)
        if os.access(path, os.X_OK):
            return path
    raise SystemExit(f"pinfold: the command-line tool is not installed; it was looked for in {', '.join(places)}")


def main() -> None:
    """Becomes the tool, so that signals, the terminal and the exit status are its own."""
    tool = _tool()
    os.execv(tool, [tool, *sys.argv[1:]])


if __name__ == "__main__":
    main()
