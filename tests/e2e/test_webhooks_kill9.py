"""Every event is told, in order per delivery, whoever is killed. tests/e2e/webhooks_kill9.py runs it longer."""

from pathlib import Path

from tests.e2e import webhooks_kill9


def test_every_event_is_told_in_order(tmp_path: Path) -> None:
    result = webhooks_kill9.run(tmp_path, 60)
    assert result.kills == 1
    assert result.missing == set()
    assert result.disordered == []
