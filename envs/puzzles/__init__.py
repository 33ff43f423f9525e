"""Puzzles for one seat: every game in a file of its own, the pure rules beside it."""
