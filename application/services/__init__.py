"""Whole journeys between the rooms."""
