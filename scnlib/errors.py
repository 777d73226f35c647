"""What errors say: of any library in one line, and of an option that is none of the choices."""


def one_line(error: object) -> str:
    """All of it, without its line breaks."""
    return " ".join(str(error).split())


def first_line(error: object) -> str:
    """The first line that says something; of an error without a text its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def check_choice(value: str, *choices: str) -> str:
    """The value; ValueError unless it is one of the choices (a typing error would pass for one)."""
    if value not in choices:
        raise ValueError(f"{value!r}: choose one of {', '.join(choices)}")
    return value
