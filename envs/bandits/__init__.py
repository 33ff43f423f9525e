"""Bandits with regret. The games are in `bandit` and `contextual`."""
