"""turnwise: a gym and a trainer for language-model agents that act over many turns."""
