"""A work folder belongs to one setting: another one's pictures would be mixed into its report without a word."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..checks import short, some_of
from ..errors import SteeringError
from ..files import parse_object, read_text, write_text
from ..models.diffusion import DiffusionModel
from ..models.sampling import precision_of
from ..work_files import digest, discard_damaged
from .plan import Plan
from .subject import Subject

NAME, LOCK = "setting.json", ".lock"


def run_fingerprint(command: str, model: DiffusionModel, plan: Plan, subjects: Sequence[Subject], **more: Any) -> dict:
    """What of a command decides its pictures, as JSON values.

    How many are computed together, what measures them and on how many machines may change when work goes on.
    """
    kept = {part.name: getattr(plan, part.name) for part in fields(plan) if part.name != "batch"}
    about = {f"plan.{name}": dict(value) if isinstance(value, Mapping) else value for name, value in kept.items()}
    for subject in subjects:
        prompts = {split: [asdict(prompt) for prompt in some] for split, some in subject.prompts.items()}
        about[f"concept.{subject.name}"] = digest(asdict(subject.concept), [asdict(p) for p in subject.pairs], prompts)
    drawn = {"precision": precision_of(model), "scheduler": model.scheduler}
    made = {"command": command, **drawn, "model": model.digest(), **about, **more}
    return json.loads(json.dumps(made))


@contextmanager
def work_in(folder: Path, setting: Mapping[str, Any]) -> Iterator[None]:
    """A folder for one command and one setting, made where it is not there; see `belongs`.

    Raises:
        SteeringError: another command works there, or the folder is another setting's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise SteeringError(f"another command works in {folder}; wait until it ends, or name another folder") from None
    try:
        belongs(folder, setting)
        yield
    finally:
        lock.release()


def belongs(folder: Path, setting: Mapping[str, Any]) -> None:
    """Make a folder a setting's, or find that it is.

    Raises:
        SteeringError: it is another setting's, and the message says in what they differ; or it holds files and no
            setting, or one that is none of ours, so they are a stranger's. One of ours that is cut short is made again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    strange = [there.name for there in folder.iterdir() if there.name not in (NAME, LOCK)]
    if strange and not path.exists():
        raise SteeringError(
            f"{folder} holds {some_of(sorted(strange))} and no {NAME} of ours, so it is somebody else's; name another "
            "folder"
        )
    known = _known(path) if path.exists() else None
    if known is None:
        write_text(path, json.dumps(setting, indent=1))
        return
    other = [key for key in {**known, **setting} if known.get(key) != setting.get(key)]
    if other:
        first = other[0]
        raise SteeringError(
            f"{folder} holds the work of another setting ({first} is {short(known.get(first))} there and "
            f"{short(setting.get(first))} here); name another folder, or remove that one"
        )


def _known(path: Path) -> dict[str, Any] | None:
    """What a folder's mark says; None where it is one of ours that is cut short, which goes."""
    try:
        return parse_object(read_text(path), path.name)
    except SteeringError as error:
        if not b'{\n "command"'.startswith(path.read_bytes()[:12]):
            raise SteeringError(
                f"{path} is no setting of ours, so the folder is somebody else's; name another folder"
            ) from error
        discard_damaged(path, "made")
        return None
