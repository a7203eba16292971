"""The certificate for STARTTLS, read again on SIGHUP."""

import logging
import ssl
from pathlib import Path

from server.settings import UserError

log = logging.getLogger("bouncemx.tls")


class Certificate:
    """`context` is what new sessions use; None offers no STARTTLS."""

    def __init__(self, certificate: Path | None, key: Path | None) -> None:
        """Raises UserError when the files are no certificate with its key."""
        self._certificate = certificate
        self._key = key
        self.context: ssl.SSLContext | None = None
        if certificate and key:
            self.context = _context(certificate, key)

    def reload(self) -> None:
        """Takes the files as they are now; a broken pair is told in the log, and the old one stays."""
        if self._certificate and self._key:
            try:
                self.context = _context(self._certificate, self._key)
            except UserError as error:
                log.error("%s; going on with the old one", error)
            else:
                log.info("certificate read again")


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"tls_certificate = {certificate}, tls_key = {key}: {error}") from None
    return context
