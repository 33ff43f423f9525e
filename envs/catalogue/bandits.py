"""Bandits."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

SPECS = (
    GameSpec(
        id="Bandit-LLM",
        entry_point="turnwise.envs.bandits.bandit:Bandit",
        summary="a bandit with Bernoulli or Gaussian arms; info tells the regret",
        family="bandits",
    ),
    GameSpec(
        id="ContextualBandit-LLM",
        entry_point="turnwise.envs.bandits.contextual:ContextualBandit",
        summary="a bandit whose rewards are linear in what is known of a visitor",
        family="bandits",
    ),
)
