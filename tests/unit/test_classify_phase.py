"""The step of the SMTP dialogue that was refused, and what it makes of the same words."""

import pytest

from handlers.evidence import Evidence, Notice
from handlers.report import Report
from handlers.words import BounceType, Kind, Reason
from tests.unit.judged import CLASSIFIER, CONSERVATIVE, judged, recipient, report_of


class TestPhase:
    def test_an_unknown_user_after_data_is_a_filter(self) -> None:
        assert judged("550 Unknown user (in reply to end of DATA command)").reason is Reason.RECIPIENT_FILTERED
        assert judged("550 Unknown user (in reply to RCPT TO command)").reason is Reason.USER_UNKNOWN

    def test_a_transcript_tells_the_phase(self) -> None:
        text = "mx.rcpt.example:\n>>> DATA\n<<< 550 Unknown user jo\n"
        assert judged("550 Unknown user jo", text, status="5.0.0").reason is Reason.RECIPIENT_FILTERED

    def test_a_reply_below_its_address_is_to_no_later_command(self) -> None:
        said, codes = "550 User <jo> unknown", {"status": "5.0.0", "smtp_code": 550}
        assert judged(said, f"<jo@rcpt.example>:\n <<< {said}\n", **codes).reason is Reason.USER_UNKNOWN
        assert judged(said, f"It was refused:\n{said}\n", **codes).reason is Reason.RECIPIENT_FILTERED

    @pytest.mark.parametrize("frame", ["Destination host responded:", "Bad SMTP reply from server:"])
    def test_what_frames_a_reply_is_no_host_that_does_not_exist(self, frame: str) -> None:
        assert judged(f"{frame} 550 5.1.1 <jo@rcpt.example>: user does not exist").reason is Reason.USER_UNKNOWN

    def test_a_511_stands_even_after_data(self) -> None:
        """sendmail pipelines: the refusal of RCPT is printed behind its DATA."""
        text = ">>> DATA\n<<< 550 5.1.1 User unknown\n<<< 503 need RCPT\n"
        assert judged("550 5.1.1 User unknown", text, status="5.1.1").reason is Reason.USER_UNKNOWN

    def test_cisco_tells_the_phase_by_its_own_status(self) -> None:
        assert judged("5.3.0 - Other mail system problem 550-'Unknown user'").reason is Reason.RECIPIENT_FILTERED
        assert judged("5.1.0 - Unknown address error 550-'Unknown user'").reason is Reason.USER_UNKNOWN

    @pytest.mark.parametrize("status", [None, "5.0.0", "5.2.1", "5.7.1"])
    def test_without_a_step_an_unknown_user_may_be_a_filters_word(self, status: str | None) -> None:
        verdict = CONSERVATIVE.classify(report_of(recipient("550 User unknown", status=status, smtp_code=550)))[0]
        assert (verdict.reason, verdict.type) == (Reason.RECIPIENT_FILTERED, BounceType.SOFT)

    @pytest.mark.parametrize(
        "fields",
        [
            {"status": "5.1.1"},
            {"status": "5.0.0", "reply": "550 User unknown (in reply to RCPT TO command)"},
            {"status": "5.0.0", "reply": "550 User unknown in local recipient table"},
            {"status": None, "reply": "User unknown", "smtp_code": None},
        ],
    )
    def test_what_confirms_an_unknown_user(self, fields: dict[str, object]) -> None:
        told = recipient(**{"reply": "550 User unknown", "smtp_code": 550} | fields)  # type: ignore[arg-type]
        assert CONSERVATIVE.classify(report_of(told))[0].type is BounceType.HARD

    @pytest.mark.parametrize(
        ("text", "phase"),
        [
            ("host mx.rcpt.example[192.0.2.25] refused to talk to me: 421 no", "connect"),
            ("Connected to 192.0.2.25 but greeting failed.", "connect"),
            ("Connected to 192.0.2.25 but sender was rejected.", "mail"),
            ("192.0.2.25 does not like recipient.", "rcpt"),
            ("192.0.2.25 failed on DATA command", "data"),
            ("192.0.2.25 failed after I sent the message.", "end"),
            ("mx.rcpt.example [192.0.2.25] did not like our RCPT TO:", "rcpt"),
            ("mx.rcpt.example [192.0.2.25] did not like our final DATA:", "end"),
            ("no connection got far enough; most progress was RCPT TO response; remote host said", "rcpt"),
            ("The error that the other server returned was: 550 no (state 14)", "rcpt"),
            ("The error that the other server returned was: 550 no (state 18)", "end"),
            ("(in reply to end of DATA command)", "end"),
            ("after MAIL FROM:<ann@sender.example>", None),
            ("SMTP error from remote mail server after MAIL FROM:<ann@sender.example>", "mail"),
            (">>> RCPT To:<jo@rcpt.example>\n<<< 250 ok\n>>> DATA\n<<< 550 no", "data"),
            (">>> DATA\n<<< 550 No one here\n550 5.1.1 <jo@rcpt.example>... User unknown\n<<< 503 No", "rcpt"),
            (">>> DATA\n<<< 550 Nothing for you\n554 5.0.0 Service unavailable", "data"),
            ("The database does not talk.", None),
        ],
    )
    def test_how_a_notice_tells_the_step(self, text: str, phase: str | None) -> None:
        report = report_of(recipient("550 no"), text)
        assert Evidence.of(report, Notice.of(report), report.recipients[0]).phase() == phase

    def test_each_recipient_has_its_own_step(self) -> None:
        text = (
            "<ann@rcpt.example>: host mx said: 550 Unknown user (in reply to RCPT TO command)\n"
            "<bea@rcpt.example>: host mx said: 550 Unknown user (in reply to end of DATA command)\n"
        )
        people = [
            recipient("550 Unknown user", final_recipient=name, smtp_code=550)
            for name in ("ann@rcpt.example", "bea@rcpt.example")
        ]
        verdicts = CLASSIFIER.classify(Report(kind=Kind.FAILURE, recipients=tuple(people), text=text))
        assert [verdict.reason for verdict in verdicts] == [Reason.USER_UNKNOWN, Reason.RECIPIENT_FILTERED]
