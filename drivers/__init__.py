"""Thin drivers: each command of the core becomes one real action, each real event one event of the core."""
