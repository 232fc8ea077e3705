"""Our own database: what we know of each invoice, and who did what."""
