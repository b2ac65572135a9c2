package dynamodb

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"sync"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

// Sample is what one of CloudWatch's metrics of namespace AWS/DynamoDB has counted. Table, Index and Operation are its
// dimensions; empty ones are none of its.
//
// Source: developer guide, "DynamoDB metrics and dimensions" (read 2026-11).
type Sample struct {
	Account, Region, Name   string
	Unit                    string // CloudWatch's: Count, Milliseconds
	Table, Index, Operation string
	Count, Sum, Min, Max    float64
}

// seriesKey tells series apart.
type seriesKey struct {
	account, region, name, table, index, operation string
}

// maxSeries bounds the series that count between two askings: four of each of two thousand tables. What is beyond is
// not counted.
const maxSeries = 8000

// metrics counts what the calls on this node do. Its zero value is ready.
type metrics struct {
	mu     sync.Mutex
	series map[seriesKey]*Sample // guarded by mu, with what they point to
}

func (m *metrics) add(k seriesKey, unit string, v float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.series[k]
	switch {
	case s != nil:
		s.Min, s.Max = min(s.Min, v), max(s.Max, v)
	case len(m.series) < maxSeries:
		if m.series == nil {
			m.series = map[seriesKey]*Sample{}
		}
		s = &Sample{
			Account: k.account, Region: k.region, Name: k.name, Unit: unit, Table: k.table, Index: k.index, Operation: k.operation,
			Min: v, Max: v,
		}
		m.series[k] = s
	default:
		return
	}
	s.Count++
	s.Sum += v
}

// Samples gives what was counted since the last call of Samples, and forgets it.
func (s *Service) Samples() iter.Seq[Sample] {
	s.metrics.mu.Lock()
	all := s.metrics.series
	s.metrics.series = nil
	s.metrics.mu.Unlock()
	return func(yield func(Sample) bool) {
		for _, one := range all {
			if !yield(*one) {
				return
			}
		}
	}
}

// units counts what a call has cost a table or one of its global indexes.
func (m *metrics) units(g gauge, units float64) {
	k := seriesKey{account: g.place.account, region: g.place.region, table: g.place.table, index: g.index, name: "ConsumedReadCapacityUnits"}
	if g.write {
		k.name = "ConsumedWriteCapacityUnits"
	}
	m.add(k, "Count", units)
}

// measured puts the counting of calls around the operations that name one table.
func (s *Service) measured(b *api.Binding) {
	for name, op := range b.Operations {
		i := tableMember(op.Input)
		if i < 0 || op.Output == nil {
			continue
		}
		invoke, items := op.Invoke, name == "Query" || name == "Scan"
		op.Invoke = func(ctx context.Context, in any) (any, error) {
			start := time.Now()
			out, err := invoke(ctx, in)
			s.count(ctx, name, tableName(in, i), err, time.Since(start))
			if items && err == nil {
				s.countItems(ctx, name, tableName(in, i), out)
			}
			return out, err
		}
	}
}

// dataOperations are those whose calls are counted by table.
var dataOperations = map[string]bool{"DeleteItem": true, "GetItem": true, "PutItem": true, "Query": true, "Scan": true, "UpdateItem": true}

// tableMember is the field of an input that names its table, -1 where there is none.
func tableMember(in *api.Shape) int {
	for i := range in.Members {
		if in.Members[i].Name == "TableName" && in.Members[i].Required {
			return in.Members[i].Index
		}
	}
	return -1
}

func tableName(in any, field int) string { return reflect.ValueOf(in).Elem().Field(field).String() }

// count counts a call: how long it took, or what became of it.
func (s *Service) count(ctx context.Context, operation, table string, err error, took time.Duration) {
	call := api.CallFrom(ctx)
	k := seriesKey{account: call.Account, region: call.Region}
	e, failed := errors.AsType[*api.Error](err)
	switch {
	case failed && e.Fault == api.FaultClient && throttled(err) == "" && e.Code != codeConditionFailed:
		k.name = "UserErrors" // of the account: the table may be none
	case !dataOperations[operation]:
		return
	default:
		p, bad := address(call, table)
		if bad != nil {
			return
		}
		k.account, k.region, k.table, k.operation = p.account, p.region, p.table, operation
		switch {
		case err == nil:
			k.name = "SuccessfulRequestLatency"
			s.metrics.add(k, "Milliseconds", float64(took)/float64(time.Millisecond))
			return
		case throttled(err) != "":
			k.name = "ThrottledRequests"
		case failed && e.Code == codeConditionFailed:
			k.name, k.operation = "ConditionalCheckFailedRequests", ""
		default:
			k.name = "SystemErrors"
		}
	}
	s.metrics.add(k, "Count", 1)
}

const codeConditionFailed = "ConditionalCheckFailedException"

func (s *Service) countItems(ctx context.Context, operation, table string, out any) {
	call := api.CallFrom(ctx)
	p, err := address(call, table)
	if err != nil {
		return
	}
	var n *int32
	switch out := out.(type) {
	case *dynamodbapi.QueryOutput:
		n = out.Count
	case *dynamodbapi.ScanOutput:
		n = out.Count
	}
	if n != nil {
		k := seriesKey{account: p.account, region: p.region, name: "ReturnedItemCount", table: p.table, operation: operation}
		s.metrics.add(k, "Count", float64(*n))
	}
}
