"""The names of the events are what a receiver has in its code."""

from handlers.events import EventType


def test_the_names_of_the_events() -> None:
    assert {str(each) for each in EventType} == {
        "bounce.hard",
        "bounce.soft",
        "bounce.pending",
        "bounce.global",
        "bounce.cleared",
        "complaint",
        "auto_reply",
        "capture.undetectable",
        "suppression.added",
        "suppression.lifted",
        "incident.opened",
        "incident.closed",
    }
