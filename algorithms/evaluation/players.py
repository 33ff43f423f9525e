"""Who can be put to a test by a word: weights in a folder, one checkpoint of a run, scripted and null agents, APIs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from turnwise import __version__
from turnwise.agents.api.agent import ApiAgent
from turnwise.agents.api.settings import ApiSettings, named_api
from turnwise.agents.human import HumanAgent
from turnwise.agents.rollout import Agent
from turnwise.agents.scripted import scripted_agent
from turnwise.algorithms.checkpoint import FOLDER, checkpoint_path, steps_saved, weights_of
from turnwise.algorithms.compose import compose, quoted, run_settings
from turnwise.algorithms.evaluation.folder import settings_of
from turnwise.algorithms.evaluation.nulls import NULLS, null_agent
from turnwise.algorithms.settings import RunSettings, require_player
from turnwise.algorithms.startup import Policy, precision, saved_policy
from turnwise.envs.core import TextGame
from turnwise.records import Reply, Request

HUMAN = "human"
_NOT_HEARD = {
    *("key_variable", "deadline_s", "retries", "concurrency", "requests_per_minute", "input_price", "output_price"),
}
"""Settings of an API that no reply depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """Who is put to the test. Nothing is loaded or asked yet."""

    word: str
    """As it was named: `runs/a`, `runs/a:100`, `random`, `openai:MODEL`."""
    name: str
    """Short, and unlike that of every other player of the test."""
    kind: str
    """weights, api, null, scripted or human."""
    fingerprint: str
    """Of all that its replies depend on beside what it is asked."""
    settings: RunSettings | None = None
    """Of weights: how they are prompted and sampled."""
    weights: Path | None = None
    api: ApiSettings | None = None

    @property
    def prompt(self) -> str | None:
        """The wording of observations that it was made for; None where it reads any, or none."""
        return None if self.settings is None else self.settings.model.prompt


def players(words: Sequence[str], overrides: Sequence[str] = ()) -> list[Player]:
    """The players of these words, each under a name of its own.

    overrides: settings for model folders that are no runs, and `agent.api...` of models behind an API.
    Raises ValueError where a word names nobody, or the same one twice.
    """
    found = [player(word, overrides) for word in words]
    for index, one in enumerate(found):
        for other in found[:index]:
            if one.fingerprint == other.fingerprint and one.kind != HUMAN:
                raise ValueError(f"each player is named once: {other.word} and {one.word} are the same")
    names = [one.name for one in found]
    return [replace(one, name=one.word) if names.count(one.name) > 1 else one for one in found]


def player(word: str, overrides: Sequence[str] = ()) -> Player:
    """The player of a word. Raises ValueError, with the nearest name, where it names nobody."""
    folder = _folder(word)
    if folder is not None:
        return _weights(word, folder, overrides)
    asked = [one for one in overrides if one.startswith("agent.api.")]
    api = named_api(word, run_settings(compose(asked)).agent.api if asked else ApiSettings())
    if api is not None:
        said = {name: value for name, value in asdict(api).items() if name not in _NOT_HEARD}
        return Player(word=word, name=word, kind="api", fingerprint=digest(said), api=api)
    if word == HUMAN:
        return Player(word=word, name=word, kind=HUMAN, fingerprint=HUMAN)
    if word in NULLS and word != "random":
        return Player(word=word, name=word, kind="null", fingerprint=digest({"null": word, "turnwise": __version__}))
    try:
        scripted_agent(word)
    except ValueError as error:
        raise ValueError(
            f"there is no folder {word} with weights, and {error}; or one of {', '.join(NULLS[:3])}, {HUMAN}, "
            "openai:MODEL, anthropic:MODEL, RUN:STEP"
        ) from None
    print_ = digest({"scripted": word, "turnwise": __version__})
    return Player(word=word, name=word, kind="scripted", fingerprint=print_)


def _folder(word: str) -> Path | None:
    """The folder that a word stands for, of a run's step too; None where it is no folder."""
    path = Path(word).expanduser()
    if path.is_dir():
        return path
    run, colon, step = word.rpartition(":")
    folder = Path(run).expanduser()
    if not colon or not step.isdigit() or not folder.is_dir():
        return None
    known = steps_saved(folder)
    if int(step) not in known:
        listed = ", ".join(map(str, known)) or "none"
        raise ValueError(f"{run} has no checkpoint of step {step}; it has: {listed} (checkpoints_kept says how many)")
    return checkpoint_path(folder, int(step))


def _weights(word: str, folder: Path, overrides: Sequence[str]) -> Player:
    """Weights in a folder: under their run's settings, else under those of the overrides, as a pretrained model."""
    weights = weights_of(folder)
    if not any((weights / name).exists() for name in ("config.json", "adapter_config.json")):
        raise ValueError(f"{word} holds no weights: neither a run's checkpoints, nor a config.json of a model")
    of_run = (folder / FOLDER).is_dir() or folder.parent.name == FOLDER
    if of_run:
        settings = settings_of(folder, [one for one in overrides if one.startswith("agent.api.")])
    else:
        group = () if any(one.startswith("model=") for one in overrides) else ("model=pretrained",)
        settings = run_settings(compose([*group, *overrides, f"model.path={quoted(str(folder))}"]))
    settings = replace(settings, engine=replace(settings.engine, name="local"))
    spoken = {
        "weights": folder_digest(weights),
        "sampling": asdict(settings.agent.sampling),
        "context": asdict(settings.agent.context),
        "template": settings.model.chat_template,
        "dtype": settings.engine.dtype,
        "turnwise": __version__,
    }
    name = f"{folder.parent.parent.name}:{int(folder.name.removeprefix('step-'))}" if _is_step(folder) else folder.name
    return Player(word=word, name=name, kind="weights", fingerprint=digest(spoken), settings=settings, weights=weights)


def _is_step(folder: Path) -> bool:
    return folder.parent.name == FOLDER and folder.name.removeprefix("step-").isdigit()


# Fingerprints


def digest(parts: Any) -> str:
    """20 hexadecimal digits of the SHA-256 of what is fit for JSON."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def folder_digest(folder: Path) -> str:
    """The same of all files of a model that its replies can depend on."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".md" and not path.name.startswith("."):
            found.update(path.relative_to(folder).as_posix().encode())
            with path.open("rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:20]


# Agents


class Voice:
    """Weights that speak, computed as their run's settings say."""

    def __init__(self, name: str, policy: Policy, settings: RunSettings) -> None:
        self.name, self.policy, self.settings = name, policy, settings
        self.context, self.sampling = policy.agent.context, policy.agent.sampling

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order."""
        with precision(self.settings):
            return self.policy.agent.act(requests)


Ask = Callable[[Request], str]
"""How a person at the terminal is asked."""


def load(who: Player, env_id: str, env_kwargs: Mapping[str, Any], ask: Ask | None = None) -> Agent:
    """The agent of a player, for one game. Raises ValueError where a person is to play and nobody can be asked."""
    if who.kind == "weights":
        assert who.settings is not None and who.weights is not None  # such a player has both
        return Voice(who.name, saved_policy(who.settings, who.weights, training=False), who.settings)
    if who.kind == "api":
        assert who.api is not None  # such a player has them
        return ApiAgent(who.api)
    if who.kind == HUMAN:
        if ask is None:
            raise ValueError("a person plays in tournaments, and in turnwise play: not here")
        return HumanAgent(ask)
    return null_agent(who.word, env_id, env_kwargs) if who.kind == "null" else scripted_agent(who.word)


def require_able(people: Sequence[Player], game: TextGame, what: str) -> None:
    """Raises ValueError, before anything is played, where a scripted agent cannot play a game. what: names the game."""
    for who in people:
        if who.kind == "scripted":
            try:
                require_player(who.word, game, what)
            except ValueError as error:
                raise ValueError(f"{who.word} cannot play {error}") from None


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """(players, settings as KEY=VALUE) of the words of a command line. A path that exists is a player in any case."""
    settings = [word for word in words if "=" in word and not Path(word).exists()]
    return [word for word in words if word not in settings], settings
