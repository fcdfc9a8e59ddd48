"""Explanations for people: how the solution is, why something was done, what would be done, what a state means."""
