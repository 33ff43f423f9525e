"""What an algorithm is made of, as frozen records: credit, objective, magnet, optimisation. No torch is loaded here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from turnwise.algorithms.build import build
from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.corrections import CORRECTIONS, WEIGHTS, refuse_double_correction
from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.explore import EXPLORERS
from turnwise.algorithms.guards import GUARDS
from turnwise.algorithms.method import Method
from turnwise.algorithms.noise_settings import LayerNoiseSettings
from turnwise.algorithms.replay import Replay
from turnwise.algorithms.rewards import REWARDS
from turnwise.algorithms.schedule import SHAPES, check_schedule, scheduled
from turnwise.algorithms.shaping import SHAPINGS

REGISTRIES = {one.stage: one for one in (EXPLORERS, REWARDS, CREDITS, SHAPINGS, GUARDS, CORRECTIONS)}
"""Stage -> its methods."""
AGGREGATIONS = ("token-mean", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm")
ESTIMATORS = ("k1", "k2", "k3")
RATIO_LEVELS = ("token", "sequence", "sequence_product")
REFERENCES = ("initial", "moving", "uniform")


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnet:
    """A pull of the policy towards a reference (magnetic mirror descent when the reference stands or moves slowly)."""

    weight: float = 0.0
    """Nats of KL per unit of advantage at the start; 0 for no pull in the whole run."""
    final_weight: float = 0.0
    """The weight at the end of the run; it does not matter where `weight` is 0."""
    weight_hold: float = 0.0
    """Share of the run before the weight starts to move, in [0, 1)."""
    weight_shape: str = "linear"
    """How it moves: linear, geometric or cosine."""
    reference: str = "initial"
    """`initial`: the weights the run started from. `moving`: a slow running mean. `uniform`: every token alike."""
    reference_decay: float = 0.999
    """Only with `moving`: share of the old reference that an update keeps, in [0, 1]."""
    estimator: str = "exact"
    """KL per token: `exact` over the vocabulary, or k1, k2, k3 from the sampled token."""

    def __post_init__(self) -> None:
        final = self.final_weight if self.weight else 0.0
        shape = self.weight_shape if self.weight else "linear"
        check_schedule("weight", self.weight, final, self.weight_hold, shape)
        require_choice("weight_shape", self.weight_shape, SHAPES)
        require_choice("reference", self.reference, REFERENCES)
        require_choice("estimator", self.estimator, ("exact", *ESTIMATORS))
        require_between("reference_decay", self.reference_decay, 0.0, 1.0)
        if self.reference == "uniform" and self.estimator != "exact":
            raise ValueError(f"a uniform reference needs estimator exact: got {self.estimator!r}")

    def weight_at(self, progress: float) -> float:
        """The weight when this share of the run is over."""
        if not self.weight:
            return 0.0
        return scheduled(
            self.weight, self.final_weight, hold=self.weight_hold, shape=self.weight_shape, progress=progress
        )

    @property
    def needs_model(self) -> bool:
        """Whether a second set of weights is kept."""
        return self.reference != "uniform" and self.weight > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What one update minimises."""

    ratio: str = "token"
    """Of new to old probability: per `token`, or per `sequence` (its geometric mean), or `sequence_product`."""
    guard: str = "clip"
    """Which gradients pass, see `turnwise.algorithms.guards.GUARDS`."""
    guard_settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of that guard."""
    corrections: Mapping[str, Any] = field(default_factory=dict)
    """For the gap between sampler and trainer: name in `CORRECTIONS` -> its settings; they multiply."""
    probability_mask: float | None = None
    """Tokens whose old probability is above this are left out of the loss, in (0, 1]; null: none is."""
    aggregation: str = "token-mean"
    """How tokens add up, see `aggregate`."""
    constant: float | None = None
    """Divisor of seq-mean-token-sum-norm, in tokens; null: the widest sample of the batch."""
    divide_by_sequences: bool = False
    """seq-mean-token-sum-norm only: divide by the number of sequences too."""
    entropy_weight: float = 0.0
    """Nats of entropy per unit of advantage."""
    sft_weight: float = 1.0
    """Weight of the cross-entropy of demonstrations, per token of theirs, where the recipe has any."""

    def __post_init__(self) -> None:
        require_choice("ratio", self.ratio, RATIO_LEVELS)
        require_choice("guard", self.guard, GUARDS.known(self.guard))
        for name in self.corrections:
            require_choice("corrections", name, CORRECTIONS.known(name))
        self.guard_record()
        self.correction_records()
        require_between("entropy_weight", self.entropy_weight, 0.0)
        require_between("sft_weight", self.sft_weight, 0.0)
        if self.probability_mask is not None:
            require_between("probability_mask", self.probability_mask, 0.0, 1.0, open_low=True)
        require_choice("aggregation", self.aggregation, AGGREGATIONS)
        norm = self.aggregation == "seq-mean-token-sum-norm"
        if not norm and (self.constant is not None or self.divide_by_sequences):
            raise ValueError(
                "constant and divide_by_sequences belong to aggregation seq-mean-token-sum-norm: "
                f"got {self.aggregation!r}"
            )
        if self.constant is not None:
            require_between("constant", self.constant, 0.0, open_low=True)

    def guard_record(self) -> Any:
        """The settings record of the guard."""
        return build(GUARDS[self.guard].settings, self.guard_settings, "guard_settings")

    def correction_records(self) -> dict[str, Any]:
        """The settings record of every correction, by name."""
        return {
            name: build(CORRECTIONS[name].settings, values or {}, f"corrections.{name}")
            for name, values in self.corrections.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Critic:
    """What predicts the return to come."""

    kind: str = "none"
    """`none`, a head on the policy's own body (`shared`), or weights of its `own`, copied from the policy's."""
    learning_rate: float = 1e-5
    """Adam's step of the critic's weights, in weights per update."""
    weight: float = 0.5
    """With `shared`: weight of its loss, per unit of advantage and squared task unit."""
    clip: float | None = 0.5
    """Largest step from the old prediction that lowers the loss, in task units; null for no clip."""
    warmup_steps: int = 0
    """Updates at the start in which the critic learns alone."""

    def __post_init__(self) -> None:
        require_choice("kind", self.kind, ("none", "shared", "own"))
        require_between("learning_rate", self.learning_rate, 0.0, open_low=True)
        require_between("weight", self.weight, 0.0, open_low=True)
        require_between("warmup_steps", self.warmup_steps, 0)
        if self.clip is not None:
            require_between("clip", self.clip, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """How the weights move."""

    learning_rate: float = 1e-6
    """Adam's step at the start, in weights per update."""
    final_learning_rate: float = 1e-6
    """The step at the end of the run."""
    learning_rate_hold: float = 0.0
    """Share of the run before it starts to move, in [0, 1)."""
    learning_rate_shape: str = "linear"
    """How it moves: linear, geometric or cosine."""
    warmup_steps: int = 0
    """Updates over which the step grows from 0."""
    beta1: float = 0.9
    """Adam's decay of the gradient mean, per update."""
    beta2: float = 0.95
    """Adam's decay of the gradient square mean, per update."""
    weight_decay: float = 0.0
    """Decoupled weight decay, per unit of learning rate."""
    max_grad_norm: float = 1.0
    """Longer gradients are cut to this length."""
    epochs: int = 1
    """Passes over each batch."""
    micro_batch_tokens: int = 16_384
    """Most tokens in one forward and backward pass: distinct ones, or with layout `rows` all and their padding."""
    layout: str = "tree"
    """`tree`: what rows of a batch begin with alike is forwarded once, and nothing is padded. `rows`: padded rows; also
    taken, and told, for models whose attention a tree cannot express."""
    mean_decay: float = 0.0
    """Share of the running mean of the weights that an update keeps, in [0, 1); 0 keeps no mean."""
    old_logprobs: str = "sampler"
    """Denominator of the ratio: the `sampler`'s log-probs, or the `trainer`'s as the update begins."""
    optimiser: str = "adamw"
    """`adamw`, or `adamw8bit`: its moments in 2 bytes per weight instead of 8 (torchao)."""
    activation_checkpointing: bool = False
    """Keep only what enters each layer, and compute the rest again in the backward pass: less memory, more time."""
    offload: bool = False
    """Weights that are trained, gradients and moments lie in main memory, and a layer on the GPU while it computes."""
    compile: bool = False
    """Layers are compiled by torch for the update: worth a try on a GPU, where the first step takes a minute more."""

    def __post_init__(self) -> None:
        require_between("learning_rate", self.learning_rate, 0.0, open_low=True)
        check_schedule(
            "learning_rate",
            self.learning_rate,
            self.final_learning_rate,
            self.learning_rate_hold,
            self.learning_rate_shape,
        )
        for name in ("beta1", "beta2", "mean_decay"):
            require_between(name, getattr(self, name), 0.0, 0.999999)
        require_between("max_grad_norm", self.max_grad_norm, 0.0, open_low=True)
        require_between("weight_decay", self.weight_decay, 0.0)
        require_between("epochs", self.epochs, 1)
        require_between("micro_batch_tokens", self.micro_batch_tokens, 1)
        require_between("warmup_steps", self.warmup_steps, 0)
        require_choice("optimiser", self.optimiser, ("adamw", "adamw8bit"))
        require_choice("layout", self.layout, ("tree", "rows"))
        if self.old_logprobs not in ("sampler", "trainer"):
            raise ValueError(f"old_logprobs is sampler or trainer: got {self.old_logprobs!r}")

    def learning_rate_at(self, progress: float, updates: int) -> float:
        """Adam's step when this share of the run is over and so many updates were made."""
        rate = scheduled(
            self.learning_rate,
            self.final_learning_rate,
            hold=self.learning_rate_hold,
            shape=self.learning_rate_shape,
            progress=progress,
        )
        return rate * min(1.0, (updates + 1) / self.warmup_steps) if self.warmup_steps else rate


@dataclass(frozen=True, slots=True, kw_only=True)
class SFT:
    """Settings of the warm start."""

    steps: int = 200
    """Updates; 0 leaves the model as it is."""
    games: int = 2_000
    """Scripted games to learn from."""
    batch: int = 256
    """Samples (rows) per update."""
    learning_rate: float = 3e-3
    """Adam's step at the start, in weights per update; it falls to 0 along a cosine."""
    teacher: str = "random"
    """The scripted agent that plays every seat."""

    def __post_init__(self) -> None:
        require_between("sft.steps", self.steps, 0)
        require_between("sft.games", self.games, 1)
        require_between("sft.batch", self.batch, 1)
        require_between("sft.learning_rate", self.learning_rate, 0.0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmSettings:
    """A recipe: how episodes are sampled, what a turn is worth, and what an update minimises."""

    name: str = "custom"
    """What the recipe is called."""
    explore: str = "independent"
    """How episodes are sampled, see `turnwise.algorithms.explore.EXPLORERS`."""
    explore_settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of that way."""
    rewards: Mapping[str, Any] = field(default_factory=dict)
    """What is made of the rewards first, in order: name in `REWARDS` -> its settings."""
    credit: str = "rae"
    """Credit method, see `turnwise.algorithms.credit.CREDITS`."""
    credit_settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of that method."""
    shapings: Mapping[str, Any] = field(default_factory=dict)
    """What is made of the advantages last, in order: name in `SHAPINGS` -> its settings."""
    replay: Replay = field(default_factory=Replay)
    """Turns of earlier steps that are trained again."""
    group_size: int = 1
    """Episodes that share one task and seed (GRPO, RLOO)."""
    answer_prefix: str = "<answer>"
    """What stands before the right answer where its log-prob is asked for."""
    answer_suffix: str = "</answer>"
    """What stands behind it: with both the answer is spelled in tokens as in a reply."""
    objective: Objective = Objective()
    critic: Critic = Critic()
    noise: LayerNoiseSettings | None = None
    """Learnable noise on the layers' inputs during the update (ALP); null for none."""
    magnet: Magnet = Magnet()
    optimisation: Optimisation = Optimisation()
    cite: str = ""
    """The paper of the recipe."""

    def __post_init__(self) -> None:
        require_choice("explore", self.explore, EXPLORERS.known(self.explore))
        require_choice("credit", self.credit, CREDITS.known(self.credit))
        for name in self.rewards:
            require_choice("rewards", name, REWARDS.known(name))
        for name in self.shapings:
            require_choice("shapings", name, SHAPINGS.known(name))
        require_between("group_size", self.group_size, 1)
        if not self.answer_prefix:
            raise ValueError("answer_prefix is the text that opens an answer: got an empty one")
        for part in self.parts():
            assert part.settings is not None  # building them checked them
        refuse_double_correction(self.optimisation.old_logprobs, self.objective.corrections)
        self._require_replay_is_corrected()

    @property
    def weighs_other_weights(self) -> bool:
        """Whether the loss accounts for turns that were sampled by older weights than those it starts from."""
        weighed = any(name in WEIGHTS for name in self.objective.corrections)
        return weighed or self.optimisation.old_logprobs == "sampler"

    def _require_replay_is_corrected(self) -> None:
        """A replayed turn was sampled by other weights: something has to say so."""
        if self.replay.turns and not self.weighs_other_weights:
            raise ValueError(
                "replayed turns were sampled by older weights, and with old_logprobs=trainer their ratio starts at 1 "
                "as if they were not; choose old_logprobs=sampler, or add a weight, such as corrections={tis: {cap: 2}}"
            )
        if self.replay.turns and self.critic.kind != "none":
            raise ValueError(
                "a critic's targets are not kept with replayed turns: set critic.kind=none or replay.turns=0"
            )

    def explore_record(self) -> Any:
        """The settings record of the way of sampling."""
        return build(EXPLORERS[self.explore].settings, self.explore_settings, "algorithm.explore_settings")

    def credit_record(self) -> Any:
        """The settings record of the credit method."""
        return build(CREDITS[self.credit].settings, self.credit_settings, "algorithm.credit_settings")

    def parts(self) -> list[Part]:
        """Explorer, rewards, credit, shapings, guard, corrections: in the order of a step, each with its settings."""
        explorer, credit, guard = EXPLORERS[self.explore], CREDITS[self.credit], GUARDS[self.objective.guard]
        return [
            Part("explore", self.explore, explorer, self.explore_record()),
            *_terms("rewards", self.rewards, REWARDS),
            Part("credit", self.credit, credit, self.credit_record()),
            *_terms("shapings", self.shapings, SHAPINGS),
            Part("guard", self.objective.guard, guard, self.objective.guard_record()),
            *_terms("corrections", self.objective.corrections, CORRECTIONS),
        ]


class Part(NamedTuple):
    """One registered idea in a recipe."""

    stage: str
    """explore, rewards, credit, shapings, guard or corrections."""
    name: str
    method: Method[Any]
    settings: Any

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of what the episodes must hold, see `turnwise.algorithms.needs`."""
        return self.method.needs_with(self.settings)


def _terms(stage: str, terms: Mapping[str, Any], registry: Mapping[str, Any]) -> list[Part]:
    return [
        Part(stage, name, registry[name], build(registry[name].settings, values or {}, f"algorithm.{stage}.{name}"))
        for name, values in terms.items()
    ]
