"""A stand-in for QuickBooks Online: own process, own books, trouble on demand."""
