"""What the caller hears of, and the chats that are his.

Not here: what is delivered, and how (operations.notify).
"""

from __future__ import annotations

import time
from decimal import Decimal

from litestar import delete, get, post
from litestar.params import JSONBody

from holdfast.api.ask import Ask
from holdfast.api.routes.params import IdPath
from holdfast.api.rules import change, look
from holdfast.api.shapes import notifications as shapes
from holdfast.api.times import moment_of, moment_or_none
from holdfast.domain.money import plain
from holdfast.operations.notify.port import Subscription, Wanted
from holdfast.platform.identity.values import ForbiddenError, Scope

TAGS = ["notifications"]
_ONE = "/me/notifications/{subscription_id:str}"


@get("/me/notifications", opt=look(), tags=TAGS)
async def list_my_notifications(request: Ask) -> shapes.Subscriptions:
    """List what you hear of, how that goes, and the channels that you may use."""
    port = request.ports.notifications
    found = await port.subscriptions(request.who)
    return shapes.Subscriptions(
        items=tuple(map(_shown, found)), channels=port.channels(request.who),
        chats=len(await port.chats(request.who)),
    )  # fmt: skip


@post("/me/notifications", status_code=201, tags=TAGS, opt=change(Scope.READ))
async def add_notification(
    request: Ask, data: JSONBody[shapes.NewSubscription]
) -> shapes.Subscription:
    """Hear of something, from now on."""
    wanted = Wanted(
        name=data.name, channel=data.channel, kinds=frozenset(data.kinds),
        accounts=frozenset(data.accounts), least=Decimal(data.least),
    )  # fmt: skip
    return _shown(await request.ports.notifications.add(request.who, wanted))


@delete(_ONE, status_code=204, tags=TAGS, opt=change(Scope.READ, whose="subscription"))
async def remove_notification(request: Ask, subscription_id: IdPath) -> None:
    """Hear of it no more; what waits to be delivered is dropped."""
    await request.ports.notifications.remove(request.who, subscription_id)


@post(
    f"{_ONE}/test", status_code=204, tags=TAGS, opt=change(Scope.READ, whose="subscription")
)
async def test_notification(request: Ask, subscription_id: IdPath) -> None:
    """Let a message come like any other, to see whether it does."""
    await request.ports.notifications.test(request.who, subscription_id)


@post(
    "/me/telegram", status_code=201, tags=TAGS, opt=change(Scope.READ, shown_once=("send",))
)
async def link_telegram(request: Ask) -> shapes.TelegramLink:
    """Make a chat with Telegram's bot yours: it may then do what you may. Once, within minutes."""
    if not time.time_ns() < request.who.step_up_until_ns:
        raise ForbiddenError(
            "step_up_required",
            "seen: no session that confirmed lately; expected: one, because a chat may command; "
            "do: POST /api/v1/auth/confirm",
        )
    link = await request.ports.notifications.link(request.who)
    return shapes.TelegramLink(send=f"/start {link.code}", expires_at=moment_of(link.expires_ns))


@delete("/me/telegram", status_code=204, tags=TAGS, opt=change(Scope.READ))
async def unlink_telegram(request: Ask) -> None:
    """Let none of your chats be yours any more."""
    await request.ports.notifications.unlink(request.who)


def _shown(one: Subscription) -> shapes.Subscription:
    return shapes.Subscription(
        subscription_id=one.subscription_id, name=one.name, channel=one.channel,
        kinds=tuple(sorted(one.kinds)), accounts=tuple(sorted(one.accounts)),
        least=plain(one.least), created_at=moment_of(one.created_ns), sent=one.sent, lost=one.lost,
        waiting=one.waiting, tries=one.tries, failing_since=moment_or_none(one.failing_ns),
        why=one.why,
    )  # fmt: skip


ROUTES = [
    list_my_notifications, add_notification, remove_notification, test_notification, link_telegram,
    unlink_telegram,
]  # fmt: skip
