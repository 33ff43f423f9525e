"""`ContextualBandit`: which arm pays most depends on who comes."""

from __future__ import annotations

import copy
from math import inf
from typing import Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, SOLO, bracketed, need_legal, need_seat, one_of, whole
from turnwise.envs.bandits.arms import linear_arms, payment_bounds
from turnwise.envs.bandits.bandit import HISTORIES
from turnwise.envs.bandits.index import Index, linucb_index, regret
from turnwise.envs.bandits.memory import Memory, compact_raw, compact_summary, hint_lines, money, summary_lines
from turnwise.envs.bandits.scenarios import CONTEXTUAL, MOST_ARMS, MOST_FEATURES
from turnwise.envs.core import Step, TextGame

ARMS = {"easy": 10, "hard": 30}


class ContextualBandit(TextGame):
    """A bandit with contexts and linear rewards, after the suite of EVOLvE (arXiv:2410.06238).

    Every turn a visitor comes whose interests are shared out over `features` topics, in twentieths. The seat chooses
    one of `arms` arms and is told what it paid: the arm's weights (each in [-1, 1]) times the shares, plus normal noise
    of standard deviation 0.1 (hard: 0.3), cut off at three of them. After `horizon` turns (200 in the suite) the game
    is over.
    Reward: what the arm paid. `info` gives `instant_regret` and `cumulative_regret`, both expected, against the best
    arm of every turn. Optimum: that arm in every turn, regret 0; LinUCB comes near it as the weights become known.
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
        features: int = 5,
        horizon: int = 50,
        scenario: str = "clothes",
        history: str = "summary",
        guide: bool = False,
        prompt: str = "full",
    ) -> None:
        """arms (2 to 30): by default 10, hard 30. features (1 to 10). horizon (1 to 10000): turns. history, guide: as
        in `Bandit`; the hints are LinUCB's for the visitor at hand, and every arm comes once first. Raises ValueError.
        """
        usual = ARMS[one_of("level", level, self.levels)]
        self.arms = whole("arms", usual if arms is None else arms, 2, MOST_ARMS)
        self.features = whole("features", features, 1, MOST_FEATURES)
        self.level = level
        self.horizon = whole("horizon", horizon, 1, 10_000)
        self.scenario = one_of("scenario", scenario, tuple(CONTEXTUAL))
        self.task = f"linear {self.scenario}"
        self._summary = one_of("history", history, HISTORIES) == "summary"
        self._guide = guide
        self._compact = one_of("prompt", prompt, PROMPTS) == "compact"
        low, high = payment_bounds("linear", level)
        self.utility_bounds = (low * self.horizon, high * self.horizon)

    def start(self, rng: np.random.Generator) -> None:
        words = CONTEXTUAL[self.scenario].arms
        self._names = tuple(words[i] for i in rng.permutation(len(words))[: self.arms].tolist())
        self._made, self._contexts = linear_arms(self.arms, self.features, self.horizon, str(self.level), rng)
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
        return "\n".join([self._news, *((self._visitor(), *self._told()) if self.seat else ())])

    def legal(self) -> tuple[str, ...]:
        """The names of all arms."""
        return self._names if self.seat else ()

    def play(self, action: str) -> Step:
        need_legal(action, self.legal(), self.seat, "choose one of the names that were listed")
        arm, turn = self._names.index(action), self._turns()
        paid = float(self._made.payments[turn, arm])
        self._memory.add(arm, paid)
        self._unread = True
        over = turn + 1 == self.horizon
        if over:
            self.seat = None
        self._news = f"{action}: {money(paid)}. {self._turn()}"
        lost = float(regret(self._made.means[turn], [arm]).instant[0])
        self._regret += lost
        info = {"instant_regret": lost, "cumulative_regret": self._regret}
        return Step({SOLO[0]: paid}, terminated=over, info=info)

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def ground_truth(self) -> str:
        """The arm with the highest expected payment of every turn, from the first to the last."""
        return " ".join(self._names[best] for best in np.argmax(self._made.means, axis=1).tolist())

    def anchor(self) -> str:
        """All that the seat can know: the choices, the visitors up to now, what was chosen and what it paid."""
        now = [self._visitor()] if self.seat else []
        return "\n".join([" ".join(self._names), *self._past(), *now])

    def board(self, seat: str) -> str:
        now = [self._visitor(), *summary_lines(self._memory, self._hints())] if self.seat else []
        return "\n".join([self._turn(), *self._past(), *now])

    def solution(self) -> tuple[str, ...]:
        """The best arm of every turn that is left."""
        return tuple(self.ground_truth().split()[self._turns() :])

    def _turns(self) -> int:
        return len(self._memory.arms)

    def _hints(self) -> Index | None:
        if not self._guide or self.seat is None:
            return None
        turn, chosen, paid = self._turns(), np.array(self._memory.arms, dtype=np.intp), np.array(self._memory.rewards)
        contexts = self._contexts.shares
        found = [
            linucb_index(contexts[:turn][chosen == arm], paid[chosen == arm], contexts[turn])
            for arm in range(self.arms)
        ]
        bonus = [each.bonus if arm in self._memory.arms else inf for arm, each in enumerate(found)]
        return Index(np.array([each.exploit for each in found]), np.array(bonus))

    def _shares(self, turn: int) -> str:
        words = CONTEXTUAL[self.scenario].features
        return ", ".join(
            f"{words[i]} {money(share)}" for i, share in enumerate(self._contexts.shares[turn].tolist()) if share
        )

    def _past(self) -> list[str]:
        """One line per turn: the visitor, the choice, what it paid."""
        return [
            f"{turn}. {self._shares(turn - 1)}; {self._names[arm]}: {money(paid)}"
            for turn, (arm, paid) in enumerate(zip(self._memory.arms, self._memory.rewards, strict=True), start=1)
        ]

    def _visitor(self) -> str:
        return f"Visitor: {self._shares(self._turns())}"

    def _told(self) -> list[str]:
        hints = self._hints()
        if self._summary:
            return summary_lines(self._memory, hints)
        return [] if hints is None else hint_lines(self._memory, hints)

    def _turn(self) -> str:
        if self._turns() < self.horizon:
            return f"Turn {self._turns() + 1} of {self.horizon}."
        return f"The game is over. You earned {money(sum(self._memory.rewards))} in {self.horizon} turns."

    def _rules(self) -> str:
        guide = (
            " As a hint you are shown the exploitation value of each choice for this visitor (what it seems to pay) "
            "and its exploration bonus (how much more it might pay); the choice with the largest sum is a good one."
            if self._guide
            else ""
        )
        return (
            f"{CONTEXTUAL[self.scenario].intro} You have {self.horizon} turns; earn as much as you can in all.{guide}\n"
            f"Choices: {', '.join(self._names)}.\n"
            f"Answer with one choice in square brackets, for example {bracketed(self._names[:1])}.\n{self._turn()}"
        )

    def _compact_text(self) -> str:
        if self.seat is None:
            return f"over {money(sum(self._memory.rewards))}"
        told = compact_summary if self._summary else compact_raw
        return f"turn {self._turns() + 1} of {self.horizon}, {self._shares(self._turns())}: " + told(
            self._memory, self._hints()
        )
