package run

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/sched"
)

// cluster is several nodes' Runs in one process under virtual time, with the
// real planner, real encoding, and a network that delays, reorders and
// duplicates as its random source says. The functions are Go closures.
type cluster struct {
	t     *testing.T
	nodes map[mesh.NodeID]*Runs
	ids   []mesh.NodeID
	delay time.Duration // of a message, at most; 0: delivered at once
	twice bool          // deliver some messages two times

	mu        sync.Mutex
	rand      *rand.Rand
	dead      map[mesh.NodeID]bool // no longer runs
	seenDead  map[mesh.NodeID]bool // and the others have noticed
	cutOff    map[mesh.NodeID]bool // from all others, though not from the store
	functions map[string]function
	hosts     map[string][]mesh.NodeID // of native functions; others run anywhere
	labels    map[mesh.NodeID]map[string]string
	full      map[mesh.NodeID]bool // has no room for an invocation
	placed    []PlaceRequest       // all that were asked for
	dags      map[string]*mesh.DAG
	keys      map[mesh.Key]mesh.Value
	records   map[mesh.RunID]savedRecord
	saveErr   error
	swapped   func(Record) error // after a record was swapped: what its writer is told, if any
	outputErr error
	written   map[string]int                             // outputs by id
	sendErr   func(to mesh.NodeID, m wire.Message) error // if any
	sending   func(ctx context.Context, m wire.Message)  // before a message is sent, without the lock; if any
	ledger    *ledger
	turn      uint64
	sent      map[string]int // messages by type
}

type function func(ctx context.Context, v Invocation) (mesh.Value, error)

type savedRecord struct {
	bytes   []byte
	version int
	expires time.Time
}

// simulate runs a test of a cluster under virtual time. Nothing of the
// cluster's may be left when it returns.
func simulate(t *testing.T, nodes int, seed uint64, test func(t *testing.T, c *cluster)) {
	t.Helper()
	simulateWith(t, Config{}, nodes, seed, test)
}

// simulateWith is simulate with bounds.
func simulateWith(t *testing.T, cfg Config, nodes int, seed uint64, test func(t *testing.T, c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, nodes, seed, cfg)
		test(t, c)
		c.close()
	})
}

func newCluster(t *testing.T, nodes int, seed uint64, cfg Config) *cluster {
	c := &cluster{
		t: t, nodes: map[mesh.NodeID]*Runs{}, rand: rand.New(rand.NewPCG(seed, 5)),
		dead: map[mesh.NodeID]bool{}, seenDead: map[mesh.NodeID]bool{}, cutOff: map[mesh.NodeID]bool{}, labels: map[mesh.NodeID]map[string]string{}, full: map[mesh.NodeID]bool{},
		functions: map[string]function{}, hosts: map[string][]mesh.NodeID{}, dags: map[string]*mesh.DAG{},
		keys: map[mesh.Key]mesh.Value{}, records: map[mesh.RunID]savedRecord{}, sent: map[string]int{}, written: map[string]int{},
		ledger: newLedger(0),
	}
	for i := range nodes {
		c.add(mesh.NodeID(fmt.Sprintf("n%d", i+1)), cfg)
	}
	return c
}

func (c *cluster) add(id mesh.NodeID, cfg Config) *Runs {
	m := &member{c, id}
	cfg.Self, cfg.Catalog, cfg.Executor, cfg.Peers = id, m, m, m
	cfg.Log, cfg.Sessions = slog.New(slog.DiscardHandler), sessions{c, id}
	cfg.Placer, cfg.References, cfg.Results, cfg.Outputs = m, keyReader{c}, results{c}, keyWriter{c}
	if c.nodes[id] == nil {
		c.ids = append(c.ids, id)
	}
	c.nodes[id] = New(cfg)
	return c.nodes[id]
}

// close ends all nodes and sees that they hold nothing.
func (c *cluster) close() {
	synctest.Wait()
	if len(c.ledger.open) != 0 {
		c.t.Errorf("%d sessions were not ended", len(c.ledger.open))
	}
	for id, r := range c.nodes {
		r.Close()
		if held := r.held.Load(); held != 0 {
			c.t.Errorf("node %s still counts %d bytes", string(id), held)
		}
		if len(r.coordinated)+len(r.shares) != 0 {
			c.t.Errorf("node %s still has %d runs and %d shares", string(id), len(r.coordinated), len(r.shares))
		}
	}
}

// kill ends a node. The others notice a second later.
func (c *cluster) kill(id mesh.NodeID) {
	c.mu.Lock()
	c.dead[id] = true
	r := c.nodes[id]
	c.mu.Unlock()
	r.Close()
	time.AfterFunc(time.Second, func() {
		c.mu.Lock()
		c.seenDead[id] = true
		c.mu.Unlock()
		for _, other := range c.ids {
			if other != id {
				c.nodes[other].PeerDown(id)
			}
		}
	})
}

// member is one node as its Runs see the rest.
type member struct {
	*cluster
	self mesh.NodeID
}

func (m *member) Function(_ context.Context, ref mesh.FuncRef) (mesh.FuncInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.functions[ref.Name] == nil {
		return mesh.FuncInfo{}, mesh.Errorf(mesh.NotFound, "", "no function %s", ref)
	}
	ref.Version = "v1"
	info := mesh.FuncInfo{Ref: ref, Kind: mesh.Wasm}
	if hosts, native := m.hosts[ref.Name]; native {
		info.Kind, info.Hosts = mesh.Native, hosts
	}
	return info, nil
}

func (m *member) DAG(_ context.Context, namespace, name string) (*mesh.DAG, error) {
	if d := m.dags[name]; d != nil && namespace == mesh.DefaultNamespace {
		return d, nil
	}
	return nil, mesh.Errorf(mesh.NotFound, "", "no dag %s", name)
}

func (m *member) Invoke(ctx context.Context, v Invocation) (mesh.Value, error) {
	m.mu.Lock()
	f, full := m.functions[v.Func.Ref.Name], m.full[m.self]
	m.mu.Unlock()
	if full {
		return mesh.Value{}, &mesh.Error{Kind: mesh.Overloaded, Msg: "the queue is full", RetryAfter: 20 * time.Millisecond}
	}
	if v.ID.Node != m.self {
		m.t.Errorf("node %s is to run %v", string(m.self), v.ID)
	}
	return f(ctx, v)
}

func (m *member) Place(q PlaceRequest) ([]Placement, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := sched.Request{Self: m.self, Policy: sched.Policy(q.Policy), Pins: q.Pins, Rand: m.rand, Turn: m.turn}
	m.turn++
	m.placed = append(m.placed, q)
	for _, s := range q.Stages {
		p.Stages = append(p.Stages, sched.Stage{Name: s.Name, Func: s.Func, Parents: s.Parents, Refs: s.Refs, Colocate: s.Colocate, Labels: s.Labels, At: s.At})
	}
	for _, id := range m.ids {
		if !m.seenDead[id] && !slices.Contains(q.Without, id) {
			p.Nodes = append(p.Nodes, sched.Node{ID: id, Labels: m.labels[id]})
		}
	}
	plan, err := sched.Plan(p)
	places := make([]Placement, len(plan))
	for i, placed := range plan {
		places[i] = Placement(placed)
	}
	return places, err
}

type keyReader struct{ *cluster }

// Get has keys whose names begin with "here" at hand.
func (r keyReader) Get(_ context.Context, _ mesh.Session, key mesh.Key) (mesh.Value, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.keys[key]
	if !ok {
		return mesh.Value{}, false, mesh.Errorf(mesh.NotFound, "", "no such key")
	}
	return v, strings.HasPrefix(key.Name, "here"), nil
}

type keyWriter struct{ *cluster }

func (o keyWriter) Put(_ context.Context, key mesh.Key, v mesh.Value, id string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.outputErr != nil {
		return o.outputErr
	}
	o.keys[key] = v
	o.written[id]++
	return nil
}

type results struct{ *cluster }

func (r results) Save(ctx context.Context, id mesh.RunID, record Record, ttl time.Duration) error {
	_, err := r.save(id, record, ttl, func(string) bool { return true })
	return err
}

// Swap takes as long there and back as messages do.
func (r results) Swap(ctx context.Context, id mesh.RunID, version string, record Record, ttl time.Duration) (string, error) {
	pause(ctx, r.drawn())
	version, err := r.save(id, record, ttl, func(now string) bool { return now == version })
	if err == nil && r.swapped != nil {
		err = r.swapped(record)
	}
	pause(ctx, r.drawn())
	return version, err
}

func (r results) save(id mesh.RunID, record Record, ttl time.Duration, expected func(version string) bool) (string, error) {
	raw, err := proto.Marshal(record.Message())
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := ""
	if saved, ok := r.records[id]; ok && time.Now().Before(saved.expires) {
		now = strconv.Itoa(saved.version)
	}
	switch {
	case r.saveErr != nil:
		return "", r.saveErr
	case !expected(now):
		return "", mesh.Errorf(mesh.Conflict, "", "version %q", now)
	}
	next := r.records[id].version + 1
	r.records[id] = savedRecord{raw, next, time.Now().Add(ttl)}
	return strconv.Itoa(next), nil
}

func (r results) Load(ctx context.Context, id mesh.RunID) (Record, string, error) {
	r.mu.Lock()
	saved, ok := r.records[id]
	r.mu.Unlock()
	if !ok || time.Now().After(saved.expires) {
		return Record{}, "", mesh.Errorf(mesh.NotFound, "", "no such run")
	}
	var m pb.AwaitRunReply
	if err := proto.Unmarshal(saved.bytes, &m); err != nil {
		return Record{}, "", err
	}
	record, err := ParseRecord(&m)
	return record, strconv.Itoa(saved.version), err
}

// define adds a function that runs anywhere, or on hosts only.
func (c *cluster) define(name string, f function, hosts ...mesh.NodeID) {
	c.functions[name] = f
	if len(hosts) > 0 {
		c.hosts[name] = hosts
	}
}

// declare adds a DAG of stages that use the functions of their names.
func (c *cluster) declare(name string, stages []string, edges ...string) {
	c.dags[name] = dagOf(stages, edges)
	c.dags[name].Name = name
}

// term is a function whose result spells its invocation.
func term(_ context.Context, v Invocation) (mesh.Value, error) {
	return text(spelled(v.ID.Stage, valueTexts(v.Args))), nil
}

func valueTexts(values []mesh.Value) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v.Data)
	}
	return list
}

// blocked is a function that ends with its context, which it reports to ended.
func blocked(started, ended chan<- mesh.NodeID) function {
	return func(ctx context.Context, v Invocation) (mesh.Value, error) {
		started <- v.ID.Node
		<-ctx.Done()
		ended <- v.ID.Node
		return mesh.Value{}, ctx.Err()
	}
}

func fnRef(name string) mesh.FuncRef {
	return mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name}
}

func callOf(name string, args ...string) Request {
	return Request{Func: fnRef(name), Args: argsOf(args...)}
}

func dagCall(name string, args map[string][]Arg) Request {
	return Request{Namespace: mesh.DefaultNamespace, DAG: name, StageArgs: args}
}

// one gives the only result of a reply.
func one(t *testing.T, r Reply, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 1 {
		t.Fatalf("%d results, want 1", len(r.Results))
	}
	return string(r.Results[0].Value.Data)
}
