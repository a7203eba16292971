"""The HTTP API under /api/v1: JSON for programs, in the words of the commands. docs/api.md tells how to use it."""
