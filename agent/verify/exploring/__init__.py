"""The search: every reachable world, breadth first."""
