package dht

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// standing is the mesh's last word on a node's membership. Words spread with
// the members. Only the node itself takes one back: when it hears that it
// drains or is gone and knows better, it speaks a later one, as a suspect
// does in SWIM (Das, Gupta and Motivala, section 4.2).
type standing struct {
	state state
	said  int64 // Unix time in ms; the later word holds. 0: nothing was ever said
}

// state is what a node is to the mesh. Of words said at once the higher holds.
type state uint8

const (
	member   state = iota
	draining       // it lives, and is to own nothing
	gone           // it left for good, or an operator said that it never returns
)

// standingOf makes a standing of how it is written.
func standingOf(isDraining, isGone bool, said int64) standing {
	switch {
	case isGone:
		return standing{gone, said}
	case isDraining:
		return standing{draining, said}
	}
	return standing{member, said}
}

// supersedes reports whether s is a later word than other.
func (s standing) supersedes(other standing) bool {
	return s.said > other.said || s.said == other.said && s.state > other.state
}

// after gives a word that supersedes s.
func (s standing) after(state state, now time.Time) standing {
	return standing{state, max(now.UnixMilli(), s.said+1)}
}

// maxSkew is how far the clock that a word was said by may be ahead; one of a
// later time could not be answered for ever.
const maxSkew = 24 * time.Hour

// hear notes a word about a node that is known. Of this node itself it says
// the truth, later than the word.
func (r *roster) hear(id mesh.NodeID, word standing, now time.Time) {
	if word.said > now.Add(maxSkew).UnixMilli() {
		return
	}
	if id == r.self {
		r.answer(word, now)
		return
	}
	n := r.nodes[id]
	if n == nil || !word.supersedes(n.standing) {
		return
	}
	n.standing = word
	if said := time.UnixMilli(word.said); said.After(n.seen) && !said.After(now) {
		n.seen = said // so that it is remembered for as long as who was away may bring the node up
	}
	r.viewChanged, r.planChanged = true, true
}

// answer takes back a word about this node that does not hold.
func (r *roster) answer(word standing, now time.Time) {
	if !word.supersedes(r.own) {
		return
	}
	if word.state == gone {
		r.forgotten.Store(true)
	}
	if word.state == r.own.state {
		r.own = word
	} else {
		r.own = word.after(r.own.state, now)
	}
	r.viewChanged = true
}

// say sets this node's own standing.
func (r *roster) say(state state, now time.Time) {
	r.own = r.own.after(state, now)
	r.viewChanged = true
}

// digest is equal for equal knowledge: of who lives, who is missing, who
// drains and who is gone.
func (r *roster) digest() mesh.ID {
	digest := r.own.mark(r.selfID, false)
	for _, n := range r.nodes {
		var mark mesh.ID
		switch {
		case n.inView():
			mark = n.standing.mark(n.place, false)
		case n.standing.state == gone || n.missing():
			mark = n.standing.mark(n.place, true)
		default:
			continue
		}
		for i := range digest {
			digest[i] ^= mark[i]
		}
	}
	return digest
}

// mark is a node's part of the digest: its place when it lives and nothing
// was ever said about it, else a hash that tells what there is to tell.
func (s standing) mark(place mesh.ID, absent bool) mesh.ID {
	if !absent && s == (standing{}) {
		return place
	}
	content := append(place[:], byte(s.state), 0)
	if absent {
		content[len(content)-1] = 1
	}
	return sha256.Sum256(binary.BigEndian.AppendUint64(content, uint64(s.said)))
}
