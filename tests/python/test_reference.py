"""The page that lists all that is public: it is what the package says of itself, and has every name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import reference
from test_package import API, surface

PAGE = Path(__file__).parents[2] / "docs" / "python" / "reference.md"


def listed(page: str) -> set[str]:
    """The names on the page as `module.name` and `module.name.attribute`, those of bases with their classes."""
    module, cls, own, bases = "", "", dict[str, set[str]](), dict[str, str]()
    for line in page.splitlines():
        if match := re.match(r"## `pinfold\.?(.*)`$", line):
            module = f"{match[1]}." if match[1] else ""
        elif match := re.match(r"- \*{0,2}`(\w+)(?:\(.*?\))?`", line):
            cls = module + match[1]
            own[cls] = set()
            if base := re.search(r" Also all of `(\w+)`\.$", line):
                bases[cls] = base[1]
        elif match := re.match(r"  - `(\w+)(?:\(.*?\))?`", line):
            own[cls].add(match[1])

    def whole(name: str) -> set[str]:
        return own[name] | (whole(bases[name]) if name in bases else set())

    return {*own, *(f"{name}.{attribute}" for name in own for attribute in whole(name))}


def agreed() -> set[str]:
    names, cls = set(), ""
    for line in surface().splitlines():
        if line.startswith("  "):
            names.add(f"{cls}.{line.strip()}")
        else:
            cls = line.partition("(")[0]
            names.add(cls)
    return names


@pytest.mark.skipif(not API.exists(), reason="the project's pages are not beside the tests")
def test_the_page_is_what_the_package_says_of_itself() -> None:
    assert PAGE.read_text() == reference.page(), f"write it anew: python {reference.__file__} > {PAGE}"


def test_it_has_every_public_name_and_no_other() -> None:
    there = {name for name in listed(reference.page()) if not name.startswith("subprocess.")}
    # The fixtures are no names of a module's.
    there -= {"distributed.dask.cassette", "distributed.dask.scripted_runner"}
    assert there == agreed()


def test_every_name_has_a_place_and_every_function_a_line() -> None:
    page = reference.page()
    assert re.findall(r"^### Besides\n((?:- .*\n)*)", page, re.MULTILINE) == ["- `__version__`: the version of the package.\n"]
    assert not re.findall(r"^ *- \*{0,2}`\w+\([^`]*\)`(?!: .)", page, re.MULTILINE)
    assert not re.findall(r":\s*$", page, re.MULTILINE)
