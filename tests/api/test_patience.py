"""A server that is busy, broken, slow or hostile: what is tried again, what is told, what it costs."""

from __future__ import annotations

import dataclasses
import email.utils
import logging
import pickle
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from loopback_server import Answer, Seen, Server, chat, request

from turnwise.agents.api.agent import ApiAgent
from turnwise.agents.api.settings import ApiSettings
from turnwise.agents.engine import AgentFailure

Build = Callable[..., ApiAgent]
KEY = "sk-very-secret-0123456789"


def first_then(*answers: Answer | None) -> Callable[[Seen], Answer | None]:
    """These answers, one after the other, and a good one ever after."""
    left = list(answers)
    return lambda seen: left.pop(0) if left else chat("fine")


def failure(agent: ApiAgent) -> AgentFailure:
    with pytest.raises(AgentFailure) as caught:
        agent.act([request("?")])
    return caught.value


def busy(**headers: str) -> Answer:
    return Answer(
        {"error": {"message": "slow down"}}, status=429, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


BROKEN = Answer({"error": {"message": "out of memory"}}, status=500)


# --- tried again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize(
    "trouble",
    [
        BROKEN,
        busy(),
        Answer({"error": "starting"}, status=503),
        Answer(b"<html>a proxy's page</html>", kind="text/html"),
        Answer(b'{"choices": [{"message"', kind="application/json"),
        Answer(b"[1, 2]"),
        Answer({"choices": []}),
        Answer({"choices": [{"message": {"content": 3}}]}),
        Answer({"content": "a text, not a list of blocks"}),
        None,
    ],
    ids=["500", "429", "503", "html", "no json", "list", "empty", "number", "text", "dropped"],
)
def test_passing_trouble_is_tried_again(
    server: Server, agent: Build, trouble: Answer | None, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = chat("fine").body | {"content": [{"type": "text", "text": "fine"}]}
    left = [trouble, trouble]
    server.answer = lambda seen: left.pop(0) if left else Answer(good)
    asked = agent(provider)
    (reply,) = asked.act([request("?")])
    assert reply.text == "fine"
    assert len(server.seen) == 3
    assert (asked.usage.requests, asked.usage.retries, asked.usage.failures) == (3, 2, 0)


def test_trouble_that_stays_is_told(server: Server, agent: Build) -> None:
    server.answer = lambda seen: BROKEN
    asked = agent(retries=2)
    found = failure(asked)
    assert (str(found), found.kind) == (
        f"{server.root}/v1 did not reply: status 500, out of memory (3 tries)",
        "agent_error",
    )
    assert (asked.usage.requests, asked.usage.retries, asked.usage.failures) == (3, 2, 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_not_tried_again(server: Server, agent: Build, status: int) -> None:
    server.answer = lambda seen: Answer({"error": {"message": "no such model"}}, status=status)
    found = failure(agent())
    assert str(found) == f"{server.root}/v1 did not reply: status {status}, no such model (1 try)"
    assert (len(server.seen), found.kind) == (1, "agent_error")


def test_a_server_out_of_reach(agent: Build) -> None:
    with socket.socket() as held:  # bound, and never listening
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        found = failure(agent(base_url=url, retries=1))
    assert str(found).startswith(f"{url} did not reply: Connection error.")
    assert str(found).endswith("(2 tries)")


# --- waiting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["seconds", "milliseconds", "date"])
def test_it_waits_for_as_long_as_the_server_asks(server: Server, agent: Build, way: str) -> None:
    def answer(seen: Seen) -> Answer:
        if len(server.seen) > 1:
            return chat("fine")
        if way == "milliseconds":
            return busy(retry_after_ms="1000")
        return busy(retry_after="1" if way == "seconds" else email.utils.formatdate(time.time() + 2))

    server.answer = answer
    assert agent().act([request("?")])[0].text == "fine"
    assert server.seen[1].at - server.seen[0].at >= 1.0  # a date has whole seconds: it is 1 to 2 s away


def test_everybody_waits_where_one_is_told_to(server: Server, agent: Build) -> None:
    server.answer = first_then(busy(retry_after="0.5"))
    asked = agent(concurrency=1)
    asked.act([request("a"), request("b"), request("c")])
    first, *others = [seen.at for seen in server.seen]
    assert len(others) == 3
    assert min(others) - first >= 0.5


def test_a_wait_past_the_deadline_is_not_begun(server: Server, agent: Build) -> None:
    server.answer = lambda seen: busy(retry_after="3600")
    started = time.monotonic()
    found = failure(agent(deadline_s=30.0))
    assert time.monotonic() - started < 30
    assert found.kind == "timeout"
    assert str(found) == (
        f"{server.root}/v1 did not reply: status 429, slow down (1 try); there is no time for another within "
        "api.deadline_s=30 s"
    )


def test_a_slow_server_is_waited_for_until_the_deadline(server: Server, agent: Build) -> None:
    def answer(seen: Seen) -> Answer:
        if len(server.seen) == 1:
            return BROKEN
        server.released.wait(20)
        return chat("too late")

    server.answer = answer
    found = failure(agent(deadline_s=2.0))
    assert found.kind == "timeout"
    assert str(found) == (
        f"{server.root}/v1 did not reply within api.deadline_s=2 s (2 tries; before, status 500, out of memory)"
    )


def test_tries_begin_no_faster_than_allowed(server: Server, agent: Build) -> None:
    server.answer = first_then(BROKEN)
    asked = agent(requests_per_minute=600)
    asked.act([request(str(number)) for number in range(4)])
    begun = sorted(seen.at for seen in server.seen)
    assert len(begun) == 5
    assert begun[-1] - begun[0] >= 0.3  # five tries, a tenth of a second apart; their way to the server varies


def test_waiting_for_a_turn_does_not_count_against_the_deadline(server: Server, agent: Build) -> None:
    asked = agent(requests_per_minute=100, deadline_s=2.0)
    replies = asked.act([request(str(number)) for number in range(5)])  # the last one begins after 2.4 s
    assert len(replies) == 5
    assert asked.usage.failures == 0


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_tokens_are_counted_and_priced(server: Server, agent: Build, caplog: pytest.LogCaptureFixture) -> None:
    server.answer = first_then(BROKEN)
    asked = agent(input_price=2.0, output_price=10.0)
    with caplog.at_level(logging.INFO, "turnwise.api"):
        asked.act([request("a"), request("b"), request("c")])
        asked.close()
    assert asked.usage.to_dict() == {
        "requests": 4,
        "retries": 1,
        "failures": 0,
        "input_tokens": 30,
        "output_tokens": 12,
        "cost": pytest.approx((30 * 2 + 12 * 10) / 1e6),
    }
    assert "openai:small: 4 requests (1 retries, 0 failures), 30 tokens read, 12 written, cost 0.00018" in caplog.text


def test_a_server_that_counts_nothing_costs_nothing(server: Server, agent: Build) -> None:
    body = {name: value for name, value in chat("fine").body.items() if name != "usage"}
    server.answer = lambda seen: Answer(body | {"usage": None})
    asked = agent(input_price=2.0)
    asked.act([request("?")])
    assert (asked.usage.input_tokens, asked.usage.cost) == (0, 0.0)


# --- the key ---------------------------------------------------------------------------------------------------------


def sent_key(seen: Seen) -> str:
    """Anthropic's SDK has sent it in the one header and in the other."""
    return seen.headers.get("x-api-key") or seen.headers["authorization"]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    server: Server,
    agent: Build,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    provider: str,
) -> None:
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    server.answer = lambda seen: Answer({"error": {"message": f"wrong key {sent_key(seen)}\x1b[2J\n!"}}, status=401)
    asked = agent(provider, key_variable="MY_KEY")
    with caplog.at_level(logging.DEBUG):
        found = failure(asked)
    assert sent_key(server.seen[0]).removeprefix("Bearer ") == KEY
    assert "status 401, wrong key" in str(found)
    assert "*** [2J !" in str(found)
    for shown in (str(found), repr(found.__cause__), repr(asked.settings), str(pickle.dumps(asked)), caplog.text):
        assert KEY not in shown


def test_a_provider_s_own_key_is_for_its_own_server(
    server: Server, agent: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = lambda seen: Answer(chat("fine").body | {"content": []})
    names = ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
    for name in names:
        monkeypatch.setenv(name, KEY)
    agent().act([request("?")])
    agent("anthropic").act([request("?")])
    assert len(server.seen) == 2
    assert all(KEY not in str(seen.headers) for seen in server.seen)
    assert ApiSettings(model="m").key() == KEY
    assert ApiSettings(model="m").url == "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("settings", "variable"),
    [({}, "OPENAI_API_KEY"), ({"provider": "anthropic"}, "ANTHROPIC_API_KEY"), ({"key_variable": "MY_KEY"}, "MY_KEY")],
)
def test_a_key_that_is_not_there_is_missed_at_once(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], variable: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ValueError, match=f"in the environment variable {variable}: it is not set"):
        ApiAgent(ApiSettings(model="m", **settings))


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_redirect_is_not_followed(
    server: Server, agent: Build, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    elsewhere = Server()
    try:
        server.answer = lambda seen: Answer({}, status=307, headers={"location": f"{elsewhere.root}/v1/{seen.path}"})
        found = failure(agent(provider, key_variable="MY_KEY"))
        assert "status 307" in str(found)
        assert elsewhere.seen == []
    finally:
        elsewhere.close()


def test_a_server_of_this_machine_is_asked_without_a_proxy(
    server: Server, agent: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody is there
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert agent(retries=0).act([request("?")])[0].text == "fine"


# --- settings --------------------------------------------------------------------------------------------------------

IMPOSSIBLE = [
    ({"provider": "openia"}, "api.provider is one of openai, anthropic: got 'openia'"),
    ({"protocol": "talk"}, "api.protocol is one of chat, completions: got 'talk'"),
    ({"provider": "anthropic", "protocol": "completions"}, "api.provider=anthropic speaks chat alone"),
    ({"base_url": "127.0.0.1:8000"}, "api.base_url is http://HOST or https://HOST"),
    ({"base_url": "ftp://host/v1"}, "api.base_url is http://HOST or https://HOST"),
    ({"base_url": f"https://me:{KEY}@host/v1"}, "api.base_url holds no name, password or query"),
    ({"base_url": f"https://host/v1?key={KEY}"}, "api.base_url holds no name, password or query"),
    ({"max_tokens": 0}, "api.max_tokens is at least 1: got 0"),
    ({"retries": -1}, "api.retries is at least 0: got -1"),
    ({"concurrency": 0}, "api.concurrency is at least 1: got 0"),
    ({"deadline_s": 0}, "api.deadline_s is finite and above 0: got 0"),
    ({"deadline_s": float("inf")}, "api.deadline_s is finite and above 0: got inf"),
    ({"requests_per_minute": 0}, "api.requests_per_minute is finite and above 0: got 0"),
    ({"temperature": -1}, "api.temperature is finite and at least 0: got -1"),
    ({"input_price": float("nan")}, "api.input_price is finite and at least 0: got nan"),
]


@pytest.mark.parametrize(("settings", "message"), IMPOSSIBLE)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        ApiSettings(model="m", **settings)
    assert message in str(caught.value)
    assert KEY not in str(caught.value)


def test_settings_hold_no_key() -> None:
    assert [field.name for field in dataclasses.fields(ApiSettings) if "key" in field.name] == ["key_variable"]
