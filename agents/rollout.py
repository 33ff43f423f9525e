"""`Rollout`: the only loop over environment steps. Many episodes at once, requests batched across them."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

import numpy as np

from turnwise.agents.engine import AgentFailure
from turnwise.agents.owed import Owed
from turnwise.agents.plan import Plan, in_text, plans
from turnwise.agents.sampling import derive_seeds
from turnwise.agents.table import Agent, Table
from turnwise.agents.talk import Talk, opening
from turnwise.envs.core import EnvFailure, TextGame, Unsupported
from turnwise.envs.history import played_game
from turnwise.envs.referee import Outcome, Referee
from turnwise.envs.registry import make_game
from turnwise.envs.seeding import generators
from turnwise.envs.workers import may_block
from turnwise.records import Episode, Reply

__all__ = ["Agent", "Plan", "Rollout", "Table", "plans"]

Held = tuple[Referee, TextGame, bool]
"""A referee, the game behind whatever tells its history, and whether a call of the game waits for a worker."""
RECORDED = ("anchor", "ground_truth")
_MOST_THREADS = 32
_WAIT_S = 1.0
"""How long a pass waits for replies where there is nothing else to do."""
_CHANCES = 1024
"""Generators that are made at once."""
_GRACE_S = 0.01
"""How long a pass waits for games in workers, so that an agent gets one large batch instead of two."""


class Rollout:
    """Plays planned episodes with a set of agents. Holds games between calls, so that none is built twice.

    An agent that has a `stream` is handed every request by itself, and a reply is played as soon as it is there; every
    other one is asked once a pass, for all seats of its that wait. An agent that cannot reply ends the episode with
    status "agent_error" or "timeout".

    Games in worker processes are started and played in threads, so that no episode waits for another one: who is still
    busy is left out of a pass. What an episode becomes depends on its plan alone, never on who was faster. An episode
    whose environment fails has status "env_error", what failed in `metadata["failure"]`, and the turns so far.

    `collect` plays episodes from end to end. Who wants to look at them in between takes them in steps: `seat` begins
    one, `play_turn` carries one reply to each of some tables, `fork` copies a table, `finish` and `release` give its
    game back.
    """

    def __init__(
        self,
        agents: Mapping[str, Agent],
        *,
        invalid: object = "forfeit",
        max_turns: int | None = None,
        concurrency: int = 1024,
        retries: int = 0,
        record_messages: bool = True,
        record: frozenset[str] = frozenset(),
    ) -> None:
        """`concurrency`: most episodes alive at once. `record_messages`: keep each turn's observation in its record.

        retries: how often `collect` begins an episode that failed (its environment, an agent) again from its seed.
        record: what else is kept of games that have it: "anchor" (a key of the state before each turn), "ground_truth".
        """
        if concurrency < 1:
            raise ValueError(f"rollout.concurrency is at least 1: got {concurrency}")
        if retries < 0:
            raise ValueError(f"rollout.retries is at least 0: got {retries}")
        self.agents = agents
        self.invalid, self.max_turns = invalid, max_turns
        self.concurrency, self.retries, self.record_messages = concurrency, retries, record_messages
        if record - set(RECORDED):
            raise ValueError(f"a rollout can record {', '.join(RECORDED)}: got {', '.join(sorted(record))}")
        self.records_anchor, self.records_ground_truth = "anchor" in record, "ground_truth" in record
        self.answered = 0
        """Valid replies so far that a game went on after: in a game of tools, calls of them. Copies do not count."""
        self.retried = 0
        """Episodes so far that were begun again."""
        self._idle: dict[str, list[Held]] = {}
        self._latest: tuple[str, Mapping[str, object], str] = ("", {}, "")
        """Game and arguments that were asked for last, and their key: most plans in a row are for one game."""
        self._guests: tuple[Mapping[str, str], tuple[str, ...], dict[str, Agent]] | None = None
        """The seats that somebody was found for last, those that the game needs, and who: most plans of a
        `collect` name the same ones."""
        self._openings: dict[tuple[int, str], Talk] = {}
        """(id of an agent, the first text that it reads) -> the talk; of one `collect`, where the agents stay."""
        self._threads: ThreadPoolExecutor | None = None
        self._owed = Owed()

    def collect(self, plans: Sequence[Plan]) -> list[Episode]:
        """The episodes, in the order of the plans. Agents are asked once a pass, for every seat of theirs that waits.

        One that fails is begun again from its seed, `retries` times at most. Raises ValueError where a plan does not
        fit its game or these agents.
        """
        episodes: list[Episode | None] = [None] * len(plans)
        self._begin()
        try:
            self._play_all(deque((index, plan, 0) for index, plan in enumerate(plans)), _chances(plans), episodes)
        except BaseException:
            self._owed.withdraw()
            raise
        finally:
            self._begin()
        return episodes  # type: ignore[return-value]  # every plan was seated and every table ended

    def _play_all(
        self,
        waiting: deque[tuple[int, Plan, int]],
        chances: Iterator[np.random.Generator],
        episodes: list[Episode | None],
    ) -> None:
        """waiting: (place of the episode, its plan, how often it has failed). chances: of those that never did."""
        failed: dict[int, int] = {}
        here: list[Table] = []  # all but those that wait for an agent's reply

        def goes_on(table: Table) -> bool:
            """End it or read what it is asked next, while what belongs to it is at hand."""
            if table.over:
                self._end(table, waiting, episodes, failed.pop(table.index, 0))
                return False
            if table.busy is None:
                table.hear()
            return True

        while waiting or here or self._owed:
            here += self._seat_next(waiting, chances, self.concurrency - len(here) - len(self._owed), failed)
            ready = self._ready(here)
            away = [table for table in here if table.busy is not None]
            self._pass(ready)
            here = [table for table in ready if not table.asked and goes_on(table)]
            if self._owed:
                working = away or any(table.busy is not None for table in here)
                here += self._owed.receive(_GRACE_S if working else _WAIT_S, goes_on)
            here += away

    def _end(
        self, table: Table, waiting: deque[tuple[int, Plan, int]], episodes: list[Episode | None], times: int
    ) -> None:
        """Write the episode down, or let it begin again. times: how often it has failed before."""
        if table.failed and times < self.retries:
            waiting.appendleft((table.index, table.plan, times + 1))
            self.retried += 1
        else:
            episodes[table.index] = table.episode()
        self.release(table)

    # In steps

    def seat(self, plan: Plan) -> Table:
        """A live episode of this plan, its prefix made again. Raises ValueError where the plan does not fit.

        A prefix that the game does not follow is a failure of the environment.
        """
        self._begin()
        return Table(plan, self)

    def play_turn(self, tables: Sequence[Table], limit: int | Sequence[int | None] | None = None) -> None:
        """Every table that is not over gets one reply of whoever is to act. Waits for games in workers.

        limit: most tokens that the reply may grow by, for all tables or for each; None for the agent's own limit. A
        reply that is not finished by then stays at its table as `partial`, and no move is made.
        """
        limits = [limit] * len(tables) if limit is None or isinstance(limit, int) else limit
        for table, most in zip(tables, limits, strict=True):
            if most is not None and most < 1:
                raise ValueError(f"a reply grows by at least 1 token: got the limit {most}")
            table.rest()
            table.limit = most
        self._pass(tables)
        try:
            while self._owed:
                self._owed.receive(_WAIT_S)
        except BaseException:
            self._owed.withdraw()
            raise
        for table in tables:
            table.rest()
            table.limit = None

    def fork(self, table: Table, plan: Plan) -> Table:
        """An independent table for `plan` that is where `table` is; the plan says who its parent is, or else this does.

        The game is cloned, or played again where it cannot be. Raises ValueError where the table is over or the plan
        is for another game.
        """
        table.rest()
        origin = table.plan
        if table.over:
            raise ValueError(f"an episode is forked while it is played: {origin.id!r} is over")
        if (plan.env_id, plan.seed, plan.env_kwargs) != (origin.env_id, origin.seed, origin.env_kwargs):
            raise ValueError(f"a fork plays its parent's game from its seed: {plan.id!r} and {origin.id!r} differ")
        self._begin()
        if plan.parent is None:
            plan = replace(plan, parent=origin.id, fork_turn=len(table.drafts))
        strangers = {seat for seat in plan.seats if not self.reads_alike(origin.seats[seat], plan.seats[seat])}
        twin = None if strangers else self._clone(table.referee)
        if twin is not None:
            return table.copy(plan, twin)
        if table.partial is not None and strangers:
            raise ValueError(f"a reply that was begun is gone on with by an agent that reads its tokens: {plan.seats}")
        turns = tuple([in_text(turn) if turn.seat in strangers else turn for turn in table.turns])
        return Table(replace(plan, prefix=turns, partial=table.partial), self)

    def finish(self, table: Table) -> Episode:
        """The record of the episode as far as it has been played; the table is of no more use."""
        table.rest()
        episode = table.episode()
        self.release(table)
        return episode

    def release(self, table: Table) -> None:
        """Give the table's game back; the table is of no more use."""
        if table.busy is not None:
            table.rest()
        if table.game_key is None:
            table.referee.game.close()
        else:
            self._idle[table.game_key].append((table.referee, table.game, table.slow))

    def _clone(self, referee: Referee) -> Referee | None:
        """A copy, or None where the game cannot be copied: it can still be played again."""
        try:
            return referee.clone() if referee.game.can_clone else None
        except (EnvFailure, Unsupported):
            return None

    def reads_alike(self, name: str, other: str) -> bool:
        """Can the agent `other` go on with what `name` has read and said in tokens, or does it need none?"""
        context = getattr(self.agents.get(other), "context", None)
        return context is None or context is getattr(self.agents[name], "context", None)

    def beside(self, agents: Mapping[str, Agent]) -> Rollout:
        """A rollout under the same rules, on the same games, with further agents."""
        twin = copy.copy(self)
        twin.agents = {**self.agents, **agents}
        twin._begin()
        return twin

    # Inside

    def _begin(self) -> None:
        """Forget what holds only while agents and plans stay the same."""
        self._guests, self._openings = None, {}

    def opening(self, text: str, agent: Agent) -> Talk:
        """The talk that an agent opens by reading a text."""
        talk = self._openings.get((id(agent), text))
        if talk is None:
            talk = self._openings[id(agent), text] = opening(text, agent)
        return talk

    def _pass(self, ready: Sequence[Table]) -> None:
        """Every table that waits for nothing gets one reply."""
        asked: dict[int, list[Table]] = {}  # by object: two agents may have one name
        for table in ready:
            if not table.over and (table.talk is not None or table.hear()):
                asked.setdefault(id(table.agent), []).append(table)
        for tables in asked.values():
            agent = tables[0].agent
            held = bool(getattr(agent, "held_to_legal", False))
            seeds = derive_seeds(
                [table.plan.seed for table in tables],
                [table.plan.stream for table in tables],
                [len(table.drafts) for table in tables],
            )
            for table, seed in zip(tables, seeds, strict=True):
                table.ask(seed, held)
            stream = getattr(agent, "stream", None)
            if stream is not None:
                self._owed.ask(stream, tables)
                continue
            for table, reply in zip(tables, _replies(tables), strict=True):
                if reply is not None:
                    table.answer(reply)

    def _ready(self, here: list[Table]) -> list[Table]:
        """The tables that wait for nothing; unless replies are owed at least one, after a while if need be."""
        if self._threads is None:
            return here
        busy = [table.busy for table in here if table.busy is not None]
        if busy and not self._owed and wait(busy, timeout=_GRACE_S).not_done and len(busy) == len(here):
            wait(busy, return_when=FIRST_COMPLETED)
        return [table for table in here if table.is_ready()]

    def _seat_next(
        self,
        waiting: deque[tuple[int, Plan, int]],
        chances: Iterator[np.random.Generator],
        free: int,
        failed: dict[int, int],
    ) -> list[Table]:
        """Tables for the next plans, as many as there is room for."""
        tables = []
        for _ in range(min(free, len(waiting))):
            index, plan, times = waiting.popleft()
            if times:
                failed[index] = times
            table = Table(plan, self, index, None if times else next(chances))
            if table.busy is None and not table.over:
                table.hear()
            tables.append(table)
        return tables

    def hold(self, plan: Plan) -> tuple[str, Held]:
        """A game that nobody plays now, and the key to give it back under."""
        env_id, kwargs, key = self._latest
        if plan.env_id != env_id or plan.env_kwargs != kwargs:
            key = f"{plan.env_id}{sorted(plan.env_kwargs.items())}" if plan.env_kwargs else plan.env_id
            self._latest = plan.env_id, dict(plan.env_kwargs), key
        idle = self._idle.setdefault(key, [])
        if idle:
            return key, idle.pop()
        game: TextGame = make_game(plan.env_id, **plan.env_kwargs)
        referee = Referee(game, invalid=self.invalid, max_turns=self.max_turns)
        return key, (referee, played_game(game), may_block(game))

    def invited(self, plan: Plan, needed: tuple[str, ...]) -> dict[str, Agent]:
        """Who sits where. Raises ValueError where the plan does not fit the game's seats or the agents."""
        seats, known, latest = plan.seats, self.agents, self._guests
        if latest is not None and latest[0] is seats and latest[1] == needed:
            return latest[2]
        if tuple(seats) != needed and seats.keys() != set(needed):
            raise ValueError(f"a plan for {plan.env_id} needs the seats {', '.join(needed)}: got {', '.join(seats)}")
        for name in seats.values():
            if name not in known:
                raise ValueError(f"agents of this rollout are {', '.join(known)}: got {name!r} in plan {plan.id!r}")
        guests = {seat: known[name] for seat, name in seats.items()}
        self._guests = seats, needed, guests
        return guests

    def in_thread(self, job: Callable[[], Outcome | None]) -> Future[Outcome | None]:
        """Do it while other episodes go on."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="turnwise-rollout")
        return self._threads.submit(job)


def _chances(plans: Sequence[Plan]) -> Iterator[np.random.Generator]:
    """The generator of every plan's game, in order."""
    for first in range(0, len(plans), _CHANCES):
        yield from generators([plan.seed for plan in plans[first : first + _CHANCES]])


def _replies(tables: Sequence[Table]) -> list[Reply | None]:
    """What the agent of these tables replies to each; None where it could not, or the environment failed meanwhile."""
    agent = tables[0].agent
    try:
        replies = agent.act([table.request for table in tables])
    except (EnvFailure, AgentFailure) as error:
        if len(tables) > 1:  # find out whose it was: replies follow from their requests alone
            return [reply for table in tables for reply in _replies([table])]
        tables[0].fail(error)
        return [None]
    if len(replies) != len(tables):
        raise RuntimeError(f"agent {agent.name!r} owes {len(tables)} replies, one per request: got {len(replies)}")
    return [*replies]
