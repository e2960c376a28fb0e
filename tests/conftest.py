"""What holds for every test."""

from hypothesis import settings

pytest_plugins = ["tests.faults.table"]

# A shared machine may stall at any example: how long one takes says nothing of the code.
settings.register_profile("roadstead", deadline=None)
settings.load_profile("roadstead")
