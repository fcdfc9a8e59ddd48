"""How alarm conditions are wired to reactions, and how the machines are coupled."""
