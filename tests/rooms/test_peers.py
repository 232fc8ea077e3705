"""Who is at the other end: the system's table read, and other users of this machine turned away."""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from application.api.peers import Peers, uid_of
from application.services.roles import Role
from tests.rooms.guard_support import BATCH, STATUS, STEP_S, Site, site_on, until
from tests.rooms.store_support import rooms_on

HEAD = (
    "  sl  local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode\n"
)
OURS = ("127.0.0.1", 5000)
PEER = ("127.0.0.1", 40000)
LITTLE = pytest.mark.skipif(sys.byteorder != "little", reason="the lines are a little machine's")

# The other user: becomes somebody else, sends one request, and reads or hangs up at once.
STRANGER = """
import os, socket, sys
uid, gid, port, reads = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
head = sys.argv[5].replace("|", "\\r\\n").encode()
"localhost".encode("idna")  # loaded while our own files can still be read
os.setgroups([]); os.setgid(gid); os.setuid(uid)
line = socket.create_connection(("127.0.0.1", port), timeout=20)
line.sendall(head)
if reads == "reads":
    text = b""
    while part := line.recv(65536):
        text += part
    sys.stdout.write(text.decode())
line.close()
"""
ROOT_ONLY = pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="only root can become another user"
)


def line_of(local: str, remote: str, *, uid: int, inode: int = 77) -> str:
    return (
        f"   0: {local} {remote} 01 00000000:00000000 00:00000000 00000000 "
        f"{uid:5}        0 {inode} 1 0000000000000000 20 4 30 10 -1\n"
    )


@LITTLE
class TestTable:
    def test_names_the_user_of_the_far_end(self) -> None:
        near = line_of("0100007F:1388", "0100007F:9C40", uid=33)
        far = line_of("0100007F:9C40", "0100007F:1388", uid=1000)

        assert uid_of(HEAD + near + far, peer=PEER, ours=OURS) == 1000

    def test_knows_the_longer_form_of_the_same_address(self) -> None:
        far = line_of(
            "0000000000000000FFFF00000100007F:9C40",
            "0000000000000000FFFF00000100007F:1388",
            uid=1000,
        )

        assert uid_of(HEAD + far, peer=PEER, ours=OURS) == 1000

    def test_knows_the_newer_kind_of_address(self) -> None:
        one = "00000000000000000000000001000000"
        far = line_of(f"{one}:9C40", f"{one}:1388", uid=1000)

        assert uid_of(HEAD + far, peer=("::1", 40000), ours=("::1", 5000)) == 1000
        assert uid_of(HEAD + far, peer=PEER, ours=OURS) is None

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "not a line\n",
            line_of("0100007F:1388", "0100007F:9C40", uid=1000),
            line_of("0100007F:9C40", "0100007F:1389", uid=1000),
            line_of("0200007F:9C40", "0100007F:1388", uid=1000),
        ],
        ids=["empty", "rubbish", "our own end", "another port", "another address"],
    )
    def test_without_the_connection_names_nobody(self, line: str) -> None:
        assert uid_of(HEAD + line, peer=PEER, ours=OURS) is None

    def test_calls_nobody_root_because_the_socket_is_gone(self) -> None:
        left = line_of("0100007F:9C40", "0100007F:1388", uid=0, inode=0)
        held = line_of("0100007F:9C40", "0100007F:1388", uid=1000)

        assert uid_of(HEAD + left, peer=PEER, ours=OURS) is None
        assert uid_of(HEAD + left + held, peer=PEER, ours=OURS) == 1000


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "ours"
    folder.mkdir(mode=0o700)
    url = f"sqlite:///{tmp_path}/own/store.db"
    with (
        rooms_on(url, locks=tmp_path / "locks") as rooms,
        site_on(rooms, folder=folder) as opened,
    ):
        yield opened


def asked_by_a_stranger(
    site: Site, method: str, path: str, *, header: str = "", reads: str = "reads"
) -> int:
    """Return the status another user of this machine gets; 0 where they did not wait for it."""
    person = pwd.getpwnam("nobody")
    own = f"{header}|" if header else ""
    head = f"{method} {path} HTTP/1.1|Host: localhost:{site.port}|{own}Connection: close||"
    words = [str(person.pw_uid), str(person.pw_gid), str(site.port), reads, head]
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-I", "-c", STRANGER, *words],
        capture_output=True,
        check=True,
        timeout=STEP_S,
        text=True,
    )
    return int(done.stdout.split()[1]) if done.stdout else 0


@ROOT_ONLY
class TestStranger:
    def test_is_nobody_without_a_key(self, site: Site) -> None:
        assert site.ask("GET", STATUS).status == 200

        for method, path in (("GET", STATUS), ("POST", BATCH), ("GET", "/openapi.json")):
            assert asked_by_a_stranger(site, method, path) == 401
        assert len(site.inner.calls) == 1

    def test_may_ask_what_anybody_may(self, site: Site) -> None:
        assert asked_by_a_stranger(site, "GET", "/health/") == 200

    def test_who_hangs_up_at_once_is_not_taken_for_root(self, site: Site) -> None:
        for _ in range(20):
            asked_by_a_stranger(site, "POST", BATCH, reads="leaves")

        until(lambda: len(site.answered()) == 20)
        assert set(site.answered()) == {401}
        assert site.inner.calls == []

    def test_with_a_key_has_its_role(self, site: Site) -> None:
        header = "Authorization: " + site.key(Role.VIEWER)["Authorization"]

        assert asked_by_a_stranger(site, "GET", STATUS, header=header) == 200
        assert asked_by_a_stranger(site, "POST", BATCH, header=header) == 403

    def test_in_the_group_of_a_folder_that_is_shared_with_it_is_let_in(self, site: Site) -> None:
        folder, group = site.rules.folder, pwd.getpwnam("nobody").pw_gid

        os.chown(folder, -1, group)
        assert asked_by_a_stranger(site, "GET", STATUS) == 401
        folder.chmod(0o750)
        assert asked_by_a_stranger(site, "GET", STATUS) == 200
        os.chown(folder, -1, 0)
        assert asked_by_a_stranger(site, "GET", STATUS) == 401


class TestPeers:
    def test_tell_whether_the_system_tells(self, tmp_path: Path) -> None:
        assert Peers(tmp_path).told == (sys.platform == "linux")

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
    def test_let_nobody_in_whom_no_table_shows(self, tmp_path: Path) -> None:
        assert not Peers(tmp_path).may(peer=("127.0.0.1", 1), ours=("127.0.0.1", 2))

    def test_of_our_own_user_pass(self, site: Site) -> None:
        told = json.loads(site.ask("POST", BATCH, body=b"{}").body)

        assert (told["name"], told["role"]) == ("local", "admin")
