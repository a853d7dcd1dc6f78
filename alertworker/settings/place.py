"""Where a value of the configuration stands, and what is wrong there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """A key on a line of a file, or a source of another kind, which ``key`` then describes.

    ``rank`` is the number of files that were read before this one. Without a ``key`` the place is a line, or a file.
    ``variable`` is the name of the variable if the source is one.
    """

    key: str = ""
    file: Path | None = None
    line: int = 0
    rank: int = 0
    variable: str = ""

    def __str__(self) -> str:
        """Return the place for a person, with the path of the file as seen from the working directory.

        >>> str(Place("alertworker.route.receiver", Path.cwd() / "conf" / "config.yaml", 7))
        'conf/config.yaml:7 alertworker.route.receiver'
        >>> str(Place(file=Path("/etc/config.yaml")))
        '/etc/config.yaml'
        """
        return self.key if self.file is None else self._spell(_shown(self.file))

    @property
    def without_folder(self) -> str:
        """The place with the file's name alone, which is the same in every working directory.

        >>> Place("alertworker.route.receiver", Path("/etc/config.yaml"), 7).without_folder
        'config.yaml:7 alertworker.route.receiver'
        """
        return self.key if self.file is None else self._spell(self.file.name)

    @property
    def short(self) -> str:
        """The variable, or the file's name and the line.

        >>> Place("environment SLACK_WEBHOOK_URL", variable="SLACK_WEBHOOK_URL").short
        'SLACK_WEBHOOK_URL'
        >>> Place("alertworker.route.receiver", Path("/etc/config.yaml"), 7).short
        'config.yaml:7'
        """
        return self.variable or replace(self, key="" if self.file else self.key).without_folder

    def _spell(self, file: str) -> str:
        line = f":{self.line}" if self.line or self.key else ""
        return f"{file}{line} {self.key}".strip()


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of the configuration. Without a ``place`` the text names its source itself."""

    text: str
    place: Place | None = None

    def __str__(self) -> str:
        """Return the place and the text."""
        return self.text if self.place is None else f"{self.place}: {self.text}"

    @property
    def order(self) -> tuple[bool, int, int]:
        """The key that sorts problems by file and line. Those of the environment follow."""
        place = self.place or Place()
        return (place.file is None, place.rank, place.line)


def _shown(file: Path) -> str:
    """Return the path of a file relative to the working directory, or the absolute one if it is not below."""
    try:
        return str(file.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(file)
