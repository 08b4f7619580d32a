"""What does not exist is refused in one line that names what does."""


def assert_one_line(error, named):
    text = str(error.value)
    assert "\n" not in text
    assert [word for word in named if word not in text] == []
