"""Whether the CustomResourceDefinitions can take the place of those that were released.

The folder `released` holds these, without their prose. Helm replaces definitions in a cluster that
is full of objects: each of them must be read, and be written again, as before.
"""
