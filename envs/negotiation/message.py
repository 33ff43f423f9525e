"""What a message says: talk, and at most one of `[Offer: 3 Wood -> 2 Gold]`, `[Accept]`, `[Deny]`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from turnwise.envs.core import IllegalAction

TOKEN = re.compile(r"\[\s*(offer|accept|deny)\b([^\[\]]*)\]", re.IGNORECASE)
ITEM = re.compile(r"([0-9]{1,6})\s+([A-Za-z]+)")
EXAMPLE = "[Offer: 3 {0} -> 2 {1}]"


@dataclass(frozen=True, slots=True)
class Offer:
    """A trade as its proposer words it. Resource -> units, at least 1 each."""

    give: Mapping[str, int]
    want: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Message:
    """One message, read."""

    text: str
    """In one line: nobody can fake a line of the game."""
    act: str
    """"offer", "accept", "deny" or "talk"."""
    offer: Offer | None = None


def goods_text(goods: Mapping[str, int]) -> str:
    """`3 Wood, 2 Gold`."""
    return ", ".join(f"{count} {resource}" for resource, count in goods.items())


def read_message(text: str, resources: Sequence[str]) -> Message:
    """The message in `text`. Raises IllegalAction if it is empty, has two action tokens or one that cannot be read."""
    line = " ".join(text.split())
    if not line:
        raise IllegalAction("a message needs some text, or an action such as [Accept]")
    tokens = TOKEN.findall(line)
    if len(tokens) > 1:
        raise IllegalAction(f"a message may hold one of [Offer: ...], [Accept], [Deny]: this one holds {len(tokens)}")
    if not tokens:
        return Message(line, "talk")
    act, rest = tokens[0][0].lower(), tokens[0][1].strip()
    if act == "offer":
        return Message(line, act, _read_offer(rest, resources))
    if rest:
        raise IllegalAction(f"write [{act.capitalize()}] with nothing else in the brackets: got {rest!r}")
    return Message(line, act)


def _read_offer(rest: str, resources: Sequence[str]) -> Offer:
    sides = rest.removeprefix(":").split("->")
    if len(sides) != 2:
        raise IllegalAction(f"an offer reads like {EXAMPLE.format(*resources)}, what you give first: got {rest!r}")
    return Offer(_read_goods(sides[0], resources), _read_goods(sides[1], resources))


def _read_goods(side: str, resources: Sequence[str]) -> dict[str, int]:
    """Resource -> units of one side of an offer."""
    names = {resource.lower(): resource for resource in resources}
    goods: dict[str, int] = {}
    for part in re.split(r",|\band\b", side):
        found = ITEM.fullmatch(part.strip())
        if found is None or int(found[1]) < 1 or found[2].lower() not in names:
            raise IllegalAction(
                f"each side of an offer names whole numbers of {', '.join(resources)}, at least 1: got {side.strip()!r}"
            )
        resource = names[found[2].lower()]
        goods[resource] = goods.get(resource, 0) + int(found[1])
    return goods
