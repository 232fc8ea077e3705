"""The demo's controls as programs read them."""

from application.stage.controls import Seen


def control_entry(seen: Seen) -> dict[str, object]:
    """Return one control and how it stands."""
    control = seen.control
    return {
        "name": control.name,
        "title": control.title,
        "does": control.does,
        "see": control.see,
        "lasts": control.lasts,
        "takes_invoice": control.takes_invoice,
        "state": seen.state,
        "note": seen.note,
    }
