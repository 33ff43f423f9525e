"""Names of playing cards, from low to high."""

RANKS = ("Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Jack", "Queen", "King")


def ranks(count: int) -> tuple[str, ...]:
    """The `count` highest ranks, lowest first: a deck of three is Jack, Queen, King."""
    return RANKS[-count:]
