"""The store's nouns that every server's door needs: live events, and requests that come again."""

from application.store.events import Event, Events, Head
from application.store.repeats import Answered, Found, New, Other, Repeats, Running, request_sha

__all__ = [
    "Answered",
    "Event",
    "Events",
    "Found",
    "Head",
    "New",
    "Other",
    "Repeats",
    "Running",
    "request_sha",
]
