"""Bridges to other collections, and tools of other programs."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

_BRIDGES = (("reasoning_gym", "turnwise[bridges]"), ("textarena", "turnwise[bridges]"))

SPECS: tuple[GameSpec, ...] = (
    GameSpec(
        id="McpTools-LLM",
        entry_point="turnwise.envs.tools.mcp_game:mcp_game",
        requires=(("mcp", "turnwise[mcp]"),),
        family="tools",
        summary="Questions that are answered with the tools of any MCP server; a small shop is shipped as an example.",
    ),
    GameSpec(
        id="Gymnasium/FrozenLake-LLM",
        entry_point="turnwise.envs.bridges.toy_text:frozen_lake",
        family="bridges",
        summary="Walk over a frozen lake, around its holes.",
    ),
    GameSpec(
        id="Gymnasium/CliffWalking-LLM",
        entry_point="turnwise.envs.bridges.toy_text:cliff_walking",
        family="bridges",
        summary="Walk along a cliff.",
    ),
    GameSpec(
        id="Gymnasium/Taxi-LLM",
        entry_point="turnwise.envs.bridges.toy_text:taxi",
        family="bridges",
        summary="Fetch a passenger and bring it to its destination.",
    ),
    GameSpec(
        id="Gymnasium/Blackjack-LLM",
        entry_point="turnwise.envs.bridges.toy_text:blackjack",
        family="bridges",
        summary="Blackjack against a dealer with an endless deck.",
    ),
    GameSpec(
        id="Gymnasium-LLM",
        entry_point="turnwise.envs.bridges.gymnasium_game:GymnasiumGame",
        kwargs={"env_id": "FrozenLake-v1"},
        family="bridges",
        summary="Any Gymnasium environment with few actions or with texts, through a function that describes it.",
    ),
    GameSpec(
        id="ReasoningGym-LLM",
        entry_point="turnwise.envs.bridges.reasoning:reasoning_gym_game",
        requires=_BRIDGES[:1],
        family="bridges",
        summary="A question of any of the 105 usable datasets of reasoning-gym, scored by the dataset.",
    ),
    GameSpec(
        id="TextArena-LLM",
        entry_point="turnwise.envs.bridges.textarena:TextArenaGame",
        requires=_BRIDGES[1:],
        family="bridges",
        summary="Any game of TextArena that starts offline, by its own rules.",
    ),
)
