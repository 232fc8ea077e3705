"""The moving part of a run's page: made once for all who watch it, sent as it changes."""

from collections.abc import Callable, Sequence
from typing import Final

from application.services.doorway import Event
from application.services.watching import changed, ended
from application.web.formats import Formats
from application.web.rendering import environment
from application.web.visit import Fragment, Front, Visit

Show = Callable[[Sequence[Event]], bytes]
KEPT_MOST: Final = 64  # as many as there are views
KEPT_MS: Final = 200  # while the reader serves one view after the other; a wish leaves no event


def view_of(visit: Visit, run_id: int) -> Show:
    """Return how the events of a run become parts of its page.

    Args:
        visit: Who watches; what they are sent is the same for all.
        run_id: The run.
    """
    front, language = visit.front, visit.language

    def show(events: Sequence[Event]) -> bytes:
        newest = events[-1].id
        figures = figures_of(front, run_id, newest=newest, language=language)
        parts = [b"id: %d\nevent: figures\n" % newest, figures, b"\n"]
        if changed(events):
            parts.append(b"event: turn\ndata: turn\n\n")  # each view then asks for its own buttons
        if ended(events):
            parts.append(b"event: over\ndata: over\n\n")
        return b"".join(parts)

    return show


def figures_of(front: Front, run_id: int, *, newest: int, language: str) -> bytes:
    """Return how a run stands, as lines of a stream; made once for an event, whoever asks.

    Only the thread that reads for all views asks, so nothing is locked.

    Args:
        front: The pages of this server.
        run_id: The run.
        newest: The id of its newest event.
        language: Of the words.
    """
    now_ms = front.services.world.clock.since_boot_ms()
    kept = front.fragments.get((run_id, language))
    if kept is not None and kept.newest == newest and now_ms - kept.made_ms < KEPT_MS:
        return kept.lines
    made = lines_of(_made(front, run_id, language=language))
    while len(front.fragments) >= KEPT_MOST:
        del front.fragments[next(iter(front.fragments))]
    front.fragments[run_id, language] = Fragment(newest, now_ms, made)
    return made


def _made(front: Front, run_id: int, *, language: str) -> str:
    services = front.services
    standing = services.watching.standing(run_id)
    if standing is None:
        return ""
    formats = Formats(language, services.office, services.currency, services.world.clock.now())
    template = environment().get_template("parts/run_live.html")
    return template.render(
        standing=standing,
        has=lambda path: path in front.paths,
        t=formats.text,
        f=formats,
        titled=True,
    )


def lines_of(text: str) -> bytes:
    """Return a text as the lines of one event."""
    return "".join(f"data: {line}\n" for line in text.splitlines()).encode()
