"""What programs read of our nouns: one shape each, whichever door they came through."""
