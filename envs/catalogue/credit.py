"""Games whose turns have known worth."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

SPECS = (
    GameSpec(
        id="Bifurcation-LLM",
        entry_point="turnwise.envs.credit.bifurcation:Bifurcation",
        summary="many forks, of which one decides",
        family="credit",
    ),
    GameSpec(
        id="ToolChain-LLM",
        entry_point="turnwise.envs.credit.tool_chain:ToolChain",
        summary="look up, look up what it led to, answer",
        family="credit",
    ),
    GameSpec(
        id="KeyDoor-LLM",
        entry_point="turnwise.envs.credit.key_door:KeyDoor",
        summary="a maze of few rooms with a key and a door",
        family="credit",
    ),
)
