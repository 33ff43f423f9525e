"""The table of probes: every probe, its control, and what came of it in each boundary."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from turnwise.envs.sandbox.boundary import Tier
from turnwise.envs.sandbox.errors import SandboxUnavailable
from turnwise.envs.sandbox.probes.attempt import Verdict, attempt
from turnwise.envs.sandbox.probes.control import outcome
from turnwise.envs.sandbox.probes.other_user import as_nobody
from turnwise.envs.sandbox.probes.record import Probe
from turnwise.envs.sandbox.probes.suite import LIMITS, PROBES
from turnwise.envs.sandbox.probes.world import World
from turnwise.envs.sandbox.sandbox import Sandbox

Row = dict[str, Any]
REAL: tuple[Tier, ...] = ("bwrap", "landlock")


def rows(tiers: Sequence[Tier] = REAL, probes: Sequence[Probe] = PROBES) -> list[Row]:
    """One row per probe: topic, name, user, control, and per tier `held` and what stopped it.

    Controls and boundaries run side by side, each against targets of its own: most of the time is waiting for limits.
    """
    with ThreadPoolExecutor(1 + len(tiers)) as pool:
        controls = pool.submit(_controls, probes)
        verdicts = list(pool.map(lambda tier: _verdicts(tier, probes), tiers))
    return [
        {
            "topic": probe.topic,
            "name": probe.name,
            "user": _user(),
            "root_only": probe.root_only,
            "control": opened,
            "control_told": told,
            **{tier: asdict(verdict) for tier, verdict in zip(tiers, ours, strict=True)},
        }
        for probe, (opened, told), *ours in zip(probes, controls.result(), *verdicts, strict=True)
    ]


def _controls(probes: Sequence[Probe]) -> list[tuple[bool, str]]:
    with World() as world:
        return [outcome(probe, world) for probe in probes]


def _verdicts(tier: Tier, probes: Sequence[Probe]) -> list[Verdict]:
    with World() as world, Sandbox(LIMITS, tier) as sandbox:
        try:
            sandbox.boundary()
        except SandboxUnavailable as error:
            return [Verdict(None, str(error)) for _ in probes]
        if (works := sandbox.run("print(6 * 7)")).stdout != "42\n":
            raise RuntimeError(f"the sandbox ({tier}) runs nothing at all, so holding means nothing: {works}")
        return [attempt(probe, sandbox, world) for probe in probes]


def _user() -> str:
    return "root" if os.geteuid() == 0 else "user"


def markdown(found: Sequence[Row], tiers: Sequence[Tier] = REAL) -> str:
    """Rows of the same probe by different users in one line: `open` in the control, `held` or OPEN in the tiers."""
    users = list(dict.fromkeys(row["user"] for row in found))
    heads = [f"{column} ({user})" for user in users for column in ("control", *tiers)]
    lines = [f"| | probe | {' | '.join(heads)} |", "|" + " --- |" * (len(heads) + 2)]
    for topic, name in dict.fromkeys((row["topic"], row["name"]) for row in found):
        cells = []
        for user in users:
            row = next(row for row in found if (row["name"], row["user"]) == (name, user))
            cells += [_control_cell(row), *(_cell(row[tier]["held"]) for tier in tiers)]
        lines.append(f"| {topic} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(held: bool | None) -> str:
    return {True: "held", False: "**OPEN**", None: "not here"}[held]


def _control_cell(row: Row) -> str:
    if row["control"]:
        return "open"
    return "needs root" if row["root_only"] else "closed here"


def broken(found: Sequence[Row], tiers: Sequence[Tier] = REAL) -> list[str]:
    """The walls that did not hold, in words."""
    return [
        f"{row['name']} ({row['user']}, {tier}): {row[tier]['told']}"
        for row in found
        for tier in tiers
        if row[tier]["held"] is False
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; as root both as root and as a normal user."""
    parser = argparse.ArgumentParser(prog="python -m turnwise.envs.sandbox.probes", description=__doc__)
    parser.add_argument("--json", action="store_true", help="the rows of this user alone, as JSON")
    parser.add_argument(
        "--tier", action="append", choices=("bwrap", "landlock", "monty"), help="default: bwrap, landlock"
    )
    chosen = parser.parse_args(arguments)
    tiers: Sequence[Tier] = chosen.tier or REAL
    if chosen.json:
        found = rows(tiers)
        print(json.dumps(found))
        return int(bool(broken(found, tiers)))
    found = rows_of_all_users(tiers)
    print(markdown(found, tiers))
    if os.geteuid() != 0:
        print("\nOnly the half of a normal user: run it as root for both.")
    held = sum(row[tier]["held"] is True for row in found for tier in tiers)
    controls = sum(row["control"] for row in found)
    print(
        f"\n{len(PROBES)} probes; held {held} of {len(found) * len(tiers)}; controls open: {controls} of {len(found)}"
    )
    for line in broken(found, tiers):
        print(f"- DID NOT HOLD: {line}")
    return int(bool(broken(found, tiers)))


def rows_of_all_users(tiers: Sequence[Tier] = REAL) -> list[Row]:
    """Root's rows and a normal user's, made side by side; where this process is not root, the latter alone."""
    if os.geteuid() != 0:
        return rows(tiers)
    with ThreadPoolExecutor(1) as pool:
        others = pool.submit(rows_as_nobody, tiers)
        return rows(tiers) + others.result()


def rows_as_nobody(tiers: Sequence[Tier] = REAL) -> list[Row]:
    """The same rows, made by a normal user. Needs root. Raises: RuntimeError where that cannot be."""
    options = [word for tier in tiers for word in ("--tier", tier)]
    command = as_nobody([sys.executable, "-m", "turnwise.envs.sandbox.probes", "--json", *options])
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if not done.stdout:
        raise RuntimeError(f"the probes of a normal user did not run: {done.stderr[-2000:]}")
    return list(json.loads(done.stdout))
