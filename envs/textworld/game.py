"""`TextWorldGame`: a TextWorld game as a `TextGame`. The interpreter runs in this process."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol, Self

import numpy as np

from turnwise.envs.core import EnvFailure, IllegalAction, Step, TextGame, Unsupported
from turnwise.envs.textworld import texts
from turnwise.envs.textworld.commands import read_command, shown
from turnwise.envs.textworld.engine import Engine, Scene
from turnwise.envs.textworld.feedback import after_objective, clean, room_in
from turnwise.envs.textworld.recipes import check_number, check_one_of
from turnwise.envs.textworld.rewards import BOUNDS, REWARDS, WANTS, Turn

PLAYER = "player_0"
MAX_STEPS = {"easy": 30, "medium": 60, "hard": 100}
_STATE = frozenset({"facts", "win_facts"})
_VIEW = frozenset({"description", "inventory"})
_PLAN = frozenset({"policy_commands"})
_MOST_NAMES = 20  # commands that a reason lists


class Source(Protocol):
    """Where games come from; see `sources`."""

    @property
    def task(self) -> str: ...
    @property
    def levels(self) -> tuple[str, ...]: ...
    @property
    def level(self) -> str | None: ...
    def draw(self, rng: np.random.Generator) -> int: ...
    def path(self, number: int) -> Any: ...
    def name(self, number: int) -> str: ...


class TextWorldGame(TextGame):
    """One seat plays text adventures that TextWorld generates.

    reward "sparse": 1 for winning; "score": the points of every turn as a share of all; "intermediate": whether the way
    to win got shorter. A lost game pays nothing more. admissible True: the commands that the world allows now are
    listed and nothing else is legal; False: free text, and what the game does not understand costs a turn.
    max_steps: commands after which the episode is truncated; None: 30, 60 or 100 by level.

    A game is a function of its commands, so that clones, pickles and late questions (`anchor`, `board`, `solution`)
    replay them: nothing is computed at every turn that nobody asks for. Raises ValueError on a bad setting.
    """

    seats = (PLAYER,)
    can_clone = has_ground_truth = has_anchor = has_board = has_solution = True

    def __init__(
        self,
        source: Source,
        *,
        reward: str = "sparse",
        admissible: bool = True,
        max_steps: int | None = None,
        prompt: str = "full",
    ) -> None:
        check_one_of("reward", reward, tuple(REWARDS))
        check_one_of("admissible", admissible, (True, False))
        check_one_of("prompt", prompt, ("full", "compact"))
        if max_steps is not None:
            check_number("max_steps", max_steps, 1, 100_000)
        self.source, self.reward, self.admissible, self.prompt = source, reward, admissible, prompt
        self.max_steps = max_steps or MAX_STEPS[source.level or "hard"]
        self.task, self.level, self.levels = source.task, source.level, source.levels
        self.utility_bounds, self.dense_rewards = BOUNDS[reward], reward != "sparse"
        listed = frozenset({"admissible_commands"} if admissible else {"entities"})
        self._base = listed | WANTS.get(reward, frozenset())
        self._engine: Engine | None = None
        self._number: int | None = None

    # The episode

    def start(self, rng: np.random.Generator) -> None:
        self.seat = None
        self._number = self.source.draw(rng)
        self._commands: list[str] = []
        self._paid = 0.0
        self._scene = self._begin(self._base)
        engine = self._running()
        self._objective, self._walkthrough = clean(engine.objective), engine.walkthrough
        self._max_score, self._plan_length = engine.max_score, len(self._scene.policy)
        self._vocabulary = _vocabulary(engine.things)
        self._room = room_in(self._scene.feedback) or "somewhere"
        self._unread = [
            texts.introduction(self._objective, self.admissible, self.max_steps),
            after_objective(self._scene.feedback, self._objective),
        ]
        self.seat = PLAYER

    def observe(self, seat: str) -> str:
        if seat != PLAYER:
            raise ValueError(f"observe needs the seat {PLAYER}: got {seat!r}")
        self._begun()
        lines, self._unread = self._unread, []
        if not lines:
            return ""
        if self.prompt == "compact":
            steps = (len(self._commands), self.max_steps)
            return texts.compact(self._objective, self._room, lines[-1], self._legal(), steps)
        if self.seat is not None and self.admissible:
            lines.append(texts.possible(self._scene.commands))
        return "\n".join(filter(None, lines))

    def legal(self) -> tuple[str, ...] | None:
        return self._legal() if self.admissible else None

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("no command can be played: the game is over")
        command = self._command(action)
        before, after = self._scene, self._running().step(command)
        turn = Turn(before, after, self._max_score, self._plan_length, self._paid)
        reward = REWARDS[self.reward](turn)
        self._paid += reward
        self._commands.append(command)
        self._scene = after
        self._room = room_in(after.feedback) or self._room
        self._unread.append(after.feedback)
        truncated = not after.over and len(self._commands) >= self.max_steps
        if truncated:
            self._unread.append(texts.STOPPED.format(steps=self.max_steps))
        if after.over or truncated:
            self.seat = None
        info = {"score": after.score, "max_score": self._max_score, "won": after.won, "lost": after.lost}
        return Step({PLAYER: reward}, after.over, truncated, info)

    def sample_action(self, rng: np.random.Generator) -> str:
        """An admissible command; in free text mode one out of a list of verbs, directions and things."""
        choices = self._scene.commands if self.admissible else self._vocabulary
        return choices[int(rng.integers(len(choices)))]

    def _legal(self) -> tuple[str, ...]:
        return self._scene.commands if self.seat is not None else ()

    def _command(self, action: str) -> str:
        if not self.admissible:
            return read_command(action)
        if action in self._scene.commands:
            return action
        some = ", ".join(f"[{command}]" for command in self._scene.commands[:_MOST_NAMES])
        more = ", ..." if len(self._scene.commands) > _MOST_NAMES else ""
        raise IllegalAction(f"{shown(action)} is not possible now; possible commands: {some}{more}")

    # The interpreter

    def _begin(self, wants: frozenset[str]) -> Scene:
        """The first scene of this episode's game, in an interpreter that tells what is wanted."""
        path = self.source.path(self._begun())
        if self._engine is not None and (self._engine.path, self._engine.wants) == (path, wants):
            return self._engine.reset()
        self.close()
        self._engine = Engine(path, wants)
        return self._engine.scene

    def _begun(self) -> int:
        """The number of this episode's game."""
        if self._number is None:
            raise RuntimeError("the game has not begun: call start(rng) first")
        return self._number

    def _running(self, also: frozenset[str] = frozenset()) -> Engine:
        """The interpreter, where the episode is; started again if it is gone or does not tell what is wanted."""
        if self._engine is None or not also <= self._engine.wants:
            kept = self._base if self._engine is None else self._engine.wants
            self._begin(kept | also)
            engine = self._running()
            engine.replay(self._commands)
            if self._commands and engine.scene.feedback != self._scene.feedback:
                raise EnvFailure(f"TextWorld went another way when {len(self._commands)} commands were replayed")
        assert self._engine is not None  # for type checkers: _begin has made one
        return self._engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def clone(self) -> Self:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__getstate__())
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the interpreter, which a copy starts anew when it needs it."""
        kept = self.__dict__ | {"_engine": None}
        if self._number is not None:
            kept |= {"_commands": self._commands.copy(), "_unread": self._unread.copy()}
        return kept

    # Optional members

    def ground_truth(self) -> str:
        """Commands that win from the beginning, with commas between them."""
        self._begun()
        return ", ".join(self._walkthrough)

    def anchor(self) -> str:
        """A digest of the game, every fact of its world, the score and the quests fulfilled so far.

        How many commands have been played is no part of it.
        """
        scene = self._running(_STATE).scene
        parts = (self.source.name(self._begun()), str(scene.score), str(scene.quests_met), *scene.facts)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def board(self, seat: str) -> str:
        if seat != PLAYER:
            raise ValueError(f"board needs the seat {PLAYER}: got {seat!r}")
        scene = self._running(_VIEW).scene
        lines = [f"Your task: {self._objective}" if self._objective else "", scene.description, scene.inventory]
        if self.admissible and self.seat is not None:
            lines.append(texts.possible(self._scene.commands))
        lines.append(f"{self.max_steps - len(self._commands)} commands are left.")
        return "\n".join(filter(None, lines))

    def solution(self) -> tuple[str, ...]:
        """The rest of the walkthrough, while play has kept to it; else TextWorld's plan from here.

        Raises Unsupported where the game is over, or TextWorld knows no way to win any more.
        """
        self._begun()
        if self.seat is None:
            raise Unsupported("no command can be played: the game is over")
        played = len(self._commands)
        if self._walkthrough[:played] == tuple(self._commands):
            rest = self._walkthrough[played:]
            if rest and (not self.admissible or rest[0] in self._scene.commands):
                return rest
        plan = self._running(_PLAN).scene.policy
        if not plan:
            raise Unsupported("TextWorld knows no way to win from here")
        return plan


def _vocabulary(things: tuple[str, ...]) -> tuple[str, ...]:
    """Commands that the interpreter understands, though the world may refuse them: what random free play draws from."""
    everywhere = ("look", "inventory", "go north", "go south", "go east", "go west")
    named = sorted({thing for thing in things if thing and thing not in ("north", "south", "east", "west")})
    return everywhere + tuple(f"{verb} {thing}" for thing in named for verb in ("examine", "take", "open"))
