"""The package as a whole: what it exports, what importing it costs, what is installed with it."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import pinfold
import pinfold._native
import pinfold.distributed
import pinfold.distributed.dask
import pinfold.subprocess
import pinfold.testing

PRIVATE = (
    "async", "batch", "client", "errors", "group", "handle", "host", "logging", "probe", "runner", "supervise", "sync", "tracked",
    "verbs",
)  # fmt: skip
MODULES = ["pinfold", "pinfold.distributed", "pinfold.subprocess", "pinfold.testing", *(f"pinfold._{name}" for name in PRIVATE)]
API = Path(__file__).parents[2] / "api" / "python.txt"


PUBLIC = {
    **{name: getattr(pinfold, name) for name in pinfold.__all__},
    **{f"distributed.{name}": getattr(pinfold.distributed, name) for name in pinfold.distributed.__all__},
    **{f"distributed.dask.{name}": getattr(pinfold.distributed.dask, name) for name in pinfold.distributed.dask.__all__},
    **{f"testing.{name}": getattr(pinfold.testing, name) for name in pinfold.testing.__all__},
}


def surface() -> str:
    """Every public name, and of each class every public attribute that is its own."""
    lines = []
    for name, value in PUBLIC.items():
        if not isinstance(value, type):
            lines.append(name)
            continue
        bases = ", ".join(base.__name__ for base in value.__mro__[1:-1] if not base.__name__.startswith("_"))
        lines.append(f"{name}({bases})" if bases else name)
        attributes = {
            attribute
            for cls in value.__mro__
            if cls.__module__.partition(".")[0] == "pinfold"
            for attribute in [*vars(cls), *vars(cls).get("__annotations__", {})]
        }
        lines += [f"  {attribute}" for attribute in sorted(attributes) if not attribute.startswith("_")]
    return "\n".join(lines) + "\n"


def test_the_surface_is_what_was_agreed() -> None:
    if not API.exists():
        pytest.skip("the project's own record is not beside the tests")
    assert surface() == API.read_text(), f"compare with: {sys.executable} {__file__} > {API}"


def test_every_public_name_is_there_and_explains_itself() -> None:
    assert set(pinfold.__all__) <= set(dir(pinfold))
    for name, value in PUBLIC.items():
        if isinstance(value, type):
            assert value.__doc__, name
            for attribute, member in vars(value).items():
                if not attribute.startswith("_"):
                    assert member.__doc__, f"{name}.{attribute}"
    with pytest.raises(AttributeError, match="nonsense"):
        pinfold.nonsense  # type: ignore[attr-defined]


def test_every_public_name_shows_an_example() -> None:
    own = {name: getattr(pinfold.subprocess, name) for name in pinfold.subprocess.__all__}
    own = {f"subprocess.{name}": value for name, value in own.items() if getattr(value, "__module__", None) == "pinfold.subprocess"}
    assert len(own) > 5
    without = {name for name, value in {**PUBLIC, **own}.items() if ">>> " not in (value.__doc__ or "")}
    # A constant has the docstring of its type.
    assert without == {"__version__"}


def shows(cls: type, name: str) -> bool:
    """Whether a method has an example: of its own, or in that of its class."""
    return ">>> " in (getattr(cls, name).__doc__ or "") or any(way in (cls.__doc__ or "") for way in (f".{name}(", f"def {name}("))


def test_every_public_method_shows_an_example() -> None:
    without = set()
    for path, cls in PUBLIC.items():
        # A protocol is those of the runner, and a remote runner is called by its batch alone.
        if not isinstance(cls, type) or cls in (pinfold.ProcessRunner, pinfold.distributed.dask.DaskRunner):
            continue
        blocking = PUBLIC.get(cls.__name__.removeprefix("Async"), cls)
        for base in cls.__mro__:
            if base.__module__.partition(".")[0] != "pinfold":
                continue
            methods = {name for name in vars(base) if not name.startswith("_") and callable(getattr(cls, name))}
            for name in methods - {"to_json", "from_json"}:
                # What is awaited is what blocks, by the same name or with an `a` before it.
                twin = name.removeprefix("a").removesuffix("_")
                if not (shows(cls, name) or shows(blocking, name) or (hasattr(cls, twin) and shows(cls, twin))):
                    without.add(f"{path}.{name}")
    assert not without


def test_importing_it_imports_nothing_else() -> None:
    source = "import sys; before = set(sys.modules); import pinfold; print(*sorted(set(sys.modules) - before))"
    said = subprocess.run([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said.split() == ["pinfold", "pinfold._native"]


def test_a_blocking_verb_imports_neither_loops_nor_threads() -> None:
    source = "import sys; from pinfold import Command; Command('true').output(); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert not {"asyncio", "threading", "logging", "typing", "subprocess"} & set(said.split())


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_docstrings_are_true(module: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried or module in ("pinfold._handle", "pinfold._verbs")
    assert not failed


def test_the_examples_of_native_docstrings_are_true() -> None:
    parser, runner, tried = doctest.DocTestParser(), doctest.DocTestRunner(), 0
    native = {name: value for name, value in PUBLIC.items() if value in vars(pinfold._native).values()}
    for name, value in native.items():
        members = {name: value, **{f"{name}.{key}": getattr(value, key) for key in getattr(value, "__dict__", {})}}
        for path, member in members.items():
            text = getattr(member, "__doc__", None)
            if isinstance(text, str) and ">>>" in text:
                test = parser.get_doctest(text, {}, path, None, 0)
                tried += len(test.examples)
                assert not runner.run(test).failed, path
    assert tried > 400


def test_the_tool_is_installed_with_it() -> None:
    if not (Path(sys.executable).parent / "pinfold").exists():
        pytest.skip("this is the package as it is developed, without the tool")
    said = subprocess.run([sys.executable, "-m", "pinfold", "--version"], stdout=subprocess.PIPE, text=True, check=True)
    assert said.stdout.split() == ["pinfold", pinfold.__version__]


if __name__ == "__main__":
    print(surface(), end="")
