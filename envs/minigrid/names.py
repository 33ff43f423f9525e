"""The levels: ids of MiniGrid's own registry, static so that listing them imports nothing."""

from __future__ import annotations

_MINIGRID = """
    BlockedUnlockPickup-v0 DistShift1-v0 DistShift2-v0 DoorKey-16x16-v0 DoorKey-5x5-v0 DoorKey-6x6-v0
    DoorKey-8x8-v0 Dynamic-Obstacles-16x16-v0 Dynamic-Obstacles-5x5-v0 Dynamic-Obstacles-6x6-v0
    Dynamic-Obstacles-8x8-v0 Dynamic-Obstacles-Random-5x5-v0 Dynamic-Obstacles-Random-6x6-v0 Empty-16x16-v0
    Empty-5x5-v0 Empty-6x6-v0 Empty-8x8-v0 Empty-Random-5x5-v0 Empty-Random-6x6-v0 Fetch-5x5-N2-v0
    Fetch-6x6-N2-v0 Fetch-8x8-N3-v0 FourRooms-v0 GoToDoor-5x5-v0 GoToDoor-6x6-v0 GoToDoor-8x8-v0
    GoToObject-6x6-N2-v0 GoToObject-8x8-N2-v0 KeyCorridorS3R1-v0 KeyCorridorS3R2-v0 KeyCorridorS3R3-v0
    KeyCorridorS4R3-v0 KeyCorridorS5R3-v0 KeyCorridorS6R3-v0 LavaCrossingS11N5-v0 LavaCrossingS9N1-v0
    LavaCrossingS9N2-v0 LavaCrossingS9N3-v0 LavaGapS5-v0 LavaGapS6-v0 LavaGapS7-v0 LockedRoom-v0 MemoryS11-v0
    MemoryS13-v0 MemoryS13Random-v0 MemoryS17Random-v0 MemoryS7-v0 MemoryS9-v0 MultiRoom-N2-S4-v0
    MultiRoom-N4-S5-v1 MultiRoom-N6-v0 ObstructedMaze-1Dl-v0 ObstructedMaze-1Dlh-v0 ObstructedMaze-1Dlhb-v0
    ObstructedMaze-1Q-v1 ObstructedMaze-2Dl-v0 ObstructedMaze-2Dlh-v0 ObstructedMaze-2Dlhb-v1
    ObstructedMaze-2Q-v1 ObstructedMaze-Full-v1 Playground-v0 PutNear-6x6-N2-v0 PutNear-8x8-N3-v0
    RedBlueDoors-6x6-v0 RedBlueDoors-8x8-v0 SimpleCrossingS11N5-v0 SimpleCrossingS9N1-v0 SimpleCrossingS9N2-v0
    SimpleCrossingS9N3-v0 Unlock-v0 UnlockPickup-v0
"""
_BABYAI = """
    ActionObjDoor-v0 BlockedUnlockPickup-v0 BossLevel-v0 BossLevelNoUnlock-v0 FindObjS5-v0 FindObjS6-v0
    FindObjS7-v0 GoTo-v0 GoToDoor-v0 GoToImpUnlock-v0 GoToLocal-v0 GoToLocalS5N2-v0 GoToLocalS6N2-v0
    GoToLocalS6N3-v0 GoToLocalS6N4-v0 GoToLocalS7N4-v0 GoToLocalS7N5-v0 GoToLocalS8N2-v0 GoToLocalS8N3-v0
    GoToLocalS8N4-v0 GoToLocalS8N5-v0 GoToLocalS8N6-v0 GoToLocalS8N7-v0 GoToObj-v0 GoToObjDoor-v0
    GoToObjMaze-v0 GoToObjMazeOpen-v0 GoToObjMazeS4-v0 GoToObjMazeS4R2-v0 GoToObjMazeS5-v0 GoToObjMazeS6-v0
    GoToObjMazeS7-v0 GoToObjS4-v0 GoToObjS6-v1 GoToOpen-v0 GoToRedBall-v0 GoToRedBallGrey-v0
    GoToRedBallNoDists-v0 GoToRedBlueBall-v0 GoToSeq-v0 GoToSeqS5R2-v0 KeyCorridor-v0 KeyCorridorS3R1-v0
    KeyCorridorS3R2-v0 KeyCorridorS3R3-v0 KeyCorridorS4R3-v0 KeyCorridorS5R3-v0 KeyCorridorS6R3-v0 KeyInBox-v0
    MiniBossLevel-v0 MoveTwoAcrossS5N2-v0 MoveTwoAcrossS8N9-v0 OneRoomS12-v0 OneRoomS16-v0 OneRoomS20-v0
    OneRoomS8-v0 Open-v0 OpenDoor-v0 OpenDoorColor-v0 OpenDoorDebug-v0 OpenDoorLoc-v0 OpenDoorsOrderN2-v0
    OpenDoorsOrderN2Debug-v0 OpenDoorsOrderN4-v0 OpenDoorsOrderN4Debug-v0 OpenRedBlueDoors-v0
    OpenRedBlueDoorsDebug-v0 OpenRedDoor-v0 OpenTwoDoors-v0 Pickup-v0 PickupAbove-v0 PickupDist-v0
    PickupDistDebug-v0 PickupLoc-v0 PutNextLocal-v0 PutNextLocalS5N3-v0 PutNextLocalS6N4-v0 PutNextS4N1-v0
    PutNextS5N1-v0 PutNextS5N2-v0 PutNextS5N2Carrying-v0 PutNextS6N3-v0 PutNextS6N3Carrying-v0 PutNextS7N4-v0
    PutNextS7N4Carrying-v0 Synth-v0 SynthLoc-v0 SynthS5R2-v0 SynthSeq-v0 UnblockPickup-v0 Unlock-v0
    UnlockLocal-v0 UnlockLocalDist-v0 UnlockPickup-v0 UnlockPickupDist-v0 UnlockToUnlock-v0
"""

LEVELS: tuple[str, ...] = tuple(
    f"{family}-{name}" for family, names in (("MiniGrid", _MINIGRID), ("BabyAI", _BABYAI)) for name in names.split()
)
"""MiniGrid's ids of all levels, for example MiniGrid-Empty-5x5-v0."""

LEFT_OUT: dict[str, str] = {
    **dict.fromkeys(
        (
            *("MiniGrid-MultiRoom-N4-S5-v0", "MiniGrid-ObstructedMaze-1Q-v0", "MiniGrid-ObstructedMaze-2Q-v0"),
            *("MiniGrid-ObstructedMaze-2Dlhb-v0", "MiniGrid-ObstructedMaze-Full-v0"),
        ),
        "its v1, which mends it, is here",
    ),
    **dict.fromkeys(
        (
            *("MiniGrid-WFC-DungeonMazeScaled-v0", "MiniGrid-WFC-MazeSimple-v0", "MiniGrid-WFC-ObstaclesAngular-v0"),
            *("MiniGrid-WFC-ObstaclesBlackdots-v0", "MiniGrid-WFC-ObstaclesHogs3-v0", "MiniGrid-WFC-RoomsFabric-v0"),
        ),
        "needs minigrid[wfc], and seconds for every start",
    ),
}
"""What MiniGrid registers besides, and why it is no level here."""

NO_EXPERT = frozenset(
    {
        *("BabyAI-KeyInBox-v0", "BabyAI-GoToImpUnlock-v0", "BabyAI-UnlockToUnlock-v0"),
        *("BabyAI-OpenDoorsOrderN2Debug-v0", "BabyAI-OpenDoorsOrderN4Debug-v0"),
        *("BabyAI-PutNextS5N2Carrying-v0", "BabyAI-PutNextS6N3Carrying-v0", "BabyAI-PutNextS7N4Carrying-v0"),
    }
)
"""BabyAI levels that MiniGrid's own bot does not always solve."""


def has_expert(level: str) -> bool:
    """Whether MiniGrid's bot solves every episode of the level: it follows the instructions that only BabyAI has."""
    return level.startswith("BabyAI-") and level not in NO_EXPERT


def game_id(level: str) -> str:
    """Our id of a level: MiniGrid/Empty-5x5-LLM, MiniGrid/BabyAI-GoToLocal-LLM."""
    return f"MiniGrid/{level.removeprefix('MiniGrid-').rpartition('-v')[0]}-LLM"
