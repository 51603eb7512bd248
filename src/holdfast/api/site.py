"""The dashboard's static build, from the package, with its own content security policy.

It is read once and served from memory, compressed where that is asked for. Not here: building it
(`make dashboard`).
"""

from __future__ import annotations

import gzip
import mimetypes
from pathlib import Path
from typing import Any, Final, NamedTuple

from litestar import MediaType, Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from holdfast import __version__
from holdfast.api.rules import probe, public
from holdfast.api.shapes.health import Basic, State

BUILD: Final = Path(__file__).parent / "dashboard"
"""Where the dashboard's build lands."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_LEAST_COMPRESSED: Final = 1024
_COMPRESSED: Final = ("text/", "application/javascript", "application/json", "image/svg+xml")
_FOREVER: Final = "public, max-age=31536000, immutable"

_NOT_BUILT: Final = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Holdfast</title>
<h1>The dashboard is not built</h1>
<p>The API runs: <a href="/health">/health</a>, <a href="/openapi.json">/openapi.json</a>.
<p>Build the page with <code>make dashboard</code> and start <code>holdfast api</code> again.
</html>
"""


class _File(NamedTuple):
    media_type: str
    content: bytes
    compressed: bytes
    cache: str


class Site:
    """The files of one build.

    Args:
        folder: with `index.html`; an empty or missing one gives a page that says how to build it.
    """

    def __init__(self, folder: Path = BUILD) -> None:
        self._files: dict[str, _File] = {}
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file() and path.suffix not in {".map", ".py"}:
                name = path.relative_to(folder).as_posix()
                self._files[name] = _read(path, name)
        self._index = self._files.get(
            "index.html", _File("text/html", _NOT_BUILT, b"", "no-cache")
        )

    def respond(self, name: str, request: Request[Any, Any, Any]) -> Response[bytes] | None:
        """A file by its path, the page for a browser's path without a dot; None for the rest."""
        file = self._files.get(name)
        if file is None and ("." in name.rpartition("/")[2] or not _is_browser(request)):
            return None
        return self._response(file or self._index, request)

    def page(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """The page itself."""
        return self._response(self._index, request)

    @staticmethod
    def _response(file: _File, request: Request[Any, Any, Any]) -> Response[bytes]:
        headers = {
            "Content-Security-Policy": POLICY, "Cache-Control": file.cache,
            "Vary": "Accept-Encoding",
        }  # fmt: skip
        content = file.content
        if file.compressed and "gzip" in request.headers.get("accept-encoding", ""):
            content = file.compressed
            headers["Content-Encoding"] = "gzip"
        return Response(content, media_type=file.media_type, headers=headers)


def _read(path: Path, name: str) -> _File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type == "text/javascript":
        media_type = "application/javascript"
    is_compressed = media_type.startswith(_COMPRESSED) and len(content) >= _LEAST_COMPRESSED
    # Whatever the build puts there is named by its content.
    cache = _FOREVER if name.startswith("assets/") else "no-cache"
    return _File(media_type, content, gzip.compress(content) if is_compressed else b"", cache)


def _is_browser(request: Request[Any, Any, Any]) -> bool:
    return "text/html" in request.headers.get("accept", "")


def routes(site: Site) -> list[Any]:
    """The root, which is a page for browsers and basic health for programs, and all below it."""

    @get("/", opt=probe(), include_in_schema=False, media_type=MediaType.JSON)
    async def root(request: Request[Any, Any, Any]) -> Response[Any]:
        if _is_browser(request):
            return site.page(request)
        return Response(Basic(name="holdfast", status=State.OK, version=__version__))

    @get("/{file_path:path}", opt=public(), include_in_schema=False)
    async def page(request: Request[Any, Any, Any], file_path: FromPath[str]) -> Response[Any]:
        name = file_path.lstrip("/")
        found = None if name.startswith("api/") else site.respond(name, request)
        if found is None:
            raise NotFoundException("no such path")
        return found

    return [root, page]
