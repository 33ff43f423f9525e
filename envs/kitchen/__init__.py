"""A kitchen for two to four cooks. The game is in `game`."""
