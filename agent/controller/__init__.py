"""The agent's loop and what it talks to: hosts, operators, mlcmd, and sources of log messages."""
