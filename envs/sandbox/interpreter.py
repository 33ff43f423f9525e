"""What of this machine the code has to read: Python's library, the shared libraries under it, packages asked for."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

PRELOAD = (
    *("math", "json", "re", "collections", "itertools", "random", "statistics", "fractions", "decimal", "datetime"),
    *("functools", "heapq", "bisect", "string", "typing", "dataclasses", "operator", "copy", "enum", "abc", "time"),
    *("textwrap", "csv", "contextlib", "io", "traceback", "unittest", "numbers", "cmath"),
)
"""Modules that every call finds loaded; the rest of the standard library is imported from disk when asked for."""

SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/usr/share/zoneinfo")
DEVICES = ("/dev/urandom", "/dev/random", "/dev/zero")


def binary() -> str:
    """The interpreter behind the virtual environment."""
    return os.path.realpath(sys.executable)


def library_folders() -> list[str]:
    """The standard library and the folder of the shared libraries that belong to it."""
    paths = sysconfig.get_paths(vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix})
    return sorted({paths["stdlib"], paths["platstdlib"], os.path.join(sys.base_exec_prefix, "lib")})


def package_folders(packages: Sequence[str]) -> list[str]:
    """The folders of these installed packages, with the shared libraries that wheels put next to them.

    Raises: ValueError where a package is not installed or is no folder.
    """
    folders = []
    for name in packages:
        found = importlib.util.find_spec(name) if name.isidentifier() else None
        if found is None or not found.submodule_search_locations:
            raise ValueError(f"the sandbox was asked for the package {name!r}, which is not installed as a folder here")
        folder = Path(next(iter(found.submodule_search_locations)))
        libraries = folder.parent / f"{name}.libs"
        folders += [str(folder), *([str(libraries)] if libraries.is_dir() else [])]
    return folders


def module_path(packages: Sequence[str]) -> list[str]:
    """Folders that the packages are imported from; of what else lies there nothing can be read."""
    return sorted({os.path.dirname(folder) for folder in package_folders(packages)})


def readable(packages: Sequence[str]) -> list[str]:
    """Everything that the walls leave readable."""
    return [*library_folders(), *SYSTEM, *DEVICES, *package_folders(packages)]
