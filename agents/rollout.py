"""`Rollout.collect`: the only loop over environment steps. Many episodes at once, requests batched across them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

from turnwise.agents.context import Transcript
from turnwise.agents.sampling import derive_seed
from turnwise.envs.core import EnvFailure, TextGame
from turnwise.envs.history import played_game
from turnwise.envs.parsing import write_action
from turnwise.envs.referee import Outcome, Referee
from turnwise.envs.registry import make_game
from turnwise.envs.workers import may_block
from turnwise.records import Episode, Message, Reply, Request, Turn


class Agent(Protocol):
    """Whoever replies. One that works on tokens also has `context` (a ChatContext) and `sampling`."""

    name: str

    def act(self, requests: Sequence[Request]) -> list[Reply]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One episode that is to be played."""

    id: str
    env_id: str
    seed: int
    seats: Mapping[str, str]
    """Seat -> name of the agent that sits there."""
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    group: str | None = None
    stream: int = 0
    """Tells episodes of one seed apart: the game's chance is the same, the replies are sampled anew."""


def plans(
    name: str, env_id: str, env_kwargs: Mapping[str, Any], seats: Mapping[str, str], seeds: Iterable[int]
) -> list[Plan]:
    """One episode per seed, with the same agents in the same seats; ids are `<name>-0`, `<name>-1`, ..."""
    return [
        Plan(id=f"{name}-{i}", env_id=env_id, env_kwargs=env_kwargs, seed=seed, seats=seats)
        for i, seed in enumerate(seeds)
    ]


_MOST_THREADS = 32
_GRACE_S = 0.01
"""How long a pass waits for games in workers, so that an agent gets one large batch instead of two."""


class Rollout:
    """Plays planned episodes with a set of agents. Holds games between calls, so that none is built twice.

    Games in worker processes are started and played in threads, so that no episode waits for another one: who is still
    busy is left out of a pass. What an episode becomes depends on its plan alone, never on who was faster. An episode
    whose environment fails has status "env_error", what failed in `metadata["failure"]`, and the turns so far.
    """

    def __init__(
        self,
        agents: Mapping[str, Agent],
        *,
        invalid: object = "forfeit",
        max_turns: int | None = None,
        concurrency: int = 1024,
        record_messages: bool = True,
    ) -> None:
        """`concurrency`: most episodes alive at once. `record_messages`: keep each turn's observation in its record."""
        if concurrency < 1:
            raise ValueError(f"rollout.concurrency is at least 1: got {concurrency}")
        self.agents = agents
        self.invalid, self.max_turns = invalid, max_turns
        self.concurrency, self.record_messages = concurrency, record_messages
        self._idle: dict[str, list[Referee]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def collect(self, plans: Sequence[Plan]) -> list[Episode]:
        """The episodes, in the order of the plans. Agents are asked once a pass, for every seat of theirs that waits.

        Raises ValueError where a plan does not fit its game or these agents.
        """
        waiting = iter(enumerate(plans))
        episodes: list[Episode | None] = [None] * len(plans)
        live = self._seat_next(waiting, self.concurrency)
        while live:
            self._pass(_ready(live))
            over = [table for table in live if table.over]
            for table in over:
                episodes[table.index] = table.episode()
                self._idle[table.game_key].append(table.referee)
            if over:
                live = [table for table in live if not table.over]
                live += self._seat_next(waiting, self.concurrency - len(live))
        return episodes  # type: ignore[return-value]  # every plan was seated and every table ended

    def _pass(self, ready: Sequence[_Table]) -> None:
        """Every table that waits for nothing gets one reply."""
        asked: dict[int, list[_Table]] = {}  # by object: two agents may have one name
        for table in ready:
            if not table.over and table.ask():
                asked.setdefault(id(table.agent), []).append(table)
        for tables in asked.values():
            for table, reply in zip(tables, _replies(tables), strict=True):
                if reply is not None:
                    table.answer(reply)

    def _seat_next(self, waiting: Iterator[tuple[int, Plan]], free: int) -> list[_Table]:
        seated = []
        for _, (index, plan) in zip(range(free), waiting, strict=False):
            seated.append(_Table(index, plan, self))
        return seated

    def referee(self, plan: Plan) -> tuple[str, Referee]:
        """A game that nobody plays now, and the key to give it back under."""
        key = f"{plan.env_id}{sorted(plan.env_kwargs.items())}" if plan.env_kwargs else plan.env_id
        idle = self._idle.setdefault(key, [])
        if idle:
            return key, idle.pop()
        game: TextGame = make_game(plan.env_id, **plan.env_kwargs)
        return key, Referee(game, invalid=self.invalid, max_turns=self.max_turns)

    def in_thread(self, job: Callable[[], Outcome | None]) -> Future[Outcome | None]:
        """Do it while other episodes go on."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="turnwise-rollout")
        return self._threads.submit(job)


def _ready(live: Sequence[_Table]) -> list[_Table]:
    """The tables that wait for no worker; at least one, after a while if need be."""
    busy = [table.busy for table in live if table.busy is not None]
    if busy and wait(busy, timeout=_GRACE_S).not_done and len(busy) == len(live):
        wait(busy, return_when=FIRST_COMPLETED)
    return [table for table in live if table.is_ready()]


def _replies(tables: Sequence[_Table]) -> list[Reply | None]:
    """What the agent of these tables replies to each; None where the environment failed as the agent looked at it."""
    agent = tables[0].agent
    try:
        replies = agent.act([table.request for table in tables])
    except EnvFailure as error:
        if len(tables) > 1:  # find out whose it was: replies follow from their requests alone
            return [reply for table in tables for reply in _replies([table])]
        tables[0].fail(error)
        return [None]
    if len(replies) != len(tables):
        raise RuntimeError(f"agent {agent.name!r} owes {len(tables)} replies, one per request: got {len(replies)}")
    return [*replies]


class _Table:
    """One live episode: its referee, the transcript of each seat, and the turns so far."""

    __slots__ = (
        "agent",
        "agents",
        "busy",
        "game",
        "game_key",
        "index",
        "legal",
        "over",
        "plan",
        "referee",
        "reply",
        "request",
        "rollout",
        "slow",
        "talks",
        "text",
        "transcripts",
        "turns",
    )

    def __init__(self, index: int, plan: Plan, rollout: Rollout) -> None:
        self.index, self.plan, self.rollout = index, plan, rollout
        self.game_key, self.referee = rollout.referee(plan)
        self.game, self.slow = played_game(self.referee.game), may_block(self.referee.game)
        self.agents = self._invite()
        self.talks: dict[str, tuple[Message, ...]] = dict.fromkeys(self.agents, ())
        self.transcripts: dict[str, Transcript] = {}
        self.turns: list[_Draft] = []
        self.over = False
        self.busy: Future[Outcome | None] | None = None
        """What a thread does for this table now."""
        if self.slow:
            self.busy = rollout.in_thread(self._start)
        else:
            self.referee.start(plan.seed)
            self.over = self.referee.seat is None

    def _start(self) -> None:
        """In a thread: begin, and read what the first seat is asked."""
        self.referee.start(self.plan.seed)
        self.text = self.referee.observe() if self.referee.seat is not None else ""

    def _submit(self) -> Outcome:
        """In a thread: play the reply, and read what the next seat is asked."""
        outcome = self.referee.submit(self.reply.text, cut=not self.reply.finished)
        self.text = self.referee.observe() if self.referee.seat is not None else ""
        return outcome

    def is_ready(self) -> bool:
        """Is there nothing to wait for? Writes down what a thread has played meanwhile."""
        busy = self.busy
        if busy is None:
            return True
        if not busy.done():
            return False
        self.busy, outcome = None, busy.result()
        if outcome is not None:
            self._write_down(outcome)
        self.over = self.referee.seat is None
        return True

    def _invite(self) -> dict[str, Agent]:
        """Who sits where. Raises ValueError where the plan does not fit the game or the agents."""
        seats, known, needed = self.plan.seats, self.rollout.agents, self.referee.game.seats
        if seats.keys() != set(needed):
            raise ValueError(
                f"a plan for {self.plan.env_id} needs the seats {', '.join(needed)}: got {', '.join(seats)}"
            )
        for name in seats.values():
            if name not in known:
                raise ValueError(
                    f"agents of this rollout are {', '.join(known)}: got {name!r} in plan {self.plan.id!r}"
                )
        return {seat: known[name] for seat, name in seats.items()}

    def ask(self) -> bool:
        """Make the request of the seat to act; False where the episode ends here: its context is full, or it failed."""
        referee = self.referee
        seat = referee.seat
        assert seat is not None  # `over` is set as soon as the referee has nobody to act
        self.agent = agent = self.agents[seat]
        text = self.text if self.slow else referee.observe()
        if referee.failure is not None:
            self.over = True
            return False
        self.talks[seat] = talk = (*self.talks[seat], Message("user", text))
        prompt = self._prompt(seat, agent, text)
        if prompt is None:
            referee.status, self.over = "truncated", True
            return False
        self.legal = referee.game.legal()
        self.request = Request(
            seat=seat,
            messages=talk,
            seed=derive_seed(self.plan.seed, self.plan.stream, len(self.turns)),
            prompt_ids=prompt,
            game=self.game,
        )
        return True

    def _prompt(self, seat: str, agent: Any, text: str) -> tuple[int, ...] | None:
        """The transcript of the seat with this observation; empty for agents that read text, None where it is full."""
        context = getattr(agent, "context", None)
        if context is None:
            return ()
        transcript = self.transcripts.get(seat)
        if transcript is None:
            transcript = self.transcripts[seat] = Transcript(context)
        transcript.observe(text)
        return transcript.prompt(agent.sampling.max_tokens)

    def answer(self, reply: Reply) -> None:
        """Play the reply and write the turn down."""
        self.reply = reply
        if self.slow:
            self.busy = self.rollout.in_thread(self._submit)
        else:
            self._write_down(self.referee.submit(reply.text, cut=not reply.finished))
            self.over = self.referee.seat is None

    def fail(self, error: EnvFailure) -> None:
        """End the episode: its environment failed."""
        self.referee.fail(error)
        self.over = True

    def _write_down(self, outcome: Outcome) -> None:
        request, reply = self.request, self.reply
        self.talks[request.seat] = (*request.messages, Message("assistant", reply.text))
        transcript = self.transcripts.get(request.seat)
        if transcript is not None:
            action = outcome.action
            transcript.reply(reply.completion_ids, reply.text if action is None else write_action(action, self.legal))
        self.turns.append(_Draft(request, reply, outcome))
        for seat, reward in outcome.rewards.items():
            if reward:
                self._credit(seat, reward)

    def _credit(self, seat: str, reward: float) -> None:
        """A reward belongs to the latest turn of its seat; a seat that has not acted yet has it in its return only."""
        for draft in reversed(self.turns):
            if draft.request.seat == seat:
                draft.reward += reward
                return

    def episode(self) -> Episode:
        """The record of the finished episode."""
        plan, referee = self.plan, self.referee
        keep = self.rollout.record_messages
        metadata: dict[str, Any] = {}
        dropped = {seat: transcript.dropped for seat, transcript in self.transcripts.items() if transcript.dropped}
        if dropped:
            metadata["dropped_turns"] = dropped
        if referee.failure is not None:
            metadata["failure"] = referee.failure
        return Episode(
            id=plan.id,
            env_id=plan.env_id,
            env_kwargs=plan.env_kwargs,
            seed=plan.seed,
            seats=plan.seats,
            group=plan.group,
            task=referee.game.task,
            level=referee.game.level,
            turns=tuple([draft.turn(keep) for draft in self.turns]),
            returns=dict(referee.returns),
            status=referee.status,
            metadata=metadata,
        )


class _Draft:
    """A turn whose reward may still grow."""

    __slots__ = ("outcome", "reply", "request", "reward")

    def __init__(self, request: Request, reply: Reply, outcome: Outcome) -> None:
        self.request, self.reply, self.outcome, self.reward = request, reply, outcome, 0.0

    def turn(self, keep_messages: bool) -> Turn:
        request, reply, outcome = self.request, self.reply, self.outcome
        version = reply.weight_version
        return Turn(
            seat=request.seat,
            observation=request.messages[-1:] if keep_messages else (),
            text=reply.text,
            action=outcome.action,
            status="ok" if outcome.status == "env_error" else outcome.status,  # nobody has judged it
            reward=self.reward,
            prompt_ids=request.prompt_ids,
            completion_ids=reply.completion_ids,
            logprobs=reply.logprobs,
            topk_entropy=reply.topk_entropy,
            tool_calls=outcome.info.get("tool_calls", ()),
            weight_version=() if version is None else ((0, version),),
            seconds=reply.seconds,
        )
