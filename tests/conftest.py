"""What holds for all tests."""

import pytest
from hypothesis import settings

from engine import session

# A busy machine is slow, not wrong: how long an example takes is no test's business.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def looks_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancel takes effect at the next unit, not some units later."""
    monkeypatch.setattr(session, "LOOK_SECONDS", 0.0)
