"""Traces: how a broken property came about, as text, as a file, and played again."""
