package group

import (
	"fmt"
	"slices"
	"strings"

	"millrace/internal/api/kafkaapi"
)

// client does what a consumer's group protocol does: it joins, assigns if it leads, and syncs, until it has
// an assignment.
type client struct {
	group, instance string
	id              string // member id; "" until it is given one
	generation      int32
	assignment      string
	leads           bool
}

// joinWait is a Join that blocks its goroutine.
func joinWait(c *Coordinator, req JoinRequest) JoinResponse {
	ch := make(chan JoinResponse, 2)
	c.Join(req, func(r JoinResponse) { ch <- r })
	return <-ch
}

func syncWait(c *Coordinator, req SyncRequest) SyncResponse {
	ch := make(chan SyncResponse, 2)
	c.Sync(req, func(r SyncResponse) { ch <- r })
	return <-ch
}

// settle joins and syncs until the member has an assignment, or stop says to give up. An error is a
// code that no client would live through.
func (cl *client) settle(c *Coordinator, stop func() bool) error {
	for !stop() {
		req := consumer(cl.group, cl.id)
		req.InstanceID = cl.instance
		req.Protocols[0].Metadata = []byte("topics")
		j := joinWait(c, req)
		switch j.Code {
		case kafkaapi.None:
		case kafkaapi.MemberIDRequired:
			cl.id = j.MemberID
			continue
		case kafkaapi.UnknownMemberID:
			cl.id = ""
			continue
		case kafkaapi.RebalanceInProgress, kafkaapi.CoordinatorNotAvailable, kafkaapi.NotCoordinator:
			continue
		default:
			return fmt.Errorf("join of %q: %v", cl.id, j.Code)
		}
		cl.id, cl.generation, cl.leads = j.MemberID, j.Generation, j.Leader == j.MemberID
		q := SyncRequest{Group: cl.group, MemberID: cl.id, InstanceID: cl.instance, Generation: j.Generation, ProtocolType: j.ProtocolType, Protocol: j.Protocol}
		if cl.leads && !j.SkipAssignment {
			q.Assignments = assign(j)
		}
		switch s := syncWait(c, q); s.Code {
		case kafkaapi.None:
			cl.assignment = string(s.Assignment)
			return nil
		case kafkaapi.UnknownMemberID:
			cl.id = ""
		case kafkaapi.RebalanceInProgress, kafkaapi.IllegalGeneration, kafkaapi.CoordinatorNotAvailable, kafkaapi.NotCoordinator:
		default:
			return fmt.Errorf("sync of %q: %v", cl.id, s.Code)
		}
	}
	return nil
}

// assign gives every member a text that names the generation, the member and all members: whoever gets
// one can tell whether it is whole and whose it is.
func assign(j JoinResponse) []Assignment {
	var all []string
	for _, m := range j.Members {
		all = append(all, m.ID)
	}
	slices.Sort(all)
	as := make([]Assignment, 0, len(j.Members))
	for i, m := range j.Members {
		of := m.ID
		if m.InstanceID != "" {
			of = m.InstanceID
		}
		as = append(as, Assignment{m.ID, fmt.Appendf(nil, "%d|%d|%s|%s", j.Generation, i, of, strings.Join(all, ","))})
	}
	return as
}
