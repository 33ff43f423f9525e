"""Games of OpenSpiel with hidden information, hidden moves or bargaining, in words: one small file per game."""
