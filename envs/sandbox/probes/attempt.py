"""The probes in the sandbox."""

from __future__ import annotations

from dataclasses import dataclass

from turnwise.envs.sandbox.probes.control import fill
from turnwise.envs.sandbox.probes.record import OPEN, Probe
from turnwise.envs.sandbox.probes.world import World
from turnwise.envs.sandbox.result import Result
from turnwise.envs.sandbox.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one probe in one boundary."""

    held: bool | None
    """None where that boundary cannot be had here."""
    told: str
    """The status, and what stopped it."""


def attempt(probe: Probe, sandbox: Sandbox, world: World) -> Verdict:
    """Run it, look at what it says and at what it did."""
    world.refresh()
    results = _run(probe, fill(probe.codes, world), sandbox)
    last, damage = results[-1], world.damage()
    printed = (last.stdout + (last.value or "")).split()
    held = OPEN not in printed and not damage and (not probe.stopped or last.status in _stops(probe, last.tier))
    why = (last.error or "").strip().splitlines()[-1:] or [""]
    return Verdict(held, f"{last.status}: {why[0][:100]}" + (f"; changed {', '.join(damage)}" if damage else ""))


def _stops(probe: Probe, tier: str) -> tuple[str, ...]:
    """What a limit may answer: a machine under load may be slow; Monty lacks most of what the probes need."""
    return (*probe.stopped, "timeout", *(("error",) if tier == "monty" else ()))


def _run(probe: Probe, codes: list[str], sandbox: Sandbox) -> list[Result]:
    if not probe.sessions:
        return [sandbox.run(code) for code in codes]
    names = [sandbox.start_session() for _ in codes]
    try:
        return [sandbox.run(code, session=name) for code, name in zip(codes, names, strict=True)]
    finally:
        for name in names:
            sandbox.end_session(name)
