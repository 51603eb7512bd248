"""What the demo's processes are given of our environment. Their lives are in test_nodes."""

from __future__ import annotations

from holdfast.app.demo.processes import passed_on


def test_children_trust_whom_we_trust_and_get_no_key() -> None:
    trusted = {"SSL_CERT_FILE": "/etc/ours.pem", "SSL_CERT_DIR": "/etc/ours", "PATH": "/bin"}
    kept = {"BINANCE_API_KEY": "k", "DATABASE_URL": "postgresql://h/n", "JWT_SECRET": "s"}
    assert passed_on(trusted | kept) == trusted
