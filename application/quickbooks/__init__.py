"""QuickBooks: its wire format, its faults, its limits and the roads to it."""
