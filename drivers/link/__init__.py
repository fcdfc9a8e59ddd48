"""The link between the agent and the LCA of a host: keys, encrypted sockets, sessions and silence."""
