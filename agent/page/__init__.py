"""The live page: the solution at a glance, served by the agent."""
