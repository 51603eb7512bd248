"""Whoever keeps secrets, on loopback: a server of AWS's protocol (moto), and stand-ins that follow
the HTTP interfaces of Vault, Google Cloud and Azure as far as reading goes.

Each can hold secrets in versions, refuse, be sealed or go away. Not here: what is asked of them.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

from holdfast.secrets.aws import SecretsManager
from holdfast.secrets.azure import KeyVault
from holdfast.secrets.gcp import GoogleSecretManager
from holdfast.secrets.local import Environment, Files
from holdfast.secrets.port import Provider
from holdfast.secrets.vault import Vault
from tests.support.raw_server import self_signed

Answer = tuple[int, dict[str, Any]]


class Keeper(Protocol):
    """A provider, and the means to change what it keeps.

    Attributes:
        refer: the reference to the secret of a name that every keeper takes.
    """

    provider: Provider
    refer: Callable[[str], str]

    def write(self, name: str, value: str) -> None:
        """Another version, which is the current one from here on."""
        ...

    def deny(self) -> None:
        """Refuse whoever asks."""
        ...

    def vanish(self) -> None:
        """Answer nobody any more."""
        ...


class Site:
    """An HTTP server that answers by a function, on a thread."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.headers: dict[str, str] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._serve("GET")

            def do_POST(self) -> None:
                self._serve("POST")

            do_PUT = do_POST  # noqa: N815

            def _serve(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                site.asked.append((method, parts.path))
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                token = self.headers.get("X-Vault-Token") or self.headers.get("Authorization") or ""
                status, answer = site.answer(method, parts.path, query, token, body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in site.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def answer(
        self, method: str, path: str, query: dict[str, str], token: str, body: bytes
    ) -> Answer:
        """What a question is answered."""
        raise NotImplementedError

    def vanish(self) -> None:
        """Stop; may be called twice."""
        if self._thread.is_alive():
            self.server.shutdown()
            self._thread.join()
        self.server.server_close()


class VaultSite(Site):
    """Vault: a KV engine of version 2 at `secret`, tokens that run out, and an AppRole."""

    def __init__(self) -> None:
        self.kept: dict[str, list[dict[str, str]]] = {}
        self.tokens = {"root-token"}
        self.logins = self.renewals = 0
        self.lease_s = 3600
        self.sealed = self.denied = False
        super().__init__()
        self.environ = {
            "VAULT_ADDR": f"http://127.0.0.1:{self.port}", "VAULT_TOKEN": "root-token",
        }  # fmt: skip
        self.now_s = 0.0
        self.provider: Provider = Vault(self.environ, lambda: self.now_s)
        self.refer = lambda name: f"vault:secret/{name}"

    def write(self, name: str, value: str) -> None:
        """See `Keeper`."""
        self.kept.setdefault(name, []).append({"value": value})

    def deny(self) -> None:
        """See `Keeper`."""
        self.denied = True

    def answer(
        self, method: str, path: str, query: dict[str, str], token: str, body: bytes
    ) -> Answer:
        """As the real one, in status and shape."""
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if path == "/v1/auth/approle/login":
            given = json.loads(body)
            if (given["role_id"], given["secret_id"]) != ("holdfast", "the-role-secret"):
                return 400, {"errors": ["invalid role or secret ID"]}
            self.logins += 1
            made = f"role-token-{self.logins}"
            self.tokens.add(made)
            return 200, {"auth": self._lease(made)}
        if token not in self.tokens:
            return 403, {"errors": ["permission denied"]}
        if path == "/v1/auth/token/lookup-self":
            return 200, {"data": {"ttl": 0, "renewable": False}}
        if path == "/v1/auth/token/renew-self":
            self.renewals += 1
            return 200, {"auth": self._lease(token)}
        if self.denied:
            return 403, {"errors": ["1 error occurred: permission denied"]}
        versions = self.kept.get(path.removeprefix("/v1/secret/data/"), [])
        number = int(query.get("version", len(versions)))
        if not 0 < number <= len(versions):
            return 404, {"errors": []}
        metadata = {
            "created_time": f"2026-01-{number:02}T12:00:00.123456789Z", "version": number,
            "deletion_time": "", "destroyed": False, "custom_metadata": None,
        }  # fmt: skip
        return 200, {"data": {"data": versions[number - 1], "metadata": metadata}}

    def _lease(self, token: str) -> dict[str, Any]:
        return {"client_token": token, "lease_duration": self.lease_s, "renewable": True}


class GoogleSite(Site):
    """Google Cloud Secret Manager over REST, for the project `holdfast`."""

    def __init__(self) -> None:
        self.kept: dict[str, list[str]] = {}
        self.denied = False
        super().__init__()
        self.provider: Provider = GoogleSecretManager({}, self._client)
        self.refer = lambda name: f"gcp-sm:holdfast/{name}"

    def _client(self) -> Any:
        from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415
        from google.cloud.secretmanager_v1 import SecretManagerServiceClient  # noqa: PLC0415
        from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (  # noqa: PLC0415
            SecretManagerServiceRestTransport,
        )

        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        return SecretManagerServiceClient(
            transport=SecretManagerServiceRestTransport(
                host=f"http://127.0.0.1:{self.port}", credentials=credentials
            )
        )

    def write(self, name: str, value: str) -> None:
        """See `Keeper`."""
        self.kept.setdefault(name, []).append(value)

    def deny(self) -> None:
        """See `Keeper`."""
        self.denied = True

    def answer(
        self, method: str, path: str, query: dict[str, str], token: str, body: bytes
    ) -> Answer:
        """As the real one, in status and shape."""
        if self.denied:
            return 403, {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}
        parts = path.partition("/secrets/")[2].split("/")  # a project by its name or number
        versions = self.kept.get(parts[0], [])
        if not versions:
            return 404, {"error": {"code": 404, "message": "no such", "status": "NOT_FOUND"}}
        if len(parts) == 2:
            listed = [self._about(parts[0], n) for n in range(len(versions), 0, -1)]
            return 200, {"versions": listed[: int(query["pageSize"])], "totalSize": len(listed)}
        number, _, verb = parts[2].partition(":")
        at = len(versions) if number == "latest" else int(number)
        if at > len(versions):
            return 404, {"error": {"code": 404, "message": "no such", "status": "NOT_FOUND"}}
        about = self._about(parts[0], at)
        if verb != "access":
            return 200, about
        data = base64.b64encode(versions[at - 1].encode()).decode()
        return 200, {"name": about["name"], "payload": {"data": data}}

    @staticmethod
    def _about(name: str, number: int) -> dict[str, str]:
        return {
            "name": f"projects/7/secrets/{name}/versions/{number}",
            "createTime": f"2026-01-{number:02}T12:00:00Z", "state": "ENABLED",
        }  # fmt: skip


class AzureSite(Site):
    """Azure Key Vault with TLS, which its library insists on."""

    def __init__(self, directory: Path) -> None:
        self.kept: dict[str, list[str]] = {}
        self.denied = False
        self._authority = directory / "self-signed.pem"
        self._authority.write_bytes(self_signed("127.0.0.1"))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self._authority)
        super().__init__(tls)
        tenant, resource = "https://login.microsoftonline.com/holdfast", "https://vault.azure.net"
        self.headers = {
            "WWW-Authenticate": f'Bearer authorization="{tenant}", resource="{resource}"'
        }
        self.provider: Provider = KeyVault(self._client)
        self.refer = lambda name: f"azure-kv:127.0.0.1:{self.port}/{name}"

    def _client(self, url: str) -> Any:
        from azure.core.credentials import AccessToken  # noqa: PLC0415
        from azure.keyvault.secrets import SecretClient  # noqa: PLC0415

        class Credential:
            def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
                return AccessToken("a-token", 4_000_000_000)

        return SecretClient(
            url, Credential(), verify_challenge_resource=False, retry_total=0,
            connection_verify=str(self._authority),
        )  # fmt: skip

    def write(self, name: str, value: str) -> None:
        """See `Keeper`."""
        self.kept.setdefault(name, []).append(value)

    def deny(self) -> None:
        """See `Keeper`."""
        self.denied = True

    def answer(
        self, method: str, path: str, query: dict[str, str], token: str, body: bytes
    ) -> Answer:
        """As the real one, in status and shape."""
        if not token:
            return 401, {}
        if self.denied:
            return 403, {"error": {"code": "Forbidden", "message": "no"}}
        _, _, name, version = (*path.split("/"), "")[:4]
        versions = self.kept.get(name, [])
        if version == "versions":
            return 200, {"value": [self._about(name, n) for n in range(1, len(versions) + 1)]}
        at = int(version or len(versions))
        if not 0 < at <= len(versions):
            return 404, {"error": {"code": "SecretNotFound", "message": "no such"}}
        return 200, {**self._about(name, at), "value": versions[at - 1]}

    def _about(self, name: str, number: int) -> dict[str, Any]:
        created = 1_767_268_800 + number * 86_400
        attributes = {"enabled": True, "created": created, "updated": created}
        where = f"https://127.0.0.1:{self.port}/secrets/{name}/{number}"
        return {"id": where, "attributes": attributes}


class AwsKeeper:
    """AWS Secrets Manager as moto serves it."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer  # noqa: PLC0415

        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        _, port = self._server.get_host_and_port()
        self.url = f"http://127.0.0.1:{port}"
        urlopen(Request(f"{self.url}/moto-api/reset", method="POST")).close()  # one per process
        self.provider: Provider = SecretsManager("eu-central-1", self.url)
        self.refer = lambda name: f"aws-sm:{name}"

    def by_default(self) -> SecretsManager:
        """A provider that has to find the region by itself."""
        return SecretsManager(endpoint=self.url)

    def client(self) -> Any:
        """For who changes secrets."""
        import boto3  # noqa: PLC0415

        return boto3.client("secretsmanager", region_name="eu-central-1", endpoint_url=self.url)

    def write(self, name: str, value: str) -> None:
        """See `Keeper`."""
        client = self.client()
        try:
            client.create_secret(Name=name, SecretString=value)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=value)

    def vanish(self) -> None:
        """See `Keeper`; may be called twice."""
        if self._server._server is not None:
            self._server.stop()
            self._server._server = None


class EnvironmentKeeper:
    """Variables, with `_PREVIOUS` for the version before."""

    def __init__(self) -> None:
        self._environ: dict[str, str] = {}
        self.provider: Provider = Environment(self._environ)
        self.refer = lambda name: f"env:{_variable(name)}"

    def write(self, name: str, value: str) -> None:
        """See `Keeper`."""
        name = _variable(name)
        if name in self._environ:
            self._environ[f"{name}_PREVIOUS"] = self._environ[name]
        self._environ[name] = value

    def vanish(self) -> None:
        """Nothing is open."""


class FileKeeper:
    """Files, with `.previous` for the version before."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.provider: Provider = Files()
        self.refer = lambda name: f"file:{directory / name}"

    def write(self, name: str, value: str) -> None:
        """See `Keeper`."""
        path = self._directory / name
        if path.exists():
            path.replace(self._directory / f"{name}.previous")
        path.write_text(value)
        path.chmod(0o600)

    def vanish(self) -> None:
        """Nothing is open."""


KEEPERS = ("env", "file", "aws-sm", "gcp-sm", "azure-kv", "vault")


@contextmanager
def keeper_of(kind: str, directory: Path) -> Iterator[Any]:
    """One of them, until the block ends."""
    made: dict[str, Callable[[], Any]] = {
        "env": EnvironmentKeeper, "file": lambda: FileKeeper(directory), "aws-sm": AwsKeeper,
        "gcp-sm": GoogleSite, "azure-kv": lambda: AzureSite(directory), "vault": VaultSite,
    }  # fmt: skip
    before = dict(os.environ)
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    keeper = made[kind]()
    try:
        yield keeper
    finally:
        keeper.vanish()
        os.environ.clear()
        os.environ |= before


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
