"""From the words of a command line to settings: Hydra composes the groups, and every mistake gets one clear message."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnwise.algorithms.build import SettingsError, build, nearest
from turnwise.algorithms.method import GROUP as METHODS
from turnwise.envs.plugins import config_folders
from turnwise.envs.registry import GAMES, PLUGINS, UnknownEnv, find_spec

if TYPE_CHECKING:
    from turnwise.algorithms.settings import RunSettings

CONFIG = "config.yaml"
_FREE = (
    *("env.kwargs.", "sweep.", "algorithm.explore_settings.", "algorithm.rewards.", "algorithm.credit_settings."),
    *("algorithm.shapings.", "algorithm.objective.guard_settings.", "algorithm.objective.corrections."),
    *("agent.api.extra.", "engine.api.extra."),
)
"""Mappings whose keys belong to a game, a method or a sweep, which checks them itself."""

_ENV_ID = re.compile(r"^ +id: *([^\s#]+)", re.MULTILINE)
_CALL = re.compile(r"(?<![\w'\"])((?!int|float|str|bool|json_str)[a-z_]+\([-\d.]*\))(?![\w'\"])")
"""`mcts(50)`, `retry(2)`: names of ours, which Hydra would take for functions of its own unless they are quoted."""


def compose(overrides: Sequence[str], *, whole: bool = True) -> dict[str, Any]:
    """The configuration of `train.yaml` and these overrides, resolved to plain values.

    `model=PATH_OR_HUB_ID` and `env=ENVIRONMENT_ID` are understood as well as the names of their groups.
    whole: whether everything that has to be given has been; else what was not is `???`.
    Raises SettingsError on an unknown group, option or key, naming the nearest.
    """
    words = _words(overrides)
    for word in words:
        _require_readable(word)
    known = _offered(tuple(word for word in words if _is_choice(word)))
    for word in words:
        _check(word, known)
    return _compose(words, resolve=True, whole=whole)


def _words(overrides: Sequence[str]) -> list[str]:
    """The overrides as Hydra reads them."""
    return [_CALL.sub(r"'\1'", word) for given in overrides for word in _expand(given)]


def chosen_options(overrides: Sequence[str]) -> dict[str, str]:
    """Group -> the option that holds under these overrides."""
    import yaml

    defaults = yaml.safe_load(train_text())["defaults"]
    chosen = {group: name for default in defaults if default != "_self_" for group, name in default.items()}
    given = (word.partition("=") for word in _words(overrides))
    return chosen | {key: value for key, _, value in given if key in groups()}


def train_text() -> str:
    """The YAML that every run begins with."""
    return (files("turnwise.configs") / "train.yaml").read_text()


def _compose(words: Sequence[str], *, resolve: bool, whole: bool = True) -> dict[str, Any]:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

    try:
        with initialize_config_module("turnwise.configs", version_base="1.3"):
            config = hydra_compose("train", overrides=[*words, *_search_path()])
        if resolve:
            _write_out_games(config)
        found = OmegaConf.to_container(config, resolve=resolve, throw_on_missing=resolve and whole)
    except MissingMandatoryValue as error:
        raise SettingsError(f"{error.full_key} is needed: give {error.full_key}=VALUE") from None
    except (HydraException, OmegaConfBaseException) as error:
        raise SettingsError(f"the settings do not go together: {_first_line(error)}") from None
    assert isinstance(found, dict)  # train.yaml is a mapping
    return {str(key): value for key, value in found.items()}


def _write_out_games(config: Any) -> None:
    """Give each of `env.others` its id and all arguments that its option has; arguments that were given win."""
    from omegaconf import OmegaConf, open_dict

    others = OmegaConf.to_container(config.env, resolve=False).get("others")  # type: ignore[union-attr]
    if isinstance(others, list):
        with open_dict(config):
            config.env.others = [_written_out(game) for game in others]


def _written_out(game: Any) -> Any:
    """A game that was named, or described in part. What is neither stays, for the settings to refuse.

    Raises SettingsError on a name that is neither an option nor an id.
    """
    given = {"id": game} if isinstance(game, str) else game
    if not isinstance(given, dict) or not isinstance(given.get("id"), str):
        return game
    name = given["id"]
    try:
        option = name if name in options("env") else _option_for(find_spec(name).id)
    except UnknownEnv as error:
        raise SettingsError(f"env.others: {error}") from None
    if option is None:
        return given
    made = _offered((f"env={option}",))["env"]
    return {**given, "id": made["id"], "kwargs": {**made["kwargs"], **(given.get("kwargs") or {})}}


@functools.cache
def _offered(choices: tuple[str, ...]) -> dict[str, Any]:
    """The settings there are under these options, not resolved. To be read only."""
    return _compose(choices, resolve=False)


def run_settings(config: Mapping[str, Any]) -> RunSettings:
    """Typed and checked settings. Raises SettingsError (a ValueError) on anything unknown or impossible."""
    from turnwise.algorithms.settings import RunSettings

    return build(RunSettings, {key: value for key, value in config.items() if key != "sweep"}, "")


def options(group: str) -> list[str]:
    """Names of the options of a config group, those of plugins too."""
    return sorted(_option_files(group))


def option_text(group: str, name: str) -> str:
    """The YAML of an option. Where a plugin's has the name of one of turnwise's own, the latter is meant."""
    return _option_files(group)[name].read_text()


def _option_files(group: str) -> dict[str, Traversable]:
    """The file of every option; the first root that has a name keeps it, as on Hydra's search path."""
    found: dict[str, Traversable] = {}
    for root in (files("turnwise.configs"), *plugin_configs()):
        folder = root / group
        for entry in folder.iterdir() if folder.is_dir() else ():
            if entry.name.endswith(".yaml"):
                found.setdefault(entry.name.removesuffix(".yaml"), entry)
    return found


@functools.cache
def plugin_configs() -> tuple[Path, ...]:
    """The folders `configs` that the packages of plugins ship."""
    games = [plugin.entry_point for plugin in PLUGINS if plugin.problem is None]
    return tuple(config_folders([*games, *(entry.value for entry in entry_points(group=METHODS))]))


def shadowed_options() -> list[tuple[Path, str]]:
    """(file, name) of the options that plugins ship for nothing: an option found earlier has that name."""
    ours = {group: _option_files(group) for group in groups()}
    files_of = ((path, path.stem) for root in plugin_configs() for path in sorted(root.glob("*/*.yaml")))
    return [(path, name) for path, name in files_of if ours.get(path.parent.name, {}).get(name) != path]


def _search_path() -> list[str]:
    """The override with which Hydra looks into the plugins' folders too; none where there are none."""
    places = ",".join(quoted(f"file://{folder.resolve()}") for folder in plugin_configs())
    return [f"hydra.searchpath=[{places}]"] if places else []


def groups() -> list[str]:
    """Names of the config groups that a command line may choose from."""
    root = files("turnwise.configs")
    hidden = ("_", "objective", "suite")
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(hidden))


def load_config(run_dir: Path) -> dict[str, Any]:
    """The configuration that a run was started with. Raises SettingsError where there is none, or it cannot be read."""
    import yaml

    path = run_dir / CONFIG
    try:
        found = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise SettingsError(f"{run_dir} is no run folder: it has no {CONFIG}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read: {_first_line(error)}") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{path} holds settings, key by key: got {type(found).__name__}")
    return found


def dump_config(config: Mapping[str, Any]) -> str:
    """The configuration as YAML, every effective value in it."""
    import yaml

    return str(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=120))


def _expand(word: str) -> Iterator[str]:
    """The shorthands: a model's path, an environment's id."""
    key, _, value = word.partition("=")
    if key == "model" and value not in options("model") and _is_model(value):
        yield from ("model=pretrained", f"model.path={quoted(value)}")
    elif key == "env" and value not in options("env") and value.removeprefix("turnwise:") in GAMES:
        yield from _environment(find_spec(value).id)
    elif f"{key}.".startswith(_FREE):
        yield f"++{word}"
    else:
        yield word


def _environment(env_id: str) -> Iterator[str]:
    """The option made for this game, so that its id and its name mean one thing; else any game's."""
    made = _option_for(env_id)
    yield from (f"env={made}",) if made else ("env=by_id", f"env.id={env_id}")


def _option_for(env_id: str) -> str | None:
    """The option of the group env that is made for this game, where there is one."""
    known = options("env")
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", env_id.removesuffix("-LLM")).lower()
    made = [name] if name in known else [option for option in known if _id_of(option) == env_id]
    return made[0] if len(made) == 1 else None


def _id_of(option: str) -> str | None:
    """The id that an option of the group env is for, as its file says it."""
    found = _ENV_ID.search(option_text("env", option))
    return found[1] if found else None


def _is_model(value: str) -> bool:
    return "/" in value or Path(value).expanduser().exists()


def quoted(value: str) -> str:
    """A value as an override spells it, whatever characters it holds."""
    return "'" + value.replace("'", "\\'") + "'"


def _require_readable(word: str) -> None:
    """Raises SettingsError unless a word is KEY=VALUE, with one value, as Hydra reads it."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    if "=" not in word:
        raise SettingsError(f"an override is written KEY=VALUE: got {word!r}")
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException as error:
        raise SettingsError(f"{word!r} cannot be read: {_first_line(error)}; quotes may help, KEY='VALUE'") from None
    if override.is_sweep_override():
        raise SettingsError(f"a key has one value: got {word!r}; a list stands in brackets, KEY=[A,B]")


def _is_choice(word: str) -> bool:
    """Whether a word chooses an option of a group. Raises SettingsError where there is no such option."""
    key, _, value = word.partition("=")
    if key not in groups():
        return False
    if value not in options(key):
        ids = sorted(GAMES) if key == "env" else []
        raise SettingsError(f"there is no {key} called {value!r}; {nearest(value, [*options(key), *ids])}")
    return True


def _check(word: str, known: Any) -> None:
    """Refuse a word whose key does not exist under the chosen options, before Hydra says so at greater length."""
    key = word.partition("=")[0]
    if key in groups():
        return
    place, path = known, ""
    for part in key.lstrip("+~").split("."):
        if f"{path}." in _FREE:
            return
        if not isinstance(place, dict) or part not in place:
            raise SettingsError(f"there is no setting {key!r}; {_near(part, path, place)}")
        place, path = place[part], f"{path}.{part}" if path else part


def _near(part: str, path: str, place: Any) -> str:
    if not isinstance(place, dict) or not place:
        return f"{path} has no settings of its own"
    return nearest(f"{path}.{part}" if path else part, [f"{path}.{name}" if path else name for name in place])


def _first_line(error: Exception) -> str:
    with contextlib.suppress(IndexError):
        return str(error).strip().splitlines()[0]
    return type(error).__name__
