"""The operator's commands: dead letters, alerts, notifications, silences and the doctor, in real processes."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from tests.acceptance.command import GOOD, alertworker
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack

HANGING = {
    "type": "llm.request.announced",
    "call_id": "call-2",
    "model": "gpt-4o",
    "started_at": "2026-11-24T12:00:00Z",
    "last_progress_at": "2026-11-24T12:00:00Z",
    "age_seconds": 600,
    "boot_id": "boot-1",
}


def test_a_refused_message_is_a_dead_letter_that_can_be_read(stack: Stack, slack: Receiver) -> None:
    """The list has its reason, and `show` prints the message."""
    slack.answer = lambda _number, _path: (404, {}, 0.0)
    assert alertworker(stack.folder, "publish", environ=stack.env, given=json.dumps([GOOD])).returncode == 0
    letters: list[dict[str, str]] = []
    for _ in range(20):
        listed = alertworker(stack.folder, "deadletters", "list", "--json", environ=stack.env).stdout
        letters = [json.loads(line) for line in listed.splitlines()]
        if letters:
            break

    assert [(letter["kind"], letter["reason"].partition(":")[0]) for letter in letters] == [("notification", "gone")]
    assert (letters[0]["type"], letters[0]["channel"][:12]) == ("llm_exceptions", "config.yaml:")
    letter = letters[0]["id"]
    shown = json.loads(alertworker(stack.folder, "deadletters", "show", letter, environ=stack.env).stdout)
    assert "Timeout 504" in shown["holds"]["headline"]
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["gone"]
    raw = alertworker(stack.folder, "deadletters", "show", "--payload", letter, environ=stack.env).stdout
    assert json.loads(raw) == shown["holds"]

    slack.answer = lambda _number, _path: (200, {}, 0.0)
    other = alertworker(stack.folder, "deadletters", "replay", "--channel", "nowhere", environ=stack.env)
    assert other.stdout == "0 replayed\n"
    unasked = alertworker(stack.folder, "deadletters", "replay", environ=stack.env)
    assert unasked.returncode == 1
    assert "pass ids of dead letters, or a filter" in unasked.stderr
    filters = ("--reason", "gone", "--since", "1h", "--type", "llm_exceptions")  # a due report may be refused, too
    replayed = alertworker(stack.folder, "deadletters", "replay", *filters, environ=stack.env)
    assert (replayed.returncode, replayed.stdout) == (0, "1 replayed\n")
    [post] = slack.wait_for("Timeout 504", seconds=15)
    assert post.notification_id == shown["notification"]
    again = alertworker(stack.folder, "deadletters", "replay", letter, environ=stack.env)
    assert again.returncode == 1
    assert letter in again.stderr


def test_alerts_and_notifications_are_shown_whole(stack: Stack, slack: Receiver) -> None:
    """Labels, counts, members, messages and attempts are shown. Filters are channel, status, type and time."""
    assert alertworker(stack.folder, "publish", environ=stack.env, given=json.dumps([GOOD])).returncode == 0
    slack.wait_for("Timeout 504", seconds=15)

    def listed(*arguments: str) -> list[dict[str, Any]]:
        done = alertworker(stack.folder, *arguments, "--json", environ=stack.env)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def shown(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(alertworker(stack.folder, *arguments, environ=stack.env).stdout)
        return found

    [alert] = listed("alerts", "list", "--type", "llm_exceptions", "--since", "2026-11-01")
    assert listed("alerts", "list", "--type", "daily_reports") == listed("alerts", "list", "--suppressed") == []
    assert listed("alerts", "list", "--muted") == []  # the earlier name of --suppressed
    whole = shown("alerts", "show", alert["id"])
    assert (whole["count"], whole["labels"]["team"]) == (1, "search")
    assert whole["members"] == ["call-1 · search"]
    [notification] = listed("notifications", "list", "--alert", alert["id"], "--status", "sent")
    assert listed("notifications", "list", "--channel", "nowhere") == []
    assert whole["notifications"][0]["id"] == notification["id"]
    sent = shown("notifications", "show", notification["id"])
    assert sent["message"]["headline"] == alert["headline"]
    assert "Timeout 504" in json.loads(sent["body"])["text"]
    assert [attempt["outcome"] for attempt in sent["attempts_made"]] == ["sent"]

    assert alertworker(stack.folder, "publish", environ=stack.env, given=json.dumps(HANGING)).returncode == 0
    slack.wait_for("Requests are hanging", seconds=15)
    [held] = listed("alerts", "list", "--open", "--type", "llm_requests_hanging")
    acked = alertworker(stack.folder, "alerts", "ack", held["id"], "--by", "ops", "--note", "on it", environ=stack.env)
    assert acked.returncode == 0
    whole = shown("alerts", "show", held["id"])
    assert (whole["state"], whole["acked_by"], whole["ack_note"]) == ("acked", "ops", "on it")


def test_a_maintenance_window_is_listed_and_ended(tmp_path: Path) -> None:
    """It is pending before it starts. After its end only the list of all has it. An end before the start is refused."""
    assert alertworker(tmp_path, "db", "upgrade").returncode == 0
    window = (
        "silences",
        "add",
        'team="search"',
        "--start",
        "2099-01-01T10:00+01:00",
        "--reason",
        "move",
        "--by",
        "ops",
    )
    added = alertworker(tmp_path, *window, "--until", "2099-01-01T12:00+01:00")
    assert added.stdout.endswith("until 2099-01-01 11:00:00 UTC\n")
    refused = alertworker(tmp_path, *window, "--until", "2098-01-01T12:00+01:00")
    assert refused.returncode == 1
    assert "before it starts" in refused.stderr

    assert "pending" in alertworker(tmp_path, "silences", "list").stdout
    silence = added.stdout.split()[0]
    assert alertworker(tmp_path, "silences", "expire", silence).returncode == 0
    assert alertworker(tmp_path, "silences", "list").stdout == "No silences.\n"
    assert "ended" in alertworker(tmp_path, "silences", "list", "--all").stdout


def test_a_silence_takes_a_list_and_warns_of_labels_that_no_alert_has(tmp_path: Path) -> None:
    """An expression that RE2 refuses, and a silence without matchers, are refused with the name of the argument."""
    assert alertworker(tmp_path, "db", "upgrade").returncode == 0
    why = ("--reason", "move", "--by", "ops")

    added = alertworker(tmp_path, "silences", "add", '{team=~"a|b",sevrity=High,}', *why)
    assert added.returncode == 0
    assert "did you mean severity?" in added.stderr
    assert "Suppresses 0 open alerts now." in added.stderr
    both = alertworker(tmp_path, "silences", "add", 'team="a"', "--for", "1h", "--until", "2100-01-01", *why)
    assert (both.returncode, both.stderr) == (
        1,
        "alertworker: --for and --until exclude each other; pass one of them\n",
    )
    assert 'team=~"a|b" sevrity="High" · move' in alertworker(tmp_path, "silences", "list").stdout
    refused = alertworker(tmp_path, "silences", "add", "team=a", 'user=~"(?!x).*"', *why)
    assert (refused.returncode, "argument 2" in refused.stderr, "look-ahead" in refused.stderr) == (1, True, True)
    assert "would mute all alerts" in alertworker(tmp_path, "silences", "add", "{}", *why).stderr


def test_a_list_is_whole_in_a_pipe(tmp_path: Path) -> None:
    """Each row is one line below the headers, for every width of the terminal and of the longest cell."""
    assert alertworker(tmp_path, "db", "upgrade").returncode == 0
    reason = " ".join(f"word{number}" for number in range(200))
    for why in (reason, "short"):
        added = alertworker(tmp_path, "silences", "add", 'team="search"', "--reason", why, "--by", "a person of ops")
        assert added.returncode == 0

    header, *rows = alertworker(tmp_path, "silences", "list").stdout.splitlines()
    assert header.split() == ["id", "state", "from", "until", "by", "matches", "silenced"]
    assert sorted(row.partition(" · ")[2] for row in rows) == ["short", reason]
    assert all(row[header.index("by") :].startswith("a person of ops  ") for row in rows)

    header, *settings = alertworker(
        tmp_path, "check", environ={"ALERTWORKER_PUBLIC_URL": f"https://{'a' * 200}.example"}
    ).stdout.splitlines()[1:]
    assert header.split() == ["setting", "from", "value"]
    assert [row.split()[-1] for row in settings if row.startswith("public_url ")] == [f"https://{'a' * 200}.example"]
    assert [row.split() for row in settings if row.startswith("retry.factor ")] == [["retry.factor", "default", "2.0"]]
    assert [row for row in settings if row.startswith(" ")] == []


def examined(folder: Path, environ: dict[str, str]) -> tuple[int, dict[str, dict[str, str]]]:
    """Run `doctor`, and return its exit code and its findings by ``about``."""
    done = alertworker(folder, "doctor", "--json", environ=environ)
    document = json.loads(done.stdout)
    assert document["healthy"] == (done.returncode == 0)
    return done.returncode, {finding["about"]: finding for finding in document["findings"]}


def test_the_doctor_reports_a_healthy_pipeline_and_a_broken_lane(stack: Stack, slack: Receiver) -> None:
    """The exit code is 0 until a receiver's address fails. Then the lane and the dead letter are named."""
    ends = time.monotonic() + 30
    code, found = examined(stack.folder, stack.env)
    while code and time.monotonic() < ends:
        code, found = examined(stack.folder, stack.env)
    assert code == 0, found
    assert {found[about]["state"] for about in ("broker", "database", "pipeline")} == {"ok"}

    slack.answer = lambda _number, _path: (404, {}, 0.0)
    alertworker(stack.folder, "publish", environ=stack.env, given=json.dumps([GOOD]))
    ends = time.monotonic() + 30
    while not code and time.monotonic() < ends:
        code, found = examined(stack.folder, stack.env)
    [lane] = [finding for about, finding in found.items() if about.startswith("lane config.yaml:")]
    assert (lane["state"], "reported as broken" in lane["text"]) == ("PROBLEM", True)
    assert re.match("[1-9] of kind notification", found["dead letters"]["text"])  # due reports may be refused, too
    text = alertworker(stack.folder, "doctor", environ=stack.env).stdout
    assert re.search(r"^dead_letters +notification +[1-9]$", text, re.MULTILINE)


def test_the_doctor_names_unavailable_services(tmp_path: Path) -> None:
    """There is no broker and no table: both are named with a remedy, and no command hangs."""
    code, found = examined(tmp_path, {})

    assert code == 1
    assert "cannot be reached" in found["broker"]["text"]
    assert "run `alertworker db upgrade`" in found["database"]["text"]
