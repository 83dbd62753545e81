"""All configuration: environment variables, read once at the start of a process."""

from functools import cached_property
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared import texts
from shared.errors import ConfigurationError
from shared.quiet import Hours, read_hours, zone_of

FILESIZE_DOWNLOAD, FILESIZE_DOWNLOAD_LOCAL_MODE = 20_000_000, 2_000_000_000
"""In bytes; the second where the Bot API server is one's own (https://core.telegram.org/bots/api#getfile)."""

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class TopicSettings(BaseSettings):
    """What a command needs to know that works without an engine and a database."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    topic_modules: CommaSeparated = Field(
        default=(), description="modules of further topics, comma-separated"
    )

    @field_validator("topics", "topic_modules", mode="before", check_fields=False)
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value


class Settings(TopicSettings):
    """The settings of every process; a field's name in capitals is its environment variable."""

    database_url: str = Field(default="", description="PostgreSQL, postgresql://USER:PASSWORD@HOST:PORT/NAME")
    database_direct_url: str | None = Field(
        default=None, description="the same database past a transaction pooler, for LISTEN and leadership"
    )

    engine_url: str = Field(default="", description="REST root of Camunda 7 or Operaton, …/engine-rest")
    engine_username: str | None = None
    engine_password: SecretStr | None = None
    engine_users_group_id: str | None = Field(
        default=None, description="engine group that people of /start join"
    )

    bot_token: SecretStr = SecretStr("")
    telegram_api_url: str = Field(
        default="https://api.telegram.org", description="BASE of BASE/bot<TOKEN>/method"
    )
    webhook_url: str | None = Field(default=None, description="public address; updates come by webhook")
    webhook_secret: SecretStr | None = None
    listen_address: str = Field(
        default="127.0.0.1:8443", description="HOST:PORT of the webhook and the upload page"
    )
    upload_page_url: str | None = Field(
        default=None, description="public address of LISTEN_ADDRESS; people get a page for larger files"
    )
    upload_link_s: int = Field(
        default=3600, gt=0, le=7 * 86_400, description="how long a link to that page waits to be used"
    )

    r2_access_key_id: str | None = None
    r2_secret_access_key: SecretStr | None = None
    r2_endpoint_url: str | None = None
    r2_bucket_name: str | None = None
    r2_public_url: str | None = None
    file_link_s: int = Field(
        default=86_400, ge=0, le=7 * 86_400, description="life of a file's presigned address; 0: none is made"
    )

    topics: CommaSeparated = Field(default=(), description="topics to work on, comma-separated; empty: all")
    worker_id: str = Field(default="stepgram", description="lock owner of human steps, one for the fleet")
    fetch_lock_s: int = Field(default=30, gt=0, description="short lock, until a step has its row")
    lease_s: int = Field(default=86_400, gt=60, description="long lock of a parked step")
    poll_s: float = Field(
        default=5.0, gt=0, le=8, description="long poll of fetchAndLock, below the stop limit"
    )
    claim_s: float = Field(default=10.0, gt=0, description="a dead process's work is taken over after it")
    withdrawal_interval_s: float = Field(default=3.0, gt=0)
    sweep_interval_s: float = Field(default=600.0, gt=0)
    sweep_alarm_share: float = Field(
        default=0.05, ge=0, le=1, description="if more seems to be gone at once, nothing is withdrawn"
    )
    undeliverable_after_s: float = Field(default=7 * 86_400, gt=0)
    keep_closed_s: float = Field(default=30 * 86_400, ge=86_400, description="then what is over is deleted")
    keep_updates_s: float = Field(
        # Telegram delivers for a day, and may give an update_id once more after a week of quiet.
        default=3 * 86_400,
        ge=86_400,
        lt=7 * 86_400,
        description="then handled updates are deleted",
    )
    keep_set_aside_s: float = Field(
        default=180 * 86_400, ge=86_400, description="then what was set aside is deleted"
    )
    prune_interval_s: float = Field(default=600.0, gt=0)
    automated_concurrency: int = Field(default=4, gt=0, description="automated steps at once in one process")
    upload_max_bytes: int = Field(
        default=2_000_000_000, gt=0, description="largest file that is taken from a person"
    )
    uploads_at_once: int = Field(default=4, gt=0, description="files on their way in one bot process")
    telegram_local_files: bool = Field(
        default=False, description="TELEGRAM_API_URL is a Bot API server of one's own, run with --local"
    )
    person_files_a_day: int = Field(default=200, gt=0, description="files a person may send within a day")
    person_bytes_a_day: int = Field(default=10_000_000_000, gt=0, description="bytes, likewise")
    group_files_a_day: int = Field(default=1000, gt=0, description="files a group may send within a day")
    group_bytes_a_day: int = Field(default=50_000_000_000, gt=0, description="bytes, likewise")
    clamd_address: str | None = Field(
        default=None, description="where ClamAV's clamd listens: a socket's path or HOST:PORT; unset: no scan"
    )
    archive_max_entries: int = Field(default=10_000, gt=0, description="files in an archive, at all depths")
    archive_max_bytes: int = Field(default=2_000_000_000, gt=0, description="unpacked, at all depths")
    archive_max_ratio: int = Field(default=100, gt=0, description="unpacked by packed, beyond 16 MB")
    archive_max_depth: int = Field(default=1, ge=0, description="how deep archives may lie in an archive")
    messages_per_s: float = Field(default=30.0, gt=0, description="budget of the bot")
    messages_burst: int = Field(default=15, gt=0, description="messages of the bot at once, then its rate")
    chat_messages_per_s: float = Field(default=1.0, gt=0)
    chat_burst: int = Field(default=15, gt=0, description="messages to a chat at once, then its rate")
    chat_prompts_at_once: int = Field(
        default=10, gt=0, description="unanswered steps shown in a chat; the rest follow as they are answered"
    )
    group_messages_per_min: float = Field(default=20.0, gt=0)
    allow_paid_broadcast: bool = Field(default=False, description="pay Telegram for more than 30 a second")
    rate_answer_s: float = Field(
        default=0.25, gt=0, description="so long may the database take to grant a message"
    )
    rate_fallback_share: float = Field(
        default=0.1, gt=0, le=1, description="one process's part of the budget without the database"
    )
    quiet_hours: str | None = Field(
        default=None, description="HH:MM-HH:MM by TIME_ZONE, in which nobody is reminded"
    )
    time_zone: str = Field(
        default="UTC",
        description="IANA name, of quiet hours and of times that are shown to who has not chosen one",
    )
    default_language: str = Field(
        default=texts.DEFAULT, description="of groups, and of people whose Telegram has none of ours"
    )
    health_address: str | None = Field(
        default=None, description="HOST:PORT of /livez, /readyz and /metrics; unset: not served"
    )
    log_format: str = Field(default="text", pattern="^(text|json)$")
    log_level: str = "INFO"

    @field_validator("upload_page_url")
    @classmethod
    def _page_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        address = urlsplit(value)
        if address.scheme not in {"https", "http"} or not address.hostname or address.query:
            raise ValueError(f"found {value!r}, and an address is expected, like https://bot.example.org")
        return value.rstrip("/")

    @field_validator("quiet_hours")
    @classmethod
    def _hours(cls, value: str | None) -> str | None:
        if value is not None:
            read_hours(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if zone_of(value) is None:
            raise ValueError(f"found {value!r}, and an IANA name is expected, like Europe/Berlin")
        return value

    @field_validator("default_language")
    @classmethod
    def _language(cls, value: str) -> str:
        if value not in texts.LANGUAGES:
            raise ValueError(f"found {value!r}; allowed: {', '.join(texts.say('languages'))}")
        return value

    @property
    def telegram_file_bytes(self) -> int:
        """The largest file that Telegram gives a bot, by the Bot API's documentation of getFile."""
        return FILESIZE_DOWNLOAD_LOCAL_MODE if self.telegram_local_files else FILESIZE_DOWNLOAD

    @cached_property
    def quiet(self) -> Hours | None:
        """The quiet hours of everybody."""
        return None if self.quiet_hours is None else read_hours(self.quiet_hours)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of everybody."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def bot_id(self) -> int:
        """The bot's own user id: the number before the colon of its token.

        Raises:
            ConfigurationError: BOT_TOKEN is missing or not a token.
        """
        head, _, tail = self.bot_token.get_secret_value().partition(":")
        if not (head.isdigit() and tail):
            raise ConfigurationError(
                "BOT_TOKEN is missing or malformed; BotFather gives one, like 123456:ABC-DEF"
            )
        return int(head)


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: a variable is missing or malformed; the message names each.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors()
        )
        raise ConfigurationError(f"the environment is not complete: {problems}; see .env.example") from error
