"""What does not exist is refused in one line that names what does."""

from bs4 import BeautifulSoup


def assert_one_line(error, named):
    text = str(error.value)
    assert "\n" not in text
    assert [word for word in named if word not in text] == []


def told(html):
    """The words that are shown, and none of Python's."""
    text = " ".join(BeautifulSoup(html, "html.parser").get_text(" ").split())
    assert "Traceback" not in text
    assert " object at 0x" not in text
    return text
