"""The options every command takes, before or after its name."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

FLAGS: Final = {
    "--json": "json",
    "--events": "events",
    "-q": "quiet",
    "--quiet": "quiet",
    "-v": "verbose",
    "--verbose": "verbose",
    "--no-color": "no_color",
    "--debug": "debug",
    "--yes": "yes",
}
# An option that takes a text may be given one that looks like a flag.
TAKES_TEXT: Final = frozenset({"--reason", "--bind", "--confirm", "--file", "--cause", "--actor"})


@dataclass(frozen=True, slots=True)
class Ask:
    """How somebody wants to be answered."""

    json: bool = False
    events: bool = False
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False
    debug: bool = False
    yes: bool = False

    @property
    def bare(self) -> bool:
        """Whether stdout belongs to a program, so nothing else may be written there."""
        return self.json or self.events


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line, split."""

    ask: Ask
    rest: tuple[str, ...]


def split(words: Sequence[str]) -> Asked:
    """Return the common options and, in order, every other word."""
    found: set[str] = set()
    rest: list[str] = []
    for position, word in enumerate(words):
        before = words[position - 1] if position else ""
        if word == "--":
            rest += words[position:]
            break
        if word in FLAGS and before not in TAKES_TEXT:
            found.add(FLAGS[word])
        else:
            rest.append(word)
    return Asked(Ask(**{field.name: field.name in found for field in fields(Ask)}), tuple(rest))
