package node_test

import (
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
)

func TestNewRefusesEachInvalidField(t *testing.T) {
	for _, test := range []struct {
		field string
		set   func(*node.Config)
	}{
		{"DataDir", func(c *node.Config) { c.DataDir = "" }},
		{"Replicas", func(c *node.Config) { c.Replicas = -1 }},
		{"Replicas", func(c *node.Config) { c.Replicas = node.MaxReplicas + 1 }},
		{"WriteQuorum", func(c *node.Config) { c.WriteQuorum = -1 }},
		{"WriteQuorum", func(c *node.Config) { c.Replicas, c.WriteQuorum = 2, 3 }},
		{"Durability", func(c *node.Config) { c.Durability = 4 }},
		{"SyncInterval", func(c *node.Config) { c.SyncInterval = -1 }},
		{"Heartbeat", func(c *node.Config) { c.Heartbeat = -1 }},
		{"Heartbeat", func(c *node.Config) { c.Heartbeat = time.Millisecond }},
		{"MaxSkew", func(c *node.Config) { c.MaxSkew = -1 }},
		{"MaxSkew", func(c *node.Config) { c.MaxSkew = 11 * time.Minute }},
		{"MaxSkew", func(c *node.Config) { c.CollectAfter, c.MaxSkew = time.Minute, 15*time.Second }},
		{"FuncTime", func(c *node.Config) { c.FuncTime = -1 }},
		{"FuncTime", func(c *node.Config) { c.FuncTime = 25 * time.Hour }},
		{"ResultTTL", func(c *node.Config) { c.ResultTTL = -1 }},
		{"MemoryBytes", func(c *node.Config) { c.MemoryBytes = 1 }},
		{"MemoryBytes", func(c *node.Config) { c.MemoryBytes = -1 }},
		{"WriteBack", func(c *node.Config) { c.WriteBack = -1 }},
		{"PromotionWindow", func(c *node.Config) { c.PromotionWindow = -1 }},
		{"DiskBytes", func(c *node.Config) { c.DiskBytes = 1 }},
		{"CacheBytes", func(c *node.Config) { c.CacheBytes = 1 }},
		{"Concurrency", func(c *node.Config) { c.Concurrency = -1 }},
		{"WatchRing", func(c *node.Config) { c.WatchRing = -1 }},
		{"StatsInterval", func(c *node.Config) { c.StatsInterval = time.Millisecond }},
		{"StatsInterval", func(c *node.Config) { c.StatsInterval = time.Hour }},
		{"PromotionWindow", func(c *node.Config) { c.PromotionWindow = -1 }},
		{"PromotionWindow", func(c *node.Config) { c.PromotionWindow = 48 * time.Hour }},
		{"Queue", func(c *node.Config) { c.Queue = -1 }},
		{"HotKeys.Rate", func(c *node.Config) { c.HotKeys.Rate = -1 }},
		{"HotKeys.Deviations", func(c *node.Config) { c.HotKeys.Deviations = -1 }},
		{"HotKeys.MaxReaders", func(c *node.Config) { c.HotKeys.MaxReaders = 65 }},
		{"HotKeys.Counted", func(c *node.Config) { c.HotKeys.Counted = 15 }},
		{"HotKeys.Sample", func(c *node.Config) { c.HotKeys.Sample = -1 }},
		{"HotKeys.Life", func(c *node.Config) { c.HotKeys.Life = time.Millisecond }},
		{"Grace", func(c *node.Config) { c.HotKeys.Grace = -1 }},
		{"Nodes.Min", func(c *node.Config) { c.Nodes.Min = -1 }},
		{"Nodes.Max", func(c *node.Config) { c.Nodes.Max = 2 }},
		{"Nodes.High", func(c *node.Config) { c.Nodes.High = 1.5 }},
		{"Nodes.Low", func(c *node.Config) { c.Nodes.Low = 0.7 }},
		{"Nodes.DiskHigh", func(c *node.Config) { c.Nodes.DiskHigh = 0.4 }},
		{"Nodes.MemoryLow", func(c *node.Config) { c.Nodes.MemoryLow = 0.4 }},
		{"Nodes.MemoryHigh", func(c *node.Config) { c.Nodes.MemoryHigh = 2 }},
		{"Nodes.Latency", func(c *node.Config) { c.Nodes.Latency = -1 }},
		{"Nodes.GraceAdd", func(c *node.Config) { c.Nodes.GraceAdd = -1 }},
		{"Nodes.GraceRemove", func(c *node.Config) { c.Nodes.GraceRemove = 48 * time.Hour }},
		{"Nodes.HookTimeout", func(c *node.Config) { c.Nodes.HookTimeout = time.Millisecond }},
		{"Nodes.Hook", func(c *node.Config) { c.Nodes.Hook = []string{""} }},
		{"StatsInterval", func(c *node.Config) { c.Nodes.Hook, c.StatsInterval = []string{"true"}, -1 }},
		{"FuncMemory", func(c *node.Config) { c.FuncMemory = 1 << 40 }},
		{"Listen", func(c *node.Config) { c.Listen = []string{"localhost"} }},
		{"Advertise", func(c *node.Config) { c.Advertise = []string{"10.0.0.1"} }},
		{"Bootstrap", func(c *node.Config) { c.Bootstrap = []string{"10.0.0.1:1", "::1"} }},
		{"AdminAddr", func(c *node.Config) { c.AdminAddr = "7070" }},
		{"AdminAddr", func(c *node.Config) { c.AdminAddr = "0.0.0.0:7070" }},
		{"AdminAddr", func(c *node.Config) { c.AdminAddr = "192.0.2.1:7070" }},
		{"HTTPAddr", func(c *node.Config) { c.HTTPAddr = "8080" }},
		{"HTTPAddr", func(c *node.Config) { c.HTTPAddr = "0.0.0.0:8080" }},
		{"HTTPAddr", func(c *node.Config) { c.HTTPAddr = "[::]:8080" }},
		{"HTTPAddr", func(c *node.Config) { c.HTTPAddr = "localhost:8080" }},
		{"HTTPAddr", func(c *node.Config) { c.HTTPAddr = "192.0.2.1:8080" }},
	} {
		cfg := node.Config{DataDir: "data"}
		test.set(&cfg)
		_, err := node.New(cfg)
		wantsError(t, test.field, err, mesh.Invalid, test.field, "expected")
	}
	if _, err := node.New(node.Config{DataDir: "data"}); err != nil {
		t.Errorf("the defaults gave %v", err)
	}
}

func TestNewRefusesNativeFunctionsThatCannotBe(t *testing.T) {
	_, err := node.New(node.Config{DataDir: "data"}, node.Handle("no spaces", square))
	wantsError(t, "a bad name", err, mesh.Invalid, "no spaces")
	_, err = node.New(node.Config{DataDir: "data"}, node.Handle("square", square), node.Handle("square", square))
	wantsError(t, "a name used twice", err, mesh.Invalid, "square")
}
