"""The state of one training run, and its loop. One step reads from top to bottom in `Run.step`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from turnwise.algorithms.algorithm import Judged
from turnwise.algorithms.assemble import invited, make_learner, make_stage
from turnwise.algorithms.batch import Batch, pack
from turnwise.algorithms.checkpoint import prune, save_checkpoint
from turnwise.algorithms.checks import NotFinite
from turnwise.algorithms.evaluation.exams import Exam
from turnwise.algorithms.evaluation.measure import (
    HELD_OUT,
    exact_evaluation,
    headline,
    return_figures,
    self_play,
    win_rate_evaluation,
    win_rate_figures,
)
from turnwise.algorithms.failure import save_failure
from turnwise.algorithms.games import arms_of, of_game
from turnwise.algorithms.league import LEARNER
from turnwise.algorithms.ledger import LEDGER, counts, entry, failures
from turnwise.algorithms.matchmaker import Matchmaker
from turnwise.algorithms.metrics import step_metrics
from turnwise.algorithms.player import Cast, LocalPlayer, Played
from turnwise.algorithms.recording.recorder import Recorder
from turnwise.algorithms.reporting.journal import Journal
from turnwise.algorithms.reporting.runlog import RunLog, plain_json
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.startup import Policy, say_nothing, voice_of
from turnwise.algorithms.stop import Stop, Stopped
from turnwise.algorithms.world import ALONE, World

Observer = Callable[[dict[str, Any]], None]


class Run:
    """The state of one training run."""

    def __init__(
        self,
        settings: RunSettings,
        run_dir: Path,
        policy: Policy,
        exams: Sequence[Exam],
        world: World = ALONE,
        stop: Stop | None = None,
        cast: Cast = LocalPlayer,
        say: Callable[[str], None] = say_nothing,
    ) -> None:
        """`exams`: what the run is judged at, the headline first. `world`: the ranks that train together. `cast`: who
        plays. `say`: told what a person should know while the run goes."""
        self.settings, self.run_dir, self.policy, self.exams, self.world = settings, run_dir, policy, exams, world
        self.learner = make_learner(settings, policy, world)
        agents, league = invited(settings, policy)
        arms = arms_of(settings.env.games, every_level=settings.curriculum is not None)
        self.matchmaker = Matchmaker(settings, arms, league)
        stage = make_stage(settings, policy, self.learner, agents)
        self.algorithm = stage.algorithm
        self.player = cast(stage, self.matchmaker.plans, world)
        self.reported = voice_of(policy, self.learner.reported)
        self.recorder = Recorder(settings.recording, run_dir, self.learner, policy.context)
        self.steps_done = self.games = self.turns = 0
        self.tokens = self.answered = 0
        """What was sampled for training, used or not: the policy's tokens, and replies that a game went on after."""
        self.dropped = self.retried = 0
        """Episodes that were left out because they or others of their group failed, and that were begun again."""
        self.seconds = self.model_seconds = self.evaluation_seconds = 0.0
        """Wall time of the steps with all they bring; of it, the model's share of the steps, and evaluations."""
        self.start: float | None = None
        """The headline measure before the first update."""
        self.best: tuple[int, float] | None = None
        """(step, headline measure) of the best evaluation."""
        self.pending: dict[str, Any] | None = None
        """Record of the last step, until it is written down: its evaluation may be missing still."""
        self._unplayed: dict[str, Any] | None = None
        """State of the player before the step that a signal broke off."""
        self.saved: int | None = None
        """The step of the newest checkpoint."""
        self.stop = stop or Stop(settings.stop_within_s)
        self.log = Journal(settings, run_dir, say) if world.is_first else None
        self.ledger = RunLog(run_dir, tensorboard=False, name=LEDGER) if world.is_first and settings.ledger else None

    @property
    def _logs(self) -> list[Journal | RunLog]:
        """What is open."""
        return [log for log in (self.log, self.ledger) if log is not None]

    @property
    def headline(self) -> tuple[str, bool]:
        """(name of the measure that the run is judged by, whether lower is better)."""
        return headline(self.exams[0].method)

    def go(self, observe: Observer) -> None:
        """Every step that is left, with its evaluation and checkpoint. Raises Stopped where a signal asks for it."""
        if self.start is None:
            found = self.evaluate()
            with self.stop.whole() as begin:
                begin()
                self.start = found[self.headline[0]]
                self._write(self._counts() | {"eval": found}, observe)
                self.save()
        while self.pending is not None or self.progress < 1:
            if self.world.size > 1:
                self.stop.check(max(self.world.gather(self.stop.signum or 0, "whether to stop")))
            record = self.step() if self.pending is None else self.pending
            self._close(record, observe)

    def _close(self, record: dict[str, Any], observe: Observer) -> None:
        """Evaluate, write the step's record and save, each where it is time to."""
        settings, before = self.settings, time.perf_counter()
        last = self.progress >= 1
        due = last or (settings.evaluation.every and self.steps_done % settings.evaluation.every == 0)
        found = self.evaluate() if due else None
        with self.stop.whole() as begin:
            begin()
            improved = False
            if found is not None:
                improved = self.note_best(found[self.headline[0]])
                record["eval"], record["time"]["evaluation"] = found, time.perf_counter() - before
                self.evaluation_seconds += record["time"]["evaluation"]
            self._write(record, observe)
            self.pending = None
            if last or improved or self.steps_done % settings.checkpoint_every == 0:
                self.save()
            self.seconds += time.perf_counter() - before

    def _write(self, record: dict[str, Any], observe: Observer) -> None:
        if self.log is not None:
            observe(self.log.write(record))

    @property
    def progress(self) -> float:
        """Share of the run that is over."""
        return self.settings.share_done(self.steps_done, self.tokens)

    def _counts(self) -> dict[str, Any]:
        names = ("games", "turns", "tokens", "answered", "dropped", "retried")
        return {"step": self.steps_done, **{name: getattr(self, name) for name in names}}

    def step(self) -> dict[str, Any]:
        """One update: returns its metrics. A signal leaves the run as it was before, or as it is after it."""
        states, unplayed = self.algorithm.states.copy(), self.player.state()
        try:
            return self._step()
        except Stopped:
            if self.pending is None:
                self.algorithm.states, self._unplayed = states, unplayed
            raise

    def _step(self) -> dict[str, Any]:
        times = [time.perf_counter()]
        clock = self.learner.clock
        in_model = clock.seconds
        played = self.player.play(self.steps_done)
        played_in_model, in_model = max(played.model_seconds, clock.seconds - in_model), clock.seconds
        times.append(time.perf_counter())
        judged = self.algorithm.judge(played.episodes)
        times.append(time.perf_counter())
        batch = pack(
            judged.episodes, judged.advantages, pad_id=self.policy.tokenizer.pad_token_id, targets=judged.targets
        )
        figures = step_metrics(played.episodes, LEARNER, self.matchmaker.arms)
        line, turns = self._entry(played), sum([len(episode.turns) for episode in played.episodes])
        last = self.settings.share_done(self.steps_done + 1, self.tokens + played.tokens) >= 1
        kept = self.recorder.before(judged, self.steps_done + 1, last=last)
        times.append(time.perf_counter())
        with self.stop.whole() as begin:
            update = self._update(batch, judged, begin) if batch is not None else {}
            begin()
            self.player.load_weights(self.learner.weights, self.learner.updates)
            times.append(time.perf_counter())
            accounts = self._count(played, line, turns)
            self.recorder.after(kept, self.steps_done)
            if self.settings.agent.opponent == "league":
                self.learner.fill_reported()  # snapshots are copies of what this process holds
            matched = self.matchmaker.after_step(self.steps_done, played.episodes, judged)
            self.pending = record = {
                **self._counts(),
                **update,
                **figures,
                **accounts,
                **played.metrics,
                **judged.metrics,
                **matched,
                "time": _times(times) | {"model": played_in_model + clock.seconds - in_model} | played.times,
            }
            self.model_seconds += record["time"]["model"]
            self.seconds += time.perf_counter() - times[0]
        return record

    def _entry(self, played: Played) -> dict[str, Any]:
        """The line of the ledger of the step that is under way."""
        return entry(self.steps_done + 1, played.planned, [episode.id for episode in played.episodes], played.dropped)

    def _count(self, played: Played, line: dict[str, Any], turns: int) -> dict[str, float]:
        """Book what was played; returns how many episodes were planned, trained on, and left out by reason."""
        self.steps_done += 1
        self.games += len(played.episodes)
        self.turns += turns
        self.tokens += played.tokens
        self.answered += played.answered
        self.dropped += failures(played.dropped)
        self.retried += played.retried
        if self.ledger is not None:
            self.ledger.write(line)
        return counts(line)

    def _update(self, batch: Batch, judged: Judged, begin: Callable[[], None]) -> dict[str, float]:
        """Raises NotFinite, after saving what caused it."""
        try:
            return self.learner.update(batch, self.progress, begin)
        except NotFinite as error:
            place = save_failure(self.run_dir, self.steps_done, self.learner, batch, judged)
            raise NotFinite(f"{error}; {place}") from None

    def evaluate(self) -> dict[str, Any]:
        """The figures of every exam, all but the first one's under the name of their game. Rank 0 takes them."""
        self.learner.fill_reported()
        found: dict[str, Any] = {}
        for exam in self.exams if self.world.is_first else ():
            found |= of_game(self._figures(exam), exam.name)
        return self.world.share(found, f"the evaluation after step {self.steps_done}")

    def _figures(self, exam: Exam) -> dict[str, Any]:
        """Of the reported weights, and of the last ones where both are kept."""
        settings, games = exam.settings, exam.settings.evaluation.games
        if exam.method == "return":
            return dict(return_figures(self_play(settings, self.reported, games, HELD_OUT)))
        if exam.method == "win_rate":
            return dict(win_rate_figures(win_rate_evaluation(settings, self.reported, games)))
        last = exact_evaluation(settings, self.policy.agent, self.policy.model, exam.game)
        if self.learner.mean is None:
            return {"nash_conv": last.nash_conv, "illegal_mass": last.illegal_mass_mean}
        mean = exact_evaluation(settings, self.reported, self.learner.reported, exam.game)
        return {
            "nash_conv": mean.nash_conv,
            "nash_conv_mean": mean.nash_conv,
            "nash_conv_last": last.nash_conv,
            "illegal_mass": mean.illegal_mass_mean,
        }

    def note_best(self, value: float) -> bool:
        """Whether this evaluation is the best so far."""
        _, lower = self.headline
        better = self.best is None or (value < self.best[1] if lower else value > self.best[1])
        if better:
            self.best = (self.steps_done, value)
        return better

    def save(self) -> None:
        """A checkpoint of everything that a resumed run needs."""
        for log in self._logs:
            log.sync()
        state = {name: getattr(self, name) for name in _KEPT}
        state |= {"learner": self.learner.state(), "algorithm": self.algorithm.states}
        state |= {"matchmaker": self.matchmaker.state(), "player": self._unplayed or self.player.state()}
        state |= {"pending": plain_json(self.pending)}
        self.learner.fill_reported()
        reported, tokenizer = self.learner.reported, self.policy.tokenizer
        save_checkpoint(self.run_dir, self.steps_done, state, reported, tokenizer, self.world)
        if self.world.is_first:  # one with a pending record is written again under its name: keep one more meanwhile
            kept = self.settings.checkpoints_kept + (self.pending is not None)
            prune(self.run_dir, kept, self.best[0] if self.best else None)
        self.saved = self.steps_done

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `save`."""
        self.learner.load(state["learner"])
        self.algorithm.states = state["algorithm"]
        self.matchmaker.load(state["matchmaker"])
        self.player.load(state["player"])
        self.pending = state["pending"]
        for name in _KEPT:
            setattr(self, name, state[name])
        self.best = None if self.best is None else (self.best[0], self.best[1])
        self.player.load_weights(self.learner.weights, self.learner.updates)
        self.saved = self.steps_done

    def cut_back(self) -> None:
        """Drop what was written down after the step that the run goes on from."""
        if self.log is not None:
            self.log.cut_back(-1 if self.start is None else self.steps_done - (self.pending is not None))
        if self.ledger is not None:
            self.ledger.cut_back(self.steps_done)
        self.recorder.cut_back(self.steps_done)

    def leave(self, stopped: Stopped) -> Stopped:
        """Save the last finished step where no checkpoint holds it; returns what to tell."""
        self.stop.hush()
        if self.start is None:
            return Stopped(stopped.signum, f"stopped before the first step; {again(self.run_dir)}")
        if self.saved != self.steps_done:
            self.save()
        return Stopped(stopped.signum, f"stopped after step {self.steps_done}, which is saved; {again(self.run_dir)}")

    def close(self) -> None:
        """Let go of files and engines."""
        for log in self._logs:
            log.close()
        self.player.close()


def again(run_dir: Path) -> str:
    """How to go on."""
    return f"go on with turnwise train --resume {run_dir}"


_KEPT = (
    *("steps_done", "games", "turns", "tokens", "answered", "dropped", "retried", "start", "best"),
    *("seconds", "model_seconds", "evaluation_seconds"),
)


def _times(marks: Sequence[float]) -> dict[str, float]:
    names = ("rollout", "credit", "pack", "update")
    spent = {name: after - before for name, before, after in zip(names, marks, marks[1:], strict=False)}
    return {"step": marks[-1] - marks[0], **spent}
