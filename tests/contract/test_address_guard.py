"""The addresses that a channel sends to: as configured, and again as their names are resolved."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from alertworker.channels import address_guard, build_channel
from alertworker.channels.email.channel import EmailConfig
from alertworker.channels.slack import SlackConfig
from alertworker.delivery.retry import DeliveryError, Reason
from tests.contract.kinds import channel_to, config_to, every_http_kind
from tests.contract.receiver import Server

PRIVATE = [
    "10.0.0.7",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",  # a cloud's metadata service
    "100.64.0.1",  # a carrier's network
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "fe80::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:7",
    "2002:0a00:0007::1",
    "fec0::1",
    "64:ff9b:1::a00:7",
    "::10.0.0.1",
    "::8.8.8.8",
    "192.0.0.9",
    "192.88.99.1",
    "::ffff:0:8.8.8.8",
    "3fff::1",
    "5f00::1",
]
TEN = (ip_network("10.0.0.0/8"),)


def answers(*addresses: str) -> Callable[..., list[Any]]:
    """Return a resolver that answers with these addresses."""

    def look_up(_host: object, port: int, **_: object) -> list[Any]:
        families = {True: socket.AF_INET6, False: socket.AF_INET}
        return [
            (families[":" in address], socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
            for address in addresses
        ]

    return look_up


@pytest.mark.parametrize("address", PRIVATE)
@every_http_kind
def test_an_address_of_a_neighbour_is_refused_when_it_is_configured(kind: str, address: str) -> None:
    """The error has the remedy, and does not repeat the address."""
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(ValidationError, match="allowed_networks") as caught:
        config_to(kind, f"https://{host}")
    assert address not in str(caught.value)


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.1", "0x7f000001", "012.0.0.1", "8.8.2056", "10.0.0.07"])
def test_an_address_in_another_form_is_refused(host: str) -> None:
    """Its meaning depends on the C library. This machine, too, has a usual name."""
    with pytest.raises(ValidationError, match="four numbers with dots"):
        SlackConfig(name="s", url=SecretStr(f"https://{host}/x"))
    with pytest.raises(ValidationError, match="four numbers with dots"):
        EmailConfig(name="m", host=host, sender="a@b.example", recipients=("c@d.example",))


@pytest.mark.parametrize("address", [*PRIVATE, "127.0.0.1", "::1", "::ffff:127.0.0.1"])
@every_http_kind
def test_a_name_that_leads_to_a_neighbour_is_refused_when_it_is_connected(
    kind: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check is of the address that is connected to. This machine is allowed only under its own name."""
    channel = channel_to(kind, "https://receiver.example")
    monkeypatch.setattr(socket, "getaddrinfo", answers(address))
    with pytest.raises(DeliveryError) as caught:
        channel.send("{}", notification_id="n1")
    assert caught.value.reason is Reason.REFUSED


def test_of_a_names_addresses_only_those_that_may_are_tried(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private address among them is skipped."""
    port = int(server.url.rpartition(":")[2])
    monkeypatch.setattr(socket, "getaddrinfo", answers("10.0.0.7", "127.0.0.1"))
    channel = build_channel(SlackConfig(name="s", url=SecretStr(f"http://localhost:{port}/x")))
    assert channel.send("{}", notification_id="n1").text == "200 ok"


@every_http_kind
def test_plain_http_does_not_leave_the_machine(kind: str) -> None:
    """Without TLS a channel sends only to this machine and to allowed networks."""
    for address in (
        "http://receiver.example",
        "http://93.184.216.34",
        "ftp://receiver.example",
        "receiver",
        "http://[",
    ):
        with pytest.raises(ValidationError, match="https://"):
            config_to(kind, address)


def test_a_network_of_ours_may_be_sent_to(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds with and without TLS, by address and by name. Other networks stay forbidden."""
    for address in ("https://10.1.2.3", "http://10.1.2.3", "http://receiver.internal"):
        SlackConfig(name="s", url=SecretStr(address), allowed_networks=TEN)
    with pytest.raises(ValidationError):
        SlackConfig(name="s", url=SecretStr("https://192.168.0.1"), allowed_networks=TEN)

    port = int(server.url.rpartition(":")[2])
    loopback = (ip_network("127.0.0.0/8"),)
    channel = build_channel(
        SlackConfig(name="s", url=SecretStr(f"http://receiver.internal:{port}/x"), allowed_networks=loopback)
    )
    monkeypatch.setattr(socket, "getaddrinfo", answers("127.0.0.1"))
    assert channel.send("{}", notification_id="n1").text == "200 ok"
    monkeypatch.setattr(socket, "getaddrinfo", answers("93.184.216.34"))
    with pytest.raises(DeliveryError) as caught:  # public, but in plain text
        channel.send("{}", notification_id="n1")
    assert caught.value.reason is Reason.REFUSED


@pytest.mark.parametrize(("pattern", "host"), [("chat.corp", "chat.corp"), ("*.corp", "CHAT.corp"), ("chat", "chat")])
def test_a_host_of_ours_may_have_a_private_address(
    pattern: str, host: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in plain text, since there is no certificate for such names. An address needs allowed_networks."""
    config = SlackConfig(name="s", url=SecretStr(f"http://{host}:9/x"), allowed_hosts=(pattern,))
    for address in ("10.1.2.3", "192.168.0.4", "fd12::1", "::ffff:10.1.2.3"):
        assert address_guard.admits(host, address, tls=False, allowed=config.allowed)
    with pytest.raises(ValidationError, match="allowed_networks"):
        SlackConfig(name="s", url=SecretStr("https://10.1.2.3"), allowed_hosts=(pattern,))

    monkeypatch.setattr(socket, "getaddrinfo", answers("10.1.2.3", "127.0.0.1"))
    tried: list[object] = []

    def connect(_self: object, address: tuple[object, ...]) -> None:
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(DeliveryError) as caught:
        build_channel(config).send("{}", notification_id="n1")
    assert (caught.value.reason, tried) == (Reason.UNREACHABLE, ["10.1.2.3"])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1"])
@pytest.mark.parametrize("address_of_metadata", ["100.100.100.200", "fd00:ec2::254", "64:ff9b::a9fe:a9fe"])
def test_a_host_of_ours_does_not_lead_to_this_machine_or_to_metadata(address: str, address_of_metadata: str) -> None:
    """A DNS server must not make a worker connect to its own services, or to those of the cloud."""
    allowed = address_guard.AllowedAddresses(hosts=("chat.corp",))

    for found in (address, address_of_metadata):
        assert not address_guard.admits("chat.corp", found, tls=True, allowed=allowed)
    # Public, but in plain text.
    assert not address_guard.admits("chat.corp", "93.184.216.34", tls=False, allowed=allowed)


@pytest.mark.parametrize("host", ["other.corp", "chat.corp.evil.example", "evilchat.corp", "corp"])
def test_a_host_that_is_not_named_is_not_ours(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is rebound to a private address is refused."""
    config = SlackConfig(name="s", url=SecretStr(f"https://{host}"), allowed_hosts=("chat.corp", "*.chat.corp"))
    monkeypatch.setattr(socket, "getaddrinfo", answers("10.1.2.3"))
    with pytest.raises(DeliveryError) as caught:
        build_channel(config).send("{}", notification_id="n1")
    assert caught.value.reason is Reason.REFUSED


@pytest.mark.parametrize("name", ["10.0.0.1", "fd00::1", "https://chat.corp", "chat.corp:80", "*", "a.*.corp", ""])
def test_only_names_are_hosts(name: str) -> None:
    """An address needs allowed_networks."""
    with pytest.raises(ValidationError):
        SlackConfig(name="s", url=SecretStr("https://receiver.example"), allowed_hosts=(name,))


def test_behind_a_proxy_the_proxy_judges(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy has a private address itself, and the receiver's name is not looked up here."""
    monkeypatch.setenv("http_proxy", server.url)
    channel = build_channel(SlackConfig(name="s", url=SecretStr("http://receiver.internal/x"), allowed_networks=TEN))
    assert channel.send("{}", notification_id="n1").text == "200 ok"


def test_a_mail_server_is_guarded_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host name is checked. Without TLS it must be this machine or in an allowed network."""
    mail = {"name": "m", "sender": "a@b.example", "recipients": ("c@d.example",)}
    monkeypatch.setattr(socket, "getaddrinfo", answers("169.254.169.254"))
    with pytest.raises(DeliveryError) as caught:
        build_channel(EmailConfig(host="mail.example", **mail)).send(MAIL, notification_id="n1")
    assert caught.value.reason is Reason.REFUSED
    with pytest.raises(ValidationError, match="tls"):
        EmailConfig(host="mail.example", tls="none", **mail)
    EmailConfig(host="mail.internal", tls="none", allowed_networks=TEN, **mail)


MAIL = '{"subject": "s", "text": "t", "html": "h", "thread": "a"}'


@pytest.mark.parametrize(("host", "mine"), [("localhost", True), ("127.0.0.5", True), ("::1", True), ("a.test", False)])
def test_this_machine_is_known_by_its_own_names(host: str, mine: bool) -> None:
    """No other name is."""
    assert address_guard.is_loopback(host) is mine
