package session

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

const (
	// endsWithin is how long the end of a session waits for others, so that one
	// message tells a node of all: word of each would be in the way of the next
	// runs. Until then the node keeps a little more than it needs.
	endsWithin = 50 * time.Millisecond
	// noticeTimeout bounds the sending of what nobody waits for.
	noticeTimeout = 5 * time.Second
)

// endSoon tells a node, within endsWithin, that a session of this home is over.
func (s *Sessions) endSoon(node mesh.NodeID, of mesh.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.ends == nil {
		s.ends = map[mesh.NodeID]*pb.EndSession{}
		s.work.Go(s.tellEnds)
	}
	m := s.ends[node]
	if m == nil {
		m = &pb.EndSession{}
		s.ends[node] = m
	}
	m.Sessions = append(m.Sessions, wire.FromSession(of))
}

// tellEnds sends what has gathered within endsWithin.
func (s *Sessions) tellEnds() {
	timer := time.NewTimer(endsWithin)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
	s.mu.Lock()
	ends := s.ends
	s.ends = nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, noticeTimeout)
	defer cancel()
	for node, m := range ends {
		if err := s.cfg.Peers.Send(ctx, node, m); err != nil {
			s.cfg.Log.Debug("a node was not told that sessions ended", "node", node.Short(), "err", err)
		}
	}
}

// HandleEndSession forgets sessions, on the word of their home.
func (s *Sessions) HandleEndSession(from mesh.NodeID, m *pb.EndSession) error {
	for _, session := range m.Sessions {
		of, err := wire.ToSession(session)
		if err != nil {
			return err
		}
		s.mu.Lock()
		if p := s.open[of.ID]; p != nil && p.home == nil && p.of.Home == from {
			s.drop(of.ID)
		}
		s.mu.Unlock()
	}
	return nil
}
