"""The model of the world: the core as tables, the hosts, and what can happen to them."""
