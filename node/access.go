package node

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// allow gives a Denied error unless the peer's certificate lets it ask for
// req. Nodes may ask for anything; what is not listed here only nodes may.
func allow(peer admission.Member, req wire.Message) error {
	if peer.Role == admission.Node {
		return nil
	}
	if betweenNodes(req) {
		return mesh.Errorf(mesh.Denied, "request", "%T as one node sends it to another: %s is a %s", req, peer.ID.Short(), peer.Role)
	}
	switch m := req.(type) {
	case *pb.Get, *pb.GetElement, *pb.GetPage, *pb.GetRange:
		return allowKey(peer, admission.Read, req)
	case *pb.Put, *pb.Delete, *pb.Touch:
		return allowKey(peer, admission.Write, req)
	case *pb.List:
		return peer.Allow(admission.Read, m.Namespace, m.Prefix)
	case *pb.Scan:
		return peer.Allow(admission.Read, m.Namespace, m.Prefix)
	case *pb.Watch:
		return peer.Allow(admission.Read, m.Namespace, m.Prefix)
	case *pb.Namespaces:
		return allowVerb(peer, admission.Read) // namespacesFor leaves out those that it may not know
	case *pb.CompareAndSet:
		return allowSwap(peer, m.GetKey())
	case *pb.GetAll:
		return allowGetAll(peer, m)
	case *pb.PutAll:
		return allowPutAll(peer, m)
	case *pb.Call:
		return allowCall(peer, m)
	case *pb.CallDAG:
		return allowCallDAG(peer, m)
	case *pb.GetFunc:
		return peer.Allow(admission.Call, m.GetRef().GetNamespace(), m.GetRef().GetName())
	case *pb.GetDAG, *pb.GetTrigger:
		return allowNamed(peer, admission.Call, req)
	case *pb.ListFuncs, *pb.ListDAGs, *pb.ListTriggers, *pb.Usage:
		return peer.Allow(admission.Call, req.(interface{ GetNamespace() string }).GetNamespace(), "")
	case *pb.Deploy, *pb.DeleteFunc, *pb.UseVersion, *pb.PinFunc, *pb.SetAlias:
		return allowDeploy(peer, req.(interface{ GetRef() *pb.FuncRef }).GetRef())
	case *pb.ServeFuncs:
		return allowServe(peer, m)
	case *pb.CreateDAG:
		return allowCreateDAG(peer, m.GetDag())
	case *pb.PutTrigger:
		return allowPutTrigger(peer, m.GetTrigger())
	case *pb.DeleteDAG, *pb.DeleteTrigger:
		return allowNamed(peer, admission.Deploy, req)
	case *pb.AwaitRun, *pb.CancelRun, *pb.SendMessage, *pb.Receive:
		return allowVerb(peer, admission.Call) // the run's random id says which
	case *pb.Status:
		return nil
	case *pb.Stats:
		return allowVerb(peer, admission.Admin) // it names hot keys of all namespaces
	case *pb.Drain, *pb.Forget:
		return allowChangeOfMesh(peer)
	case *pb.Backup:
		return allowAll(peer, admission.Admin|admission.Read)
	case *pb.Restore:
		return allowAll(peer, admission.Admin|admission.Write)
	}
	return mesh.Errorf(mesh.Denied, "request", "%T is for nodes only: %s is a %s", req, peer.ID.Short(), peer.Role)
}

// allowKey is for requests about one key.
func allowKey(peer admission.Member, verb admission.Verbs, req wire.Message) error {
	key := req.(interface{ GetKey() *pb.Key }).GetKey()
	return peer.Allow(verb, key.GetNamespace(), key.GetName())
}

// allowNamed is for requests about one thing of a namespace.
func allowNamed(peer admission.Member, verb admission.Verbs, req wire.Message) error {
	named := req.(interface {
		GetNamespace() string
		GetName() string
	})
	return peer.Allow(verb, named.GetNamespace(), named.GetName())
}

// betweenNodes reports whether a request that clients make, too, claims to
// come from a node: it would be served from this node's own store, owner or not.
func betweenNodes(req wire.Message) bool {
	switch m := req.(type) {
	case *pb.Put:
		return m.Forwarded
	case *pb.Delete:
		return m.Forwarded
	case *pb.Touch:
		return m.Forwarded
	case *pb.CompareAndSet:
		return m.Forwarded
	case *pb.PutAll:
		return slices.ContainsFunc(m.Puts, func(put *pb.Put) bool { return put.GetForwarded() })
	case *pb.List:
		return m.Local
	case *pb.Scan:
		return m.Local
	case *pb.GetRange:
		return m.Forwarded
	case *pb.Namespaces:
		return m.Local
	}
	return false
}

// allowSwap asks for both rights: a conflict tells what was read.
func allowSwap(peer admission.Member, key *pb.Key) error {
	if err := peer.Allow(admission.Read, key.GetNamespace(), key.GetName()); err != nil {
		return err
	}
	return peer.Allow(admission.Write, key.GetNamespace(), key.GetName())
}

func allowGetAll(peer admission.Member, m *pb.GetAll) error {
	for _, key := range m.Keys {
		if err := peer.Allow(admission.Read, key.GetNamespace(), key.GetName()); err != nil {
			return err
		}
	}
	return nil
}

func allowPutAll(peer admission.Member, m *pb.PutAll) error {
	for _, put := range m.Puts {
		key := put.GetKey()
		if err := peer.Allow(admission.Write, key.GetNamespace(), key.GetName()); err != nil {
			return err
		}
	}
	return nil
}

func allowCall(peer admission.Member, m *pb.Call) error {
	if err := peer.Allow(admission.Call, m.GetRef().GetNamespace(), m.GetRef().GetName()); err != nil {
		return err
	}
	if err := allowAfter(peer, m.GetOptions()); err != nil {
		return err
	}
	return allowReferences(peer, m.Args)
}

func allowCallDAG(peer admission.Member, m *pb.CallDAG) error {
	if err := peer.Allow(admission.Call, m.Namespace, m.Name); err != nil {
		return err
	}
	if err := allowAfter(peer, m.GetOptions()); err != nil {
		return err
	}
	for _, stage := range m.Args {
		if err := allowReferences(peer, stage.GetArgs()); err != nil {
			return err
		}
	}
	return nil
}

// allowAfter lets a caller have the result stored where it may write itself,
// and continued with by what it may call itself.
func allowAfter(peer admission.Member, o *pb.CallOptions) error {
	if key := o.GetOutput(); key != nil {
		if err := peer.Allow(admission.Write, key.GetNamespace(), key.GetName()); err != nil {
			return err
		}
	}
	if then := o.GetThen(); then != nil {
		return peer.Allow(admission.Call, then.GetNamespace(), then.GetName())
	}
	return nil
}

// allowReferences lets a caller name in arguments only keys that it may read
// itself. A run's random id is the right to its result.
func allowReferences(peer admission.Member, args []*pb.Arg) error {
	for _, arg := range args {
		keys := []*pb.Key{arg.GetRef()}
		for _, hole := range arg.GetHoles() {
			keys = append(keys, hole.GetRef())
		}
		for _, key := range keys {
			if key == nil {
				continue
			}
			if err := peer.Allow(admission.Read, key.GetNamespace(), key.GetName()); err != nil {
				return err
			}
		}
	}
	return nil
}

// allowCreateDAG lets a DAG reach only functions that its author may call.
func allowCreateDAG(peer admission.Member, dag *pb.DAG) error {
	if err := peer.Allow(admission.Deploy, dag.GetNamespace(), dag.GetName()); err != nil {
		return err
	}
	for _, stage := range dag.GetStages() {
		if err := peer.Allow(admission.Call, stage.GetFunc().GetNamespace(), stage.GetFunc().GetName()); err != nil {
			return err
		}
	}
	return nil
}

// allowPutTrigger lets a trigger run only what its author may call, and tell
// it only of keys that its author may read.
func allowPutTrigger(peer admission.Member, t *pb.Trigger) error {
	if err := peer.Allow(admission.Deploy, t.GetNamespace(), t.GetName()); err != nil {
		return err
	}
	namespace, name := t.GetFunc().GetNamespace(), t.GetFunc().GetName()
	if t.GetDag() != "" {
		namespace, name = t.GetNamespace(), t.GetDag()
	}
	if err := peer.Allow(admission.Call, namespace, name); err != nil {
		return err
	}
	switch mesh.CauseKind(min(t.GetCause(), 255)) {
	case mesh.OnKey, mesh.OnPrefix:
		return peer.Allow(admission.Read, t.GetNamespace(), t.GetKey())
	}
	return nil
}

func allowDeploy(peer admission.Member, ref *pb.FuncRef) error {
	return peer.Allow(admission.Deploy, ref.GetNamespace(), ref.GetName())
}

func allowServe(peer admission.Member, m *pb.ServeFuncs) error {
	for _, ref := range m.Functions {
		if err := allowDeploy(peer, ref); err != nil {
			return err
		}
	}
	return allowVerb(peer, admission.Deploy)
}

// allowChangeOfMesh wants the verb admin from a certificate that is not
// restricted to a part of what the mesh holds: a node has all parts.
func allowChangeOfMesh(peer admission.Member) error { return allowAll(peer, admission.Admin) }

// allowAll is for what concerns the mesh as a whole: the certificate must have
// the verbs, and no restriction to namespaces, keys or functions.
func allowAll(peer admission.Member, verbs admission.Verbs) error {
	if missing := verbs &^ peer.Grant.Verbs; missing != 0 {
		return mesh.Errorf(mesh.Denied, "request", "the certificate of %s allows %s: expected %s, too", peer.ID.Short(), peer.Grant.Verbs, missing)
	}
	if g := peer.Grant; len(g.Namespaces)+len(g.KeyPrefixes)+len(g.Functions) > 0 {
		return mesh.Errorf(mesh.Denied, "request", "the certificate of %s is restricted to namespaces, keys or functions: expected one that is not, for what concerns the mesh as a whole", peer.ID.Short())
	}
	return nil
}

func allowVerb(peer admission.Member, verb admission.Verbs) error {
	if peer.Grant.Verbs&verb == 0 {
		return mesh.Errorf(mesh.Denied, "request", "the certificate of %s allows %s: expected %s", peer.ID.Short(), peer.Grant.Verbs, verb)
	}
	return nil
}
