"""The local engine: transformers, one process, batched decoding with a key-value cache.

Requests whose context is the same so far share one row: a prompt that many episodes hold is read once, and the rows
part where their sampled tokens part. In small games this makes a batch of a thousand requests a dozen rows; elsewhere
it does no more work than one row a request. A reply depends on its own seed and context alone, not on its batch (but
for rounding: the log-probs of two batches may differ in their last bits).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from turnwise.agents.clock import ModelClock
from turnwise.agents.engine import ENTROPY_CANDIDATES, Completion, Weights
from turnwise.agents.sampling import Sampling, skip, uniforms


class LocalEngine:
    """Samples from a causal language model of transformers that lives in this process."""

    def __init__(
        self,
        model: Any,
        *,
        end_id: int,
        pad_id: int,
        decode: Callable[[tuple[int, ...]], str],
        batch_tokens: int = 65_536,
        shares_model: bool = True,
    ) -> None:
        """`batch_tokens`: most prompt tokens, padding included, that are decoded at once.

        It bounds the cache as rows part, so a prompt counts once for every request that holds it.
        shares_model: the trainer updates this very model; False: it is a copy, which new weights are loaded into.
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
        if not all(prompts):
            raise ValueError("a prompt needs at least one token to read: got an empty one")
        completions: list[Completion | None] = [None] * len(prompts)
        all_seeds = np.array(seeds, dtype=np.uint64)
        if begun:
            all_seeds = skip(all_seeds, np.array([len(ids) for ids in begun], dtype=np.uint64))
        for members in _blocks(prompts, self.batch_tokens):
            numbers: dict[tuple[int, ...], int] = {}  # distinct prompt -> its row
            row_of = np.array([numbers.setdefault(prompts[index], len(numbers)) for index in members])
            said = [begun[index] for index in members] if begun else [()] * len(members)
            drafts = self._decode_block(list(numbers), row_of, all_seeds[members], sampling, said)
            for index, completion in zip(members, drafts, strict=True):
                completions[index] = completion
                self.sampled += len(completion.ids)
        return completions  # type: ignore[return-value]  # every index was in exactly one block

    @torch.no_grad()
    def load(self, weights: Weights, version: int) -> None:
        """Copy them, unless the model is the trainer's own. Raises ValueError where they are not this model's."""
        if not self.shares_model:
            own = self.model.state_dict()
            for name, tensor in weights():
                if name not in own or own[name].shape != tensor.shape:
                    raise ValueError(f"new weights have the names and shapes of this model: got {name}")
                own[name].copy_(tensor)
        self.weight_version = version

    def close(self) -> None:
        """There is nothing to let go of."""

    @torch.inference_mode()
    def _decode_block(
        self,
        block: Sequence[tuple[int, ...]],
        row_of: NDArray[Any],
        seeds: NDArray[np.uint64],
        sampling: Sampling,
        begun: Sequence[tuple[int, ...]],
    ) -> list[Completion]:
        draft = _Draft(begun, sampling, self.end_id, self.decode)
        state = _Rows(self, block)
        alive = np.arange(len(row_of))
        for position in range(sampling.max_tokens):
            tokens, logprobs, entropy = _sample(state.logits, row_of, uniforms(seeds[alive], position), sampling)
            going = draft.add(alive, tokens, logprobs, entropy)
            if position + 1 == sampling.max_tokens or not going.any():
                break
            alive, row_of, tokens = alive[going], row_of[going], tokens[going]
            contexts, row_of = np.unique(row_of.astype(np.int64) * state.vocabulary + tokens, return_inverse=True)
            state.advance(contexts // state.vocabulary, contexts % state.vocabulary)
        return draft.completions()


class _Rows:
    """The distinct contexts being decoded: their cache, their mask, and the logits of their next token."""

    def __init__(self, engine: LocalEngine, prompts: Sequence[tuple[int, ...]]) -> None:
        self._engine = engine
        device = engine.model.device
        width = max(len(prompt) for prompt in prompts)
        ids = torch.full((len(prompts), width), engine.pad_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        self._mask = mask.to(device)
        self._cache = DynamicCache()
        self._positions = (self._mask.cumsum(-1) - 1).clamp_min(0)
        self._forward(ids.to(device), self._positions)
        self._positions = self._positions[:, -1:]
        self.vocabulary = self.logits.shape[-1]

    def advance(self, parents: NDArray[Any], tokens: NDArray[Any]) -> None:
        """Row i of the new rows is row `parents[i]` of the old ones with `tokens[i]` behind it."""
        device = self._mask.device
        if len(parents) != len(self._mask) or (parents != np.arange(len(parents))).any():
            chosen = torch.from_numpy(parents).to(device)
            self._cache.batch_select_indices(chosen)
            self._mask, self._positions = self._mask[chosen], self._positions[chosen]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(parents), 1)], dim=1)
        self._positions = self._positions + 1
        self._forward(torch.from_numpy(tokens).to(device)[:, None], self._positions)

    def _forward(self, ids: Tensor, positions: Tensor) -> None:
        with self._engine.clock.running():
            out = self._engine.model(
                input_ids=ids,
                attention_mask=self._mask,
                position_ids=positions,
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
        self.logits = out.logits[:, -1].float()


class _Draft:
    """Replies in the making, one per request; `begun` holds what was said of each before."""

    def __init__(
        self,
        begun: Sequence[tuple[int, ...]],
        sampling: Sampling,
        end_id: int,
        decode: Callable[[tuple[int, ...]], str],
    ) -> None:
        self._begun, self._sampling, self._end_id, self._decode = begun, sampling, end_id, decode
        count = len(begun)
        self._ids: list[list[int]] = [[] for _ in range(count)]
        self._logprobs: list[list[float]] = [[] for _ in range(count)]
        self._entropy: list[list[float]] | None = [[] for _ in range(count)] if sampling.entropy_tokens else None
        self._finished = np.zeros(count, dtype=bool)

    def add(
        self, alive: NDArray[Any], tokens: NDArray[Any], logprobs: NDArray[Any], entropy: NDArray[Any] | None
    ) -> NDArray[np.bool_]:
        """Append one token to each reply in `alive`; returns which of them go on."""
        for index, token, logprob in zip(alive.tolist(), tokens.tolist(), logprobs.tolist(), strict=True):
            self._ids[index].append(token)
            self._logprobs[index].append(logprob)
        if self._entropy is not None and entropy is not None:
            for index, nats in zip(alive.tolist(), entropy.tolist(), strict=True):
                if len(self._entropy[index]) < self._sampling.entropy_tokens:
                    self._entropy[index].append(nats)
        ended: NDArray[np.bool_] = tokens == self._end_id
        if self._sampling.stop:
            ended = ended | np.array([self._stopped(index) for index in alive.tolist()])
        self._finished[alive[ended]] = True
        return ~ended

    def _stopped(self, index: int) -> bool:
        text = self._decode((*self._begun[index], *self._ids[index]))
        return any(stop in text for stop in self._sampling.stop)

    def completions(self) -> list[Completion]:
        entropies: Sequence[list[float] | None] = self._entropy or [None] * len(self._ids)
        return [
            Completion(tuple(ids), tuple(logprobs), finished, None if nats is None else tuple(nats))
            for ids, logprobs, finished, nats in zip(
                self._ids, self._logprobs, self._finished.tolist(), entropies, strict=True
            )
        ]


def _sample(
    logits: Tensor, row_of: NDArray[Any], draws: NDArray[np.float64], sampling: Sampling
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Token, its log-prob and (where asked) the entropy of each request. `logits` [U, V]; `row_of`, `draws` [N]."""
    rows = torch.from_numpy(row_of).to(logits.device)
    logprobs = torch.log_softmax(logits / (sampling.temperature or 1.0), dim=-1)
    if sampling.top_p < 1:
        logprobs = _nucleus(logprobs, sampling.top_p)
    if sampling.temperature == 0:
        tokens = logprobs.argmax(-1)[rows]
    else:
        cumulative = logprobs.double().exp().cumsum(-1)[rows]  # [N, V]
        targets = torch.from_numpy(draws).to(logits.device) * cumulative[:, -1]
        tokens = torch.searchsorted(cumulative, targets[:, None], right=True)[:, 0].clamp_max(logits.shape[-1] - 1)
    chosen = logprobs[rows, tokens].cpu().numpy()
    if np.isnan(chosen).any():
        raise ValueError("the model's log-probs are NaN: its weights are broken, go back to an earlier checkpoint")
    entropy = None
    if sampling.entropy_tokens:
        top = logprobs.topk(min(ENTROPY_CANDIDATES, logits.shape[-1]), dim=-1).values
        entropy = (-(top.exp() * top).nan_to_num(0.0).sum(-1))[rows].cpu().numpy()
    return tokens.cpu().numpy(), chosen, entropy


def _nucleus(logprobs: Tensor, top_p: float) -> Tensor:
    """Keep the smallest set of likeliest tokens that reaches `top_p`, renormalised. [U, V] nats."""
    ordered, order = logprobs.sort(dim=-1, descending=True, stable=True)
    before = ordered.exp().cumsum(-1) - ordered.exp()
    kept = torch.where(before < top_p, ordered, -torch.inf)
    return torch.log_softmax(torch.empty_like(kept).scatter(-1, order, kept), dim=-1)


def _blocks(prompts: Sequence[tuple[int, ...]], batch_tokens: int) -> list[list[int]]:
    """Indices of the prompts, shortest first and equal ones side by side, in blocks of at most that many tokens."""
    holders: dict[tuple[int, ...], list[int]] = {}
    for index, prompt in enumerate(prompts):
        holders.setdefault(prompt, []).append(index)
    blocks: list[list[int]] = []
    for prompt in sorted(holders, key=len):
        for index in holders[prompt]:
            if blocks and len(prompt) * (len(blocks[-1]) + 1) <= batch_tokens:
                blocks[-1].append(index)
            else:
                blocks.append([index])
    return blocks
