package cloudwatch

import "time"

// Limits of CloudWatch. Source: API reference of the operations, and "CloudWatch service quotas" (read 2026-11).
const (
	maxData       = 1000 // of a PutMetricData
	maxValues     = 150  // of a datum
	maxDimensions = 30
	maxName       = 255 // characters of a namespace, metric, dimension
	maxDimValue   = 1024

	oldest = 14 * 24 * time.Hour // of a datum's timestamp
	newest = 2 * time.Hour       // how far it may lie in the future

	// maxValue is the largest value, either way: 2^360.
	maxValue = 0x1p360

	maxListed   = 500 // metrics of a page
	maxFilters  = 10
	maxPoints   = 1440    // of a GetMetricStatistics
	maxData1    = 100_800 // points of a GetMetricData
	maxQueries  = 500
	maxExtended = 10

	// listedFor is how long a metric without new data is listed.
	listedFor = 14 * 24 * time.Hour
	// recently is what RecentlyActive stands for.
	recently = 3 * time.Hour
)

const (
	// defaultBytes holds some 240,000 points of one value: of metrics that are put each minute a day of 140, two weeks of ten, a
	// month of eight (measured).
	defaultBytes = 32 << 20

	flushEvery = 5 * time.Minute
	flushRetry = time.Minute // after a write that failed
	sweepEvery = 15 * time.Minute
)
