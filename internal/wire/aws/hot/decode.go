package hot

import "millrace/internal/api/kinesisapi"

// Members of the three inputs, as bits of a set that finds repeated ones.
const (
	seenStream = 1 << iota
	seenARN
	seenDryRun
	seenData
	seenKey
	seenHash
	seenSequence
	seenRecords
	seenIterator
	seenLimit
)

// once puts a member in the set, unless it is there.
func once(seen *int, bit int) bool {
	if *seen&bit != 0 {
		return false
	}
	*seen |= bit
	return true
}

// members calls member for each name of an object, after its colon, until it gives false.
func (c *scanner) members(member func(name []byte) bool) bool {
	if !c.take('{') {
		return false
	}
	if c.take('}') {
		return true
	}
	for {
		name, ok := c.key()
		if !ok || !member(name) {
			return false
		}
		more, ok := c.more('}')
		if !ok || !more {
			return ok
		}
	}
}

// target holds where the members that all three inputs share go.
type target struct {
	name, arn **string
	dryRun    **bool
}

// shared reads a member that says which stream is meant.
func (s *Scratch) shared(c *scanner, name []byte, seen *int, to target) bool {
	switch string(name) {
	case "StreamName":
		b, ok := c.text()
		if !ok || !isName(b) || to.name == nil {
			return false
		}
		*to.name = keep(&s.stream, b)
		return once(seen, seenStream)
	case "StreamARN":
		b, ok := c.text()
		if !ok || !isStreamARN(b) {
			return false
		}
		*to.arn = keep(&s.arn, b)
		return once(seen, seenARN)
	case "DryRun":
		v, ok := c.boolean()
		s.dryRun = v
		*to.dryRun = &s.dryRun
		return ok && once(seen, seenDryRun)
	}
	return false
}

func (s *Scratch) putRecord(body []byte) *kinesisapi.PutRecordInput {
	s.reserve(body)
	if cap(s.keys) < 2 {
		s.keys = make([]string, 0, 2)
	}
	in := &s.one
	*in = kinesisapi.PutRecordInput{}
	c := &scanner{data: body}
	seen := 0
	to := target{&in.StreamName, &in.StreamARN, &in.DryRun}
	ok := c.members(func(name []byte) bool {
		switch string(name) {
		case "Data":
			return s.dataMember(c, &in.Data, &seen)
		case "PartitionKey":
			return s.keyMember(c, &in.PartitionKey, &seen)
		case "ExplicitHashKey":
			return s.hashMember(c, &in.ExplicitHashKey, &seen)
		case "SequenceNumberForOrdering":
			b, ok := c.text()
			if !ok || !isDecimal(b, 129) {
				return false
			}
			s.sequence = string(b)
			in.SequenceNumberForOrdering = &s.sequence
			return once(&seen, seenSequence)
		}
		return s.shared(c, name, &seen, to)
	})
	if !ok || !c.end() || seen&seenData == 0 {
		return nil
	}
	return in
}

func (s *Scratch) dataMember(c *scanner, to *[]byte, seen *int) bool {
	text, ok := c.raw()
	if !ok || !once(seen, seenData) {
		return false
	}
	*to, ok = s.blob(text)
	return ok && len(*to) <= maxData
}

func (s *Scratch) keyMember(c *scanner, to **string, seen *int) bool {
	b, ok := c.text()
	if !ok || !isKey(b) || !once(seen, seenKey) {
		return false
	}
	*to = s.addKey(b)
	return true
}

func (s *Scratch) hashMember(c *scanner, to **string, seen *int) bool {
	b, ok := c.text()
	if !ok || !isDecimal(b, 39) || !once(seen, seenHash) {
		return false
	}
	*to = s.addKey(b)
	return true
}

// addKey keeps a string that points into the body, in a slice that has room and so does not move.
func (s *Scratch) addKey(b []byte) *string {
	s.keys = append(s.keys, alias(b))
	return &s.keys[len(s.keys)-1]
}

func (s *Scratch) putRecords(body []byte) *kinesisapi.PutRecordsInput {
	s.reserve(body)
	if s.entries == nil {
		s.entries = make([]kinesisapi.PutRecordsRequestEntry, 0, maxEntries)
	}
	if cap(s.keys) < 2*maxEntries {
		s.keys = make([]string, 0, 2*maxEntries)
	}
	in := &s.many
	*in = kinesisapi.PutRecordsInput{}
	c := &scanner{data: body}
	seen := 0
	to := target{&in.StreamName, &in.StreamARN, &in.DryRun}
	ok := c.members(func(name []byte) bool {
		if string(name) == "Records" {
			return once(&seen, seenRecords) && s.records(c)
		}
		return s.shared(c, name, &seen, to)
	})
	if !ok || !c.end() || seen&seenRecords == 0 {
		return nil
	}
	in.Records = s.entries
	return in
}

// records reads the list, which is not empty.
func (s *Scratch) records(c *scanner) bool {
	if !c.take('[') {
		return false
	}
	for len(s.entries) < maxEntries {
		if !s.entry(c) {
			return false
		}
		more, ok := c.more(']')
		if !ok || !more {
			return ok
		}
	}
	return false
}

// entry reads one record. It is members written out, so that nothing is called through a closure for
// each of five hundred.
func (s *Scratch) entry(c *scanner) bool {
	if !c.take('{') {
		return false
	}
	var e kinesisapi.PutRecordsRequestEntry
	seen := 0
	for {
		name, ok := c.raw()
		if !ok || !c.take(':') {
			return false
		}
		switch string(name) {
		case "Data":
			ok = s.dataMember(c, &e.Data, &seen)
		case "PartitionKey":
			ok = s.keyMember(c, &e.PartitionKey, &seen)
		case "ExplicitHashKey":
			ok = s.hashMember(c, &e.ExplicitHashKey, &seen)
		default:
			return false
		}
		if !ok {
			return false
		}
		more, ok := c.more('}')
		if !ok {
			return false
		}
		if !more {
			break
		}
	}
	s.entries = append(s.entries, e)
	return seen&seenData != 0
}

func (s *Scratch) getRecords(body []byte) *kinesisapi.GetRecordsInput {
	in := &s.get
	*in = kinesisapi.GetRecordsInput{}
	c := &scanner{data: body}
	seen := 0
	to := target{nil, &in.StreamARN, &in.DryRun}
	ok := c.members(func(name []byte) bool {
		switch string(name) {
		case "ShardIterator":
			b, ok := c.text()
			if !ok || !isIterator(b) {
				return false
			}
			in.ShardIterator = string(b)
			return once(&seen, seenIterator)
		case "Limit":
			n, ok := c.count()
			if !ok || n < 1 || n > 10_000 {
				return false
			}
			s.limit = n
			in.Limit = &s.limit
			return once(&seen, seenLimit)
		}
		return s.shared(c, name, &seen, to)
	})
	if !ok || !c.end() || seen&seenIterator == 0 {
		return nil
	}
	return in
}
