"""The state of one training run, and its loop. One step reads from top to bottom in `Run.step`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Agent, Rollout
from turnwise.agents.sampling import derive_seed
from turnwise.algorithms.algorithm import Algorithm, Judged
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
from turnwise.algorithms.league import LEARNER, OPPONENT
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.matchmaker import Matchmaker
from turnwise.algorithms.metrics import step_metrics
from turnwise.algorithms.needs import needs_of
from turnwise.algorithms.providers import Providers
from turnwise.algorithms.reporting.runlog import RunLog
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.snapshots import League
from turnwise.algorithms.startup import Policy, make_opponent, voice_of

Observer = Callable[[dict[str, Any]], None]


class Run:
    """The state of one training run."""

    def __init__(self, settings: RunSettings, run_dir: Path, policy: Policy, exams: Sequence[Exam]) -> None:
        """`exams`: what the run is judged at, the headline first."""
        self.settings, self.run_dir, self.policy, self.exams = settings, run_dir, policy, exams
        recipe = settings.algorithm
        needs = needs_of(recipe)
        self.learner = Learner(
            policy.model,
            recipe.optimisation,
            recipe.objective,
            recipe.magnet,
            temperature=settings.agent.sampling.temperature,
            clock=policy.engine.clock,
            critic=recipe.critic,
            noise=recipe.noise,
            keep_reference=bool(needs & {"reference_logprobs", "reference_returns"}),
        )
        agents: dict[str, Agent] = {LEARNER: policy.agent}
        league = None
        if settings.agent.opponent == "league":
            league = League(settings.agent.league, policy, agents)
        elif settings.agent.opponent != "self":
            agents[OPPONENT] = make_opponent(settings, settings.agent.opponent)
        arms = arms_of(settings.env.games, every_level=settings.curriculum is not None)
        self.matchmaker = Matchmaker(settings, arms, league)
        rules: dict[str, Any] = {
            "invalid": settings.env.invalid,
            "max_turns": settings.env.max_turns,
            "concurrency": settings.engine.concurrency,
        }
        recorded = needs & {"anchor", "ground_truth"}
        self.rollout = Rollout(agents, **rules, record_messages=False, record=recorded)
        self.providers = Providers(recipe, self.learner, policy, agents, LEARNER, rules)
        self.algorithm = Algorithm(recipe, self.providers.annotate, LEARNER, settings.seed)
        self.reported = voice_of(policy, self.learner.reported)
        self.steps_done = self.games = self.turns = 0
        self.tokens = self.answered = 0
        """What was sampled for training, used or not: the policy's tokens, and replies that a game went on after."""
        self.seconds = self.model_seconds = self.evaluation_seconds = 0.0
        """Wall time of the steps with all they bring; of it, the model's share of the steps, and evaluations."""
        self.start: float | None = None
        """The headline measure before the first update."""
        self.best: tuple[int, float] | None = None
        """(step, headline measure) of the best evaluation."""
        self.log = RunLog(run_dir, tensorboard=settings.tensorboard)

    @property
    def headline(self) -> tuple[str, bool]:
        """(name of the measure that the run is judged by, whether lower is better)."""
        return headline(self.exams[0].method)

    def go(self, observe: Observer) -> None:
        """Every step that is left, with its evaluation and checkpoint."""
        settings = self.settings
        if self.start is None:
            found = self.evaluate()
            self.start = found[self.headline[0]]
            self._write(self._counts() | {"eval": found}, observe)
            self.save()
        while self.progress < 1:
            started = time.perf_counter()
            record = self.step()
            self.model_seconds += record["time"]["model"]
            last = self.progress >= 1
            improved = False
            if last or (settings.evaluation.every and self.steps_done % settings.evaluation.every == 0):
                before = time.perf_counter()
                record["eval"] = self.evaluate()
                improved = self.note_best(record["eval"][self.headline[0]])
                record["time"]["evaluation"] = time.perf_counter() - before
                self.evaluation_seconds += record["time"]["evaluation"]
            self._write(record, observe)
            self.seconds += time.perf_counter() - started
            if last or improved or self.steps_done % settings.checkpoint_every == 0:
                before = time.perf_counter()
                self.save()
                self.seconds += time.perf_counter() - before

    def _write(self, record: dict[str, Any], observe: Observer) -> None:
        self.log.write(record)
        observe(record)

    @property
    def progress(self) -> float:
        """Share of the run that is over."""
        return self.settings.share_done(self.steps_done, self.tokens)

    def _counts(self) -> dict[str, Any]:
        names = ("games", "turns", "tokens", "answered")
        return {"step": self.steps_done, **{name: getattr(self, name) for name in names}}

    def step(self) -> dict[str, Any]:
        """One update: returns its metrics."""
        times = [time.perf_counter()]
        sampled, answered = self.policy.engine.sampled, self.rollout.answered
        in_model = self.policy.engine.clock.seconds
        episodes, explored = self.algorithm.play(
            self.plans(), self.providers.ground(self.rollout, self._seed(), self.plans)
        )
        times.append(time.perf_counter())
        judged = self.algorithm.judge(episodes)
        times.append(time.perf_counter())
        batch = pack(
            judged.episodes, judged.advantages, pad_id=self.policy.tokenizer.pad_token_id, targets=judged.targets
        )
        times.append(time.perf_counter())
        update = self._update(batch, self.progress, judged) if batch is not None else {}
        self.policy.engine.weight_version = self.learner.updates
        times.append(time.perf_counter())
        self.steps_done += 1
        self.games += len(episodes)
        self.turns += sum([len(episode.turns) for episode in episodes])
        self.tokens += self.policy.engine.sampled - sampled
        self.answered += self.rollout.answered - answered
        matched = self.matchmaker.after_step(self.steps_done, episodes, judged)
        return {
            **self._counts(),
            **update,
            **step_metrics(episodes, LEARNER, self.matchmaker.arms),
            **explored,
            **judged.metrics,
            **matched,
            "time": _times(times) | {"model": self.policy.engine.clock.seconds - in_model},
        }

    def plans(self, attempt: int = 0) -> list[Plan]:
        """The episodes of the step to come; attempt: above 0, as many others."""
        return self.matchmaker.plans(self.steps_done, attempt)

    def _seed(self) -> int:
        """Of the chance in how this step's episodes are sampled."""
        return derive_seed(self.settings.seed, _EXPLORING, self.steps_done)

    def _update(self, batch: Batch, progress: float, judged: Judged) -> dict[str, float]:
        """Raises NotFinite, after saving what caused it."""
        try:
            return self.learner.update(batch, progress)
        except NotFinite as error:
            place = save_failure(self.run_dir, self.steps_done, self.learner, batch, judged)
            raise NotFinite(f"{error}; {place}") from None

    def evaluate(self) -> dict[str, Any]:
        """The figures of every exam, all but the first one's under the name of their game."""
        found: dict[str, Any] = {}
        for exam in self.exams:
            found |= of_game(self._figures(exam), exam.name)
        return found

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
        mean = exact_evaluation(settings, self.reported, self.learner.mean, exam.game)
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
        self.log.sync()
        state = {name: getattr(self, name) for name in _KEPT}
        state |= {"learner": self.learner.state(), "algorithm": self.algorithm.states}
        state |= {"matchmaker": self.matchmaker.state()}
        save_checkpoint(self.run_dir, self.steps_done, state, self.learner.reported, self.policy.tokenizer)
        prune(self.run_dir, self.settings.checkpoints_kept, self.best[0] if self.best else None)

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `save`."""
        self.learner.load(state["learner"])
        self.algorithm.states = state["algorithm"]
        self.matchmaker.load(state["matchmaker"])
        for name in _KEPT:
            setattr(self, name, state[name])
        self.best = None if self.best is None else (self.best[0], self.best[1])
        self.policy.engine.weight_version = self.learner.updates


_EXPLORING = 4
_KEPT = (
    *("steps_done", "games", "turns", "tokens", "answered", "start", "best"),
    *("seconds", "model_seconds", "evaluation_seconds"),
)


def _times(marks: Sequence[float]) -> dict[str, float]:
    names = ("rollout", "credit", "pack", "update")
    spent = {name: after - before for name, before, after in zip(names, marks, marks[1:], strict=False)}
    return {"step": marks[-1] - marks[0], **spent}
