import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user's directory of one's own: progress is kept there."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path
