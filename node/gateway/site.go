package gateway

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

// refuseOtherSites keeps out what pages of other sites have a browser send.
// A name that resolves to this machine does not make a page a local one.
func refuseOtherSites(r *http.Request) error {
	if !isLoopback(r.Host) {
		return mesh.Errorf(mesh.Denied, "request", "it is for the host %.100q: expected localhost or a loopback address", r.Host)
	}
	for _, origin := range r.Header.Values("Origin") {
		from, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(from.Scheme+"://"+from.Host, "http://"+r.Host) {
			return mesh.Errorf(mesh.Denied, "request", "it comes from a page of %.100q: expected none of another site", origin)
		}
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "none", "same-origin":
		return nil
	default:
		return mesh.Errorf(mesh.Denied, "request", "it comes from a page that is %.100q: expected none of another site", site)
	}
}

// isLoopback reports whether a host, perhaps with a port, is this machine
// whatever a resolver says.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
