"""A process of ours made of real and fake parts."""

from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import SecretStr

from shared.db import Database
from shared.engine.definitions import Definitions
from shared.service import Services
from shared.settings import Settings
from shared.storage import Storage
from shared.telegram.client import SharedBot, TelegramFiles
from shared.telegram.governor import Governor
from shared.wakeups import Wakeups
from tests.fakes.engine import FakeEngine
from tests.fakes.storage import FakeStorage

TOKEN = "1000001:sandbox-token"


def settings_with(**values: Any) -> Settings:
    """The settings of a process; nothing is where they point unless ``values`` say so."""
    known: dict[str, Any] = {
        "database_url": "postgresql://nowhere",
        "bot_token": SecretStr(TOKEN),
        "telegram_api_url": "http://127.0.0.1:1",
        "engine_url": "http://127.0.0.1:1/engine-rest",
        "r2_public_url": "https://files.example.org",
        "messages_per_s": 1000.0,
        "rate_answer_s": 20.0,
        "chat_burst": 1000,
        "group_messages_per_min": 2000.0,
        "poll_s": 0.2,
    }
    return Settings(**known | values)


@dataclass
class Fakes:
    """Services over a real database, with an engine and a bucket in memory."""

    db: Database
    bot: SharedBot | None = None
    files: TelegramFiles | None = None
    settings: Settings = field(default_factory=settings_with)
    wakeups: Wakeups = field(default_factory=lambda: Wakeups("postgresql://nowhere"))
    engine: FakeEngine = field(default_factory=FakeEngine)
    bucket: FakeStorage = field(default_factory=FakeStorage)
    real_storage: Storage | None = None
    """A bucket of a real server instead."""

    @property
    def services(self) -> Services:
        """What the parts of a process are given."""
        return Services(
            settings=self.settings,
            db=self.db,
            wakeups=self.wakeups,
            engine=self.engine.client,
            definitions=Definitions(self.engine.client),
            storage=self.real_storage or self.bucket.storage,
            bot=cast("SharedBot", self.bot),
            governor=Governor(self.db, self.settings),
            files=cast("TelegramFiles", self.files),
        )
