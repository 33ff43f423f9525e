"""What stands and lies in a house: rooms, furniture, things, and what goes where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ROOMS = ("Kitchen", "LivingRoom", "Bedroom", "Bathroom")

FURNITURE: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "Kitchen": {
        "Cabinet": (4, 10),
        "CoffeeMachine": (1, 1),
        "CounterTop": (1, 3),
        "DiningTable": (0, 1),
        "Drawer": (2, 6),
        "Fridge": (1, 1),
        "GarbageCan": (1, 1),
        "Microwave": (1, 1),
        "Shelf": (0, 3),
        "SinkBasin": (1, 1),
        "StoveBurner": (2, 4),
        "Toaster": (1, 1),
    },
    "LivingRoom": {
        "ArmChair": (1, 2),
        "CoffeeTable": (1, 2),
        "DiningTable": (0, 1),
        "Drawer": (0, 5),
        "Dresser": (0, 1),
        "GarbageCan": (1, 1),
        "Safe": (0, 1),
        "Shelf": (0, 4),
        "SideTable": (1, 2),
        "Sofa": (1, 1),
        "TVStand": (0, 1),
    },
    "Bedroom": {
        "ArmChair": (0, 1),
        "Bed": (1, 1),
        "Desk": (1, 2),
        "Drawer": (2, 6),
        "Dresser": (0, 1),
        "GarbageCan": (1, 1),
        "LaundryHamper": (0, 1),
        "Safe": (0, 1),
        "Shelf": (0, 5),
        "SideTable": (1, 2),
    },
    "Bathroom": {
        "BathtubBasin": (0, 1),
        "Cabinet": (2, 4),
        "CounterTop": (1, 2),
        "Drawer": (0, 3),
        "GarbageCan": (1, 1),
        "HandTowelHolder": (1, 2),
        "Shelf": (0, 2),
        "SinkBasin": (1, 2),
        "Toilet": (1, 1),
        "ToiletPaperHanger": (1, 1),
        "TowelHolder": (1, 1),
    },
}
"""Room -> kind of receptacle -> (fewest, most) of it."""

OPENABLE = frozenset(("Cabinet", "Drawer", "Fridge", "Microwave", "Safe"))

_GROUPS = {
    "table": ("CounterTop", "DiningTable", "CoffeeTable", "SideTable"),
    "seat": ("Sofa", "ArmChair"),
    "top": ("Desk", "Dresser", "Shelf"),
    "cold": ("Fridge", "GarbageCan"),
    "bath": ("Toilet", "BathtubBasin"),
}

_TRAITS = {"c": "cleanable", "h": "heatable", "k": "coolable", "s": "sliceable", "r": "isreceptacleobject"}

# kind, rooms (initials of Kitchen, Living room, beDroom, Bathroom), traits, hosts (groups are lower case)
_THINGS = """
AlarmClock      D   -    Desk Dresser Shelf SideTable
Apple           K   chks table cold Microwave SinkBasin
BaseballBat     D   -    Bed
BasketBall      LD  -    Bed Sofa ArmChair Desk Dresser
Book            LD  -    table top seat Bed Drawer
Bowl            KLD ckr  table top Cabinet Fridge SinkBasin
Box             LD  r    table top seat
Bread           K   hks  table cold Microwave
ButterKnife     K   c    table Drawer SinkBasin
CD              LD  -    table top Drawer Safe GarbageCan
Candle          LB  -    table Shelf Cabinet Drawer Toilet
CellPhone       LD  -    table top seat Bed Drawer Safe
Cloth           DB  c    CounterTop Cabinet Drawer LaundryHamper SinkBasin bath
CreditCard      LD  -    table top seat Drawer Safe
Cup             KD  chkr table top Cabinet Fridge Microwave SinkBasin
DeskLamp        LD  -    SideTable CoffeeTable Desk Dresser Shelf
DishSponge      KB  c    CounterTop DiningTable Cabinet Drawer SinkBasin GarbageCan bath
Egg             K   chks table cold Microwave SinkBasin
Fork            K   c    table Drawer SinkBasin
Glassbottle     K   -    table cold Shelf Cabinet Microwave SinkBasin
HandTowel       B   -    HandTowelHolder CounterTop Cabinet SinkBasin Drawer bath
Kettle          K   c    table Shelf Cabinet StoveBurner SinkBasin
KeyChain        LD  -    table top seat Drawer Safe
Knife           K   c    table Drawer SinkBasin
Ladle           K   c    table Cabinet Drawer SinkBasin
Laptop          LD  -    table Desk Dresser seat Bed
Lettuce         K   cks  table cold SinkBasin
Mug             KD  chkr table top Cabinet CoffeeMachine Fridge Microwave SinkBasin
Newspaper       L   -    table Drawer seat GarbageCan
Pan             K   ckr  table Cabinet Fridge SinkBasin StoveBurner
Pen             LD  -    table top Drawer GarbageCan
Pencil          LD  -    table top Drawer GarbageCan
PepperShaker    K   -    table Cabinet Drawer Shelf
Pillow          LD  -    Bed Sofa ArmChair
Plate           KL  chkr table top Cabinet Fridge Microwave SinkBasin
Plunger         B   -    Cabinet
Pot             K   ckr  table Shelf Cabinet Fridge SinkBasin StoveBurner
Potato          K   chks table cold Microwave SinkBasin
RemoteControl   L   -    table top seat Drawer
SaltShaker      K   -    table Cabinet Drawer Shelf
SoapBar         B   c    CounterTop Cabinet Drawer Shelf SinkBasin GarbageCan bath
SoapBottle      KB  -    CounterTop Cabinet Drawer Shelf GarbageCan Toilet
Spatula         K   c    table Drawer SinkBasin
Spoon           K   c    table Drawer SinkBasin
SprayBottle     B   -    CounterTop Cabinet Drawer Shelf GarbageCan Toilet
Statue          L   -    table top Safe
TeddyBear       D   -    Bed
TennisRacket    D   -    Bed Desk Dresser
TissueBox       LDB -    table top Drawer Cabinet TVStand Toilet GarbageCan
ToiletPaper     B   -    CounterTop Cabinet Drawer Shelf Toilet ToiletPaperHanger GarbageCan
Tomato          K   chks table cold Microwave SinkBasin
Towel           B   -    TowelHolder
Vase            L   -    table top Safe
Watch           LD  -    table top Drawer Safe
WateringCan     L   -    table top Drawer
WineBottle      K   k    table cold Cabinet Shelf
"""
_INITIALS = {"K": "Kitchen", "L": "LivingRoom", "D": "Bedroom", "B": "Bathroom"}

LAMP = "DeskLamp"
"""The one kind that is switched on and cannot be carried."""


@dataclass(frozen=True, slots=True)
class ThingKind:
    """A kind of thing."""

    name: str
    rooms: frozenset[str]
    traits: tuple[str, ...]
    hosts: frozenset[str]
    """Kinds of receptacles that it may be put in or on, in lower case."""


def _read(row: str) -> ThingKind:
    name, rooms, letters, *hosts = row.split()
    own = ("toggleable",) if name == LAMP else ("pickupable", *(_TRAITS[x] for x in letters if x != "-"))
    spread = frozenset(kind.lower() for host in hosts for kind in _GROUPS.get(host, (host,)))
    return ThingKind(name, frozenset(_INITIALS[initial] for initial in rooms), own, spread)


THINGS: Mapping[str, ThingKind] = {kind.name: kind for kind in map(_read, _THINGS.strip().splitlines())}
"""By name, in alphabetical order."""

WRITTEN = {kind.lower(): kind for kind in (*THINGS, *(kind for room in FURNITURE.values() for kind in room))}
"""Lower case -> as ALFRED writes it: `sinkbasin` -> `SinkBasin`."""
