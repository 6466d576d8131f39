package main

import (
	"context"
	"fmt"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// funcUsage is how a function is used in the mesh, as commands print it.
type funcUsage struct {
	WarmNodes     int     `json:"warm_nodes"`     // with instances that are ready
	WarmInstances int     `json:"warm_instances"` // on all nodes
	Pinned        int     `json:"pinned_nodes,omitempty"`
	Rate          float64 `json:"calls_per_second"`
	MeanMicros    int64   `json:"mean_us"`
	P95Micros     int64   `json:"p95_us"` // at the node where it is longest
	ColdMicros    int64   `json:"cold_start_us,omitempty"`
}

// usages asks how the functions of the namespace are used, by reference.
func usages(ctx context.Context, client *sdk.Client) (map[mesh.FuncRef]funcUsage, error) {
	all, err := client.Usage(ctx)
	if err != nil {
		return nil, err
	}
	byRef := make(map[mesh.FuncRef]funcUsage, len(all))
	for _, of := range all {
		byRef[of.Ref] = describeUsage(of)
	}
	return byRef, nil
}

func describeUsage(of sdk.FuncUsage) funcUsage {
	u := funcUsage{Pinned: of.Pinned}
	var mean float64
	for _, at := range of.Nodes {
		if at.Warm > 0 {
			u.WarmNodes++
			u.WarmInstances += at.Warm
		}
		u.Rate += at.Rate
		mean += at.Rate * float64(at.Mean.Microseconds())
		u.P95Micros = max(u.P95Micros, at.P95.Microseconds())
		u.ColdMicros = max(u.ColdMicros, at.ColdStart.Microseconds())
	}
	if u.Rate > 0 {
		u.MeanMicros = int64(mean / u.Rate)
	}
	return u
}

// warm writes how many instances are ready on how many nodes.
func (u funcUsage) warm() string {
	text := fmt.Sprintf("%d on %d", u.WarmInstances, u.WarmNodes)
	if u.WarmInstances == 0 {
		text = "-"
	}
	if u.Pinned > 0 {
		text += fmt.Sprintf(", pinned %d", u.Pinned)
	}
	return text
}

func (u funcUsage) mean() string {
	if u.MeanMicros == 0 {
		return "-"
	}
	return (time.Duration(u.MeanMicros) * time.Microsecond).String()
}
