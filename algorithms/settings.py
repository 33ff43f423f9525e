"""Every setting of a training run, as frozen records. The groups in configs/ restate them with their units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from turnwise.agents.api.settings import ApiSettings, named_api
from turnwise.agents.context import TEMPLATES, ContextSettings
from turnwise.agents.lora import LoraSettings
from turnwise.agents.sampling import Sampling
from turnwise.agents.scripted import scripted_agent
from turnwise.agents.tiny import TinyModel
from turnwise.agents.vllm.settings import VllmSettings
from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.curriculum import CurriculumSettings
from turnwise.algorithms.games import GameSettings, require_game
from turnwise.algorithms.launch.settings import LauncherSettings
from turnwise.algorithms.needs import NEEDS, able
from turnwise.algorithms.pool import LeagueSettings
from turnwise.algorithms.recipes import SFT, AlgorithmSettings
from turnwise.algorithms.recording.settings import RecordingSettings
from turnwise.algorithms.reporting.trackers import NAMES as TRACKER_NAMES
from turnwise.envs.core import TextGame, Unsupported
from turnwise.envs.invalid import invalid_policy
from turnwise.envs.registry import make_game


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvSettings:
    """Which games are played, and under which rules of the house."""

    id: str
    """Id of the environment; of several games this one comes first and gives the headline."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the game."""
    levels: tuple[str, ...] = ()
    """Levels that are played; none named: the one in `kwargs`, or with a curriculum every level of the game."""
    others: tuple[GameSettings, ...] = ()
    """More games for the same policy, under the same rules; groups of episodes take turns."""
    invalid: str = "forfeit"
    """What an invalid reply leads to: forfeit, retry(k), random_legal, penalty(x), noop, spiral."""
    max_turns: int | None = 50
    """Replies after which an episode is truncated; null for no limit."""
    retries: int = 2
    """How often an episode that failed (its environment, an agent, a deadline) is begun again from its seed. One that
    fails still is left out with its group, and counted."""

    def __post_init__(self) -> None:
        require_game(self.id, self.kwargs, self.levels, "env.")
        invalid_policy(self.invalid)
        if self.max_turns is not None:
            require_between("max_turns", self.max_turns, 1)
        require_between("retries", self.retries, 0)
        ids = [game.id for game in self.games]
        twice = sorted({env_id for env_id in ids if ids.count(env_id) > 1})
        if twice:
            raise ValueError(f"each game of a run is named once: got {', '.join(twice)} more often; use levels")

    @property
    def games(self) -> tuple[GameSettings, ...]:
        """All games of the run."""
        return (GameSettings(id=self.id, kwargs=self.kwargs, levels=self.levels), *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """How the policy speaks, and who sits opposite."""

    opponent: str = "self"
    """`self`: the policy plays every seat. `league`: earlier selves too. Else a scripted agent, a folder with frozen
    weights, `openai:MODEL` or `anthropic:MODEL`. Against others, the policy's seat alternates."""
    league: LeagueSettings = field(default_factory=LeagueSettings)
    """Only with opponent `league`."""
    sampling: Sampling = field(default_factory=Sampling)
    context: ContextSettings = field(default_factory=ContextSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    """Of opponents behind an API."""

    def __post_init__(self) -> None:
        if self.sampling.max_tokens >= self.context.max_context:
            raise ValueError(
                "sampling.max_tokens is below context.max_context, so that a prompt has room: got "
                f"{self.sampling.max_tokens} and {self.context.max_context}"
            )


ENGINES = ("local", "vllm", "openai")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What samples the tokens."""

    name: str = "local"
    """`local`: transformers in this process. `vllm`: vLLM. `openai`: a server that speaks OpenAI's protocol."""
    device: str = "auto"
    """auto (CUDA where there is one), cpu, cuda, cuda:N."""
    dtype: str = "auto"
    """Of matrix products: auto (bfloat16 on CUDA, float32 elsewhere), float32, bfloat16. Weights stay float32."""
    threads: int | None = None
    """Threads of torch on a CPU; null: 1 below 20 million parameters, else one per core."""
    batch_tokens: int = 65_536
    """Most prompt tokens, padding included and a shared prompt counted once per request, that are cached at once."""
    concurrency: int = 1024
    """Most episodes alive at once."""
    vllm: VllmSettings = field(default_factory=VllmSettings)
    api: ApiSettings = field(default_factory=ApiSettings)

    def __post_init__(self) -> None:
        require_choice("name", self.name, ENGINES)
        require_choice("dtype", self.dtype, ("auto", "float32", "bfloat16"))
        require_between("batch_tokens", self.batch_tokens, 1)
        require_between("concurrency", self.concurrency, 1)
        if self.threads is not None:
            require_between("threads", self.threads, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Which weights learn."""

    path: str | None = None
    """Folder or hub id of a causal language model; null builds the tiny one."""
    chat_template: str | None = None
    """A shipped template (chatml, llama3) in place of the tokenizer's own."""
    trust_remote_code: bool = False
    """Run code that comes with the model: only for models whose authors you trust."""
    prompt: str = "full"
    """Wording of the observations: `full` with rules, `compact` for tiny models."""
    tiny: TinyModel = field(default_factory=TinyModel)
    lora: LoraSettings = field(default_factory=LoraSettings)
    sft: SFT = field(default_factory=lambda: SFT(steps=0))
    """Warm start before reinforcement learning; steps 0 for none."""

    def __post_init__(self) -> None:
        require_choice("prompt", self.prompt, ("full", "compact"))
        if self.chat_template is not None:
            require_choice("chat_template", self.chat_template, TEMPLATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """When and how well the policy plays, on seeds that training never sees."""

    every: int = 50
    """Steps between evaluations; 0 for the end only."""
    method: str = "auto"
    """`exact` (NashConv over every information state), `win_rate`, or auto: exact where the game is small enough."""
    opponents: tuple[str, ...] = ("random",)
    """Scripted agents to play against with method win_rate."""
    games: int = 200
    """Games per opponent, seats swapped."""
    final_games: int = 1000
    """The same at the end of the run."""

    def __post_init__(self) -> None:
        require_choice("method", self.method, ("auto", "exact", "win_rate"))
        require_between("every", self.every, 0)
        require_between("games", self.games, 2)
        require_between("final_games", self.final_games, 2)
        if not self.opponents:
            raise ValueError("opponents are one scripted agent or more: got none")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """One training run."""

    env: EnvSettings
    agent: AgentSettings = AgentSettings()
    engine: EngineSettings = field(default_factory=EngineSettings)
    launcher: LauncherSettings = field(default_factory=LauncherSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    algorithm: AlgorithmSettings = field(default_factory=AlgorithmSettings)
    curriculum: CurriculumSettings | None = None
    """Draws games and levels by what they teach at the moment (SEC); null: they take turns."""
    evaluation: EvaluationSettings = EvaluationSettings()
    name: str | None = None
    """What the run is called; null: after its environment and its algorithm."""
    run_dir: str | None = None
    """Folder of the run; null: runs/<name>-<date and time>."""
    seed: int = 0
    """All randomness of the run comes from it."""
    steps: int = 400
    """Updates of the weights."""
    token_budget: int | None = None
    """In place of `steps`: the run ends with the step in which the policy has sampled so many tokens for its training,
    whatever became of them; null: `steps` count."""
    games_per_step: int = 128
    """Episodes per update."""
    checkpoint_every: int = 100
    """Steps between checkpoints; one at the end in any case."""
    checkpoints_kept: int = 2
    """Newest checkpoints kept, besides the best one."""
    stop_within_s: float = 10.0
    """Seconds that a run which SIGTERM or Ctrl-C stops may take to save its last step; it ends then in any case."""
    ledger: bool = False
    """Write ledger.jsonl too: the id of every episode that a step has planned, trained on, or left out and why."""
    recording: RecordingSettings = field(default_factory=RecordingSettings)
    """Which episodes are written down, for `turnwise view`."""
    tensorboard: bool = True
    """Write TensorBoard events too."""
    trackers: tuple[str, ...] = ()
    """Where metrics go besides: wandb, mlflow, trackio, each set up by its own environment variables."""
    tracker_project: str = "turnwise"
    """What runs are filed under there."""

    def __post_init__(self) -> None:
        require_between("steps", self.steps, 1)
        if self.token_budget is not None:
            require_between("token_budget", self.token_budget, 1)
        require_between("games_per_step", self.games_per_step, 1)
        require_between("checkpoint_every", self.checkpoint_every, 1)
        require_between("checkpoints_kept", self.checkpoints_kept, 1)
        require_between("seed", self.seed, 0)
        for name in self.trackers:
            require_choice("trackers", name, TRACKER_NAMES)
        require_between("stop_within_s", self.stop_within_s, 0.0, open_low=True)
        if self.engine.name == "openai" and self.launcher.name != "local":
            raise ValueError(
                "engine=openai trains in one process, which alone knows the weights of its server: use launcher=local "
                "or engine=vllm"
            )
        _require_comparable(self.agent.sampling, self.algorithm)
        if self.engine.name == "vllm":
            _require_own_words(self.engine.vllm, self.algorithm)
        if self.games_per_step % self.algorithm.group_size:
            raise ValueError(
                f"games_per_step is a multiple of algorithm.group_size: got {self.games_per_step} and "
                f"{self.algorithm.group_size}"
            )
        if self.curriculum is not None and self.curriculum.signal == "centred" and self.algorithm.group_size < 2:
            raise ValueError(
                "curriculum.signal=centred compares episodes of one group: got algorithm.group_size=1; set it to 2 or "
                "more, or curriculum.signal=advantage"
            )
        self._check_players()

    def _check_players(self) -> None:
        """Whoever the run needs, be it at its end, can play these games: asked now, not hours later."""
        for one in self.env.games:
            game = make_game(one.id, **one.kwargs)
            self._check_seats(len(game.seats), one.id)
            require_player(self.model.sft.teacher, game, "model.sft.teacher")
            for opponent in self.evaluation.opponents:
                require_player(opponent, game, "evaluation.opponents")
            if self.agent.opponent == "league":
                for name in self.agent.league.scripted:
                    require_player(name, game, "agent.league.scripted")
            elif self.agent.opponent != "self" and not Path(self.agent.opponent).expanduser().is_dir():
                require_player(self.agent.opponent, game, "agent.opponent")

    def _check_seats(self, seats: int, env_id: str) -> None:
        for name in ("games", "final_games"):
            games = getattr(self.evaluation, name)
            if games % seats:
                raise ValueError(f"evaluation.{name} is a multiple of {seats}, the seats of {env_id}: got {games}")
        if seats < 2 and self.agent.opponent != "self":
            several = NEEDS["several_seats"].of_game
            assert several is not None
            raise ValueError(
                f"agent.opponent={self.agent.opponent} needs games of several seats: {env_id} has one; "
                f"set agent.opponent=self, or choose an environment that has: {', '.join(able(several, env_id))}"
            )

    def share_done(self, steps: int, tokens: int) -> float:
        """How much of the run is over after so many steps and sampled tokens; 1 or more: all of it."""
        return steps / self.steps if self.token_budget is None else tokens / self.token_budget

    @property
    def title(self) -> str:
        """The run's name."""
        ids = [game.id.removesuffix("-LLM").replace("/", "_").lower() for game in self.env.games]
        games = "+".join(ids) if len(ids) < 4 else f"{ids[0]}+{len(ids) - 1}"
        return self.name or f"{games}-{self.algorithm.name}"


def require_player(name: str, game: TextGame, key: str) -> None:
    """Raises ValueError, naming the key, unless there is a scripted agent of that name and it plays this game.

    A model behind an API plays any game, as an opponent; it is not asked here.
    """
    if key.endswith(("opponent", "opponents")) and named_api(name, ApiSettings()) is not None:
        return
    try:
        scripted_agent(name)  # of that size, for mcts(N)
        player = scripted_agent("mcts(1)" if name.startswith("mcts") else name)
        rng = np.random.default_rng(0)
        game.start(rng)
        player.choose(game, rng)
    except (ValueError, Unsupported) as error:
        folder = (
            "; nor is there a folder of that name with weights" if key.endswith(("opponent", "--opponents")) else ""
        )
        raise ValueError(f"{key}: {error}{folder}") from None


def _require_comparable(sampling: Sampling, algorithm: AlgorithmSettings) -> None:
    """The ratio compares the trainer's distribution with the sampler's: they must be the same one."""
    if sampling.temperature == 0:
        raise ValueError("training samples its replies: agent.sampling.temperature is above 0, got 0")
    if sampling.top_p < 1 and algorithm.optimisation.old_logprobs == "sampler":
        raise ValueError(
            f"with agent.sampling.top_p={sampling.top_p:g} the sampler's log-probs are of another distribution than "
            "the trainer's; set algorithm.optimisation.old_logprobs=trainer, or top_p to 1"
        )


def _require_own_words(vllm: VllmSettings, algorithm: AlgorithmSettings) -> None:
    """What vLLM samples is to be what the trained weights say."""
    if vllm.lora is not None:
        raise ValueError(
            f"engine.vllm.lora={vllm.lora} would sample with other weights than those that are trained: leave it null "
            "and train adapters with model.lora.rank"
        )
    if vllm.grammar and algorithm.optimisation.old_logprobs == "sampler":
        raise ValueError(
            "with engine.vllm.grammar=true the sampler's log-probs are those of a distribution without illegal moves, "
            "not the trainer's; set algorithm.optimisation.old_logprobs=trainer, or grammar to false"
        )
