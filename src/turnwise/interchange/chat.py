"""Episodes as chat messages for supervised fine-tuning: a conversation per seat, with a mask of what is learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from turnwise.records import Episode, Turn

LEARNER = "policy"


def conversation(episode: Episode, seat: str, turns: int | None = None) -> list[dict[str, str]]:
    """What the seat has read and said, as messages; up to and without its turn of that number where one is given."""
    messages: list[dict[str, str]] = []
    spoken = 0
    for turn in episode.turns:
        if turn.seat != seat:
            continue
        messages += [{"role": message.role, "content": message.content} for message in turn.observation]
        if spoken == turns:
            return messages
        messages.append({"role": "assistant", "content": turn.text})
        spoken += 1
    return messages


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
    """A row per seat that the agent held, or of `seats`: (episode, agent) -> those that are wanted. Seats without a
    legal move are left out.

    `messages`: the conversation. `mask`: a number a message, 1 where it is a reply of the agent that was a legal move.
    Where the tokens of every turn are known and grow from turn to turn, also `input_ids`, the whole conversation as the
    policy read and wrote it, and `assistant_masks`, 1 at the tokens of the replies that the mask allows.
    """
    for episode in episodes:
        for seat in seats(episode, agent):
            turns = [turn for turn in episode.turns if turn.seat == seat]
            if not any(turn.status == "ok" for turn in turns):
                continue
            row = {"messages": conversation(episode, seat), "mask": _mask(turns), "return": episode.returns[seat]}
            yield row | _tokens(turns) | facts(episode, seat)


def facts(episode: Episode, seat: str) -> dict[str, Any]:
    """Where a row comes from."""
    return {"episode": episode.id, "env_id": episode.env_id, "seat": seat, "agent": episode.seats[seat]}


def _mask(turns: list[Turn]) -> list[int]:
    return [mark for turn in turns for mark in (*[0] * len(turn.observation), int(turn.status == "ok"))]


def _tokens(turns: list[Turn]) -> dict[str, list[int] | None]:
    ids: list[int] = []
    mask: list[int] = []
    for turn in turns:
        if not turn.completion_ids or list(turn.prompt_ids[: len(ids)]) != ids:
            return {"input_ids": None, "assistant_masks": None}
        read = len(turn.prompt_ids) - len(ids)
        ids = [*turn.prompt_ids, *turn.completion_ids]
        mask += [0] * read + [int(turn.status == "ok")] * len(turn.completion_ids)
    return {"input_ids": ids, "assistant_masks": mask}
