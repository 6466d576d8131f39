package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// deliver sends results to other nodes, each once to each node. The reports
// go with the first.
func (s *share) deliver(deliveries []delivery, told reports) {
	for i := range deliveries {
		d := &deliveries[i]
		if d.taken {
			continue
		}
		for j := i + 1; j < len(deliveries); j++ {
			if other := &deliveries[j]; other.node == d.node && other.from == d.from && other.absent == d.absent {
				d.also, other.taken = append(d.also, other.port), true
			}
		}
		s.hop(d, nil, told)
		told = reports{}
	}
}

// hop sends an input to a stage of another node: the call's own arguments, or
// a result.
func (s *share) hop(d *delivery, args []Arg, told reports) {
	err := s.runs.cfg.Peers.Send(s.ctx, d.node, s.hopMessage(d, args, told))
	switch {
	case err == nil:
	case mesh.KindOf(err) == mesh.Unavailable:
		s.lost(d.from, d.node)
	default:
		s.fail(d.from, s.spec(), err)
	}
}

// hopMessage is one piece of memory for all that most hops hold.
func (s *share) hopMessage(d *delivery, args []Arg, told reports) *pb.Hop {
	m := &struct {
		hop    pb.Hop
		run    pb.RunSpec
		result pb.Value
	}{}
	m.hop.Run = &m.run
	s.spec().tell(&m.run, d.node)
	m.hop.Stage, m.hop.Input, m.hop.Absent = uint32(d.stage), uint32(d.input), d.absent
	for _, p := range d.also {
		m.hop.Also = append(m.hop.Also, &pb.StageInput{Stage: uint32(p.stage), Input: uint32(p.input)})
	}
	m.hop.Reports, m.hop.LeftUs = told.encoded(), timeLeft(s.ctx)
	m.hop.Past = s.runs.past(s.spec().session)
	switch {
	case d.input == 0:
		m.hop.Args = argMessages(args)
	case !d.value.IsZero():
		m.result.Format, m.result.Data = uint32(d.value.Format), d.value.Data
		m.hop.Result = &m.result
	}
	return &m.hop
}

// inputOf reads what hopMessage was given. It shares the message's bytes.
func inputOf(m *pb.Hop) (in input, err error) {
	in = input{absent: m.Absent, moved: true}
	switch {
	case m.Absent:
	case m.Input == 0:
		in.args, err = parseArgs(m.Args)
	default:
		in.args = make([]Arg, 1)
		in.args[0].Value, err = wire.ToValue(m.Result)
	}
	return in, err
}

// timeLeft is how long a run has from now, in µs, at least one.
func timeLeft(ctx context.Context) uint64 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return uint64(MaxTimeout / time.Microsecond)
	}
	return uint64(max(time.Until(deadline)/time.Microsecond, 1))
}
