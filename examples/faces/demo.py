"""The demo: starts a platform of its own, deploys the application beside this file, uses it, and says what happened.

`make demo` runs it. Exit status 0 means that every expectation held.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
STACK = "faces"
DEADLINE_S = 60.0
WARM_CALLS = 3
console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Photo:
    """A file to upload, and where on it a person sees faces: their centres in pixels; None: it is no picture."""

    name: str
    source: str  # below the folder of photographs; empty for the file that is made here
    faces: tuple[tuple[int, int], ...] | None


# skimage/data is of scikit-image: the astronaut Eileen Collins (NASA, public domain), a cat, a cup of coffee.
# package/demo is of the npm package @vladmandic/face-api: three women on a sofa.
PHOTOS = (
    Photo("astronaut.png", "skimage/data/astronaut.png", ((224, 115),)),
    Photo("friends.jpg", "package/demo/sample3.jpg", ((674, 463), (1169, 363), (1604, 437))),
    Photo("cat.png", "skimage/data/chelsea.png", ()),
    Photo("coffee.png", "skimage/data/coffee.png", ()),
    Photo("notes.txt", "", None),
)


class Checks:
    """Expectations and whether they held."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def expect(self, held: bool, what: str) -> None:
        console.print(f"  {'[green]✓[/]' if held else '[red]✗[/]'} {what}")
        if not held:
            self.failed.append(what)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder into which the photographs were installed")
    parser.add_argument("--out", type=Path, required=True, help="folder for the annotated picture")
    options = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="mayfly-demo-"))
    checks = Checks()
    try:
        with platform(data) as variables:
            run(variables, data, options.photos, options.out, checks)
    except subprocess.CalledProcessError as error:
        console.print(
            f"[bold red]The demo stopped:[/] `{' '.join(map(str, error.cmd[3:]))}` ended with {error.returncode}"
        )
        return 1
    finally:
        shutil.rmtree(data, ignore_errors=True)
    if checks.failed:
        console.print(f"\n[bold red]{len(checks.failed)} expectation(s) did not hold.[/]")
        return 1
    console.print("\n[bold green]Every expectation held.[/] The platform of the demo is stopped and its data removed.")
    console.print("Go on with your own: [bold]mayfly up[/], then [bold]eval $(mayfly env)[/] and")
    console.print("[bold]mayfly deploy examples/faces/template.yaml[/]; docs/quickstart.md has the rest.")
    return 0


def mayfly(*arguments: str, data: Path, capture: bool = False) -> str:
    """Run the command line as a user would."""
    command = [sys.executable, "-m", "mayfly", *arguments, "--data", str(data)]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE if capture else None)
    return done.stdout or ""


@contextmanager
def platform(data: Path) -> Iterator[dict[str, str]]:
    """A platform of the demo's own; yields the variables that `mayfly env` prints."""
    step("Starting the platform")
    isolation = "namespace"
    if os.geteuid() != 0 or sys.platform != "linux":
        isolation = "process"
        console.print("  [yellow]Not root on Linux: the demo asks for the level `process`, without isolation.[/]")
    mayfly("up", "--detach", "--port", "0", "--isolation", isolation, data=data)
    try:
        yield json.loads(mayfly("env", "--json", data=data, capture=True))
    finally:
        step("Stopping the platform")
        mayfly("down", data=data)


def run(variables: dict[str, str], data: Path, photos: Path, out: Path, checks: Checks) -> None:
    """The application from deployment to bill."""
    step("Deploying examples/faces (the first time, OpenCV is installed into its package)")
    deployed = json.loads(mayfly("deploy", str(HERE / "template.yaml"), "-n", STACK, "--json", data=data, capture=True))
    outputs = deployed["Outputs"]
    clients = Clients(variables)

    step("Uploading photographs")
    for photo in PHOTOS:
        body = (photos / photo.source).read_bytes() if photo.source else b"This is not a picture.\n"
        clients.s3.put_object(Bucket=outputs["PhotosBucket"], Key=f"photos/{photo.name}", Body=body)
        console.print(f"  {photo.name:<16} {len(body):>9,} bytes")

    step("Waiting for the function to look at each of them")
    items = wait_for(lambda: listing(outputs["GalleryUrl"]), len(PHOTOS))
    console.print(results(items))
    check_items({item["key"]: item for item in items}, checks)

    picture = next((item["annotated"] for item in items if len(item["faces"]) > 1), None)
    checks.expect(picture is not None, "an annotated picture with several faces was stored")
    if picture is not None:
        out.mkdir(parents=True, exist_ok=True)
        path = out / Path(picture).name
        clients.s3.download_file(outputs["PhotosBucket"], picture, str(path))
        console.print(f"  The annotated picture: [bold]{path}[/]")
    page = fetch(outputs["GalleryUrl"]).decode()
    checks.expect("<h1>Faces</h1>" in page and "astronaut" in page, "the HTML page lists the pictures")

    step("Cold and warm: the same picture again, one at a time")
    again(clients, outputs, photos)
    durations(clients.reports(outputs["RecogniseFunction"]), checks)

    step("What the run would cost")
    mayfly("usage", data=data)
    usage = json.loads(mayfly("usage", "--json", data=data, capture=True))
    checks.expect(usage["total"]["requests"] >= len(PHOTOS), "every invocation was metered")


class Clients:
    """AWS clients for the platform."""

    def __init__(self, variables: dict[str, str]) -> None:
        session: Any = boto3.session.Session()

        def client(service: str) -> Any:
            return session.client(
                service,
                endpoint_url=variables["AWS_ENDPOINT_URL"],
                region_name=variables["AWS_REGION"],
                aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
                config=Config(s3={"addressing_style": "path"}),
            )

        self.s3 = client("s3")
        self._logs = client("logs")

    def reports(self, function: str) -> list[dict[str, float]]:
        """The milliseconds of every REPORT line of a function, oldest first."""
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{function}", filterPattern="REPORT"
        )
        found = []
        for page in pages:
            for event in page["events"]:
                parts = dict(part.split(": ", 1) for part in event["message"].split("\t") if ": " in part)
                found.append({key: float(text[:-3]) for key, text in parts.items() if text.endswith(" ms")})
        return found


def step(title: str) -> None:
    console.print(f"\n[bold cyan]{title}[/]")


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as reply:
        content: bytes = reply.read()
    return content


def listing(url: str) -> list[dict[str, Any]]:
    """What the gallery's URL answers as JSON."""
    items: list[dict[str, Any]] = json.load(io.BytesIO(fetch(f"{url}faces.json")))
    return items


def wait_for(look: Callable[[], list[Any]], count: int) -> list[Any]:
    """What `look` finds once there are `count` of it, or at the deadline; progress is shown."""
    deadline = time.monotonic() + DEADLINE_S
    with console.status("looking") as status:
        while True:
            found = look()
            status.update(f"{len(found)} of {count}")
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.1)


def results(items: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 2))
    for title, justify in (("Key", "left"), ("Size", "right"), ("Faces", "right"), ("Boxes", "left"), ("ms", "right")):
        table.add_column(title, justify="right" if justify == "right" else "left")
    for item in items:
        size = f"{item['width']}×{item['height']}" if "width" in item else "-"
        boxes = ", ".join(f"{f['width']}×{f['height']} at ({f['x']}, {f['y']})" for f in item["faces"])
        words = boxes or f"[dim]{item.get('error', 'none')}[/]"
        table.add_row(item["key"], size, str(len(item["faces"])), words, f"{item['duration_ms']:.1f}")
    return table


def check_items(items: dict[str, dict[str, Any]], checks: Checks) -> None:
    """Compare what was found with what a person sees: as many boxes as faces, and each face in a box."""
    for photo in PHOTOS:
        item = items.get(f"photos/{photo.name}")
        if item is None:
            checks.expect(False, f"{photo.name} was processed")
        elif photo.faces is None:
            checks.expect("error" in item, f"{photo.name} is known to be no picture")
        else:
            boxes = item["faces"]
            right = len(boxes) == len(photo.faces) and all(any(holds(b, f) for b in boxes) for f in photo.faces)
            checks.expect(right, f"{photo.name} has {len(photo.faces)} face(s), and {len(boxes)} were found there")


def holds(box: dict[str, int], point: tuple[int, int]) -> bool:
    """Whether the middle half of `box` holds `point`."""
    x, y = (point[0] - box["x"]) / box["width"], (point[1] - box["y"]) / box["height"]
    return 0.25 < x < 0.75 and 0.25 < y < 0.75


def again(clients: Clients, outputs: dict[str, str], photos: Path) -> None:
    """Put the first photograph a few more times, waiting for each to be done: instances are warm by now."""
    function = outputs["RecogniseFunction"]
    body = (photos / PHOTOS[0].source).read_bytes()
    for _ in range(WARM_CALLS):
        count = len(clients.reports(function)) + 1
        clients.s3.put_object(Bucket=outputs["PhotosBucket"], Key=f"photos/{PHOTOS[0].name}", Body=body)
        wait_for(lambda: clients.reports(function), count)


def durations(reports: list[dict[str, float]], checks: Checks) -> None:
    """Cold and warm durations of the recogniser."""
    for report in reports:
        if "Init Duration" in report:
            start = f"init {report['Init Duration']:7.1f} ms (imports OpenCV and NumPy)"
            console.print(f"  cold: {start}, handler {report['Duration']:7.1f} ms")
        else:
            console.print(f"  warm: {'':41}  handler {report['Duration']:7.1f} ms")
    cold = sum("Init Duration" in report for report in reports)
    checks.expect(len(reports) >= len(PHOTOS) + WARM_CALLS, "every invocation left a REPORT line")
    checks.expect(len(reports) - cold >= WARM_CALLS, "instances were used again")


if __name__ == "__main__":
    sys.exit(main())
