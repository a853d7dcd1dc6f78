"""How fast a receiver is sent to: the vendor's pace, unless a channel has its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from alertworker.channels import CONFIGS, build_channel
from alertworker.delivery.channel import Pace
from alertworker.settings import ConfigurationError, Settings, load_settings

ENVIRON = {"SLACK_WEBHOOK_URL": "https://chat.example/hooks/canary"}
TEXT = """
alertworker:
  receivers:
    - {name: x, channels: [{kind: slack, url: os.environ/SLACK_WEBHOOK_URL%s}]}
    - {name: y, channels: [{kind: slack, url: os.environ/SLACK_WEBHOOK_URL%s}]}
  route: {receiver: x, routes: [{receiver: y}]}
"""


def load(tmp_path: Path, text: str) -> Settings:
    """Load a configuration from text."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_settings(environ=ENVIRON, config=path)


def paces(tmp_path: Path, first: str, second: str = "") -> list[Pace]:
    """Return the paces of all channels. Two receivers name one of the channels with these paces."""
    settings = load(tmp_path, TEXT % tuple(f", pace: {given}" if given else "" for given in (first, second)))
    return [build_channel(config).pace for config in settings.channels]


def test_a_channels_pace_is_a_setting(tmp_path: Path) -> None:
    """Given once, it is that of every place that names the channel, the environment among them."""
    slack = Pace(interval=1.0, burst=3)
    own = Pace(interval=0.2, burst=10)

    assert paces(tmp_path, "") == [slack]
    assert paces(tmp_path, "{interval: 0.2, burst: 10}") == [own]
    assert paces(tmp_path, "", "{interval: 0.2, burst: 10}") == [own]


def test_a_pace_changes_no_name(tmp_path: Path) -> None:
    """Waiting messages stay in their channel's lane."""
    names = [{config.name for config in load(tmp_path, TEXT % (pace, "")).channels} for pace in ("", ", pace: {}")]

    assert names[0] == names[1]


def test_a_missing_field_of_a_pace_is_the_vendors(tmp_path: Path) -> None:
    """This holds for each of the two fields."""
    assert paces(tmp_path, "{interval: 0}") == [Pace(0.0, 3)]
    assert paces(tmp_path, "{burst: 1}") == [Pace(1.0, 1)]


@pytest.mark.parametrize("kind", sorted(CONFIGS.keys() - {"console"}))
def test_every_kind_has_a_pace_to_set(kind: str) -> None:
    """The terminal is the exception."""
    assert "pace" in CONFIGS[kind].model_fields


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("{intervall: 1}", "", "pace.intervall: unknown key; did you mean interval"),
        ("{interval: -1}", "", "pace.interval: "),
        ("{interval: 3601}", "", "pace.interval: "),
        ("{interval: .nan}", "", "pace.interval: "),
        ("{burst: 0}", "", "pace.burst: "),
        ("{burst: 1001}", "", "pace.burst: "),
        ("5", "", "pace: "),
        ("{interval: 3}", "{interval: 4}", "with another pace"),
    ],
)
def test_an_invalid_pace_is_an_error_with_the_reason(tmp_path: Path, first: str, second: str, words: str) -> None:
    """Also where it is given twice, and not the same."""
    with pytest.raises(ConfigurationError) as caught:
        paces(tmp_path, first, second)

    assert words in str(caught.value)
