"""Playing live tables stretch by stretch: what every way of sampling that looks into an episode shares."""

from __future__ import annotations

from collections.abc import Sequence

from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Rollout
from turnwise.agents.table import Table
from turnwise.algorithms.credit.episodes import is_trained
from turnwise.records import Episode, Turn


def by_group(plans: Sequence[Plan]) -> list[list[Plan]]:
    """The plans of each group, in the order in which the groups first appear. A plan without one is a group alone."""
    groups: dict[str, list[Plan]] = {}
    for plan in plans:
        groups.setdefault(f"plan {plan.id}" if plan.group is None else f"group {plan.group}", []).append(plan)
    return list(groups.values())


def turns_of(table: Table, learner: str) -> int:
    """Turns that the learner has taken so far."""
    seats = table.plan.seats
    return sum(seats[draft.seat] == learner for draft in table.drafts)


def tokens_of(table: Table, learner: str) -> int:
    """Tokens that the learner has sampled so far, those of a begun reply and of the prefix included."""
    seats = table.plan.seats
    said = sum(len(draft.reply.completion_ids) for draft in table.drafts if seats[draft.seat] == learner)
    return said + (0 if table.partial is None else len(table.partial.completion_ids))


def play_on(
    rollout: Rollout, tables: Sequence[Table], learner: str, *, turns: int | None = None, tokens: int | None = None
) -> None:
    """Play every table on to its end, or until the learner has used up what it is given and is to act once more.

    Others reply as often as it is their turn in between. With `tokens` a reply may stop in its middle: the table keeps
    it as `partial`.

    Args:
        turns: Turns of the learner at each table, >= 1; None for no limit.
        tokens: Tokens that the learner samples at each table, >= 1; None for no limit.
    """
    last_turn = [None if turns is None else turns_of(table, learner) + turns for table in tables]
    last_token = [None if tokens is None else tokens_of(table, learner) + tokens for table in tables]
    going = list(range(len(tables)))
    while going:
        asked: list[Table] = []
        limits: list[int | None] = []
        still = []
        for at in going:
            table = tables[at]
            own = table.speaker == learner
            left = _left(table, learner, last_turn[at], last_token[at]) if own else None
            if table.over or left == 0:
                continue
            still.append(at)
            asked.append(table)
            limits.append(left if tokens is not None else None)
        going = still
        rollout.play_turn(asked, limits)


def _left(table: Table, learner: str, last_turn: int | None, last_token: int | None) -> int | None:
    """What the learner may still use: 0 for nothing more, else tokens, or None for no limit of them."""
    if last_turn is not None and turns_of(table, learner) >= last_turn:
        return 0
    return None if last_token is None else last_token - tokens_of(table, learner)


def count_tokens(episode: Episode, turns: Sequence[Turn], learner: str) -> int:
    """Tokens of the learner in these turns of an episode."""
    return sum(len(turn.completion_ids) for turn in turns if is_trained(episode, turn, learner))


def shared_tokens(episodes: Sequence[Episode], fork_token: str, learner: str) -> int:
    """Tokens of the learner that stand in a fork but were sampled in its parent."""
    total = 0
    for episode in episodes:
        if episode.fork_turn is not None:
            total += count_tokens(episode, episode.turns[: episode.fork_turn], learner)
            total += int(episode.metadata.get(fork_token, 0))
    return total
