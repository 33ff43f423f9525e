"""`TextGameParallel`: a game whose seats move at once, as a `pettingzoo.ParallelEnv`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pettingzoo import ParallelEnv

from turnwise.envs.core import EnvFailure, TextGame
from turnwise.envs.parsing import write_action
from turnwise.envs.referee import Outcome, Referee
from turnwise.envs.registry import as_game
from turnwise.envs.spaces import FreeText

_LOOK_AHEAD = 0  # seed of the actions that are tried out to find out who is asked next

Results = tuple[
    dict[str, str], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
]  # observations, rewards, terminations, truncations, infos


class Asked(NamedTuple):
    """A seat that has to act in this round."""

    text: str
    referee: Referee
    """A copy that stands where the seat is asked; what the seats before it will answer is not known to anybody."""


class TextGameParallel(ParallelEnv[str, str, str]):  # type: ignore[misc]  # PettingZoo is not typed for this
    """Observations and actions are texts; one step takes the whole replies of all seats, such as `I defect. [defect]`.

    game: an id of the registry or a `TextGame` with simultaneous=True. invalid, max_turns: see `Referee`; `max_turns`
    counts the replies of all seats. Other arguments go to the game.
    A step is a round: the game asks each of its seats once at most, and nobody sees an answer before all are in. Every
    live seat has to send a reply; that of a seat which need not act now is ignored. Where the invalid policy asks a
    seat again, the round waits for it: the replies of the seats after it are kept, and the next step plays them.
    The info of a seat holds `acts` (whether its next reply counts), then `legal_actions` (None where the action is
    free text), and `status` of its last reply, after an invalid one with `reason`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(
        self,
        game: str | TextGame,
        *,
        invalid: object = "forfeit",
        max_turns: int | None = None,
        render_mode: str | None = None,
        **game_kwargs: Any,
    ) -> None:
        self.game = as_game(game, game_kwargs)
        if not self.game.simultaneous:
            name = game if isinstance(game, str) else type(game).__name__
            raise ValueError(
                f"parallel_env is for games whose seats move at once: in {name} they take turns (simultaneous is "
                "False); use aec_env"
            )
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode is ansi or None: got {render_mode!r}")
        self.referee = Referee(self.game, invalid=invalid, max_turns=max_turns)
        self.render_mode = render_mode
        self.possible_agents = list(self.game.seats)
        self.agents: list[str] = []
        self.observation_spaces = {seat: FreeText() for seat in self.possible_agents}
        self.action_spaces = {seat: FreeText() for seat in self.possible_agents}
        self._link_samplers()
        self._rng: np.random.Generator | None = None
        self._asked: dict[str, Asked] = {}
        self._kept: dict[str, str] = {}
        """Replies that were given in this round and wait for a seat that is asked again."""
        self._answered: set[str | None] = set()
        """Seats whose replies of this round have been played while it waits."""
        self._replies: list[str] = []

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
        """Begin an episode; without a seed the next one of the stream that the last seed began."""
        if seed is not None or self._rng is None:
            self._rng = np.random.default_rng(seed)
        self.referee.start(int(self._rng.integers(2**63)))
        self.agents = self.possible_agents[:]
        self._kept, self._answered, self._replies = {}, set(), []
        observations = self._look()
        return observations, {seat: self._info(seat, None) for seat in self.agents}

    def step(self, actions: Mapping[str, str]) -> Results:
        """Play the replies of this round. Raises ValueError where a live seat sends none, TypeError for no text."""
        missing = [seat for seat in self.agents if seat not in actions]
        if missing:
            raise ValueError(f"step needs a reply of every live seat: {', '.join(missing)} sent none")
        for seat in self._asked:
            if not isinstance(actions[seat], str):
                raise TypeError(f"step needs the reply of {seat} as a str: got {type(actions[seat]).__name__}")
        seats, rewards = self.agents, dict.fromkeys(self.agents, 0.0)
        outcomes = self._play({**self._kept, **{seat: actions[seat] for seat in self._asked}}, rewards)
        observations = self._look()
        over = self.referee.seat is None
        cut = over and self.referee.status != "ok"
        infos = {seat: self._info(seat, outcomes.get(seat)) for seat in seats}
        if over:
            self.agents = []
        return observations, rewards, dict.fromkeys(seats, over and not cut), dict.fromkeys(seats, cut), infos

    def _play(self, replies: Mapping[str, str], rewards: dict[str, float]) -> dict[str, Outcome]:
        """Give the game the replies in its own order, until it is over or asks a seat once more."""
        outcomes: dict[str, Outcome] = {}
        while (seat := self.referee.seat) is not None and seat in replies and seat not in outcomes:
            self.referee.observe(seat)  # it has been told already, by the copy
            if self.referee.seat is None:
                break
            outcome = outcomes[seat] = self.referee.submit(replies[seat])
            self._replies.append(f"{seat}: {replies[seat]}")
            for name, reward in outcome.rewards.items():
                rewards[name] += reward
        again = any(_is_asked_again(outcome, self.referee) for outcome in outcomes.values())
        self._kept = {seat: reply for seat, reply in replies.items() if again and seat not in outcomes}
        self._answered = (self._answered | outcomes.keys()) - {self.referee.seat} if again else set()
        return outcomes

    def _look(self) -> dict[str, str]:
        """What every live seat reads now. Finds out, on copies, who is asked in this round and what each may do."""
        self._asked = {}
        try:
            self._look_ahead()
        except EnvFailure as error:
            self.referee.fail(error)
            self._asked = {}
        return {seat: self._text(seat) for seat in self.agents}

    def _text(self, seat: str) -> str:
        if seat in self._asked:
            return self._asked[seat].text
        return "" if self._is_done(seat) else self.referee.observe(seat)

    def _is_done(self, seat: str) -> bool:
        """Has it answered in this round already?"""
        return seat in self._kept or seat in self._answered

    def _look_ahead(self) -> None:
        rng, here = np.random.default_rng(_LOOK_AHEAD), self.referee
        while (seat := here.seat) is not None and seat not in self._asked and seat not in self._answered:
            here = here.clone()
            if seat not in self._kept:
                self._asked[seat] = Asked(here.observe(seat), here)
            if len(self._asked) + len(self._kept) + len(self._answered) == len(self.agents):
                return
            here = here.clone()
            here.submit(write_action(here.game.sample_action(rng), here.game.legal()))

    def _info(self, seat: str, outcome: Outcome | None) -> dict[str, Any]:
        info = {**(outcome.info if outcome else {}), "status": outcome.status if outcome else "ok"}
        asked = self._asked.get(seat)
        info["acts"] = asked is not None
        if asked is not None:
            legal = asked.referee.game.legal()
            info["legal_actions"] = None if legal is None else tuple(legal)
        if self.referee.failure is not None:
            info |= {"status": "env_error", "reason": self.referee.failure}
        return info

    def observation_space(self, agent: str) -> FreeText:
        """Every text."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> FreeText:
        """Every text; samples are legal moves while the seat has to act."""
        return self.action_spaces[agent]

    def render(self) -> str | None:
        """The replies of this episode that were played, one a line, in mode ansi."""
        return "\n".join(self._replies) if self.render_mode else None

    def close(self) -> None:
        """Let go of what the game holds."""
        self.game.close()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Copied spaces have lost the game that they sample from: give them this one."""
        self.__dict__.update(state)
        self._link_samplers()

    def _link_samplers(self) -> None:
        for seat, space in self.action_spaces.items():
            space.sampler = partial(self._sample_reply, seat)

    def _sample_reply(self, seat: str, rng: np.random.Generator) -> str | None:
        asked = self._asked.get(seat)
        if asked is None:
            return None
        try:
            return write_action(asked.referee.game.sample_action(rng), asked.referee.game.legal())
        except EnvFailure:  # the next step reports it
            return None


def _is_asked_again(outcome: Outcome, referee: Referee) -> bool:
    """Was nothing played for this reply, so that its seat has to reply once more?"""
    return outcome.status != "ok" and "played" not in outcome.info and referee.seat == outcome.seat
