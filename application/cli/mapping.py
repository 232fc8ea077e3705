"""Which product takes which fee."""

from application.catalogue import NotConnected, NotFound, printable
from application.cli.call import Call
from application.cli.printing import Column, counted


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
        return call.done(
            {
                "mapping": [
                    {"item": one.name, "item_id": one.id, "fee_categories": taken.get(one.id, [])}
                    for one in products
                ]
            },
            message=f"{counted(len(products), 'product')}.",
        )


def choose(call: Call, *, fee_id: int, product: str) -> int:
    """Let a product take a fee."""
    with call.services() as services:
        tag = _company(services.company.realm_tag())
        fee = services.reader.fees({fee_id}).get(fee_id)
        if fee is None:
            raise NotFound(what=f"fee category {fee_id}")
        wanted = product.casefold().strip()
        found = [
            one
            for one in services.items.by_key(tag).values()
            if one.name.casefold() == wanted or one.id == product
        ]
        if not found:
            raise NotFound(what=f"active product {product}")
        services.items.choose(tag, fee_id, item=found[0], by=services.actor("cli"))
        message = f"{fee_id} {printable(fee.name)} -> {printable(found[0].name)} ({found[0].id})."
        call.screen.say(message)
        return call.done(
            {"fee_category": fee_id, "item_id": found[0].id, "item": found[0].name},
            message=message,
        )


def clear(call: Call, *, fee_id: int) -> int:
    """Forget what a person chose for a fee."""
    with call.services() as services:
        tag = _company(services.company.realm_tag())
        services.items.unchoose(tag, fee_id, by=services.actor("cli"))
        message = f"Fee category {fee_id} takes the product of its own name again."
        call.screen.say(message)
        return call.done({"fee_category": fee_id, "item_id": None}, message=message)


def refresh(call: Call) -> int:
    """Read products and preferences again."""
    with call.services() as services:
        services.read_company()
        tag = _company(services.company.realm_tag())
        count = len(services.items.by_key(tag))
        message = f"{counted(count, 'product')} read."
        call.screen.say(message)
        return call.done({"products": count}, message=message)


def _company(tag: str | None) -> str:
    if tag is None:
        raise NotConnected(since="", reason="nobody has connected yet")
    return tag
