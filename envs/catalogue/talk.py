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
    GameSpec(
        id="TruthAndDeception-LLM",
        entry_point="turnwise.envs.talk.truth_and_deception:TruthAndDeception",
        family="talk",
        summary="One seat knows which statement is true and misleads; the other one has to find out.",
    ),
    GameSpec(
        id="Debate-LLM",
        entry_point="turnwise.envs.talk.debate:Debate",
        family="talk",
        summary="Two to four seats argue for different sides of a topic before a judge.",
    ),
)
