"""Checks that the CustomResourceDefinitions are compatible with the released ones.

The folder `released` has those, without descriptions. Helm replaces definitions in clusters that
have objects: every stored object must stay readable and writable.
"""
