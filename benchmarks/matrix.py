"""Which environment keeps which promises, as a Markdown table out of what `turnwise check` found.

turnwise check --all --json build/check.json
python benchmarks/matrix.py build/check.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from turnwise.envs.checker.catalogue import GROUPS
from turnwise.envs.checker.result import FAILED, PASSED
from turnwise.envs.describe import FLAGS
from turnwise.envs.registry import GAMES

NOTHING = "–"


def cell(results: list[Mapping[str, Any]]) -> str:
    """The verdict of a group on one game: `pass`, or the names of what failed; a dash where nothing applies."""
    failed = [result["name"] for result in results if result["verdict"] == FAILED]
    if failed:
        return f"**{', '.join(failed)}**"
    return "pass" if any(result["verdict"] == PASSED for result in results) else NOTHING


def speed(results: list[Mapping[str, Any]]) -> str:
    """Turns per second through the referee, to two digits."""
    found = [result["figures"]["turns per second"] for result in results if "turns per second" in result["figures"]]
    return f"{float(f'{found[0]:.2g}'):,.0f}" if found else NOTHING


def declared(game: Mapping[str, Any]) -> str:
    """The optional members of a game, in few words."""
    known = game["capabilities"] or {}
    held = [flag.removeprefix("has_").replace("_", " ") for flag in FLAGS if known.get(flag)]
    extra = [name for name in ("levels", "tools") if known.get(name)]
    return ", ".join([*held, *extra]) or NOTHING


def rows(found: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the table, in the order of the registry."""
    yield f"| id | declares | {' | '.join(GROUPS)} | turns/s |"
    yield f"|---|---|{'---|' * len(GROUPS)}---:|"
    order = {env_id: place for place, env_id in enumerate(GAMES)}
    for game in sorted(found["games"], key=lambda game: order.get(game["target"], len(order))):
        groups = [cell([result for result in game["results"] if result["group"] == group]) for group in GROUPS]
        yield f"| `{game['target']}` | {declared(game)} | {' | '.join(groups)} | {speed(game['results'])} |"
    for env_id, packages in found["not_installed"].items():
        yield f"| `{env_id}` | needs {', '.join(packages)} |{f' {NOTHING} |' * (len(GROUPS) + 1)}"


def heading(found: Mapping[str, Any]) -> str:
    """What was checked, with what."""
    passed = sum(game["passed"] for game in found["games"])
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    return (
        f"{passed} of {len(found['games'])} environments pass, {len(found['not_installed'])} were not installed "
        f"(Python {found['python']}, {packages}; {found['seconds']:.0f} s)."
    )


def main() -> None:
    """Print the heading and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="what turnwise check wrote with --json")
    found = json.loads(parser.parse_args().file.read_text(encoding="utf-8"))
    print(heading(found), "", *rows(found), sep="\n")


if __name__ == "__main__":
    main()
