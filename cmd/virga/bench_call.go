package main

import (
	"context"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// Cases of calls: on the node asked, and on another one.
const (
	callNativeHere  = "call native, here"
	callWasmHere    = "call wasm, here"
	callNativeThere = "call native, there"
	callWasmThere   = "call wasm, there"
)

// call measures calls of functions: on the node that the client is connected
// to, and on another one.
func (b *benchRun) call(ctx context.Context) error {
	if b.wants(callWasmHere) || b.wants(callWasmThere) {
		if err := b.deploySquare(ctx, b.mesh.client); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		name string
		op   bench.Operation
	}{
		{callNativeHere, b.callEcho("")},
		{callWasmHere, b.callSquare("")},
		{callNativeThere, b.callEcho(b.mesh.ids[1])},
		{callWasmThere, b.callSquare(b.mesh.ids[1])},
	} {
		for _, callers := range b.callers {
			if err := b.measure(ctx, c.name, callers, c.op); err != nil {
				return err
			}
		}
	}
	return nil
}

// callEcho sends as many bytes as the floor does, to a function on a node, or on any.
func (b *benchRun) callEcho(at mesh.NodeID) bench.Operation {
	echo := sdk.Func[[]byte, []byte](b.mesh.client, nativeEcho)
	echo.Options = placedAt(nativeEcho, at)
	message := make([]byte, bench.EchoSize)
	return func(ctx context.Context, _ int) error {
		_, err := echo.Call(ctx, message)
		return err
	}
}

func (b *benchRun) callSquare(at mesh.NodeID) bench.Operation {
	square := sdk.Func[int, int](b.mesh.client, wasmSquare)
	square.Options = placedAt(wasmSquare, at)
	return func(ctx context.Context, caller int) error {
		_, err := square.Call(ctx, caller)
		return err
	}
}

func placedAt(function string, at mesh.NodeID) sdk.CallOptions {
	if at == "" {
		return sdk.CallOptions{}
	}
	return sdk.CallOptions{Place: map[string]mesh.NodeID{function: at}}
}
