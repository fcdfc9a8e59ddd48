"""Thin drivers: one command becomes one real action, one real event becomes one event of the core."""
