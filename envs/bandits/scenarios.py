"""What the arms of a bandit are called and what the story around them is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scenario:
    """The words of one story."""

    intro: str
    """Where the seat is and what an action does."""
    arms: tuple[str, ...]
    """Names of arms; an episode draws its own from them."""
    features: tuple[str, ...] = ()
    """Names of what a context consists of; none where the story has no contexts."""


_COLOURS = (
    "red blue green yellow orange purple pink brown black white grey cyan magenta lime teal navy maroon olive gold "
    "silver beige violet indigo turquoise coral salmon khaki plum ivory amber"
)
_CLOTHES = (
    "jeans shirt jacket sweater coat scarf hat gloves boots sandals socks skirt dress blouse vest hoodie shorts belt "
    "tie cap raincoat cardigan leggings pyjamas apron kimono poncho slippers sneakers blazer"
)
_ADS = (
    "coffee bicycle piano novel tent camera guitar lamp sofa watch kayak teapot puzzle drone blender telescope "
    "backpack chessboard candle printer mattress headphones umbrella skateboard toaster violin hammock globe easel kite"
)
_TASTES = ("sports", "music", "travel", "cooking", "gardening", "reading", "gaming", "art", "science", "fashion")

SCENARIOS = {
    "buttons": Scenario(
        "You stand before a machine with buttons of different colours. Each press of a button pays something; how much "
        "is random, and some buttons pay more on average than others.",
        tuple(_COLOURS.split()),
    ),
    "clothes": Scenario(
        "You run an online shop. You show one article to each visitor in turn, and learn what it earned you; how much "
        "is random, and some articles earn more on average than others.",
        tuple(_CLOTHES.split()),
    ),
    "ads": Scenario(
        "You choose advertisements for a website. To each visitor in turn you show one, named after what it is for, "
        "and learn what it earned you; how much is random, and some earn more on average than others.",
        tuple(_ADS.split()),
    ),
}
"""Stories without contexts."""

CONTEXTUAL = {
    "clothes": Scenario(
        "You run an online shop. Of every visitor you know how their interests are shared out. You show one article "
        "and learn what it earned you: a sum over the interests, each counted as the article appeals to it, and some "
        "chance. It may be a loss.",
        tuple(_CLOTHES.split()),
        _TASTES,
    ),
    "ads": Scenario(
        "You choose advertisements for a website. Of every visitor you know how their interests are shared out. You "
        "show one advertisement and learn what it earned you: a sum over the interests, each counted as the "
        "advertisement appeals to it, and some chance. It may be a loss.",
        tuple(_ADS.split()),
        _TASTES,
    ),
}
"""Stories with contexts."""
MOST_ARMS = 30
MOST_FEATURES = len(_TASTES)
