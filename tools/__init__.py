"""The doors people and programs use to ask for things."""
