"""A turnwise environment as verifiers runs it: every seat of the game is an agent of the environment.

A package of verifiers' is a module that exports two classes:

    from turnwise.interchange.verifiers import environment

    Environment, Tasks = environment("KuhnPoker-LLM")
    __all__ = ["Environment", "Tasks"]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import count
from typing import Any

from turnwise.envs.referee import Referee
from turnwise.envs.registry import make_game

HARNESS = {"id": "null"}
"""A seat costs its model calls and nothing else."""


def environment(
    game: str, *, invalid: object = "forfeit", max_turns: int | None = 100, first_seed: int = 0, **game_kwargs: Any
) -> tuple[type, type]:
    """(subclass of verifiers' Env, subclass of its Taskset) for a game of the registry.

    The settings of the environment have one agent per seat, named as the seat; all speak with the run's own model
    unless told otherwise, which is self-play. Every trace gets the seat's return as the reward `return`, and metrics
    `invalid` (its replies that were no legal move) and `turns`. Tasks are the seeds from `first_seed` on, without end.
    Raises ModuleNotFoundError, saying what to install.
    """
    vf = _verifiers()
    seats = make_game(game, **game_kwargs).seats
    defaults = {seat: vf.AgentConfig(harness=HARNESS) for seat in seats}
    annotations = dict.fromkeys(seats, vf.AgentConfig)
    settings = type(
        "TurnwiseConfig", (vf.EnvConfig,), {"__annotations__": annotations, "__module__": __name__, **defaults}
    )
    base_env, base_task = vf.Env[settings], vf.Task[vf.TaskData]

    class TurnwiseEnv(base_env):  # type: ignore[misc, valid-type]
        """One episode of the game, all seats of it."""

        async def run(self, task: Any, agents: Any) -> None:
            """Ask whose turn it is until the game is over."""
            referee = Referee(make_game(game, **game_kwargs), invalid=invalid, max_turns=max_turns)
            await play(vf, referee, task.data, agents)

    class TurnwiseTask(base_task):  # type: ignore[misc, valid-type]
        """A deal."""

    base_taskset = vf.Taskset[TurnwiseTask, vf.TasksetConfig]

    class TurnwiseTaskset(base_taskset):  # type: ignore[misc, valid-type]
        """Deals without end."""

        INFINITE = True

        def load(self) -> Iterator[Any]:
            """One task per seed; its place in the row is its seed's, less the first one."""
            for index in count():
                yield TurnwiseTask(vf.TaskData(idx=index, name=f"{game}#{first_seed + index}", prompt=None))

    return TurnwiseEnv, TurnwiseTaskset


async def play(vf: Any, referee: Referee, data: Any, agents: Any) -> None:
    """Play one episode through the seats' interactions, and record what each got."""
    seed = int(str(data.name).rpartition("#")[2])
    referee.start(seed)
    invalid, turns = dict.fromkeys(referee.game.seats, 0), dict.fromkeys(referee.game.seats, 0)
    async with AsyncExitStack() as stack:
        seats = {
            seat: await stack.enter_async_context(
                getattr(agents, seat).interaction(vf.Task(vf.TaskData(idx=data.idx, prompt=None)))
            )
            for seat in referee.game.seats
        }
        while (seat := referee.seat) is not None:
            segment = await seats[seat].turn(referee.observe(seat))
            outcome = referee.submit("" if segment.terminated else segment.last_reply)
            turns[seat] += 1
            invalid[seat] += outcome.status != "ok"
    for seat, interaction in seats.items():
        interaction.trace.record_reward("return", referee.returns[seat])
        interaction.trace.record_metric("invalid", float(invalid[seat]))
        interaction.trace.record_metric("turns", float(turns[seat]))
        interaction.trace.info["turnwise"] = {"seat": seat, "seed": seed, "status": referee.status}


def _verifiers() -> Any:
    try:
        import verifiers.v1 as vf
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"this needs verifiers 0.4, and {error.name} is not installed: pip install verifiers, in an environment "
            "without turnwise[mcp], whose mcp is another one"
        ) from None
    return vf
