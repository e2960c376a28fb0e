"""TLS of servers in tests."""

import ssl

from dev.servers.objectstore import Certificate


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """Return a server's context with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context
