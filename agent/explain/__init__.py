"""Answers for people: why something was done, what would be done, what the state means."""
