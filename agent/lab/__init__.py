"""The lab: plays and judges the documented workflows on a stage; the real stage is built from network namespaces."""
