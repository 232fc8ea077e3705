"""Which user of this machine is at the other end of a connection, where the system tells."""

import os
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

Address = tuple[str, int]
TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LOCAL, _REMOTE, _UID, _INODE = 1, 2, 7, 9
NOBODYS: Final = "0"  # a socket that was closed and is on its way out; the table calls it root's


def uid_of(table: str, *, peer: Address, ours: Address) -> int | None:
    """Return the user whose socket a line of the system's table shows; None where none does.

    Args:
        table: As Linux prints `/proc/net/tcp` and `tcp6`.
        peer: Its end of the connection.
        ours: Our end.
    """
    wanted = (_plain(peer[0]), peer[1]), (_plain(ours[0]), ours[1])
    for line in table.splitlines()[1:]:
        parts = line.split()
        if len(parts) <= _INODE or parts[_INODE] == NOBODYS:
            continue
        if (_address(parts[_LOCAL]), _address(parts[_REMOTE])) == wanted:
            return int(parts[_UID])
    return None


def _address(word: str) -> tuple[IPv4Address | IPv6Address, int]:
    host, _, port = word.partition(":")
    raw = bytes.fromhex(host)
    # Each group of four bytes stands in the machine's own order.
    groups = [raw[start : start + 4] for start in range(0, len(raw), 4)]
    ordered = b"".join(one[::-1] if sys.byteorder == "little" else one for one in groups)
    return _plain(str(ip_address(ordered))), int(port, 16)


def _plain(host: str) -> IPv4Address | IPv6Address:
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


class Peers:
    """Tells whether the other end is somebody who may use this installation without a key.

    Args:
        folder: Our own files; members of the group that owns it are let in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def told(self) -> bool:
        """Whether this system tells who is at the other end."""
        return sys.platform == "linux" and os.access(TABLES[0], os.R_OK)

    def may(self, *, peer: Address, ours: Address) -> bool:
        """Return whether it is our own user, root, or in the group of our files.

        Where the system does not tell, everybody on this machine counts as our user.
        """
        if not self.told:
            return True
        for table in TABLES:
            try:
                uid = uid_of(table.read_text(encoding="ascii"), peer=peer, ours=ours)
            except (OSError, ValueError):
                continue
            if uid is not None:
                return uid in {0, os.getuid()} or self._in_group(uid)
        return False

    def _in_group(self, uid: int) -> bool:
        if sys.platform == "win32":
            return False
        import grp  # noqa: PLC0415 - not on Windows
        import pwd  # noqa: PLC0415 - not on Windows

        try:
            person = pwd.getpwuid(uid)
            owner = self._folder.stat().st_gid
            group = grp.getgrgid(owner)
        except (KeyError, OSError):
            return False
        # A folder nobody of the group may enter is shared with nobody.
        shared = bool(self._folder.stat().st_mode & 0o050)
        return shared and (person.pw_gid == owner or person.pw_name in group.gr_mem)
