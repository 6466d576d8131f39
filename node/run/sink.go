package run

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// HandleSinkResult takes the end of a sink or of a failed stage from the
// node that ran it. What comes for a run that is over, or an attempt that
// was given up, is ignored.
func (r *Runs) HandleSinkResult(from mesh.NodeID, m *pb.SinkResult) error {
	id, err := wire.ToRunID(m.GetRunId())
	if err != nil {
		return err
	}
	r.mu.Lock()
	c := r.coordinated[id]
	r.mu.Unlock()
	if c == nil {
		return nil
	}
	stage := int(m.Stage)
	stages, in, ok := c.expects(from, m.Attempt, stage)
	if !ok {
		return nil
	}
	if err := r.learn(in, m.Past); err != nil {
		return err
	}
	switch {
	case len(m.Lost) > 0:
		c.nodeDown(mesh.NodeID(m.Lost))
	case m.Error != nil:
		c.stageFailed(m.Attempt, stage, wire.ToError(m.Error))
	default:
		end := ending{skipped: m.Skipped}
		if !m.Skipped {
			if end.value, err = wire.ToValue(m.Value); err != nil {
				c.stageFailed(m.Attempt, stage, err)
				return err
			}
		}
		c.sinkResult(m.Attempt, stage, end, parseReports(m.Reports, stages))
	}
	return nil
}

// expects reports whether the node runs the stage, as far as the attempt goes,
// how many stages the run has, and in which session.
func (c *coordination) expects(from mesh.NodeID, attempt uint32, stage int) (stages int, in mesh.Session, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.tracker
	if !t.current(attempt, stage) || slices.Contains(t.lost, from) {
		return 0, mesh.Session{}, false
	}
	return len(t.spec.stages), t.spec.session, t.spec.places[stage].Node == from
}
