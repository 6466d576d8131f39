package sdk

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Bounds of what is asked of a node at a time.
const (
	maxBatch      = 1000
	maxBatchBytes = 15 << 20 // below the node's bound, for what is around the puts
)

// Got is what GetAll tells of one key.
type Got struct {
	Name  string
	Value lattice.Value
	Err   error // NotFound and so on, as of Get
}

// GetAll reads any number of keys, beside one another, and tells of each in
// the order of names. The error is that a node could not be asked at all, or
// Invalid for a name that no key can have.
// Values of a batch are read one by one, not as of one moment.
func (c *Client) GetAll(ctx context.Context, names ...string) ([]Got, error) {
	all := make([]Got, 0, len(names))
	for len(names) > 0 {
		n := min(maxBatch, len(names))
		some, err := c.getSome(ctx, names[:n])
		if err != nil {
			return nil, err
		}
		all, names = append(all, some...), names[n:]
	}
	return all, nil
}

// getSome reads as many keys as one request may have.
func (c *Client) getSome(ctx context.Context, names []string) ([]Got, error) {
	req := &pb.GetAll{Quorum: uint32(c.state.ReadQuorum)}
	for _, name := range names {
		key, err := c.key(name)
		if err != nil {
			return nil, err
		}
		req.Keys = append(req.Keys, wire.FromKey(key))
	}
	answers, err := c.batch(ctx, "get all", req, len(names))
	if err != nil {
		return nil, err
	}
	some := make([]Got, len(names))
	for i, answer := range answers {
		some[i] = c.got(ctx, names[i], answer)
	}
	return some, nil
}

func (c *Client) got(ctx context.Context, name string, answer *pb.BatchAnswer) Got {
	if answer.Error != nil {
		err := wire.ToError(answer.Error)
		if errors.Is(err, mesh.Overloaded) { // too large to go with the others, perhaps
			value, err := c.Get(ctx, name)
			return Got{name, value, err}
		}
		return Got{Name: name, Err: mesh.AsError("get "+name, err)}
	}
	value, err := lattice.Decode(answer.Value)
	if err != nil {
		return Got{Name: name, Err: mesh.Errorf(mesh.Internal, "get "+name, "%w", err)}
	}
	return Got{Name: name, Value: value}
}

// Putting is one put of a PutAll.
type Putting struct {
	Name string
	Kind lattice.Kind
	Op   lattice.Op
}

// PutResult is what PutAll tells of one put.
type PutResult struct {
	Name string
	Ack  mesh.Ack
	Err  error // as of Put
}

// PutAll makes any number of puts, beside one another, and tells of each in
// their order. It is no transaction: each succeeds or fails by itself, and two
// of one key happen in any order. The error is that a node could not be asked
// at all, or Invalid for a name that no key can have; some may have been made.
func (c *Client) PutAll(ctx context.Context, puts ...Putting) ([]PutResult, error) {
	var all []PutResult
	for len(puts) > 0 {
		req, err := c.somePuts(puts)
		if err != nil {
			return nil, err
		}
		n := len(req.Puts)
		some, err := c.makePuts(ctx, puts[:n], req)
		if err != nil {
			return nil, err
		}
		all, puts = append(all, some...), puts[n:]
	}
	return all, nil
}

// makePuts sends the request that somePuts made. One put alone may be larger
// than a batch.
func (c *Client) makePuts(ctx context.Context, puts []Putting, req *pb.PutAll) ([]PutResult, error) {
	if len(puts) == 1 {
		ack, err := c.Put(ctx, puts[0].Name, puts[0].Kind, puts[0].Op)
		return []PutResult{{puts[0].Name, ack, err}}, nil
	}
	answers, err := c.batch(ctx, "put all", req, len(puts))
	if err != nil {
		return nil, err
	}
	some := make([]PutResult, len(puts))
	for i, answer := range answers {
		some[i] = putResult(puts[i].Name, answer)
	}
	return some, nil
}

// somePuts makes a request of as many puts as fit, of one at least.
func (c *Client) somePuts(puts []Putting) (*pb.PutAll, error) {
	req, size := &pb.PutAll{}, 0
	for _, put := range puts[:min(maxBatch, len(puts))] {
		m, err := c.putMessage(put.Name, put.Kind, put.Op)
		if err != nil {
			return nil, err
		}
		if size += proto.Size(m) + 16; size > maxBatchBytes && len(req.Puts) > 0 {
			break
		}
		req.Puts = append(req.Puts, m)
	}
	return req, nil
}

func putResult(name string, answer *pb.BatchAnswer) PutResult {
	if answer.Error != nil {
		return PutResult{Name: name, Err: mesh.AsError("put "+name, wire.ToError(answer.Error))}
	}
	return PutResult{Name: name, Ack: mesh.Ack{
		Replicas: int(answer.Replicas), Durability: mesh.Durability(min(answer.Durability, 255)),
	}}
}

// batch sends a request that is answered for each of n keys.
func (c *Client) batch(ctx context.Context, op string, req wire.Message, n int) ([]*pb.BatchAnswer, error) {
	reply, err := do[*pb.BatchReply](ctx, c, op, req)
	if err != nil {
		return nil, err
	}
	if len(reply.Answers) != n {
		return nil, mesh.Errorf(mesh.Internal, op, "the node answered for %d keys: expected %d", len(reply.Answers), n)
	}
	return reply.Answers, nil
}
