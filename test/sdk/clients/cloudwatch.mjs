// Metrics with the AWS SDK for JavaScript v3, unchanged from npm.
//
// Arguments: folder of the part node, endpoint. Prints `ok STEP` for each step, or `FAILED STEP: reason` and exits 1.

import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";

const [part, endpoint] = process.argv.slice(2);
const sdk = createRequire(join(part, "package.json"))("@aws-sdk/client-cloudwatch");

const client = new sdk.CloudWatchClient({ endpoint, maxAttempts: 1 });
const call = (command, input) => client.send(new sdk[command + "Command"](input));
const now = Date.now();
const span = { StartTime: new Date(now - 3_600_000), EndTime: new Date(now + 60_000) };
const Dimensions = [{ Name: "Host", Value: "höst" }];

async function put() {
  const some = Array.from({ length: 600 }, (_, i) => ({
    MetricName: "M" + String(i).padStart(3, "0"), Value: i, Dimensions, Timestamp: new Date(now),
  }));
  await call("PutMetricData", { Namespace: "Js", MetricData: some }); // more than 10 KiB, which the client may compress
  await call("PutMetricData", {
    Namespace: "Js",
    MetricData: [
      { MetricName: "Many", Values: [1, 2, 8], Counts: [1, 2, 1], Unit: "Seconds" },
      { MetricName: "Set", StatisticValues: { SampleCount: 2, Sum: 5, Minimum: 1, Maximum: 4 }, StorageResolution: 1 },
    ],
  });
}

async function list() {
  const found = [];
  for await (const page of sdk.paginateListMetrics({ client }, { Namespace: "Js" })) found.push(...page.Metrics);
  assert.equal(found.length, 602);
  const { Metrics } = await call("ListMetrics", { Namespace: "Js", MetricName: "M007" });
  assert.deepEqual(Metrics, [{ Namespace: "Js", MetricName: "M007", Dimensions }]);
}

async function statistics() {
  const ask = { Namespace: "Js", MetricName: "Many", Period: 60, ...span };
  const { Datapoints } = await call("GetMetricStatistics", { ...ask, Statistics: ["Sum", "Average", "Maximum"] });
  assert.equal(Datapoints.length, 1);
  const { Timestamp, ...values } = Datapoints[0];
  assert.deepEqual(values, { Sum: 13, Average: 3.25, Maximum: 8, Unit: "Seconds" });
  assert.ok(Timestamp >= span.StartTime && Timestamp <= span.EndTime, String(Timestamp));
  const median = await call("GetMetricStatistics", { ...ask, ExtendedStatistics: ["p50"] });
  assert.deepEqual(median.Datapoints[0].ExtendedStatistics, { p50: 2 });
}

async function data() {
  const stat = (MetricName) => ({ Metric: { Namespace: "Js", MetricName, Dimensions }, Period: 60, Stat: "Sum" });
  const { MetricDataResults } = await call("GetMetricData", {
    ...span,
    MetricDataQueries: [
      { Id: "a", MetricStat: stat("M004"), ReturnData: false },
      { Id: "b", MetricStat: stat("M002") },
      { Id: "c", Expression: "a / b", Label: "ratio" },
    ],
  });
  assert.deepEqual(
    MetricDataResults.map((r) => [r.Id, r.Label, r.Values, r.StatusCode]),
    [["b", "M002", [2], "Complete"], ["c", "ratio", [2], "Complete"]],
  );
}

async function errors() {
  const error = await call("PutMetricData", { Namespace: "AWS/Js", MetricData: [{ MetricName: "m", Value: 1 }] }).then(
    () => assert.fail("a namespace of AWS was accepted"),
    (e) => e,
  );
  assert.ok(error.name.startsWith("InvalidParameterValue"), error.name);
  assert.equal(error.message, "The value AWS/ for parameter Namespace is invalid.");
  assert.ok(error.$metadata.requestId, "no request id");
}

for (const [step, run] of Object.entries({ put, list, statistics, data, errors })) {
  try {
    await run();
  } catch (e) {
    console.error(e);
    console.log(`FAILED ${step}: ${String(e).slice(0, 800).replaceAll("\n", " ")}`);
    process.exit(1);
  }
  console.log(`ok ${step}`);
}
client.destroy();
