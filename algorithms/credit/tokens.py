"""Tables of advantages with one number per token, and what the turns say of the same tokens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from turnwise.algorithms.credit.annotations import of_tokens
from turnwise.algorithms.credit.episodes import Advantage, TurnCredit
from turnwise.algorithms.credit.groups import Floats
from turnwise.algorithms.credit.whiten import flat, refilled
from turnwise.records import Episode


def per_token(table: TurnCredit, episodes: Sequence[Episode]) -> TurnCredit:
    """The table with the one number of a turn repeated for each of its completion tokens."""
    return [
        [_repeated(entry, len(turn.completion_ids)) for entry, turn in zip(row, episode.turns, strict=True)]
        for row, episode in zip(table, episodes, strict=True)
    ]


def token_column(table: TurnCredit, episodes: Sequence[Episode], name: str) -> Floats:
    """[N] field `name` of every token of the trained turns, in the order in which `whiten.flat` reads `per_token`.

    Raises: ValueError at a trained turn where the field is missing.
    """
    columns = [
        of_tokens(episode, index, name)
        for row, episode in zip(table, episodes, strict=True)
        for index, entry in enumerate(row)
        if entry is not None
    ]
    return np.array(list(chain.from_iterable(columns)), dtype=np.float64)


def settled(table: TurnCredit) -> TurnCredit:
    """The table with 0.0 where it says NaN: on tokens of a trained turn that are trained in another episode."""
    values = flat(table)
    return refilled(table, np.where(np.isnan(values), 0.0, values))


def _repeated(entry: Advantage, tokens: int) -> Advantage:
    return (entry,) * tokens if isinstance(entry, float) else entry
