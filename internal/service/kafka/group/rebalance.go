package group

import (
	"slices"
	"time"

	"millrace/internal/api/kafkaapi"
)

// rebalanceOrComplete begins a rebalance, or sees whether the one under way has all its members.
func (g *group) rebalanceOrComplete(m moment, fx *effects) {
	if g.state == PreparingRebalance {
		g.maybeComplete(m, fx)
		return
	}
	g.prepare(m, fx)
}

// maybeComplete ends the gathering if nobody is missing. The first one of an empty group waits for its
// time, since its members are not known.
func (g *group) maybeComplete(m moment, fx *effects) {
	if g.state == PreparingRebalance && g.initial == nil && g.allJoined() {
		g.complete(m, fx)
	}
}

// completeIfAllJoined is maybeComplete after a member has gone, which ends also the first gathering.
func (g *group) completeIfAllJoined(m moment, fx *effects) {
	if g.state == PreparingRebalance && g.allJoined() {
		g.complete(m, fx)
	}
}

// prepare begins a rebalance. Members that wait for their assignment are told to join again.
func (g *group) prepare(m moment, fx *effects) {
	if g.state == CompletingRebalance {
		g.reset(kafkaapi.RebalanceInProgress, m, fx)
	}
	for _, mb := range g.rejoined { // whose new id is being written: their Join now waits for the generation
		if mb.stored != 0 && mb.join != nil {
			mb.stored = 0
			g.joined++
		}
	}
	g.rejoined = nil
	g.clearUnsynced()
	first := g.state == Empty
	g.to(PreparingRebalance, m)
	switch {
	case first && g.initialDelay > 0:
		g.initial = &gathering{delay: g.initialDelay, left: max(g.rebalanceTimeout()-g.initialDelay, 0)}
		g.gatherFor(g.initialDelay, m)
	case first || g.allJoined():
		g.complete(m, fx)
	default:
		g.gatherFor(g.rebalanceTimeout(), m)
	}
}

func (g *group) gatherFor(d time.Duration, m moment) {
	g.joinAt = m.at.Add(d)
	g.due(g.joinAt)
}

// gathered is the end of a gathering's time. The first one goes on while members keep coming, up to
// their rebalance timeout.
func (g *group) gathered(m moment, fx *effects) {
	i := g.initial
	if i == nil || !i.more || i.left == 0 {
		g.complete(m, fx)
		return
	}
	i.more = false
	delay := min(g.initialDelay, i.left)
	i.left = max(i.left-i.delay, 0)
	i.delay = delay
	g.gatherFor(delay, m)
}

// complete begins the next generation with those who have joined. Dynamic members who have not are
// removed; static ones stay until their session ends.
func (g *group) complete(m moment, fx *effects) {
	g.joinAt = time.Time{}
	for _, mb := range slices.Clone(g.order) {
		if mb.instance == "" && !mb.waitsForGeneration() {
			g.evict(mb, fx)
		}
	}
	if len(g.members) > 0 && !g.electLeader() {
		g.gatherFor(max(g.rebalanceTimeout(), time.Second), m) // not at once again, whatever members say
		return
	}
	g.initial = nil
	g.generation++
	if len(g.members) == 0 {
		g.protocol = ""
		g.to(Empty, m)
		g.persist(fx, nil)
		return
	}
	g.protocol = g.choose()
	g.to(CompletingRebalance, m)
	for _, mb := range g.order {
		g.answerJoin(fx, mb, g.generationFor(mb))
		mb.isNew = false
		g.live(mb, m, mb.session)
		g.setUnsynced(mb, true)
	}
	g.syncAt = m.at.Add(g.rebalanceTimeout())
	g.due(g.syncAt)
}

// electLeader makes sure that the leader is one who has joined; false when nobody has.
func (g *group) electLeader() bool {
	if mb := g.members[g.leader]; mb != nil && mb.waitsForGeneration() {
		return true
	}
	for _, mb := range g.order {
		if mb.waitsForGeneration() {
			g.leader = mb.id
			return true
		}
	}
	return false
}

func (g *group) clearUnsynced() {
	for _, mb := range g.order {
		g.setUnsynced(mb, false)
	}
	g.syncAt = time.Time{}
}

// tick does what is due and says when to come again (wake).
func (g *group) tick(m moment, fx *effects) {
	if g.state == Dead {
		g.wake = time.Time{}
		return
	}
	g.expireMembers(m, fx)
	for id, until := range g.pending {
		if !m.at.Before(until) {
			delete(g.pending, id)
			g.completeIfAllJoined(m, fx)
		}
	}
	if isDue(g.syncAt, m) {
		g.expireUnsynced(m, fx)
	}
	if isDue(g.joinAt, m) {
		g.gathered(m, fx)
	}
	g.setWake()
}

func isDue(t time.Time, m moment) bool { return !t.IsZero() && !m.at.Before(t) }

// setWake finds the next time that something is due.
func (g *group) setWake() {
	g.wake = time.Time{}
	for _, t := range []time.Time{g.joinAt, g.syncAt} {
		if !t.IsZero() {
			g.due(t)
		}
	}
	for _, mb := range g.order {
		if !mb.expires.IsZero() {
			g.due(mb.expires)
		}
	}
	for _, until := range g.pending {
		g.due(until)
	}
}

// expireMembers removes members whose session has ended. One that waits for an answer is not
// expected to send heartbeats; its session begins again with the answer.
func (g *group) expireMembers(m moment, fx *effects) {
	var gone []*member
	for _, mb := range g.order {
		if !isDue(mb.expires, m) {
			continue
		}
		mb.expires = time.Time{}
		if mb.isNew || mb.join == nil && mb.sync == nil {
			gone = append(gone, mb)
		}
	}
	for _, mb := range gone {
		g.evict(mb, fx)
	}
	if len(gone) > 0 {
		g.membersGone(m, fx)
	}
}

// membersGone follows the removal of members.
func (g *group) membersGone(m moment, fx *effects) {
	switch g.state {
	case Stable, CompletingRebalance:
		g.prepare(m, fx)
	case PreparingRebalance:
		g.completeIfAllJoined(m, fx)
	default:
	}
}

// expireUnsynced removes those who have a generation and never asked for their assignment in it.
func (g *group) expireUnsynced(m moment, fx *effects) {
	g.syncAt = time.Time{}
	if g.unsynced == 0 || g.state != CompletingRebalance && g.state != Stable {
		return
	}
	for _, mb := range slices.Clone(g.order) {
		if mb.unsynced {
			g.evict(mb, fx)
		}
	}
	g.prepare(m, fx)
}
