package run

import "github.com/virga-mesh/virga/mesh"

// What the tracker makes of a commit.

// number gives the attempt that comes next, counted from 0. A generation goes
// on counting attempts where the one before stopped: so losses of nodes are
// bounded for all together, and one that nobody lost anything in costs none.
func (t *tracker) number() uint32 {
	return uint32(t.generation)*mesh.GenerationAttempts + uint32(t.tried)
}

// committed takes it that what the run wrote was made, or, of one of which a
// stage has failed, that this is not for what the run had read.
func (t *tracker) committed() effect {
	switch {
	case t.phase != committing:
		return effect{}
	case t.failure != nil:
		return t.fail(t.failure)
	}
	t.phase = over
	return effect{answer: true}
}

// conflicted takes it that nothing was, for what the run had read is no longer
// one moment: it begins anew, if it may.
func (t *tracker) conflicted(err error) effect {
	if t.phase != committing {
		return effect{}
	}
	if t.generation+1 >= mesh.MaxGenerations {
		return t.fail(conflicting(err))
	}
	t.past = t.members() // who has not heard that it began anew is told in the end
	t.generation++
	t.tried--
	t.phase, t.hurt, t.heard, t.reports, t.held, t.failure = planning, false, nil, nil, 0, nil
	return effect{end: t.spec, replan: true}
}

// broken is fail for what does not matter any more once all sinks have reported.
func (t *tracker) broken(err error) effect {
	if t.phase == committing {
		return effect{}
	}
	return t.fail(err)
}

// conflicting is the error of a run that began as often as it may.
func conflicting(err error) error {
	return within(err, "the run began anew %d times, and what it had read was no longer one moment each time", mesh.MaxGenerations-1)
}
