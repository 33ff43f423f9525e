"""Packages that an environment needs beyond the core ones: looked for without importing them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence


class MissingDependency(ImportError):
    """An environment needs a package that is not installed."""


def require(who: str, packages: Sequence[tuple[str, str]]) -> None:
    """Raises MissingDependency unless every (module, what to pip-install) is there; `who` is who needs it."""
    for module, package in packages:
        if not _found(module):
            raise MissingDependency(
                f"{who} needs the package {package!r}, which is not installed: pip install '{package}'"
            )


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package, or an import hook that says so
        return False
