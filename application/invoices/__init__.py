"""The pure core: rules about invoices; no I/O, no clock."""
