"""The local engine: a transformers model in this process, with continuous batching over requests.

A request joins at the next step and comes back as soon as it is done. Requests whose context is the same so far share
one row: a prompt that many episodes hold is read once, and the rows part where their sampled tokens part. In small
games this makes a batch of a thousand requests a dozen rows. Where a conversation waits for its next turn its keys and
values are parked, and only the new tokens are read then. A reply depends on its own seed and context alone, not on its
batch (but for rounding: the log-probs of two batches may differ in their last bits).
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from turnwise.agents.clock import ModelClock
from turnwise.agents.decoder import decoder_of
from turnwise.agents.drafts import Drafts, Flags, Step
from turnwise.agents.drawing import draw
from turnwise.agents.engine import AgentFailure, Ask, Completion, Weights
from turnwise.agents.groups import Group, Waiting, grouped, merged
from turnwise.agents.kv import Trunk
from turnwise.agents.modules import ModuleRows
from turnwise.agents.parking import Parking
from turnwise.agents.rows import Rows
from turnwise.agents.sampling import Sampling
from turnwise.agents.trunks import trunks_of

_SHARE = 8
"""`receive` goes on until one of so many requests is done: the next turns of several are read together."""
_ROOM = 64
"""Tokens of a reply that a cache has room for at first; it is made longer where some reply is."""


class LocalEngine:
    """Samples from a causal language model of transformers that lives in this process. A `StreamingEngine`."""

    def __init__(
        self,
        model: Any,
        *,
        end_id: int,
        pad_id: int,
        decode: Callable[[tuple[int, ...]], str],
        batch_tokens: int = 65_536,
        shares_model: bool = True,
        buckets: bool | None = None,
    ) -> None:
        """`batch_tokens`: most prompt tokens, padding included, that are cached at once.

        It bounds the cache as rows part, so a prompt counts once for every request that holds it; others wait. What is
        left of it is for parked conversations, which may take half as many tokens in any case.
        shares_model: the trainer updates this very model; False: it is a copy, which new weights are loaded into.
        buckets: forward passes over one token a row have a few fixed shapes, on CUDA as graphs; None: on CUDA.
        """
        self.model = model
        self.shares_model = shares_model
        self.end_id, self.pad_id = end_id, pad_id
        self.decode = decode
        self.batch_tokens = batch_tokens
        self.clock = ModelClock(model.device)
        self.weight_version = 0
        """Counts the updates of the weights; the trainer moves it on."""
        self.sampled = 0
        """Tokens sampled so far, whatever became of them."""
        self.read = 0
        """Tokens of prompts read so far; what was found parked is not among them."""
        self._buckets = model.device.type == "cuda" if buckets is None else buckets
        self._rows: Rows | str | None = None
        self._parking = Parking()
        self._drafts = Drafts(end_id, decode)
        self._waiting = Waiting()
        self._done: dict[int, Completion] = {}
        self._numbers = itertools.count()
        self._weights: tuple[Any, ...] | None = None
        """What tells that the weights are those that the caches were read with."""
        self._parameters: list[torch.Tensor] = []

    # Asking

    def generate(
        self,
        prompts: Sequence[tuple[int, ...]],
        seeds: Sequence[int],
        sampling: Sampling,
        begun: Sequence[tuple[int, ...]] = (),
    ) -> list[Completion]:
        """One completion per prompt, in order. Raises ValueError on an empty prompt.

        begun: of each prompt, the tokens at its end that are part of the reply already. What is sampled then is what
        would have come after them in one go; only the new tokens are returned.
        """
        said = begun or [()] * len(prompts)
        numbers = self.submit([Ask(p, int(s), sampling, b) for p, s, b in zip(prompts, seeds, said, strict=True)])
        try:
            self._prepared()
            with torch.inference_mode():
                while any(number not in self._done for number in numbers):
                    self._advance()
        except BaseException:
            self.withdraw(numbers)
            raise
        return [self._done.pop(number) for number in numbers]

    def submit(self, asks: Sequence[Ask]) -> list[int]:
        """Hand requests in; returns their numbers, in order. Raises ValueError on an empty prompt."""
        if not all(ask.prompt for ask in asks):
            raise ValueError("a prompt needs at least one token to read: got an empty one")
        numbers = [*itertools.islice(self._numbers, len(asks))]
        if numbers:
            self._waiting.put(grouped(asks, numbers[0]))
        return numbers

    def receive(self, timeout_s: float) -> list[tuple[int, Completion | AgentFailure]]:
        """Get on with the work; (number, reply) of the requests that are done by now, [] after `timeout_s`.

        Replies are handed out once one of eight requests is done, whatever the time, so that the batches, and with
        them the last bits, do not depend on how fast the machine is. Raises ValueError where log-probs are NaN.
        """
        deadline = time.monotonic() + timeout_s
        left = True
        self._prepared()
        with torch.inference_mode():
            while left and self._open and not self._enough:
                self._advance()
                left = time.monotonic() < deadline
        if self._open and not self._enough:
            return []
        done, self._done = self._done, {}
        return [*done.items()]

    @property
    def _enough(self) -> bool:
        """Whether so much is done that it is handed out."""
        return len(self._done) * _SHARE > self._open + len(self._done)

    @property
    def _open(self) -> int:
        return len(self._waiting) + len(self._drafts)

    def withdraw(self, numbers: Sequence[int]) -> None:
        """Forget these requests: nobody waits for them any more. Unknown numbers are ignored."""
        for number in numbers:
            self._done.pop(number, None)
        self._waiting.withdraw(numbers)
        going = ~np.isin(self._drafts.number, numbers)
        if not going.all():
            self._drafts.keep(going)
            self._close_rows()

    # Weights

    @torch.no_grad()
    def load(self, weights: Weights, version: int) -> None:
        """Copy them, unless the model is the trainer's own. Raises ValueError where they are not this model's.

        Replies that are being sampled are ended with the old weights first, unless those are gone.
        """
        if not self.shares_model:
            self._finish()
            own = self.model.state_dict()
            for name, tensor in weights():
                if name not in own or own[name].shape != tensor.shape:
                    raise ValueError(f"new weights have the names and shapes of this model: got {name}")
                own[name].copy_(tensor)
        self.weight_version = version

    def _finish(self) -> None:
        """End every reply."""
        self._prepared()
        with torch.inference_mode():
            while self._open:
                self._advance()

    @property
    def forward_pass(self) -> str:
        """How the model is computed: "lean", or why its own modules are used."""
        rows = self._prepared()
        return rows if isinstance(rows, str) else "lean"

    def _prepared(self) -> Rows | str:
        """The rows, or why there are none; what was read with other weights is forgotten."""
        rows = self._rows
        if rows is None or (isinstance(rows, Rows) and not rows.decoder.is_current):
            decoder = decoder_of(self.model)
            self._interrupt()
            rows = decoder if isinstance(decoder, str) else Rows(decoder, self.clock, self._buckets)
            self._rows = rows
            self._parameters = [weight for weight in self.model.parameters() if not weight.is_inference()]
        changes = sum([weight._version for weight in self._parameters])
        now = (self.weight_version, changes, None if isinstance(rows, str) else rows.dtype)
        if now != self._weights:
            self._interrupt()
            self._date()
            self._weights = now
        return rows

    def _date(self) -> None:
        """Say of which version replies are that nobody took before there was a new one."""
        if self._done and self._weights is not None and self._weights[0] != self.weight_version:
            old = self._weights[0]
            for number, reply in self._done.items():
                self._done[number] = replace(reply, versions=reply.versions or ((0, old),))

    def _interrupt(self) -> None:
        """Whatever was read is of no use: requests that are being answered go on from what they have said."""
        if isinstance(self._rows, Rows) and len(self._drafts):
            version = self.weight_version if self._weights is None else self._weights[0]
            self._waiting.put(self._drafts.interrupted(version), in_front=True)
            self._drafts.keep(np.zeros(len(self._drafts), dtype=bool))
            self._close_rows()
        if isinstance(self._rows, Rows):
            self._rows.forget()
        self._parking.forget()

    def sleep(self) -> None:
        """Let the memory go that caches take; what is asked next is read anew."""
        self._interrupt()
        if isinstance(self._rows, Rows):
            self._rows.pool.clear()

    def close(self) -> None:
        """Let go of everything; the engine is of no more use. May be called twice."""
        self._drafts = Drafts(self.end_id, self.decode)
        self._waiting.clear()
        self._done.clear()
        self.sleep()

    # Working

    def _advance(self) -> None:
        """One more token of every reply that there is room for."""
        rows = self._rows
        if not isinstance(rows, Rows):
            self._in_blocks()
            return
        if self._waiting:
            self._admit(rows)
        drafts = self._drafts
        logits = rows.forward()
        drawn = draw(logits, drafts.row, drafts.uniforms(), drafts.kinds, entropy=drafts.measures)
        self.sampled += len(drafts)
        step = drafts.parted(drawn, logits.shape[1])
        over, finished = drafts.ends(step)
        if over.any():
            ended = step.only(over)
            replies, sessions, which = self._hand_out(drafts, ended, over, finished)
            if self._parking.pays and any(sessions):
                self._park(rows, ended.parents.tolist(), replies, sessions, which)
            step = step.only(~over)
        drafts.follow(step.parents, rows.follow(step.parents, step.tokens), step)

    def _hand_out(
        self, drafts: Drafts, ended: Step, over: Flags, finished: Flags
    ) -> tuple[list[Completion], list[str | None], list[int]]:
        """The replies that are over; the session of each request, and which of the replies it gets."""
        replies = drafts.replies(ended, finished[over], self.weight_version)
        numbers, sessions, which = drafts.leave(over)
        self._done.update(zip(numbers, [replies[place] for place in which], strict=True))
        return replies, sessions, which

    def _park(
        self, rows: Rows, row_of: list[int], replies: list[Completion], sessions: list[str | None], which: list[int]
    ) -> None:
        """Keep what was read for the conversations that go on. row_of: of each reply."""
        contexts = {row: self._drafts.ask(row).prompt + reply.ids for row, reply in zip(row_of, replies, strict=True)}
        standing: dict[int, list[str]] = {row: [] for row in contexts}
        members = [standing[row] for row in row_of]
        for session, place in zip(sessions, which, strict=True):
            if session is not None:
                members[place].append(session)
        used = [row for row, names in standing.items() if names]
        for row, parked in zip(used, rows.park(used, [contexts[row] for row in used]), strict=True):
            self._parking.keep(standing[row], parked)

    @torch.inference_mode()
    def _close_rows(self) -> None:
        """Close those that no request reads any more."""
        if isinstance(self._rows, Rows):
            used, self._drafts.row = np.unique(self._drafts.row, return_inverse=True)
            self._drafts.follow(used, self._rows.only(used))

    def _admit(self, rows: Rows) -> None:
        """Begin the requests that there is room for; at least one, where nothing is going on."""
        drafts = self._drafts
        groups, longest = self._waiting.take(len(drafts), drafts.longest, self.batch_tokens)
        if not groups:
            return
        groups = merged(groups)
        count = len(drafts) + sum(map(len, groups))
        self._parking.shrink(max(self.batch_tokens - count * longest, self.batch_tokens // 2))
        parked = [self._parking.find(group.sessions.tolist(), group.context) for group in groups]
        fresh: Counter[tuple[int, ...]] = Counter()
        for group, found in zip(groups, parked, strict=True):
            if found is None:
                fresh[group.context] += len(group)
        trunks = self._trunks(rows, [*fresh.items()])
        length = most = 0
        for group, found in zip(groups, parked, strict=True):
            shared = trunks[group.context][1] if found is None else found.shared
            length = max(length, len(group.context) - shared)
            most = max(most, len(group.ask.prompt) + group.ask.sampling.max_tokens - shared)
        rows.reserve(len(groups), min(length + _ROOM, most), most, count)
        rows.open(
            [
                (group.context, found, *trunks.get(group.context, (None, 0)))
                for group, found in zip(groups, parked, strict=True)
            ]
        )
        drafts.add(groups)

    def _trunks(
        self, rows: Rows, fresh: Sequence[tuple[tuple[int, ...], int]]
    ) -> dict[tuple[int, ...], tuple[Trunk | None, int]]:
        """Context -> beginning that it shares with others, and how many tokens that are. New ones are read."""
        if not rows.shares_trunks:
            return {context: (None, 0) for context, _ in fresh}
        found = {context: self._parking.trunk(context) for context, _ in fresh}
        for tokens, members in trunks_of([(context, count) for context, count in fresh if found[context][0] is None]):
            trunk = rows.trunk(tokens)
            self._parking.remember(trunk)
            found |= {context: (trunk, len(tokens)) for context in members}
        return found

    def _in_blocks(self) -> None:
        """Every waiting request, a block after the other, by the model's own modules."""
        waiting, self._waiting = self._waiting, Waiting()
        waiting.sort()
        while len(waiting):
            groups, _ = waiting.take(0, 0, self.batch_tokens)
            self._block(merged(groups))

    def _block(self, groups: Sequence[Group]) -> None:
        drafts = Drafts(self.end_id, self.decode)
        drafts.add(groups)
        rows = ModuleRows(self.model, self.clock, [group.context for group in groups], self.pad_id)
        while len(drafts):
            drawn = draw(rows.logits, drafts.row, drafts.uniforms(), drafts.kinds, entropy=drafts.measures)
            self.sampled += len(drafts)
            step = drafts.parted(drawn, rows.logits.shape[1])
            over, finished = drafts.ends(step)
            if over.any():
                self._hand_out(drafts, step, over, finished)
                step = step.only(~over)
            drafts.follow(step.parents, np.arange(len(step.parents)), step)
            if len(drafts):
                rows.advance(step.parents, step.tokens)
