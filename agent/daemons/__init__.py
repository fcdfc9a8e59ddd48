"""The agent and the LCA as services: how they are put together, logged, supervised and scheduled."""
