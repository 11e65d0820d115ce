"""What the pages share: settings, access, the API server, feeds, history and templates."""

from __future__ import annotations

import time
from collections import OrderedDict

from canarium.view.objects import Raw
from canarium_dashboard.access.identity import Access, Identity
from canarium_dashboard.api import Api, ApiFault
from canarium_dashboard.feeds import Feeds
from canarium_dashboard.history import History
from canarium_dashboard.reads import Reads
from canarium_dashboard.security import Csrf
from canarium_dashboard.sent import SentCommands
from canarium_dashboard.settings import Settings
from canarium_dashboard.templating import environment

_NAMES = 1_000


class Dashboard:
    """What the pages share."""

    def __init__(self, settings: Settings, access: Access, api: Api) -> None:
        self.settings, self.access, self.api = settings, access, api
        self.reads = Reads(api)
        self.history = History()
        self.feeds = Feeds(api, self._observe)
        self.csrf = Csrf()
        self.sent = SentCommands()
        self.templates = environment()
        self._names: OrderedDict[str, str] = OrderedDict()

    def _observe(self, model: Raw) -> None:
        self.history.observe(model, time.time())

    async def learn_name(self, identity: Identity) -> None:
        """Asks the API server for the user name of an identity, once."""
        if identity.name or identity.key in self._names:
            return
        try:
            name = await self.reads.user(identity)
        except ApiFault:
            return
        self._names[identity.key] = name
        while len(self._names) > _NAMES:
            self._names.popitem(last=False)

    def name_of(self, identity: Identity) -> str:
        """The user name of an identity; empty while it is not known."""
        return identity.name or self._names.get(identity.key, "")

    def forget(self, identity: Identity) -> None:
        """Drops what is kept of an identity that the API server does not accept any more."""
        self.access.forget(identity)
        self._names.pop(identity.key, None)
