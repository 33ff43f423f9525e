"""Tournaments: who plays whom, and what the games say about everybody's strength."""
