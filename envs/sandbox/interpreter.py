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

LAZY_PARTS = {"numpy": ("numpy.random", "numpy.linalg", "numpy.fft")}
"""Parts of packages that they import when first used: too slow to do in each call."""

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
    """The folders (or single files) of these installed packages, with the libraries that wheels put next to them.

    Raises: ValueError where a package is not installed.
    """
    folders = []
    for name in packages:
        found = importlib.util.find_spec(name) if name.isidentifier() else None
        if found is None or not (found.submodule_search_locations or found.has_location):
            raise ValueError(f"the sandbox was asked for the package {name!r}, which is not installed here")
        folder = Path(next(iter(found.submodule_search_locations or [str(found.origin)])))
        libraries = folder.parent / f"{name}.libs"
        folders += [str(folder), *([str(libraries)] if libraries.is_dir() else [])]
    return folders


def module_path(packages: Sequence[str]) -> list[str]:
    """Folders that the packages are imported from; of what else lies there nothing can be read."""
    return sorted({os.path.dirname(folder) for folder in package_folders(packages)})


def readable(packages: Sequence[str]) -> list[str]:
    """Everything that the walls leave readable, without what lies inside something else of it."""
    found = {os.path.realpath(path) for path in (*library_folders(), *SYSTEM, *DEVICES, *package_folders(packages))}
    return sorted(path for path in found if not any(path.startswith(f"{other}/") for other in found))


def preload(packages: Sequence[str]) -> list[str]:
    """The modules to load before the first call."""
    return [*PRELOAD, *packages, *(part for name in packages for part in LAZY_PARTS.get(name, ()))]
