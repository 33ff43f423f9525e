"""`Table`: one live episode. A rollout holds many of them and carries replies between their games and the agents."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from turnwise.agents.draft import Draft, draft_of, join, versions
from turnwise.agents.engine import AgentFailure
from turnwise.agents.plan import Plan
from turnwise.agents.replay import Replayed, did_not_follow, play_again
from turnwise.agents.talk import Talk
from turnwise.envs.core import EnvFailure
from turnwise.envs.history import played_game
from turnwise.envs.parsing import write_action
from turnwise.envs.referee import Outcome, Referee
from turnwise.records import Episode, Reply, Request, Turn, make_episode, make_request

if TYPE_CHECKING:
    import numpy as np

    from turnwise.agents.rollout import Rollout


class Agent(Protocol):
    """Whoever replies. One that works on tokens also has `context` (a ChatContext) and `sampling`."""

    name: str

    def act(self, requests: Sequence[Request]) -> list[Reply]: ...


class Table:
    """One live episode: its referee, the talk of each seat, and the turns so far.

    Between two turns it is at rest: it can be looked at, forked and left alone. A reply that stopped at a limit of
    tokens is kept in `partial`, and goes on when the seat is asked again.
    """

    __slots__ = (
        "agent",
        "agents",
        "anchor",
        "asked",
        "busy",
        "drafts",
        "game",
        "game_key",
        "ground_truth",
        "index",
        "legal",
        "limit",
        "over",
        "partial",
        "plan",
        "referee",
        "replayed",
        "reply",
        "request",
        "rewards",
        "rollout",
        "slow",
        "talk",
        "talks",
        "text",
    )

    def __init__(self, plan: Plan, rollout: Rollout, index: int = 0, rng: np.random.Generator | None = None) -> None:
        """rng: what `default_rng(plan.seed)` makes, where the caller has it already."""
        self.index, self.plan, self.rollout = index, plan, rollout
        self.game_key: str | None
        """What the game is given back under; None for a copy, which nobody needs any more."""
        self.game_key, (self.referee, self.game, self.slow) = rollout.hold(plan)
        self.agents = rollout.invited(plan, self.referee.game.seats)
        self.talks: dict[str, Talk] = {}
        """What each seat has read and said, up to what it read last; a seat that has read nothing yet is not named."""
        self.talk: Talk | None = None
        """Of the seat to act; None until it has read what there is to read."""
        self.drafts: list[Draft] = []
        self.rewards: list[float] = []
        """Of each draft, so far."""
        self.partial = plan.partial
        """The reply of the seat to act as far as it goes."""
        self.anchor: str | None = None
        self.ground_truth: str | None = None
        self.limit: int | None = None
        """Most tokens that the next reply may grow by."""
        self.over = False
        self.asked = False
        """Whether an agent that answers in its own time owes a reply."""
        self.busy: Future[Outcome | None] | None = None
        """What a thread does for this table now."""
        if self.slow:
            self.busy = rollout.in_thread(partial(self._start, rng))
        else:
            self._start(rng)
            self.over = self.referee.seat is None
            if plan.prefix:
                self._catch_up()

    def _start(self, rng: np.random.Generator | None) -> None:
        """Begin, make the turns of the prefix again, and read what the next seat is asked. May run in a thread."""
        referee, plan = self.referee, self.plan
        referee.start(plan.seed, rng)
        if self.rollout.records_ground_truth and referee.failure is None and self.game.has_ground_truth:
            try:
                self.ground_truth = self.game.ground_truth()
            except EnvFailure as error:
                referee.fail(error)
        if plan.prefix:
            self.replayed: list[Replayed] = play_again(referee, plan.prefix)
        if self.slow:
            self._look()

    def _catch_up(self) -> None:
        """Write the turns of the prefix down, now that the game has begun and made them again."""
        for index, (turn, made) in enumerate(zip(self.plan.prefix, self.replayed, strict=False)):
            self._again(index, turn, made)
            if len(self.drafts) == index:
                return

    def _again(self, index: int, turn: Turn, made: Replayed) -> None:
        """Write a turn down that was made again; or end the episode where its context is full or another one."""
        talk = self._hear(turn.seat, made.text)
        if talk is None:
            self.referee.status, self.over = "truncated", True
        elif turn.prompt_ids and talk.prompt and turn.prompt_ids != talk.prompt:
            was, now = f"a context of {len(turn.prompt_ids)} tokens", f"another one of {len(talk.prompt)}"
            self.fail(did_not_follow(index, f"{turn.seat} had {was}", f"it has {now}"))
        else:
            ids, context = turn.completion_ids, getattr(self.agent, "context", None)
            if context is not None and not ids:
                ids = context.encode_reply(turn.text)
            self.reply, self.legal = Reply(text=turn.text, completion_ids=ids), made.legal
            self._write_down(turn.seat, made.outcome, turn)

    def _submit(self) -> Outcome:
        """In a thread: play the reply, and read what the next seat is asked."""
        outcome = self.referee.submit(self.reply.text, cut=not self.reply.finished)
        self._look()
        return outcome

    def _look(self) -> None:
        """In a thread: read what the seat to act is asked, and the key of the state where that is recorded."""
        referee = self.referee
        self.text = referee.observe() if referee.seat is not None else ""
        if self.rollout.records_anchor:
            self._recognise()

    def _recognise(self) -> None:
        """Ask for the key of the state where the game has one."""
        if self.referee.seat is not None and self.game.has_anchor:
            try:
                self.anchor = self.game.anchor()
            except EnvFailure as error:
                self.referee.fail(error)

    def is_ready(self) -> bool:
        """Is there nothing to wait for? Writes down what a thread has played meanwhile."""
        busy = self.busy
        if busy is None:
            return not self.asked
        if not busy.done():
            return False
        self.busy, outcome = None, busy.result()
        self.over = self.referee.seat is None
        if outcome is not None:
            self._write_down(outcome.seat, outcome)
        elif self.plan.prefix:
            self._catch_up()
        return True

    def rest(self) -> None:
        """Wait until there is nothing to wait for."""
        if self.busy is not None:
            wait([self.busy])
            self.is_ready()

    @property
    def failed(self) -> bool:
        """Whether the episode was ended by a failure of its environment or of an agent."""
        return self.referee.failure is not None

    @property
    def speaker(self) -> str | None:
        """Name of the agent to act, as the plan calls it; None when the episode is over. Waits for a worker."""
        self.rest()
        seat = self.referee.seat
        return None if self.over or seat is None else self.plan.seats[seat]

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns so far. The latest of a seat may still earn a reward."""
        keep = self.rollout.record_messages
        return tuple([draft.turn(reward, keep) for draft, reward in zip(self.drafts, self.rewards, strict=True)])

    def unfinished_turn(self) -> Turn:
        """The reply that stopped at a limit, as a turn from which no action is read. Raises ValueError without one."""
        seat, reply, talk = self.referee.seat, self.partial, self.talk
        if seat is None or reply is None or talk is None:
            raise ValueError(f"no reply of {self.plan.id!r} has stopped at a limit")
        return Turn(
            seat=seat,
            observation=talk.messages[-1:] if self.rollout.record_messages else (),
            text=self.agent.context.decode(reply.completion_ids),  # type: ignore[attr-defined]
            prompt_ids=talk.prompt or (),
            completion_ids=reply.completion_ids,
            logprobs=reply.logprobs,
            topk_entropy=reply.topk_entropy,
            anchor=self.anchor,
            weight_version=versions(reply),
            seconds=reply.seconds,
        )

    def hear(self) -> bool:
        """Let the seat to act read what there is to read, and find out which agent is to be asked.

        False where the episode ends here: its context is full, or it failed.
        """
        if self.talk is not None:
            return True
        referee = self.referee
        seat = referee.seat
        assert seat is not None  # `over` is set as soon as the referee has nobody to act
        text = self.text if self.slow else referee.observe()
        if self.rollout.records_anchor and not self.slow:
            self._recognise()
        if referee.failure is not None:
            self.over = True
            return False
        if self._hear(seat, text) is None:
            referee.status, self.over = "truncated", True
            return False
        self.legal = referee.game.legal()
        return True

    def ask(self, seed: int, held_to_legal: bool) -> None:
        """Make the request of the seat that has just heard.

        seed: of the reply's chance. held_to_legal: the request is to say which actions are legal.
        """
        plan, seat, talk, allowed = self.plan, self.referee.seat, self.talk, None
        assert seat is not None and talk is not None  # it has just heard
        if held_to_legal and self.legal is not None:
            allowed = tuple([write_action(action, self.legal) for action in self.legal])
        self.request = make_request(
            seat=seat,
            messages=talk.messages,
            seed=seed,
            prompt_ids=talk.prompt or (),
            game=self.game,
            session=f"{plan.id}:{seat}",
            allowed=allowed,
        )
        if self.partial is not None or self.limit is not None:
            self.request = self._in_parts(self.request, self.agent)

    def _hear(self, seat: str, text: str) -> Talk | None:
        """Put an observation into the seat's conversation; None where its context is full."""
        self.agent = agent = self.agents[seat]
        talk = self.talks.get(seat)
        if talk is None:
            talk = self.rollout.opening(text, agent)
        else:
            draft = self._latest(seat)
            talk = talk.after(draft.reply, draft.shown, text, agent)
        self.talks[seat] = talk
        self.talk = talk = None if talk.prompt is None else talk
        return talk

    def _latest(self, seat: str) -> Draft:
        """The latest turn of a seat that has taken one."""
        return next(draft for draft in reversed(self.drafts) if draft.seat == seat)

    def _in_parts(self, request: Request, agent: Any) -> Request:
        """The request to go on with a begun reply, and to stop at a limit where it is below the agent's own."""
        begun = () if self.partial is None else self.partial.completion_ids
        if getattr(agent, "context", None) is None:
            if begun:
                raise ValueError(
                    f"plan {self.plan.id!r} begins a reply in tokens, which needs an agent that works on tokens: "
                    f"{agent.name!r} reads text"
                )
            return request
        below = self.limit is not None and self.limit < agent.sampling.max_tokens - len(begun)
        limit = self.limit if below else None
        return replace(request, prompt_ids=request.prompt_ids + begun, begun=begun, max_tokens=limit)

    def answer(self, reply: Reply) -> None:
        """Play the reply and write the turn down; or keep it as it is, where it only came to its limit."""
        request = self.request
        if request.begun:
            assert self.partial is not None  # it is what was begun
            reply = join(self.partial, reply, self.agent)
        if request.max_tokens is not None and not reply.finished:
            self.partial = reply
            return
        self.reply, self.partial = reply, None
        if self.slow:
            self.busy = self.rollout.in_thread(self._submit)
        else:
            self._write_down(request.seat, self.referee.submit(reply.text, cut=not reply.finished))
            self.over = self.referee.seat is None

    def copy(self, plan: Plan, referee: Referee) -> Table:
        """An independent table for `plan`, with a referee of its own, that is where this one is."""
        twin = copy.copy(self)
        twin.plan, twin.referee, twin.game, twin.game_key = plan, referee, played_game(referee.game), None
        twin.agents, twin.talks = self.rollout.invited(plan, referee.game.seats), self.talks.copy()
        twin.drafts, twin.rewards = self.drafts.copy(), self.rewards.copy()
        if self.talk is not None:  # the seat to act has read already, and is in the middle of its reply
            twin.agent = twin.agents[referee.seat or ""]
        return twin

    def fail(self, error: EnvFailure | AgentFailure) -> None:
        """End the episode: its environment failed, or an agent could not reply."""
        self.referee.fail(error, error.kind if isinstance(error, AgentFailure) else "env_error")
        self.asked, self.over = False, True

    def _write_down(self, seat: str, outcome: Outcome, known: Turn | None = None) -> None:
        """Book the reply of a seat. known: the turn that it makes again."""
        anchor = self.anchor if known is None else known.anchor
        self.drafts.append(draft_of(seat, self.talks[seat], self.reply, outcome, self.legal, anchor, known))
        self.rewards.append(0.0)
        self.talk = None
        if known is None and outcome.status == "ok" and self.referee.seat is not None:
            self.rollout.answered += 1
        if outcome.rewards:
            for name, reward in outcome.rewards.items():
                if reward:
                    self._credit(name, reward)

    def _credit(self, seat: str, reward: float) -> None:
        """A reward belongs to the latest turn of its seat; a seat that has not acted yet has it in its return only."""
        for place in range(len(self.drafts) - 1, -1, -1):
            if self.drafts[place].seat == seat:
                self.rewards[place] += reward
                return

    def episode(self) -> Episode:
        """The record of the episode, as far as it has been played."""
        plan, referee = self.plan, self.referee
        metadata: dict[str, Any] = {}
        dropped = {seat: talk.dropped for seat, talk in self.talks.items() if talk.dropped}
        if dropped:
            metadata["dropped_turns"] = dropped
        if referee.failure is not None:
            metadata["failure"] = referee.failure
        return make_episode(
            id=plan.id,
            env_id=plan.env_id,
            env_kwargs=plan.env_kwargs,
            seed=plan.seed,
            seats=plan.seats,
            group=plan.group,
            parent=plan.parent,
            fork_turn=plan.fork_turn,
            task=referee.game.task,
            level=referee.game.level,
            ground_truth=self.ground_truth,
            turns=self.turns,
            returns=referee.returns,
            status=referee.status,
            metadata=metadata,
        )
