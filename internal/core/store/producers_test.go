package store

import (
	"math"
	"slices"
	"testing"
)

func TestPartitionTellsOfItsProducers(t *testing.T) {
	s := NewState()
	g := s.Begin(100)
	err := s.Decide(&Request{
		Parts: []PartitionChange{{Kind: PartitionCreate, Partition: 1}},
		Producers: []ProducerChange{
			{Kind: ProducerInit, Producer: 7, Epoch: 3}, {Kind: ProducerInit, Producer: 8}, {Kind: ProducerInit, Producer: 9},
		},
	}, g, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Begin(200)
	for _, a := range []Append{
		{Partition: 1, Base: 0, Count: 2, Producer: 7, ProducerEpoch: 3, Sequence: math.MaxInt32, AppendTime: 200},
		{Partition: 1, Base: 2, Count: 1, Producer: 8, Sequence: 5, AppendTime: 201, Attributes: attrTransactional},
	} {
		s.applyAppend(&a)
	}
	seven := PartitionProducer{Producer: 7, Epoch: 3, LastSequence: 0, LastAppend: 200, Open: -1}
	eight := PartitionProducer{Producer: 8, LastSequence: 5, LastAppend: 201, Open: 2}
	for _, c := range []struct {
		from  ProducerID
		limit int
		want  []PartitionProducer
	}{
		{0, 10, []PartitionProducer{seven, eight}},
		{0, 1, []PartitionProducer{seven}},
		{8, 10, []PartitionProducer{eight}},
		{9, 10, []PartitionProducer{}},
		{0, -1, []PartitionProducer{}},
	} {
		got, ok := s.PartitionProducers(1, c.from, c.limit)
		if !ok || !slices.Equal(got, c.want) {
			t.Errorf("producers from %d, at most %d: got %+v, %v; want %+v", c.from, c.limit, got, ok, c.want)
		}
	}
	if _, ok := s.PartitionProducers(2, 0, 10); ok {
		t.Error("a partition that does not exist has producers")
	}
}
