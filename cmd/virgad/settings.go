package main

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
)

// settings is what the daemon can be configured with: the node, and how it logs.
type settings struct {
	node      node.Config
	logLevel  slog.Level
	logFormat string
}

// setting is one thing that can be configured. Its name is the key in YAML;
// VIRGA_NAME and --name (with dashes) are the same in the environment and on
// the command line.
type setting struct {
	name string
	help string
	list bool // takes several values
	set  func(*settings, []string) error
}

// env is the setting's name in the environment.
func (s setting) env() string { return "VIRGA_" + strings.ToUpper(s.name) }

// flag is the setting's name on the command line.
func (s setting) flag() string { return strings.ReplaceAll(s.name, "_", "-") }

// table lists all settings, in the order of the help.
func table() []setting {
	return []setting{
		{"data", "folder for the node's credential and state (required)", false, one(func(s *settings) *string { return &s.node.DataDir }, asText)},
		{"listen", "UDP addresses to take connections on (default 0.0.0.0:0)", true, many(func(s *settings) *[]string { return &s.node.Listen })},
		{"advertise", "addresses told to peers (default: those of the sockets)", true, many(func(s *settings) *[]string { return &s.node.Advertise })},
		{"token", "join token; required at the first start", false, one(func(s *settings) *string { return &s.node.Token }, asText)},
		{"bootstrap", "addresses to find the mesh at, beside the token's", true, many(func(s *settings) *[]string { return &s.node.Bootstrap })},
		{"mdns", "look for peers on the local network (default false)", false, one(func(s *settings) *bool { return &s.node.MDNS }, asBool)},
		{"replicas", "nodes that own a key (default 3)", false, one(func(s *settings) *int { return &s.node.Replicas }, asCount)},
		{"write_quorum", "owners that must hold a write before it is answered (default 2)", false, one(func(s *settings) *int { return &s.node.WriteQuorum }, asCount)},
		{"read_quorum", "owners whose copies a get merges that does not say so itself (default 1)", false, one(func(s *settings) *int { return &s.node.ReadQuorum }, asCount)},
		{"durability", "of each owner's copy before it counts: memory, logged, synced (default logged)", false, one(func(s *settings) *mesh.Durability { return &s.node.Durability }, mesh.ParseDurability)},
		{"sync_interval", "longest wait of a logged write for the disk (default 10ms)", false, one(func(s *settings) *time.Duration { return &s.node.SyncInterval }, asDuration)},
		{"heartbeat", "how often neighbours are asked for a sign of life (default 500ms)", false, one(func(s *settings) *time.Duration { return &s.node.Heartbeat }, asDuration)},
		{"forget_after", "how long a missing node is expected back before it is forgotten (default 24h)", false, one(func(s *settings) *time.Duration { return &s.node.ForgetAfter }, asDuration)},
		{"collect_after", "age at which marks of deletes are forgotten, the same on all nodes (default 1h)", false, one(func(s *settings) *time.Duration { return &s.node.CollectAfter }, asDuration)},
		{"max_skew", "how far ahead another node's clock may be, the same on all nodes (default 1m)", false, one(func(s *settings) *time.Duration { return &s.node.MaxSkew }, asDuration)},
		{"anti_entropy_interval", "how often what a node holds is compared with what the others do (default 10s)", false, one(func(s *settings) *time.Duration { return &s.node.AntiEntropyInterval }, asDuration)},
		{"memory", "bound of the decoded values in memory (default 64MiB)", false, one(func(s *settings) *int64 { return &s.node.MemoryBytes }, asSize)},
		{"write_back", "longest that a write of durability memory stays there alone, while the disk keeps up (default 1s)", false, one(func(s *settings) *time.Duration { return &s.node.WriteBack }, asDuration)},
		{"disk", "bound of the store on the disk, at which new writes are refused (default none)", false, one(func(s *settings) *int64 { return &s.node.DiskBytes }, asSize)},
		{"promotion_window", "within how long a key is read from the disk twice to come into memory while that is full (default 60s)", false, one(func(s *settings) *time.Duration { return &s.node.PromotionWindow }, asDuration)},
		{"cache", "bound of the copies of keys that others own (default 64MiB)", false, one(func(s *settings) *int64 { return &s.node.CacheBytes }, asSize)},
		{"hot_keys", "let more nodes than its owners read a key with much load (default true)", false, one(func(s *settings) *bool { return &s.node.HotKeys.Off }, asNot)},
		{"hot_key_rate", "reads per second of a hot key at least, and worth one extra reader (default 1000)", false, one(func(s *settings) *int { return &s.node.HotKeys.Rate }, asCount)},
		{"hot_key_deviations", "standard deviations that a hot key is above the mean (default 3)", false, one(func(s *settings) *float64 { return &s.node.HotKeys.Deviations }, asNumber)},
		{"hot_key_readers", "nodes that read a key beside its owners, at most (default 8)", false, one(func(s *settings) *int { return &s.node.HotKeys.MaxReaders }, asCount)},
		{"hot_key_counted", "keys that are counted at a time (default 128)", false, one(func(s *settings) *int { return &s.node.HotKeys.Counted }, asCount)},
		{"hot_key_sample", "count one of so many reads (default 16)", false, one(func(s *settings) *int { return &s.node.HotKeys.Sample }, asCount)},
		{"hot_key_life", "time after which a read counts 1/e (default 10s)", false, one(func(s *settings) *time.Duration { return &s.node.HotKeys.Life }, asDuration)},
		{"hot_key_grace", "how long less load lasts before a key loses readers (default 30s)", false, one(func(s *settings) *time.Duration { return &s.node.HotKeys.Grace }, asDuration)},
		{"watch_ring", "changes that are remembered for those who watch keys (default 65536)", false, one(func(s *settings) *int { return &s.node.WatchRing }, asCount)},
		{"stats_interval", "how often a node publishes its figures as state, or off (default 15s)", false, one(func(s *settings) *time.Duration { return &s.node.StatsInterval }, asInterval)},
		{"nodes_min", "nodes that the mesh is to have at least (default: replicas)", false, one(func(s *settings) *int { return &s.node.Nodes.Min }, asCount)},
		{"nodes_max", "nodes that the mesh is to have at most (default: no bound)", false, one(func(s *settings) *int { return &s.node.Nodes.Max }, asCount)},
		{"nodes_high", "part of what all nodes can do, above which more are wanted (default 0.7)", false, one(func(s *settings) *float64 { return &s.node.Nodes.High }, asNumber)},
		{"nodes_low", "the same, below which fewer are wanted (default 0.2)", false, one(func(s *settings) *float64 { return &s.node.Nodes.Low }, asNumber)},
		{"nodes_disk_high", "part of disk that a node may take before more nodes are wanted (default 0.75)", false, one(func(s *settings) *float64 { return &s.node.Nodes.DiskHigh }, asNumber)},
		{"nodes_disk_low", "part of disk that every node is below before fewer are wanted (default 0.5)", false, one(func(s *settings) *float64 { return &s.node.Nodes.DiskLow }, asNumber)},
		{"nodes_memory_high", "part of memory that a node may take before more nodes are wanted (default: not looked at)", false, one(func(s *settings) *float64 { return &s.node.Nodes.MemoryHigh }, asNumber)},
		{"nodes_memory_low", "part of memory that every node is below before fewer are wanted (default: half of nodes_memory_high)", false, one(func(s *settings) *float64 { return &s.node.Nodes.MemoryLow }, asNumber)},
		{"nodes_latency", "99th percentile of requests for state above which more nodes are wanted (default: not looked at)", false, one(func(s *settings) *time.Duration { return &s.node.Nodes.Latency }, asDuration)},
		{"nodes_grace_add", "how long more nodes are wanted before they are added (default 120s)", false, one(func(s *settings) *time.Duration { return &s.node.Nodes.GraceAdd }, asDuration)},
		{"nodes_grace_remove", "how long fewer nodes are wanted before one is removed (default 120s)", false, one(func(s *settings) *time.Duration { return &s.node.Nodes.GraceRemove }, asDuration)},
		{"nodes_hook", "program and arguments that starts or drains nodes, told in its environment (default: none)", true, many(func(s *settings) *[]string { return &s.node.Nodes.Hook })},
		{"nodes_hook_timeout", "time of one run of the hook (default 10m)", false, one(func(s *settings) *time.Duration { return &s.node.Nodes.HookTimeout }, asDuration)},
		{"label", "labels of the node that stages may ask for, as name=value", true, labels},
		{"policy", "where stages run, unless the call says: locality, random or round-robin (default locality)", false, one(func(s *settings) *string { return &s.node.Placement.Policy }, asText)},
		{"busy", "part of its places for invocations above which a node is left alone (default 0.7)", false, one(func(s *settings) *float64 { return &s.node.Placement.Busy }, asNumber)},
		{"cooling", "for how long it is left alone (default 3s)", false, one(func(s *settings) *time.Duration { return &s.node.Placement.Cooling }, asDuration)},
		{"random_share", "part of the stages that go to a node at random, to spread hot data, or off (default 0.2)", false, one(func(s *settings) *float64 { return &s.node.Placement.RandomShare }, asShare)},
		{"bandwidth", "bytes a second that plans take to go from node to node (default 100MB)", false, one(func(s *settings) *int64 { return &s.node.Placement.Bandwidth }, asSize)},
		{"warm_add", "part of its places or instances in use above which a function gets more (default 0.7)", false, one(func(s *settings) *float64 { return &s.node.Warm.Add }, asNumber)},
		{"warm_remove", "part in use below which it has fewer (default 0.1)", false, one(func(s *settings) *float64 { return &s.node.Warm.Remove }, asNumber)},
		{"warm_slower", "how many times longer than before a function takes when one more node keeps it warm (default 1.25)", false, one(func(s *settings) *float64 { return &s.node.Warm.Slower }, asNumber)},
		{"warm_grace", "how long less load lasts before a function has fewer nodes and instances (default 30s)", false, one(func(s *settings) *time.Duration { return &s.node.Warm.Grace }, asDuration)},
		{"warm_idle", "after what time without a call nothing of a function is kept warm (default 10m)", false, one(func(s *settings) *time.Duration { return &s.node.Warm.Idle }, asDuration)},
		{"warm_instances", "instances of one module at most (default 1024)", false, one(func(s *settings) *int { return &s.node.Warm.Instances }, asCount)},
		{"concurrency", "invocations under way at once (default 1024)", false, one(func(s *settings) *int { return &s.node.Concurrency }, asCount)},
		{"queue", "invocations that wait for a place (default 4096)", false, one(func(s *settings) *int { return &s.node.Queue }, asCount)},
		{"func_memory", "linear memory of one WebAssembly invocation (default 128MiB)", false, one(func(s *settings) *uint64 { return &s.node.FuncMemory }, asMemory)},
		{"func_time", "time of one invocation (default 30s)", false, one(func(s *settings) *time.Duration { return &s.node.FuncTime }, asDuration)},
		{"result_ttl", "how long the result of a future is kept (default 15m)", false, one(func(s *settings) *time.Duration { return &s.node.ResultTTL }, asDuration)},
		{"admin", "loopback address for /livez, /readyz, /metrics and pprof (default: not served)", false, one(func(s *settings) *string { return &s.node.AdminAddr }, asText)},
		{"http", "loopback address for calls and state over HTTP (default: not served)", false, one(func(s *settings) *string { return &s.node.HTTPAddr }, asText)},
		{"log_level", "debug, info, warn or error (default info)", false, one(func(s *settings) *slog.Level { return &s.logLevel }, asLevel)},
		{"log_format", "text or json (default text)", false, one(func(s *settings) *string { return &s.logFormat }, asLogFormat)},
	}
}

// one makes a setter for a field that takes exactly one value.
func one[T any](field func(*settings) *T, parse func(string) (T, error)) func(*settings, []string) error {
	return func(s *settings, values []string) error {
		if len(values) != 1 {
			return mesh.Errorf(mesh.Invalid, "", "%d values: expected one", len(values))
		}
		v, err := parse(values[0])
		if err != nil {
			return err
		}
		*field(s) = v
		return nil
	}
}

// labels reads name=value pairs.
func labels(s *settings, values []string) error {
	s.node.Labels = make(map[string]string, len(values))
	for _, text := range values {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return invalidValue(text, "name=value")
		}
		if _, twice := s.node.Labels[name]; twice {
			return mesh.Errorf(mesh.Invalid, "", "label %s is set twice: expected one value", name)
		}
		s.node.Labels[name] = value
	}
	return mesh.ValidateLabels(s.node.Labels)
}

// many makes a setter for a field that takes several values.
func many(field func(*settings) *[]string) func(*settings, []string) error {
	return func(s *settings, values []string) error {
		*field(s) = slices.Clone(values)
		return nil
	}
}

func invalidValue(text, expected string) error {
	return mesh.Errorf(mesh.Invalid, "", "%q: expected %s", text, expected)
}

func asText(s string) (string, error) { return s, nil }

func asBool(s string) (bool, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, invalidValue(s, "true or false")
	}
	return b, nil
}

func asNot(s string) (bool, error) {
	b, err := asBool(s)
	return !b, err
}

func asNumber(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f > 0) || f > 1e9 {
		return 0, invalidValue(s, "a positive number such as 3 or 2.5")
	}
	return f, nil
}

// asShare takes off, too, which is any negative number.
func asShare(s string) (float64, error) {
	if s == "off" {
		return -1, nil
	}
	f, err := asNumber(s)
	if err != nil || f > 1 {
		return 0, invalidValue(s, "a part such as 0.2, up to 1, or off")
	}
	return f, nil
}

func asCount(s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 1 {
		return 0, invalidValue(s, "a whole number of at least 1")
	}
	return int(n), nil
}

func asDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, invalidValue(s, "a positive duration such as 500ms, 10s or 15m")
	}
	return d, nil
}

// asInterval takes off, too, which is any negative duration.
func asInterval(s string) (time.Duration, error) {
	if s == "off" {
		return -1, nil
	}
	d, err := asDuration(s)
	if err != nil {
		return 0, invalidValue(s, "a positive duration such as 15s, or off")
	}
	return d, nil
}

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}, {"", 1}}

func asSize(s string) (int64, error) {
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(s, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 1 || n > (1<<62)/unit.bytes {
			break
		}
		return n * unit.bytes, nil
	}
	return 0, invalidValue(s, "a size such as 64MiB, 2GiB or 1048576")
}

func asMemory(s string) (uint64, error) {
	n, err := asSize(s)
	return uint64(n), err
}

func asLevel(s string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s)); err != nil {
		return 0, invalidValue(s, "debug, info, warn or error")
	}
	return level, nil
}

func asLogFormat(s string) (string, error) {
	if s != "text" && s != "json" {
		return "", invalidValue(s, "text or json")
	}
	return s, nil
}

// apply sets one setting, and says in an error where the value came from.
func (s *settings) apply(to setting, values []string, source string) error {
	if err := to.set(s, values); err != nil {
		return mesh.Errorf(mesh.Invalid, "configuration", "%s: %s", source, mesh.AsError("", err).Text())
	}
	return nil
}

func names(table []setting) string {
	all := make([]string, 0, len(table))
	for _, s := range table {
		all = append(all, s.name)
	}
	return strings.Join(all, ", ")
}
