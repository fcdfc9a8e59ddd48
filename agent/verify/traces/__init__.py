"""Traces: the steps that lead to a broken property, as text, as a file, and replayed."""
