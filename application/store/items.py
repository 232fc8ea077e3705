"""products; which fee category uses which, by name or by a person; the company as last read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, bindparam, delete, insert, select, update

from application.invoices.mapping import item_key
from application.store.audit import Actor, Audit, Entry
from application.store.columns import clean, maybe_clean
from application.store.schema import item_choices, items, notes, profiles
from application.store.tables import Clash, Store
from application.world import World

_NOTE = select(notes.c.value).where(notes.c.name == bindparam("name"))
_NOTE_AGAIN = update(notes).where(notes.c.name == bindparam("b_name"))
_NEW_NOTE = insert(notes)


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One product."""

    id: str
    name: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class CompanyProfile:
    """What was read of a company at connect."""

    name: str
    country: str | None
    currency: str
    custom_numbers: bool | None
    books_closed_until: date | None
    uses_tax: bool | None
    read_at: datetime


class Items:
    """What we remember of a company between two looks at it."""

    def __init__(self, store: Store, *, audit: Audit, world: World) -> None:
        self._store = store
        self._audit = audit
        self._world = world

    def replace(self, realm_tag: str, found: Sequence[ItemRow], *, by: Actor) -> None:
        """Keep these products in place of those read before."""
        rows = [
            {
                "realm_tag": realm_tag,
                "id": one.id,
                "name": clean(one.name, most=200),
                "active": one.active,
            }
            for one in {one.id: one for one in found}.values()
        ]

        def work(connection: Connection) -> None:
            connection.execute(delete(items).where(items.c.realm_tag == realm_tag))
            if rows:
                connection.execute(insert(items), rows)
            entry = Entry(
                action="mapping.items_read",
                subject=f"{len(rows)} products",
                by=by,
                realm_tag=realm_tag,
            )
            self._audit.append(connection, entry)

        self._store.write(work)

    def add(self, realm_tag: str, made: ItemRow, *, by: Actor) -> None:
        """Keep a product that was just created beside those read before."""
        name = clean(made.name, most=200)
        row = {"realm_tag": realm_tag, "id": made.id, "name": name, "active": made.active}

        def work(connection: Connection) -> None:
            same = (items.c.realm_tag == realm_tag) & (items.c.id == made.id)
            connection.execute(delete(items).where(same))
            connection.execute(insert(items).values(**row))
            entry = Entry(
                action="mapping.item_made",
                subject=f"product {made.id}",
                by=by,
                realm_tag=realm_tag,
            )
            self._audit.append(connection, entry)

        self._store.write(work)

    def by_key(self, realm_tag: str) -> dict[str, ItemRow]:
        """Return active products by the key fee names are compared by; of two alike, the first."""
        with self._store.read() as connection:
            rows = connection.execute(_ACTIVE, {"realm": realm_tag})
            return {item_key(row.name): _item(row) for row in rows}

    def chosen(self, realm_tag: str) -> dict[int, ItemRow]:
        """Return the product a person chose for a fee, while it is active."""
        with self._store.read() as connection:
            rows = connection.execute(_CHOSEN, {"realm": realm_tag})
            return {row.fee_id: _item(row) for row in rows}

    def choose(self, realm_tag: str, fee_id: int, *, item: ItemRow, by: Actor) -> None:
        """Let a fee take this product, whatever its name."""
        values = {"item_id": item.id, "actor": clean(by.name, most=120)}
        place = {"realm_tag": realm_tag, "fee_id": fee_id}

        def work(connection: Connection) -> None:
            now = self._store.moment(connection)
            old = self._choice(connection, realm_tag, fee_id)
            if old is None:
                connection.execute(insert(item_choices).values(**place, **values, at=now))
            else:
                connection.execute(
                    update(item_choices)
                    .where(
                        item_choices.c.realm_tag == realm_tag,
                        item_choices.c.fee_id == fee_id,
                        item_choices.c.item_id == old,
                    )
                    .values(**values, at=now)
                )
            self._mapped(
                connection, "mapping.set", fee_id, realm_tag=realm_tag, old=old, new=item.id, by=by
            )

        self._store.write(work)

    def unchoose(self, realm_tag: str, fee_id: int, *, by: Actor) -> bool:
        """Forget what a person chose for a fee; return False where nothing was chosen."""

        def work(connection: Connection) -> bool:
            old = self._choice(connection, realm_tag, fee_id)
            if old is None:
                return False
            connection.execute(
                delete(item_choices).where(
                    item_choices.c.realm_tag == realm_tag,
                    item_choices.c.fee_id == fee_id,
                    item_choices.c.item_id == old,
                )
            )
            self._mapped(
                connection, "mapping.cleared", fee_id, realm_tag=realm_tag, old=old, new=None, by=by
            )
            return True

        return self._store.write(work)

    def profile(self, realm_tag: str) -> CompanyProfile | None:
        """Return the company as last read; None before the first look."""
        with self._store.read() as connection:
            row = connection.execute(_PROFILE, {"realm": realm_tag}).first()
        if row is None:
            return None
        return CompanyProfile(
            name=row.name,
            country=row.country,
            currency=row.currency,
            custom_numbers=row.custom_numbers,
            books_closed_until=row.books_closed_until,
            uses_tax=row.uses_tax,
            read_at=row.read_at,
        )

    def save_profile(self, realm_tag: str, profile: CompanyProfile, *, by: Actor) -> None:
        """Keep what was read of a company."""
        values = {
            "name": clean(profile.name, most=200),
            "country": maybe_clean(profile.country, most=60),
            "currency": clean(profile.currency, most=8),
            "custom_numbers": profile.custom_numbers,
            "books_closed_until": profile.books_closed_until,
            "uses_tax": profile.uses_tax,
            "read_at": profile.read_at,
        }

        def work(connection: Connection) -> None:
            connection.execute(delete(profiles).where(profiles.c.realm_tag == realm_tag))
            connection.execute(insert(profiles).values(realm_tag=realm_tag, **values))
            closed = profile.books_closed_until
            entry = Entry(
                action="settings.company_read",
                subject="company",
                by=by,
                after={
                    "custom_numbers": profile.custom_numbers,
                    "books_closed_until": None if closed is None else closed.isoformat(),
                    "currency": values["currency"],
                },
                realm_tag=realm_tag,
            )
            self._audit.append(connection, entry)

        self._store.write(work)

    def read_at(self, realm_tag: str) -> datetime | None:
        """Return when the company was last read."""
        profile = self.profile(realm_tag)
        return None if profile is None else profile.read_at

    # -- small things to remember ---------------------------------------------------------------

    def remember(self, name: str, value: object) -> None:
        """Keep a small JSON value under a name. It is a cache, so it has no audit line."""

        def work(connection: Connection) -> None:
            now = self._store.moment(connection)
            note = {"value": value, "at": now}
            if not connection.execute(_NOTE_AGAIN, {"b_name": name, **note}).rowcount:
                connection.execute(_NEW_NOTE, {"name": name, **note})

        try:
            self._store.write(work)
        except Clash:  # two processes remembered it for the first time at once
            self._store.write(work)

    def recall(self, name: str) -> object:
        """Return what was remembered under a name; None where nothing was."""
        with self._store.read() as connection:
            return connection.execute(_NOTE, {"name": name}).scalar_one_or_none()

    def _choice(self, connection: Connection, realm_tag: str, fee_id: int) -> str | None:
        return connection.execute(
            select(item_choices.c.item_id)
            .where(item_choices.c.realm_tag == realm_tag, item_choices.c.fee_id == fee_id)
            .with_for_update()
        ).scalar_one_or_none()

    def _mapped(
        self,
        connection: Connection,
        action: str,
        fee_id: int,
        *,
        realm_tag: str,
        old: str | None,
        new: str | None,
        by: Actor,
    ) -> None:
        self._audit.append(
            connection,
            Entry(
                action=action,
                subject=f"fee category {fee_id}",
                by=by,
                before=None if old is None else {"item_id": old},
                after=None if new is None else {"item_id": new},
                realm_tag=realm_tag,
            ),
        )


# Built once: every page asks them.
_REALM: BindParameter[str] = bindparam("realm")
_ACTIVE = (
    select(items)
    .where(items.c.realm_tag == _REALM, items.c.active.is_(True))
    .order_by(items.c.id.desc())
)
_CHOSEN = (
    select(items, item_choices.c.fee_id)
    .join(
        item_choices,
        (item_choices.c.realm_tag == items.c.realm_tag) & (item_choices.c.item_id == items.c.id),
    )
    .where(items.c.realm_tag == _REALM, items.c.active.is_(True))
)
_PROFILE = select(profiles).where(profiles.c.realm_tag == _REALM)


def _item(row: Row[Any]) -> ItemRow:
    return ItemRow(id=row.id, name=row.name, active=bool(row.active))
