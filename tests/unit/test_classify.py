"""What the step makes of a report: which text is read first, what beats what, which type follows."""

import pickle

import pytest

from handlers.bounce import Verdict
from handlers.report import Report
from handlers.words import Action, BounceType, Category, Kind, Reason
from tests.unit.judged import CLASSIFIER, CONSERVATIVE, RULESET, judged, recipient


def test_one_verdict_a_recipient_in_order() -> None:
    report = Report(
        kind=Kind.FAILURE,
        recipients=(
            recipient("550 5.1.1 User unknown", status="5.1.1", smtp_code=550),
            recipient("552 5.2.2 Over quota", status="5.2.2", smtp_code=552),
        ),
    )
    assert [verdict.reason for verdict in CLASSIFIER.classify(report)] == [Reason.USER_UNKNOWN, Reason.MAILBOX_FULL]


@pytest.mark.parametrize("kind", [Kind.FAILURE, Kind.DELAY])
def test_without_recipients_there_are_no_verdicts(kind: Kind) -> None:
    assert CLASSIFIER.classify(Report(kind=kind, text="User unknown")) == ()


class TestWhatBeatsWhat:
    def test_a_label_beats_words(self) -> None:
        verdict = judged("550 5.7.1 spam, please try later. LPN007_416", status="5.7.1", smtp_code=550)
        assert (verdict.reason, verdict.rule) == (Reason.USER_UNKNOWN, "orange.user")

    def test_words_beat_the_status(self) -> None:
        reply = "550 5.2.1 <jo@rcpt.example>: User unknown (in reply to RCPT TO command)"
        verdict = judged(reply, status="5.2.1", smtp_code=550)
        assert verdict.reason is Reason.USER_UNKNOWN

    def test_the_status_beats_the_reply_code(self) -> None:
        assert judged("552 5.2.1 no", status="5.2.1", smtp_code=552).rule == "status.2_1"
        assert judged("552 no", smtp_code=552).rule == "code.552"

    def test_the_filler_status_is_no_evidence(self) -> None:
        assert judged("552 no", status="5.0.0", smtp_code=552).rule == "code.552"

    def test_microsofts_541_is_an_unknown_user_only_with_its_words(self) -> None:
        assert (
            judged("550 5.4.1 Recipient address rejected: Access denied", status="5.4.1").rule == "microsoft.edge_block"
        )
        assert judged("550 5.4.1 Sorry", status="5.4.1").reason is Reason.CONNECTION_FAILED

    def test_the_status_is_enough_where_there_is_no_text(self) -> None:
        verdict = judged(None, status="5.1.1")
        assert (verdict.reason, verdict.rule, verdict.span) == (Reason.USER_UNKNOWN, "status.1_1", "5.1.1")

    def test_nothing_known_is_unknown_and_soft(self) -> None:
        verdict = judged(None)
        assert (verdict.reason, verdict.type, verdict.rule) == (Reason.UNKNOWN, BounceType.SOFT, "none")


class TestOwnDomain:
    """Exim's "Unrouteable address": no route to a domain, or no mailbox in its own."""

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({}, Reason.DOMAIN_UNKNOWN),
            ({"reporting_mta": "mx.sender.example"}, Reason.DOMAIN_UNKNOWN),
            ({"reporting_mta": "notrcpt.example"}, Reason.DOMAIN_UNKNOWN),
            ({"reporting_mta": "rcpt.example"}, Reason.USER_UNKNOWN),
            ({"reporting_mta": "MX.rcpt.example."}, Reason.USER_UNKNOWN),
            ({"from_": "Mail Delivery System <Mailer-Daemon@rcpt.example>"}, Reason.USER_UNKNOWN),
        ],
    )
    def test_who_reports(self, fields: dict[str, str], reason: Reason) -> None:
        told = recipient("Unrouteable address", status="5.0.0", diagnostic_type=None)
        report = Report(Kind.FAILURE, recipients=(told,), **fields)  # type: ignore[arg-type]
        assert CLASSIFIER.classify(report)[0].reason is reason

    def test_two_domains_of_one_report(self) -> None:
        people = [recipient("Unrouteable address", final_recipient=f"jo@{host}", remote_mta="x.example") for host in
                  ("rcpt.example", "other.example")]  # fmt: skip
        verdicts = CLASSIFIER.classify(Report(Kind.FAILURE, recipients=tuple(people), reporting_mta="rcpt.example"))
        assert [verdict.reason for verdict in verdicts] == [Reason.USER_UNKNOWN, Reason.DOMAIN_UNKNOWN]


class TestInnerReplies:
    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            ("5.1.0 - Unknown address error 550-'5.2.2 mailbox full'", Reason.MAILBOX_FULL),
            (
                "5.3.0 - Other mail system problem 550-'Access denied, policy' (delivery attempts: 0)",
                Reason.POLICY_REJECTED,
            ),
            ("550 5.1.351 Remote server returned unknown recipient -> 552 5.2.2 Over quota", Reason.MAILBOX_FULL),
            (
                "550 permanent failure for one or more recipients (jo@rcpt.example:550 5.1.1 User unknown)",
                Reason.USER_UNKNOWN,
            ),
            ("host mx.rcpt.example[192.0.2.25] said: 554 virus found in message", Reason.VIRUS_FOUND),
            (
                "rejected by the recipient domain. The error that the other server returned was: 552 message too large",
                Reason.MESSAGE_TOO_LARGE,
            ),
            ("Connected to 192.0.2.25 but sender was rejected. Remote host said: 552 overquota", Reason.MAILBOX_FULL),
            (
                "host spam.rcpt.example[192.0.2.25] refused to talk to me: 554 IP blocked using bl.example",
                Reason.IP_BLOCKED,
            ),
            (
                "SMTP error from remote mail server after RCPT TO:<a@b.example>: host mx.example [::1]: 550 overquota",
                Reason.MAILBOX_FULL,
            ),
        ],
    )
    def test_the_inner_reply_is_read(self, reply: str, reason: Reason) -> None:
        assert judged(reply, smtp_code=550).reason is reason

    def test_what_stood_before_counts_where_the_inner_reply_says_nothing(self) -> None:
        reply = "550 5.1.1 <jo@rcpt.example>: undeliverable address: host mx.rcpt.example said: no"
        assert judged(reply, status="5.1.1").rule == "postfix.probe"

    def test_an_empty_inner_reply_leaves_the_whole(self) -> None:
        assert judged("550 Unknown user host mx.rcpt.example said: ", status="5.1.1").reason is Reason.USER_UNKNOWN


class TestNotices:
    def test_the_notice_speaks_where_the_reply_is_silent(self) -> None:
        verdict = judged("550 5.7.1 no", "Your message was refused: the mailbox is full", status="5.7.1")
        assert verdict.reason is Reason.MAILBOX_FULL

    def test_a_clear_status_field_beats_a_notices_words(self) -> None:
        text = "Delivery failed. This mail was scanned for viruses and spam by our gateway."
        verdict = judged(None, text, status="5.1.1", status_field="5.1.1", diagnostic_type=None)
        assert verdict.reason is Reason.USER_UNKNOWN

    def test_weak_rules_do_not_read_notices(self) -> None:
        text = "A temporary problem may occur. See our policy."
        assert judged(None, text, diagnostic_type=None).rule == "none"
        assert judged("451 temporary problem", smtp_code=451).rule == "words.system_error"

    def test_each_recipient_has_its_own_piece_of_the_notice(self) -> None:
        text = "ann@rcpt.example\n  User unknown\nbea@rcpt.example\n  mailbox is full\n"
        people = [
            recipient(None, final_recipient=name, diagnostic_type=None)
            for name in ("ann@rcpt.example", "bea@rcpt.example")
        ]
        verdicts = CLASSIFIER.classify(Report(kind=Kind.FAILURE, recipients=tuple(people), text=text))
        assert [verdict.reason for verdict in verdicts] == [Reason.USER_UNKNOWN, Reason.MAILBOX_FULL]

    def test_every_place_that_names_a_recipient_is_its_own(self) -> None:
        text = "ann@rcpt.example\nbea@rcpt.example\n\nann@rcpt.example: User unknown\nbea@rcpt.example: mailbox full\n"
        people = [
            recipient(None, final_recipient=name, diagnostic_type=None)
            for name in ("ann@rcpt.example", "bea@rcpt.example", "cyd@rcpt.example")
        ]
        verdicts = CLASSIFIER.classify(Report(kind=Kind.FAILURE, recipients=tuple(people), text=text))
        assert [verdict.reason for verdict in verdicts] == [Reason.USER_UNKNOWN, Reason.MAILBOX_FULL, Reason.UNKNOWN]

    def test_a_name_is_not_found_inside_of_another(self) -> None:
        text = "joann@rcpt.example: mailbox is full\nann@rcpt.example.\n User unknown\n"
        people = [
            recipient(None, final_recipient=name, diagnostic_type=None)
            for name in ("ann@rcpt.example", "joann@rcpt.example")
        ]
        verdicts = CLASSIFIER.classify(Report(kind=Kind.FAILURE, recipients=tuple(people), text=text))
        assert [verdict.reason for verdict in verdicts] == [Reason.USER_UNKNOWN, Reason.MAILBOX_FULL]

    def test_a_gateways_name_for_every_refusal_says_nothing(self) -> None:
        text = "The following message was undeliverable: 5.1.0 - Unknown address error 550-'5.7.1 no'"
        assert judged("550 5.7.1 no", text, status="5.7.1").rule == "status.5_7_1"

    def test_the_words_of_an_address_say_nothing(self) -> None:
        assert judged("550 <user-unknown@spam.example>: no", smtp_code=550, status="5.0.0").rule == "none"


class TestOddDiagnostics:
    def test_domino_folds_in_the_middle_of_words(self) -> None:
        verdict = judged("User jo (jo@rcpt.example) not li sted in Dom ino Directory", diagnostic_type="X-Notes")
        assert (verdict.reason, verdict.span) == (Reason.USER_UNKNOWN, "notlistedin")

    def test_only_domino_is_read_without_spaces(self) -> None:
        assert judged("User jo not li sted in Dom ino Directory").rule in {"none", "guess"}

    def test_x_unix_is_how_a_program_ended(self) -> None:
        assert judged("127", diagnostic_type="x-unix", status="5.0.0").reason is Reason.MAILER_ERROR

    @pytest.mark.parametrize(
        "reply",
        [
            "550 Empfänger unbekannt",
            "550 Empfaenger unbekannt",
            "550 Empf?nger unbekannt",
            r"550 Empf\344nger unbekannt",
        ],
    )
    def test_accents_may_be_lost(self, reply: str) -> None:
        assert judged(reply, smtp_code=550).rule == "de.user"

    def test_a_reply_of_several_lines(self) -> None:
        reply = (
            "550-5.1.1 The account that you tried to reach does\r\n550-5.1.1 not exist. Please check\r\n550 5.1.1 it"
        )
        assert (
            judged(reply, status="5.1.1").span == "reach does not exist" or judged(reply).reason is Reason.USER_UNKNOWN
        )

    def test_a_host_with_a_comment_is_still_that_host(self) -> None:
        verdict = judged("550 : User unknown", status="5.0.0", remote_mta="lsean.ezweb.ne.jp (TCP|192.0.2.1|25)")
        assert verdict.rule == "kddi.refused"


class TestTypes:
    @pytest.mark.parametrize(
        ("reply", "hubspot", "conservative"),
        [
            ("550 5.1.1 User unknown", BounceType.HARD, BounceType.HARD),
            ("450 4.1.1 User unknown", BounceType.SOFT, BounceType.SOFT),
            ("552 5.2.2 Mailbox is full", BounceType.HARD, BounceType.SOFT),
            ("452 4.2.2 Mailbox is full", BounceType.SOFT, BounceType.SOFT),
            ("550 5.7.1 Spam message rejected", BounceType.HARD, BounceType.SOFT),
            ("550 5.7.26 fails DMARC policy", BounceType.HARD, BounceType.SOFT),
            ("554 5.7.1 blocked using bl.example", BounceType.SOFT, BounceType.SOFT),
        ],
    )
    def test_by_profile(self, reply: str, hubspot: BounceType, conservative: BounceType) -> None:
        fields = {"status": reply.split()[1], "smtp_code": int(reply[:3])}
        report = Report(kind=Kind.FAILURE, recipients=(recipient(reply, **fields),))
        assert CLASSIFIER.classify(report)[0].type is hubspot
        assert CONSERVATIVE.classify(report)[0].type is conservative

    def test_where_status_and_code_disagree_one_4_is_enough(self) -> None:
        assert judged("421 5.1.1 User unknown", status="5.1.1", smtp_code=421).type is BounceType.SOFT

    def test_a_rule_may_know_better_than_the_code(self) -> None:
        verdict = judged("452 4.2.2 out of storage space and inactive - gsmtp", status="4.2.2", smtp_code=452)
        assert (verdict.type, verdict.category) == (BounceType.HARD, Category.MAILBOX_FULL)

    def test_a_notice_without_codes_has_given_up(self) -> None:
        assert judged("User unknown", diagnostic_type=None).type is BounceType.HARD

    @pytest.mark.parametrize(
        ("action", "kind"), [(Action.DELAYED, Kind.DELAY), (None, Kind.DELAY), (Action.DELAYED, Kind.FAILURE)]
    )
    def test_a_delay_is_pending(self, action: Action | None, kind: Kind) -> None:
        verdict = judged("550 5.1.1 User unknown", kind=kind, action=action)
        assert (verdict.reason, verdict.type) == (Reason.USER_UNKNOWN, BounceType.PENDING)

    def test_a_failure_in_a_report_of_delays_is_no_delay(self) -> None:
        assert judged("550 5.1.1 User unknown", kind=Kind.DELAY, action=Action.FAILED).type is BounceType.HARD


class TestNoBounce:
    @pytest.mark.parametrize("action", [Action.DELIVERED, Action.RELAYED, Action.EXPANDED])
    def test_what_arrived_did_not_bounce(self, action: Action) -> None:
        verdict = judged("250 2.1.5 Ok, user unknown", kind=Kind.SUCCESS, action=action)
        assert verdict == Verdict(Reason.UNKNOWN, BounceType.SOFT, Category.OTHER, "delivered")

    def test_a_report_of_failure_and_success(self) -> None:
        people = (recipient("550 Mailbox full", smtp_code=550), recipient(None, action=Action.RELAYED))
        verdicts = CLASSIFIER.classify(Report(kind=Kind.FAILURE, recipients=people))
        assert [verdict.rule for verdict in verdicts] == ["zimbra.full", "delivered"]

    def test_a_failure_in_a_report_of_success_is_judged(self) -> None:
        assert judged("550 User unknown", kind=Kind.SUCCESS).reason is Reason.USER_UNKNOWN

    @pytest.mark.parametrize("kind", [Kind.AUTO_REPLY, Kind.COMPLAINT, Kind.MDN, Kind.OTHER])
    def test_other_mail_is_not_judged(self, kind: Kind) -> None:
        assert judged("550 User unknown", kind=kind).rule == "no_bounce"


class TestExplain:
    def test_it_tells_what_was_tried_and_what_nearly_won(self) -> None:
        people = (recipient("452 4.2.2 Mailbox full, too many messages, try later", status="4.2.2", smtp_code=452),)
        explanation = CLASSIFIER.explain(Report(kind=Kind.FAILURE, recipients=people, text="Sorry."))[0]
        assert explanation.verdict == CLASSIFIER.classify(Report(kind=Kind.FAILURE, recipients=people))[0]
        assert (explanation.status, explanation.smtp_code) == ("4.2.2", 452)
        assert explanation.reply == "mailbox full too many messages try later"
        assert explanation.notice in {"", "sorry"}
        assert explanation.verdict.runner_up in dict(explanation.nearly)
        assert dict(explanation.tried)[explanation.verdict.rule] == explanation.verdict.span
        assert "status.2_2" in dict(explanation.nearly)

    def test_what_did_not_bounce_was_not_judged(self) -> None:
        people = (recipient("user unknown", action=Action.DELIVERED),)
        explanation = CLASSIFIER.explain(Report(kind=Kind.SUCCESS, recipients=people))[0]
        assert (explanation.verdict.rule, explanation.tried, explanation.nearly) == ("delivered", (), ())

    def test_the_order_is_that_of_the_tables(self) -> None:
        people = (recipient("550 5.1.1 User unknown", status="5.1.1"),)
        tried = [rule for rule, _ in CLASSIFIER.explain(Report(kind=Kind.FAILURE, recipients=people))[0].tried]
        places = {rule.id: place for place, rule in enumerate(RULESET.rules)}
        assert [places[rule] for rule in tried] == sorted(places[rule] for rule in tried)


def test_it_is_picklable() -> None:
    again = pickle.loads(pickle.dumps(CLASSIFIER))  # noqa: S301 - our own bytes
    report = Report(kind=Kind.FAILURE, recipients=(recipient("550 5.1.1 User unknown", status="5.1.1"),))
    assert again.classify(report) == CLASSIFIER.classify(report)
