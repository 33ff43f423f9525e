"""What an agent behind an API asks its server, in each protocol, and what it makes of the reply."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from loopback_server import Answer, Seen, Server, anthropic, chat, request

from turnwise.agents.api.agent import ApiAgent
from turnwise.agents.api.settings import ApiSettings
from turnwise.agents.engine import AgentFailure
from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Rollout
from turnwise.envs.core import EnvFailure
from turnwise.envs.referee import Referee
from turnwise.envs.talk.form_judge import Transcript
from turnwise.envs.talk.judging import ask_judge, require_judge
from turnwise.envs.talk.speech import spoken
from turnwise.records import Reply

Build = Callable[..., ApiAgent]


# --- the protocols ---------------------------------------------------------------------------------------------------


def test_a_chat_request_of_openai(server: Server, agent: Build) -> None:
    asked = agent(system="Play well.", max_tokens=50, temperature=0.5)
    (reply,) = asked.act([request("Your card: King.", "[bet]", "They call.", seed=5)])
    (seen,) = server.seen
    assert (reply.text, reply.finished, reply.completion_ids, reply.weight_version) == ("fine", True, (), None)
    assert seen.path == "/v1/chat/completions"
    assert seen.body == {
        "model": "small",
        "messages": [
            {"role": "system", "content": "Play well."},
            {"role": "user", "content": "Your card: King."},
            {"role": "assistant", "content": "[bet]"},
            {"role": "user", "content": "They call."},
        ],
        "max_completion_tokens": 50,
        "temperature": 0.5,
        "seed": 5,
    }


def test_a_request_of_anthropic(server: Server, agent: Build) -> None:
    server.answer = lambda seen: anthropic(
        {"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "[ch"}, stop="max_tokens"
    )
    asked = agent("anthropic", system="Play well.", max_tokens=50)
    (reply,) = asked.act([request("Your card: King.", "", "They bet.")])
    (seen,) = server.seen
    assert (reply.text, reply.finished) == ("[ch", False)
    assert seen.path == "/v1/messages"
    assert seen.headers["anthropic-version"]
    assert seen.body == {
        "model": "small",
        "system": "Play well.",
        "messages": [
            {"role": "user", "content": "Your card: King."},
            {"role": "assistant", "content": "(empty)"},
            {"role": "user", "content": "They bet."},
        ],
        "max_tokens": 50,
        "temperature": 1.0,
    }
    assert (asked.usage.input_tokens, asked.usage.output_tokens) == (12, 3)


def test_a_request_of_plain_completions(server: Server, agent: Build) -> None:
    server.answer = lambda seen: Answer({"choices": [{"text": " [bet]\n", "finish_reason": "length"}]})
    asked = agent(protocol="completions", system="A game.")
    (reply,) = asked.act([request("Check or bet?", "[check]", "Again?", seed=3)])
    (seen,) = server.seen
    assert (reply.text, reply.finished) == ("[bet]", False)
    assert seen.path == "/v1/completions"
    assert seen.body == {
        "model": "small",
        "prompt": "A game.\n\nUser: Check or bet?\n\nAssistant: [check]\n\nUser: Again?\n\nAssistant:",
        "stop": ["\nUser:"],
        "max_tokens": 1024,
        "temperature": 1.0,
        "seed": 3,
    }


def test_extra_goes_into_the_body_and_null_takes_out_of_it(server: Server, agent: Build) -> None:
    agent(extra={"max_completion_tokens": None, "max_tokens": 9, "top_k": 3}).act([request("?")])
    body = server.seen[0].body
    assert "max_completion_tokens" not in body
    assert (body["max_tokens"], body["top_k"]) == (9, 3)


# --- tools -----------------------------------------------------------------------------------------------------------

SCHEMA = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Find a word.",
        "parameters": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
    },
}


class WithTools:
    """All that an agent looks at of a game."""

    def tools(self) -> tuple[dict[str, Any], ...]:
        return (SCHEMA,)


CALL = '<tool_call>{"arguments": {"word": "a<\\/b"}, "name": "look_up"}</tool_call>'


def test_tools_are_left_alone_unless_asked_for(server: Server, agent: Build) -> None:
    agent().act([request("?", game=WithTools())])
    assert "tools" not in server.seen[0].body


def test_a_tool_call_of_openai_becomes_text_and_goes_back_as_a_call(server: Server, agent: Build) -> None:
    function = {"name": "look_up", "arguments": '{"word": "a</b"}'}
    server.answer = lambda seen: chat("Let me see.", calls=[{"id": "x", "type": "function", "function": function}])
    asked = agent(native_tools=True)
    (reply,) = asked.act([request("Find it.", game=WithTools())])
    assert reply.text == f"Let me see.\n{CALL}"
    assert server.seen[0].body["tools"] == [SCHEMA]
    assert server.seen[0].body["parallel_tool_calls"] is False
    asked.act([request("Find it.", reply.text, "It is here.", game=WithTools())])
    assert server.seen[1].body["messages"] == [
        {"role": "user", "content": "Find it."},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "It is here."},
    ]


def test_a_tool_call_of_anthropic_becomes_text_and_goes_back_as_a_call(server: Server, agent: Build) -> None:
    server.answer = lambda seen: anthropic(
        {"type": "tool_use", "id": "x", "name": "look_up", "input": {"word": "a</b"}}, stop="tool_use"
    )
    asked = agent("anthropic", native_tools=True)
    (reply,) = asked.act([request("Find it.", game=WithTools())])
    assert (reply.text, reply.finished) == (CALL, True)
    body = server.seen[0].body
    assert body["tools"] == [
        {
            "name": "look_up",
            "description": "Find a word.",
            "input_schema": SCHEMA["function"]["parameters"],  # type: ignore[index]
        }
    ]
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    asked.act([request("Find it.", reply.text, "It is here.", game=WithTools())])
    assert server.seen[1].body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "call_1", "name": "look_up", "input": {"word": "a</b"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "It is here."}]},
    ]


@pytest.mark.parametrize(
    "said",
    [
        "<tool_call>{broken</tool_call>",
        '<tool_call>{"name": "unknown", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "look_up", "arguments": {}}</tool_call> and more',
        2 * '<tool_call>{"name": "look_up", "arguments": {}}</tool_call>',
        "<answer>42</answer>",
    ],
)
def test_what_is_not_one_call_of_a_known_tool_goes_back_as_text(server: Server, agent: Build, said: str) -> None:
    agent(native_tools=True).act([request("Find it.", said, "No.", game=WithTools())])
    assert server.seen[0].body["messages"][1:] == [
        {"role": "assistant", "content": said},
        {"role": "user", "content": "No."},
    ]


def test_arguments_that_are_no_json_are_left_for_the_environment_to_refuse(server: Server, agent: Build) -> None:
    function = {"name": "look_up", "arguments": "{word:"}
    server.answer = lambda seen: chat(None, calls=[{"id": "x", "type": "function", "function": function}])
    (reply,) = agent(native_tools=True).act([request("?", game=WithTools())])
    assert reply.text == '<tool_call>{"arguments": "{word:", "name": "look_up"}</tool_call>'


def test_a_game_of_tools_is_played_through_native_calls(server: Server, agent: Build, toy_tools: str) -> None:
    def answer(seen: Seen) -> Answer:
        if len(seen.body["messages"]) == 1:
            (tool,) = seen.body["tools"]
            function = {"name": tool["function"]["name"], "arguments": '{"name": "ada"}'}
            return chat(None, calls=[{"id": "x", "type": "function", "function": function}])
        return chat("<answer>42</answer>")

    server.answer = answer
    rollout = Rollout({"them": agent(native_tools=True)}, invalid="noop")
    (episode,) = rollout.collect([Plan(id="e", env_id=toy_tools, seed=0, seats={"player_0": "them"})])
    assert [turn.text[:11] for turn in episode.turns] == ["<tool_call>", "<answer>42<"]
    assert [message["role"] for message in server.seen[1].body["messages"]] == ["user", "assistant", "tool"]
    assert (episode.status, [turn.status for turn in episode.turns]) == ("ok", ["ok", "ok"])


class Broken:
    def tools(self) -> tuple[dict[str, Any], ...]:
        raise EnvFailure("the worker of the game is gone")


def test_a_game_that_fails_as_it_is_looked_at_fails_alone(server: Server, agent: Build) -> None:
    asked = agent(native_tools=True)
    with pytest.raises(EnvFailure, match="is gone"):
        asked.act([request("?", game=Broken())])
    good, bad = asked.stream.submit([request("?", game=WithTools()), request("?", game=Broken())])
    found: dict[int, Any] = {}
    while len(found) < 2:
        found |= dict(asked.stream.receive(30))
    assert found[good].text == "fine"
    assert str(found[bad]) == "the worker of the game is gone"


# --- many at once ----------------------------------------------------------------------------------------------------


def test_replies_come_in_the_order_of_the_requests_whoever_is_first(server: Server, agent: Build) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.text == "0":
            server.released.wait(10)  # until all others are here
        elif len(server.seen) == 8:
            server.released.set()
        return chat(f"to {seen.text}")

    server.answer = answer
    replies = agent().act([request(str(number)) for number in range(8)])
    assert [reply.text for reply in replies] == [f"to {number}" for number in range(8)]


def test_no_more_requests_than_allowed_are_under_way(server: Server, agent: Build) -> None:
    def answer(seen: Seen) -> Answer:
        server.released.wait(0.01)
        return chat("fine")

    server.answer = answer
    asked = agent(concurrency=3)
    asked.act([request(str(number)) for number in range(20)])
    assert server.most <= 3
    assert asked.usage.requests == 20


def test_a_reply_is_given_while_another_is_waited_for_and_the_other_can_be_withdrawn(
    server: Server, agent: Build
) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.text == "slow":
            server.released.wait(20)
        return chat(seen.text)

    server.answer = answer
    stream = agent().stream
    slow, quick = stream.submit([request("slow"), request("quick")])
    assert slow != quick
    ((number, reply),) = stream.receive(30)
    assert isinstance(reply, Reply)
    assert (number, reply.text) == (quick, "quick")
    assert stream.receive(0.01) == []
    stream.withdraw([slow, 99])
    server.released.set()
    assert stream.receive(0.01) == []
    (third,) = stream.submit([request("third")])
    assert [number for number, _ in stream.receive(30)] == [third]


def test_an_episode_ends_alone_where_its_opponent_cannot_reply(server: Server, agent: Build) -> None:
    def answer(seen: Seen) -> Answer:
        first = str(seen.body["messages"][0]["content"])
        return Answer({"error": {"message": "no"}}, status=400) if "is the Jack" in first else chat("[bet]")

    server.answer = answer
    rollout = Rollout({"them": agent(retries=0)}, invalid="random_legal")
    seats = {"player_0": "them", "player_1": "them"}
    found = rollout.collect([Plan(id=f"e{n}", env_id="KuhnPoker-LLM", seed=n, seats=seats) for n in range(12)])
    statuses = {episode.status for episode in found}
    assert statuses == {"ok", "agent_error"}
    for episode in found:
        if episode.status == "agent_error":
            assert "did not reply: status 400, no (1 try)" in episode.metadata["failure"]


# --- judges and copies -----------------------------------------------------------------------------------------------

DEBATE = Transcript(
    question="Is it?",
    sides=(("player_0", "yes"), ("player_1", "no")),
    speeches=(spoken("player_0", "It is."), spoken("player_1", "It is not.")),
)


def test_an_agent_judges_a_debate(server: Server, agent: Build) -> None:
    server.answer = lambda seen: chat("I think [player_1] did.")
    judge = agent()
    require_judge(judge)
    assert ask_judge(judge, DEBATE, 60) == {"player_0": 0.0, "player_1": 1.0}
    assert "It is not." in server.seen[0].text


def test_a_judge_that_cannot_reply_fails_the_environment(server: Server, agent: Build) -> None:
    server.answer = lambda seen: Answer({"error": "overloaded"}, status=503)
    with pytest.raises(EnvFailure, match=r"the judge failed: AgentFailure: .* status 503, overloaded \(2 tries\)"):
        ask_judge(agent(retries=1), DEBATE, 60)


def test_a_debate_is_judged_by_an_agent_in_games_that_are_copied(server: Server, agent: Build) -> None:
    from turnwise.envs.registry import make_game

    server.answer = lambda seen: chat("[player_0]")
    game = make_game("Debate-LLM", judge=agent(), rounds=1)
    referee = Referee(game)
    referee.start(0)
    while referee.seat is not None:
        referee.observe()
        referee.submit("I am right.")
    assert referee.returns["player_0"] > referee.returns["player_1"]


def test_a_copy_has_connections_and_counters_of_its_own(server: Server, agent: Build) -> None:
    first = agent()
    first.act([request("?")])
    for twin in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        assert (twin.name, twin.settings) == ("openai:small", first.settings)
        assert twin.usage.requests == 0
        assert twin.act([request("?")])[0].text == "fine"
        twin.close()
    assert first.usage.requests == 1


def test_a_closed_agent_can_be_asked_again(server: Server, agent: Build) -> None:
    asked = agent()
    asked.act([request("?")])
    asked.close()
    asked.close()
    assert asked.act([request("?")])[0].text == "fine"
    assert asked.usage.requests == 2


def test_the_first_failure_of_a_batch_is_raised(server: Server, agent: Build) -> None:
    server.answer = lambda seen: chat("fine") if seen.text == "good" else Answer({"no": seen.text}, status=404)
    with pytest.raises(AgentFailure, match=r"status 404, \{'no': 'bad'\}"):
        agent().act([request("good"), request("bad"), request("good")])


def test_an_agent_needs_a_model() -> None:
    with pytest.raises(ValueError, match="what the server calls its model: got none"):
        ApiAgent(ApiSettings(base_url="http://127.0.0.1:1"))
