package sdk

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Guarantees are what a Session promises of the order in which its reads and
// writes of a key are seen, each for itself (Terry et al., "Session Guarantees
// for Weakly Consistent Replicated Data", 1994). They hold for each key, through
// whichever nodes the session goes, under partitions and the death of nodes.
type Guarantees uint8

// The guarantees.
const (
	// MonotonicReads: a read sees what the session's earlier reads saw.
	MonotonicReads Guarantees = 1 << iota
	// ReadYourWrites: a read sees the session's acknowledged writes.
	ReadYourWrites
	// MonotonicWrites: who sees a write of the session sees its earlier ones.
	MonotonicWrites
	// WritesFollowReads: who sees a write of the session sees what the
	// session had read before.
	WritesFollowReads
	// PRAM is monotonic reads, monotonic writes and read your writes.
	PRAM = MonotonicReads | MonotonicWrites | ReadYourWrites
	// AllGuarantees is all of them.
	AllGuarantees = PRAM | WritesFollowReads
)

var guaranteeNames = []struct {
	name string
	g    Guarantees
}{
	{"monotonic-reads", MonotonicReads}, {"read-your-writes", ReadYourWrites},
	{"monotonic-writes", MonotonicWrites}, {"writes-follow-reads", WritesFollowReads},
	{"pram", PRAM}, {"all", AllGuarantees},
}

// ParseGuarantees reads a list of names, separated by commas: monotonic-reads,
// read-your-writes, monotonic-writes, writes-follow-reads, pram, all.
func ParseGuarantees(list string) (Guarantees, error) {
	var all Guarantees
	for name := range strings.SplitSeq(list, ",") {
		g := Guarantees(0)
		var names []string
		for _, known := range guaranteeNames {
			names = append(names, known.name)
			if known.name == strings.TrimSpace(name) {
				g = known.g
			}
		}
		if g == 0 {
			return 0, mesh.Errorf(mesh.Invalid, "session", "guarantee %q: expected %s", name, strings.Join(names, ", "))
		}
		all |= g
	}
	return all, nil
}

// Bounds of what a session carries.
const (
	maxSessionKeys = 1024
	maxSeen        = 4 << 10 // bytes of what was read or written of one key
)

// Session carries what a client has seen and written, so that the guarantees
// hold wherever its next request goes: the states themselves, of small keys.
// Lattices merge, so a read that comes from an owner that is behind is
// completed by what the session carries, and waits for nobody. What is too
// large to carry, or of more than 1024 keys, is read from most owners instead,
// after most owners hold it, and needs them to be there.
//
// It is safe for concurrent use; a guarantee relates what ended to what began
// after it.
type Session struct {
	guarantees Guarantees

	mu       sync.Mutex
	keys     map[mesh.Key]*seen
	uses     uint64
	overflow bool
}

// seen is what a session knows of a key.
type seen struct {
	read, written lattice.Cell
	most          bool // of what is not in them, most owners have it
	used          uint64
}

// NewSession begins a session that has seen nothing. WithSession uses it.
func NewSession(g Guarantees) *Session {
	return &Session{guarantees: g, keys: make(map[mesh.Key]*seen)}
}

// Guarantees are what the session promises.
func (s *Session) Guarantees() Guarantees { return s.guarantees }

// Token is the session, for OpenSession in this process or another. It can be
// as long as 8 MiB, if the session uses large values of many keys; it holds what was read.
func (s *Session) Token() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := &pb.SessionToken{Guarantees: uint32(s.guarantees), Overflow: s.overflow}
	for _, key := range s.inOrder() {
		at := s.keys[key]
		token.Keys = append(token.Keys, &pb.SessionKey{
			Key: wire.FromKey(key), Read: encodeSeen(at.read), Written: encodeSeen(at.written), Most: at.most,
		})
	}
	raw, err := proto.Marshal(token)
	if err != nil {
		panic("sdk: a session cannot be encoded: " + err.Error()) // it has valid names only
	}
	return raw
}

func encodeSeen(cell lattice.Cell) []byte {
	if cell.IsZero() {
		return nil
	}
	return cell.AppendBinary(nil)
}

// OpenSession goes on with a session. A token that is none is Invalid.
func OpenSession(token []byte) (*Session, error) {
	var t pb.SessionToken
	err := proto.Unmarshal(token, &t)
	if err != nil || t.Guarantees > uint32(AllGuarantees) || len(t.Keys) > maxSessionKeys {
		return nil, mesh.Errorf(mesh.Invalid, "session", "%d bytes: expected the token of a session", len(token))
	}
	s := NewSession(Guarantees(t.Guarantees))
	s.overflow = t.Overflow
	for _, k := range t.Keys {
		key, err := wire.ToKey(k.Key)
		if err != nil {
			return nil, mesh.AsError("session", err)
		}
		at := s.at(key)
		at.most = k.Most
		for raw, cell := range map[*[]byte]*lattice.Cell{&k.Read: &at.read, &k.Written: &at.written} {
			if len(*raw) == 0 {
				continue
			}
			if *cell, err = lattice.DecodeCell(*raw); err != nil {
				return nil, mesh.Errorf(mesh.Invalid, "session", "what was seen of %s: %w", key, err)
			}
		}
	}
	return s, nil
}
