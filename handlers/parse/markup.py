"""HTML to lines of text, for notices that have no text part."""

import re

HTML_CHARACTERS = 256 * 1024
_BLOCK = "br, p, div, tr, li, h1, h2, h3, h4, table, hr, blockquote, pre, dt, dd"
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0]{1,200}")


def to_text(html: str) -> str:
    """Visible text, a block a line. Never raises: the parser takes any tag soup."""
    from selectolax.lexbor import LexborHTMLParser  # HTML-only notices are few

    tree = LexborHTMLParser(html[:HTML_CHARACTERS].replace("\n", " "))
    for hidden in tree.css("style, script, head, title"):
        hidden.decompose()
    for block in tree.css(_BLOCK):
        block.insert_before("\n")
        if block.tag not in {"br", "hr"}:
            block.insert_after("\n")
    for cell in tree.css("td, th"):
        cell.insert_after(" ")
    body = tree.body
    text = body.text(deep=True) if body is not None else ""
    return "\n".join(line.strip() for line in _BLANKS.sub(" ", text).split("\n"))
