"""The private MariaDB of a run of the bench: started on first use, gone at the end."""

from pathlib import Path

from tests.servers import MariaDb, ServerMissing, start_mariadb

POOL_BYTES = 128 * 1024 * 1024  # what a MariaDB has that nobody tuned


class Databases:
    """Databases on a server of our own.

    Args:
        folder: For files that a part keeps for the next one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server: MariaDb | None = None

    def new(self) -> str:
        """Return the address of an empty database.

        Raises:
            ServerMissing: There is no MariaDB on this machine.
        """
        if self._server is None:
            self._server = start_mariadb()
            self._server.execute(f"SET GLOBAL innodb_buffer_pool_size = {POOL_BYTES}")
        return self._server.new_database()

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.remove()


__all__ = ["Databases", "ServerMissing"]
