"""The live page: the solution at a glance, served by a process of its own that follows the agent."""
