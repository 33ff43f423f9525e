"""`TextGameEnv`: a text game as a `gymnasium.Env`. One seat is the learner's, opponents play the others."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from turnwise.envs.core import EnvFailure, TextGame
from turnwise.envs.opponents import ScriptedOpponent, make_opponents
from turnwise.envs.parsing import write_action
from turnwise.envs.referee import Outcome, Referee
from turnwise.envs.registry import as_game
from turnwise.envs.spaces import FreeText

_MOST_FAILURES = 100  # invalid replies of an opponent in a row


class TextGameEnv(gymnasium.Env[str, str]):
    """Observations and actions are texts; an action is the learner's whole reply, such as `I raise. [bet]`.

    game: an id of the registry or a `TextGame`. seat: the learner's, or "random" to draw it at every reset.
    opponents: "random", "first_legal", "optimal", an agent object, or a mapping seat -> any of these.
    invalid, max_turns: see `Referee`; `max_turns` counts the replies of all seats. Other arguments go to the game.
    `info` holds `seat`, `legal_actions` (None where the action is free text), `status` of the last reply, `action`
    that was read from it, and after an invalid one `reason`. All chance comes from `self.np_random`.
    Where the environment itself fails, the episode is truncated with `status` "env_error" and `reason`; if it fails in
    `reset` already, `info` says so there, and the first step ends the episode.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012  # declared so by Gymnasium

    def __init__(
        self,
        game: str | TextGame,
        *,
        seat: str = "player_0",
        opponents: Any = "random",
        invalid: object = "forfeit",
        max_turns: int | None = None,
        render_mode: str | None = None,
        **game_kwargs: Any,
    ) -> None:
        self.game = as_game(game, game_kwargs)
        self.referee = Referee(self.game, invalid=invalid, max_turns=max_turns)
        if seat != "random" and seat not in self.game.seats:
            raise ValueError(f"seat is one of {', '.join(self.game.seats)}, or random: got {seat!r}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode is ansi or None: got {render_mode!r}")
        self.render_mode = render_mode
        self.learner = self.game.seats[0] if seat == "random" else seat
        """The learner's seat in this episode."""
        others = self.game.seats if seat == "random" else [name for name in self.game.seats if name != seat]
        self.opponents = make_opponents(opponents, others, self.game)
        self._talkers = [one for one in self.opponents.values() if not isinstance(one, ScriptedOpponent)]
        self.observation_space = FreeText()
        self.action_space = FreeText(sampler=self.sample_reply)
        self._draws_seat = seat == "random"
        self._unpaid = 0.0  # reward of the learner from before its first turn
        self._over = True  # until the first reset
        self._transcript: list[str] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode and let the opponents play up to the learner's first turn."""
        return self.begin(self.draw(seed))

    def draw(self, seed: int | None = None) -> int:
        """The first half of `reset`: draw the seed of the next episode, and the learner's seat where it is random."""
        super().reset(seed=seed)
        if self._draws_seat:
            self.learner = self.game.seats[int(self.np_random.integers(len(self.game.seats)))]
        # What integers(2**63) would draw, at a fifth of its cost: half of all turns of a short game are its first.
        return int(self.np_random.bit_generator.random_raw()) >> 1

    def begin(self, seed: int, rng: np.random.Generator | None = None) -> tuple[str, dict[str, Any]]:
        """The second half of `reset`: begin the episode of this seed. rng: as in `Referee.start`."""
        self.referee.start(seed, rng)
        for opponent in self._talkers:
            opponent.start()
        self._transcript, self._over = [], False
        self._unpaid = self._play_opponents()
        return self._observe(), self._info(None)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Play the learner's reply, then the opponents up to the learner's next turn.

        Where an opponent ended the episode before the learner's first turn, the first step only reports it.
        Raises TypeError for a reply that is no text, ResetNeeded before a reset and after the end.
        """
        if not isinstance(action, str):
            raise TypeError(f"step needs the reply as a str: got {type(action).__name__}")
        if self._over:
            raise gymnasium.error.ResetNeeded("step needs a running episode: call reset first")
        reward, self._unpaid, outcome = self._unpaid, 0.0, None
        if self.render_mode:
            self._transcript.append(f"{self.learner}: {action}")
        if self.referee.seat is not None:
            outcome = self.referee.submit(action)
            reward += outcome.rewards.get(self.learner, 0.0)
            reward += self._play_opponents()
        observation = self._observe()
        self._over = self.referee.seat is None
        truncated = self._over and self.referee.status != "ok"
        return observation, reward, self._over and not truncated, truncated, self._info(outcome)

    def render(self) -> str | None:
        """What the learner has read and written in this episode, in mode ansi."""
        return "\n".join(self._transcript) if self.render_mode else None

    def close(self) -> None:
        """Let go of what the game holds."""
        self.game.close()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copied space has lost the game that it samples from: give it this one."""
        self.__dict__.update(state)
        self.action_space.sampler = self.sample_reply  # type: ignore[attr-defined]

    def _play_opponents(self) -> float:
        """Play until the learner has to act or the episode is over; what the learner got meanwhile."""
        reward, failures, referee = 0.0, 0, self.referee
        while referee.seat is not None and referee.seat != self.learner:
            seat = referee.seat
            try:
                outcome = self.opponents[seat].play(referee, self.np_random)
            except EnvFailure as error:
                referee.fail(error)
                break
            reward += outcome.rewards.get(self.learner, 0.0)
            failures = 0 if outcome.status == "ok" else failures + 1
            if failures == _MOST_FAILURES:
                raise RuntimeError(
                    f"the opponent at {seat} gave {failures} replies in a row that were not valid, the last: "
                    f"{outcome.info['reason']}; use an invalid policy that ends, such as retry(2), or max_turns"
                )
        return reward

    def _observe(self) -> str:
        text = self.referee.observe(self.learner)
        if self.render_mode:
            self._transcript.append(text)
        return text

    def _info(self, outcome: Outcome | None) -> dict[str, Any]:
        referee = self.referee
        legal = self.game.legal() if referee.seat is not None else ()
        info: dict[str, Any] = {
            "seat": self.learner,
            "legal_actions": None if legal is None else tuple(legal),
            "status": "ok",
            "action": None,
        }
        if outcome is not None:
            info = {**outcome.info, **info, "status": outcome.status, "action": outcome.action}
        if referee.failure is not None:
            info |= {"status": "env_error", "reason": referee.failure}
        return info

    def sample_reply(self, rng: np.random.Generator) -> str | None:
        """A legal reply of the learner, drawn at random; None where it has none to give."""
        if self.referee.seat != self.learner:
            return None
        try:
            return write_action(self.game.sample_action(rng), self.game.legal())
        except EnvFailure:  # the next step reports it
            return None
