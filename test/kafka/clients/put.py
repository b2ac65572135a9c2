"""Puts records into a Kinesis stream with boto3, as Kinesis producers do: one object of JSON with key and data (base64) in
each line of standard input.

usage: put.py ENDPOINT STREAM SHARDS
"""

import base64
import json
import sys

import boto3

endpoint, stream, shards = sys.argv[1:]
kinesis = boto3.client("kinesis", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="any")
kinesis.create_stream(StreamName=stream, ShardCount=int(shards))
kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
for line in sys.stdin:
    record = json.loads(line)
    kinesis.put_record(StreamName=stream, PartitionKey=record["key"], Data=base64.b64decode(record["data"]))
print("ok put")
