"""The text of an error in one line, whichever library it is from."""


def one_line(error: object) -> str:
    """All of it, without its line breaks."""
    return " ".join(str(error).split())


def first_line(error: object) -> str:
    """The first line that says something; of an error without a text its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
