"""Our server, played by OpenEnv's own client."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from openenv.core import GenericEnvClient
from openenv.core.env_server.types import ResetResponse, SchemaResponse, State, StepResponse

from turnwise.envs.gym_view import TextGameEnv
from turnwise.interchange import openenv


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server of Kuhn poker on a free port."""
    served = openenv.app("KuhnPoker-LLM", opponents="optimal", invalid="retry(1)")
    server = uvicorn.Server(uvicorn.Config(served, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def asked(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def by_hand(seed: int) -> list[tuple[str, float | None, bool]]:
    """(observation, reward, done) of always playing the first legal move, without a server."""
    env = TextGameEnv("KuhnPoker-LLM", opponents="optimal", invalid="retry(1)")
    observation, info = env.reset(seed=seed)
    seen: list[tuple[str, float | None, bool]] = [(observation, None, False)]
    while not seen[-1][2]:
        observation, reward, terminated, truncated, info = env.step(f"[{info['legal_actions'][0]}]")
        seen.append((observation, reward, terminated or truncated))
    return seen


def test_their_client_plays_whole_games(url: str) -> None:
    with GenericEnvClient(base_url=url).sync() as client:
        for seed in range(5):
            result = client.reset(seed=seed, episode_id=f"deal {seed}")
            seen = [(result.observation["text"], result.reward, result.done)]
            steps = 0
            while not result.done:
                state = client.state()
                assert (state["episode_id"], state["step_count"]) == (f"deal {seed}", steps)
                result = client.step({"action": result.observation["legal_actions"][0]})
                seen.append((result.observation["text"], result.reward, result.done))
                steps += 1
            assert seen == by_hand(seed)
            state = client.state()
            assert (state["done"], state["return"]) == (True, sum(reward or 0.0 for _, reward, _ in seen))


def test_clients_do_not_share_a_game(url: str) -> None:
    with GenericEnvClient(base_url=url).sync() as one, GenericEnvClient(base_url=url).sync() as other:
        first, second = one.reset(seed=1), other.reset(seed=2)
        one.step({"text": f"Hm. [{first.observation['legal_actions'][0]}]"})
        assert (one.state()["step_count"], other.state()["step_count"]) == (1, 0)
        assert second.observation["text"] == by_hand(2)[0][0]


def test_what_cannot_be_done_is_an_error_and_the_session_goes_on(url: str) -> None:
    with GenericEnvClient(base_url=url).sync() as client:
        with pytest.raises(RuntimeError, match="reset first"):
            client.step({"action": "bet"})
        client.reset(seed=0)
        with pytest.raises(RuntimeError, match="an action is"):
            client.step({"move": "bet"})
        with pytest.raises(RuntimeError, match="seed is an integer"):
            client.reset(seed="x")
        result = client.step({"text": "no move at all"})
        assert result.observation["status"] == "unparsable"
        assert not result.done


def test_plain_http_answers_as_their_types_say(url: str) -> None:
    assert asked(f"{url}/health") == {"status": "healthy"}
    assert asked(f"{url}/metadata")["name"] == "KuhnPoker-LLM"
    SchemaResponse(**asked(f"{url}/schema"))
    reset = ResetResponse(**asked(f"{url}/reset", {"seed": 3}))
    assert reset.observation["text"] == by_hand(3)[0][0]
    step = StepResponse(**asked(f"{url}/step", {"action": {"action": reset.observation["legal_actions"][0]}}))
    assert (step.observation["text"], step.reward, step.done) == by_hand(3)[1]
    assert State(**asked(f"{url}/state")).step_count == 1
    with pytest.raises(urllib.error.HTTPError) as refused:
        asked(f"{url}/step", {"action": 3})
    assert refused.value.code == 422
