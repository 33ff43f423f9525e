"""Names of playing cards, from low to high."""

RANKS = ("Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Jack", "Queen", "King")


def ranks(count: int) -> tuple[str, ...]:
    """The `count` highest ranks, lowest first: a deck of three is Jack, Queen, King."""
    return RANKS[-count:]


def rank_lead_ins(count: int) -> tuple[str, ...]:
    """What a reply that names its card by rank can open with, for a deck of so many ranks."""
    return tuple(f"{rank} " for rank in ranks(count))
