"""LiteLLM's ``include``: files are merged by its rules, bounded, and each error names its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from alertworker.settings import ConfigurationError, Settings, load_settings
from alertworker.settings.place import Problem
from alertworker.settings.yaml_files import read_sections


def write(folder: Path, **files: str) -> Path:
    """Write YAML files, and return the file that is named ``config``."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder / "config.yaml"


def load(folder: Path, **files: str) -> Settings:
    """Load ``config`` with the files it includes."""
    return load_settings(environ={}, config=write(folder, **files))


def problems(folder: Path, **files: str) -> str:
    """Return the report."""
    with pytest.raises(ConfigurationError) as caught:
        load(folder, **files)
    return str(caught.value)


def test_an_included_section_takes_the_place_of_the_files_own(tmp_path: Path) -> None:
    """Whole, as in LiteLLM: what the file itself said there no longer holds; the origin is the included file."""
    settings = load(
        tmp_path,
        config="include: [more.yaml]\ngeneral_settings: {alerting_threshold: 7, spend_report_frequency: 1d}\n",
        more="general_settings:\n  alerting_threshold: 9\nlitellm_settings: {timezone: Europe/Berlin}\n",
    )

    assert (settings.alerting_threshold, settings.spend_report_frequency) == (9, "7d")
    assert settings.origins["alerting_threshold"] == "more.yaml:2 general_settings.alerting_threshold"
    assert settings.time_zone == "Europe/Berlin"


def test_files_are_read_in_litellms_order(tmp_path: Path) -> None:
    """Those of the file itself before what they include; the last one wins, each is read once, and lists add up."""
    path = write(
        tmp_path,
        config="include: [a.yaml, b.yaml, config.yaml]\nmodel_list: [0]\nwho: config\n",
        a="include: [c.yaml, a.yaml]\nmodel_list: [1]\nwho: a\n",
        b="model_list: [2]\nwho: b\n",
        c="include: [b.yaml]\nmodel_list: [3]\nwho: c\n",
    )
    reported: list[Problem] = []
    found = read_sections(path, reported, [])

    assert (found["model_list"].value, found["who"].value, reported) == ([0, 1, 2, 3], "c", [])
    assert "include" not in found


def test_a_nested_file_is_beside_the_one_that_names_it_else_beside_the_root(tmp_path: Path) -> None:
    """LiteLLM searches in the same order."""
    nested = {"config": "include: [in/a.yaml]\n", "in__a": "include: [b.yaml]\n"}
    beside_root = {"b": "general_settings: {alerting_threshold: 1}\n"}
    assert load(tmp_path, **nested, **beside_root).alerting_threshold == 1
    beside = {"in__b": "general_settings: {alerting_threshold: 2}\n"}
    assert load(tmp_path, **nested, **beside_root, **beside).alerting_threshold == 2


@pytest.mark.parametrize(
    ("include", "more", "words"),
    [
        ("[none.yaml]", "", ["none.yaml: the file cannot be read", "correct config.yaml:1 include[0]"]),
        ("[more.yaml]", "[1]", ["more.yaml: the file must be a mapping, not list"]),
        ("[more.yaml]", "a: [", ["more.yaml:1: invalid YAML"]),
        ("[more.yaml]", "alertworker: {shadwo: true}", ["more.yaml:1 alertworker.shadwo: unknown key"]),
        ("more.yaml", "", ["config.yaml:1 include: must be a list of paths"]),
        ("[1]", "", ["config.yaml:1 include: must be a list of paths"]),
        (".", "", ["config.yaml:1 include: must be a list of paths"]),
        ("[.]", "", ["the file cannot be read (Is a directory); correct config.yaml:1 include[0]"]),
        ("[/dev/zero]", "", ["/dev/zero: it is not a regular file; correct config.yaml:1 include[0]"]),
        ("\n- more.yaml\n- pipe", "", ["pipe: it is not a regular file; correct config.yaml:3 include[1]"]),
        ('["a\\0b"]', "", ["the path is not valid; correct config.yaml:1 include[0]"]),
        (str([f"n{number}.yaml" for number in range(200)]), "", ["includes more than 100 files"]),
    ],
)
def test_an_error_names_its_file(tmp_path: Path, include: str, more: str, words: list[str]) -> None:
    """For a missing file it also names the place in the including file."""
    os.mkfifo(tmp_path / "pipe")
    reported = problems(tmp_path, config=f"include: {include}\n", more=more)

    assert all(word in reported for word in words), reported


def test_a_file_is_named_by_its_path_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error shows which of two files with the same name is meant. A file elsewhere has its full path."""
    wrong = "alertworker: {shadwo: true}\n"
    files = {"config": "include: [team/config.yaml]\n", "team__config": wrong}

    monkeypatch.chdir(tmp_path)
    assert problems(tmp_path, **files).startswith("team/config.yaml:1 alertworker.shadwo: unknown key")
    monkeypatch.chdir(tmp_path / "team")
    assert problems(tmp_path, **files).startswith("config.yaml:1 alertworker.shadwo: unknown key")
    assert problems(tmp_path, config=wrong).startswith(f"{tmp_path}/config.yaml:1 alertworker.shadwo: unknown key")


def test_errors_are_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    """A person corrects a file from its beginning to its end. Those of the environment follow."""
    path = write(
        tmp_path,
        config="general_settings: {alerting_threshold: soon}\ninclude:\n- a.yaml\n- none.yaml\n- b.yaml\n",
        a="environment_variables:\n  SLACK_WEBHOOK_URL: os.environ/NOWHERE\n",
        b="alertworker:\n  route: {receiver: x}\n  retry:\n    frist: 3\n  http_port: many\n",
    )
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={"ALERTWORKER_DATABASE_URL": "\0"}, config=path)

    assert [line.split()[0] for line in str(caught.value).splitlines()] == [
        "config.yaml:1",
        "a.yaml:2",
        "none.yaml:",
        "b.yaml:2",
        "b.yaml:4",
        "b.yaml:5",
        "ALERTWORKER_DATABASE_URL:",
    ]


def test_a_channels_label_is_the_same_in_every_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Matchers name it, and processes compare it."""
    url = "https://hooks.slack.com/services/T0/B0/canary"
    for folder in (tmp_path, Path("/")):
        monkeypatch.chdir(folder)
        (channel,) = load(
            tmp_path, config=f"general_settings: {{alert_to_webhook_url: {{llm_exceptions: '{url}'}}}}"
        ).channel_labels.by_name.values()
        assert channel == "config.yaml:1"


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    """Before it is read whole."""
    path = write(tmp_path, config="include: [more.yaml, large.yaml]\n")
    (tmp_path / "more.yaml").write_bytes(b"\xff\xfe\x00")
    with (tmp_path / "large.yaml").open("wb") as large:
        large.truncate(17 * 1024 * 1024)
    reported: list[Problem] = []
    read_sections(path, reported, [])

    assert [
        "more.yaml: the file is not UTF-8 text" in str(reported[0]),
        "large.yaml: the file is larger than 16 MiB" in str(reported[1]),
    ] == [True, True]


def test_what_is_not_a_file_with_an_end_is_not_read(tmp_path: Path) -> None:
    """A device has no end, and a pipe may have no writer. A link to a file is fine: orchestrators make such."""
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path, real="general_settings: {alerting_threshold: 7}\n")
    (tmp_path / "link").symlink_to("real.yaml")
    for path in (Path("/dev/zero"), tmp_path / "pipe"):
        with pytest.raises(ConfigurationError, match="it is not a regular file; check --config or ALERTWORKER_CONFIG"):
            load_settings(environ={}, config=path)
        with pytest.raises(ConfigurationError, match="ALERTWORKER_API_KEY_FILE: it is not a regular file"):
            load_settings(environ={"ALERTWORKER_API_KEY_FILE": str(path)}, config=tmp_path / "real.yaml")

    assert load_settings(environ={}, config=tmp_path / "link").alerting_threshold == 7
