"""Coverage-guided fuzzing of parse(), for long runs by hand.

    python tests/fuzz/fuzz_parse.py -max_total_time=3600 FOLDER

FOLDER keeps what was found interesting; start it with the golden mails. Needs `atheris`, which is not installed with
the project.
"""

import sys

import atheris

with atheris.instrument_imports():
    from handlers.parse import parse


def test_one_input(data: bytes) -> None:
    path = (None, "", "a@b.example")[data[0] % 3] if data else None
    parse(data[1:], path)


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
