"""Timelines: what held for how long in an incident."""
