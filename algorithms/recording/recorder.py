"""The recorder of a run: keeps some of its steps' episodes as they were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from turnwise.agents.context import ChatContext
from turnwise.algorithms.algorithm import Judged
from turnwise.algorithms.annotate import annotate
from turnwise.algorithms.files import reported
from turnwise.algorithms.league import LEARNER
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.recording.choose import chosen, is_due
from turnwise.algorithms.recording.columns import filled, updated, with_advantages, without_scores
from turnwise.algorithms.recording.folder import FOLDER, place_of, recorded
from turnwise.algorithms.recording.settings import RecordingSettings
from turnwise.records import Episode


class Recorder:
    """Looks at a step before its update and after it. All ranks make the same calls; the first one writes."""

    def __init__(self, settings: RecordingSettings, run_dir: Path, learner: Learner, context: ChatContext) -> None:
        self.settings, self.folder = settings, Path(run_dir) / FOLDER
        self._learner, self._context = learner, context

    def before(self, judged: Judged, step: int, *, last: bool) -> list[Episode]:
        """The episodes of a step to keep, with advantages and what the weights say of their tokens; [] if not due."""
        if not is_due(step, self.settings.every, last=last):
            return []
        kept = chosen(judged.episodes, self.settings.games)
        episodes = [judged.episodes[index] for index in kept]
        scored = self._scored(episodes, frozenset({"train_logprobs", "token_entropy"}))
        episodes = [filled(episode, found) for episode, found in zip(episodes, scored, strict=True)]
        mask, old = self._learner.objective.probability_mask, self._learner.optimisation.old_logprobs
        return [
            with_advantages(episode, judged.advantages[index], mask=mask, old=old)
            for episode, index in zip(episodes, kept, strict=True)
        ]

    def after(self, episodes: Sequence[Episode], step: int) -> None:
        """Write the episodes that `before` returned, now that the weights are new."""
        if not episodes:
            return
        scored = self._scored([without_scores(episode) for episode in episodes], frozenset({"train_logprobs"}))
        if not self._learner.world.is_first:
            return
        from turnwise.parquet import write_parquet

        found = [updated(episode, after) for episode, after in zip(episodes, scored, strict=True)]
        path = place_of(self.folder, step)
        with reported(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_parquet(path, [_told(episode, step) for episode in found])

    def cut_back(self, step: int) -> None:
        """Drop what was kept of later steps."""
        if self._learner.world.is_first:
            for number, path in recorded(self.folder):
                if number > step:
                    with reported(path):
                        path.unlink()

    def _scored(self, episodes: Sequence[Episode], wanted: frozenset[str]) -> list[Episode]:
        return annotate(episodes, self._learner, self._context, wanted, name=LEARNER, answer_prefix="")


def _told(episode: Episode, step: int) -> Episode:
    return replace(episode, metadata={**episode.metadata, "step": step, "kind": "train"})
