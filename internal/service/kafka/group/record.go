package group

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"millrace/internal/core/field"
)

// A group is stored as one head and the bytes of its members, cut into chunks:
//
//	head    version 1 | writer 8 | revision 8 | generation 4 | state since 8 (ms) | members 4 | size 4 | protocol type | protocol | leader
//	chunk   version 1 | up to chunkSize bytes of: for each member
//	        id | instance | client id | client host | session 4 (ms) | rebalance 4 (ms) | protocols 2, each name, metadata | assignment
//
// Numbers are big-endian. Strings have a length of 2 bytes before them, metadata and assignments one of 4.
const (
	headVersion  = 1
	chunkVersion = 1

	// chunkSize is the bytes of members in one value: half of what a value may be, so that a group
	// that fills several values still is few.
	chunkSize = 1 << 20
)

// errRecord is what the decoders say of bytes that are no record of a known version.
var errRecord = errors.New("group: not a stored group of a known version")

// head is what is stored of a group beside its members.
type head struct {
	writer     uint64 // the coordinator that wrote it
	revision   uint64 // counts the records of that coordinator
	generation int32
	changed    int64 // ms since 1970
	members    int
	size       int // bytes of all members

	protocolType, protocol, leader string
}

// record is a group to be stored. The writer and revision are filled in when it is written.
type record struct {
	write   uint64 // of the group, to tell it what has become durable
	head    head
	members []byte
}

// record is the group as it will be once the assignments, if any, are given out.
func (g *group) record(assignments map[string][]byte) *record {
	b := make([]byte, 0, g.bytes)
	for _, mb := range g.order {
		a := mb.assignment
		if assignments != nil {
			a = assignments[mb.id]
		}
		b = appendMember(b, mb, a)
	}
	return &record{write: g.writes, members: b, head: head{
		generation: g.generation, changed: g.changed, members: len(g.order), size: len(b),
		protocolType: g.protocolType, protocol: g.protocol, leader: g.leader,
	}}
}

// restore is the group that a record stands for: Stable if it has members, whose sessions begin now.
func restore(l *limits, id string, h *head, members []byte, m moment) (*group, error) {
	g := newGroup(l, id, m)
	g.kept, g.changed, g.generation = true, h.changed, h.generation
	d := decoder{field.Reader{B: members}}
	for range h.members {
		mb := d.member()
		if d.Bad || mb.id == "" || g.members[mb.id] != nil || mb.instance != "" && g.static[mb.instance] != nil {
			g.charge(-g.bytes)
			return nil, errRecord
		}
		g.add(mb, h.protocolType)
		g.live(mb, m, mb.session)
	}
	if len(d.B) > 0 || h.members > 0 && g.members[h.leader] == nil {
		g.charge(-g.bytes)
		return nil, errRecord
	}
	g.protocolType, g.protocol, g.leader = h.protocolType, h.protocol, h.leader
	if h.members > 0 {
		g.state = Stable
	}
	return g, nil
}

func encodeHead(h *head) []byte {
	be := binary.BigEndian
	b := make([]byte, 0, 48+len(h.protocolType)+len(h.protocol)+len(h.leader))
	b = append(b, headVersion)
	b = be.AppendUint64(b, h.writer)
	b = be.AppendUint64(b, h.revision)
	b = be.AppendUint32(b, uint32(h.generation))
	b = be.AppendUint64(b, uint64(h.changed))
	b = be.AppendUint32(b, uint32(h.members))
	b = be.AppendUint32(b, uint32(h.size))
	b = appendString(b, h.protocolType)
	b = appendString(b, h.protocol)
	return appendString(b, h.leader)
}

// decodeHead reads a head; its strings are copies.
func decodeHead(v []byte) (*head, error) {
	d := field.Reader{B: v}
	if d.Byte() != headVersion {
		return nil, errRecord
	}
	h := &head{
		writer: d.Uint64(), revision: d.Uint64(), generation: int32(d.Uint32()), changed: int64(d.Uint64()),
		members: int(d.Uint32()), size: int(d.Uint32()),
		protocolType: d.Text16(), protocol: d.Text16(), leader: d.Text16(),
	}
	if !d.Done() || h.generation < 0 || h.size > maxRecord || h.members > h.size/minMember {
		return nil, errRecord
	}
	return h, nil
}

// maxRecord bounds the members' bytes of a record: MaxGroupBytes, and what an id may have above its growth.
const maxRecord = 60 << 20

// minMember is the least a member takes: its numbers and the lengths of its strings.
const minMember = 4*2 + 2*4 + 2 + 4

func appendMember(b []byte, mb *member, assignment []byte) []byte {
	be := binary.BigEndian
	for _, s := range []string{mb.id, mb.instance, mb.clientID, mb.clientHost} {
		b = appendString(b, s)
	}
	b = be.AppendUint32(b, uint32(mb.session.Milliseconds()))
	b = be.AppendUint32(b, uint32(mb.rebalance.Milliseconds()))
	b = be.AppendUint16(b, uint16(len(mb.protocols)))
	for _, p := range mb.protocols {
		b = appendString(b, p.Name)
		b = append(be.AppendUint32(b, uint32(len(p.Metadata))), p.Metadata...)
	}
	return append(be.AppendUint32(b, uint32(len(assignment))), assignment...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// decoder reads a record's fields.
type decoder struct{ field.Reader }

// member reads one member; its bytes point into what is decoded.
func (d *decoder) member() *member {
	mb := &member{id: d.Text16(), instance: d.Text16(), clientID: d.Text16(), clientHost: d.Text16()}
	mb.session, mb.rebalance = d.millis(), d.millis()
	n := int(d.Uint16())
	if n > len(d.B)/6 { // a name's and a metadata's length
		d.Fail()
		return mb
	}
	for range n {
		p := Protocol{Name: d.Text16()}
		p.Metadata = d.Take(int(d.Uint32()))
		mb.protocols = append(mb.protocols, p)
	}
	mb.setAssignment(d.Take(int(d.Uint32())))
	return mb
}

func (d *decoder) millis() time.Duration {
	return time.Duration(min(d.Uint32(), math.MaxInt32)) * time.Millisecond
}
