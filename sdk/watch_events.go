package sdk

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// knownStates remembers what a watch told last of keys, so that the owners'
// accounts of one change are one event. It forgets all where there are too
// many keys, and with a gap: then events may come twice.
type knownStates struct {
	digests map[string][16]byte
}

// maxKnownStates bounds the keys that are remembered.
const maxKnownStates = 16 << 10

func newKnownStates() *knownStates { return &knownStates{make(map[string][16]byte)} }

// events makes events of a page. All but the last carry the token of the page
// before, so that who goes on after one of them misses none.
func (k *knownStates) events(before []byte, reply *pb.WatchReply) ([]Event, error) {
	after := encodeToken(reply.Token)
	if reply.Lagged {
		clear(k.digests)
		return []Event{{Kind: LaggedEvent, Token: after}}, nil
	}
	var events []Event
	for _, told := range reply.Events {
		if !k.isNew(told) {
			continue
		}
		e, err := toEvent(told)
		if err != nil {
			return nil, err
		}
		e.Token = encodeToken(before)
		events = append(events, e)
	}
	if len(events) == 0 {
		if len(reply.Events) > 0 {
			return nil, nil
		}
		return []Event{{Kind: MarkEvent, Token: after}}, nil
	}
	events[len(events)-1].Token = after
	return events, nil
}

// isNew reports whether an event differs from the key's last one.
func (k *knownStates) isNew(told *pb.WatchEvent) bool {
	if told.Omitted {
		delete(k.digests, told.Name)
		return true
	}
	sum := sha256.Sum256(told.Value)
	digest := [16]byte(sum[:])
	if known, has := k.digests[told.Name]; has && known == digest {
		return false
	}
	if len(k.digests) >= maxKnownStates {
		clear(k.digests)
	}
	k.digests[told.Name] = digest
	return true
}

func toEvent(told *pb.WatchEvent) (Event, error) {
	e := Event{Kind: DeleteEvent, Key: told.Name, Omitted: told.Omitted}
	switch {
	case told.Omitted:
		e.Kind = PutEvent
	case told.Expired:
		e.Kind = ExpireEvent
	case len(told.Value) > 0:
		e.Kind = PutEvent
		var err error
		if e.Value, err = lattice.Decode(told.Value); err != nil {
			return Event{}, mesh.Errorf(mesh.Internal, "watch "+told.Name, "%w", err)
		}
	}
	return e, nil
}

func encodeToken(token []byte) Token {
	return Token(base64.RawURLEncoding.EncodeToString(token))
}
