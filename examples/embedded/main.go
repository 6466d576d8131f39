// Command embedded is a program that is a node itself: it makes a mesh of
// one, runs a native function in it and calls it.
//
//	go run ./examples/embedded
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

func square(_ context.Context, n int) (int, error) { return n * n, nil }

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	grant := admission.Grant{Role: admission.Node, Verbs: admission.AllVerbs, NotAfter: time.Now().Add(time.Hour)}
	token, err := admission.NewRoot().NewToken(grant, nil)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "virga-embedded-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	n, err := node.New(node.Config{DataDir: dir, Token: token.Text(), Listen: []string{"127.0.0.1:0"}}, node.Handle("square", square))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	select {
	case <-n.Ready():
	case <-n.Stopped():
		return nil // Run says why
	}
	result, err := sdk.Func[int, int](sdk.Attach(n), "square").Call(ctx, 7)
	fmt.Println("square(7) =", result)
	return err
}
