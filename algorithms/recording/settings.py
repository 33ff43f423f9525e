"""Which of a run's episodes are kept."""

from __future__ import annotations

from dataclasses import dataclass

from turnwise.algorithms.checks import require_between


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSettings:
    """Episodes in `RUN/episodes/step-000010.parquet`, with what every token was trained with. Changes no number."""

    every: int = 10
    """Steps between those whose episodes are kept, besides the first and the last one; 0 keeps none."""
    games: int = 16
    """Episodes kept of such a step, whole groups first."""

    def __post_init__(self) -> None:
        require_between("every", self.every, 0)
        require_between("games", self.games, 1)
