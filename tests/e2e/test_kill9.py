"""What was answered 250 is captured exactly once, whatever is killed when. tests/e2e/kill9.py runs it longer."""

from pathlib import Path

from tests.e2e import kill9
from tests.e2e.service import running


def test_every_acknowledged_mail_is_captured_once(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        result = kill9.run(service, 1500, clients=4)
    assert result.kills >= 1
    assert result.lost == []
    assert result.twice == []
