"""Calls operations of Kinesis with boto3 or the AWS CLI, as a driver asks for them.

Arguments: `boto3` or `awscli`, endpoint. Each line of standard input is a JSON object
{"operation": "ListShards", "input": {...}} and is answered with a line {"answer": {...}} or
{"code": ..., "message": ...}. Of SubscribeToShard, which only boto3 has, the answer is the first event that
holds records. Blobs go in as text and come out as base64, as with the CLI.
"""

import base64
import contextlib
import datetime
import io
import json
import re
import sys

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

# What the CLI prints of a refusal.
REFUSED = re.compile(
    r"An error occurred \((\w+)\) when calling the (\w+) operation(?: \(reached .*?\))?: (.*)", re.S
)


class Boto3:
    def __init__(self, endpoint):
        config = Config(retries={"total_max_attempts": 1})
        self.client = boto3.client("kinesis", endpoint_url=endpoint, config=config)

    def call(self, operation, arguments):
        try:
            answer = getattr(self.client, xform_name(operation))(**arguments)
        except ClientError as e:
            if not e.response["ResponseMetadata"].get("RequestId"):
                raise AssertionError(f"an error without a request id: {e.response}") from e
            return {"code": e.response["Error"]["Code"], "message": e.response["Error"]["Message"]}
        del answer["ResponseMetadata"]
        if "EventStream" in answer:
            answer = first_records(answer["EventStream"])
        return {"answer": answer}


def first_records(stream):
    for event in stream:
        event = event["SubscribeToShardEvent"]
        if event["Records"]:
            stream.close()
            return event
    raise AssertionError("a subscription ended without records")


class CLI:
    def __init__(self, endpoint):
        from awscli.clidriver import create_clidriver

        self.endpoint, self.driver = endpoint, create_clidriver()

    def call(self, operation, arguments):
        out, log = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(log):
            status = self.driver.main(
                ["--endpoint-url", self.endpoint, "--output", "json", "kinesis"]
                + [xform_name(operation, "-"), "--cli-input-json", json.dumps(arguments)]
            )
        if status == 0:
            return {"answer": json.loads(out.getvalue() or "{}")}
        refused = REFUSED.search(log.getvalue())
        if not refused or refused[2] != operation:
            raise AssertionError(f"{operation} ended with {status}: {log.getvalue()}")
        return {"code": refused[1], "message": refused[3].strip()}


def plain(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    raise TypeError(type(value))


client = {"boto3": Boto3, "awscli": CLI}[sys.argv[1]](sys.argv[2])
for line in sys.stdin:
    call = json.loads(line)
    print(json.dumps(client.call(call["operation"], call["input"]), default=plain), flush=True)
