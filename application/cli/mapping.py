"""Which product takes which fee."""

from typing import TYPE_CHECKING

from application.catalogue import NO_SIGN_IN, NotConnected, printable
from application.cli.call import Call
from application.cli.printing import Column
from application.shown.mapping import chosen_entry, mapping_entry
from application.shown.texts import counted

if TYPE_CHECKING:
    from application.services.mapping import Chosen


def listed(call: Call) -> int:
    """List products and what was chosen."""
    with call.services() as services:
        tag = _company(services.company.realm_tag())
        chosen = services.items.chosen(tag)
        products = sorted(services.items.by_key(tag).values(), key=lambda one: one.name)
        taken: dict[str, list[int]] = {}
        for fee_id, item in chosen.items():
            taken.setdefault(item.id, []).append(fee_id)
        rows = [
            [printable(one.name), one.id, ", ".join(map(str, sorted(taken.get(one.id, [])))) or "-"]
            for one in products
        ]
        columns = [Column("PRODUCT"), Column("ID", number=True), Column("CHOSEN FOR FEE")]
        call.screen.table(columns, rows)
        call.screen.say("Every other fee takes the product of the same name.")
        entry = mapping_entry(services.mapping.rows(), office=services.office)
        return call.done(entry, message=f"{counted(len(products), 'product')}.")


def choose(call: Call, *, fee_id: int, product: str) -> int:
    """Let a product take a fee."""
    with call.services() as services:
        tag = _company(services.company.realm_tag())
        wanted = product.casefold().strip()
        found = (
            one.id
            for one in services.items.by_key(tag).values()
            if one.name.casefold() == wanted or one.id == product
        )
        chosen = services.mapping.choose(
            fee_id, item_id=next(found, product), by=services.actor("cli")
        )
        row = chosen.row
        fee, item = printable(row.fee or ""), printable(row.item or "")
        message = f"{fee_id} {fee} -> {item} ({row.item_id}).{_mended(chosen)}"
        call.screen.say(message)
        return call.done(chosen_entry(chosen), message=message)


def clear(call: Call, *, fee_id: int) -> int:
    """Forget what a person chose for a fee."""
    with call.services() as services:
        chosen = services.mapping.clear(fee_id, by=services.actor("cli"))
        message = f"Fee category {fee_id} takes the product of its own name again."
        call.screen.say(message)
        return call.done(chosen_entry(chosen), message=message)


def refresh(call: Call) -> int:
    """Read products and preferences again."""
    with call.services() as services:
        services.read_company()
        tag = _company(services.company.realm_tag())
        count = len(services.items.by_key(tag))
        message = f"{counted(count, 'product')} read."
        call.screen.say(message)
        entry = mapping_entry(services.mapping.rows(), office=services.office)
        return call.done(entry, message=message)


def _mended(chosen: "Chosen") -> str:
    count = chosen.now_look_fixed
    verb = "looks" if count == 1 else "look"
    return f" {counted(count, 'failed invoice')} now {verb} fixed." if count else ""


def _company(tag: str | None) -> str:
    if tag is None:
        raise NotConnected(since="", reason=NO_SIGN_IN)
    return tag
