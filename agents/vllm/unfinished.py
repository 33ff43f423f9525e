"""A reply in the making: what vLLM is asked for next, and what has come so far."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from turnwise.agents.engine import ENTROPY_CANDIDATES, AgentFailure, Ask, Completion
from turnwise.agents.sampling import derive_seed

if TYPE_CHECKING:
    from collections.abc import Callable


class Unfinished:
    """One reply, sampled in parts: each is a request of vLLM's that goes on where the one before stopped."""

    def __init__(self, ask: Ask, end_id: int, decode: Callable[[tuple[int, ...]], str], *, grammar: bool) -> None:
        self.ask = ask
        self.since = time.monotonic()
        self.request = ""
        """vLLM's name of the part that runs."""
        self._end_id, self._decode = end_id, decode
        self._allowed = ask.allowed if grammar else None
        self._ids: list[int] = []
        self._logprobs: list[float] = []
        self._entropy: list[float] = []
        self._versions: list[tuple[int, int]] = []
        self._finished = False

    def prompt(self) -> list[int]:
        """Of the next part."""
        return [*self.ask.prompt, *self._ids]

    def parameters(self) -> Any:
        """vLLM's, of the next part."""
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        sampling, said = self.ask.sampling, len(self.ask.begun) + len(self._ids)
        watched = max(0, sampling.entropy_tokens - len(self._ids))
        left = sampling.max_tokens - len(self._ids)
        stops = self._stops()
        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=derive_seed(self.ask.seed, said) if said else self.ask.seed,
            max_tokens=min(left, watched) if watched else left,
            logprobs=ENTROPY_CANDIDATES if watched else 0,
            flat_logprobs=True,
            stop_token_ids=[self._end_id],
            ignore_eos=True,  # the end of a turn is the context's to say
            stop=stops,
            include_stop_str_in_output=True,
            detokenize=bool(stops),
            output_kind=RequestOutputKind.FINAL_ONLY,
            skip_clone=True,  # nobody else has them
            **self._grammar(),
        )

    def take(self, output: Any) -> bool:
        """A part is done: is the reply? Raises AgentFailure where vLLM could not sample it."""
        new = list(output.token_ids)
        if output.finish_reason not in ("stop", "length"):
            raise AgentFailure(f"vLLM ended a request after {len(new)} tokens with {output.finish_reason!r}")
        self._note_versions(output.weight_versions or ())
        self._note_logprobs(output.logprobs, len(new))
        self._ids += new
        self._finished = self._ids[-1] == self._end_id or self._stopped()
        return self._finished or len(self._ids) >= self.ask.sampling.max_tokens

    def completion(self) -> Completion:
        """What was sampled."""
        return Completion(
            ids=tuple(self._ids),
            logprobs=tuple(self._logprobs),
            finished=self._finished,
            topk_entropy=tuple(self._entropy) if self.ask.sampling.entropy_tokens else None,
            versions=tuple(self._versions),
        )

    def _stops(self) -> list[str]:
        """The texts that end the next part: those that end the reply, and what is missing of one that has begun."""
        stops = self.ask.sampling.stop
        text = self._text() if stops and (self.ask.begun or self._ids) else ""
        rests = {stop[k:] for stop in stops for k in range(1, len(stop)) if text.endswith(stop[:k])}
        return [*stops, *sorted(rests)]

    def _stopped(self) -> bool:
        stops = self.ask.sampling.stop
        text = self._text() if stops else ""
        return any(stop in text for stop in stops)

    def _text(self) -> str:
        return self._decode((*self.ask.begun, *self._ids))

    def _grammar(self) -> dict[str, Any]:
        """What keeps the next part to the texts that are allowed, if they are kept to."""
        if not self._allowed:
            return {}
        from vllm.sampling_params import StructuredOutputsParams

        text = self._text()
        rests = [choice[len(text) :] for choice in self._allowed if choice.startswith(text)]
        if not any(rests):  # all is said, or something else was
            return {"allowed_token_ids": [self._end_id]} if rests else {}
        return {"structured_outputs": StructuredOutputsParams(choice=[rest for rest in rests if rest])}

    def _note_versions(self, spans: Any) -> None:
        for span in spans:
            version = int(span.version)
            if span.start < span.end and (not self._versions or self._versions[-1][1] != version):
                self._versions.append((len(self._ids) + span.start, version))

    def _note_logprobs(self, found: Any, count: int) -> None:
        """The sampled token's comes first at each position, then those of the likeliest ones."""
        watched = self.ask.sampling.entropy_tokens
        for start, end in zip(found.start_indices, found.end_indices, strict=True):
            chosen = found.logprobs[start]
            if math.isnan(chosen):
                raise ValueError(
                    "the model's log-probs are NaN: its weights are broken, go back to an earlier checkpoint"
                )
            self._logprobs.append(chosen)
            if len(self._entropy) < watched:
                self._entropy.append(_entropy(found.logprobs[start + 1 : end]))


def _entropy(logprobs: list[float]) -> float:
    """Of the likeliest candidates, in nats."""
    return -sum([math.exp(nats) * nats for nats in logprobs if nats > -math.inf])
