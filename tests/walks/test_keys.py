"""API keys through the command line: written to a file of their own, listed, revoked."""

import hashlib
import re
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from typing_extensions import override

from application.cli.keys import made as write
from application.services.access import Access, Key
from application.services.roles import Role
from application.store.audit import Actor
from application.store.keys import Keys
from application.wiring import Services
from tests.rooms.store_support import UWASE, people_in, rooms_on
from tests.walks.support import Done, Installation

SHAPE = re.compile(r"fb_([0-9]+)_[A-Za-z0-9_-]{43}")


def made(own: Installation, file: Path, *, name: str = "timetable", role: str = "officer") -> Done:
    return own.run("keys", "create", name, "--role", role, "--file", str(file))


def listed(own: Installation) -> list[dict[str, object]]:
    found: list[dict[str, object]] = own.run("keys", "list", "--json").json["data"]["keys"]
    return found


class Unwritable(Access):
    """Makes keys whose text no file of ours takes, as a full disk would take none."""

    @override
    def create(self, name: str, *, role: Role, by: Actor) -> tuple[Key, str]:
        key, _ = super().create(name, role=role, by=by)
        return key, "\N{HONEYBEE}"


class TestCreate:
    def test_writes_the_key_where_only_its_owner_reads_and_says_it_nowhere(
        self, own: Installation, tmp_path: Path
    ) -> None:
        file = tmp_path / "timetable.key"

        done = made(own, file)

        text = file.read_text(encoding="ascii").strip()
        assert SHAPE.fullmatch(text)
        assert file.stat().st_mode & 0o777 == 0o600
        assert done.lines == [
            f"Key 1 written to {file} (0600). It is not shown again.",
            "From now on the REST interface asks everybody for a key.",
        ]
        everything = [done.err, *(one.read_text() for one in own.folder.rglob("app.log"))]
        assert not any("fb_" in one for one in everything)

    def test_keeps_its_hash_alone(self, own: Installation, tmp_path: Path) -> None:
        file = tmp_path / "timetable.key"
        made(own, file)

        text = file.read_text(encoding="ascii").strip()
        with sqlite3.connect(own.store_file) as store:
            dump = "\n".join(store.iterdump())
        store.close()
        assert hashlib.sha256(text.encode()).hexdigest() in dump
        assert text.removeprefix("fb_1_") not in dump

    def test_says_only_the_first_time_that_the_door_is_closed_now(
        self, own: Installation, tmp_path: Path
    ) -> None:
        made(own, tmp_path / "one.key")

        assert len(made(own, tmp_path / "two.key", name="desk", role="viewer").lines) == 1

    def test_takes_no_name_the_audit_log_uses_itself(
        self, own: Installation, tmp_path: Path
    ) -> None:
        file = tmp_path / "one.key"

        done = own.run("keys", "create", "Local", "--role", "viewer", "--file", str(file))

        assert done.code == 2
        assert "is one the audit log itself uses" in done.err
        assert not file.exists()

    def test_never_writes_over_a_file(self, own: Installation, tmp_path: Path) -> None:
        file = tmp_path / "mine.txt"
        file.write_text("mine\n")
        link = tmp_path / "link"
        link.symlink_to(tmp_path / "elsewhere")

        for taken in (file, link, tmp_path, tmp_path / "no" / "such" / "folder.key"):
            assert made(own, taken).code == 2

        assert file.read_text() == "mine\n"
        assert not (tmp_path / "elsewhere").exists()
        assert listed(own) == []

    def test_that_cannot_be_written_leaves_neither_file_nor_live_key(self, tmp_path: Path) -> None:
        url, file = f"sqlite:///{tmp_path}/own/store.db", tmp_path / "t.key"
        with rooms_on(url, locks=tmp_path / "locks") as rooms:
            keys = Keys(rooms.store, audit=rooms.audit, world=rooms.world)
            access = Unwritable(keys, people=people_in(rooms), world=rooms.world)
            services = SimpleNamespace(access=access, actor=lambda _: UWASE)

            with pytest.raises(UnicodeEncodeError):
                write(cast("Services", services), name="timetable", role=Role.VIEWER, file=file)

            assert not file.exists()
            assert access.is_open()
            assert [key.revoked_at is None for key in access.all()] == [False]

    @pytest.mark.parametrize(
        "words",
        [
            ("timetable", "--role", "officer"),
            ("timetable", "--file", "t.key"),
            ("timetable", "--role", "owner", "--file", "t.key"),
            (" ", "--role", "officer", "--file", "t.key"),
            ("x" * 101, "--role", "officer", "--file", "t.key"),
        ],
        ids=["no file", "no role", "no such role", "no name", "long name"],
    )
    def test_needs_name_role_and_file(self, own: Installation, words: tuple[str, ...]) -> None:
        assert own.run("keys", "create", *words).code == 2
        assert not (own.folder / "t.key").exists()
        assert listed(own) == []

    def test_leaves_a_line_of_who_made_it(self, own: Installation, tmp_path: Path) -> None:
        made(own, tmp_path / "timetable.key")

        [line] = own.run("audit", "list", "--json", "--action", "key.").json["data"]["entries"]
        assert (line["actor"], line["source"], line["action"]) == ("local", "cli", "key.created")
        assert (line["subject"], line["after"]) == ("API key 1", {"role": "officer"})


class TestRevoke:
    def test_ends_a_key_and_says_when_it_was_the_last(
        self, own: Installation, tmp_path: Path
    ) -> None:
        made(own, tmp_path / "one.key")
        made(own, tmp_path / "two.key", name="desk", role="admin")

        assert own.run("keys", "revoke", "1").lines == ["Key 1 revoked."]
        assert own.run("keys", "revoke", "2").lines == [
            "Key 2 revoked.",
            "No key is left: on this machine itself the interface needs none now.",
        ]
        assert [one["revoked"] for one in listed(own)] == [True, True]

    @pytest.mark.parametrize("number", ["1", "99"])
    def test_of_none_is_told(self, own: Installation, tmp_path: Path, number: str) -> None:
        made(own, tmp_path / "one.key")
        own.run("keys", "revoke", "1")

        done = own.run("keys", "revoke", number, "--json")

        assert (done.code, done.json["error_code"]) == (2, "not_found")


class TestList:
    def test_shows_what_there_is_and_no_secret(self, own: Installation, tmp_path: Path) -> None:
        assert "No API key" in own.run("keys", "list").out
        made(own, tmp_path / "one.key")

        done = own.run("keys", "list")

        assert re.fullmatch(r"\s+1\s+timetable\s+officer\s+.*never\s+live", done.lines[1])
        assert "fb_" not in done.out
