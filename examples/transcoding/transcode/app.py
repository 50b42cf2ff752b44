"""One rendition of one video. A task may run twice: its output has a name of its own, and the same bytes."""

import json
import os
import re
import subprocess
import urllib.request
from pathlib import Path

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from imageio_ffmpeg import get_ffmpeg_exe

s3 = boto3.client("s3")
results = boto3.resource("dynamodb").Table(os.environ["RESULTS"])
FFMPEG = get_ffmpeg_exe()


def handler(event, context):
    source, target = Path("/tmp/source"), Path("/tmp/target.mp4")
    s3.download_file(event["bucket"], event["key"], str(source))
    seconds = transcode(source, target, event["height"], lambda done, total: report(context, done, total))
    output = f"{event['height']}/{Path(event['key']).with_suffix('.mp4')}"
    s3.upload_file(str(target), os.environ["OUTPUT"], output, ExtraArgs={"ContentType": "video/mp4"})
    made = {
        "output": output,
        "source": event["key"],
        "height": event["height"],
        "milliseconds": round(seconds * 1000),
        "bytes": target.stat().st_size,
    }
    results.put_item(Item=made)
    target.unlink()
    source.unlink()
    return made


def transcode(source, target, height, tell):
    """Make the rendition, telling seconds done and seconds in all; how many there were."""
    total = duration(source)
    scale = f"scale=-2:{height}"
    command = [FFMPEG, "-y", "-v", "error", "-i", source, "-vf", scale, "-c:v", "libx264", "-preset", "veryfast"]
    command += ["-pix_fmt", "yuv420p", "-movflags", "+faststart", "-progress", "pipe:1", "-nostats", target]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stdout:
            if match := re.fullmatch(r"out_time_us=(\d+)\s*", line):
                tell(min(int(match[1]) / 1e6, total), total)
        said = running.stderr.read()
    if running.returncode != 0:
        raise RuntimeError(f"ffmpeg ended with {running.returncode}: {said[-500:]}")
    tell(total, total)
    return total


def duration(source):
    """Seconds, as ffmpeg tells them of a file that it is given no output for."""
    said = subprocess.run([FFMPEG, "-i", source], capture_output=True, text=True, check=False).stderr
    match = re.search(r"Duration: (\d+):(\d+):([\d.]+)", said)
    if match is None:
        raise ValueError(f"this is no video: {said.strip().splitlines()[-1]}")
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])


def report(context, done, total):
    """Tell the platform how far the task is: `mayfly tasks show` and `watch` show it."""
    url = f"{os.environ['AWS_ENDPOINT_URL']}/_mayfly/tasks/{context.aws_request_id}/progress"
    said = json.dumps({"done": round(done * 1000), "total": round(total * 1000), "message": "milliseconds of film"})
    request = AWSRequest("POST", url, data=said)
    SigV4Auth(boto3.Session().get_credentials(), "mayfly", os.environ["AWS_REGION"]).add_auth(request)
    try:
        urllib.request.urlopen(urllib.request.Request(url, said.encode(), dict(request.headers), method="POST"))
    except urllib.error.HTTPError as error:
        print("not reported:", error)  # invoked by hand, it is no task
