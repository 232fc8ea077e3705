"""A package that arrives unchecked, or from an address we chose for the reader, is not ours to run.

Every line of both locks pins a version and names hashes; no lock and no make target names an
index. It cannot see what pip's own configuration says: that belongs to the machine.
"""

import re

from tests.laws.reading import ROOT, settings_of_the_house

LOCKS = ("requirements.lock", "requirements-dev.lock")
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)(\[[a-z,-]+\])?==(?P<version>[^ ;\\]+)")
ADDRESS = re.compile(r"(?<!--no-emit-)index-url|find-links|trusted-host|://| @ ")
HOME_OF_THE_ADDRESS = ("Makefile", ".ci/run", *LOCKS)


def entries(lock: str) -> list[str]:
    """Return each requirement with its continuation lines as one."""
    joined = lock.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def loose(lock: str) -> list[str]:
    """Return the entries without a pinned version or without a hash."""
    return [
        entry.split()[0]
        for entry in entries(lock)
        if not PIN.match(entry) or "--hash=sha256:" not in entry
    ]


def pins(lock: str) -> dict[str, str]:
    """Return name to version."""
    found = [PIN.match(entry) for entry in entries(lock)]
    return {match["name"]: match["version"] for match in found if match}


def named(requirement: str) -> str:
    """Return the package a requirement of pyproject.toml is about, as locks write it."""
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


class TestLocks:
    def test_pin_and_hash_every_package(self) -> None:
        guilty = [f"{name}: {each}" for name in LOCKS for each in loose((ROOT / name).read_text())]

        assert guilty == []

    def test_name_no_index(self) -> None:
        guilty = [
            f"{name}:{number}"
            for name in HOME_OF_THE_ADDRESS
            for number, line in enumerate((ROOT / name).read_text().splitlines(), start=1)
            if ADDRESS.search(line)
        ]

        assert guilty == []

    def test_hold_what_the_project_asks_for(self) -> None:
        project = settings_of_the_house()
        run, dev = (pins((ROOT / name).read_text()) for name in LOCKS)

        wanted = {named(each) for each in project["project"]["dependencies"]}
        wanted_dev = {named(each) for each in project["dependency-groups"]["dev"]}

        assert wanted - set(run) == set()
        assert wanted_dev - set(dev) == set()

    def test_agree_with_each_other(self) -> None:
        run, dev = (pins((ROOT / name).read_text()) for name in LOCKS)

        assert {name: dev.get(name) for name in run} == run

    def test_are_caught_when_loose_or_addressed(self) -> None:
        planted = "a==1 \\\n    --hash=sha256:ab\nb==2\nc>=3 --hash=sha256:cd\n"

        assert loose(planted) == ["b==2", "c>=3"]
        assert ADDRESS.search("--extra-index-url somewhere")
