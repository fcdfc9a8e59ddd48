"""The search: every world that can be reached, breadth first."""
