"""`turnwise eval`: how well the agent in a folder plays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from turnwise.agents.api.settings import ApiSettings, named_api
from turnwise.agents.api.start import api_agent
from turnwise.agents.api.usage import Usage
from turnwise.agents.rollout import Agent
from turnwise.algorithms.checkpoint import FOLDER, weights_of
from turnwise.algorithms.compose import CONFIG, compose, load_config, quoted, run_settings
from turnwise.algorithms.evaluation.exams import Exam, exams_of
from turnwise.algorithms.evaluation.measure import (
    HELD_OUT,
    exact_evaluation,
    exact_to_report,
    return_figures,
    self_play,
    win_rate_evaluation,
)
from turnwise.algorithms.settings import RunSettings, require_player
from turnwise.algorithms.startup import Policy, make_opponent, precision, saved_policy
from turnwise.envs.core import TextGame

if TYPE_CHECKING:
    from rich.console import Console


def evaluate_folder(
    path: Path, overrides: Sequence[str], opponents: Sequence[str], games: int, prefixes: int = 0
) -> dict[str, Any]:
    """Evaluation of a run folder, a checkpoint or a model folder, as evaluation.json holds it.

    A run's or checkpoint's own settings hold, but for how opponents behind an API are asked (`agent.api`); a model
    folder is judged under `overrides`, as `turnwise train` reads them. So is a model behind an API, `openai:MODEL`, by
    the games that it plays. What a run of several games has besides its first stands under `others`.
    Raises ValueError on unknown opponents, overrides of a run, or a folder without weights.
    """
    settings = settings_of(path, overrides)
    exams = exams_of(settings)
    voices = [_opponent(settings, [exam.game for exam in exams], name) for name in opponents if name]
    asked = api_agent(str(path), settings.agent.api)
    policy: Policy | None = None
    agent: Agent | None = asked
    if agent is None:
        policy = saved_policy(settings, weights_of(path), training=False)
        agent = policy.agent
    found: dict[str, Any] = {
        "env": settings.env.id,
        "weights": str(path if asked else weights_of(path)),
        "games": games,
    }
    with precision(settings):
        for exam in exams:
            judged = _judged(exam, agent, policy, voices, games, prefixes)
            if exam.name:
                found.setdefault("others", {})[exam.name] = judged
            else:
                found |= judged
    if asked:
        found["usage"] = asked.usage.to_dict()
    return found


def _judged(
    exam: Exam, agent: Agent, policy: Policy | None, voices: Sequence[str | Agent], games: int, prefixes: int
) -> dict[str, Any]:
    """What evaluation.json holds of one game. No policy: nobody knows the agent's probabilities."""
    settings = exam.settings
    if exam.method == "return":
        return return_figures(self_play(settings, agent, games, HELD_OUT)) | {"win_rates": []}
    found: dict[str, Any] = {}
    if exam.method == "exact" and policy is not None:
        kind: Literal["finite"] | int = prefixes or "finite"
        found |= exact_to_report(exact_evaluation(settings, policy.agent, policy.model, exam.game, prefixes=kind))
    rates = win_rate_evaluation(settings, agent, games, voices) if voices else []
    return found | {"win_rates": [rate.to_dict() for rate in rates]}


def settings_of(path: Path, overrides: Sequence[str]) -> RunSettings:
    """The settings that the weights in a folder were made under, or those of the overrides."""
    if named_api(str(path), ApiSettings()) is not None:
        return run_settings(compose(["model.prompt=full", *overrides]))  # it reads the rules of the game
    for folder in (path, path.parent.parent):
        if (folder / CONFIG).exists() and (folder / FOLDER).is_dir():
            own = [word for word in overrides if not word.startswith("agent.api.")]
            if own:
                raise ValueError(f"{path} is judged under its run's settings: leave out {' '.join(own)}")
            config = load_config(folder)
            if overrides:
                config["agent"]["api"] = compose(overrides)["agent"]["api"]
            return run_settings(config)
    if not path.exists():
        raise ValueError(f"there is no folder {path}; give a run folder, a checkpoint or a model folder")
    return run_settings(compose([*overrides, f"model.path={quoted(str(path))}"]))


def _opponent(settings: RunSettings, games: Sequence[TextGame], name: str) -> str | Agent:
    """Scripted agents and models behind an API go by name; a folder is loaded."""
    if Path(name).expanduser().is_dir():
        agent = make_opponent(settings, name)
        agent.name = Path(name).name
        return agent
    for game in games:
        require_player(name, game, "--opponents")
    return name


def print_evaluation(found: dict[str, Any], *, as_json: bool) -> None:
    """To the terminal: JSON, or tables."""
    from rich.console import Console

    if as_json:
        print(json.dumps(found, indent=1))
        return
    console = Console()
    console.print(f"[bold]{found['env']}[/bold]  {found['weights']}")
    _print_game(found, console)
    for name, other in found.get("others", {}).items():
        console.print(f"[bold]{name}[/bold]")
        _print_game(other, console)


def _print_game(found: Mapping[str, Any], console: Console) -> None:
    from rich.table import Table

    if "mean_return" in found:
        console.print(f"mean return {found['mean_return']:+.4f} ± {found['mean_return_stderr']:.4f}")
    if "nash_conv" in found:
        error = found["nash_conv_stderr"]
        spread = f" ± {error:.4f}" if error is not None else ""
        console.print(f"NashConv {found['nash_conv']:.4f}{spread}  (uniform {found['nash_conv_uniform']:.4f})")
        console.print(f"exploitability {found['exploitability']:.4f}   illegal mass {found['illegal_mass_mean']:.2%}")
        for name in ("self_play", "best_response", "against_optimal"):
            if found[name] is not None:
                values = "  ".join(f"{seat} {value:+.4f}" for seat, value in found[name].items())
                console.print(f"{name.replace('_', ' ')}: {values}")
        console.print(_policy_table(found["policy"]))
    if found["win_rates"]:
        columns = ("opponent", "games", "won, % (CI)", "not lost, % (CI)", "return", "invalid")
        table = Table(*columns, title="95% intervals")
        for rate in found["win_rates"]:
            total = rate["total"]
            table.add_row(
                rate["opponent"],
                str(total["games"]),
                _share(total["win_rate"], total["win_interval"]),
                _share(total["not_lost_rate"], total["not_lost_interval"]),
                f"{total['mean_return']:+.3f}",
                f"{rate['illegal_rate'] + rate['unparsable_rate'] + rate['truncated_rate']:.2%}",
            )
        console.print(table)
        for rate in found["win_rates"]:
            _print_notes(rate, console)


def _print_notes(rate: Mapping[str, Any], console: Console) -> None:
    """What else is to be known of the games against one opponent."""
    if rate["failed"]:
        console.print(f"{rate['opponent']}: {rate['failed']} games left out, as a game of their deal failed")
    if rate["usage"] is not None:
        console.print(f"{rate['opponent']}: {Usage(**rate['usage'])}", markup=False)


def _policy_table(rows: Sequence[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table("information state", "seat", "actions")
    for row in rows[:40]:
        actions = "  ".join(f"{name} {p:.3f}" for name, p in row["actions"].items())
        table.add_row(row["observation"].replace("\n", " ")[:60], row["seat"], actions)
    return table


def _share(share: float, ends: Sequence[float]) -> str:
    return f"{100 * share:.1f} ({100 * ends[0]:.0f}-{100 * ends[1]:.0f})"
