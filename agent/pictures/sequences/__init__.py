"""Sequence diagrams: what was handled, as messages between hosts, applications and people."""
