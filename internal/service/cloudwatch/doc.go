// Package cloudwatch serves the part of Amazon CloudWatch that libraries need: PutMetricData, ListMetrics,
// GetMetricStatistics and GetMetricData. KCL, KPL and SDKs publish there, and what the platform's own services count
// appears in AWS/Kinesis and AWS/DynamoDB. Alarms, dashboards and everything else answer as unknown operations.
//
//	PutMetricData ─► check.go ─► data: account, region ─► metric ─► series of one unit ─► four tiers of points
//	Sources ─ each minute ────────┘                                                         │
//	                              store.go: changed chunks, every five minutes and at Close ┘
//
// # Data
//
// A point holds count, sum, smallest and largest of a second, minute, five minutes or hour, and the values themselves
// while they are few; when they are many, rounded ones, of which percentiles are computed. A datum goes into the points of
// all tiers at once, so that nothing is rolled up later. Points are kept as long as CloudWatch keeps them: 3 hours of
// seconds (StorageResolution 1 only), 15 days of minutes, 63 days of five minutes, 455 days of hours.
//
// # Limits
//
// All of it lives in memory, within Options.MaxBytes: when that is full, the oldest points of every tier go first, by halves of
// the time that it is kept, then the metrics that nobody has put to for the longest time. What is kept in the store is a copy, written in the background:
// a clean stop loses nothing, a crash up to five minutes. Records never wait for it.
//
// # Differences
//
// A metric is listed, and its data read, as soon as the call has answered; CloudWatch takes up to fifteen minutes. Metric
// math has numbers, + - * / ^, comparisons and the functions of math.go; Metrics Insights and SEARCH are refused.
//
// Percentiles come from values rounded to some 3 % where a point has more than 160 of them.
//
// Sources: CloudWatch API reference (2010-08-01) and user guide, "Metrics concepts", "Using metric math" (read 2026-11).
package cloudwatch
