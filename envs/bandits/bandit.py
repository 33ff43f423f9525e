"""`Bandit`: pull one of several arms, again and again, and find the one that pays most."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, SOLO, bracketed, need_legal, need_seat, one_of, whole
from turnwise.envs.bandits.arms import Arms, bernoulli_arms, gaussian_arms, payment_bounds
from turnwise.envs.bandits.index import Index, regret, ucb_index
from turnwise.envs.bandits.memory import (
    Memory,
    compact_raw,
    compact_summary,
    hint_lines,
    money,
    raw_lines,
    summary_lines,
)
from turnwise.envs.bandits.scenarios import MOST_ARMS, SCENARIOS
from turnwise.envs.core import Step, TextGame

KINDS = {"bernoulli": bernoulli_arms, "gaussian": gaussian_arms}
HISTORIES = ("raw", "summary")
ARMS = {"easy": 5, "hard": 20}


class Bandit(TextGame):
    """A bandit without contexts, after the suite of EVOLvE (arXiv:2410.06238).

    Every turn the seat chooses one of `arms` arms and is told what it paid; after `horizon` turns the game is over.
    Bernoulli: one arm pays 1 with probability 0.75 (hard: 0.6), the others with 0.25 (0.4). Gaussian: means and
    payments of standard deviation 1 (hard: 3), both cut off at three of them. The suite's horizons are 300 (easy) and
    1000 (hard).
    Reward: what the arm paid, so a return lies between the horizon's worst and best payments. `info` gives
    `instant_regret` and `cumulative_regret`, both expected. Optimum: the best arm from the first turn on, regret 0;
    UCB's regret grows like ln(horizon) / gap.
    """

    seats = SOLO
    can_clone = has_anchor = has_board = has_ground_truth = has_solution = True
    dense_rewards = True
    levels = tuple(ARMS)

    def __init__(
        self,
        *,
        level: str = "easy",
        arms: int | None = None,
        reward: str = "bernoulli",
        horizon: int = 50,
        scenario: str = "buttons",
        history: str = "summary",
        guide: bool = False,
        prompt: str = "full",
    ) -> None:
        """arms (2 to 30): by default 5, hard 20. horizon (1 to 10000): turns. history: what an observation repeats of
        the past, nothing (raw) or pulls and mean of every arm (summary); a compact one then holds all payments or the
        same. guide: show UCB's exploitation value and exploration bonus of every arm. Raises ValueError.
        """
        usual = ARMS[one_of("level", level, self.levels)]
        self.arms = whole("arms", usual if arms is None else arms, 2, MOST_ARMS)
        self.level = level
        self.kind = one_of("reward", reward, tuple(KINDS))
        self.horizon = whole("horizon", horizon, 1, 10_000)
        self.scenario = one_of("scenario", scenario, tuple(SCENARIOS))
        self.task = f"{self.kind} {self.scenario}"
        self._summary = one_of("history", history, HISTORIES) == "summary"
        self._guide = guide
        self._compact = one_of("prompt", prompt, PROMPTS) == "compact"
        low, high = payment_bounds(self.kind, level)
        self.utility_bounds = (low * self.horizon, high * self.horizon)

    def start(self, rng: np.random.Generator) -> None:
        words = SCENARIOS[self.scenario].arms
        self._names = tuple(words[i] for i in rng.permutation(len(words))[: self.arms].tolist())
        self._made: Arms = KINDS[self.kind](self.arms, self.horizon, str(self.level), rng)
        self._memory = Memory(self._names)
        self._regret = 0.0
        self._news = self._rules()
        self._unread = True
        self.seat = SOLO[0]

    def observe(self, seat: str) -> str:
        need_seat(seat, self.seats)
        if not self._unread:
            return ""
        self._unread = False
        if self._compact:
            return self._compact_text()
        return "\n".join([self._news, *(self._told() if self.seat else ())])

    def legal(self) -> tuple[str, ...]:
        """The names of all arms."""
        return self._names if self.seat else ()

    def play(self, action: str) -> Step:
        need_legal(action, self.legal(), self.seat, "choose one of the names that were listed")
        arm = self._names.index(action)
        paid = float(self._made.payments[self._memory.arms.count(arm), arm])
        self._memory.add(arm, paid)
        self._unread = True
        over = len(self._memory.arms) == self.horizon
        if over:
            self.seat = None
        self._news = f"{action}: {money(paid)}. {self._turn()}"
        lost = float(regret(self._made.means, [arm]).instant[0])
        self._regret += lost
        info = {"instant_regret": lost, "cumulative_regret": self._regret}
        return Step({SOLO[0]: paid}, terminated=over, info=info)

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def ground_truth(self) -> str:
        """The arm with the highest expected payment."""
        best: str = self._names[int(np.argmax(self._made.means))]
        return best

    def anchor(self) -> str:
        """Pulls and payments of every arm: all that matters, since the order does not."""
        return compact_raw(self._memory, None)

    def board(self, seat: str) -> str:
        return "\n".join([self._turn(), *raw_lines(self._memory), *summary_lines(self._memory, self._hints())])

    def solution(self) -> tuple[str, ...]:
        """The best arm, for all turns that are left."""
        return (self.ground_truth(),) * (self.horizon - len(self._memory.arms))

    def _hints(self) -> Index | None:
        return ucb_index(self._memory.sums(), self._memory.pulls()) if self._guide else None

    def _told(self) -> list[str]:
        hints = self._hints()
        if self._summary:
            return summary_lines(self._memory, hints)
        return [] if hints is None else hint_lines(self._memory, hints)

    def _turn(self) -> str:
        turn = len(self._memory.arms) + 1
        if turn <= self.horizon:
            return f"Turn {turn} of {self.horizon}."
        return f"The game is over. You earned {money(sum(self._memory.rewards))} in {self.horizon} turns."

    def _rules(self) -> str:
        guide = (
            " As a hint you are shown the exploitation value of each choice (what it seems to pay) and its exploration "
            "bonus (how much more it might pay); the choice with the largest sum is a good one."
            if self._guide
            else ""
        )
        return (
            f"{SCENARIOS[self.scenario].intro} You have {self.horizon} turns; earn as much as you can in all.{guide}\n"
            f"Choices: {', '.join(self._names)}.\n"
            f"Answer with one choice in square brackets, for example {bracketed(self._names[:1])}.\n{self._turn()}"
        )

    def _compact_text(self) -> str:
        told = compact_summary if self._summary else compact_raw
        text = told(self._memory, self._hints())
        if self.seat is None:
            return f"over {money(sum(self._memory.rewards))}"
        return f"turn {len(self._memory.arms) + 1} of {self.horizon}: {text}"
