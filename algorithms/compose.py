"""From the words of a command line to settings: Hydra composes the groups, and every mistake gets one clear message."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnwise.algorithms.build import SettingsError, build, nearest
from turnwise.envs.registry import GAMES, find_spec

if TYPE_CHECKING:
    from turnwise.algorithms.settings import RunSettings

CONFIG = "config.yaml"
_FREE = ("env.kwargs.", "algorithm.credit_settings.")
"""Mappings whose keys belong to a game or a credit method, which checks them itself."""


def compose(overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration of `train.yaml` and these overrides, resolved to plain values.

    `model=PATH_OR_HUB_ID` and `env=ENVIRONMENT_ID` are understood as well as the names of their groups.
    Raises SettingsError on an unknown group, option or key, naming the nearest.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    words = [word for given in overrides for word in _expand(given)]
    with initialize_config_module("turnwise.configs", version_base="1.3"):
        defaults = OmegaConf.to_container(hydra_compose("train"), resolve=False)
        for word in words:
            _check(word, defaults)
        try:
            config = hydra_compose("train", overrides=words)
            found = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise SettingsError(f"the settings do not go together: {_first_line(error)}") from None
    assert isinstance(found, dict)  # train.yaml is a mapping
    return {str(key): value for key, value in found.items()}


def run_settings(config: Mapping[str, Any]) -> RunSettings:
    """Typed and checked settings. Raises SettingsError (a ValueError) on anything unknown or impossible."""
    from turnwise.algorithms.settings import RunSettings

    return build(RunSettings, {key: value for key, value in config.items() if key != "sweep"}, "")


def options(group: str) -> list[str]:
    """Names of the options of a config group."""
    folder = files("turnwise.configs") / group
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def groups() -> list[str]:
    """Names of the config groups that a command line may choose from."""
    root = files("turnwise.configs")
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(("_", "obj")))


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
        yield from ("model=pretrained", f"model.path={_quoted(value)}")
    elif key == "env" and value not in options("env") and value.removeprefix("turnwise:") in GAMES:
        yield from ("env=by_id", f"env.id={find_spec(value).id}")
    elif key.startswith(_FREE):
        yield f"++{word}"
    else:
        yield word


def _is_model(value: str) -> bool:
    return "/" in value or Path(value).expanduser().exists()


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"


def _check(word: str, defaults: Any) -> None:
    """Refuse a word whose group, option or key does not exist, before Hydra says so at greater length."""
    key, equals, value = word.partition("=")
    if not equals:
        raise SettingsError(f"an override is written KEY=VALUE: got {word!r}")
    if key in groups():
        if value not in options(key):
            ids = sorted(GAMES) if key == "env" else []
            raise SettingsError(f"there is no {key} called {value!r}; {nearest(value, [*options(key), *ids])}")
        return
    place, path = defaults, ""
    for part in key.lstrip("+~").split("."):
        if f"{path}." in _FREE:
            return
        if not isinstance(place, dict) or part not in place:
            known = place if isinstance(place, dict) else {}
            raise SettingsError(f"there is no setting {key!r}; {_known(part, path, known)}")
        place, path = place[part], f"{path}.{part}" if path else part


def _known(part: str, path: str, known: Mapping[str, Any]) -> str:
    if not known:
        return f"{path} has no settings of its own"
    return nearest(f"{path}.{part}" if path else part, [f"{path}.{name}" if path else name for name in known])


def _first_line(error: Exception) -> str:
    with contextlib.suppress(IndexError):
        return str(error).strip().splitlines()[0]
    return type(error).__name__
