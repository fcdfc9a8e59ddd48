"""The same exploration for SPIN, which shares no code with it."""
