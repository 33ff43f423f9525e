"""PAV as an advantage: on top of its outcome a turn is worth what it changed in a prover's chances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from turnwise.algorithms.credit.episodes import Advantage, TurnCredit, learner_seats
from turnwise.algorithms.rewards.pav import PAVSettings, progress
from turnwise.records import Episode


def shape(
    episodes: Sequence[Episode], advantages: TurnCredit, settings: PAVSettings, learner: str = "policy"
) -> tuple[TurnCredit, Mapping[str, float]]:
    """Q + alpha A: what the credit method gave, which tells of the outcome, plus the prover's advantage of each turn.

    As rewards the same amounts would add up along an episode: under a discount of 1 to little more than a baseline, and
    under one of 0 no turn but the last would hear of the outcome.

    Returns: the new table, and `progress`, the mean size of what was added.
    Raises: ValueError where a turn, or with `bootstrap` a truncated episode, lacks its value.
    Source: Setlur et al. 2024 (PAV), arXiv:2410.08146, section 3, the policy gradient of the effective reward.
    """
    table = [list(row) for row in advantages]
    sizes: list[float] = []
    for episode, row in zip(episodes, table, strict=True):
        for seat in learner_seats(episode, learner):
            for index, amount in progress(episode, seat, settings).items():
                if row[index] is not None:
                    row[index] = _raised(row[index], amount)
                    sizes.append(abs(amount))
    return table, {"progress": sum(sizes) / len(sizes)} if sizes else {}


def _raised(entry: Advantage, amount: float) -> Advantage:
    if isinstance(entry, tuple):
        return tuple([value + amount for value in entry])
    return None if entry is None else entry + amount
