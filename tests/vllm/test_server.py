"""Agents and engines behind an API against a real `vllm serve`: ids, log-probs, new weights, chat, tools, both SDKs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from turnwise.agents.api.agent import ApiAgent
from turnwise.agents.api.engine import OpenAIEngine
from turnwise.agents.api.settings import ApiSettings
from turnwise.agents.api.start import start_api_engine
from turnwise.agents.context import ChatContext
from turnwise.agents.engine import AgentFailure, Ask, Completion, StreamingEngine
from turnwise.agents.language import LanguageAgent
from turnwise.agents.local import LocalEngine
from turnwise.agents.rollout import Plan, Rollout
from turnwise.agents.sampling import Sampling
from turnwise.agents.tiny import save_model
from turnwise.algorithms.reporting.runlog import read_metrics
from turnwise.envs.talk.form_judge import Transcript
from turnwise.envs.talk.judging import ask_judge
from turnwise.envs.talk.speech import spoken
from turnwise.records import Episode, Message, Request

Prompts, Apart = list[tuple[int, ...]], Callable[..., float]
Serve, Start = Callable[..., str], Callable[..., OpenAIEngine]
EXACT = 1e-4
"""Nats between the server's log-probs and the trainer's, in float32."""
START_S = 600.0
GREEDY = Sampling(temperature=0.0, max_tokens=12)
SAMPLINGS = [
    Sampling(max_tokens=24),
    Sampling(max_tokens=24, temperature=0.7),
    Sampling(max_tokens=24, top_p=0.8),
    Sampling(max_tokens=24, temperature=1.3, top_p=0.9),
    GREEDY,
]
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_SERVER_DEV_MODE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "TORCHDYNAMO_DISABLE": "1",
    "OMP_NUM_THREADS": "1",
}
WORDS = (
    *("--host", "127.0.0.1", "--served-model-name", "tiny", "--dtype", "float32", "--enforce-eager"),
    *("--max-model-len", "512", "--max-num-seqs", "64", "--kv-cache-memory-bytes", str(64 << 20)),
    *("--block-size", "32", "--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096"),
    *("--worker-extension-cls", "turnwise.agents.vllm.worker.Extension"),
    *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
)


@pytest.fixture(scope="module")
def folder(model: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "model"
    save_model(model, tokenizer, path)
    return path


@pytest.fixture(scope="module")
def serve(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """`serve("--logprobs-mode", ...)`: the root of a server of its own."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*words: str) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = tmp_path_factory.mktemp("server") / "log"
        command = [sys.executable, "-m", "vllm.entrypoints.launchers.api_server.entry", "--model", str(folder)]
        with log.open("wb") as out:
            running.append(
                subprocess.Popen(
                    [*command, "--port", str(port), *WORDS, *words],
                    stdout=out,
                    stderr=out,
                    env={**os.environ, **ENVIRONMENT},
                    start_new_session=True,
                )
            )
        root = f"http://127.0.0.1:{port}"
        wait_for(root, running[-1], log)
        return root

    yield begin
    for process in running:
        os.killpg(process.pid, signal.SIGTERM)
    for process in running:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def wait_for(root: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server answers, or fails."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(f"{root}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"no answer within {START_S:g} s: {log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def root(serve: Serve) -> str:
    return serve("--logprobs-mode", "processed_logprobs")


@pytest.fixture
def start(root: str, context: ChatContext, model: Any) -> Iterator[Start]:
    """`start(sampling, weights=..., retries=0)`: an engine that has the server sample; its weights are put back."""
    made: list[OpenAIEngine] = []

    def begin(sampling: Sampling = SAMPLINGS[0], *, weights: Any = None, **settings: Any) -> OpenAIEngine:
        known = {"model": "tiny", "base_url": f"{root}/v1", "deadline_s": 60.0}
        made.append(start_api_engine(ApiSettings(**(known | settings)), context, sampling, weights=weights))
        return made[-1]

    yield begin
    for engine in made:
        if engine.weight_version:
            engine.load(model.named_parameters, 0)
        engine.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait for what the server is about to do."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def counter(root: str, name: str) -> float:
    """A figure that the server counts."""
    with urllib.request.urlopen(f"{root}/metrics", timeout=30) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


# --- the engine ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=["1", "0.7", "top_p", "both", "greedy"])
def test_log_probs_are_those_of_what_is_sampled_from(
    start: Start, model: Any, prompts: Prompts, apart: Apart, sampling: Sampling
) -> None:
    engine = start()
    assert isinstance(engine, StreamingEngine)
    found = engine.generate(prompts, range(12), sampling)
    for prompt, completion in zip(prompts, found, strict=True):
        assert apart(model, prompt, completion, sampling.temperature, sampling.top_p) < EXACT
        assert completion.versions == ((0, 0),)
        assert completion.finished == (completion.ids[-1] == engine.end_id)
        assert completion.finished or len(completion.ids) == sampling.max_tokens
    assert engine.sampled == sum(len(completion.ids) for completion in found) + 1  # and the one of the first question
    assert engine.usage.requests == 13


def test_greedy_replies_are_the_local_engine_s(start: Start, local: LocalEngine, prompts: Prompts) -> None:
    expected = local.generate(prompts, range(12), GREEDY)
    found = start().generate(prompts, range(12), GREEDY)
    assert [completion.ids for completion in found] == [completion.ids for completion in expected]


def test_a_reply_follows_from_its_seed_alone(start: Start, prompts: Prompts) -> None:
    engine = start()
    together = engine.generate(prompts, range(12), SAMPLINGS[0])
    alone = [engine.generate([prompt], [seed], SAMPLINGS[0])[0] for seed, prompt in enumerate(prompts[:4])]
    assert [completion.ids for completion in alone] == [completion.ids for completion in together[:4]]
    other = engine.generate(prompts, range(100, 112), SAMPLINGS[0])
    assert [completion.ids for completion in other] != [completion.ids for completion in together]


def test_entropies_are_those_of_the_local_engine(start: Start, local: LocalEngine, prompts: Prompts) -> None:
    sampling = Sampling(temperature=0.0, max_tokens=6, entropy_tokens=3)
    expected = local.generate(prompts, range(12), sampling)
    for found, wanted in zip(start().generate(prompts, range(12), sampling), expected, strict=True):
        assert found.topk_entropy == pytest.approx(wanted.topk_entropy, abs=1e-4)
        assert found.topk_entropy is not None
        assert len(found.topk_entropy) == min(3, len(found.ids))


def test_a_text_ends_a_reply_where_it_began_before_too(start: Start, prompts: Prompts) -> None:
    engine, long = start(), Sampling(max_tokens=40)
    (whole,) = engine.generate(prompts[:1], [1], long)
    text = engine.decode(whole.ids[:10])
    stop = text[-2:]
    stopping = Sampling(max_tokens=40, stop=(stop,))
    (found,) = engine.generate(prompts[:1], [1], stopping)
    assert found.finished
    assert found.ids == whole.ids[: len(found.ids)]
    assert stop in engine.decode(found.ids)
    assert stop not in engine.decode(found.ids[:-1])
    # One half of the stop was said before: any first token that begins with the other half ends the reply.
    begun = whole.ids[:9]
    (rest,) = engine.generate([(*prompts[0], *begun)], [5], Sampling(max_tokens=8), [begun])
    ends = engine.decode((*begun, rest.ids[0]))[len(engine.decode(begun[:-1])) :]
    (cut,) = engine.generate([(*prompts[0], *begun)], [5], Sampling(max_tokens=8, stop=(ends,)), [begun])
    assert (cut.ids, cut.logprobs, cut.finished) == (rest.ids[:1], rest.logprobs[:1], True)


def test_what_is_withdrawn_is_sampled_no_further(start: Start, root: str, prompts: Prompts) -> None:
    engine = start(extra={"stop_token_ids": []})  # each goes on to its limit
    before = counter(root, "vllm:generation_tokens_total")
    numbers = engine.submit([Ask(prompt, seed, Sampling(max_tokens=440)) for seed in range(5) for prompt in prompts])
    until(lambda: counter(root, "vllm:num_requests_running") > 0)
    engine.withdraw([*numbers, 1234])
    until(lambda: counter(root, "vllm:num_requests_running") == 0)
    assert counter(root, "vllm:generation_tokens_total") - before < 60 * 440
    assert engine.receive(0.01) == []
    (number,) = engine.submit([Ask(prompts[0], 0, Sampling(max_tokens=2))])
    ((found, completion),) = engine.receive(60)
    assert isinstance(completion, Completion)
    assert (found, len(completion.ids)) == (number, 2)


def test_a_request_that_the_server_refuses_fails_alone(start: Start, prompts: Prompts) -> None:
    engine = start()
    good, bad = engine.submit(
        [Ask(prompts[0], 0, Sampling(max_tokens=2)), Ask(prompts[0] * 120, 0, Sampling(max_tokens=2))]
    )
    found: dict[int, Completion | AgentFailure] = {}
    while len(found) < 2:
        found |= dict(engine.receive(60))
    assert isinstance(found[good], Completion)
    assert "status 400" in str(found[bad])
    assert "(1 try)" in str(found[bad])


def test_episodes_are_those_of_the_local_engine(start: Start, local: LocalEngine, context: ChatContext) -> None:
    def episodes(engine: Any) -> list[Episode]:
        agent = LanguageAgent(engine, context, Sampling(temperature=0.0, max_tokens=6), name="policy")
        seats = {"player_0": "policy", "player_1": "policy"}
        kwargs = {"prompt": "compact"}
        plans = [Plan(id=f"{n}", env_id="KuhnPoker-LLM", env_kwargs=kwargs, seed=n, seats=seats) for n in range(6)]
        return Rollout({"policy": agent}, invalid="random_legal").collect(plans)

    for ours, theirs in zip(episodes(start()), episodes(local), strict=True):
        assert ours.status == "ok"
        assert [turn.completion_ids for turn in ours.turns] == [turn.completion_ids for turn in theirs.turns]
        assert [turn.weight_version for turn in ours.turns] == [((0, 0),)] * len(ours.turns)


# --- new weights -----------------------------------------------------------------------------------------------------


@pytest.fixture
def updated(new_model: Callable[..., Any]) -> Any:
    """The model after something like an update, in every weight."""
    draw, model = torch.Generator().manual_seed(3), new_model()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=draw))
    return model


def test_new_weights_are_used_at_once_and_nothing_old_is(
    start: Start, model: Any, updated: Any, context: ChatContext, prompts: Prompts, apart: Apart
) -> None:
    engine = start(weights=model.named_parameters)
    engine.generate(prompts, range(12), SAMPLINGS[0])  # their prefixes are in its cache
    engine.load(updated.named_parameters, 1)
    fresh = LocalEngine(updated, end_id=context.end_id, pad_id=0, decode=context.decode)
    greedy = engine.generate(prompts, range(12), GREEDY)
    assert [c.ids for c in greedy] == [c.ids for c in fresh.generate(prompts, range(12), GREEDY)]
    for prompt, found in zip(prompts, engine.generate(prompts, range(12), SAMPLINGS[1]), strict=True):
        assert apart(updated, prompt, found, 0.7) < EXACT
        assert found.versions == ((0, 1),)


def test_what_is_under_way_is_finished_with_the_weights_that_it_began_with(
    start: Start, model: Any, updated: Any, prompts: Prompts, apart: Apart
) -> None:
    engine = start(weights=model.named_parameters)
    numbers = engine.submit([Ask(prompt, 0, Sampling(max_tokens=40)) for prompt in prompts])
    engine.load(updated.named_parameters, 1)
    numbers += engine.submit([Ask(prompt, 0, Sampling(max_tokens=40)) for prompt in prompts])
    found: dict[int, Any] = {}
    while len(found) < len(numbers):
        found |= dict(engine.receive(60))
    for place, number in enumerate(numbers):
        completion, version = found[number], completion_version(found[number])
        assert version in ((0, 1) if place < 12 else (1,))  # one that had not begun yet has the new weights
        assert apart([model, updated][version], prompts[place % 12], completion) < EXACT


def completion_version(completion: Completion) -> int:
    ((first, version),) = completion.versions
    assert first == 0
    return version


def test_log_probs_of_another_distribution_are_no_start_for_training(serve: Serve, context: ChatContext) -> None:
    """A server that was started as vLLM's documentation has it."""
    settings = ApiSettings(model="tiny", base_url=f"{serve()}/v1", deadline_s=60.0)
    for sampling in (Sampling(temperature=0.7), Sampling(top_p=0.9)):
        with pytest.raises(ValueError, match="start it with --logprobs-mode processed_logprobs, or set"):
            start_api_engine(settings, context, sampling, weights=list)
    start_api_engine(settings, context, Sampling(temperature=0.7)).close()  # to be evaluated alone
    elsewhere = ApiSettings(model="other", base_url=settings.base_url)
    with pytest.raises(ValueError, match="status 404, The model `other` does not exist"):
        start_api_engine(elsewhere, context, Sampling())


def test_a_policy_is_trained_and_evaluated_through_a_server(
    start: Start, root: str, folder: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    run = tmp_path / "run"
    given = (
        *("engine=openai", "engine.api.model=tiny", f"engine.api.base_url={root}/v1", "engine.device=cpu"),
        *("env=kuhn_poker", "env.kwargs.prompt=compact", "env.invalid=random_legal"),
        *("agent.sampling.max_tokens=6", "agent.context.max_context=256"),
    )
    sizes = ("steps=3", "games_per_step=16", "evaluation.final_games=4", "evaluation.games=4", "tensorboard=false")
    try:
        rate = "algorithm.optimisation.learning_rate=0.001"
        done = command("train", *given, *sizes, rate, f"model={folder}", f"run_dir={run}")
        assert done.exit_code == 0, done.output
        records = [record for record in read_metrics(run) if record["step"]]
        assert len(records) == 3
        assert max(record["mismatch_kl"] for record in records) < 1e-9  # one update behind, it would be 1e-5 and more
        done = command("eval", folder, *given, "--games", 4, "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["win_rates"][0]["failed"] == 0
    finally:
        start().weight_version = 1  # so that the weights are put back


# --- agents ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def agent(root: str) -> Iterator[Callable[..., ApiAgent]]:
    made: list[ApiAgent] = []

    def build(provider: str = "openai", **settings: Any) -> ApiAgent:
        url = f"{root}/v1" if provider == "openai" else root
        known = {"model": "tiny", "base_url": url, "deadline_s": 60.0, "max_tokens": 12}
        made.append(ApiAgent(ApiSettings(provider=provider, **(known | settings))))
        return made[-1]

    yield build
    for one in made:
        one.close()


def request(*texts: str, game: Any = None) -> Request:
    roles = ("user", "assistant")
    messages = tuple(Message(roles[place % 2], text) for place, text in enumerate(texts))
    return Request(seat="player_0", messages=messages, seed=3, game=game)


WAYS = [("openai", "chat"), ("openai", "completions"), ("anthropic", "chat")]


@pytest.mark.parametrize(("provider", "protocol"), WAYS)
def test_an_agent_speaks_with_the_server(agent: Callable[..., ApiAgent], provider: str, protocol: str) -> None:
    asked = agent(provider, protocol=protocol, system="Play.", input_price=1.0, output_price=3.0, temperature=0.0)
    replies = asked.act([request("Your card: King."), request("Your card: Jack.", "[bet]", "call or fold?")])
    assert all(reply.text for reply in replies)
    assert [reply.finished for reply in replies] == [False, False]
    usage = asked.usage
    assert (usage.requests, usage.retries, usage.output_tokens) == (2, 0, 24)
    assert usage.input_tokens > 20
    assert usage.cost == pytest.approx((usage.input_tokens + 3 * 24) / 1e6)


def test_the_chat_s_greedy_reply_is_the_token_engine_s(
    agent: Callable[..., ApiAgent], start: Start, context: ChatContext
) -> None:
    """The server's chat template and ours make one prompt of one conversation."""
    asked = request("Your card: King. check or bet?")
    (reply,) = agent(temperature=0.0).act([asked])
    (found,) = start().generate([context.opening(asked.messages)], [0], GREEDY)
    assert len(reply.text) > 3
    assert context.decode(found.ids).startswith(reply.text)  # it leaves out the bytes of half a character


class WithTools:
    """All that an agent looks at of a game."""

    def tools(self) -> tuple[dict[str, Any], ...]:
        words = {"type": "object", "properties": {"word": {"enum": ["ada", "ben"]}}, "required": ["word"]}
        words["additionalProperties"] = False
        function = {"name": "look_up", "description": "Find a word.", "strict": True, "parameters": words}
        return ({"type": "function", "function": function},)


FORCED = {"openai": "required", "anthropic": {"type": "any", "disable_parallel_tool_use": True}}


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_tools_are_called_and_their_responses_read(agent: Callable[..., ApiAgent], provider: str) -> None:
    evenly = {"temperature": 2.0, "max_tokens": 400}  # else this model goes on with blanks where JSON allows them
    asked = agent(provider, native_tools=True, extra={"tool_choice": FORCED[provider]}, **evenly)
    calls = [
        f'<tool_call>{{"arguments": {{"word": "{word}"}}, "name": "look_up"}}</tool_call>' for word in ("ada", "ben")
    ]
    (reply,) = asked.act([request("Where is ada?", game=WithTools())])
    assert reply.text in calls
    (again,) = asked.act([request("Where is ada?", reply.text, "In the attic.", game=WithTools())])
    assert again.text in calls
    assert asked.usage.failures == 0


def test_an_agent_judges_a_debate(agent: Callable[..., ApiAgent]) -> None:
    debate = Transcript(
        question="Is it?",
        sides=(("player_0", "yes"), ("player_1", "no")),
        speeches=(spoken("player_0", "It is."), spoken("player_1", "It is not.")),
    )
    judge = agent(extra={"structured_outputs": {"choice": ["[player_0]", "[player_1]"]}})
    scores = ask_judge(judge, debate, 60)
    assert sorted(scores.values()) == [0.0, 1.0]


def test_an_agent_sits_at_a_table(agent: Callable[..., ApiAgent]) -> None:
    opponent = agent(extra={"structured_outputs": {"choice": ["[check]", "[bet]", "[call]", "[fold]"]}})
    seats = {"player_0": "them", "player_1": "them"}
    kwargs = {"prompt": "compact"}
    plans = [Plan(id=f"{n}", env_id="KuhnPoker-LLM", env_kwargs=kwargs, seed=n, seats=seats) for n in range(8)]
    episodes = Rollout({"them": opponent}, invalid="random_legal").collect(plans)
    assert [episode.status for episode in episodes] == ["ok"] * 8
    assert sum(episode.returns["player_0"] + episode.returns["player_1"] for episode in episodes) == 0
    assert opponent.usage.requests == sum(len(episode.turns) for episode in episodes)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_model_that_the_server_does_not_have_is_named(agent: Callable[..., ApiAgent], provider: str) -> None:
    with pytest.raises(AgentFailure, match=r"status 404, The model `other` does not exist.* \(1 try\)"):
        agent(provider, model="other").act([request("?")])
