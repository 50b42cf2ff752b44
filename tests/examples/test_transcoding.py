"""`examples/transcoding`: uploads become tasks in the right order, tasks report progress, results are videos."""

import json
from typing import Any

from tests.conftest import PlatformProcess

from .application import awaited, deployed, mayfly, told

FRAMES, RATE = 20, 10


def film(width: int = 64, height: int = 48) -> bytes:
    """Two seconds of grey that becomes lighter, as YUV4MPEG2: what ffmpeg reads without a codec."""
    head = b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n" % (width, height, RATE)
    pixels, colours = width * height, width * height // 2
    return head + b"".join(
        b"FRAME\n" + bytes([10 * number]) * pixels + bytes([128]) * colours for number in range(FRAMES)
    )


def test_a_film_is_transcoded_in_every_rendition_and_what_is_none_fails_alone(platform: PlatformProcess) -> None:
    with deployed(platform, "transcoding", "films-example", "--parameter", "Renditions=24,36") as outputs:
        s3, tables = platform.client("s3"), platform.client("dynamodb")
        s3.put_object(Bucket=outputs["Videos"], Key="later/my film.y4m", Body=film())
        s3.put_object(Bucket=outputs["Videos"], Key="urgent/my film.y4m", Body=film())
        s3.put_object(Bucket=outputs["Videos"], Key="urgent/text.txt", Body=b"this is no film")

        def made() -> Any:
            items = tables.scan(TableName=outputs["Results"])["Items"]
            return items if len(items) == 4 else None

        results = {item["output"]["S"]: item for item in awaited(made, "the results")}
        assert set(results) == {
            "24/later/my film.mp4",
            "36/later/my film.mp4",
            "24/urgent/my film.mp4",
            "36/urgent/my film.mp4",
        }
        for name, item in results.items():
            body = s3.get_object(Bucket=outputs["Output"], Key=name)["Body"].read()
            assert body[4:8] == b"ftyp", "it is an MP4 file"
            assert len(body) == int(item["bytes"]["N"])
            assert item["milliseconds"] == {"N": "2000"}

        found = told(platform, "tasks", "ls", "--function", outputs["Transcode"])
        by_priority = sorted({task["priority"] for task in found})
        assert by_priority == [0, 50], "what is urgent goes first"
        done = [task for task in found if task["state"] == "succeeded"]
        assert len(done) == 4
        shown = json.loads(mayfly(platform, "tasks", "show", done[0]["id"]).stdout)
        assert (shown["progress"]["done"], shown["progress"]["total"]) == (2000, 2000)
