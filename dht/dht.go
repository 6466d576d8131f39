package dht

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
)

// DHT is one node's knowledge of its mesh. It is the link.Observer of the
// node's Endpoint, and serves the messages Ping, Members and Leaving.
type DHT struct {
	config   Config
	self     mesh.NodeID
	endpoint *link.Endpoint // set by Run
	kademlia atomic.Pointer[kademlia]
	current  atomic.Pointer[view]
	lookups  lookupCache
	watchers []func(Event)
	// onMembers are told that Known changed.
	onMembers []func()

	lock    sync.Mutex
	roster  *roster
	addrs   []string // this node's own
	running bool
	joined  bool
	left    bool

	ready     chan struct{} // closed once joined
	redial    signal        // the roster changed
	greet     signal        // a connection was made
	viewed    signal        // the view changed, for the watchers
	recorded  signal        // the view changed, for the book
	tasks     sync.WaitGroup
	exchanges chan struct{} // a place for each exchange of members under way
}

// New makes a DHT that knows nobody. It starts nothing: give it to the
// Endpoint as its Observer, then call Run.
func New(c Config) (*DHT, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	self := c.Credential.ID()
	d := &DHT{
		config: c, self: self, roster: newRoster(self, c),
		ready: make(chan struct{}), exchanges: make(chan struct{}, maxExchanges),
		redial: newSignal(), greet: newSignal(), viewed: newSignal(), recorded: newSignal(),
	}
	d.current.Store(newView(Peer{ID: self}, nil, nil))
	return d, nil
}

// Run finds the mesh over endpoint, whose Observer must be d, and stays in
// it until ctx ends. It returns when all that it started has ended; call it
// once, and before the endpoint closes. Its error says why it could not start.
func (d *DHT) Run(ctx context.Context, endpoint *link.Endpoint) error {
	if endpoint.ID() != d.self {
		return mesh.Errorf(mesh.Invalid, "dht", "the endpoint is %s: expected %s, as the credential says", endpoint.ID().Short(), d.self.Short())
	}
	d.endpoint = endpoint
	k, err := startKademlia(d.config, endpoint, d.inView)
	if err != nil {
		return mesh.Errorf(mesh.Internal, "dht", "start the Kademlia node: %w", err)
	}
	d.kademlia.Store(k)
	d.loadBook()
	d.update(func(time.Time) {
		d.addrs, d.running, d.roster.viewChanged = endpoint.Addrs(), true, true
	})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	loops := []func(context.Context){d.dialLoop, d.heartbeatLoop, d.watchLoop, d.discoverLoop, d.bookLoop}
	if d.config.MDNS {
		loops = append(loops, d.findLocally)
	}
	for _, loop := range loops {
		d.tasks.Go(func() { loop(ctx) })
	}
	<-ctx.Done()
	d.update(func(time.Time) { d.running = false })
	d.tasks.Wait()
	d.kademlia.Store(nil)
	return k.close()
}

// Ready is closed once this node has joined: it compared views with a node
// and tried all that it was told of, or it tried all that it knew and nobody
// answered, so that it is the first.
func (d *DHT) Ready() <-chan struct{} { return d.ready }

// View gives the live nodes, this one included, in the order of their ids.
// The slice is shared: the caller must not change it.
func (d *DHT) View() []Peer { return d.current.Load().peers }

// Sight is what View and the owners of keys depend on.
type Sight struct {
	// Digest is equal where two nodes see the same: who lives, who is missing,
	// who drains, and who is gone.
	Digest mesh.ID
	// Live are the live nodes, as in View.
	Live []Peer
	// Number tells apart views of this node since it was started, also such as are
	// equal: in between others owned its keys, and it owned other keys.
	Number uint64
	// Whole says that nobody is missing who owns something when it is there.
	Whole bool
}

// Sight gives the view with its digest, both of one moment.
func (d *DHT) Sight() Sight {
	v := d.current.Load()
	return Sight{Digest: v.digest, Live: v.peers, Number: v.number, Whole: v.whole}
}

func (d *DHT) inView(id mesh.NodeID) bool {
	_, found := d.current.Load().index(id)
	return found
}

// update works on the roster, and lets what follows from it happen.
func (d *DHT) update(f func(now time.Time)) {
	d.lock.Lock()
	defer d.lock.Unlock()
	f(time.Now())
	if d.roster.viewChanged {
		d.publish()
	}
	if d.roster.planChanged {
		d.redial.raise()
	}
	d.roster.viewChanged, d.roster.planChanged = false, false
	if d.running && !d.joined && d.roster.settled() {
		d.joined = true
		close(d.ready)
	}
}

// publish makes the view anew. The lock is held.
func (d *DHT) publish() {
	self := Peer{ID: d.self, Addrs: d.addrs, Draining: d.roster.own.state != member}
	v := newView(self, d.roster.live(), d.roster.absentOwners())
	v.digest, v.number = d.roster.digest(), d.current.Load().number+1
	d.current.Store(v)
	d.lookups.clear()
	d.viewed.raise()
	d.recorded.raise()
}

// signal wakes one loop. Raised many times, it wakes it at least once.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) raise() {
	select {
	case s <- struct{}{}:
	default:
	}
}
