"""The build backend of the Python package: maturin, with the command-line tool in the same wheel.

A wheel holds the extension and the native tool ``pinfold``. The tool is built statically where the Rust standard library for musl
is installed, and for this machine otherwise, which is said. A source distribution is the tree as git knows it.
"""

import gzip
import io
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

import maturin

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "target" / "wheel-data" / "scripts"

get_requires_for_build_sdist = maturin.get_requires_for_build_sdist
get_requires_for_build_wheel = maturin.get_requires_for_build_wheel
get_requires_for_build_editable = maturin.get_requires_for_build_editable


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    SCRIPTS.mkdir(parents=True, exist_ok=True)
    return maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    _settle_interpreter()
    _build_tool()
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    _settle_interpreter()
    _build_tool()
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    with tempfile.TemporaryDirectory() as scratch:
        info = prepare_metadata_for_build_wheel(scratch, config_settings)
        metadata = (Path(scratch) / info / "METADATA").read_bytes()
    stem = info.removesuffix(".dist-info")
    path = Path(sdist_directory) / f"{stem}.tar.gz"
    # Without times and owners, the same tree gives the same file.
    with open(path, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name in _sources():
                _add(archive, f"{stem}/{name}", (ROOT / name).read_bytes(), os.access(ROOT / name, os.X_OK))
            _add(archive, f"{stem}/PKG-INFO", metadata, False)
    return path.name


def _add(archive, name, content, executable):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o755 if executable else 0o644
    archive.addfile(member, io.BytesIO(content))


def _sources():
    """The files of the project. Without git this is a source distribution itself, and holds nothing else."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    else:
        files = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        ours = (path for path in files if path.parts[0] != "target" and path.name != "PKG-INFO")
        names = [path.as_posix() for path in ours if "__pycache__" not in path.parts]
    return sorted(name for name in names if (ROOT / name).is_file())


def _settle_interpreter():
    """A free-threaded interpreter cannot load the extension that all others can: one is built for it and its version alone."""
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        return
    facts = {
        "implementation": "CPython",
        "version": "{}.{}".format(*sys.version_info),
        "shared": "false",
        "abi3": "false",
        "pointer_width": "64" if sys.maxsize > 1 << 32 else "32",
        "build_flags": "Py_GIL_DISABLED",
        "suppress_build_script_link_lines": "true",
    }
    path = ROOT / "target" / "free-threaded.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{name}={value}\n" for name, value in facts.items()))
    os.environ["PYO3_CONFIG_FILE"] = str(path)


def _build_tool():
    """Builds the tool as it ships and puts it where maturin takes scripts from."""
    command = ["cargo", "build", "--locked", "--profile", "dist", "--package", "pinfold-cli"]
    command += ["--manifest-path", str(ROOT / "Cargo.toml"), "--target-dir", str(ROOT / "target")]
    target = _static_target()
    built = ROOT / "target" / "dist"
    if target is not None:
        command += ["--target", target]
        built = ROOT / "target" / target / "dist"
    elif sys.platform == "linux":
        print("pinfold: the tool is built for this machine alone; for a static one: rustup target add "
              f"{platform.machine()}-unknown-linux-musl", file=sys.stderr)
    subprocess.run(command, check=True)
    shutil.rmtree(SCRIPTS, ignore_errors=True)
    SCRIPTS.mkdir(parents=True)
    name = "pinfold.exe" if sys.platform == "win32" else "pinfold"
    shutil.copy2(built / name, SCRIPTS / name)


def _static_target():
    """The target for a static tool, where its standard library is installed."""
    if sys.platform != "linux":
        return None
    target = f"{platform.machine()}-unknown-linux-musl"
    asked = subprocess.run(
        ["rustc", "--print", "target-libdir", "--target", target], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    library = Path(os.fsdecode(asked.stdout.strip()))
    there = asked.returncode == 0 and library.is_dir() and any(library.iterdir())
    return target if there else None
