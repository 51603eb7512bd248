"""nginx's configuration made ready to be tried here: no name to resolve, no certificate needed.

What is replaced is only what another host has: names of upstreams, files, the user, and words that
a newer nginx knows. Not here: trying it (table).
"""

from __future__ import annotations

import datetime
import re
import shutil
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_REPLACED: Final = (
    # Of nginx 1.25.1 and 1.27.3; the one that is tried may be older.
    (r"(?m)^\s*http2\s+on\s*;", ""),
    (r"(?m)^\s*include\s+/tmp/resolver\.conf;", ""),
    (r"(?m)^(\s*server\s[^;]*?)\s+resolve\b", r"\g<1>"),
    (r"(?m)^\s*user\s+[^;]+;", ""),
    (r"(?m)^\s*pid\s+[^;]+;", ""),
    (r"(?m)^\s*load_module\s+[^;]+;", ""),
    (r"(\bserver\s+)(?!unix:)[A-Za-z][\w.-]*(:\d+)?(?=[\s;])", r"\g<1>127.0.0.1\g<2>"),
    (r"(proxy_pass\s+https?://)[a-z][\w-]*:(\d+)", r"\g<1>127.0.0.1:\g<2>"),
)


def made_ready(source: Path, target: Path) -> Path:
    """Copy the folder of `nginx.conf` and make it ready; the configuration to try.

    Args:
        source: the folder with `nginx.conf`.
        target: an empty folder, which stands in for /etc/nginx as well.
    """
    shutil.copytree(source, target, dirs_exist_ok=True)
    certificate = target / "tried.pem"
    certificate.write_bytes(self_signed())
    for path in target.rglob("*"):
        if not path.is_file() or path == certificate:
            continue
        text = path.read_text(encoding="utf-8")
        for pattern, instead in _REPLACED:
            text = re.sub(pattern, instead, text)
        text = re.sub(
            r"(?m)^(\s*ssl_(?:certificate|certificate_key|trusted_certificate)\s+)[^;]+;",
            rf"\g<1>{certificate};", text,
        )  # fmt: skip
        text = re.sub(r"(?m)^(\s*(?:access|error)_log\s+)/[^\s;]+", r"\g<1>/dev/null", text)
        for known in ("mime.types", "fastcgi_params", "proxy_params"):
            text = text.replace(f"/etc/nginx/{known}", f"{target}/{known}")
        for place in ("/etc/nginx/holdfast/", "/etc/nginx/"):
            text = text.replace(place, f"{target}/")
        if "_temp_path" not in text:  # its own folders are there where it was installed only
            text = re.sub(r"(?m)^http\s*\{", f"http {{\n{temporary(target)}", text)
        path.write_text(text, encoding="utf-8")
    mime = target / "mime.types"
    if not mime.exists():
        mime.write_text("types { text/html html; }\n", encoding="utf-8")
    return target / "nginx.conf"


def temporary(folder: Path) -> str:
    """Lines of `http` that keep what is temporary in `folder`."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)


def self_signed() -> bytes:
    """A key and a certificate of localhost, signed by itself, as one PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem) + key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
