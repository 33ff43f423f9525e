"""Games of talk: negotiation, deception, debate, questions."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

SPECS = (
    GameSpec(
        id="SimpleNegotiation-LLM",
        entry_point="turnwise.envs.negotiation:SimpleNegotiation",
        family="talk",
        summary="Two seats trade wood and gold in free text, each with prices of its own.",
    ),
)
