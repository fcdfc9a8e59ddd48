"""The LCA: the daemon on each host that watches and controls its applications and its VIP."""
