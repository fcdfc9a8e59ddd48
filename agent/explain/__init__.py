"""Explanations for people: why something was done, what would be done, what a state means."""
