"""The recorder of a run: keeps some of its steps' episodes as they were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from turnwise.agents.context import ChatContext
from turnwise.algorithms.algorithm import Judged
from turnwise.algorithms.annotate import Changes, known, scored
from turnwise.algorithms.credit.episodes import Advantage
from turnwise.algorithms.files import reported
from turnwise.algorithms.league import LEARNER
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.recording.choose import chosen, is_due
from turnwise.algorithms.recording.columns import told
from turnwise.algorithms.recording.folder import FOLDER, place_of, recorded
from turnwise.algorithms.recording.settings import RecordingSettings
from turnwise.records import Episode


@dataclass(frozen=True, slots=True)
class Kept:
    """Episodes of a step whose update is about to be made."""

    episodes: list[Episode]
    credit: list[list[Advantage]]
    scored: Changes
    """What the weights before the update say of their turns."""


class Recorder:
    """Looks at a step before its update and after it. All ranks make the same calls; the first one writes."""

    def __init__(self, settings: RecordingSettings, run_dir: Path, learner: Learner, context: ChatContext) -> None:
        self.settings, self.folder = settings, Path(run_dir) / FOLDER
        self._learner, self._context = learner, context

    def before(self, judged: Judged, step: int, *, last: bool) -> Kept | None:
        """What to keep of a step; None where it is not due, or empty."""
        if not judged.episodes or not is_due(step, self.settings.every, last=last):
            return None
        places = chosen(judged.episodes, self.settings.games)
        episodes = [judged.episodes[place] for place in places]
        wanted = frozenset({"train_logprobs", "token_entropy"}) - known(episodes, LEARNER)
        return Kept(episodes, [judged.advantages[place] for place in places], self._scored(episodes, wanted))

    def after(self, kept: Kept | None, step: int) -> None:
        """Write down what `before` returned, now that the weights are new."""
        if kept is None:
            return
        after = self._scored(kept.episodes, frozenset({"train_logprobs"}))
        if not self._learner.world.is_first:
            return
        from turnwise.parquet import write_parquet

        mask, old = self._learner.objective.probability_mask, self._learner.optimisation.old_logprobs
        path = place_of(self.folder, step)
        found = []
        for index, (episode, credit) in enumerate(zip(kept.episodes, kept.credit, strict=True)):
            places = [(index, place) for place in range(len(episode.turns))]
            said = ([changes.get(place, {}) for place in places] for changes in (kept.scored, after))
            found.append(told(episode, credit, *said, mask=mask, old=old, step=step))
        with reported(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_parquet(path, found)

    def cut_back(self, step: int) -> None:
        """Drop what was kept of later steps."""
        if self._learner.world.is_first:
            for number, path in recorded(self.folder):
                if number > step:
                    with reported(path):
                        path.unlink()

    def _scored(self, episodes: Sequence[Episode], wanted: frozenset[str]) -> Changes:
        return scored(episodes, self._learner, self._context, wanted, name=LEARNER)
