"""Sign-ins that have begun: who began each, where it must come back, good for one use."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hmac import compare_digest
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from application.store.audit import Actor, Audit, Entry, actor_json, actor_of
from application.store.columns import json_object
from application.store.schema import sign_ins
from application.store.tables import Store

SUBJECT = "QuickBooks sign-in"
ANOTHER = "another_company"
# One that is over is kept for a while, so that whoever comes too late is told so.
KEPT = timedelta(days=1)


class Gone(StrEnum):
    """Why a sign-in cannot be taken up."""

    UNKNOWN = "unknown"
    USED = "used"
    OLD = "old"


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that waits for its answer.

    Args:
        by: Who began it.
        until: Its end.
        another_company: Whether that person allowed another company than the bound one.
        in_browser: Whether it has to come back to one browser.
        verifier: What the code is tied to, if anything.
    """

    by: Actor
    until: datetime
    another_company: bool
    in_browser: bool
    verifier: str | None = field(repr=False)
    _browser_sha256: str = field(repr=False, default="")

    def is_of(self, browser: str | None) -> bool:
        """Return whether it was begun in the browser that keeps this secret."""
        if not self.in_browser or not browser:
            return False
        return compare_digest(self._browser_sha256, _sha256(browser))


class SignIns:
    """The sign-ins between the first click and the answer. Their secrets are kept as hashes.

    Args:
        store: Our database.
        audit: Its log.
        seal: Encrypts a verifier.
        opened: Decrypts one.
    """

    def __init__(
        self,
        store: Store,
        *,
        audit: Audit,
        seal: Callable[[str], str],
        opened: Callable[[str], str],
    ) -> None:
        self._store = store
        self._audit = audit
        self._seal = seal
        self._opened = opened

    def note(
        self,
        state: str,
        *,
        by: Actor,
        until: datetime,
        browser: str | None = None,
        verifier: str | None = None,
        another_company: bool = False,
    ) -> None:
        """Remember a sign-in by the secret it was begun with; those long over are dropped.

        Args:
            state: What comes back with the answer.
            by: Who begins it.
            until: Its end.
            browser: Secret of the browser it must come back to; None where none takes part.
            verifier: Secret the code is tied to.
            another_company: Whether it may bring another company than the bound one.
        """
        values = {
            "state_sha256": _sha256(state),
            "until": until,
            "actor": actor_json(by) | {ANOTHER: another_company},
            "browser_sha256": None if browser is None else _sha256(browser),
            "verifier": None if verifier is None else self._seal(verifier),
        }

        def work(connection: Connection) -> None:
            now = self._store.moment(connection)
            connection.execute(delete(sign_ins).where(sign_ins.c.until <= now - KEPT))
            connection.execute(insert(sign_ins).values(**values))
            self._audit.append(connection, Entry(action="signin.begun", subject=SUBJECT, by=by))

        self._store.write(work)

    def look(self, state: str, *, now: datetime) -> Begun | Gone:
        """Return the sign-in with this secret; looking uses nothing up.

        Raises:
            ConfigInvalid: No key opens its verifier.
        """
        with self._store.read() as connection:
            row = _row(connection, state)
        gone = _gone(row, now=now)
        if row is None or gone is not None:
            return gone or Gone.UNKNOWN
        return Begun(
            by=actor_of(row.actor),
            until=row.until,
            another_company=json_object(row.actor).get(ANOTHER) is True,
            in_browser=row.browser_sha256 is not None,
            verifier=None if row.verifier is None else self._opened(row.verifier),
            _browser_sha256=row.browser_sha256 or "",
        )

    def use(self, state: str, *, now: datetime, by: Actor) -> Gone | None:
        """Use a sign-in up; returns why not where it is gone. Of two who try, one succeeds."""

        def work(connection: Connection) -> Gone | None:
            row = _row(connection, state, lock=True)
            gone = _gone(row, now=now)
            if row is None or gone is not None:
                return gone or Gone.UNKNOWN
            # What is used holds nothing of what it was, and is told from what nobody ever began.
            used = connection.execute(
                update(sign_ins)
                .where(
                    sign_ins.c.state_sha256 == row.state_sha256,
                    sign_ins.c.until == row.until,
                    sign_ins.c.actor.is_not(None),
                )
                .values(actor=None, browser_sha256=None, verifier=None)
            )
            if not used.rowcount:
                return Gone.USED
            self._audit.append(connection, Entry(action="signin.returned", subject=SUBJECT, by=by))
            return None

        return self._store.write(work)

    # -- keys -----------------------------------------------------------------------------------

    def sealed(self, connection: Connection) -> list[str]:
        """Return every verifier as it rests, for whoever rotates the keys."""
        held = select(sign_ins.c.verifier).where(sign_ins.c.verifier.is_not(None))
        return [str(one) for one in connection.execute(held).scalars()]

    def reseal(self, connection: Connection) -> None:
        """Seal every verifier under the newest key, in the transaction of whoever rotates."""
        rows = connection.execute(
            select(sign_ins).where(sign_ins.c.verifier.is_not(None)).with_for_update()
        ).all()
        for row in rows:
            connection.execute(
                update(sign_ins)
                .where(
                    sign_ins.c.state_sha256 == row.state_sha256,
                    sign_ins.c.verifier == row.verifier,
                )
                .values(verifier=self._seal(self._opened(row.verifier)))
            )


def _row(connection: Connection, state: str, *, lock: bool = False) -> Row[Any] | None:
    query = select(sign_ins).where(sign_ins.c.state_sha256 == _sha256(state))
    return connection.execute(query.with_for_update() if lock else query).first()


def _gone(row: Row[Any] | None, *, now: datetime) -> Gone | None:
    if row is None:
        return Gone.UNKNOWN
    if row.actor is None:
        return Gone.USED
    return Gone.OLD if row.until <= now else None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
