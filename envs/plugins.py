"""Plugins: games of other packages, declared under the entry-point group `turnwise.envs`.

    [project.entry-points."turnwise.envs"]
    "acme/Maze-LLM" = "acme_maze:Maze"

Names and places are read from the metadata of installed packages; nothing of a plugin is imported before its game is
made. An id that is malformed, not namespaced or declared twice is refused, and `turnwise doctor` says so.
"""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from turnwise.envs.spec import GameSpec

GROUP = "turnwise.envs"
FAMILY = "plugins"
_ID = re.compile(r"[A-Za-z0-9][\w-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_VERSIONED = re.compile(r"-v\d+$")
_PLACE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_OURS = "turnwise"


class PluginError(ImportError):
    """A plugin's module cannot be imported, or holds no such name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One game that an installed package declares."""

    id: str
    entry_point: str
    """`module:name`, as declared."""
    package: str
    """The distribution, as pip names it."""
    version: str = ""
    summary: str = ""
    """The distribution's own line about itself."""
    problem: str | None = None
    """Why the game is refused; None where it is not."""


def read_plugins(shipped: Collection[str]) -> tuple[Plugin, ...]:
    """Every game that installed packages declare, sorted by id. shipped: the ids of turnwise's own games."""
    found = sorted(_declared(), key=lambda plugin: (plugin.id, plugin.package))
    taken = {env_id.partition("/")[0].casefold() for env_id in shipped if "/" in env_id} | {_OURS}
    packages = Counter(plugin.id for plugin in found)
    return tuple(
        plugin if plugin.problem else replace(plugin, problem=_problem(plugin, taken, packages)) for plugin in found
    )


def plugin_specs(plugins: Iterable[Plugin]) -> tuple[GameSpec, ...]:
    """How to make the games of the plugins that are not refused."""
    return tuple(
        GameSpec(
            id=plugin.id,
            entry_point=plugin.entry_point,
            family=FAMILY,
            summary=" ".join(f"{plugin.summary} ({plugin.package} {plugin.version})".split()),
        )
        for plugin in plugins
        if plugin.problem is None
    )


def find_plugin(plugins: Iterable[Plugin], env_id: str) -> Plugin | None:
    """The plugin that declares an id, refused or not."""
    return next((plugin for plugin in plugins if plugin.id == env_id), None)


def load_plugin(plugin: Plugin) -> Any:
    """The class or function that makes the game. Raises PluginError, which names the package, whatever goes wrong."""
    module, _, name = plugin.entry_point.partition(":")
    try:
        found = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:  # the code is somebody else's: it may raise anything
        raise PluginError(
            f"{plugin.id} comes from the package {plugin.package} {plugin.version}, which cannot be loaded: "
            f"importing {plugin.entry_point} raised {type(error).__name__}: {error}"
        ) from error
    return found


def config_folders(places: Iterable[str]) -> list[Path]:
    """The folders `configs` inside the packages of entry points; they are found without importing a package."""
    tops = dict.fromkeys(place.partition(":")[0].partition(".")[0] for place in places)
    return [folder for top in tops for place in _places(top) if (folder := Path(place) / "configs").is_dir()]


def _places(package: str) -> list[str]:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # half removed, or without a spec
        return []
    return list(spec.submodule_search_locations or ()) if spec else []


def _declared() -> Iterator[Plugin]:
    """What the metadata says, one record per entry point. A package that stands on the path twice counts once."""
    seen: set[str] = set()
    for distribution in distributions():
        text = distribution.read_text("entry_points.txt")
        if text is None or GROUP not in text:
            continue
        package = str(distribution.metadata["Name"])
        if package.casefold() not in seen:
            seen.add(package.casefold())
            yield from _of_package(distribution, package)


def _of_package(distribution: Distribution, package: str) -> Iterator[Plugin]:
    about = {"package": package, "version": str(distribution.version or "")}
    if "Summary" in distribution.metadata:
        about["summary"] = str(distribution.metadata["Summary"])
    try:
        entries = list(distribution.entry_points.select(group=GROUP))
    except Exception as error:  # a file that a packaging tool never wrote: importlib.metadata raises as it comes
        problem = f"its entry_points.txt cannot be read: {type(error).__name__}: {error}"
        yield Plugin(id="?", entry_point="?", problem=problem, **about)
        return
    for entry in entries:
        yield Plugin(id=entry.name, entry_point=entry.value.partition("[")[0].strip(), **about)


def _problem(plugin: Plugin, taken: Collection[str], declared: Counter[str]) -> str | None:
    """Why a game is refused, or None."""
    if not _ID.fullmatch(plugin.id) or _VERSIONED.search(plugin.id):
        return f"an id is NAMESPACE/Name-LLM, of letters, digits, _, . and -, without a version: got {plugin.id!r}"
    namespace = plugin.id.partition("/")[0]
    if namespace.casefold() in taken:
        return f"the namespace {namespace!r} belongs to turnwise: use one of your own"
    if declared[plugin.id] > 1:
        return (
            f"{plugin.id} is declared {declared[plugin.id]} times, by this package or others too: none of them counts"
        )
    if not _PLACE.fullmatch(plugin.entry_point):
        return f"an entry point is written module:name: got {plugin.entry_point!r}"
    return None
