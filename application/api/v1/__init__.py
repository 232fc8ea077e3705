"""The first version of the REST interface."""
