"""The sender: outbox -> queue -> endpoints -> what came of it, in turns.

A turn is one transaction that stores the answers so far and queues what is new, and one that picks what to send next.
The tries of all endpoints run at once between the turns; how many at one endpoint is bounded, so a slow one has only
its own slots to fill.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, RowMapping

from server.webhooks.patience import Health, Patience, State
from server.webhooks.post import Answer, Post
from storage import forgetting, webhook_queue, webhook_tries
from storage.database import Database, DatabaseUnusable
from storage.webhook_queue import Busy, Due
from storage.webhook_tries import Tried

log = logging.getLogger("bouncemx.webhooks")

AT_ONCE = 8  # tries at one endpoint
_AHEAD = 50  # picked for one endpoint, so that it need not wait for a turn
_ALL_AHEAD = 2000
_EVENTS = 500  # read in one turn
_IDLE_SECONDS = 0.25  # between two looks at the outbox
_GATHER_SECONDS = 0.02  # for more answers behind the first: they share a transaction
_LONGEST_PAUSE = 5.0  # while the database is away
_PURGE_SECONDS = 3600.0
_LAST_SECONDS = 3.0  # for what is under way at the end
Tries = list[tuple[Due, Answer]]


@dataclass(frozen=True, slots=True)
class Sending:
    """What a sender goes by."""

    patience: Patience = field(default_factory=Patience)
    history: timedelta = timedelta(days=30)
    events: timedelta = timedelta(days=365)  # kept in the outbox
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


class Sender:
    """One at a time: what is under way it knows by heart."""

    def __init__(self, db: Database, post: Post, sending: Sending) -> None:
        self._db, self._post, self._sending = db, post, sending
        self._under_way: dict[int, Due] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: Tries = []
        self._slots: defaultdict[int, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self._unwell: set[int] = set()  # endpoints that stopped taking: what was picked for them goes back
        self._woken = asyncio.Event()
        self._has_more = False  # in the outbox than one turn took
        self._ending = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Sends until `stopping`."""
        pause, purge_at = _IDLE_SECONDS, 0.0
        now = asyncio.get_running_loop().time
        while not stopping.is_set():
            try:
                await self.turn()
                if now() >= purge_at:
                    await asyncio.to_thread(self._purge)
                    purge_at = now() + _PURGE_SECONDS
                pause = _IDLE_SECONDS
            except DatabaseUnusable as away:
                pause = min(2 * pause, _LONGEST_PAUSE)
                log.warning("%s; trying again in %.1f s", away, pause)
                await _wait(stopping, pause)
            else:
                await self._rest(stopping, pause)
        await self.finish()

    async def turn(self) -> None:
        """Stores, queues, picks, and starts the next tries. Raises DatabaseUnusable; what is to be stored is kept."""
        done, self._done = self._done, []
        try:
            due, more = await asyncio.to_thread(self._transact, done, self._busy())
        except BaseException:
            self._done = done + self._done
            raise
        for answered, _ in done:
            del self._under_way[answered.id]
        self._unwell -= {each.webhook_id for each in due}
        for each in due:
            self._under_way[each.id] = each
            task = asyncio.create_task(self._try(each))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._has_more = more

    async def finish(self) -> None:
        """Awaits what is under way for a moment and stores it; what is cut off is sent again by the next sender."""
        self._ending = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_LAST_SECONDS)
            for task in late:
                task.cancel()
        try:
            await asyncio.to_thread(self._store, self._done)
        except DatabaseUnusable as away:
            log.warning("%d answers are not stored, and their events sent again: %s", len(self._done), away)

    async def _try(self, due: Due) -> None:
        async with self._slots[due.webhook_id]:
            if due.webhook_id in self._unwell or self._ending:
                del self._under_way[due.id]
                return
            answer = await self._send(due)
        if answer.detail:
            log.info("webhook %d: %s (%s)", due.webhook_id, answer.error, answer.detail)
        self._done.append((due, answer))
        self._woken.set()

    async def _send(self, due: Due) -> Answer:
        at = self._sending.clock()
        try:
            body = json.dumps(due.content, ensure_ascii=False, separators=(",", ":"))
            return await self._post.send(due.url, due.secrets, due.name, body, at)
        except Exception:  # a fault of ours must not keep the event from being tried again
            log.exception("webhook %d: %s could not be sent", due.webhook_id, due.name)
            return Answer(at, 0, error="it could not be sent; the log says why")

    async def _rest(self, stopping: asyncio.Event, pause: float) -> None:
        """Until an answer is there, or for a while."""
        if not self._done and not self._has_more:
            self._woken.clear()
            waits = [asyncio.ensure_future(event.wait()) for event in (self._woken, stopping)]
            await asyncio.wait(waits, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for each in waits:
                each.cancel()
            if self._done:
                await asyncio.sleep(_GATHER_SECONDS)

    def _busy(self) -> dict[int, list[Due]]:
        busy = defaultdict(list)
        for due in self._under_way.values():
            busy[due.webhook_id].append(due)
        return busy

    def _transact(self, done: Tries, busy: dict[int, list[Due]]) -> tuple[list[Due], bool]:
        with self._db.reader() as connection:
            has_news = webhook_queue.has_news(connection)
        read = self._store(done) if done or has_news else 0
        answered = {due.id for due, _ in done}
        left = {id_: [due for due in dues if due.id not in answered] for id_, dues in busy.items()}
        with self._db.reader() as connection:
            return self._pick(connection, left), read == _EVENTS

    def _store(self, done: Tries) -> int:
        with self._db.writer() as connection:
            if done:
                self._unwell |= store(connection, done, self._sending.patience)
            return webhook_queue.fan_out(connection, self._sending.clock(), _EVENTS)

    def _pick(self, connection: Connection, busy: dict[int, list[Due]]) -> list[Due]:
        now = self._sending.clock()
        found: list[Due] = []
        for endpoint in webhook_queue.ready(connection, now):
            dues = busy.get(endpoint["id"], [])
            slots = 1 if endpoint["state"] == State.BROKEN else _AHEAD
            free = min(slots - len(dues), _ALL_AHEAD - len(found) - sum(map(len, busy.values())))
            if free > 0:
                under_way = Busy([due.id for due in dues], [due.delivery_id for due in dues if due.delivery_id])
                found += webhook_queue.pick(connection, endpoint, now, free, under_way)
        return found

    def _purge(self) -> None:
        now = self._sending.clock()
        for purge, kept in (
            (webhook_tries.purge, self._sending.history),
            (forgetting.forget, self._sending.events),
        ):
            while self._some(purge, now - kept):
                pass

    def _some(self, purge: Callable[[Connection, datetime], int], before: datetime) -> int:
        with self._db.writer() as connection:
            return purge(connection, before)


def store(connection: Connection, done: Sequence[tuple[Due, Answer]], patience: Patience) -> set[int]:
    """The answers, and what they say of their endpoints; those that are to be left alone."""
    rows = webhook_tries.healths(connection, {due.webhook_id for due, _ in done})
    webhook_tries.record(connection, [_tried(due, answer, patience) for due, answer in done])
    unwell = {due.webhook_id for due, _ in done} - rows.keys()
    for webhook_id, row in rows.items():
        before = health = _health(row)
        answers = [answer for due, answer in done if due.webhook_id == webhook_id]
        for answer in answers:
            health = _after(health, answer, patience)
        if health != before:
            webhook_tries.put_health(connection, webhook_id, asdict(health))
            _follow(connection, webhook_id, before, health, answers[-1].at, patience)
        if health.state is not State.ENABLED:
            unwell.add(webhook_id)
    return unwell


def _follow(
    connection: Connection, webhook_id: int, before: Health, health: Health, at: datetime, patience: Patience
) -> None:
    """What a change of an endpoint means for its queue."""
    if health.state is not before.state:
        log.warning("webhook %d is %s%s", webhook_id, health.state, f": {health.why}" if health.why else "")
    if before.state is State.BROKEN and health.state is State.ENABLED:
        webhook_tries.wake(connection, webhook_id, at)
    if health.broken_since and at - health.broken_since >= patience.lifetime:
        webhook_tries.bury(connection, webhook_id, at - patience.lifetime, at, health.why or "")


def _after(health: Health, answer: Answer, patience: Patience) -> Health:
    if answer.is_taken:
        return health.succeeded()
    return health.gone(answer.why) if answer.is_gone else health.failed(answer.why, answer.at, answer.ended, patience)


def _tried(due: Due, answer: Answer, patience: Patience) -> Tried:
    pause = patience.pause(due.tries + 1, answer.retry_after)
    is_late = answer.at - due.queued_at >= patience.lifetime
    state = "delivered" if answer.is_taken else "dead" if is_late else "queued"
    return Tried(
        due.id,
        answer.at,
        answer.milliseconds,
        answer.status,
        answer.error,
        answer.excerpt,
        state,
        answer.ended + pause,
        None if answer.is_taken else answer.why,
    )


def _health(row: RowMapping) -> Health:
    return Health(State(row["state"]), row["failures"], row["broken_since"], row["probe_at"], row["why"])


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
