"""`examples/operations`: what fills up is measured, an alarm goes off, a function makes room, people hear of it."""

import json

from tests.conftest import PlatformProcess

from .application import awaited, deployed


def test_a_spool_that_fills_up_is_tidied_and_told_of(platform: PlatformProcess) -> None:
    with deployed(platform, "operations", "ops-example", "--parameter", "Most=4") as outputs:
        s3, sqs, tables = platform.client("s3"), platform.client("sqs"), platform.client("dynamodb")
        queue = sqs.create_queue(QueueName="ops-example-people")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allow = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        sqs.set_queue_attributes(
            QueueUrl=queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [allow]})}
        )
        platform.client("sns").subscribe(TopicArn=outputs["People"], Protocol="sqs", Endpoint=arn)
        for number in range(6):
            s3.put_object(Bucket=outputs["Spool"], Key=f"job-{number}", Body=b"x")
        measured = platform.client("lambda").invoke(FunctionName=outputs["Measure"])
        assert json.loads(measured["Payload"].read()) == {"objects": 6}

        (entry,) = awaited(lambda: tables.scan(TableName=outputs["Journal"])["Items"], "the function's entry")
        assert entry["what"] == {"S": "ops-example-spool-full"}
        assert entry["state"] == {"S": "ALARM"}
        assert entry["removed"] == {"N": "4"}
        left = [item["Key"] for item in s3.list_objects_v2(Bucket=outputs["Spool"])["Contents"]]
        assert left == ["job-4", "job-5"]
        heard: list[str] = []  # of a change to OK as well, where the timer measured before the spool was full

        def told() -> bool:
            messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages", [])
            heard.extend(json.loads(json.loads(one["Body"])["Message"])["NewStateValue"] for one in messages)
            return "ALARM" in heard

        awaited(told, "the topic's message")
        sqs.delete_queue(QueueUrl=queue)
        schedule = platform.client("scheduler").get_schedule(Name="ops-example-measure")
        assert schedule["ScheduleExpression"] == "rate(1 minute)"
