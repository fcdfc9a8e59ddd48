"""The documented workflows, played and judged on a stage; the real stage is made of network namespaces."""
