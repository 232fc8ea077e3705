"""A key in a repository is read by everybody for ever; a path of one machine works nowhere else.

It knows the shapes of keys and tokens, not the secret that looks like a word. What a running
program lets out is searched elsewhere, with planted canaries.
"""

import re

from tests.laws.reading import Source, everything

SHAPES = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "cloud or forge key": re.compile(
        r"\b(AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|xox[abp]-\w{10,}|glpat-\w{20,})"
    ),
    "signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    "Intuit key": re.compile(r"\bAB[A-Za-z0-9]{48}\b"),
    "path of one machine": re.compile(
        r"(?<![\w.])/(root|work|workspace|Users)/\w|(?<![\w.])/home/(?!feebridge\b)\w"
    ),
    "e-mail of a person": re.compile(
        r"\b[\w.+-]{2,}@(?!([\w-]+\.)*(example|test|invalid|localhost|intuit)\b|example\.|acr-online\.rw)"
        r"[a-z0-9-]{2,}(\.[a-z0-9-]+)*\.(com|net|org|rw|io|edu)\b"
    ),
}
GENERATED = ("requirements.lock", "requirements-dev.lock")


def shapes_in(sources: list[Source]) -> list[str]:
    return [
        f"{source.path}:{number} {name}"
        for source in sources
        if source.path not in GENERATED
        for number, line in enumerate(source.lines, start=1)
        for name, shape in SHAPES.items()
        if shape.search(line)
    ]


class TestSecrets:
    def test_are_nowhere_in_the_project(self) -> None:
        assert shapes_in(list(everything())) == []

    def test_are_known_by_their_shape(self) -> None:
        planted = [
            "-----BEGIN RSA " + "PRIVATE KEY-----",
            "AKIA" + "A" * 16,
            "eyJ" + "a" * 30 + "." + "b" * 30,
            "AB" + "c" * 48,
            "see /" + "home/somebody/checkout",
            "write to jean@" + "gmail.com",
            "write to uwase@example.com",
        ]

        assert shapes_in([Source("a.md", "\n".join(planted))]) == [
            "a.md:1 private key",
            "a.md:2 cloud or forge key",
            "a.md:3 signed token",
            "a.md:4 Intuit key",
            "a.md:5 path of one machine",
            "a.md:6 e-mail of a person",
        ]
