"""MiniGrid and BabyAI in words. Needs `turnwise[minigrid]`; nothing of it is imported before an episode starts."""
