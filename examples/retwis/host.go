package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/virga-mesh/virga/examples/retwis/tweets"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
)

// host is the node in this process.
type host struct {
	node  *node.Node
	root  *admission.Root // of a mesh of its own
	temp  string          // folder to remove; "": none
	end   context.CancelFunc
	ended chan error
}

// functions makes the application's functions native ones of a node.
func functions() []node.Option {
	var options []node.Option
	for _, f := range tweets.Functions() {
		options = append(options, node.HandleRaw(mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: f.Name}, f.Raw, mesh.Limits{}))
	}
	return options
}

// startHost runs a node, and returns once it is ready. It must be stopped.
func startHost(ctx context.Context, o options) (_ *host, err error) {
	h := &host{ended: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.stop())
		}
	}()
	switch {
	case o.token != "" && o.data == "":
		return nil, errors.New("--token without --data: expected a folder, for the mesh to know the node again")
	case o.token == "" && o.data == "":
		root := admission.NewRoot()
		h.root = &root
		if o.token, err = h.tokenAt(nil); err != nil {
			return nil, err
		}
		if h.temp, err = os.MkdirTemp("", "retwis-"); err != nil {
			return nil, err
		}
	}
	h.node, err = node.New(node.Config{
		DataDir: cmp.Or(o.data, h.temp), Token: o.token, Listen: []string{o.listen},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, functions()...)
	if err != nil {
		return nil, err
	}
	var life context.Context
	life, h.end = context.WithCancel(context.WithoutCancel(ctx)) // it ends after the page does
	go func() { h.ended <- h.node.Run(life) }()
	select {
	case <-h.node.Ready():
		return h, nil
	case <-h.node.Stopped():
		return nil, errors.New("the node ended before it was ready")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// invite gives a token with which other nodes join the mesh.
func (h *host) invite() (string, error) { return h.tokenAt(h.node.Addrs()) }

func (h *host) tokenAt(bootstrap []string) (string, error) {
	grant := admission.Grant{Role: admission.Node, Verbs: admission.AllVerbs, NotAfter: time.Now().Add(24 * time.Hour)}
	token, err := h.root.NewToken(grant, bootstrap)
	return token.Text(), err
}

// stop ends the node, and gives what went wrong with it.
func (h *host) stop() (err error) {
	if h.end != nil {
		h.end()
		err = <-h.ended
	}
	if h.temp != "" {
		err = errors.Join(err, os.RemoveAll(h.temp))
	}
	return err
}
