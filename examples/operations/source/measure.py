"""Counts what lies in the spool."""

import os

import boto3

s3, cloudwatch = boto3.client("s3"), boto3.client("cloudwatch")


def handler(event, context):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=os.environ["SPOOL"])
    count = sum(page["KeyCount"] for page in pages)
    cloudwatch.put_metric_data(
        Namespace="Operations",
        MetricData=[
            {
                "MetricName": "SpoolObjects",
                "Dimensions": [{"Name": "Stack", "Value": os.environ["STACK"]}],
                "Value": count,
                "Unit": "Count",
                "StorageResolution": 1,
            }
        ],
    )
    print(count, "objects in the spool, of", os.environ["MOST"])
    return {"objects": count}
