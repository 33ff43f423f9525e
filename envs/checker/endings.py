"""How episodes end, and what they pay."""

from __future__ import annotations

import math
import time

from turnwise.envs.checker.play import Episode, clipped, walk
from turnwise.envs.checker.play import episode as play_episode
from turnwise.envs.checker.result import Figures, NotApplicable, require
from turnwise.envs.checker.subject import CHECK_S, LONGEST_EPISODE_S, MOST_TURNS, Subject
from turnwise.envs.core import IllegalAction

_ROUNDING = 1e-9
MOST_EPISODES = 500
"""Of the measurement of seat balance."""


def random_play_ends(subject: Subject) -> Figures:
    """Random play reaches an end of the game's own."""
    for episode in subject.sample:
        require(
            episode.ended,
            f"an episode ends under random play: {len(episode.turns)} replies did not end it "
            f"(limits: {MOST_TURNS} replies, {LONGEST_EPISODE_S:.0f} s)",
        )
    turns = [len(episode.turns) for episode in subject.sample]
    return {"turns per episode": sum(turns) / len(turns), "longest": float(max(turns))}


def terminated_or_truncated(subject: Subject) -> None:
    """The last step has one of the two, the steps before neither; afterwards no seat acts and nothing can be played."""
    for episode in _ended(subject):
        *earlier, last = episode.turns
        require(
            last.terminated != last.truncated,
            f"the last step is terminated or truncated: got terminated={last.terminated}, truncated={last.truncated}",
        )
        early = [turn for turn in earlier if turn.terminated or turn.truncated]
        require(not early, f"only the last step ends an episode: got {clipped(early[:1])} before it")
    _nothing_after_the_end(subject)


def _nothing_after_the_end(subject: Subject) -> None:
    referee = subject.referee()
    turns, seed = min((len(episode.turns), seed) for seed, episode in enumerate(subject.sample) if episode.ended)
    for _ in walk(referee, seed, limit=turns):
        pass
    game = referee.game
    if referee.seat is not None:
        return
    require(game.seat is None, f"no seat acts once the episode is over: seat is {game.seat!r}")
    try:
        game.play("x")
    except IllegalAction:
        return
    require(False, "play raises IllegalAction once the episode is over: it took another action")


def sampled_actions_are_legal(subject: Subject) -> Figures:
    """`sample_action` gives nothing that `play` refuses."""
    turns = [turn for episode in subject.sample for turn in episode.turns]
    for turn in turns:
        require(turn.status == "ok", f"a sampled action is legal: {clipped(turn.action)} was {turn.status}")
    return {"turns": float(len(turns))}


def returns_within_bounds(subject: Subject) -> Figures:
    """`utility_bounds` are finite and hold for the return of every seat of every episode."""
    low, high = subject.make().utility_bounds
    require(
        math.isfinite(low) and math.isfinite(high) and low < high, f"bounds are finite and rise: got ({low}, {high})"
    )
    for episode in _ended(subject):
        for seat, value in episode.returns:
            kept = low - _ROUNDING <= value <= high + _ROUNDING
            require(kept, f"a return lies in utility_bounds ({low:g}, {high:g}): {seat} got {value:g}")
    return {"lowest": float(low), "highest": float(high)}


def rewards_name_seats(subject: Subject) -> None:
    """Rewards are finite floats of known seats; where `dense_rewards` is False they come with the last step alone."""
    game = subject.make()
    for episode in subject.sample:
        for number, turn in enumerate(episode.turns):
            for seat, reward in turn.rewards:
                require(seat in game.seats, f"a reward is a seat's: got one of {seat!r}")
                fits = isinstance(reward, int | float) and not isinstance(reward, bool) and math.isfinite(reward)
                require(fits, f"a reward is a finite number: {seat} got {reward!r}")
                last = number == len(episode.turns) - 1
                require(
                    game.dense_rewards or last or reward == 0,
                    f"dense_rewards is False, so only the last step pays: turn {number + 1} of "
                    f"{len(episode.turns)} paid {seat} {reward:g}",
                )


def zero_sum(subject: Subject) -> None:
    """Returns sum to zero where `zero_sum` is declared."""
    if not subject.make().zero_sum:
        raise NotApplicable("zero_sum is False")
    for episode in _ended(subject):
        total = sum(value for _, value in episode.returns)
        require(abs(total) < _ROUNDING * 1000, f"the returns of a zero-sum game sum to 0: got {total:g}")


def seat_balance(subject: Subject) -> Figures:
    """Mean return of every seat under random play; measured, not judged."""
    episodes = [dict(episode.returns) for episode in _ended(subject)]
    referee, begin = subject.referee(), time.perf_counter()
    longest = max(len(episode.turns) for episode in subject.sample)
    quick = longest * subject.turn_s < CHECK_S
    while quick and time.perf_counter() - begin < CHECK_S and len(episodes) < MOST_EPISODES:
        more = play_episode(referee, len(episodes), limit=4 * longest)
        episodes += [dict(more.returns)] if more.ended else []
    means = {seat: sum(returns[seat] for returns in episodes) / len(episodes) for seat in referee.game.seats}
    return {"episodes": float(len(episodes)), **means}


def _ended(subject: Subject) -> list[Episode]:
    found = [episode for episode in subject.sample if episode.ended and episode.turns]
    if not found:
        raise NotApplicable("no episode of random play ended")
    return found
