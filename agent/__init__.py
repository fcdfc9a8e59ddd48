"""The SCS-side agent that embeds the core, the LCA of each host, and all that people ask them."""
