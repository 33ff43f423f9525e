"""`Engine`: one running game in TextWorld's interpreter, in this process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnwise.envs.core import EnvFailure
from turnwise.envs.textworld.feedback import clean
from turnwise.envs.textworld.undisturbed import undisturbed

ALWAYS = frozenset({"score", "max_score", "won", "lost", "objective"})
SEED = 1  # of the interpreter; 0 would mean the clock


@dataclass(frozen=True, slots=True)
class Scene:
    """What came of the latest command. What nobody asked for is empty."""

    feedback: str
    """What the interpreter printed, cleaned."""
    score: int
    won: bool
    lost: bool
    commands: tuple[str, ...] = ()
    """Admissible commands, sorted."""
    policy: tuple[str, ...] = ()
    """Commands that win from here; empty too where TextWorld knows of none."""
    facts: tuple[str, ...] = ()
    """Every fact of the world, sorted."""
    quests_met: tuple[bool, ...] = ()
    """Which quests have been fulfilled at some time, in TextWorld's order."""
    description: str = ""
    inventory: str = ""

    @property
    def over(self) -> bool:
        return self.won or self.lost


class Engine:
    """wants: names out of TextWorld's `EnvInfos`, beyond those that are always there. Each costs time at every turn.

    Raises EnvFailure where the game cannot be loaded.
    """

    def __init__(self, path: Path, wants: frozenset[str]) -> None:
        self.path, self.wants = path, wants
        try:
            with undisturbed():
                import textworld

                infos = dict.fromkeys(ALWAYS | wants, True)
                self._environment = textworld.start(str(path), textworld.EnvInfos(**infos, extras=["walkthrough"]))
                self._environment.seed(SEED)
        except (OSError, ValueError, KeyError, NameError) as error:
            raise EnvFailure(f"TextWorld cannot load {path}: {str(error)[:500]}") from error
        self.scene = self.reset()

    def reset(self) -> Scene:
        """Go to the beginning. Raises EnvFailure."""
        self._conditions: list[list[frozenset[str]]] = []
        self._met: tuple[bool, ...] = ()
        try:
            state = self._environment.reset()
        except (RuntimeError, OSError) as error:
            raise EnvFailure(f"TextWorld cannot start {self.path}: {str(error)[:500]}") from error
        self.objective: str = state.objective or ""
        self.max_score = int(state.max_score or 0)
        self.walkthrough: tuple[str, ...] = tuple(state["extra.walkthrough"] or ())
        self.things: tuple[str, ...] = tuple(state.entities or ())
        if "win_facts" in self.wants:
            self._conditions = [[frozenset(map(str, event)) for event in quest] for quest in state.win_facts]
            self._met = (False,) * len(self._conditions)
        self.scene = self._scene(state)
        return self.scene

    def step(self, command: str) -> Scene:
        """Play one command. Raises EnvFailure where the interpreter fails."""
        try:
            state, _, _ = self._environment.step(command)
        except (RuntimeError, OSError) as error:
            raise EnvFailure(f"TextWorld failed at {command!r}: {str(error)[:500]}") from error
        self.scene = self._scene(state)
        return self.scene

    def replay(self, commands: Iterable[str]) -> None:
        """Play these commands from where the game is."""
        for command in commands:
            self.step(command)

    def close(self) -> None:
        """End the interpreter."""
        self._environment.close()

    def _scene(self, state: Any) -> Scene:
        wants = self.wants
        facts = tuple(sorted(map(str, state.facts))) if "facts" in wants else ()
        if self._conditions:
            self._met = tuple(map(_met, self._met, self._conditions, [frozenset(facts)] * len(self._met)))
        return Scene(
            feedback=clean(state.feedback),
            score=int(state.score or 0),
            won=bool(state.won),
            lost=bool(state.lost),
            commands=tuple(state.admissible_commands) if "admissible_commands" in wants else (),
            policy=tuple(state.policy_commands or ()) if "policy_commands" in wants else (),
            facts=facts,
            quests_met=self._met,
            description=clean(state.description or "") if "description" in wants else "",
            inventory=clean(state.inventory or "") if "inventory" in wants else "",
        )


def _met(before: bool, events: list[frozenset[str]], facts: frozenset[str]) -> bool:
    """Whether a quest is fulfilled now or was before: one of its events holds, all facts of it."""
    return before or any(event <= facts for event in events if event)
