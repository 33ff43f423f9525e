"""What a run will need of its device, before it starts: arithmetic on its settings and on the sizes of its model.

Some parts are known (weights, optimiser, an engine's cache): a run is refused where they do not fit. Others depend on
what will be played, and are known at their largest only (a full micro-batch, every transcript at its longest): where
those do not fit, the plan says so, and what to turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from turnwise.agents.pretrained import pick_device, pick_dtype
from turnwise.algorithms.model_shape import ModelShape, shape_of
from turnwise.algorithms.recipes import AlgorithmSettings, Optimisation
from turnwise.algorithms.room import Room, room_of
from turnwise.algorithms.settings import RunSettings
from turnwise.envs.registry import make_game
from turnwise.kernels.logprobs import logit_bytes

GB, GIB = 1e9, 1 << 30
LIBRARIES = {"cpu": 600_000_000, "cuda": 1_500_000_000}
"""Bytes of torch, its libraries and (on CUDA, assumed) its context and workspaces."""
VLLM_LIBRARIES = 700_000_000
"""Bytes of each process that vLLM starts on a CPU."""
SAMPLED_CHOICE = 36
"""Bytes that the local engine takes per entry of the vocabulary and request as it draws a token."""


class NoRoom(ValueError):
    """The run's known parts do not fit its device."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that lies on the device."""

    name: str
    size: int
    """Bytes."""
    phase: str = "always"
    """When: always, start, rollout or update."""
    most: bool = False
    """Whether this is the most that it may become; else it is known."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A setting to turn."""

    key: str
    value: Any
    saves: int
    """Bytes, from the plan before it."""

    def __str__(self) -> str:
        return f"{self.key}={str(self.value).lower()} saves {_gb(self.saves)}"


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The parts on one device; every rank's is the same, and so is every engine's."""

    role: str
    """Of the process there: a `run`, or with actors of Ray a `learner` or an `engine`."""
    parameters: int
    parts: tuple[Part, ...]
    room: Room
    advice: tuple[Advice, ...] = ()
    """What to turn, the first things first, until it fits; empty where it fits, or nothing helps."""

    @property
    def known(self) -> int:
        """Bytes at the fullest of start, rollout and update, of the parts that are known."""
        return self._peak([part for part in self.parts if not part.most])

    @property
    def most(self) -> int:
        """Bytes at the fullest of start, rollout and update, with every part at its largest."""
        return self._peak(self.parts)

    def _peak(self, parts: Sequence[Part]) -> int:
        sums = {phase: sum(part.size for part in parts if part.phase == phase) for phase in _PHASES}
        return sums["always"] + max(sums["start"], sums["rollout"], sums["update"])

    def lines(self) -> list[str]:
        """For people."""
        told = ", ".join(f"{part.name} {'at most ' if part.most else ''}{_gb(part.size)}" for part in self.parts)
        of = f"of {_gb(self.room.size)}"
        found = [f"memory of the {self.role}, {self.parameters:,} parameters on {self.room.kind}: {told}"]
        found.append(f"together {_gb(self.known)} and at most {_gb(self.most)} {of}, {_gb(self.room.free)} free")
        if self.known <= self.room.free < self.most:
            found.append(f"at its largest it would not fit; if memory runs out, set {self._told_advice()}")
        return found

    def _told_advice(self) -> str:
        return "; ".join(map(str, self.advice)) or "model.path to a smaller model, or train on more ranks"


_PHASES = ("always", "start", "rollout", "update")


def require_room(plan: MemoryPlan) -> None:
    """Raises NoRoom, with what to turn and by how much, where the known parts do not fit."""
    if plan.known <= plan.room.free:
        return
    raise NoRoom(
        f"the {plan.role} needs {_gb(plan.known)} of memory and {_gb(plan.room.free)} of {_gb(plan.room.size)} are "
        f"free on its {plan.room.kind} device ({plan.lines()[0]}); set {plan._told_advice()}"
    )


def plans_of(
    settings: RunSettings, world_size: int = 1, *, shape: ModelShape | None = None, room: Room | None = None
) -> list[MemoryPlan]:
    """One plan, or one of a learner and one of an engine where actors of Ray play. Raises as `plan_memory`."""
    launcher = settings.launcher
    if launcher.name != "ray":
        return [plan_memory(settings, world_size, shape=shape, room=room)]
    roles = ("learner", "engine") if launcher.engines else ("run",)
    return [plan_memory(settings, launcher.learners, role, shape=shape, room=room) for role in roles]


def plan_memory(
    settings: RunSettings,
    world_size: int = 1,
    role: str = "run",
    *,
    shape: ModelShape | None = None,
    room: Room | None = None,
) -> MemoryPlan:
    """The plan of each of `world_size` ranks that share the learner. shape, room: in place of those that are found.

    role: see `MemoryPlan`. Raises ModelError where there is no such model, or no such device.
    """
    if role == "learner":  # what samples there is for evaluation
        settings = with_setting(settings, "engine.name", "local")
    shape = shape or shape_of(settings.model)
    room = room or _room(settings)
    plan = MemoryPlan(role, shape.parameters, tuple(_parts(settings, shape, room, world_size, role)), room)
    return replace(plan, advice=tuple(_advice(settings, plan, shape, world_size)))


def _room(settings: RunSettings) -> Room:
    """On this machine; actors of Ray share a machine's memory, all alike."""
    room, launcher = room_of(pick_device(settings.engine.device)), settings.launcher
    actors = -(-(launcher.engines + launcher.learners) // launcher.nodes) if launcher.name == "ray" else 1
    return replace(room, free=room.free // actors) if room.kind == "cpu" else room


def _parts(settings: RunSettings, shape: ModelShape, room: Room, world_size: int, role: str) -> Iterator[Part]:
    bf16 = pick_dtype(settings.engine.dtype, torch.device(room.kind)) == torch.bfloat16
    if role == "engine":
        yield Part("whole copy", 4 * shape.parameters)
    else:
        yield from _learner(settings, shape, room, world_size, bf16)
    if settings.engine.name == "vllm":
        yield from _vllm(settings, shape, room, bf16)
    elif settings.engine.name == "local":
        yield from _local(settings, shape, bf16)
    yield Part("libraries", LIBRARIES[room.kind])


def _learner(settings: RunSettings, shape: ModelShape, room: Room, world_size: int, bf16: bool) -> Iterator[Part]:
    """Float32 weights and what moves with them, shared among the ranks or in main memory; and one micro-batch."""
    algorithm, optimisation = settings.algorithm, settings.algorithm.optimisation
    offloaded = optimisation.offload and room.kind != "cpu"
    spread = world_size > 1 or optimisation.offload

    def share(size: int) -> int:
        return 0 if offloaded else size // world_size

    whole = 4 * shape.parameters
    adapters = adapter_parameters(shape, settings.model.lora.rank)
    trained = adapters or shape.parameters
    own_critic = algorithm.critic.kind == "own"
    copies = {"running mean": bool(optimisation.mean_decay), "reference": algorithm.magnet.needs_model}
    yield Part("weights", share(whole + 4 * adapters))
    yield Part("optimiser", share(_moments(trained, optimisation)))
    yield Part("gradients", share(4 * trained), "update")
    if own_critic:
        yield Part("critic", share(whole + _moments(shape.parameters, optimisation)))
        yield Part("critic's gradients", share(whole), "update")
    yield from (Part(name, share(whole)) for name, asked in copies.items() if asked)
    if settings.agent.opponent == "league":
        yield Part("league", settings.agent.league.keep * whole)
    if spread:
        yield Part("whole copy", whole * (2 if optimisation.mean_decay or adapters else 1))
        modules = 1 + own_critic + sum(copies.values())
        yield Part("before weights are spread", modules * (whole - share(whole)), "start")
        yield Part("layers at work", (2 if bf16 else 4) * (2 * shape.of_layer + shape.embedding))
    yield Part("micro-batch", micro_batch_bytes(settings, shape, bf16, room.kind), "update", most=True)


def _moments(trained: int, optimisation: Optimisation) -> int:
    """Adam's two means; in 8 bits with a float32 scale for every 256 entries."""
    if optimisation.optimiser == "adamw8bit":
        return 2 * trained + 2 * 4 * trained // 256
    return 8 * trained


def adapter_parameters(shape: ModelShape, rank: int) -> int:
    """Of adapters of this rank beside every matrix of the layers."""
    ends = 4 * shape.hidden + 2 * shape.query + 2 * shape.key + 3 * (shape.hidden + shape.intermediate)
    return rank * shape.layers * ends


def micro_batch_bytes(settings: RunSettings, shape: ModelShape, bf16: bool, kind: str) -> int:
    """Of a full micro-batch in which every token is trained."""
    algorithm, row = settings.algorithm, settings.agent.context.max_context
    tokens = min(max(algorithm.optimisation.micro_batch_tokens, row), tokens_of_step(settings))
    return shape.update_bytes(
        tokens,
        min(row, tokens),
        tokens,
        logits=held_logits(algorithm, shape, tokens, kind),
        bf16=bf16,
        checkpointed=algorithm.optimisation.activation_checkpointing,
        bodies=2 if algorithm.critic.kind == "own" else 1,
    )


def held_logits(algorithm: AlgorithmSettings, shape: ModelShape, trained: int, kind: str) -> int:
    """Bytes of logits that an update holds at a time for its trained tokens. kind: of the device."""
    magnet = algorithm.magnet
    compared = magnet.needs_model and magnet.estimator == "exact"
    uniform = magnet.weight > 0 and not magnet.needs_model
    pulled = compared or uniform or algorithm.objective.entropy_weight > 0
    return logit_bytes(trained, shape.vocabulary, kind=kind, compared=compared, pulled=pulled)


def tokens_of_step(settings: RunSettings) -> int:
    """Most tokens that a step could train on: every transcript of every seat at its longest."""
    context = settings.agent.context
    seats = max(len(make_game(game.id, **game.kwargs).seats) for game in settings.env.games)
    rows = 1 if context.layout == "append_only" else settings.env.max_turns or 1_000_000
    return settings.games_per_step * seats * rows * context.max_context


def _local(settings: RunSettings, shape: ModelShape, bf16: bool) -> Iterator[Part]:
    """The cache of a full block of requests, the prompts' pass, and the distributions that tokens are drawn from."""
    requests, reply = settings.engine.concurrency, settings.agent.sampling.max_tokens
    if settings.algorithm.explore == "independent":
        requests = min(requests, settings.games_per_step)
    prompts = min(settings.engine.batch_tokens, requests * (settings.agent.context.max_context - reply))
    parked = settings.engine.batch_tokens // 2  # of conversations that wait; none of them is live as well
    cached = min(settings.engine.batch_tokens + parked, requests * (settings.agent.context.max_context - reply))
    tokens = cached + requests * reply
    one_layer = 4 * (2 * shape.key + 2 * shape.query)
    yield Part("cache", tokens * (shape.cache_bytes(bf16) + one_layer), "rollout", most=True)
    passing = prompts * 4 * (3 * shape.intermediate + 2 * shape.hidden)
    drawing = requests * shape.vocabulary * SAMPLED_CHOICE
    yield Part("generation", max(passing, drawing), "rollout", most=True)


def _vllm(settings: RunSettings, shape: ModelShape, room: Room, bf16: bool) -> Iterator[Part]:
    """Weights of its own and the cache that it reserves; asleep during updates where it may sleep."""
    vllm = settings.engine.vllm
    phase = "rollout" if vllm.sleep and room.kind == "cuda" else "always"
    weights = (2 if bf16 else 4) * shape.parameters // vllm.tensor_parallel
    if vllm.kv_cache_gb is not None:
        cache = int(vllm.kv_cache_gb * GIB)
    elif room.kind == "cuda":
        cache = max(int(vllm.gpu_memory_utilization * room.size) - weights, 0)
    else:
        cache = GIB // 4
    yield Part("vLLM's weights", weights, phase)
    yield Part("KV", cache, phase)
    if room.kind == "cpu" and vllm.own_process:
        yield Part("vLLM's processes", VLLM_LIBRARIES * (1 + vllm.tensor_parallel))


def _advice(settings: RunSettings, plan: MemoryPlan, shape: ModelShape, world_size: int) -> Iterator[Advice]:
    """Settings to turn one after the other until everything fits; nothing where it does already."""
    certain = plan.known > plan.room.free
    needs: Callable[[MemoryPlan], int] = (lambda p: p.known) if certain else (lambda p: p.most)
    for key, values in _turns(settings, certain, plan.room.kind != "cpu"):
        chosen = None
        for value in values:
            if needs(plan) <= plan.room.free:
                break
            changed = with_setting(settings, key, value)
            parts = tuple(_parts(changed, shape, plan.room, world_size, plan.role))
            smaller = replace(plan, parts=parts)
            if needs(smaller) < needs(plan):
                before = needs(plan) if chosen is None else needs(plan) + chosen.saves
                chosen = Advice(key, value, before - needs(smaller))
                plan, settings = smaller, changed
        if chosen is not None:
            yield chosen


def _turns(settings: RunSettings, certain: bool, on_gpu: bool) -> Iterator[tuple[str, list[Any]]]:
    """Keys and the values to try, in the order in which they cost least."""
    optimisation, context = settings.algorithm.optimisation, settings.agent.context
    if settings.engine.name == "vllm" and on_gpu:
        yield "engine.vllm.sleep", [True]
        if certain and settings.engine.vllm.kv_cache_gb is None:
            share = settings.engine.vllm.gpu_memory_utilization
            yield "engine.vllm.gpu_memory_utilization", [s / 100 for s in range(int(100 * share) - 5, 5, -5)]
    if not certain:
        yield "algorithm.optimisation.micro_batch_tokens", _halves(optimisation.micro_batch_tokens, context.max_context)
        yield "algorithm.optimisation.activation_checkpointing", [True]
        yield "engine.batch_tokens", _halves(settings.engine.batch_tokens, context.max_context)
        yield "engine.concurrency", _halves(min(settings.engine.concurrency, settings.games_per_step), 1)
    if on_gpu:
        yield "algorithm.optimisation.offload", [True]
    yield "algorithm.optimisation.optimiser", ["adamw8bit"]
    yield "algorithm.optimisation.mean_decay", [0.0]
    if not certain:
        yield "agent.context.max_context", _halves(context.max_context, 2 * settings.agent.sampling.max_tokens)
    yield "model.lora.rank", [32]


def _halves(value: int, least: int) -> list[int]:
    found = []
    while value // 2 >= least:
        value //= 2
        found.append(value)
    return found


def with_setting(settings: Any, key: str, value: Any) -> Any:
    """A copy of nested frozen records with one of their fields, named with dots, changed."""
    name, _, rest = key.partition(".")
    return replace(settings, **{name: with_setting(getattr(settings, name), rest, value) if rest else value})


def _gb(size: float) -> str:
    """Such as 8.0 GB; smaller things in MB."""
    return f"{size / GB:.1f} GB" if size >= GB / 2 else f"{size / 1e6:,.0f} MB"
