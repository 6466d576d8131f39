package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/dht"
	"github.com/virga-mesh/virga/internal/version"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/node/cache"
	"github.com/virga-mesh/virga/node/catalog"
	"github.com/virga-mesh/virga/node/cut"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/node/hlc"
	"github.com/virga-mesh/virga/node/hotkeys"
	"github.com/virga-mesh/virga/node/metrics"
	"github.com/virga-mesh/virga/node/replica"
	"github.com/virga-mesh/virga/node/run"
	"github.com/virga-mesh/virga/node/session"
	"github.com/virga-mesh/virga/node/store"
	"github.com/virga-mesh/virga/node/trigger"
	"github.com/virga-mesh/virga/node/txn"
	"github.com/virga-mesh/virga/node/watch"
)

// rooms are the parts of a running node, handed to one another.
type rooms struct {
	cfg     Config
	log     *slog.Logger
	self    mesh.NodeID
	meshID  admission.MeshID
	natives []native
	started time.Time

	clock     *hlc.Clock
	store     *store.Store
	dht       *dht.DHT
	endpoint  *link.Endpoint
	peers     *peers
	cache     *cache.Cache     // of what others own
	publisher *cache.Publisher // to the caches of others
	published cache.Published  // by the caches of others
	workloads workloads        // of others
	outlook   *outlook
	sent      sentWork // that others have not told of yet
	warmth    *warmKeeper
	dagCalls  dagCalls
	replica   *replica.Replica
	hot       *hotkeys.Tracker
	state     *state
	catalog   *catalog.Catalog
	exec      *exec.Executor
	runs      *run.Runs
	sessions  *session.Sessions // of runs
	txns      *txn.Txns
	inSession *inSession
	cut       *cut.Cut       // what it has of other nodes' writes
	ring      *watch.Ring    // of the changes of this node's copies
	watches   *watch.Watches // for clients

	triggers       *trigger.Triggers
	triggerNotes   *trigger.Notes // of changes of triggers
	triggerWatches *watch.Watches // for triggers, which take no client's place

	nodes   atomic.Pointer[liveNodes] // as of the last look at the view
	seen    atomic.Pointer[cut.View]  // likewise
	waiting atomic.Pointer[string]    // for what, until ready
	offers  offers                    // of workers

	damaged chan mesh.Key // records to be taken from other owners
	drain   *drain
	absence absence
	left    left // messages

	usage    *usage
	follower *follower // of the load

	requests metrics.Requests // for state
	metrics  *metrics.Metrics

	ctx       context.Context // of background work
	stop      context.CancelFunc
	tasksLock sync.Mutex // held to start one, and to end them
	tasks     sync.WaitGroup
}

// open makes the rooms, from the store up. On an error it closes what it opened.
func open(n *Node) (*rooms, error) {
	credential, bootstrap, err := n.cfg.identity(time.Now())
	if err != nil {
		return nil, err
	}
	r := &rooms{
		cfg: n.cfg, log: n.cfg.Log, self: credential.ID(), meshID: credential.MeshID(),
		natives: n.natives, started: time.Now(), damaged: make(chan mesh.Key, damagedAtOnce), drain: newDrain(),
		left: left{arrived: make(chan mesh.Key, leftAtOnce)},
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.metrics = metrics.New(version.String(), &r.requests, func() metrics.Figures { return r.figures(r.ctx) })
	r.waitFor("the node is starting")
	r.peers = &peers{self: r.self, serve: r.serve}
	for _, step := range []func() error{
		r.openStore,
		r.readAbsence,
		r.openExecutor,
		func() error { return r.openNetwork(n, credential, bootstrap) },
		r.openState,
	} {
		if err := step(); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

func (r *rooms) openStore() (err error) {
	r.clock = hlc.New(r.self, r.cfg.Now, r.cfg.MaxSkew)
	r.cache = cache.New(cache.Options{Peers: r.peers, Bytes: r.cfg.CacheBytes, Log: r.log})
	r.publisher = cache.NewPublisher(cache.PublisherOptions{Peers: r.peers, Log: r.log})
	r.ring = watch.NewRing(r.cfg.WatchRing, r.cfg.isFresh())
	r.triggerNotes = trigger.NewNotes()
	r.store, err = store.Open(store.Options{
		Dir: r.cfg.storeDir(), FS: r.cfg.FS, Node: r.self, Clock: r.clock,
		MemoryBytes: r.cfg.MemoryBytes, DiskBytes: r.cfg.DiskBytes, SyncInterval: r.cfg.SyncInterval,
		WriteBack: r.cfg.WriteBack, PromotionWindow: r.cfg.PromotionWindow, BirthAge: r.cfg.CollectAfter / 2,
		OnGrow: r.changed, OnDamage: r.noteDamage, Log: r.log,
	})
	return err
}

// changed tells those who want to know that a cell of the store grew.
func (r *rooms) changed(key mesh.Key, delta lattice.Cell) {
	r.ring.Changed(key, delta)
	r.publisher.Changed(key, delta)
	r.noteLeft(key)
	r.triggerNotes.Changed(key)
}

func (r *rooms) openExecutor() (err error) {
	r.exec, err = exec.New(exec.Options{
		CacheDir: r.cfg.ModuleCache, ReadyDir: r.cfg.ReadyModules, Modules: moduleSource{r},
		Concurrency: r.cfg.Concurrency, Queue: r.cfg.Queue,
		Limits: mesh.Limits{Memory: r.cfg.FuncMemory, Time: r.cfg.FuncTime}, Warm: r.cfg.Warm.ofModules(), Log: r.log,
	})
	if err != nil {
		return err
	}
	r.usage, r.follower = r.newUsage(), r.newFollower()
	for _, native := range r.natives {
		if err := r.exec.Handle(native.ref, native.raw, native.limits); err != nil {
			return err
		}
	}
	return nil
}

func (r *rooms) openNetwork(handler link.Handler, credential admission.Credential, bootstrap []string) (err error) {
	r.dht, err = dht.New(dht.Config{
		Credential: credential, Bootstrap: bootstrap, MDNS: r.cfg.MDNS,
		Book: r.cfg.file(bookFile), Heartbeat: r.cfg.Heartbeat, ForgetAfter: r.cfg.ForgetAfter, Log: r.log,
	})
	if err != nil {
		return err
	}
	r.endpoint, err = link.Listen(link.Config{
		Credential: credential, Listen: r.cfg.Listen, Advertise: r.cfg.Advertise,
		Handler: handler, Observer: r.dht, ListenPacket: r.cfg.ListenPacket, Log: r.log,
	})
	if err != nil {
		return err
	}
	r.peers.endpoint = r.endpoint
	r.dht.Watch(r.viewChanged)
	r.dht.WatchMembers(func() {
		r.noteForgotten()
		r.replica.ViewChanged()
		r.triggerNotes.ViewChanged()
	})
	return nil
}

const bookFile = "peers.json"

func (r *rooms) openState() error {
	r.hot = hotkeys.New(r.cfg.HotKeys.options(r))
	r.replica = replica.New(replica.Options{
		Self: r.self, Local: r.store, Placement: placement{r}, Peers: r.peers,
		Observe: r.clock.Observe, Now: r.clock.Now, Horizon: r.clock.Horizon,
		Cache: r.cache, Subscriptions: r.publisher, HotKeys: r.hot,
		Replicas: r.cfg.Replicas, WriteQuorum: r.cfg.WriteQuorum, ReadQuorum: r.cfg.ReadQuorum, Durability: r.cfg.Durability,
		AntiEntropyInterval: r.cfg.AntiEntropyInterval, Refill: r.store.Condition().Refill,
		CollectAfter: r.cfg.CollectAfter, Returned: r.returned, Reconciled: r.reconciled, OpenAside: r.openAside, Log: r.log,
	})
	r.watches = watch.New(watch.Options{
		Ring: r.ring, Local: r.store, Placement: placement{r}, Peers: r.peers, Replicas: r.cfg.Replicas,
	})
	r.state = &state{replica: r.replica, readQuorum: r.cfg.Replicas - r.cfg.WriteQuorum + 1, live: r.live}
	r.catalog = catalog.New(r.state, r.announce)
	r.cut = cut.New(cut.Options{
		Self: r.self, Peers: r.peers, View: r.sight, Now: r.clock.Now, Observe: r.clock.Observe,
		Flush: r.replica.Flush, Audit: r.replica.Audit, MaxSkew: r.cfg.MaxSkew, Log: r.log,
	})
	r.txns = txn.New(txn.Options{
		Self: r.self, Store: transactionStore{r}, Peers: r.peers, Now: r.clock.Now, Observe: r.clock.Observe,
		Live: func(node mesh.NodeID) bool { return slices.Contains(r.live(), node) }, Log: r.log,
	})
	r.sessions = session.New(session.Config{
		Self: r.self, Peers: r.peers, Causal: causal{r}, Commit: r.commit, Stamp: r.clock.Now, Log: r.log,
		Read: func(ctx context.Context, key mesh.Key) (lattice.Value, bool, error) {
			return r.replica.GetHere(ctx, key, 0)
		},
	})
	r.inSession = &inSession{replica: r.replica, sessions: r.sessions}
	r.runs = run.New(run.Config{
		Self: r.self, Catalog: r.catalog, Executor: executor{r}, Peers: r.peers,
		Placer:     r.newPlacer(),
		References: references{r.inSession}, Sessions: r.sessions, Results: results{r.state}, Outputs: outputs{r.replica},
		Room: r.exec.Room, ResultTTL: r.cfg.ResultTTL, Log: r.log,
	})
	r.openTriggers()
	return nil
}

// run lets the rooms work until ctx ends or the node has drained, then closes
// them. It calls ready once the node has joined.
func (r *rooms) run(ctx context.Context, ready func()) error {
	defer r.close()
	admin, err := listen("admin", r.cfg.AdminAddr)
	if err != nil {
		return err
	}
	gateway, err := listen("HTTP", r.cfg.HTTPAddr)
	if err != nil {
		if admin != nil {
			admin.Close()
		}
		return err
	}
	joined := make(chan struct{})
	failed := make(chan error, 4)
	r.background(func(ctx context.Context) { failed <- r.dht.Run(ctx, r.endpoint) })
	if admin != nil {
		r.background(func(ctx context.Context) { failed <- r.serveAdmin(ctx, admin) })
	}
	if gateway != nil {
		r.background(func(ctx context.Context) { failed <- r.serveGateway(ctx, gateway) })
	}
	r.background(r.replica.Run)
	r.background(r.txns.Run)
	r.background(r.mendDamage)
	r.background(r.carryLeft)
	r.background(r.hot.Run)
	r.background(r.noteAlive)
	r.background(r.publishHoldings)
	r.background(r.measure)
	r.background(r.followWork)
	r.background(r.warmth.run)
	r.background(r.publishStats)
	r.background(func(ctx context.Context) {
		if err := r.join(ctx, sync.OnceFunc(func() { close(joined); ready() })); err != nil {
			failed <- err
		}
	})
	r.background(func(ctx context.Context) {
		select {
		case <-joined:
			r.triggers.Run(ctx)
		case <-ctx.Done():
		}
	})
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.drain.done:
			r.linger(ctx)
			return nil
		case err := <-failed:
			if err != nil {
				return err
			}
		}
	}
}

// close ends background work and closes the rooms, from the top down.
func (r *rooms) close() {
	if r.follower != nil {
		r.follower.close()
	}
	if r.dht != nil && r.endpoint != nil {
		ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
		if r.drain.isDone() {
			r.dht.LeaveForGood(ctx)
		} else {
			r.dht.Leave(ctx)
		}
		cancel()
	}
	if r.triggers != nil {
		r.triggers.Close()
	}
	if r.runs != nil {
		r.runs.Close()
	}
	if r.watches != nil {
		r.watches.Close()
		r.triggerWatches.Close()
	}
	if r.sessions != nil {
		r.sessions.Close()
		r.txns.Close()
		r.cut.Close()
	}
	r.endTasks()
	if r.cache != nil {
		r.cache.Close()
		r.publisher.Close()
	}
	var errs []error
	if r.exec != nil {
		errs = append(errs, r.exec.Close())
	}
	if r.endpoint != nil {
		errs = append(errs, r.endpoint.Close())
	}
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	if err := errors.Join(errs...); err != nil {
		r.log.Error("the node did not close cleanly", "err", err)
	}
}

// leaveTimeout bounds how long a departing node takes to say so.
const leaveTimeout = 500 * time.Millisecond
