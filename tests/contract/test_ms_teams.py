"""Teams: an answer that means something else than its status. `REFUSES` in the vendor's file has the failures."""

from __future__ import annotations

from pydantic import SecretStr

from alertworker.channels import build_channel
from alertworker.channels.ms_teams import TeamsConfig
from tests.contract.receiver import Server


def test_a_connectors_other_200_is_a_success(server: Server) -> None:
    """A connector answers "1"."""
    channel = build_channel(TeamsConfig(name="t", url=SecretStr(server.url)))
    server.body = b"1"

    assert channel.send("{}", notification_id="n1").text == "200 1"
