"""What holds for all tests."""

from hypothesis import settings

# A busy machine is slow, not wrong: how long an example takes is no test's business.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
