"""ALFWorld: household chores in text, played by an engine of our own."""

from turnwise.envs.alfworld.game import ALFWorld

__all__ = ["ALFWorld"]
