"""The memory plan: sizes of known models, sums by hand, torch's own count beside the formulas, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from turnwise.agents.clock import ModelClock
from turnwise.agents.local import LocalEngine
from turnwise.agents.precision import computing_in
from turnwise.agents.sampling import Sampling
from turnwise.algorithms.batch import Batch, pack_samples
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.memory_plan import (
    MemoryPlan,
    NoRoom,
    adapter_parameters,
    held_logits,
    plan_memory,
    plans_of,
    require_room,
    tokens_of_step,
    with_setting,
)
from turnwise.algorithms.model_shape import ModelShape, shape_of, shape_of_config
from turnwise.algorithms.objective import whole_batch
from turnwise.algorithms.room import Room, room_of
from turnwise.algorithms.samples import Sample
from turnwise.algorithms.settings import ModelSettings, RunSettings

QWEN_06B = ModelShape(
    parameters=596_049_920,
    layers=28,
    hidden=1024,
    heads=16,
    key_heads=8,
    head_dim=128,
    intermediate=3072,
    vocabulary=151_936,
)
QWEN_4B = ModelShape(
    parameters=4_022_468_096,
    layers=36,
    hidden=2560,
    heads=32,
    key_heads=8,
    head_dim=128,
    intermediate=9728,
    vocabulary=151_936,
)
H200 = Room("cuda", 141_000_000_000, 139_000_000_000)


def qwen(shape: ModelShape) -> Any:
    from transformers import Qwen3Config

    return Qwen3Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        head_dim=shape.head_dim,
        tie_word_embeddings=True,
    )


def settings_of(*words: str) -> RunSettings:
    return run_settings(compose(["model=pretrained", "model.path=somewhere", *words]))


def sizes(plan: MemoryPlan) -> dict[str, int]:
    return {part.name: part.size for part in plan.parts}


# --- sizes and sums by hand -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [QWEN_06B, QWEN_4B])
def test_a_model_is_counted_without_being_made(shape: ModelShape) -> None:
    assert shape_of_config(qwen(shape)) == shape


def test_other_families_are_counted() -> None:
    from transformers import GPT2Config, LlamaConfig, MixtralConfig

    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100}
    llama = shape_of_config(
        LlamaConfig(**small, num_key_value_heads=2, intermediate_size=96, tie_word_embeddings=False)
    )
    assert (llama.key_heads, llama.head_dim, llama.tied) == (2, 16, False)
    assert llama.of_layer == 2 * 64 * (64 + 32) + 3 * 64 * 96 + 2 * 64 + 64 // 2  # and half of the last norm
    experts = shape_of_config(MixtralConfig(**small, intermediate_size=96, num_local_experts=4, num_experts_per_tok=2))
    assert experts.intermediate == 2 * 96
    assert experts.of_layer > 4 * 3 * 64 * 96
    assert shape_of_config(GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=100)).intermediate == 4 * 64


def test_the_tiny_model_and_what_is_no_model() -> None:
    assert shape_of(ModelSettings()).parameters == 115_072  # 512 x 64, and two layers of 41,152 and a norm of 64
    with pytest.raises(ValueError, match=r"there is no model folder \./nowhere"):
        shape_of(ModelSettings(path="./nowhere"))


def test_06b_by_hand() -> None:
    plan = plan_memory(settings_of(), shape=QWEN_06B, room=H200)
    found = sizes(plan)
    assert found["weights"] == found["gradients"] == 4 * 596_049_920  # 2.4 GB each
    assert found["optimiser"] == 8 * 596_049_920
    assert QWEN_06B.cache_bytes(bf16=False) == 2 * 28 * 8 * 128 * 4 == 229_376
    assert QWEN_06B.cache_bytes(bf16=True) == 28 * 8 * 128 * (4 + 2)
    # A layer of one token in a row of 100: 6 x 1024 + 6 x 2048 + 2 x 1024 + 4 x 3072 + 100 floats, and 42 in norms.
    assert QWEN_06B.layer_bytes(100, bf16=False) == 4 * (6144 + 12_288 + 2048 + 12_288 + 100 + 42)
    assert plan.known == 16 * 596_049_920 + 1_500_000_000
    require_room(plan)


def test_4b_by_hand() -> None:
    vllm = settings_of("engine.name=vllm", "algorithm.magnet.weight=0.1")
    found = sizes(plan_memory(with_setting(vllm, "engine.vllm.kv_cache_gb", 20.0), shape=QWEN_4B, room=H200))
    assert found["vLLM's weights"] == 2 * 4_022_468_096  # 8.0 GB
    assert found["optimiser"] == 8 * 4_022_468_096  # 32.2 GB
    assert found["reference"] == found["weights"] == 4 * 4_022_468_096
    assert found["KV"] == 20 * 1024**3
    share = sizes(plan_memory(vllm, shape=QWEN_4B, room=H200))
    assert share["KV"] + share["vLLM's weights"] == int(0.9 * 141e9)
    # Adapters of rank 16: in + out of q (2560 + 4096), k and v (2560 + 1024), o, gate, up and down (2560 + 9728).
    per_layer = 2 * (2560 + 4096) + 2 * (2560 + 1024) + 3 * (2560 + 9728)
    assert adapter_parameters(QWEN_4B, 16) == 16 * 36 * per_layer == 33_030_144
    adapted = sizes(plan_memory(settings_of("model.lora.rank=16"), shape=QWEN_4B, room=H200))
    assert adapted["optimiser"] == 8 * 33_030_144
    assert adapted["gradients"] == 4 * 33_030_144


def test_ranks_share_what_is_sharded() -> None:
    words = ("algorithm.magnet.weight=0.1", "algorithm.optimisation.mean_decay=0.9")
    one, four = (sizes(plan_memory(settings_of(*words), ranks, shape=QWEN_4B, room=H200)) for ranks in (1, 4))
    for name in ("weights", "gradients", "optimiser", "reference", "running mean"):
        assert four[name] == one[name] // 4, name
    assert four["micro-batch"] == one["micro-batch"]
    assert four["whole copy"] == 2 * one["weights"]  # to sample from, and the mean to report
    assert four["before weights are spread"] == 3 * (one["weights"] - four["weights"])
    # Two layers and the embedding are whole while they work. A layer: matrices, two norms, and those of the heads; the
    # last norm is divided among them.
    layer = 2 * 2560 * (4096 + 1024) + 3 * 2560 * 9728 + 2 * 2560 + 2 * 128 + 2560 // 36
    assert four["layers at work"] == 2 * (2 * layer + 2560 * 151_936)
    assert "whole copy" not in one


def test_what_is_offloaded_lies_elsewhere() -> None:
    words = ("algorithm.optimisation.offload=true", "algorithm.critic.kind=own")
    found = sizes(plan_memory(settings_of(*words), shape=QWEN_4B, room=H200))
    assert [found[name] for name in ("weights", "optimiser", "gradients", "critic")] == [0] * 4
    assert found["whole copy"] == 4 * 4_022_468_096
    on_cpu = sizes(plan_memory(settings_of(*words), shape=QWEN_4B, room=Room("cpu", 1, 1)))
    assert on_cpu["weights"] == on_cpu["whole copy"] == 4 * 4_022_468_096
    eight_bits = settings_of("algorithm.optimisation.optimiser=adamw8bit")
    optimiser = sizes(plan_memory(eight_bits, shape=QWEN_06B, room=H200))["optimiser"]
    assert optimiser == 2 * 596_049_920 + 8 * 2_328_320  # a byte for each mean, and 4 for a scale of every 256


def test_a_micro_batch_is_no_larger_than_a_step() -> None:
    small = settings_of("games_per_step=2", "agent.context.max_context=600")
    assert tokens_of_step(small) == 2 * 2 * 600  # two games of two seats
    a_turn_a_row = settings_of(
        "games_per_step=2", "agent.context.layout=per_turn", "agent.context.history=last", "env.max_turns=50"
    )
    assert tokens_of_step(a_turn_a_row) == 2 * 2 * 50 * 8192


# --- beside torch's own count -----------------------------------------------------------------------------------------


def allocated(work: Callable[[], object]) -> tuple[int, int]:
    """(most, last) bytes that torch held beyond those before, as it counts itself."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        result = work()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    del result
    return most, held


SMALL = ModelShape(
    parameters=3000 * 256 + 3 * 690_000,
    layers=3,
    hidden=256,
    heads=4,
    key_heads=2,
    head_dim=64,
    intermediate=640,
    vocabulary=3000,
)


def batch_of(rows: int, length: int, reply: int) -> Batch:
    samples = []
    for row in range(rows):
        ids = tuple(range(3 + row, 3 + row + length - 5 * (row == 0)))  # one shorter row, so that there is padding
        sample = Sample(1.0)
        sample.add(ids[:-reply], ids[-reply:], [-5.0] * reply, 1.0)
        samples.append(sample)
    return pack_samples(samples, pad_id=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (120, ()),
        (12, ()),
        (120, ("algorithm.optimisation.activation_checkpointing=true",)),
        (12, ("algorithm.optimisation.activation_checkpointing=true",)),
        (120, ("algorithm.objective.entropy_weight=0.1",)),
        (120, ("algorithm.magnet.weight=0.1",)),
        (120, ("algorithm.magnet.weight=0.1", "algorithm.magnet.estimator=k3")),
        (120, ("algorithm.magnet.weight=0.1", "algorithm.magnet.reference=uniform")),
    ],
)
def test_an_update_takes_what_the_formulas_say(reply: int, words: tuple[str, ...], dtype: torch.dtype) -> None:
    from transformers import Qwen3ForCausalLM

    torch.manual_seed(0)
    model: Any = Qwen3ForCausalLM(qwen(SMALL))
    algorithm = settings_of(*words).algorithm
    learner = Learner(
        model,
        algorithm.optimisation,
        algorithm.objective,
        algorithm.magnet,
        temperature=1.0,
        clock=ModelClock(model.device),
    )
    batch = batch_of(4, 256, reply)

    def update() -> None:
        learner.loss(batch, whole_batch(batch), algorithm.magnet.weight)[0].backward()

    with computing_in(dtype, torch.device("cpu")):
        update()  # gradients are there from now on
        most, _ = allocated(update)
    said = SMALL.update_bytes(
        4 * 256,
        256,
        4 * reply,
        logits=held_logits(algorithm, SMALL, 4 * reply, "cpu"),
        bf16=dtype == torch.bfloat16,
        checkpointed=algorithm.optimisation.activation_checkpointing,
    )
    assert 0.98 * most <= said <= 1.15 * most


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_generation_takes_no_more_than_the_plan_says(dtype: torch.dtype) -> None:
    from transformers import Qwen3ForCausalLM

    torch.manual_seed(0)
    model: Any = Qwen3ForCausalLM(qwen(SMALL)).eval()
    engine = LocalEngine(model, end_id=1, pad_id=0, decode=str)
    prompts = [tuple(range(3 + row, 203 + row)) for row in range(16)]
    settings = settings_of("games_per_step=16", "agent.sampling.max_tokens=56", "agent.context.max_context=256")
    plan = plan_memory(with_setting(settings, "engine.dtype", str(dtype)[6:]), shape=SMALL, room=Room("cpu", 1, 1))
    said = sum(part.size for part in plan.parts if part.phase == "rollout")
    with computing_in(dtype, torch.device("cpu")):
        most, _ = allocated(lambda: engine.generate(prompts, range(16), Sampling(max_tokens=56)))
    assert 0.6 * said <= most <= said


# --- what fits and what does not --------------------------------------------------------------------------------------


def test_known_parts_that_do_not_fit_are_refused_with_what_to_turn() -> None:
    plan = plan_memory(settings_of("engine.name=vllm"), shape=QWEN_4B, room=H200)
    turned = [(advice.key, advice.value) for advice in plan.advice]
    assert turned == [("engine.vllm.sleep", True), ("engine.vllm.gpu_memory_utilization", 0.6)]
    # Asleep, the engine gives way to the gradients: 4 bytes. Then 30 of 141 GB are left to the trainer.
    assert plan.advice[0].saves == 4 * 4_022_468_096
    assert plan.advice[1].saves == pytest.approx(0.3 * 141e9, abs=2)
    with pytest.raises(NoRoom) as refused:
        require_room(plan)
    assert "the run needs 192.8 GB of memory and 139.0 GB of 141.0 GB are free on its cuda device" in str(refused.value)
    assert "engine.vllm.gpu_memory_utilization=0.6 saves 42.3 GB" in str(refused.value)


def test_following_the_advice_helps() -> None:
    for words, free in (((), 60), (("algorithm.optimisation.mean_decay=0.9",), 40), (("engine.name=vllm",), 100)):
        settings = settings_of(*words)
        room = Room("cuda", free * 10**9, free * 10**9)
        plan = plan_memory(settings, shape=QWEN_4B, room=room)
        assert plan.known > room.free
        for advice in plan.advice:
            settings = with_setting(settings, advice.key, advice.value)
        after = plan_memory(settings, shape=QWEN_4B, room=room)
        assert plan.known - after.known == sum(advice.saves for advice in plan.advice)
        require_room(after)


def test_what_may_become_too_large_is_told_and_not_refused() -> None:
    plan = plan_memory(settings_of(), shape=QWEN_4B, room=H200)
    require_room(plan)
    assert plan.known < H200.free < plan.most
    lines = plan.lines()
    assert lines[0].startswith("memory of the run, 4,022,468,096 parameters on cuda: weights 16.1 GB, optimiser")
    assert "GB of 141.0 GB, 139.0 GB free" in lines[1]
    assert "if memory runs out, set algorithm.optimisation.activation_checkpointing=true saves" in lines[2]
    small = plan_memory(settings_of("agent.context.max_context=1024"), shape=QWEN_06B, room=H200)
    assert len(small.lines()) == 2
    assert small.advice == ()


def test_actors_of_ray_are_planned_apart() -> None:
    settings = settings_of("launcher=ray", "launcher.engines=6", "launcher.learners=2", "engine.name=vllm")
    learner, engine = plans_of(settings, shape=QWEN_4B, room=H200)
    assert (learner.role, engine.role) == ("learner", "engine")
    assert sizes(learner)["optimiser"] == 8 * 4_022_468_096 // 2
    assert "KV" not in sizes(learner)
    assert sizes(engine)["whole copy"] == 4 * 4_022_468_096
    assert sizes(engine)["KV"] + sizes(engine)["vLLM's weights"] == int(0.9 * 141e9)
    assert {"optimiser", "micro-batch"}.isdisjoint(sizes(engine))
    assert engine.lines()[0].startswith("memory of the engine, 4,022,468,096 parameters")
    with pytest.raises(NoRoom, match=r"the engine needs .* set engine.vllm.gpu_memory_utilization=0\.85"):
        require_room(engine)
    alone = plan_memory(settings_of(), shape=QWEN_4B)
    together = plan_memory(with_setting(settings, "engine.name", "local"), 2, "learner", shape=QWEN_4B)
    assert together.room.free == alone.room.free // 8
    assert [plan.role for plan in plans_of(settings_of(), shape=QWEN_06B, room=H200)] == ["run"]


def test_nothing_helps_a_model_that_is_far_too_large() -> None:
    plan = plan_memory(settings_of(), shape=QWEN_4B, room=Room("cpu", 10**9, 10**9))
    with pytest.raises(NoRoom, match="the run needs"):
        require_room(plan)


def test_the_room_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    alone = room_of(torch.device("cpu"))
    assert 10**9 < alone.free == alone.size
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert room_of(torch.device("cpu")) == Room("cpu", alone.size, alone.size // 2)
