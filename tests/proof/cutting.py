"""Cuts a sender's connections to MariaDB while it changes rows, as an administrator could."""

import random
import threading
import time

import pymysql
from sqlalchemy.engine import make_url

WITHIN_S = 0.03


class Cutter:
    """Kills the connections to one database, each time a moment after it was told.

    Args:
        owner: Address of the database, for somebody with the right to kill connections.
        most: How often.
        seed: Of the moments.
    """

    def __init__(self, owner: str, *, most: int, seed: int) -> None:
        address = make_url(owner)
        self._link = pymysql.connect(
            host=address.host or "",
            port=address.port or 0,
            user=address.username or "",
            password=address.password or "",
        )
        self._database = address.database
        self._left = most
        self._dice = random.Random(seed)
        self._busy = threading.Lock()
        self.within = 0  # a change of rows

    def soon(self) -> None:
        """Cut a moment from now, unless a cut is under way or enough were made."""
        if self._left and self._busy.acquire(blocking=False):
            self._left -= 1
            threading.Thread(target=self._cut, daemon=True).start()

    def _cut(self) -> None:
        time.sleep(self._dice.uniform(0, WITHIN_S))
        with self._link.cursor() as cursor:
            cursor.execute("SHOW FULL PROCESSLIST")
            for number, _user, _host, database, *_, info, _progress in cursor.fetchall():
                # Not by the account: within a trigger it shows whoever made the trigger.
                if database == self._database:
                    self.within += str(info).startswith(("UPDATE", "DO BENCHMARK"))
                    self._kill(cursor, number)
        self._busy.release()

    def _kill(self, cursor: pymysql.cursors.Cursor, number: int) -> None:
        try:
            cursor.execute("KILL CONNECTION %s", (number,))
        except pymysql.err.MySQLError:
            return  # it ended by itself
