"""A TCP server on loopback that does to each request exactly what a test tells it.

Not here: any idea of an exchange; for that there is the local exchange.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Heard:
    """What the server heard.

    Attributes:
        connections: how many were accepted.
        requests: each request's first line, in order of arrival.
        heads: each request's bytes.
        hung_up: how many connections the client ended while a request was waited for.
    """

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.requests: list[str] = []
        self.heads: list[bytes] = []
        self.hung_up = 0

    @property
    def url(self) -> str:
        """Where it listens, as plain HTTP."""
        return f"http://127.0.0.1:{self.port}"


class Conversation:
    """One accepted connection."""

    def __init__(
        self, heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._heard = heard
        self._reader = reader
        self._writer = writer

    async def request(self) -> str:
        """The first line of the next request (without a body), empty at the end."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            self._heard.hung_up += 1
            return ""
        self._heard.heads.append(head)
        line = head.split(b"\r\n", 1)[0].decode()
        self._heard.requests.append(line)
        return line

    async def say(self, raw: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(raw)
        await self._writer.drain()

    async def reply(self, body: bytes, status: str = "200 OK", headers: str = "") -> None:
        """Send a whole reply; `headers` are complete lines."""
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        await self.say(head.encode() + body)

    def reset(self) -> None:
        """Tear the connection down with RST."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Talk = Callable[[Conversation], Awaitable[None]]


@asynccontextmanager
async def raw_server(
    talk: Talk, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Heard]:
    """Serve `talk` on a free port; a connection is closed when its talk returns."""
    heard = Heard()
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        writers.append(writer)
        try:
            await talk(Conversation(heard, reader, writer))
        finally:
            writer.close()

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    heard.port = server.sockets[0].getsockname()[1]
    try:
        yield heard
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()


def unused_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Certified:
    """A server's certificate for one name, signed by itself, and how both sides use it.

    Attributes:
        server: for `raw_server`.
        client: trusts this certificate and no other, and checks the name.
        asked_for: the names that clients asked for while connecting, None where there was none.
    """

    def __init__(self, name: str, folder: Path) -> None:
        pem = folder / f"{name}.pem"
        pem.write_bytes(self_signed(name))
        self.asked_for: list[str | None] = []
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(pem)
        self.server.sni_callback = lambda _socket, asked, _context: self.asked_for.append(asked)
        self.client = ssl.create_default_context(cafile=pem)


def self_signed(name: str) -> bytes:
    """Key and certificate of today, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    try:
        general: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        general = x509.DNSName(name)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([general]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
