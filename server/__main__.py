"""python -m server: the same as the bouncemx command."""

from server.cli import main

main()
