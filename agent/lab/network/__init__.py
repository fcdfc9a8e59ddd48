"""The lab's network: hosts and their segment as network namespaces, the SIP client and callers, and the observers."""
