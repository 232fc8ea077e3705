"""claims, intents, attempts, bundles, receipts, refusals, holds: what we know of each invoice."""

from application.store.claiming import Claiming
from application.store.concluding import Concluding
from application.store.promising import Promising
from application.store.records import (
    CauseCount,
    ClaimNote,
    Former,
    Hold,
    IllegalEdge,
    NewIntent,
    Receipt,
    ReceiptRecord,
    Refusal,
    RefusalRecord,
    Send,
    TimelineEntry,
)
from application.store.telling import Telling

__all__ = [
    "CauseCount",
    "ClaimNote",
    "Former",
    "Hold",
    "IllegalEdge",
    "Journal",
    "NewIntent",
    "Receipt",
    "ReceiptRecord",
    "Refusal",
    "RefusalRecord",
    "Send",
    "TimelineEntry",
]


class Journal(Claiming, Promising, Concluding, Telling):
    """What we know of each invoice. Every change carries its audit line in one transaction.

    Writes of a sender raise `LeaseLost` and write nothing once its lease is gone.
    """
