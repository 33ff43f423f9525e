"""Games that break one promise each, and else are as those of `kit_games`. `FAULTS`: which check finds which."""

from __future__ import annotations

import copy
import random
import time
from typing import Any, ClassVar, Self

import numpy as np
from kit_games import Cards, Chat, Hunt

from turnwise.envs.core import IllegalAction, Step


class ObservesBytes(Hunt):
    def observe(self, seat: str) -> Any:
        return super().observe(seat).encode()


class SamplesNonsense(Hunt):
    def sample_action(self, rng: np.random.Generator) -> str:
        return "fly"


class CountsAllHunts(Hunt):
    count: ClassVar[int] = 0

    def start(self, rng: np.random.Generator) -> None:
        super().start(rng)
        type(self).count += 1
        self.news += f" This is hunt {self.count} of the process."


class CountsAllCards(Cards):
    count: ClassVar[int] = 0

    def start(self, rng: np.random.Generator) -> None:
        super().start(rng)
        type(self).count += 1
        self.number = self.count

    def play(self, action: str) -> Step:
        step = super().play(action)
        self.unread = [f"{text} This was game {self.number} of the process." for text in self.unread]
        return step


class Remembers(Hunt):
    played = 0

    def start(self, rng: np.random.Generator) -> None:
        super().start(rng)
        self.played += 1
        self.news += f" Your game number {self.played}."


class SharesItsField(Hunt):
    where: ClassVar[dict[str, int]] = {}

    @property
    def at(self) -> int:
        return self.where.get("at", 0)

    @at.setter
    def at(self, value: int) -> None:
        self.where["at"] = value


class DrawsGlobally(Hunt):
    def start(self, rng: np.random.Generator) -> None:
        super().start(rng)
        self.news += f" {random.random()}"


class SeedsGlobally(Hunt):
    def start(self, rng: np.random.Generator) -> None:
        super().start(rng)
        np.random.seed(0)  # noqa: NPY002


class ClonesItself(Hunt):
    def clone(self) -> Self:
        return self


class ClonesHalf(Cards):
    def clone(self) -> Self:
        return copy.copy(self)  # the lists stay shared


class CannotPickle(Hunt):
    def start(self, rng: np.random.Generator) -> None:
        super().start(rng)
        self.hook = lambda: None


class OneAnchor(Hunt):
    def anchor(self) -> str:
        return "here"


class AnchorOfReading(Hunt):
    def anchor(self) -> str:
        return f"{super().anchor()} {len(self.news)}"


class BoardMoves(Hunt):
    def board(self, seat: str) -> str:
        self.turns += 1
        return super().board(seat)


class RepeatsItself(Hunt):
    def observe(self, seat: str) -> str:
        return self.news


class SaysNothing(Hunt):
    def observe(self, seat: str) -> str:
        return ""


class ShowsTheOtherCard(Cards):
    def observe(self, seat: str) -> str:
        text = super().observe(seat)
        return text and f"{text} The other reads: {self.secrets('player_0')[0]}"


class TalksTooMuch(Hunt):
    def observe(self, seat: str) -> str:
        return super().observe(seat) * 5_000


class NamesAlike(Hunt):
    def legal(self) -> tuple[str, ...]:
        return (*super().legal(), "D ig") if self.seat else ()


class NamesInBrackets(Hunt):
    def legal(self) -> tuple[str, ...]:
        return (*super().legal(), "dig [deep]") if self.seat else ()


class TakesEverything(Hunt):
    def play(self, action: str) -> Step:
        return super().play(action if action in self.legal() else "dig")


class MovesBeforeItRefuses(Hunt):
    def play(self, action: str) -> Step:
        self.turns += 1
        return super().play(action)


class RaisesOtherErrors(Hunt):
    def play(self, action: str) -> Step:
        if action not in self.legal():
            raise KeyError(action)
        return super().play(action)


class NoBounds(Hunt):
    utility_bounds = (float("nan"), 1.0)


class ReadsNumbers(Chat):
    def play(self, action: str) -> Step:
        if action.strip().isdigit():
            int(action[:1].encode("ascii"))
        return super().play(action)


class EchoesAll(Chat):
    def play(self, action: str) -> Step:
        if len(action) > 50_000:
            raise IllegalAction(f"{action} is too long")
        return super().play(action)


class Crawls(Chat):
    def play(self, action: str) -> Step:
        if len(action) > 50_000:
            end = time.process_time() + 0.3
            while time.process_time() < end:
                pass
        return super().play(action)


class RewardsNan(Chat):
    def play(self, action: str) -> Step:
        step = super().play(action)
        return step._replace(rewards={"player_0": float("nan")}) if "\x00" in action else step


class NeverEnds(Chat):
    def play(self, action: str) -> Step:
        super().play(action)
        self.seat, self.turns = "player_0", 0
        return Step({})


class EndsTwice(Hunt):
    def play(self, action: str) -> Step:
        step = super().play(action)
        return step._replace(truncated=step.terminated or step.truncated)


class PlaysOnAfterTheEnd(Chat):
    def play(self, action: str) -> Step:
        return Step({}) if self.seat is None else super().play(action)


class PaysTooMuch(Hunt):
    def play(self, action: str) -> Step:
        step = super().play(action)
        return step._replace(rewards=dict.fromkeys(step.rewards, 5.0))


class PaysStrangers(Cards):
    def play(self, action: str) -> Step:
        step = super().play(action)
        return step._replace(rewards={"player_7": 0.0, **step.rewards})


class PaysEarly(Cards):
    def play(self, action: str) -> Step:
        step = super().play(action)
        return step if step.rewards else Step({"player_0": 0.5, "player_1": -0.5})


class BothWin(Cards):
    def play(self, action: str) -> Step:
        step = super().play(action)
        return step._replace(rewards=dict.fromkeys(step.rewards, 1.0))


class HidesItsAnswer(Hunt):
    has_ground_truth = False


class PromisesABoard(Cards):
    has_board = True


class OneLevelOnly(Hunt):
    def start(self, rng: np.random.Generator) -> None:
        super().start(rng)
        self.level = "easy"


class SolvesWrongly(Hunt):
    def solution(self) -> tuple[str, ...]:
        return ("dig",) if self.spot else ("right", "dig")


class SolvesHalf(Hunt):
    def solution(self) -> tuple[str, ...]:
        return super().solution()[:-1] or ("right",)


class AnswersWithANumber(Hunt):
    def ground_truth(self) -> Any:
        return self.spot


class ChangesItsAnswer(Hunt):
    def ground_truth(self) -> str:
        return f"{self.spot} {self.turns}"


class UnknownLevel(Hunt):
    def start(self, rng: np.random.Generator) -> None:
        super().start(rng)
        self.level = "nightmare"


class LeadsInFreely(Hunt):
    def lead_in(self) -> str:
        return f"I am at {self.at}. "


class ToolWithoutType(Chat):
    def tools(self) -> Any:
        return ({"function": {"name": "look_up"}},)


class ToolNeedsMore(Chat):
    def tools(self) -> Any:
        (tool,) = copy.deepcopy(super().tools())
        tool["function"]["parameters"]["required"] = ["what", "where"]  # type: ignore[index]
        return (tool,)


class BuildsForLong(Hunt):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass


class Explodes(Hunt):
    def observe(self, seat: str) -> str:
        raise RuntimeError("boom")


FAULTS: list[tuple[str, type[Any], str]] = [
    ("gymnasium check_env", ObservesBytes, "not within the observation space"),
    ("gymnasium legal play", SamplesNonsense, "sampled replies are legal: their statuses were {'illegal'"),
    ("pettingzoo api_test", SamplesNonsense, "sampled replies are legal"),
    ("pettingzoo seed_test", CountsAllHunts, "AssertionError"),
    ("pettingzoo parallel tests", CountsAllCards, "AssertionError: Incorrect observations"),
    ("same seed, same episode", Remembers, "an object that has played before gave another: they part at turn 1"),
    ("same seed, same episode", CountsAllHunts, "one seed gives one episode"),
    ("interleaved episodes", SharesItsField, "an object beside which another plays gave another"),
    ("global generators", DrawsGlobally, "process-wide random and numpy.random are never touched"),
    ("global generators", SeedsGlobally, "process-wide random and numpy.random are never touched"),
    ("clone", ClonesItself, "a clone is another object"),
    ("clone", ClonesHalf, "a clone taken after 0 turns and its original play on alike: the original parts"),
    ("pickle", CannotPickle, "pickle"),
    ("anchor", OneAnchor, "equal anchors, equal states: 'here' stood for"),
    ("anchor", AnchorOfReading, "a game whose seat has read has the same anchor"),
    ("looking changes nothing", BoardMoves, "a board is the same at a second look"),
    ("read once", RepeatsItself, 'a second look without a move gives ""'),
    ("read once", SaysNothing, "the seat that acts has something to read: player_0 got ''"),
    ("secrets", ShowsTheOtherCard, "player_1 read a secret of player_0: 'You hold card"),
    ("prompt growth", TalksTooMuch, "an observation has at most 50,000 characters: one has"),
    ("legal names", NamesAlike, "legal names differ by more than case and blanks: got 'dig' and 'D ig'"),
    ("legal names", NamesInBrackets, "a legal name holds no square brackets: got 'dig [deep]'"),
    ("sampled actions", SamplesNonsense, "a sampled action is legal: 'fly' was illegal"),
    ("illegal actions", TakesEverything, "what is not in legal() is refused: '' was played"),
    ("illegal actions", MovesBeforeItRefuses, "an illegal action changes nothing: they part"),
    ("illegal actions", RaisesOtherErrors, "play raises nothing but IllegalAction: '' raised KeyError"),
    ("invalid policies", NoBounds, "who forfeits ends with the lowest return nan"),
    ("hostile actions", RaisesOtherErrors, "play raises nothing but IllegalAction"),
    ("hostile actions", ReadsNumbers, "play raises nothing but IllegalAction: '٣' raised UnicodeEncodeError"),
    ("hostile actions", EchoesAll, "a reason repeats at most 1000 characters"),
    ("hostile actions", Crawls, "a reply costs less than"),
    ("hostile replies", ReadsNumbers, "UnicodeEncodeError"),
    ("hostile replies", RewardsNan, "a reward is finite"),
    ("random play ends", NeverEnds, "an episode ends under random play: 300 replies did not end it"),
    ("terminated or truncated", EndsTwice, "got terminated=True, truncated=True"),
    ("terminated or truncated", PlaysOnAfterTheEnd, "play raises IllegalAction once the episode is over"),
    ("utility bounds", PaysTooMuch, "a return lies in utility_bounds (0, 1): player_0 got 5"),
    ("utility bounds", NoBounds, "bounds are finite and rise: got (nan, 1.0)"),
    ("rewards", PaysStrangers, "KeyError"),
    ("rewards", PaysEarly, "dense_rewards is False, so only the last step pays: turn 1 of 2 paid player_0 0.5"),
    ("zero sum", BothWin, "the returns of a zero-sum game sum to 0: got 2"),
    ("seat balance", Explodes, "RuntimeError: boom (at "),
    ("undeclared members", HidesItsAnswer, "has_ground_truth is False, yet the member works: declare it"),
    ("undeclared members", PromisesABoard, "has_board is True, so the member has to be written"),
    ("levels", OneLevelOnly, "level='hard' starts an episode of that level: level is 'easy'"),
    ("solution", SolvesWrongly, "the solution pays no less than random play: 0 against 1"),
    ("solution", SolvesHalf, "the solution ends the episode"),
    ("ground truth", AnswersWithANumber, "the ground truth is a text that is not empty: got"),
    ("ground truth", ChangesItsAnswer, "play does not change the ground truth"),
    ("task and level", UnknownLevel, "level is one of easy, hard, or None: got 'nightmare'"),
    ("lead-ins", LeadsInFreely, "lead_ins() holds every lead-in"),
    ("tools", ToolWithoutType, "a tool is a function"),
    ("tools", ToolNeedsMore, "what is required is a property: where is not"),
    ("making", BuildsForLong, "a game is made in less than 0.25 s"),
    ("speed", Explodes, "RuntimeError: boom"),
]
"""(check, game, part of what it says)."""
