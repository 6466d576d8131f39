package node

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/node/gateway"
)

// serveGateway answers calls and requests for state over HTTP until ctx ends.
// What is under way then ends with the node, before its rooms close.
func (r *rooms) serveGateway(ctx context.Context, listener net.Listener) error {
	r.log.Info("serving HTTP", "addr", listener.Addr().String())
	handler := gateway.Handler(localClient{r, admission.Member{
		ID: r.self, Role: admission.Client,
		Grant: admission.Grant{Role: admission.Client, Verbs: admission.Read | admission.Write | admission.Call},
	}})
	return serveUntil(ctx, listener, &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			end, ok := r.beginTask()
			if !ok {
				http.Error(w, "the node stops", http.StatusServiceUnavailable)
				return
			}
			defer end()
			handler.ServeHTTP(w, request)
		}),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(r.log.Handler(), slog.LevelWarn),
	})
}

// localClient is the transport of clients on this machine that nobody asks
// who they are: they may do what a client may with a token to read, write and call.
type localClient struct {
	rooms *rooms
	as    admission.Member
}

func (c localClient) Do(ctx context.Context, req wire.Message) (wire.Message, error) {
	if what := c.rooms.waiting.Load(); what != nil {
		return nil, mesh.Errorf(mesh.Unavailable, "request", "the node is not ready: %s", *what)
	}
	if err := allow(c.as, req); err != nil {
		denied := *mesh.AsError("request", err)
		denied.Msg = "by HTTP, with the rights of a client: " + denied.Msg
		return nil, &denied
	}
	return c.rooms.serve(withCaller(ctx, c.as), c.as.ID, req)
}
