"""Games small enough to enumerate, in which it is known which turn mattered: for measuring credit methods."""
