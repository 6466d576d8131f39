package node

import (
	"cmp"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/mesh"
)

// Config says how a node runs. The zero value of a field means its default,
// except where it is said to be required.
type Config struct {
	// DataDir holds the node's credential, its store and what it remembers of
	// its peers. Required. Two nodes never share one.
	DataDir string
	// Listen are the UDP addresses to take connections on, as host:port.
	// Default: 0.0.0.0:0, any free port on all interfaces.
	Listen []string
	// Advertise are the addresses told to peers. Default: those of the sockets.
	Advertise []string
	// Token is the join token with which the node was admitted. Required at
	// the first start; later the credential in DataDir serves.
	Token string
	// Bootstrap are addresses to find the mesh at, beside those in the token.
	Bootstrap []string
	// MDNS looks for peers on the local network.
	MDNS bool

	// Replicas is how many nodes own a key. Default 3.
	Replicas int
	// WriteQuorum is how many owners must hold a write before it is
	// answered, unless the call says otherwise. Default 2, or all that are
	// known when there are fewer.
	WriteQuorum int
	// ReadQuorum is how many owners' copies a get merges that does not say so
	// itself. Above 1 a get sees every write that Replicas - ReadQuorum + 1
	// owners acknowledged, and does not use this node's cache. Default 1.
	ReadQuorum int
	// Durability of each replica's copy before it counts. Default mesh.Logged.
	Durability mesh.Durability
	// SyncInterval is the longest that a logged write waits for the disk. Default 10 ms.
	SyncInterval time.Duration

	// Heartbeat is how often neighbours are asked for a sign of life. Default 500 ms.
	Heartbeat time.Duration
	// ForgetAfter is for how long a node that is missing is expected back: it
	// counts as an owner for what is said not to exist, and is dialled. Default 24 h.
	ForgetAfter time.Duration

	// CollectAfter is the age at which the marks of deletes are forgotten, when
	// no member of the mesh is missing and all agree. It must be the same on all
	// nodes of a mesh. Default 1 h.
	CollectAfter time.Duration

	// MaxSkew is how far ahead of this node's clock another one's may be: writes
	// of one that is further ahead are refused. It should be the same on all nodes
	// of a mesh. Up to 10 min, and to a sixth of CollectAfter. Default 1 min.
	MaxSkew time.Duration

	// AntiEntropyInterval is how often what this node holds is compared with
	// what each live node does, beside each time that nodes come and go. Default 10 s.
	AntiEntropyInterval time.Duration

	// MemoryBytes bounds the decoded values that the store keeps in memory. Default 64 MiB.
	MemoryBytes int64
	// WriteBack is how long a write with mesh.Memory stays in memory alone,
	// while the disk keeps up; else writers wait when half of MemoryBytes is
	// yet to be written. Default 1 s.
	WriteBack time.Duration
	// PromotionWindow is within how long a key must be read from the disk
	// twice to come into memory, while that is full. Default 60 s.
	PromotionWindow time.Duration
	// DiskBytes bounds what the store takes on the disk. At the bound new writes
	// are mesh.Overloaded; at an eighth more, so are merges of what other nodes
	// hold. Deletes never are. Default: no bound.
	DiskBytes int64
	// CacheBytes bounds the copies of keys that others own. Default 64 MiB.
	CacheBytes int64
	// WatchRing is how many changes of its own copies the node remembers for
	// those who watch. Default 65536.
	WatchRing int

	// HotKeys says when more nodes than its owners read a key.
	HotKeys HotKeyPolicy

	// StatsInterval is how often the node publishes its figures as state, so
	// that others can tell them while it cannot be reached. Negative: never.
	// Default 15 s.
	StatsInterval time.Duration

	// Nodes says how many nodes the mesh is to have.
	Nodes NodePolicy
	// Labels are what stages may ask for in the node that runs them, as
	// mesh.ValidateLabels has them. Default: none.
	Labels map[string]string
	// Placement says where the stages of runs go.
	Placement PlacementPolicy
	// Warm says how many nodes keep a function warm, and how.
	Warm WarmPolicy

	// Concurrency bounds the invocations under way at once. Default 1024.
	Concurrency int
	// Queue bounds the invocations that wait for a place. Default 4096.
	Queue int
	// FuncMemory bounds the linear memory of one WebAssembly invocation. Default 128 MiB.
	FuncMemory uint64
	// FuncTime bounds one invocation. Default 30 s.
	FuncTime time.Duration
	// ModuleCache is a folder on the disk for compiled modules, which nodes of
	// one machine may share. Default: modules in DataDir, or the memory where
	// FS is not the disk.
	ModuleCache string
	// ReadyModules is a folder on the disk for the modules that this node has
	// in memory: it begins with loading those of its last life. Default: ready
	// in DataDir, or none where FS is not the disk.
	ReadyModules string
	// ResultTTL is how long the result of a future is kept. Default 15 min.
	ResultTTL time.Duration

	// AdminAddr serves /livez, /readyz, /metrics and /debug/pprof over HTTP,
	// as host:port on loopback. Default: not served.
	AdminAddr string
	// HTTPAddr serves calls and state over HTTP, as package gateway says, as
	// host:port on loopback. Default: not served.
	HTTPAddr string

	// Log receives what the node has to say. Default: slog.Default.
	Log *slog.Logger

	// FS holds DataDir. Default: the disk.
	FS vfs.FS
	// ListenPacket opens the node's sockets. Default: the system's UDP. A
	// simulated network puts its own here.
	ListenPacket func(network, address string) (net.PacketConn, error)
	// Now is the wall clock that orders writes. Default: time.Now. A test of
	// clocks that differ puts its own here.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	c.Replicas = cmp.Or(c.Replicas, 3)
	c.WriteQuorum = cmp.Or(c.WriteQuorum, min(2, c.Replicas))
	c.ReadQuorum = cmp.Or(c.ReadQuorum, 1)
	c.Durability = cmp.Or(c.Durability, mesh.Logged)
	c.SyncInterval = cmp.Or(c.SyncInterval, 10*time.Millisecond)
	c.Heartbeat = cmp.Or(c.Heartbeat, 500*time.Millisecond)
	c.ForgetAfter = cmp.Or(c.ForgetAfter, 24*time.Hour)
	c.CollectAfter = cmp.Or(c.CollectAfter, time.Hour)
	c.AntiEntropyInterval = cmp.Or(c.AntiEntropyInterval, 10*time.Second)
	c.MemoryBytes = cmp.Or(c.MemoryBytes, 64<<20)
	c.WriteBack = cmp.Or(c.WriteBack, time.Second)
	c.PromotionWindow = cmp.Or(c.PromotionWindow, time.Minute)
	c.CacheBytes = cmp.Or(c.CacheBytes, 64<<20)
	c.WatchRing = cmp.Or(c.WatchRing, 64<<10)
	c.StatsInterval = cmp.Or(c.StatsInterval, 15*time.Second)
	c.Concurrency = cmp.Or(c.Concurrency, 1024)
	c.Queue = cmp.Or(c.Queue, 4096)
	c.FuncMemory = cmp.Or(c.FuncMemory, 128<<20)
	c.FuncTime = cmp.Or(c.FuncTime, 30*time.Second)
	c.ResultTTL = cmp.Or(c.ResultTTL, 15*time.Minute)
	c.HotKeys = c.HotKeys.withDefaults()
	c.Nodes = c.Nodes.withDefaults(c.Replicas)
	c.Labels = maps.Clone(c.Labels)
	c.Placement = c.Placement.withDefaults()
	c.Warm = c.Warm.withDefaults()
	if len(c.Listen) == 0 {
		c.Listen = []string{"0.0.0.0:0"}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.FS == vfs.Default && c.DataDir != "" {
		c.ModuleCache = cmp.Or(c.ModuleCache, filepath.Join(c.DataDir, "modules"))
		c.ReadyModules = cmp.Or(c.ReadyModules, filepath.Join(c.DataDir, "ready"))
	}
	return c
}

// Bounds of the configuration.
const (
	MaxReplicas    = 16
	minHeartbeat   = 20 * time.Millisecond
	minForget      = 10 * time.Second
	minCollect     = 10 * time.Second
	minAntiEntropy = 100 * time.Millisecond
	minSkew        = time.Second
	maxSkew        = 10 * time.Minute
	minStats       = time.Second
	maxStats       = statsLife / 4
	minMemory      = 1 << 20
	maxPromotion   = 24 * time.Hour
	minDisk        = 256 << 20 // some of it are logs
	maxWatchRing   = 1 << 24   // 40 bytes each, and the keys' names
	minFuncMemory  = 64 << 10  // one page of WebAssembly
	maxFuncMemory  = 4 << 30   // what its addresses reach
)

// validate gives an Invalid error that names the field, what it holds and what was expected.
func (c Config) validate() error {
	invalid := func(format string, args ...any) error {
		return mesh.Errorf(mesh.Invalid, "node configuration", format, args...)
	}
	switch {
	case c.DataDir == "":
		return invalid("DataDir is empty: expected a folder for the node's state")
	case c.Replicas < 1 || c.Replicas > MaxReplicas:
		return invalid("Replicas is %d: expected 1 to %d", c.Replicas, MaxReplicas)
	case c.WriteQuorum < 1 || c.WriteQuorum > c.Replicas:
		return invalid("WriteQuorum is %d: expected 1 to Replicas, which is %d", c.WriteQuorum, c.Replicas)
	case c.ReadQuorum < 1 || c.ReadQuorum > c.Replicas:
		return invalid("ReadQuorum is %d: expected 1 to Replicas, which is %d", c.ReadQuorum, c.Replicas)
	case c.Durability > mesh.Synced:
		return invalid("Durability is %d: expected memory, logged or synced", c.Durability)
	case c.SyncInterval < 0:
		return invalid("SyncInterval is %v: expected a positive duration", c.SyncInterval)
	case c.Heartbeat < minHeartbeat:
		return invalid("Heartbeat is %v: expected at least %v", c.Heartbeat, minHeartbeat)
	case c.ForgetAfter < minForget:
		return invalid("ForgetAfter is %v: expected at least %v", c.ForgetAfter, minForget)
	case c.CollectAfter < minCollect:
		return invalid("CollectAfter is %v: expected at least %v", c.CollectAfter, minCollect)
	case c.MaxSkew != 0 && (c.MaxSkew < minSkew || c.MaxSkew > min(maxSkew, c.CollectAfter/6)):
		return invalid("MaxSkew is %v: expected %v to %v, and at most a sixth of CollectAfter, which is %v", c.MaxSkew, minSkew, maxSkew, c.CollectAfter)
	case c.AntiEntropyInterval < minAntiEntropy:
		return invalid("AntiEntropyInterval is %v: expected at least %v", c.AntiEntropyInterval, minAntiEntropy)
	case c.StatsInterval >= 0 && c.StatsInterval < minStats || c.StatsInterval > maxStats:
		return invalid("StatsInterval is %v: expected %v to %v, or a negative one for never", c.StatsInterval, minStats, time.Duration(maxStats))
	case c.FuncTime < 0 || c.FuncTime > mesh.MaxFuncTime:
		return invalid("FuncTime is %v: expected a positive duration of at most %v", c.FuncTime, mesh.MaxFuncTime)
	case c.ResultTTL < 0:
		return invalid("ResultTTL is %v: expected a positive duration", c.ResultTTL)
	case c.FuncMemory < minFuncMemory || c.FuncMemory > maxFuncMemory:
		return invalid("FuncMemory is %d: expected %d to %d", c.FuncMemory, minFuncMemory, uint64(maxFuncMemory))
	case c.MemoryBytes < minMemory || c.CacheBytes < minMemory:
		return invalid("MemoryBytes is %d and CacheBytes %d: expected at least %d each", c.MemoryBytes, c.CacheBytes, minMemory)
	case c.PromotionWindow < 0 || c.PromotionWindow > maxPromotion:
		return invalid("PromotionWindow is %v: expected a positive duration of at most %v", c.PromotionWindow, maxPromotion)
	case c.WriteBack < 0:
		return invalid("WriteBack is %v: expected a positive duration", c.WriteBack)
	case c.DiskBytes != 0 && c.DiskBytes < minDisk:
		return invalid("DiskBytes is %d: expected at least %d", c.DiskBytes, minDisk)
	case c.WatchRing < 1 || c.WatchRing > maxWatchRing:
		return invalid("WatchRing is %d: expected 1 to %d", c.WatchRing, maxWatchRing)
	case c.Concurrency < 1 || c.Queue < 1:
		return invalid("Concurrency is %d and Queue %d: expected at least 1 each", c.Concurrency, c.Queue)
	}
	if err := c.validateAddrs(); err != nil {
		return err
	}
	for _, part := range []func() error{
		c.HotKeys.validate, c.Placement.validate, c.Warm.validate,
		func() error { return mesh.ValidateLabels(c.Labels) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	if err := c.Nodes.validate(c.StatsInterval > 0); err != nil {
		return err
	}
	return c.validateLoopback()
}

func (c Config) validateAddrs() error {
	for _, field := range []struct {
		name  string
		addrs []string
	}{{"Listen", c.Listen}, {"Advertise", c.Advertise}, {"Bootstrap", c.Bootstrap}} {
		for _, addr := range field.addrs {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return mesh.Errorf(mesh.Invalid, "node configuration", "%s has %q: expected host:port", field.name, addr)
			}
		}
	}
	return nil
}

// validateLoopback is for what asks nobody who they are.
func (c Config) validateLoopback() error {
	for _, field := range []struct{ name, addr string }{{"AdminAddr", c.AdminAddr}, {"HTTPAddr", c.HTTPAddr}} {
		if field.addr == "" {
			continue
		}
		host, _, err := net.SplitHostPort(field.addr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			return mesh.Errorf(mesh.Invalid, "node configuration", "%s is %q: expected a loopback address and port, such as 127.0.0.1:7070", field.name, field.addr)
		}
	}
	return nil
}

func (c Config) storeDir() string { return filepath.Join(c.DataDir, "store") }

// isFresh reports whether there is no store yet.
func (c Config) isFresh() bool {
	_, err := c.FS.Stat(c.storeDir())
	return errors.Is(err, fs.ErrNotExist)
}
