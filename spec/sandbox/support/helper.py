"""What a program imports from beside itself."""


def answer():
    """Where this came from."""
    return "from the source"
