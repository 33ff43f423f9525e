"""The kinds of things in a closed world, and the relations between them, with their words."""

from __future__ import annotations

from dataclasses import dataclass

SHARES = {"person": 0.45, "city": 0.15, "company": 0.12, "book": 0.14, "film": 0.10, "country": 0.04}
"""Kind of entity -> share of the passages."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A function from the entities of one kind to one object each."""

    name: str
    subject: str
    """Kind of entity that has it."""
    object: str
    """Kind of entity it leads to; "year" or "word" for values that have no passage of their own."""
    phrase: str
    """Noun phrase of the object, `{x}` standing for the subject: "the city where {x} was born"."""
    sentences: tuple[str, ...]
    """Statements of the fact, `{x}` the subject and `{y}` the object."""
    denials: tuple[str, ...]
    """Statements that another object, `{z}`, is not the one: a distractor that must not be taken for the fact."""
    keywords: str
    """What one would search for beside the subject's name."""


RELATIONS = (
    Relation(
        "birthplace",
        "person",
        "city",
        "the city where {x} was born",
        ("{x} was born in {y}.", "The birthplace of {x} is {y}.", "It was in {y} that {x} was born."),
        ("Some directories wrongly place the birth of {x} in {z}.",),
        "born birthplace",
    ),
    Relation(
        "employer",
        "person",
        "company",
        "the company that {x} works for",
        ("{x} works for {y}.", "The employer of {x} is {y}.", "For many years now, {x} has been employed by {y}."),
        ("An offer to join {z} was declined.",),
        "works for employer",
    ),
    Relation(
        "spouse",
        "person",
        "person",
        "the spouse of {x}",
        ("{x} is married to {y}.", "The spouse of {x} is {y}.", "In a quiet ceremony {x} married {y}."),
        ("A rumour of an engagement to {z} was never confirmed.",),
        "married spouse",
    ),
    Relation(
        "birth year",
        "person",
        "year",
        "the year in which {x} was born",
        (
            "The year of birth of {x} is {y}.",
            "{x} came into the world in {y}.",
            "Parish books date the birth of {x} to {y}.",
        ),
        ("The year {z}, given on an old poster, is a misprint.",),
        "year of birth",
    ),
    Relation(
        "country",
        "city",
        "country",
        "the country in which {x} lies",
        ("{x} is a city in {y}.", "The city of {x} belongs to {y}.", "{x} lies in the east of {y}."),
        ("Until a treaty of long ago it was claimed by {z}.",),
        "city country lies in",
    ),
    Relation(
        "mayor",
        "city",
        "person",
        "the mayor of {x}",
        (
            "The mayor of {x} is {y}.",
            "{x} is governed by its mayor, {y}.",
            "At the last election {x} chose {y} as its mayor.",
        ),
        ("The office was also sought by {z}, without success.",),
        "mayor",
    ),
    Relation(
        "river",
        "city",
        "word",
        "the river on which {x} stands",
        (
            "{x} stands on the river {y}.",
            "The river {y} runs through {x}.",
            "The old quays of {x} follow the river {y}.",
        ),
        ("The river {z} passes at a distance and never reaches it.",),
        "river",
    ),
    Relation(
        "headquarters",
        "company",
        "city",
        "the city where {x} has its headquarters",
        ("{x} has its headquarters in {y}.", "The head office of {x} stands in {y}.", "{x} is run from {y}."),
        ("A branch in {z} was closed.",),
        "headquarters head office",
    ),
    Relation(
        "founder",
        "company",
        "person",
        "the founder of {x}",
        ("{x} was founded by {y}.", "The founder of {x} is {y}.", "It was {y} who founded {x}."),
        ("A plaque that credits {z} with founding it has been taken down.",),
        "founded by founder",
    ),
    Relation(
        "founding year",
        "company",
        "year",
        "the year in which {x} was founded",
        (
            "{x} was established in {y}.",
            "The founding year of {x} is {y}.",
            "The register of firms lists {x} from {y} on.",
        ),
        ("Its emblem bears the year {z}, which is that of an older guild.",),
        "founded year established",
    ),
    Relation(
        "author",
        "book",
        "person",
        "the author of {x}",
        ("{x} was written by {y}.", "The author of {x} is {y}.", "{y} is the author of {x}."),
        ("A preface by {z} was added later.",),
        "written by author",
    ),
    Relation(
        "publisher",
        "book",
        "company",
        "the company that published {x}",
        ("{x} was published by {y}.", "The publisher of {x} is {y}.", "{y} brought out {x}."),
        ("{z} had turned the manuscript down.",),
        "published publisher",
    ),
    Relation(
        "setting",
        "book",
        "city",
        "the city in which {x} is set",
        ("{x} is set in {y}.", "The story of {x} takes place in {y}.", "The streets of {y} are the scene of {x}."),
        ("An early draft had been laid in {z}.",),
        "set in story takes place",
    ),
    Relation(
        "director",
        "film",
        "person",
        "the director of {x}",
        ("{x} was directed by {y}.", "The director of {x} is {y}.", "{y} directed {x}."),
        ("{z} had first been asked to direct and refused.",),
        "directed by director",
    ),
    Relation(
        "source",
        "film",
        "book",
        "the book that {x} is based on",
        ("{x} is based on the book {y}.", "The film {x} follows the book {y}.", "{x} adapts {y} for the screen."),
        ("Likenesses to {z} are accidental.",),
        "based on book adapts",
    ),
    Relation(
        "capital",
        "country",
        "city",
        "the capital of {x}",
        ("The capital of {x} is {y}.", "{x} has its capital at {y}.", "{y} is the capital of {x}."),
        ("The seat of government was once {z}.",),
        "capital",
    ),
    Relation(
        "currency",
        "country",
        "word",
        "the currency of {x}",
        ("The currency of {x} is the {y}.", "In {x} one pays with the {y}.", "{x} mints the {y}."),
        ("The {z} is no longer accepted.",),
        "currency pays",
    ),
    Relation(
        "head of state",
        "country",
        "person",
        "the head of state of {x}",
        ("The head of state of {x} is {y}.", "{y} is the head of state of {x}.", "{x} is headed by {y}."),
        ("A term of {z} ended early.",),
        "head of state",
    ),
)

OF_KIND = {kind: tuple(relation for relation in RELATIONS if relation.subject == kind) for kind in SHARES}
"""Kind of entity -> its relations."""

FILLERS = {
    "person": (
        "Friends speak of a dry sense of humour and a great love of long walks.",
        "Letters of those years show a patient and curious mind.",
        "A small collection of clocks, some of them broken, fills the hall at home.",
        "Interviews are rare and, as a rule, short.",
        "Early lessons on the cello left a lasting habit of getting up at dawn.",
        "A garden with seven kinds of mint is mentioned in every portrait.",
    ),
    "city": (
        "Its market is known for smoked cheese and copper lamps.",
        "A tram line with green cars joins the station and the old town.",
        "In winter the fog stays for weeks and the lamps burn at noon.",
        "The annual fair of kites draws visitors from far away.",
        "Most of the houses are built of a pale and porous stone.",
        "Students make up a fifth of those who live there.",
    ),
    "company": (
        "It makes hinges, scales and, since lately, small pumps.",
        "Its workshops are open to visitors on the first Sunday of a month.",
        "The staff newspaper has come out without a break for decades.",
        "Auditors praise the order of its books.",
        "Half of its goods leave by rail.",
        "A school for apprentices belongs to it.",
    ),
    "book": (
        "Critics praised the calm of its sentences and the odd shape of its plot.",
        "The first printing sold out within a month.",
        "It has been translated into nine languages.",
        "A map on the inner cover helps the reader through the middle chapters.",
        "The last chapter was rewritten four times.",
        "Its narrator, a piano tuner, is never named.",
    ),
    "film": (
        "It was shot in twenty-six days, mostly at night.",
        "The music is played by a brass band and one harp.",
        "Reviewers were divided over its long silences.",
        "A restored copy was shown to a full house.",
        "Its only star is a very old dog.",
        "The costumes were later given to a museum.",
    ),
    "country": (
        "Its coasts are steep and its inland plains are dry.",
        "Rye, slate and wool are its chief goods.",
        "The flag shows a heron over three waves.",
        "Schooling is free, and so are the ferries.",
        "Its parliament meets in a former opera house.",
        "Four out of five of its people live near the sea.",
    ),
}
"""Kind of entity -> sentences that say nothing that is asked for."""

PROFESSIONS = ("chemist", "painter", "engineer", "lawyer", "botanist", "violinist", "architect", "surveyor")
TITLE_WORDS = (
    *("Harbour", "Lantern", "Orchard", "Winter", "Bridge", "Garden", "Mirror", "Tower", "Island", "Letter", "Valley"),
    *("Shadow", "River", "Clock", "Voyage", "Silence", "Window", "Stranger", "Season", "Village", "Promise", "Secret"),
)
"""Nouns of the titles of books and films."""
