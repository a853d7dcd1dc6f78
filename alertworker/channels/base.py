"""The behaviour that channels share. A channel's own file holds only what is special about its vendor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final, Generic, TypeVar

from alertworker.alerts.message import Message
from alertworker.channels import http
from alertworker.channels.config import ChannelConfig, UrlConfig
from alertworker.delivery.channel import Answer, Pace

Config = TypeVar("Config", bound=ChannelConfig)
UrlConfigT = TypeVar("UrlConfigT", bound=UrlConfig)

JSON: Final = "application/json"


class BaseChannel(ABC, Generic[Config]):
    """A channel that takes every message that is routed to it, one after the other."""

    #: The model of this kind's configuration.
    config_class: ClassVar[type[Any]]
    #: A URL on one of these hosts, or on a subdomain of one, belongs to this kind.
    hosts: ClassVar[tuple[str, ...]] = ()
    #: Whether the receiver is a program, which gets strings as they are and a document for each message.
    for_programs: ClassVar[bool] = False
    #: Whether the receiver is elsewhere, so that it can be tested as a service.
    is_remote: ClassVar[bool] = True
    #: Whether the receiver is a chat, see `ChatChannel`.
    is_chat: ClassVar[bool] = False
    #: Whether a message pages a person.
    is_pager: ClassVar[bool] = False
    #: LiteLLM's name for a service that may be a channel of this kind, where it differs from the kind.
    litellm_service: str | None = None
    #: How fast the vendor takes messages. A configuration may set another pace.
    pace = Pace()
    #: How many waiting messages may become one. 0 means that each message is sent by itself.
    digest_size: int = 0
    #: How many messages of different alerts may be sent at once.
    parallel: int = 1
    #: Whether the receiver wants a message for each call of a customer.
    tracks_spend: bool = False
    #: Whether a message opens something at the receiver, which stays open until a message resolves it.
    keeps_open: bool = False

    def __init__(self, config: Config) -> None:
        self.name = config.name
        self.kind = config.kind
        self.pace = config.paced(self.pace)
        self._config = config

    def takes(self, _message: Message, /) -> bool:
        """Return whether this receiver wants such a message at all."""
        return True

    @abstractmethod
    def render(self, message: Message) -> str:
        """Return the body to send. See `alertworker.delivery.channel.Channel`."""

    @abstractmethod
    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt and return the receiver's answer. See `alertworker.delivery.channel.Channel`."""


class HttpChannel(BaseChannel[UrlConfigT]):
    """A channel that posts its body to the configured URL."""

    content_type: ClassVar[str] = JSON

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt. Every attempt of one notification carries the same id."""
        return http.post(self._config, body, self.headers(body, notification_id))

    def headers(self, _body: str, notification_id: str, /) -> dict[str, str]:
        """Return the headers of one attempt."""
        return {"Content-Type": self.content_type, "X-Alertworker-Notification": notification_id}


class ChatChannel(HttpChannel[UrlConfigT]):
    """A channel that posts to a chat, in the vendor's own form, which no other vendor takes."""

    is_chat = True
