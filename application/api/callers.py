"""Who asks: by key, by session, or as this machine's own user; and what a browser keeps for us."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl

from application.api.failing import Unreadable
from application.api.limits import NotForm
from application.catalogue import Stop
from application.services.access import Visitor

Headers = Mapping[bytes, bytes]
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
FORWARDED: Final = (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host")
HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
BEARER: Final = re.compile(rb"bearer +(?P<key>[!-~]{1,200})", flags=re.IGNORECASE)
SESSION: Final = "feebridge_session"
FORM: Final = "feebridge_form"
TOKEN_FIELD: Final = "token"  # noqa: S105 - a field's name
TOKEN_HEADER: Final = b"x-csrf"
FIELDS_MOST: Final = 1_200  # a thousand chosen invoices, and what goes with them
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_FORM_TYPE: Final = re.compile(
    rb"application/x-www-form-urlencoded(\s*;\s*charset\s*=\s*\"?utf-8\"?)?", flags=re.IGNORECASE
)

Form = tuple[tuple[str, str], ...]


class FormOld(Stop):
    """A form that this browser was not given, or was given before it signed in. Facts: none."""

    cause = "form_expired"


@dataclass(frozen=True, slots=True)
class Browser:
    """What a browser keeps for us, and under which names.

    Args:
        session: Secret of its session; None where it has none.
        form: Secret its forms are tied to while nobody is signed in.
        secure: Whether it may send them over TLS only.
    """

    session: str | None
    form: str | None
    secure: bool

    @property
    def session_name(self) -> str:
        """The name of the session's cookie."""
        return _named(SESSION, secure=self.secure)

    def token(self, fresh: str | None = None) -> str:
        """Return what every form of this browser carries.

        Args:
            fresh: The secret it is given with this answer, if any.
        """
        secret = self.session or self.form or fresh or ""
        return sha256(f"form {secret}".encode()).hexdigest()

    def form_cookie(self, secret: str) -> bytes:
        """Return the header that gives it a secret its forms are tied to."""
        secure = "; Secure" if self.secure else ""
        name = _named(FORM, secure=self.secure)
        return f"{name}={secret}; Path=/; HttpOnly; SameSite=Lax{secure}".encode()


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that may not pass, for whoever shows it as a page."""

    stop: Stop
    headers: Headers
    method: str
    path: str
    query: str
    visitor: Visitor
    request_id: str
    token: str


Shown = tuple[int, Mapping[str, str], bytes]  # status, headers, body


def no_page(refused: Refused) -> Shown | None:
    """Show no page; what programs are told is told to everybody."""
    del refused
    return None


def browser_of(headers: Headers) -> Browser:
    """Return what the browser of a request keeps for us."""
    secure = not is_plain_loopback(headers)
    kept: SimpleCookie = SimpleCookie()
    try:
        kept.load(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        kept = SimpleCookie()
    session, form = (
        found.value
        if (found := kept.get(_named(name, secure=secure))) and _SECRET.fullmatch(found.value)
        else None
        for name in (SESSION, FORM)
    )
    return Browser(session=session, form=form, secure=secure)


def _named(name: str, *, secure: bool) -> str:
    # A browser keeps a name that begins so only where it came over TLS, for this host alone.
    return f"__Host-{name}" if secure else name


def is_plain_loopback(headers: Headers) -> bool:
    """Return whether somebody on this machine asks us without a proxy between."""
    host = HOST.fullmatch(headers.get(b"host", b"").decode("latin-1"))
    return host is not None and host["name"].lower() in LOOPBACK and not is_forwarded(headers)


def is_forwarded(headers: Headers) -> bool:
    """Return whether a proxy says that it stands between."""
    return any(name in FORWARDED or name.startswith(b"x-forwarded-") for name in headers)


def form_of(body: bytes, *, headers: Headers) -> Form:
    """Return the fields of a form.

    Raises:
        NotForm: It is not declared as one.
        Unreadable: It is none, or has too many fields.
    """
    if not body:
        return ()
    kind = headers.get(b"content-type", b"").strip()
    if _FORM_TYPE.fullmatch(kind) is None:
        raise NotForm
    try:
        found = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_MOST,
        )
    except ValueError:
        raise Unreadable(problem="the form cannot be read") from None
    return tuple(found)


def refuse_foreign_form(form: Form, *, browser: Browser, headers: Headers) -> None:
    """Refuse a form that we did not give to this browser.

    Raises:
        FormOld: Its token belongs to another browser or session, or it has none.
    """
    given = [text for name, text in form if name == TOKEN_FIELD]
    given += [headers[TOKEN_HEADER].decode("latin-1")] if TOKEN_HEADER in headers else []
    kept = browser.session or browser.form
    if kept is None or len(given) != 1 or not compare_digest(_ascii(given[0]), browser.token()):
        raise FormOld


def _ascii(text: str) -> str:
    """Return text that can be compared in constant time."""
    return text if text.isascii() else ""
