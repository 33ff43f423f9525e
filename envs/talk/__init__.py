"""Games of talk: telling lies apart from truths, and debates with a judge."""
