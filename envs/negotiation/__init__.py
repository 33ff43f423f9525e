"""Simple Negotiation: two seats, private prices, offers and free talk."""

from turnwise.envs.negotiation.game import SimpleNegotiation

__all__ = ["SimpleNegotiation"]
