"""TLS contexts that trust the authorities in Secrets of users.

Theory of operation:

* A thread loads the certificates, as those of the system take 0.1 s and 64 KiB of a user's nearly
  as long. Each certificate is parsed on its own, since the interpreter is locked meanwhile.
* One context is loaded at a time, and namespaces take turns. The next load begins after a pause of
  three times the duration: certificates use a quarter of a processor at most.
* Contexts are cached by a digest of the certificates, so that many namespaces with the authority of
  their company have one. A connection can be used again only with the same context.
* Memory is bounded: the namespace whose contexts take most loses the one that it has not used for
  longest. Only `MOST_WAITING` loads of a namespace wait, as each keeps its certificates.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from canarium.api.reasons import CheckReason
from canarium.kube.clock import Timing
from canarium.kube.turns import FairTurns
from canarium.signals.credentials import CA, Unavailable
from canarium.tls import without_formalities

#: Estimated bytes of all contexts, and of one: without certificates, for each byte of these, and
#: for the authorities of the system.
MOST_BYTES = 64 << 20
_BARE, _PER_BYTE, _SYSTEM = 20_000, 16, 1 << 20
MOST_WAITING = 32
#: The pause after a load, as a multiple of its duration.
_REST = 3.0
_END = "-----END CERTIFICATE-----"
#: Digest of the certificates, and whether those of the system are trusted too.
_Key = tuple[str, bool]


class InvalidCertificates(Exception):
    """A value of `ca.crt` is not a certificate in PEM."""


@dataclass(frozen=True, slots=True)
class _Cached:
    #: The namespace that loaded it.
    namespace: str
    context: ssl.SSLContext
    size: int


class Authorities:
    """Contexts by their certificates. `load` is called in a thread."""

    def __init__(
        self,
        timing: Timing | None = None,
        load: Callable[[str, bool], ssl.SSLContext] | None = None,
    ) -> None:
        self._timing, self._load = timing or Timing(), load or trusting
        self._turns = FairTurns(1, 1, timing=self._timing)
        #: The one that was used last is at the end.
        self._cached: dict[_Key, _Cached] = {}
        self._loading: dict[tuple[str, _Key], asyncio.Future[ssl.SSLContext]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def context(
        self, namespace: str, certificates: str, *, system: bool = False
    ) -> ssl.SSLContext:
        """Returns the trust in `certificates` (PEM), and with `system` in those of the system.

        Raises InvalidCertificates, and Unavailable if too many wait.
        """
        key = (hashlib.sha256(certificates.encode()).hexdigest(), system)
        if context := self._use(key):
            return context
        result = self._loading.get((namespace, key))
        if result is None:
            if sum(1 for other, _ in self._loading if other == namespace) >= MOST_WAITING:
                text = f"too many different values of {CA} in this namespace wait to be read"
                raise Unavailable(text, CheckReason.EVALUATION_UNAVAILABLE)
            result = self._loading[namespace, key] = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self._run(namespace, key, certificates, result))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        # One that gives up does not end the load for others.
        return await asyncio.shield(result)

    async def close(self) -> None:
        """Ends all loads."""
        for task in self._tasks:
            task.cancel()
        for result in self._loading.values():
            result.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _use(self, key: _Key) -> ssl.SSLContext | None:
        cached = self._cached.pop(key, None)
        if cached is None:
            return None
        self._cached[key] = cached
        return cached.context

    async def _run(
        self,
        namespace: str,
        key: _Key,
        certificates: str,
        result: asyncio.Future[ssl.SSLContext],
    ) -> None:
        async with self._turns.turn(namespace):
            began = self._timing.clock()
            try:
                context = self._use(key)
                if context is None:
                    context = await asyncio.to_thread(self._load, certificates, key[1])
                    self._keep(namespace, key, context, len(certificates))
                _answer(result, context)
            except Exception as error:
                _answer(result, error)
            finally:
                del self._loading[namespace, key]
            if (took := self._timing.clock() - began) > 0:
                await self._timing.sleep(_REST * took)

    def _keep(self, namespace: str, key: _Key, context: ssl.SSLContext, length: int) -> None:
        size = _BARE + _PER_BYTE * length + (_SYSTEM if key[1] else 0)
        self._cached[key] = _Cached(namespace, context, size)
        self._shrink()

    def _shrink(self) -> None:
        while sum(cached.size for cached in self._cached.values()) > MOST_BYTES:
            sizes: dict[str, int] = {}
            for cached in self._cached.values():
                sizes[cached.namespace] = sizes.get(cached.namespace, 0) + cached.size
            most = max(sizes, key=lambda namespace: sizes[namespace])
            unused = next(key for key, cached in self._cached.items() if cached.namespace == most)
            del self._cached[unused]


def _answer(result: asyncio.Future[ssl.SSLContext], outcome: ssl.SSLContext | Exception) -> None:
    if result.done():
        return
    if isinstance(outcome, Exception):
        result.set_exception(outcome)
        result.exception()  # Marks it as seen: all who waited may have left.
    else:
        result.set_result(outcome)


def trusting(certificates: str, system: bool = False) -> ssl.SSLContext:
    """Returns the trust in `certificates`; it blocks. Raises
    InvalidCertificates."""
    *blocks, rest = certificates.split(_END)
    if not blocks or "CERTIFICATE-----" in rest:
        blocks.append(rest)
    try:
        context = without_formalities(ssl.create_default_context(cadata=f"{blocks[0]}{_END}\n"))
        for block in blocks[1:]:
            context.load_verify_locations(cadata=f"{block}{_END}\n")
    except (ssl.SSLError, ValueError) as error:
        raise InvalidCertificates from error
    if system:
        context.load_default_certs()
    return context
