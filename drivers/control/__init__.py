"""Applications and the programs that control them: processes, control commands, OCF agents, mlcmd."""
