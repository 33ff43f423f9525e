"""What flows between the folders: `Message`, `Request`, `Reply`, `Turn`, `Episode`.

All are frozen and validated when they are made, and go to JSON and back without loss. What is not known is
None, never a made-up number. Log-probabilities are in nats, rewards in task units, times in seconds.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turnwise.quick import quick

SCHEMA_VERSION = 3

ROLES = ("system", "user", "assistant", "tool")
TURN_STATUSES = ("ok", "unparsable", "illegal", "truncated")
EPISODE_STATUSES = ("ok", "truncated", "env_error", "agent_error", "timeout")


class RecordError(ValueError):
    """A record was asked to hold what it must not hold."""


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message. `role` is one of `ROLES`."""

    role: str
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise RecordError(f"a message needs a role out of {', '.join(ROLES)}: got {self.role!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an agent is asked: one seat of one live game has to speak."""

    seat: str
    messages: tuple[Message, ...]
    """The conversation as this seat knows it, the newest observation last."""
    seed: int
    """All randomness of the reply comes from it, so that a reply does not depend on what else is in the batch."""
    prompt_ids: tuple[int, ...] = ()
    """The same conversation in token ids, for agents that work on tokens."""
    game: Any = None
    """The live `TextGame`, for scripted agents only: a language agent never looks at it."""
    max_tokens: int | None = None
    """Most tokens to sample now, below the agent's own limit; None for the agent's."""
    begun: tuple[int, ...] = ()
    """Tokens of this very reply that were sampled before; `prompt_ids` ends with them."""
    session: str | None = None
    """Requests of one seat in one episode have one name, so that an engine can keep what it has read."""
    allowed: tuple[str, ...] | None = None
    """The actions that are legal now, where the agent is to be held to them (`agent.held_to_legal`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an agent answers to one `Request`."""

    text: str
    completion_ids: tuple[int, ...] = ()
    """The sampled tokens, the end-of-turn token included where it was sampled."""
    logprobs: tuple[float, ...] = ()
    """Log p of each completion token under the distribution it was sampled from, in nats."""
    topk_entropy: tuple[float, ...] | None = None
    finished: bool = True
    """False where the reply was cut at the token limit."""
    weight_version: int | None = None
    versions: tuple[tuple[int, int], ...] = ()
    """(first completion token, weight version) per span, of a reply that was sampled in parts; else empty."""
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One reply of one seat, with the tokens exactly as they were read and sampled."""

    seat: str
    observation: tuple[Message, ...]
    """What the seat read since its last turn (not the whole context: that is `prompt_ids`)."""
    text: str
    """The reply as it was written."""
    action: str | None = None
    """The action that was read from the reply, or None where none could be read."""
    status: str = "ok"
    reward: float = 0.0
    """Reward of this seat for this turn, in task units."""
    prompt_ids: tuple[int, ...] = ()
    """The whole context that the reply was sampled in; empty where no tokens were involved."""
    completion_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    """Log p of each completion token under the distribution it was sampled from, in nats."""
    train_logprobs: tuple[float, ...] | None = None
    """Log p of each completion token under the trainer's weights before the update, in nats."""
    topk_entropy: tuple[float, ...] | None = None
    """Entropy over the engine's top candidates at the first k tokens, in nats."""
    token_entropy: tuple[float, ...] | None = None
    """Entropy of the trainer's distribution at each completion token before the update, in nats."""
    squared_probs: tuple[float, ...] | None = None
    """Sum of the squared probabilities of that distribution, in (0, 1]."""
    reference_logprobs: tuple[float, ...] | None = None
    """Log p of each completion token under the reference policy, in nats."""
    value: float | None = None
    """Estimated return to come before the turn, by a critic or by Monte Carlo, in task units."""
    token_values: tuple[float | None, ...] | None = None
    """The same before each completion token; None at a token whose state was not valued."""
    advantages: tuple[float | None, ...] | None = None
    """What each completion token was trained with, after shaping, in task units; None at a token that was left out."""
    updated_logprobs: tuple[float, ...] | None = None
    """Log p of each completion token under the trainer's weights right after the update, in nats."""
    answer_logprob: float | None = None
    """Mean log p of the ground truth's tokens in the context before this turn, in nats."""
    anchor: str | None = None
    """A canonical key of the state before the turn: equal keys, equal states."""
    tool_calls: tuple[str, ...] = ()
    """Each call as a JSON object."""
    weight_version: tuple[tuple[int, int], ...] = ()
    """(first completion token, weight version) per span, ascending; empty where no weights were involved."""
    seconds: float | None = None
    """Wall time from the request to the reply."""

    def __post_init__(self) -> None:
        tokens = len(self.completion_ids)
        if self.status not in TURN_STATUSES:
            raise RecordError(f"a turn needs a status out of {', '.join(TURN_STATUSES)}: got {self.status!r}")
        if len(self.logprobs) != tokens:
            raise RecordError(
                f"a turn needs one logprob per completion token: got {len(self.logprobs)} logprobs for {tokens} tokens"
            )
        if (
            self.train_logprobs is not None
            or self.token_entropy is not None
            or self.squared_probs is not None
            or self.reference_logprobs is not None
            or self.token_values is not None
            or self.advantages is not None
            or self.updated_logprobs is not None
        ):
            self._check_columns(tokens)
        if tokens and (max(self.logprobs) > 1e-6 or math.isnan(sum(self.logprobs))):
            raise RecordError(f"logprobs are at most 0 nats and never NaN: got {max(self.logprobs)}")
        if not math.isfinite(self.reward):
            raise RecordError(f"a turn needs a finite reward: got {self.reward}")

    def _check_columns(self, tokens: int) -> None:
        for name in PER_TOKEN:
            column = getattr(self, name)
            if column is not None and len(column) != tokens:
                raise RecordError(
                    f"a turn needs one entry of {name} per completion token, or None: got {len(column)} for "
                    f"{tokens} tokens"
                )


PER_TOKEN = (
    *("train_logprobs", "token_entropy", "squared_probs", "reference_logprobs", "token_values"),
    *("advantages", "updated_logprobs"),
)
"""Fields of a turn that have one entry per completion token, or are None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One play of one environment, from its start to its end."""

    id: str
    env_id: str
    seats: Mapping[str, str]
    """Who sat where: seat -> name of the agent. Every turn's seat is one of these."""
    turns: tuple[Turn, ...]
    returns: Mapping[str, float]
    """Sum of the rewards of each seat, in task units."""
    status: str = "ok"
    seed: int | None = None
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    task: str | None = None
    level: str | None = None
    group: str | None = None
    """Episodes of one group played the same task from the same seed."""
    parent: str | None = None
    """Id of the episode that this one was forked from."""
    fork_turn: int | None = None
    """Index of the first turn that is not the parent's."""
    snapshot: str | None = None
    """Key of a saved environment state to replay from."""
    ground_truth: str | None = None
    """The right answer of the episode's task."""
    end_values: Mapping[str, float] | None = None
    """Estimated return to come in the state that the episode was cut off in, per seat, in task units."""
    reward_parts: Mapping[str, Mapping[str, float]] | None = None
    """What the returns are made of: name of the part -> seat -> its sum over the episode, in task units."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise RecordError(
                f"this turnwise reads episodes of schema version {SCHEMA_VERSION}: got {self.schema_version}; "
                "read them with the release that wrote them"
            )
        if self.status not in EPISODE_STATUSES:
            raise RecordError(f"an episode needs a status out of {', '.join(EPISODE_STATUSES)}: got {self.status!r}")
        if not self.seats:
            raise RecordError("an episode needs at least one seat: got none")
        if self.returns.keys() != self.seats.keys():
            raise RecordError(
                f"an episode needs one return per seat: got returns for {sorted(self.returns)} "
                f"and seats {sorted(self.seats)}"
            )
        if not all(map(math.isfinite, self.returns.values())):
            raise RecordError(f"returns are finite: got {dict(self.returns)}")
        for turn in self.turns:
            if turn.seat not in self.seats:
                raise RecordError(f"a turn's seat is one of {sorted(self.seats)}: got {turn.seat!r}")
        if (self.parent is None) != (self.fork_turn is None):
            raise RecordError(f"parent and fork_turn come together: got {self.parent!r} and {self.fork_turn!r}")

    def to_json(self) -> str:
        """One line of JSON. Floats keep every bit; -inf (a log-prob of an impossible token) is kept as -Infinity."""
        return json.dumps(episode_to_dict(self), ensure_ascii=False, separators=(",", ":"))

    @staticmethod
    def from_json(line: str | bytes) -> Episode:
        """The episode that `to_json` wrote. Raises RecordError where the text is no episode."""
        try:
            raw = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise RecordError(f"an episode is one JSON object: {error}") from None
        return episode_from_dict(raw)


make_request, make_reply, make_turn, make_episode = quick(Request), quick(Reply), quick(Turn), quick(Episode)
"""What calling the class does, for those who make many."""

TURN_FIELDS = tuple(spec.name for spec in dataclasses.fields(Turn))
EPISODE_FIELDS = tuple(spec.name for spec in dataclasses.fields(Episode))


def episode_to_dict(episode: Episode) -> dict[str, Any]:
    """Plain dicts, lists, strings and numbers, one key per field."""
    raw = {name: getattr(episode, name) for name in EPISODE_FIELDS}
    for name in ("seats", "returns", "env_kwargs", "metadata"):
        raw[name] = dict(raw[name])
    if episode.end_values is not None:
        raw["end_values"] = dict(episode.end_values)
    if episode.reward_parts is not None:
        raw["reward_parts"] = {part: dict(amounts) for part, amounts in episode.reward_parts.items()}
    raw["turns"] = [turn_to_dict(turn) for turn in episode.turns]
    return raw


def episode_from_dict(raw: Any) -> Episode:
    """The episode that `episode_to_dict` wrote down. Raises RecordError on a missing, unknown or ill-typed field."""
    values = _fields(raw, EPISODE_FIELDS, "an episode")
    if values["schema_version"] != SCHEMA_VERSION:
        raise RecordError(
            f"this turnwise reads episodes of schema version {SCHEMA_VERSION}: got {values['schema_version']!r}"
        )
    try:
        values["turns"] = tuple(turn_from_dict(turn) for turn in values["turns"])
        return Episode(**values)
    except RecordError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"an episode has a field of the wrong type: {error}") from None


def turn_to_dict(turn: Turn) -> dict[str, Any]:
    """Plain dicts, tuples, strings and numbers, one key per field."""
    raw = {name: getattr(turn, name) for name in TURN_FIELDS}
    raw["observation"] = [{"role": message.role, "content": message.content} for message in turn.observation]
    return raw


def turn_from_dict(raw: Any) -> Turn:
    """The turn that `turn_to_dict` wrote down. Raises RecordError on a missing or unknown field."""
    values = _fields(raw, TURN_FIELDS, "a turn")
    messages = (_fields(message, ("role", "content"), "a message") for message in values["observation"])
    values["observation"] = tuple(Message(**message) for message in messages)
    values["weight_version"] = tuple((int(start), int(version)) for start, version in values["weight_version"])
    for name in ("prompt_ids", "completion_ids", "logprobs", "topk_entropy", "tool_calls", *PER_TOKEN):
        values[name] = None if values[name] is None else tuple(values[name])
    return Turn(**values)


def _fields(raw: Any, names: Sequence[str], what: str) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise RecordError(f"{what} is a JSON object: got {type(raw).__name__}")
    if raw.keys() != set(names):
        missing, unknown = sorted(set(names) - raw.keys()), sorted(raw.keys() - set(names))
        raise RecordError(f"{what} has the fields {', '.join(names)}: missing {missing}, unknown {unknown}")
    return dict(raw)
