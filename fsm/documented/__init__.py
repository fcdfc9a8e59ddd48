"""What the source documents say, as data: workflows of [S2], scenarios and wiring of [S1]."""
