package sdk

import (
	"crypto/rand"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// makeRepeatable reports whether a request may be sent again when it is not
// known whether it arrived. Futures and writes get an id for that, by which
// the mesh takes the second one for the first. A call that is waited for gets
// none, since the mesh would have to write down each run by its id: stages
// run at least once anyway.
func makeRepeatable(req wire.Message) bool {
	switch req := req.(type) {
	case *pb.Call:
		nameFuture(req.Options)
	case *pb.CallDAG:
		nameFuture(req.Options)
	case *pb.Put:
		if len(req.WriteId) == 0 {
			req.WriteId = drawID()
		}
	case *pb.Delete:
		if len(req.WriteId) == 0 {
			req.WriteId = drawID()
		}
	case *pb.Touch:
		if len(req.WriteId) == 0 {
			req.WriteId = drawID()
		}
	case *pb.PutAll:
		for _, put := range req.Puts {
			if len(put.WriteId) == 0 {
				put.WriteId = drawID()
			}
		}
	case *pb.Get, *pb.GetAll, *pb.List, *pb.Status, *pb.Watch, *pb.Scan, *pb.GetRange, *pb.Namespaces,
		*pb.Deploy, *pb.GetFunc, *pb.ListFuncs, *pb.UseVersion, *pb.Usage, *pb.PinFunc,
		*pb.CreateDAG, *pb.GetDAG, *pb.ListDAGs,
		*pb.AwaitRun, *pb.CancelRun:
	default:
		return false
	}
	return true
}

// How long a write may be on its way: one that is sent elsewhere when the
// connection has ended, and any after it was found to have been late.
const (
	freshForAll = 5 * time.Second
	maxFresh    = time.Minute
)

// freshFor is how long a request may be on its way before the node must not
// begin it any more; 0: it may be begun whenever. Of writes a node is asked
// for anew when another has not answered, and what that begins late would win
// over what was written since.
func freshFor(req wire.Message) time.Duration {
	switch req.(type) {
	case *pb.Put, *pb.Delete:
		return mesh.FreshFor(proto.Size(req))
	case *pb.Touch, *pb.PutAll:
		return max(freshForAll, mesh.FreshFor(proto.Size(req)))
	}
	return 0
}

// isPrompt reports whether a node that lives answers a request at once, so that
// another node is asked when it does not.
func isPrompt(req wire.Message) bool {
	switch req.(type) {
	case *pb.Get, *pb.GetElement, *pb.GetPage, *pb.Put, *pb.Delete, *pb.List, *pb.Status:
		return true
	}
	return false
}

// asRetry is a request as it is sent again, so long after it was sent first.
// The one sent first is left as it is: it may still be read.
func asRetry(req wire.Message, age time.Duration) wire.Message {
	switch req := req.(type) {
	case *pb.Put:
		again := proto.Clone(req).(*pb.Put)
		again.RetryAgeMs += max(1, retryAge(age))
		return again
	case *pb.Delete:
		again := proto.Clone(req).(*pb.Delete)
		again.RetryAgeMs += max(1, retryAge(age))
		return again
	case *pb.PutAll:
		again := proto.Clone(req).(*pb.PutAll)
		for _, put := range again.Puts {
			put.RetryAgeMs += max(1, retryAge(age))
		}
		return again
	case *pb.Call:
		if len(req.GetOptions().GetRunId()) > 0 {
			again := proto.Clone(req).(*pb.Call)
			again.Options.Again = true
			return again
		}
	case *pb.CallDAG:
		if len(req.GetOptions().GetRunId()) > 0 {
			again := proto.Clone(req).(*pb.CallDAG)
			again.Options.Again = true
			return again
		}
		if len(req.GetOptions().GetWork()) > 0 {
			again := proto.Clone(req).(*pb.CallDAG)
			again.Options.WorkAgeUs += uint64(max(1, age/time.Microsecond))
			return again
		}
	}
	return req
}

func nameFuture(o *pb.CallOptions) {
	if o.GetFuture() && len(o.RunId) == 0 {
		id := mesh.NewRunID()
		o.RunId = id[:]
	}
}

func drawID() []byte {
	id := make([]byte, 16)
	rand.Read(id) // never fails: crypto/rand ends the program instead
	return id
}
