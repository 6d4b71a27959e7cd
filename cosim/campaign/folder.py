# SPDX-License-Identifier: MIT
"""A campaign's folder: the state is what lies in it, so nothing can disagree with it.

    campaign.json      the definition
    scenarios/KEY.toml what each run is given
    runs/KEY/          finished runs, moved here whole
    failed/KEY/        the last failed attempt with failure.json
    attempts/          what is under way; left-overs of a killed campaign are removed
    results.parquet    one row a run, task, codec and rung

KEY is the first 16 digits of the run's key.
"""

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

from cosim.campaign.design import Design, Point
from cosim.traces import Manifest, TraceError
from cosim.traces.files import write_atomically

KEY_DIGITS = 16
LEASE = "attempts/.lease"


class CampaignFolder:
    """The folder of one campaign.

    Args:
        path: the folder; made by `prepare`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock: int | None = None

    def prepare(self, design: Design) -> None:
        """Make the folder, take its lock, remove left-overs and write the definition.

        Raises:
            TraceError: another process works on this campaign, the folder is something else's, or
                it cannot be written to.
        """
        known = (self.path / "campaign.json").is_file()
        if self.path.is_dir() and any(self.path.iterdir()) and not known:
            raise TraceError(
                f"{self.path} is not empty and not the folder of a campaign; "
                "choose another one with --out"
            )
        try:
            for name in ("scenarios", "runs", "failed", "attempts"):
                (self.path / name).mkdir(parents=True, exist_ok=True)
            self._take_lock()
            for left in (self.path / "attempts").iterdir():
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
        except OSError as error:
            raise TraceError(f"cannot make the campaign's folder {self.path}: {error}") from None
        data = {
            "format": 1,
            "name": design.name,
            "definition": design.definition,
            "base": str(design.base.resolve()),
            "fields": list(design.fields),
            "runs": [_entry(point) for point in design.points],
        }
        text = json.dumps(data, indent=1, ensure_ascii=False)
        write_atomically(self.path / "campaign.json", text.encode() + b"\n")

    def _take_lock(self) -> None:
        self._lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            raise TraceError(
                f"another process works on the campaign in {self.path}; wait for it or stop it"
            ) from None

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def definition(self) -> dict[str, Any]:
        """Return the contents of `campaign.json`.

        Raises:
            TraceError: there is none, or it is damaged.
        """
        path = self.path / "campaign.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(data, dict) and isinstance(data["runs"], list):
                return data
        except FileNotFoundError:
            raise TraceError(f"{self.path} is not the folder of a campaign") from None
        except (OSError, ValueError, KeyError) as error:
            raise TraceError(f"cannot read {path}: {error}") from None
        raise TraceError(f"{path} is no campaign")

    def scenario_file(self, point: Point) -> Path:
        """Write what a run is given and return the file."""
        path = self.path / "scenarios" / f"{point.key[:KEY_DIGITS]}.toml"
        if not path.is_file():
            write_atomically(path, point.scenario.resolved_toml().encode())
        return path

    def run_dir(self, key: str) -> Path:
        """Return where the finished run of a key lies or will lie."""
        return self.path / "runs" / key[:KEY_DIGITS]

    def is_finished(self, point: Point) -> bool:
        """Return whether a point's run is there and whole; one that is not is moved away."""
        folder = self.run_dir(point.key)
        if not folder.is_dir():
            return False
        try:
            manifest = Manifest.read(folder).data
            if (
                manifest["status"] == "finished"
                and manifest.get("scenario_hash") == point.scenario.content_hash()
                and (folder / "summary.json").is_file()
            ):
                return True
        except TraceError:
            pass
        shutil.rmtree(folder, ignore_errors=True)
        return False

    def failure(self, key: str) -> str | None:
        """Return why the last attempt of a key failed, None if it did not."""
        path = self.path / "failed" / key[:KEY_DIGITS] / "failure.json"
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["reason"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            return "unknown (failure.json is damaged)"

    def forget_failure(self, key: str) -> None:
        """Remove a failed attempt, before another one or after a success."""
        shutil.rmtree(self.path / "failed" / key[:KEY_DIGITS], ignore_errors=True)


def _entry(point: Point) -> dict[str, Any]:
    fields = json.loads(json.dumps(dict(point.fields), default=str))
    return {"key": point.key[:KEY_DIGITS], "seed": point.scenario.run.seed, "fields": fields}
