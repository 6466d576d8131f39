// Command retwis is a small Twitter on a mesh. The program is a node, with the
// functions of package tweets in it, and serves their page on loopback. Alone it
// makes a mesh of its own, which lasts as long as it runs:
//
//	go run ./examples/retwis
//
// With a token it joins a mesh, such as that of another one. README.md tells more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/virga-mesh/virga/examples/retwis/web"
	"github.com/virga-mesh/virga/sdk"
)

// options are the flags.
type options struct {
	http   string // where the page is
	listen string // where the node takes connections
	token  string
	data   string
	sample bool // have some users in it
}

func main() {
	var o options
	flag.StringVar(&o.http, "http", "127.0.0.1:8080", "loopback address of the page")
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "UDP address of the node")
	flag.StringVar(&o.token, "token", "", "token of the mesh to join (default: a mesh of its own)")
	flag.StringVar(&o.data, "data", "", "folder of the node's identity and state, with --token (default: a temporary one)")
	flag.BoolVar(&o.sample, "sample", true, "have three users in a mesh of its own")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	listener, err := listenLoopback(o.http)
	if err != nil {
		return err
	}
	defer listener.Close()
	h, err := startHost(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	client := sdk.Attach(h.node)
	if h.root != nil && o.sample {
		if err := addSample(ctx, client); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "retwis is at http://%s\n", listener.Addr())
	if h.root != nil {
		token, err := h.invite()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\nOne node more, elsewhere on this machine:\ngo run ./examples/retwis --http 127.0.0.1:8081 --data retwis-2 --token %s\n", token)
	}
	return serve(ctx, listener, web.Handler(client))
}

// listenLoopback refuses other addresses: the page lets everybody be anybody.
func listenLoopback(addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%s is not on loopback: expected such as 127.0.0.1:8080", addr), listener.Close())
	}
	return listener, nil
}

// serve answers until ctx ends, and what is under way then, for a few seconds.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	const grace = 5 * time.Second
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := server.Shutdown(last)
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
