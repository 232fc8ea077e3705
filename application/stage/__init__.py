"""The demo that breaks things: what stands in for the outside is steered from here."""
