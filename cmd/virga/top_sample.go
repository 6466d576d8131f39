package main

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// sampler asks all nodes of a mesh for their figures, over and over, and
// keeps a connection to each that answers.
type sampler struct {
	app     *app
	hotKeys int
	nodes   []*sampled
}

// sampled is one node and what it last told.
type sampled struct {
	id     mesh.NodeID // empty until it has answered, where only its address was known
	addrs  []string
	client *sdk.Client
	now    *sdk.NodeStats // nil: it did not answer
	before *sdk.NodeStats
	last   *sdk.NodeStats // of one that did not answer: as it published them; nil: not known
}

// sample asks every node that is known, once. Who does not answer in time is left without figures.
func (s *sampler) sample(ctx context.Context) error {
	if err := s.discover(ctx); err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(askAtOnce)
	for _, n := range s.nodes {
		group.Go(func() error { s.ask(ctx, n); return nil })
	}
	group.Wait() // no error: who does not answer has no figures
	s.merge()
	s.askOthers(ctx)
	return ctx.Err()
}

// discover adds the nodes that one of those that answered knows. The mesh
// must be found the first time; later it may be away for a while.
func (s *sampler) discover(ctx context.Context) error {
	if len(s.nodes) == 0 {
		return s.app.withClient(ctx, s.learn)
	}
	for _, n := range s.nodes {
		if n.now != nil && s.askForNodes(ctx, n.client) == nil {
			return nil
		}
	}
	return nil
}

func (s *sampler) askForNodes(ctx context.Context, client *sdk.Client) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return s.learn(ctx, client)
}

func (s *sampler) learn(ctx context.Context, client *sdk.Client) error {
	status, err := client.Status(ctx)
	if err == nil {
		s.know(status)
	}
	return err
}

func (s *sampler) know(status sdk.NodeStatus) {
	s.add(status.ID, status.Addrs)
	for _, peer := range status.Peers {
		s.add(peer.ID, peer.Addrs)
	}
	for _, addr := range s.app.contextAddrs() {
		if !slices.ContainsFunc(s.nodes, func(n *sampled) bool { return slices.Contains(n.addrs, addr) }) {
			s.add("", []string{addr})
		}
	}
}

func (s *sampler) add(id mesh.NodeID, addrs []string) {
	if id != "" {
		for _, n := range s.nodes {
			if n.id == id {
				n.addrs = addrs
				return
			}
		}
	}
	s.nodes = append(s.nodes, &sampled{id: id, addrs: addrs})
}

func (s *sampler) ask(ctx context.Context, n *sampled) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	n.before, n.now = n.now, nil
	if n.client == nil {
		client, err := s.app.dial(ctx, sdk.Config{ContextDir: s.app.home, Addrs: n.addrs, Pinned: true})
		if err != nil {
			return
		}
		n.client = client
	}
	stats, err := n.client.Stats(ctx, s.hotKeys)
	if err == nil && (n.id == "" || n.id == stats.ID) {
		n.id, n.now = stats.ID, &stats
		return
	}
	n.client.Close() // it may have been to another node, which took the address
	n.client = nil
}

// askOthers asks a node that answered about those that did not.
func (s *sampler) askOthers(ctx context.Context) {
	at := slices.IndexFunc(s.nodes, func(n *sampled) bool { return n.now != nil })
	for _, n := range s.nodes {
		n.last = nil
		if at < 0 || n.now != nil || n.id == "" {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		if stats, err := s.nodes[at].client.PublishedStats(ctx, n.id); err == nil {
			n.last = &stats
		}
		cancel()
	}
}

// merge forgets what turned out to be a second address of a node.
func (s *sampler) merge() {
	known := map[mesh.NodeID]bool{}
	s.nodes = slices.DeleteFunc(s.nodes, func(n *sampled) bool {
		again := n.id != "" && known[n.id]
		known[n.id] = true
		if again && n.client != nil {
			n.client.Close()
		}
		return again
	})
}

func (s *sampler) close() {
	for _, n := range s.nodes {
		if n.client != nil {
			n.client.Close()
		}
	}
}

// rate is how many requests per second a node took between its two last
// answers, by the node's own clock; false if it did not give two since its start.
func (n *sampled) rate(operations ...string) (float64, bool) {
	if n.now == nil || n.before == nil || n.now.Uptime <= n.before.Uptime {
		return 0, false
	}
	elapsed := (n.now.Uptime - n.before.Uptime).Seconds()
	return float64(countOf(n.now, operations)-countOf(n.before, operations)) / elapsed, true
}

func countOf(s *sdk.NodeStats, operations []string) (sum uint64) {
	for _, r := range s.Requests {
		if slices.Contains(operations, r.Operation) {
			sum += r.Count
		}
	}
	return sum
}

// oldest is since when the node that waits longest has been owed something.
func oldest(owed []sdk.OwedPeer) (age time.Duration) {
	for _, peer := range owed {
		age = max(age, peer.Oldest)
	}
	return age
}
