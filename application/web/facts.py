"""What the settings screens share: what may not be known now, and settings of the environment."""

from collections.abc import Callable
from typing import TypeVar

from application.catalogue import Stop
from application.shown.settings import Setting, settings_shown
from application.web.visit import Visit

T = TypeVar("T")


def known(ask: Callable[[], T]) -> T | None:
    """Return what is asked for; None where a condition stands in the way."""
    try:
        return ask()
    except Stop:
        return None


def environment_settings(visit: Visit, *names: str) -> list[Setting]:
    """Return these settings of the environment, in their own order; without names, all."""
    chosen = visit.services.settings
    about = {name: field.description or "" for name, field in type(chosen).model_fields.items()}
    return list(settings_shown(chosen.model_dump(), about=about, only=names))
