"""Pictures of how alarm conditions are wired to reactions, and of how the machines are coupled."""
