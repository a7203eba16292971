"""The pages: what came in and what was made of it, for people who look. They only read."""

from server.web.serving import run

__all__ = ["run"]
