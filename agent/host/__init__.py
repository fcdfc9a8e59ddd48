"""The LCA of a host: it watches and controls the applications and the VIP there."""
