"""The official checkers of Gymnasium and PettingZoo, on the views as a user gets them."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from turnwise.envs.checker.play import clipped
from turnwise.envs.checker.result import Figures, NotApplicable, require
from turnwise.envs.checker.subject import SLOW_TURN_S, Subject
from turnwise.envs.parsing import write_action
from turnwise.envs.referee import Referee


def gymnasium_check_env(subject: Subject) -> Figures:
    """Gymnasium's `check_env` passes for every seat and for a drawn one; a warning is a failure."""
    from gymnasium.utils.env_checker import check_env

    seats = subject.make().seats
    for seat in seats if len(seats) == 1 else (*seats, "random"):
        with _quiet("error"):
            env = subject.gym_env(seat=seat)
            check_env(env, skip_render_check=subject.spec is None)  # that needs an id
            env.close()
    return {"seats": float(len(seats))}


def gymnasium_plays_legally(subject: Subject) -> Figures:
    """Samples of the action space are legal replies, and an episode ends as `step` says."""
    env = subject.gym_env(seat="random")
    statuses = _spy(env.referee)
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(subject.horizon):
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        require(not (terminated and truncated), "step returned terminated and truncated at once: at most one holds")
        if terminated or truncated:
            env.reset()
    env.close()
    return _all_ok(statuses)


def gymnasium_make_vec(subject: Subject) -> None:
    """Environment i of a vector plays as a single one with its seed does."""
    if subject.spec is None:
        raise NotApplicable("the game has no id for gymnasium.make_vec")
    import gymnasium

    many: Any = gymnasium.make_vec(subject.spec.id, 2, **subject.kwargs)
    singles = [subject.gym_env() for _ in range(2)]
    came, _ = many.reset(seed=[0, 1])
    wanted = [env.reset(seed=seed)[0] for seed, env in enumerate(singles)]
    rng = np.random.default_rng(0)
    for _ in range(subject.horizon):
        require(came == tuple(wanted), f"a vector observes what its envs do alone: {clipped(wanted)}, {clipped(came)}")
        replies = [_sampled(env.referee, rng) for env in singles]
        came, _, terminations, truncations, _ = many.step(replies)
        steps = [env.step(reply) for env, reply in zip(singles, replies, strict=True)]
        require(
            [step[2:4] for step in steps] == list(zip(terminations.tolist(), truncations.tolist(), strict=True)),
            "a vector's episodes end when those of its envs do",
        )
        wanted = [step[0] for step in steps]
        if any(step[2] or step[3] for step in steps):
            break
    require(came == tuple(wanted), f"a vector observes what its envs do alone: {clipped(wanted)}, {clipped(came)}")
    many.close()


def _sampled(referee: Referee, rng: np.random.Generator) -> str:
    """A legal reply of the seat to act; any text where the episode is over already."""
    return "" if referee.seat is None else write_action(referee.game.sample_action(rng), referee.game.legal())


def pettingzoo_api_test(subject: Subject) -> Figures:
    """PettingZoo's `api_test` passes, and what it plays is legal."""
    from pettingzoo.test import api_test

    env = subject.aec_env()
    statuses = _spy(env.referee)
    with _quiet("ignore"):  # it would rather see arrays and boxes
        api_test(env, num_cycles=_cycles(subject))
    env.close()
    return _all_ok(statuses)


def pettingzoo_seed_test(subject: Subject) -> None:
    """PettingZoo's `seed_test` passes."""
    from pettingzoo.test import seed_test

    with _quiet("ignore"):
        seed_test(subject.aec_env, num_cycles=_cycles(subject) // 2)


def pettingzoo_parallel_tests(subject: Subject) -> Figures:
    """`parallel_api_test` and `parallel_seed_test` pass: on our parallel view where seats move at once, else through
    PettingZoo's own `turn_based_aec_to_parallel`.
    """
    from pettingzoo.test import parallel_api_test, parallel_seed_test
    from pettingzoo.utils.conversions import turn_based_aec_to_parallel

    at_once = subject.make().simultaneous

    def make() -> Any:
        return subject.parallel_env() if at_once else turn_based_aec_to_parallel(subject.aec_env())

    with _quiet("ignore"):
        parallel_api_test(make(), num_cycles=_cycles(subject) // 2)
        parallel_seed_test(make, num_cycles=_cycles(subject) // 2)
    return {"view": "TextGameParallel" if at_once else "turn_based_aec_to_parallel"}


def _cycles(subject: Subject) -> int:
    """Cycles of a checker; each asks every seat once."""
    return subject.horizon if subject.turn_s < SLOW_TURN_S else 10


def _spy(referee: Any) -> Counter[str]:
    """Counts the status of every reply that this referee is given from now on."""
    seen: Counter[str] = Counter()
    submit = referee.submit

    def spy(reply: str, *, cut: bool = False) -> Any:
        outcome = submit(reply, cut=cut)
        seen[outcome.status] += 1
        return outcome

    referee.submit = spy
    return seen


def _all_ok(statuses: Counter[str]) -> Figures:
    require(set(statuses) == {"ok"}, f"sampled replies are legal: their statuses were {dict(statuses)}")
    return {"replies": float(statuses["ok"])}


@contextlib.contextmanager
def _quiet(action: Any) -> Iterator[None]:
    """Standard output swallowed, and every warning an error or ignored."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter(action)
        yield
