"""The lab's hosts and wire as network namespaces, the client and the callers on it, and independent observers."""
