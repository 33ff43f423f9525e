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
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from turnwise.agents.clock import ModelClock
from turnwise.agents.decoder import decoder_of
from turnwise.agents.drafts import Asked, Drafts, Flags, make_asked
from turnwise.agents.drawing import Drawn, draw
from turnwise.agents.engine import AgentFailure, Ask, Completion, Weights
from turnwise.agents.kv import Trunk
from turnwise.agents.modules import ModuleRows, blocks
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
        self._waiting: deque[Asked] = deque()
        self._done: dict[int, Completion] = {}
        self._numbers = itertools.count()
        self._plain = False
        """Whether request i reads row i."""
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
        self._waiting.extend([make_asked(number, ask, ask.prompt) for number, ask in zip(numbers, asks, strict=True)])
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
        gone = set(numbers)
        for number in gone & self._done.keys():
            del self._done[number]
        self._waiting = deque(one for one in self._waiting if one.number not in gone)
        going = np.array([one.number not in gone for one in self._drafts.asked], dtype=bool)
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
        if isinstance(self._rows, Rows):
            version = self.weight_version if self._weights is None else self._weights[0]
            self._waiting.extendleft(reversed(self._drafts.interrupted(version)))
            self._drafts.keep(np.zeros(len(self._drafts), dtype=bool))
            self._close_rows()
            self._rows.forget()
        self._plain = False
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
        entropy, draws = drafts.measures, drafts.uniforms()
        drawn = _drawn(logits, drafts, draws, entropy)
        self.sampled += len(drafts)
        over, finished = drafts.take(drawn)
        tokens = drawn.tokens
        if over.any():
            self._end(rows, over, finished)
            tokens, self._plain = tokens[~over], False
        if self._plain:
            rows.go_on(tokens)
            return
        keys, drafts.row = np.unique(drafts.row * logits.shape[1] + tokens, return_inverse=True)
        drafts.row = rows.follow(keys // logits.shape[1], keys % logits.shape[1])[drafts.row]
        self._plain = len(drafts) == rows.count and bool((drafts.row == np.arange(rows.count)).all())

    def _end(self, rows: Rows, over: Flags, finished: Flags) -> None:
        """Hand these replies out, and park the conversations that they belong to."""
        drafts = self._drafts
        chosen = np.flatnonzero(over)
        ended = [drafts.asked[index] for index in chosen.tolist()]
        replies = drafts.completions(chosen, finished)
        for one, reply in zip(ended, replies, strict=True):
            self._done[one.number] = self._spanned(reply, one) if one.versions else reply
        if self._parking.pays:
            standing: dict[int, tuple[tuple[int, ...], list[str]]] = {}  # row -> its tokens, and who stands there
            for row, one, reply in zip(drafts.row[chosen].tolist(), ended, replies, strict=True):
                if one.ask.session is not None:
                    if row not in standing:
                        standing[row] = one.ask.prompt + reply.ids, []
                    standing[row][1].append(one.ask.session)
            self._park(rows, standing)
        drafts.keep(~over)

    def _spanned(self, reply: Completion, one: Asked) -> Completion:
        return replace(reply, versions=(*one.versions, (len(one.ids), self.weight_version)))

    def _park(self, rows: Rows, standing: dict[int, tuple[tuple[int, ...], list[str]]]) -> None:
        """Keep what was read of these rows for the conversations that stand there."""
        caches = rows.park([*standing], [tokens for tokens, _ in standing.values()])
        for parked, (_, sessions) in zip(caches, standing.values(), strict=True):
            self._parking.keep(sessions, parked)

    @torch.inference_mode()
    def _close_rows(self) -> None:
        """Close those that no request reads any more."""
        if isinstance(self._rows, Rows):
            used, self._drafts.row = np.unique(self._drafts.row, return_inverse=True)
            self._drafts.row = self._rows.only(used)[self._drafts.row]
            self._plain = False

    def _admit(self, rows: Rows) -> None:
        """Begin the requests that there is room for; at least one, where nothing is going on."""
        admitted = self._next()
        if not admitted:
            return
        groups: dict[tuple[int, ...], list[Asked]] = {}
        for one in admitted:
            groups.setdefault(one.context, []).append(one)
        parked = {c: self._parking.find((one.ask.session for one in group), c) for c, group in groups.items()}
        trunks = self._trunks(rows, [(context, len(groups[context])) for context in groups if parked[context] is None])
        length = longest = 0
        for context, group in groups.items():
            found = parked[context]
            shared = trunks[context][1] if found is None else found.shared
            most = max([len(one.ask.prompt) + one.ask.sampling.max_tokens for one in group])
            length, longest = max(length, len(context) - shared), max(longest, most - shared)
        rows.reserve(len(groups), min(length + _ROOM, longest), longest, len(self._drafts) + len(admitted))
        opened = rows.open([(context, parked[context], *trunks.get(context, (None, 0))) for context in groups])
        row_of = [row for row, group in zip(opened, groups.values(), strict=True) for _ in group]
        self._drafts.add([one for group in groups.values() for one in group], row_of)
        self._plain = False

    def _next(self) -> list[Asked]:
        """The requests that there is room for, in the order in which they came."""
        if not self._waiting:
            return []
        admitted: list[Asked] = []
        longest = max([len(one.ask.prompt) for one in self._drafts.asked], default=0)
        longer = max(longest, *[len(one.context) for one in self._waiting])
        if (len(self._drafts) + len(self._waiting)) * longer <= self.batch_tokens:
            longest, admitted = longer, [*self._waiting]
            self._waiting.clear()
        while self._waiting:
            longer = max(longest, len(self._waiting[0].context))
            count = len(self._drafts) + len(admitted) + 1
            if count > 1 and count * longer > self.batch_tokens:
                break
            longest = longer
            admitted.append(self._waiting.popleft())
        live = (len(self._drafts) + len(admitted)) * longest
        self._parking.shrink(max(self.batch_tokens - live, self.batch_tokens // 2))
        return admitted

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
        waiting = [*self._waiting]
        self._waiting.clear()
        for members in blocks([one.context for one in waiting], self.batch_tokens):
            self._block([waiting[index] for index in members])

    def _block(self, asked: Sequence[Asked]) -> None:
        contexts: dict[tuple[int, ...], int] = {}
        drafts = Drafts(self.end_id, self.decode)
        drafts.add(asked, [contexts.setdefault(one.context, len(contexts)) for one in asked])
        rows = ModuleRows(self.model, self.clock, [*contexts], self.pad_id)
        while True:
            entropy, draws = drafts.measures, drafts.uniforms()
            drawn = _drawn(rows.logits, drafts, draws, entropy)
            self.sampled += len(drafts)
            over, finished = drafts.take(drawn)
            if over.any():
                chosen = np.flatnonzero(over)
                numbers = [drafts.asked[index].number for index in chosen.tolist()]
                self._done |= zip(numbers, drafts.completions(chosen, finished), strict=True)
            if over.all():
                return
            drafts.keep(~over)
            width = rows.logits.shape[1]
            keys, drafts.row = np.unique(drafts.row * width + drawn.tokens[~over], return_inverse=True)
            rows.advance(keys // width, keys % width)


def _drawn(logits: torch.Tensor, drafts: Drafts, draws: Any, entropy: bool) -> Drawn:
    """A token of every request, each in its own way."""
    if len(drafts.kinds) == 1:
        return draw(logits, drafts.row, draws, *drafts.kinds[0][0], entropy=entropy)
    count = len(drafts)
    found = Drawn(np.zeros(count, np.int64), np.zeros(count, np.float32), np.zeros(count, np.float32))
    for kind, members in drafts.kinds:
        used, row_of = np.unique(drafts.row[members], return_inverse=True)
        part = draw(logits[torch.from_numpy(used).to(logits.device)], row_of, draws[members], *kind, entropy=entropy)
        for whole, some in zip(found, part, strict=True):
            if some is not None and whole is not None:
                whole[members] = some
    return found if entropy else found._replace(entropy=None)
