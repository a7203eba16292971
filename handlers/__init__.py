"""What happens to a bounce: values in, values out; no sockets, no SQL.

The way of a bounce, each step in its own module:

    recipients    RCPT: which forward paths we take (verp: the signed tokens, replies: every reply we say)
    pipeline      the list of the steps that follow
    authenticate  SPF, DKIM and DMARC of the capture
    parse         bytes -> Report
    match         Report + Envelope -> Links to what was sent
    classify      Report -> a Verdict for each recipient
    detached      which notices nobody can tie to a message
    apply         what follows: bounces, suppressions

Words: words (closed vocabularies), envelope (RFC 5321), report (RFC 3464), bounce (verdicts and links).
What the steps need from outside is a Protocol in ports.
"""
