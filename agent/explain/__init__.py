"""What people are told: how the solution is, why something was done, what would be done, what a state means."""
