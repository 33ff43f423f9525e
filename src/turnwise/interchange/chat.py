"""Episodes as chat messages for supervised fine-tuning: a conversation per seat, with a mask of what is learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from turnwise.records import Episode, Turn

LEARNER = "policy"


def conversation(episode: Episode, seat: str, turns: int | None = None) -> list[dict[str, str]]:
    """What the seat has read and said, as messages; up to and without its turn of that number where one is given."""
    mine = [turn for turn in episode.turns if turn.seat == seat]
    whole = [message for turn in mine[:turns] for message in _messages(turn)]
    return whole if turns is None else [*whole, *_messages(mine[turns])[:-1]]


def seats_of(episode: Episode, agent: str | None) -> list[str]:
    """The seats that this agent held and spoke for. agent: None for the learner, or where it held none for all."""
    spoke = {turn.seat for turn in episode.turns}
    wanted = LEARNER if agent is None and LEARNER in episode.seats.values() else agent
    return [seat for seat, name in episode.seats.items() if seat in spoke and wanted in (None, name)]


def sft_rows(
    episodes: Iterable[Episode],
    agent: str | None = None,
    *,
    seats: Callable[[Episode, str | None], Sequence[str]] = seats_of,
) -> Iterator[dict[str, Any]]:
    """A row per seat that the agent held, or of `seats`: (episode, agent) -> those that are wanted.

    `messages`: the conversation. `mask`: a number a message, 1 where it is a reply of the agent that was a legal move.
    `input_ids`: the conversation in tokens, as the policy read and wrote it, and `assistant_masks`, 1 at the tokens of
    the replies that the mask allows; both None where a turn has no tokens. Where the context was rewritten between two
    turns (each turn alone, or a shortened history), the turns after it are a row of their own, from `first_turn` on.
    Rows without a legal move are left out.
    """
    for episode in episodes:
        for seat in seats(episode, agent):
            first = 0
            for turns in stretches([turn for turn in episode.turns if turn.seat == seat]):
                if any(turn.status == "ok" for turn in turns):
                    yield {**_row(turns), "return": episode.returns[seat], "first_turn": first, **facts(episode, seat)}
                first += len(turns)


def stretches(turns: Sequence[Turn]) -> list[list[Turn]]:
    """The turns of a seat in parts: in each, a prompt begins with all that was read and written in the part before."""
    if not all(turn.completion_ids for turn in turns):
        return [list(turns)]
    found: list[list[Turn]] = []
    ids: tuple[int, ...] = ()
    for turn in turns:
        if found and turn.prompt_ids[: len(ids)] == ids:
            found[-1].append(turn)
        else:
            found.append([turn])
        ids = turn.prompt_ids + turn.completion_ids
    return found


def _row(turns: Sequence[Turn]) -> dict[str, Any]:
    messages = [message for turn in turns for message in _messages(turn)]
    mask = [mark for turn in turns for mark in (*[0] * len(turn.observation), int(turn.status == "ok"))]
    known = all(turn.completion_ids for turn in turns)
    tokens = _tokens(turns) if known else {"input_ids": None, "assistant_masks": None}
    return {"messages": messages, "mask": mask, **tokens}


def facts(episode: Episode, seat: str) -> dict[str, Any]:
    """Where a row comes from."""
    return {"episode": episode.id, "env_id": episode.env_id, "seat": seat, "agent": episode.seats[seat]}


def _messages(turn: Turn) -> list[dict[str, str]]:
    read = [{"role": message.role, "content": message.content} for message in turn.observation]
    return [*read, {"role": "assistant", "content": turn.text}]


def _tokens(turns: Sequence[Turn]) -> dict[str, list[int]]:
    mask: list[int] = []
    for turn in turns:
        mask += [0] * (len(turn.prompt_ids) - len(mask)) + [int(turn.status == "ok")] * len(turn.completion_ids)
    return {"input_ids": [*turns[-1].prompt_ids, *turns[-1].completion_ids], "assistant_masks": mask}
