"""The groups in configs/ against the records they fill: complete, documented, equal in their defaults, and checked."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from turnwise.agents.context import ContextSettings
from turnwise.agents.sampling import Sampling
from turnwise.agents.tiny import TinyModel
from turnwise.agents.vllm.settings import VllmSettings
from turnwise.algorithms.build import SettingsError
from turnwise.algorithms.compose import compose, dump_config, groups, options, run_settings
from turnwise.algorithms.corrections import CORRECTIONS
from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.curriculum import CurriculumSettings
from turnwise.algorithms.explore import EXPLORERS
from turnwise.algorithms.guards import GUARDS
from turnwise.algorithms.launch.settings import LauncherSettings
from turnwise.algorithms.pool import LeagueSettings
from turnwise.algorithms.recipes import Critic, Magnet, Objective, Optimisation
from turnwise.algorithms.recording.settings import RecordingSettings
from turnwise.algorithms.replay import Replay
from turnwise.algorithms.rewards import REWARDS
from turnwise.algorithms.settings import EngineSettings, EnvSettings, EvaluationSettings, ModelSettings, RunSettings
from turnwise.algorithms.shaping import SHAPINGS
from turnwise.algorithms.sweep import Sweep, sweep_of
from turnwise.envs.registry import GAMES

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
NEEDED = {("model", "pretrained"): ("model.path=some/model",), ("env", "by_id"): ("env.id=Nim-LLM",)}
"""What an option cannot know by itself."""
CHOICES = [(group, option) for group in groups() for option in options(group)]
CONTAINERS = ("env", "agent", "engine", "model", "algorithm", "evaluation")


@pytest.mark.parametrize(("group", "option"), CHOICES)
def test_every_option_composes_and_builds(group: str, option: str) -> None:
    config = compose([f"{group}={option}", *NEEDED.get((group, option), ())])
    assert isinstance(run_settings(config), RunSettings)
    sweep_of(config)


PAIRS = [
    *(("kuhn_poker", recipe) for recipe in options("algorithm")),
    *((env, recipe) for recipe in ("spiral", "grpo") for env in options("env") if env not in ("by_id", "kuhn_poker")),
]
"""Groups do not know of each other: every recipe with one game and every game with two recipes speak for all."""


@pytest.mark.parametrize(("env", "algorithm"), PAIRS)
def test_every_recipe_and_every_game_compose(env: str, algorithm: str) -> None:
    settings = run_settings(compose([f"env={env}", f"algorithm={algorithm}"]))
    assert settings.algorithm.name == algorithm
    assert settings.env.kwargs["prompt"] == "compact"


def test_a_pretrained_model_reads_the_full_prompt() -> None:
    assert run_settings(compose(["env=nim", "model=some/model"])).env.kwargs["prompt"] == "full"


def test_the_groups_are_those_of_the_help() -> None:
    assert groups() == [
        "agent",
        "algorithm",
        "curriculum",
        "engine",
        "env",
        "evaluation",
        "experiment",
        "launcher",
        "model",
    ]


# --- every key is there, is documented, and says what the record says ------------------------------------------------


def keys(record: type[Any], path: str = "") -> Iterator[str]:
    """Full names of the settings of a record; a nested record counts by its own fields."""
    for name, hint in typing.get_type_hints(record).items():
        kind = next((kind for kind in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(kind)), None)
        if isinstance(kind, type):
            yield from keys(kind, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def lines(node: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """(full name, line number) of every key of a YAML tree."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{path}{key.value}"
            yield name, key.start_mark.line
            yield from lines(value, f"{name}.")
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from lines(entry, path)


OF_METHODS: dict[str, Mapping[str, Any]] = {
    "algorithm.explore_settings": EXPLORERS,
    "algorithm.credit_settings": CREDITS,
    "algorithm.objective.guard_settings": GUARDS,
}
"""Where the settings of one chosen method stand."""
NAMED_METHODS: dict[str, Mapping[str, Any]] = {
    "algorithm.rewards": REWARDS,
    "algorithm.shapings": SHAPINGS,
    "algorithm.objective.corrections": CORRECTIONS,
}
"""Where several methods stand by name, each with its settings."""


def documented() -> set[str]:
    """Keys that some YAML file of a group, or train.yaml, restates with a comment on their line."""
    found = set()
    for file in CONFIGS.rglob("*.yaml"):
        text = file.read_text()
        rows = text.splitlines()
        found |= {name for name, line in lines(yaml.compose(text)) if " #" in rows[line]}
    return found


def test_every_setting_is_in_the_yaml_of_some_group_with_a_comment() -> None:
    wanted = set(keys(RunSettings)) | {f"sweep.{name}" for name in keys(Sweep)}
    for place, registry in OF_METHODS.items():
        wanted -= {place}  # its keys are the method's
        wanted |= {f"{place}.{name}" for entry in registry.values() for name in keys(entry.settings)}
    for place, registry in NAMED_METHODS.items():
        wanted -= {place}
        wanted |= {f"{place}.{method}.{name}" for method, entry in registry.items() for name in keys(entry.settings)}
    assert sorted(wanted - documented()) == []


def plain(file: str, path: str) -> dict[str, Any]:
    """The settings below `path` in one YAML file, as they stand there."""
    found = yaml.safe_load((CONFIGS / file).read_text())
    for part in filter(None, path.split(".")):
        found = found[part]
    return dict(found)


BASES: list[tuple[str, str, type[Any]]] = [
    ("train.yaml", "", RunSettings),
    ("train.yaml", "recording", RecordingSettings),
    ("agent/self_play.yaml", "agent.sampling", Sampling),
    ("agent/self_play.yaml", "agent.context", ContextSettings),
    ("agent/league.yaml", "agent.league", LeagueSettings),
    ("curriculum/sec.yaml", "curriculum", CurriculumSettings),
    ("engine/local.yaml", "engine", EngineSettings),
    ("engine/vllm.yaml", "engine.vllm", VllmSettings),
    ("env/by_id.yaml", "env", EnvSettings),
    ("evaluation/default.yaml", "evaluation", EvaluationSettings),
    ("launcher/ray.yaml", "launcher", LauncherSettings),
    ("model/pretrained.yaml", "model", ModelSettings),
    ("model/tiny.yaml", "model.tiny", TinyModel),
    ("objective/policy_gradient.yaml", "algorithm.objective", Objective),
    ("objective/policy_gradient.yaml", "algorithm.critic", Critic),
    ("objective/policy_gradient.yaml", "algorithm.replay", Replay),
    ("objective/policy_gradient.yaml", "algorithm.magnet", Magnet),
    ("objective/policy_gradient.yaml", "algorithm.optimisation", Optimisation),
    *(
        ("objective/terms.yaml", f"{place}.{name}", entry.settings)
        for place, registry in NAMED_METHODS.items()
        for name, entry in registry.items()
    ),
    *(
        (f"algorithm/{recipe}.yaml", "algorithm.credit_settings", CREDITS[credit].settings)
        for recipe, credit in (("spiral", "rae"), ("grpo", "grpo"), ("rloo", "rloo"), ("reinforce", "return"))
    ),
]
"""(file, where in it, record): the files that restate a record's defaults. The others deviate on purpose."""
APART: dict[type[Any], set[str]] = {
    RunSettings: {
        "env",
        "curriculum",
        "agent",
        "engine",
        "launcher",
        "model",
        "algorithm",
        "evaluation",
        "recording",
    },  # groups and rows of their own
    EnvSettings: {"id", "levels", "others", "retries"},  # has no default; of every environment alike: in train.yaml
    EngineSettings: {"vllm", "api"},  # of other engines
    LauncherSettings: {"name"},  # ray
    ModelSettings: {
        "path",
        "tiny",
        "sft",
        "lora",
    },  # needed; of the tiny model only; off, and gentler where it is on; off
}


@pytest.mark.parametrize(("file", "path", "record"), BASES, ids=[f"{f}:{p}" for f, p, _ in BASES])
def test_base_groups_restate_the_defaults_of_their_record(file: str, path: str, record: type[Any]) -> None:
    apart = APART.get(record, set())
    defaults = {}
    for field in dataclasses.fields(record):
        if field.name not in apart:
            made = field.default_factory() if callable(field.default_factory) else field.default
            defaults[field.name] = list(made) if isinstance(made, tuple) else made
    stated = plain(file, path)
    for name in {*apart, "defaults", "sweep"}:
        stated.pop(name, None)
    assert stated == defaults


def test_a_run_is_of_one_game_unless_it_says_otherwise() -> None:
    assert plain("train.yaml", "env") == {"levels": [], "others": [], "retries": EnvSettings(id="Nim-LLM").retries}
    assert plain("curriculum/none.yaml", "") == {"curriculum": None}


def test_the_recipe_of_self_play_and_no_warm_start_are_the_defaults() -> None:
    assert plain("agent/self_play.yaml", "agent")["opponent"] == "self"
    assert plain("model/pretrained.yaml", "model.sft")["steps"] == 0
    assert ModelSettings().sft.steps == 0


# --- the command line's own shorthands -------------------------------------------------------------------------------


NAMED = {plain(f"env/{name}.yaml", "env")["id"]: name for name in options("env") if name != "by_id"}
"""Id -> the option made for it."""


def test_no_two_options_are_made_for_one_environment() -> None:
    assert len(NAMED) == len(options("env")) - 1
    assert NAMED.keys() <= GAMES.keys()


@pytest.mark.parametrize("env_id", sorted(NAMED))
def test_an_environment_s_id_chooses_the_option_made_for_it(env_id: str) -> None:
    """Same game, same run: no other limits under its id than under its name."""
    assert compose([f"env={env_id}"]) == compose([f"env={NAMED[env_id]}"])


def test_an_environment_without_an_option_is_found_by_its_id() -> None:
    settings = compose(["env=OpenSpiel/trade_comm-LLM"])["env"]
    assert (settings["id"], settings["kwargs"]) == ("OpenSpiel/trade_comm-LLM", {})


def test_a_model_s_path_or_hub_id_chooses_pretrained(tmp_path: Path) -> None:
    folder = tmp_path / "it's a model, [1]=2"
    folder.mkdir()
    for path in ("Qwen/Qwen3-0.6B", str(folder)):
        settings = run_settings(compose([f"model={path}"]))
        assert settings.model.path == path
        assert settings.model.sft.steps == 0
        assert settings.agent.context.layout == "append_only"


def test_free_mappings_take_the_game_s_and_the_method_s_own_keys() -> None:
    config = compose(["env=nim", "env.kwargs.show_legal_moves=false", "algorithm.credit_settings.decay=0.5"])
    settings = run_settings(config)
    assert settings.env.kwargs == {"prompt": "compact", "show_legal_moves": False}
    assert settings.algorithm.credit_record().decay == 0.5


def test_a_sweep_s_keys_can_be_overridden() -> None:
    sweep = sweep_of(compose(["experiment=kuhn_rae_ablation", "sweep.jobs=1", "sweep.seeds=[7]"]))
    assert sweep is not None
    assert (sweep.jobs, sweep.seeds, sorted(sweep.variants)) == (1, (7,), ["none", "rae", "shared"])
    assert sweep_of(compose([])) is None


def test_names_of_ours_with_a_number_need_no_quotes() -> None:
    words = [
        "env=tic_tac_toe",
        "agent.opponent=mcts(5)",
        "env.invalid=retry(2)",
        "evaluation.opponents=[random,mcts(9)]",
    ]
    settings = run_settings(compose(words))
    assert (settings.agent.opponent, settings.env.invalid) == ("mcts(5)", "retry(2)")
    assert settings.evaluation.opponents == ("random", "mcts(9)")
    assert compose(["env.invalid='penalty(0.1)'"])["env"]["invalid"] == "penalty(0.1)"


def test_a_configuration_written_down_builds_the_same_settings() -> None:
    config = compose(["env=leduc_poker", "algorithm=rloo", "steps=7", "run_dir='a b'"])
    assert run_settings(yaml.safe_load(dump_config(config))) == run_settings(config)


# --- what cannot be is refused, before torch is loaded ---------------------------------------------------------------

UNKNOWN = [
    ("env=kuhn_pokr", "there is no env called 'kuhn_pokr'; did you mean 'kuhn_poker'?"),
    ("env=KuhnPokr-LLM", "there is no env called 'KuhnPokr-LLM'; did you mean 'KuhnPoker-LLM'?"),
    ("algorithm=spirl", "there is no algorithm called 'spirl'; did you mean 'spiral'?"),
    ("model=tinny", "there is no model called 'tinny'; did you mean 'tiny'?"),
    ("stepz=3", "there is no setting 'stepz'; did you mean 'steps'?"),
    ("agent.sampling.temprature=1", "there is no setting 'agent.sampling.temprature'; did you mean"),
    ("agent.sampling.temprature=1", "'agent.sampling.temperature'?"),
    ("algorithm.optimisation.learning_rat=1", "did you mean 'algorithm.optimisation.learning_rate'?"),
    ("algorithm.credit_settings.decy=1", "no setting algorithm.credit_settings.decy; did you mean 'decay'?"),
    ("env.kwargs.colour=1", "env.kwargs does not fit KuhnPoker-LLM"),
    ("env.id=KuhnPokr-LLM", "did you mean 'KuhnPoker-LLM'?"),
    ("seed.x=1", "seed has no settings of its own"),
    ("++extra=1", "there is no setting '++extra'"),
    ("agent.opponent=randm", "did you mean 'random'?"),
    ("evaluation.opponents=[randm]", "did you mean 'random'?"),
    ("model.sft.teacher=randm", "did you mean 'random'?"),
    ("model.chat_template=chatmll", "chatml"),
    ("env.invalid=forfit", "forfeit"),
]

IMPOSSIBLE = [
    ("algorithm.optimisation.learning_rate=-1", "learning_rate is a finite number in (0, inf): got -1"),
    ("algorithm.optimisation.learning_rate=nan", "learning_rate is a finite number in (0, inf): got nan"),
    ("algorithm.optimisation.final_learning_rate=-1", "at least 0"),
    ("algorithm.optimisation.learning_rate_hold=1", "learning_rate_hold lies in [0, 1): got 1"),
    ("algorithm.optimisation.learning_rate_shape=step", "linear, geometric, cosine"),
    ("algorithm.optimisation.mean_decay=1", "mean_decay"),
    ("algorithm.optimisation.max_grad_norm=0", "max_grad_norm"),
    ("algorithm.optimisation.epochs=0", "epochs"),
    ("algorithm.optimisation.old_logprobs=engine", "old_logprobs is sampler or trainer"),
    ("algorithm.objective.guard_settings.low=2", "low is a finite number in [0, 1]: got 2"),
    ("algorithm.objective.guard_settings.dual=1", "dual is a finite number in (1, inf): got 1"),
    ("algorithm.objective.guard=clp", "did you mean 'clip'?"),
    ("algorithm.objective.corrections={tiss: {}}", "did you mean 'tis'?"),
    ("algorithm.objective.corrections={tis: {}}", "would be corrected twice"),
    ("algorithm.objective.ratio=turn", "ratio is one of token, sequence, sequence_product"),
    ("algorithm.explore=arpoo", "did you mean 'arpo'?"),
    ("algorithm.rewards={overlog: {}}", "did you mean 'overlong'?"),
    ("algorithm.shapings={aspo: {}}", "did you mean 'aspo_tool'?"),
    ("algorithm.critic.kind=both", "kind is one of none, shared, own"),
    ("algorithm.objective.aggregation=mean", "aggregation"),
    ("algorithm.objective.aggregation=token-mean", "belong to aggregation seq-mean-token-sum-norm"),
    ("algorithm.magnet.weight=-1", "weight and final_weight are at least 0"),
    ("algorithm.magnet.reference=none", "reference"),
    ("algorithm.credit=gea", "did you mean 'gae'?"),
    ("algorithm.credit_settings.decay=2", "decay"),
    ("algorithm.group_size=0", "group_size"),
    ("algorithm.group_size=5", "games_per_step is a multiple of algorithm.group_size"),
    ("agent.sampling.top_p=0", "top_p lies in (0, 1]: got 0"),
    ("agent.sampling.temperature=-1", "temperature"),
    ("agent.sampling.max_tokens=0", "max_tokens"),
    ("agent.context.layout=rolling", "context.layout is one of append_only, per_turn"),
    ("agent.context.max_context=8", "max_tokens is below context.max_context"),
    ("engine.name=vlm", "local"),
    ("engine.dtype=float8", "dtype"),
    ("engine.threads=0", "threads"),
    ("engine.concurrency=0", "concurrency"),
    ("model.prompt=long", "prompt"),
    ("model.tiny.hidden=65", "multiple"),
    ("model.sft.learning_rate=0", "learning_rate"),
    ("evaluation.method=guess", "auto, exact, win_rate"),
    ("evaluation.games=3", "evaluation.games is a multiple of 2, the seats of KuhnPoker-LLM: got 3"),
    ("evaluation.opponents=[]", "opponents"),
    ("evaluation.opponents=[mcts]", "mcts plays OpenSpiel's games of perfect information"),
    ("agent.opponent=mcts(50)", "mcts plays OpenSpiel's games of perfect information"),
    ("agent.opponent=runs/nowhere", "nor is there a folder of that name"),
    ("env.max_turns=0", "max_turns"),
    ("steps=0", "steps is a finite number in [1, inf): got 0"),
    ("steps=1.5", "steps is of type int: got 1.5"),
    ("steps=many", "steps is of type int: got 'many'"),
    ("tensorboard=1", "tensorboard is of type bool: got 1"),
    ("agent.sampling.stop=end", "agent.sampling.stop is of type"),
    ("seed=-1", "seed"),
    ("checkpoints_kept=0", "checkpoints_kept"),
    ("algorithm.magnet=3", "algorithm.magnet is a group of settings: got 3"),
    ("steps", "an override is written KEY=VALUE: got 'steps'"),
    ("steps=1,2", "a key has one value: got 'steps=1,2'"),
    ("steps=[", "'steps=[' cannot be read"),
    ("env=by_id", "env.id is needed: give env.id=VALUE"),
    ("model=pretrained", "model.path is needed: give model.path=VALUE"),
    ("sweep.jobs=2", "sweep needs at least one variant"),
    ("sweep.job=2", "did you mean 'jobs'?"),
]


@pytest.mark.parametrize(("word", "message"), [*UNKNOWN, *IMPOSSIBLE])
def test_what_is_unknown_or_impossible_is_refused_in_one_line(
    word: str, message: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    assert message in refused("train", word, f"run_dir={tmp_path / 'run'}")
    assert list(tmp_path.iterdir()) == []


def test_a_setting_of_another_option_is_unknown_under_this_one(refused: Callable[..., str]) -> None:
    assert "there is no setting 'model.tiny.layers'" in refused("train", "model=some/model", "model.tiny.layers=3")


REFUSED_WITHOUT_TORCH = """
import sys
from typer.testing import CliRunner
from turnwise.cli import app
for word in {words!r}:
    result = CliRunner().invoke(app, ["train", word, "run_dir={folder}"])
    assert result.exit_code == 2, (word, result.output)
print(sorted({{"torch", "transformers"}} & set(sys.modules)))
"""


def test_settings_are_refused_before_torch_is_loaded(tmp_path: Path) -> None:
    words = [UNKNOWN[0][0], UNKNOWN[3][0], UNKNOWN[8][0], IMPOSSIBLE[0][0], *(word for word, _ in IMPOSSIBLE[-6:])]
    code = REFUSED_WITHOUT_TORCH.format(words=words, folder=tmp_path / "run")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_configuration_is_refused() -> None:
    wrong: list[Mapping[str, Any]] = [{}, {"env": None}, {"env": {"id": "Nim-LLM"}, "extra": 1}]
    for config in wrong:
        with pytest.raises(SettingsError):
            run_settings(config)
