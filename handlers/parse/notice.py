"""One mail as the readers see it: its own words apart from what it carries of others. Worked out when asked for."""

from handlers.parse import addresses, gateway, headers, language, markup, original, phrases
from handlers.parse.lazy import lazy
from handlers.parse.mime import Mail, Part
from handlers.parse.signs import Signs
from handlers.report import Original

TEXT_CHARACTERS = 64 * 1024  # looked at
_HEADER_LIMIT = 4000  # characters of one decoded header


class Notice:
    """A mail, its reverse path, and what follows from both."""

    def __init__(self, raw: bytes, reverse_path: str | None) -> None:
        self.mail = Mail(raw)
        self.fields = self.mail.root.headers
        self.faults = self.mail.faults
        if reverse_path is None:
            path = self.header("return-path")
            reverse_path = path.strip(" <>") if path else None
        self.reverse_path = reverse_path

    def header(self, name: str) -> str:
        """A field of the mail, decoded; "" where it has none."""
        value = self.fields.get(name)
        return headers.text(value[:_HEADER_LIMIT]) if value else ""

    @lazy
    def signs(self) -> Signs:
        """What speaks for its kind."""
        return Signs(self)

    @lazy
    def signature(self) -> gateway.Signature | None:
        """The product that signed the mail."""
        return gateway.recognise(self.fields)

    @lazy
    def subject(self) -> str:
        return self.header("subject")

    @lazy
    def from_(self) -> str:
        return self.header("from")

    @lazy
    def own_addresses(self) -> frozenset[str]:
        """Addresses of the notice itself: who sent it, and to whom. They never failed."""
        named = (self.header(n) for n in ("from", "to", "sender", "reply-to", "return-path", "delivered-to"))
        found = {a.lower() for value in named for a in addresses.unique(value, 8)}
        if self.reverse_path:
            found.add(self.reverse_path.lower())
        return frozenset(found)

    @lazy
    def to_addresses(self) -> frozenset[str]:
        """Whom the notice was sent to; somebody who mails himself fails at his own address."""
        return frozenset(a.lower() for a in addresses.unique(self.header("to"), 8))

    @lazy
    def _text_parts(self) -> list[Part]:
        """text/plain leaves, or text/html ones where no plain leaf says anything."""
        leaves = self.mail.leaves
        plain = [leaf for leaf in leaves if leaf.type == "text/plain" and leaf.body[:2000].strip()]
        if plain and any(len(leaf.body) > 20 for leaf in plain):
            return plain
        rich = [leaf for leaf in leaves if leaf.type == "text/html"]
        if rich:
            return rich
        others = [leaf for leaf in leaves if leaf.type.startswith("text/") and leaf.type not in original.HEADERS]
        return plain or [leaf for leaf in others if leaf.type != "text/calendar"]

    @lazy
    def whole_text(self) -> str:
        """All text leaves, decoded, with what is quoted in them."""
        out: list[str] = []
        size = 0
        for part in self._text_parts:
            text, guessed = part.text()
            if guessed and "charset_guessed" not in self.faults:
                self.faults.append("charset_guessed")
            if part.type == "text/html" or (part.type == "text/plain" and text[:200].lstrip()[:6].lower() == "<html>"):
                text = markup.to_text(text)
            out.append(text)
            size += len(text)
            if size > TEXT_CHARACTERS:
                break
        return "\n".join(out)[:TEXT_CHARACTERS].replace("\r", "\n").replace("\0", "")

    @lazy
    def returned(self) -> Original | None:
        """The original as a part."""
        return original.find_part(self.mail)

    @lazy
    def _cut(self) -> tuple[str, Original | None]:
        if self.returned is not None and "eceived:" not in self.whole_text:
            return self.whole_text, None  # no copy of its header beside the part
        return original.cut(self.whole_text)

    @lazy
    def text(self) -> str:
        """The notice's own words."""
        return self._cut[0]

    @lazy
    def own(self) -> str:
        """The text without lines that quote another mail; sendmail's ">>> RCPT" lines are no quotes."""
        if not self.text.startswith(">") and "\n>" not in self.text:
            return self.text
        return "\n".join(line for line in self.text.split("\n") if line[:1] != ">" or line[:4] == ">>> ")

    @lazy
    def original(self) -> Original | None:
        return self.returned or self._cut[1]

    @lazy
    def folded(self) -> phrases.Folded:
        return phrases.Folded(self.own[:16384])

    @lazy
    def folded_subject(self) -> phrases.Folded:
        return phrases.Folded(self.subject[:500])

    @lazy
    def language(self) -> str | None:
        return language.detect(self.text) or language.detect(self.subject)

    @lazy
    def addresses(self) -> list[tuple[int, int, str]]:
        return addresses.find(self.text, 400)
