"""Sequence diagrams: handled events as messages between hosts, applications and people."""
