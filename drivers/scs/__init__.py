"""What comes from a Genesys SCS: its log file, followed, and the spool of `switchover event`."""
