"""`Rollout.collect`: the only loop over environment steps. Many episodes at once, requests batched across them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from turnwise.agents.context import Transcript
from turnwise.agents.sampling import derive_seed
from turnwise.envs.core import TextGame
from turnwise.envs.parsing import write_action
from turnwise.envs.referee import Outcome, Referee
from turnwise.envs.registry import make_game
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


class Rollout:
    """Plays planned episodes with a set of agents. Holds games between calls, so that none is built twice."""

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

    def collect(self, plans: Sequence[Plan]) -> list[Episode]:
        """The episodes, in the order of the plans. Agents are asked once a pass, for every seat of theirs that waits.

        Raises ValueError where a plan does not fit its game or these agents.
        """
        waiting = iter(enumerate(plans))
        episodes: list[Episode | None] = [None] * len(plans)
        live = self._seat_next(waiting, self.concurrency)
        while live:
            self._pass(live)
            over = [table for table in live if table.over]
            for table in over:
                episodes[table.index] = table.episode()
                self._idle[table.game_key].append(table.referee)
            if over:
                live = [table for table in live if not table.over]
                live += self._seat_next(waiting, self.concurrency - len(live))
        return episodes  # type: ignore[return-value]  # every plan was seated and every table ended

    def _pass(self, live: Sequence[_Table]) -> None:
        """Every live table gets one reply."""
        asked: dict[int, list[_Table]] = {}  # by object: two agents may have one name
        for table in live:
            if not table.over and table.ask():
                asked.setdefault(id(table.agent), []).append(table)
        for tables in asked.values():
            agent = tables[0].agent
            replies = agent.act([table.request for table in tables])
            if len(replies) != len(tables):
                raise RuntimeError(
                    f"agent {agent.name!r} owes {len(tables)} replies, one per request: got {len(replies)}"
                )
            for table, reply in zip(tables, replies, strict=True):
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


class _Table:
    """One live episode: its referee, the transcript of each seat, and the turns so far."""

    __slots__ = (
        "agent",
        "agents",
        "game_key",
        "index",
        "over",
        "plan",
        "referee",
        "request",
        "rollout",
        "talks",
        "transcripts",
        "turns",
    )

    def __init__(self, index: int, plan: Plan, rollout: Rollout) -> None:
        self.index, self.plan, self.rollout = index, plan, rollout
        self.game_key, self.referee = rollout.referee(plan)
        self.referee.start(plan.seed)
        self.agents = self._invite()
        self.talks: dict[str, tuple[Message, ...]] = dict.fromkeys(self.agents, ())
        self.transcripts: dict[str, Transcript] = {}
        self.turns: list[_Draft] = []
        self.over = self.referee.seat is None

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
        """Make the request of the seat to act; False where its context is full and the episode ends here."""
        referee = self.referee
        seat = referee.seat
        assert seat is not None  # `over` is set as soon as the referee has nobody to act
        self.agent = agent = self.agents[seat]
        text = referee.observe()
        self.talks[seat] = talk = (*self.talks[seat], Message("user", text))
        prompt = self._prompt(seat, agent, text)
        if prompt is None:
            referee.status, self.over = "truncated", True
            return False
        self.request = Request(
            seat=seat,
            messages=talk,
            seed=derive_seed(self.plan.seed, self.plan.stream, len(self.turns)),
            prompt_ids=prompt,
            game=referee.game,
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
        request, referee = self.request, self.referee
        legal = referee.game.legal()
        outcome = referee.submit(reply.text, cut=not reply.finished)
        self.talks[request.seat] = (*request.messages, Message("assistant", reply.text))
        transcript = self.transcripts.get(request.seat)
        if transcript is not None:
            action = outcome.action
            transcript.reply(reply.completion_ids, reply.text if action is None else write_action(action, legal))
        self.turns.append(_Draft(request, reply, outcome))
        for seat, reward in outcome.rewards.items():
            if reward:
                self._credit(seat, reward)
        self.over = referee.seat is None

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
        dropped = {seat: transcript.dropped for seat, transcript in self.transcripts.items() if transcript.dropped}
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
            metadata={"dropped_turns": dropped} if dropped else {},
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
            status=outcome.status,
            reward=self.reward,
            prompt_ids=request.prompt_ids,
            completion_ids=reply.completion_ids,
            logprobs=reply.logprobs,
            topk_entropy=reply.topk_entropy,
            weight_version=() if version is None else ((0, version),),
            seconds=reply.seconds,
        )
