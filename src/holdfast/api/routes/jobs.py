"""Backtests and sweeps as background jobs, and the data they run on.

Not here: doing them (platform.jobs).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter

from holdfast.api.ask import Ask
from holdfast.api.paging import DEFAULT_ITEMS, Cursor, Limit, cursor, mark
from holdfast.api.ports import Mark
from holdfast.api.problem import ProblemError
from holdfast.api.routes.params import JobPath
from holdfast.api.rules import change, look
from holdfast.api.shapes.jobs import Backtest, Datasets, Job, JobResult, Jobs, Sweep
from holdfast.api.times import moment_of, moment_or_none
from holdfast.platform.identity.values import Role, Scope
from holdfast.platform.jobs import port
from holdfast.platform.jobs.port import JobState

TAGS = ["research"]

_REPORT_POLICY: Final = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)


class _File(NamedTuple):
    media_type: str
    policy: str = "default-src 'none'; sandbox"


# What a job writes is shown by itself, away from the session of who looks at it.
_FILES: Final = {
    ".html": _File("text/html", _REPORT_POLICY),
    ".json": _File("application/json"),
    ".csv": _File("text/csv"),
}


@post("/backtests", status_code=202, tags=TAGS, opt=change(Scope.RESEARCH))
async def run_backtest(request: Ask, data: JSONBody[Backtest]) -> Job:
    """Run a strategy over recorded bars, in the background."""
    return await _submitted(request, "backtest", data)


@post("/sweeps", status_code=202, tags=TAGS, opt=change(Scope.RESEARCH))
async def run_sweep(request: Ask, data: JSONBody[Sweep]) -> Job:
    """Search a strategy's parameters over recorded bars, in the background."""
    return await _submitted(request, "sweep", data)


@get("/jobs", opt=look(), tags=TAGS)
async def list_jobs(
    request: Ask,
    kind: Annotated[str | None, QueryParameter(pattern=r"^[a-z-]{1,40}$", required=False)] = None,
    state_: Annotated[JobState | None, QueryParameter(name="state", required=False)] = None,
    cursor_: Cursor = None,
    limit: Limit = DEFAULT_ITEMS,
) -> Jobs:
    """List your jobs, newest first; administrators see everybody's."""
    begin = mark(cursor_, kind, state_)
    found = await asyncio.to_thread(
        request.ports.jobs.list,
        owner=None if request.who.role is Role.ADMIN else request.who.user_id,
        kind=kind,
        states=() if state_ is None else (state_,),
        after=None if begin is None else port.Page(begin.at_ns, begin.account),
        limit=limit + 1,
    )
    page = found[:limit]
    end = Mark(page[-1].created_at_ns, page[-1].id, 0) if len(found) > limit else None
    return Jobs(items=tuple(_shown(job) for job in page), next_cursor=cursor(end, kind, state_))


@get("/jobs/{job_id:str}", opt=look(whose="job"), tags=TAGS)
async def get_job(request: Ask, job_id: JobPath) -> Job:
    """Show a job and how far it is."""
    return _shown(await _mine(request, job_id))


@get("/jobs/{job_id:str}/result", opt=look(whose="job"), tags=TAGS)
async def get_job_result(request: Ask, job_id: JobPath) -> JobResult:
    """Show what came of a job that is done."""
    job = await _mine(request, job_id)
    if job.state is not JobState.DONE:
        raise ProblemError(
            409, "not_done", f"seen: a job that is {job.state}; expected: one that is done"
        )
    return JobResult(job_id=job.id, kind=job.kind, result=_json(job.result))


@get(
    "/jobs/{job_id:str}/files/{name:str}", opt=look(whose="job"), tags=TAGS,
    media_type="application/octet-stream",
)  # fmt: skip
async def get_job_file(
    request: Ask, job_id: JobPath, name: Annotated[str, PathParameter(pattern=r"^[\w.-]{1,100}$")]
) -> Response[bytes]:
    """Give a file that a job wrote, such as the report of a backtest."""
    job = await _mine(request, job_id)
    path = job.files.get(name)
    if path is None:
        raise ProblemError(404, "file", f"seen: no file {name}; do: GET the job for their names")
    try:
        content = await asyncio.to_thread(Path(path).read_bytes)
    except OSError as error:
        raise ProblemError(
            404, "file", "seen: the file is not on this machine; do: ask where the workers are"
        ) from error
    shown = _FILES.get(Path(name).suffix, _File("application/octet-stream"))
    return Response(
        content, media_type=shown.media_type, headers={"Content-Security-Policy": shown.policy}
    )


@post(
    "/jobs/{job_id:str}/cancel", status_code=200, tags=TAGS,
    opt=change(Scope.RESEARCH, whose="job"),
)  # fmt: skip
async def cancel_job(request: Ask, job_id: JobPath) -> Job:
    """Have a job end without a result; what has ended stays as it is."""
    job = await _mine(request, job_id)
    done = await asyncio.to_thread(request.ports.jobs.cancel, job.id)
    return _shown(done or job)


@get("/datasets", opt=look(), tags=TAGS)
async def list_datasets(request: Ask) -> Datasets:
    """List the recorded bars that a backtest can run on."""
    return Datasets(items=await request.ports.reads.datasets())


async def _submitted(request: Ask, kind: str, data: msgspec.Struct) -> Job:
    job = await asyncio.to_thread(
        request.ports.jobs.submit,
        kind,
        msgspec.json.encode(data),
        job_id=request.only_id(),
        owner=request.who.user_id,
    )
    return _shown(job)


async def _mine(request: Ask, job_id: str) -> port.Job:
    job = await asyncio.to_thread(request.ports.jobs.get, job_id)
    who = request.who
    if job is None or not (who.role is Role.ADMIN or job.owner == who.user_id):
        raise ProblemError(404, "job", "seen: no such job that you may see")
    return job


def _shown(job: port.Job) -> Job:
    return Job(
        job_id=job.id, kind=job.kind, state=job.state, progress=job.progress, note=job.note,
        owner=job.owner, attempts=job.attempt, is_cancelling=job.is_cancelling,
        error=job.error or None, input=_json(job.input), files=tuple(sorted(job.files)),
        created_at=moment_of(job.created_at_ns), started_at=moment_or_none(job.started_at_ns),
        ended_at=moment_or_none(job.ended_at_ns),
    )  # fmt: skip


def _json(text: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(text) if text else {}
    return found


ROUTES = [
    run_backtest, run_sweep, list_jobs, get_job, get_job_result, get_job_file, cancel_job,
    list_datasets,
]  # fmt: skip
