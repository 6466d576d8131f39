package node_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/worker"
)

// attempts are what a client may try, by name. They work for a client that
// may do everything, in this order.
var attempts = []struct {
	name string
	try  func(t *testing.T, c *sdk.Client) error
}{
	{"put", func(t *testing.T, c *sdk.Client) error {
		return sdk.Register[string](c, "app/greeting").Put(within(t, 30*time.Second), "hello")
	}},
	{"get", func(t *testing.T, c *sdk.Client) error {
		_, err := c.Get(within(t, 30*time.Second), "app/greeting")
		return err
	}},
	{"list", func(t *testing.T, c *sdk.Client) error {
		for _, err := range c.List(within(t, 30*time.Second), "app/") {
			return err
		}
		return nil
	}},
	{"scan", func(t *testing.T, c *sdk.Client) error {
		for _, err := range c.Scan(within(t, 30*time.Second), "app/") {
			return err
		}
		return nil
	}},
	{"watch", func(t *testing.T, c *sdk.Client) error {
		for _, err := range c.Watch(within(t, 30*time.Second), "app/", "") {
			return err
		}
		return nil
	}},
	{"call", func(t *testing.T, c *sdk.Client) error {
		_, err := c.Call(within(t, 30*time.Second), "square", 2)
		return err
	}},
	{"start", func(t *testing.T, c *sdk.Client) error {
		_, err := sdk.Func[int, int](c, "square").Start(within(t, 30*time.Second), 2)
		return err
	}},
	{"look at a function", func(t *testing.T, c *sdk.Client) error {
		_, err := c.GetFunc(within(t, 30*time.Second), "square")
		return err
	}},
	{"deploy", func(t *testing.T, c *sdk.Client) error {
		_, err := c.Deploy(within(t, firstCompile), "square", module(t, guestModule), sdk.DeployOptions{})
		return err
	}},
	{"create a DAG", func(t *testing.T, c *sdk.Client) error {
		d := dag("squares", "square", "")
		d.Namespace, d.Stages[0].Func.Namespace = c.Namespace(), c.Namespace()
		return c.CreateDAG(within(t, 30*time.Second), d)
	}},
	{"call a DAG", func(t *testing.T, c *sdk.Client) error {
		_, err := c.DAG("squares").Call(within(t, 30*time.Second), sdk.Args{"square": {2}})
		return err
	}},
	{"delete a DAG", func(t *testing.T, c *sdk.Client) error { return c.DeleteDAG(within(t, 30*time.Second), "squares") }},
	{"delete a function", func(t *testing.T, c *sdk.Client) error { return c.DeleteFunc(within(t, 30*time.Second), "square") }},
	{"delete", func(t *testing.T, c *sdk.Client) error { return c.Delete(within(t, 30*time.Second), "app/greeting") }},
	{"touch", func(t *testing.T, c *sdk.Client) error {
		_, err := c.Persist(within(t, 30*time.Second), "app/greeting")
		return ignoring(err, mesh.NotFound)
	}},
	{"compare and set", func(t *testing.T, c *sdk.Client) error {
		_, err := c.CompareAndSet(within(t, 30*time.Second), "app/other", "no version", lattice.LWWKind, lattice.SetOp(nil))
		return ignoring(err, mesh.Conflict)
	}},
	{"get all", func(t *testing.T, c *sdk.Client) error {
		_, err := c.GetAll(within(t, 30*time.Second), "app/greeting", "app/other")
		return err
	}},
	{"put all", func(t *testing.T, c *sdk.Client) error {
		put := sdk.Putting{Name: "app/greeting", Kind: lattice.LWWKind, Op: lattice.SetOp(nil)}
		_, err := c.PutAll(within(t, 30*time.Second), put, put)
		return err
	}},
	{"status", func(t *testing.T, c *sdk.Client) error {
		_, err := c.Status(within(t, 30*time.Second))
		return err
	}},
	{"forget a node", func(t *testing.T, c *sdk.Client) error {
		if err := c.Forget(within(t, 30*time.Second), "stranger"); !errors.Is(err, mesh.NotFound) {
			return err
		}
		return nil
	}},
	{"drain the last node", func(t *testing.T, c *sdk.Client) error {
		status, err := c.Status(within(t, 30*time.Second))
		if err != nil {
			return err
		}
		if _, err := c.Drain(within(t, 30*time.Second), status.ID); !errors.Is(err, mesh.Conflict) {
			return err
		}
		return nil
	}},
}

// ignoring is no error in place of one that says that the attempt was let through.
func ignoring(err error, kind mesh.ErrorKind) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}

func TestACertificateAllowsWhatItSaysAndNothingElse(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1})
	admin := dial(t, m)
	reset := func() { // as the attempts need it
		needed := []string{"put", "create a DAG"}
		if _, err := admin.GetFunc(t.Context(), "square"); err != nil {
			needed = append(needed, "deploy")
		}
		for _, attempt := range attempts {
			if !slices.Contains(needed, attempt.name) {
				continue
			}
			if err := attempt.try(t, admin); err != nil {
				t.Fatalf("%s: %v", attempt.name, err)
			}
		}
	}
	all := []string{"put", "get", "list", "scan", "watch", "call", "start", "look at a function", "deploy", "create a DAG",
		"call a DAG", "delete a DAG", "delete a function", "delete", "touch", "compare and set", "get all", "put all", "status", "forget a node", "drain the last node"}
	calls := []string{"call", "start", "look at a function", "call a DAG", "status"}
	for _, test := range []struct {
		what    string
		grant   admission.Grant
		allowed []string
	}{
		{"everything", admission.Grant{Verbs: admission.AllVerbs}, all},
		{"reading", admission.Grant{Verbs: admission.Read}, []string{"get", "list", "scan", "watch", "get all", "status"}},
		{"the mesh", admission.Grant{Verbs: admission.Admin}, []string{"status", "forget a node", "drain the last node"}},
		{"writing", admission.Grant{Verbs: admission.Write}, []string{"put", "delete", "touch", "put all", "status"}},
		{"calling", admission.Grant{Verbs: admission.Call}, calls},
		{"deploying", admission.Grant{Verbs: admission.Deploy}, []string{"deploy", "delete a DAG", "delete a function", "status"}},
		{"another namespace", admission.Grant{Verbs: admission.AllVerbs, Namespaces: []string{"elsewhere"}}, []string{"status"}},
		{"another prefix", admission.Grant{Verbs: admission.Read | admission.Write, KeyPrefixes: []string{"other/"}}, []string{"status"}},
		{"its prefix", admission.Grant{Verbs: admission.Read | admission.Write, KeyPrefixes: []string{"app/"}}, []string{"put", "get", "list", "scan", "watch", "delete", "touch", "compare and set", "get all", "put all", "status"}},
		{"another function", admission.Grant{Verbs: admission.Call, Functions: []string{"cube"}}, []string{"status"}},
		{"its function", admission.Grant{Verbs: admission.Call, Functions: []string{"square"}}, []string{"call", "start", "look at a function", "status"}},
	} {
		reset()
		test.grant.Role = admission.Client
		client := dialAs(t, m, test.grant)
		for _, attempt := range attempts {
			err := attempt.try(t, client)
			if slices.Contains(test.allowed, attempt.name) {
				if err != nil {
					t.Errorf("%s: %s gave %v", test.what, attempt.name, err)
				}
				continue
			}
			wantsError(t, test.what+": "+attempt.name, err, mesh.Denied)
		}
	}
}

func TestTheSystemsNamespaceIsClosedToClients(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1})
	client := dial(t, m).In(mesh.SystemNamespace)
	ofNoNamespace := []string{"status", "forget a node", "drain the last node"}
	for _, attempt := range attempts {
		if !slices.Contains(ofNoNamespace, attempt.name) {
			wantsError(t, attempt.name, attempt.try(t, client), mesh.Denied)
		}
	}
	_, err := worker.Start(within(t, 30*time.Second), client, worker.Handle("square", square))
	wantsError(t, "serving", err, mesh.Denied)
}

func TestArgumentsReachNoKeyThatTheCallerMayNotRead(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1, Provide: arithmetic})
	if err := sdk.Register[int](at(m, 0), "secret").Put(within(t, 30*time.Second), 12); err != nil {
		t.Fatal(err)
	}
	create(t, at(m, 0), dag("squares", "square", ""))
	caller := dialAs(t, m, admission.Grant{Role: admission.Client, Verbs: admission.Call})
	everything := dial(t, m)
	system := everything.In(mesh.SystemNamespace).Ref("function/default/square")
	for _, test := range []struct {
		client *sdk.Client
		ref    sdk.Ref
	}{{caller, caller.Ref("secret")}, {caller, system}, {everything, system}} {
		_, err := test.client.Call(within(t, 30*time.Second), "square", test.ref)
		wantsError(t, "calling with "+test.ref.Key.String(), err, mesh.Denied)
		_, err = test.client.DAG("squares").Call(within(t, 30*time.Second), sdk.Args{"square": {test.ref}})
		wantsError(t, "calling a DAG with "+test.ref.Key.String(), err, mesh.Denied)
	}
	got, err := call[int](t, everything, "square", everything.Ref("secret"))
	wants(t, "calling with what may be read", got, err, 144)
}

func TestADAGReachesNoFunctionThatItsAuthorMayNotCall(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1, Provide: arithmetic})
	author := dialAs(t, m, admission.Grant{Role: admission.Client, Verbs: admission.AllVerbs, Functions: []string{"mine", "incr"}})
	if err := author.CreateDAG(within(t, 30*time.Second), dag("mine", "incr", "")); err != nil {
		t.Error(err)
	}
	err := author.CreateDAG(within(t, 30*time.Second), dag("mine", "incr square", "incr:square"))
	wantsError(t, "a DAG of another's function", err, mesh.Denied, "square")
}

// silent answers nothing: the handler of a client that only asks.
type silent struct{}

func (silent) Serve(_ context.Context, _ *link.Conn, _ wire.Message) (wire.Message, error) {
	return nil, nil
}
func (silent) Inline(wire.Type) bool { return false }

// clientMessages are the requests that clients may make.
var clientMessages = []wire.Message{
	(*pb.Status)(nil), (*pb.Get)(nil), (*pb.GetElement)(nil), (*pb.GetPage)(nil), (*pb.Stats)(nil), (*pb.Put)(nil), (*pb.Delete)(nil), (*pb.List)(nil),
	(*pb.Touch)(nil), (*pb.CompareAndSet)(nil), (*pb.GetAll)(nil), (*pb.PutAll)(nil),
	(*pb.Watch)(nil), (*pb.Scan)(nil), (*pb.GetRange)(nil), (*pb.Namespaces)(nil),
	(*pb.Deploy)(nil), (*pb.GetFunc)(nil), (*pb.ListFuncs)(nil), (*pb.DeleteFunc)(nil), (*pb.UseVersion)(nil), (*pb.SetAlias)(nil), (*pb.PinFunc)(nil), (*pb.Usage)(nil),
	(*pb.ServeFuncs)(nil), (*pb.SendMessage)(nil), (*pb.Receive)(nil),
	(*pb.CreateDAG)(nil), (*pb.GetDAG)(nil), (*pb.ListDAGs)(nil), (*pb.DeleteDAG)(nil),
	(*pb.Call)(nil), (*pb.CallDAG)(nil), (*pb.AwaitRun)(nil), (*pb.CancelRun)(nil),
	(*pb.PutTrigger)(nil), (*pb.GetTrigger)(nil), (*pb.ListTriggers)(nil), (*pb.DeleteTrigger)(nil),
	(*pb.Drain)(nil), (*pb.Forget)(nil), (*pb.Backup)(nil), (*pb.Restore)(nil),
}

func TestMessagesOfNodesAreDeniedToClients(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1})
	token, err := m.Token(simmesh.Everything(), nil)
	if err != nil {
		t.Fatal(err)
	}
	credential, err := token.Join(admission.NewKey(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := link.Listen(link.Config{Credential: credential, Handler: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	defer endpoint.Close()
	conn, err := endpoint.Connect(within(t, 30*time.Second), m.Node(0).ID(), m.Node(0).Addrs())
	if err != nil {
		t.Fatal(err)
	}
	const first, last = wire.Type(10), wire.Type(255) // what is below belongs to the frames themselves
	denied := 0
	for kind := first; kind <= last; kind++ {
		message := kind.New()
		switch message.(type) {
		case *pb.Probe, *pb.Suspect:
			continue // the connection answers it
		}
		if message == nil || slices.ContainsFunc(clientMessages, func(m wire.Message) bool { return wire.TypeOf(m) == kind }) {
			continue
		}
		_, err := conn.Call(within(t, 30*time.Second), message)
		wantsError(t, string(message.ProtoReflect().Descriptor().Name()), err, mesh.Denied, "nodes only")
		denied++
	}
	if denied < 10 {
		t.Errorf("only %d messages were tried", denied)
	}
	if conn.Err() != nil {
		t.Errorf("the connection ended: %v", conn.Err())
	}
}

func TestMalformedRequestsAreInvalid(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1})
	for _, request := range clientMessages {
		empty := wire.TypeOf(request).New()
		switch empty.(type) {
		case *pb.Status, *pb.Stats, *pb.Backup, *pb.Namespaces, *pb.ListFuncs, *pb.ListDAGs, *pb.ServeFuncs: // need nothing
			continue
		}
		_, err := m.Node(0).Do(within(t, 30*time.Second), empty)
		if kind := mesh.KindOf(err); err == nil || kind != mesh.Invalid && kind != mesh.NotFound {
			t.Errorf("an empty %T gave %v, want Invalid", empty, err)
		}
	}
	key := &pb.Key{Namespace: mesh.DefaultNamespace, Name: "k"}
	empty := lattice.SetOp(nil).AppendBinary(nil)
	for _, request := range []wire.Message{
		&pb.Put{Key: key, Kind: 250, Op: []byte{1}},
		&pb.Put{Key: key, Kind: uint32(lattice.LWWKind), Op: []byte("not an operation")},
		&pb.Put{Key: key, Kind: uint32(lattice.LWWKind), Op: empty, Durability: 9},
		&pb.Put{Key: key, Kind: uint32(lattice.LWWKind), Op: empty, WriteQuorum: 99},
		&pb.Put{Key: key, Kind: uint32(lattice.LWWKind), Op: empty, TtlMs: 5, Session: wire.FromSession(mesh.NewSession(mesh.Transactional, m.Node(0).ID()))},
		&pb.Get{Key: key, Quorum: 99},
		&pb.Get{Key: &pb.Key{Namespace: "Not Valid", Name: "k"}},
	} {
		_, err := m.Node(0).Do(within(t, 30*time.Second), request)
		wantsError(t, "a malformed request", err, mesh.Invalid)
	}
}
