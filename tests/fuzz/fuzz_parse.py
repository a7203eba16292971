"""Coverage-guided fuzzing of parse() and of classify() on what it gives, for long runs by hand.

    python tests/fuzz/fuzz_parse.py -max_len=20000 -max_total_time=3600 -artifact_prefix=FOUND/ FOLDER

FOLDER keeps what was interesting; start it with the golden mails. The last octet chooses the reverse path. An
exception ends the run, and so does a mail that takes too long: the octets are then in FOUND. Needs `atheris`, which
is not installed with the project.
"""

import sys
import time

import atheris

with atheris.instrument_imports():
    from handlers.classify import Classifier
    from handlers.parse import parse
    from handlers.ruleset import load

SECONDS = 1.0  # of this process's own time, so that a busy machine is no bug
PATHS = (None, "", "a@b.example")
CLASSIFIER = Classifier(load())


class TooSlow(Exception):
    """One mail took longer than SECONDS."""


def test_one_input(data: bytes) -> None:
    start = time.process_time()
    report = parse(data, PATHS[data[-1] % len(PATHS)] if data else None)
    parsed = time.process_time()
    verdicts = CLASSIFIER.classify(report)
    judged = time.process_time()
    assert len(verdicts) == len(report.recipients)
    if judged - start > SECONDS:
        raise TooSlow(f"parse() took {parsed - start:.2f} s, classify() {judged - parsed:.2f} s")


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
