package crash

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"millrace/test/load"
)

// shardOf is a shard as ListShards has it.
type shardOf struct {
	ShardID       string `json:"ShardId"`
	ParentShardID string `json:"ParentShardId"`
	AdjacentID    string `json:"AdjacentParentShardId"`
	HashKeyRange  struct{ StartingHashKey, EndingHashKey string }
}

// listShards lists the shards of a stream: all there are, or the open ones in order of their hash keys.
func (c *client) listShards(stream string, open bool) ([]shardOf, error) {
	in := object{"StreamName": stream}
	if open {
		in["ShardFilter"] = object{"Type": "AT_LATEST"}
	}
	var all []shardOf
	for {
		var out struct {
			Shards    []shardOf
			NextToken string
		}
		if err := c.call("ListShards", in, &out); err != nil {
			return nil, err
		}
		all = append(all, out.Shards...)
		if out.NextToken == "" {
			break
		}
		in = object{"NextToken": out.NextToken}
	}
	if open {
		slices.SortFunc(all, func(a, b shardOf) int {
			return hashKey(a.HashKeyRange.StartingHashKey).Cmp(hashKey(b.HashKeyRange.StartingHashKey))
		})
	}
	return all, nil
}

func hashKey(text string) *big.Int {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return new(big.Int)
	}
	return n
}

// resharder splits, merges and scales one stream at random, over all lives of the server.
type resharder struct {
	stream  string
	random  *rand.Rand
	changes atomic.Int64 // that were accepted
}

// openMax bounds the open shards: every reader asks for all of them again and again.
const openMax = 12

// run changes shards until the connection breaks. A refusal is an error: nobody else changes the stream.
func (r *resharder) run(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return nil // killed before the first call
	}
	defer c.close()
	for {
		active, err := c.active(r.stream)
		if active && err == nil {
			err = r.change(c)
		}
		if refused, ok := errors.AsType[*load.StatusError](err); ok {
			return fmt.Errorf("change of %s was refused: %w", r.stream, refused)
		}
		if err != nil {
			return nil // the kill
		}
		if active {
			r.changes.Add(1)
		}
		time.Sleep(readerPause)
	}
}

// active tells whether a stream is ACTIVE: only then its list of shards is that of the next change.
func (c *client) active(stream string) (bool, error) {
	var out struct {
		StreamDescriptionSummary struct{ StreamStatus string }
	}
	err := c.call("DescribeStreamSummary", object{"StreamName": stream}, &out)
	return out.StreamDescriptionSummary.StreamStatus == "ACTIVE", err
}

func (r *resharder) change(c *client) error {
	open, err := c.listShards(r.stream, true)
	if err != nil {
		return err
	}
	i := r.random.IntN(len(open))
	low, high := hashKey(open[i].HashKeyRange.StartingHashKey), hashKey(open[i].HashKeyRange.EndingHashKey)
	wide := new(big.Int).Sub(high, low).BitLen() > 16
	switch n := r.random.IntN(5); {
	case len(open) < 2 || n < 2 && len(open) < openMax && wide:
		middle := new(big.Int).Add(low, high)
		return c.call("SplitShard", object{"StreamName": r.stream, "ShardToSplit": open[i].ShardID, "NewStartingHashKey": middle.Rsh(middle, 1).String()}, nil)
	case n < 4:
		i = min(i, len(open)-2)
		return c.call("MergeShards", object{"StreamName": r.stream, "ShardToMerge": open[i].ShardID, "AdjacentShardToMerge": open[i+1].ShardID}, nil)
	}
	low2, high2 := (len(open)+1)/2, min(2*len(open), openMax)
	count := low2 + r.random.IntN(max(1, high2-low2+1))
	return c.call("UpdateShardCount", object{"StreamName": r.stream, "TargetShardCount": count, "ScalingType": "UNIFORM_SCALING"}, nil)
}

// lineageError is an answer that would make consumers stop or read twice.
type lineageError struct{ text string }

func (e *lineageError) Error() string { return e.text }
