"""What a run is about to do, in plain words: who plays whom, how much, what is learned, measured and kept."""

from __future__ import annotations

from collections.abc import Iterator

from turnwise.algorithms.evaluation.exams import exams_of
from turnwise.algorithms.games import arms_of
from turnwise.algorithms.settings import RunSettings

MEASURES = {
    "exact": "NashConv, exact over every information state",
    "win_rate": "win rates",
    "return": "the mean return",
}
"""Method of an exam -> what it finds."""


def outlook(settings: RunSettings) -> list[str]:
    """Sentences, one a line."""
    return [*_beginning(settings), *_step(settings), *_measured(settings), *_kept(settings)]


def _beginning(settings: RunSettings) -> Iterator[str]:
    sft = settings.model.sft
    if sft.steps:
        yield (
            f"First {_counted(sft.steps, 'update')} of a warm start on {_counted(sft.games, 'game')} that the scripted "
            f"agent {sft.teacher} plays."
        )
    if settings.token_budget is not None:
        yield f"Then steps until the policy has sampled {settings.token_budget:,} tokens."
    else:
        episodes = settings.steps * settings.games_per_step
        yield f"Then {_counted(settings.steps, 'step')}, {_counted(episodes, 'episode')} together."


def _step(settings: RunSettings) -> Iterator[str]:
    recipe = settings.algorithm
    games = ", ".join(
        dict.fromkeys(arm.name for arm in arms_of(settings.env.games, every_level=settings.curriculum is not None))
    )
    size = recipe.group_size
    groups = f" in {_counted(settings.games_per_step // size, 'group')} of {size} on one seed" if size > 1 else ""
    yield f"A step plays {_counted(settings.games_per_step, 'episode')}{groups} of {games}."
    yield _opposite(settings)
    yield _most_tokens(settings)
    updates = recipe.optimisation.epochs
    yield (
        f"It learns from them by {recipe.name} (credit {recipe.credit}, guard {recipe.objective.guard}): "
        f"{_counted(updates, 'update')} of the weights, each over the whole batch"
        f"{'' if recipe.critic.kind == 'none' else ', and of a critic'}."
    )


def _opposite(settings: RunSettings) -> str:
    opponent = settings.agent.opponent
    if opponent == "self":
        return "The policy plays every seat."
    if opponent == "league":
        league = settings.agent.league
        pool = [f"up to {league.keep} earlier selves", *league.scripted]
        return (
            f"The policy plays every seat in {league.self_share:.0%} of the groups, else one seat, in turn, against "
            f"one of: {', '.join(pool)}. A copy of it joins them every {_counted(league.every, 'step')}."
        )
    return f"The policy plays one seat, in turn, against {opponent}."


def _most_tokens(settings: RunSettings) -> str:
    longest = settings.agent.sampling.max_tokens
    if settings.env.max_turns is None:
        return f"A reply has at most {_counted(longest, 'token')}; episodes have no limit of turns."
    most = settings.games_per_step * settings.env.max_turns * longest
    return (
        f"At most {_counted(most, 'token')} are sampled in it: {_counted(longest, 'token')} a reply, "
        f"{_counted(settings.env.max_turns, 'turn')} an episode; most games end earlier."
    )


def _measured(settings: RunSettings) -> Iterator[str]:
    rules = settings.evaluation
    found = dict.fromkeys(exam.method for exam in exams_of(settings))
    what = " and ".join(MEASURES[method] for method in found)
    rated = f", {_counted(rules.games, 'game')} each against {', '.join(rules.opponents)}"
    when = f", every {_counted(rules.every, 'step')}" if rules.every else ""
    yield f"It is measured before the first step{when} and at the end: {what}{rated if 'win_rate' in found else ''}."


def _kept(settings: RunSettings) -> Iterator[str]:
    kept = f"the newest {settings.checkpoints_kept} and the best are kept"
    yield f"A checkpoint is written every {_counted(settings.checkpoint_every, 'step')} and at the end; {kept}."
    recording = settings.recording
    if recording.every:
        yield (
            f"Of every {recording.every}. step {_counted(min(recording.games, settings.games_per_step), 'episode')} "
            "are kept, token by token, for turnwise view."
        )
    yield f"All of it goes to {settings.run_dir or f'runs/{settings.title}-<date and time>'}."


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
