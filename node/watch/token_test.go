package watch

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

func TestTokensComeBack(t *testing.T) {
	s := scope{"default", "user/", false}
	p := places{tagOf("a"): {1 << 63, 7}, tagOf("b"): {9, 0}}
	token, err := encodeToken(s, p, []mesh.NodeID{"a"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeToken(s, token); err != nil || !maps.Equal(got, p) {
		t.Errorf("came back as %v, %v", got, err)
	}
	for _, other := range []scope{{"default", "user/", true}, {"other", "user/", false}, {"default", "user", false}} {
		if _, err := decodeToken(other, token); !errors.Is(err, mesh.Invalid) {
			t.Errorf("as a token of %+v: %v, want Invalid", other, err)
		}
	}
	for cut := range token {
		if got, err := decodeToken(s, token[:cut]); err == nil && len(got) == len(p) {
			t.Errorf("%d bytes of %d are taken for the whole", cut, len(token))
		}
	}
}

func TestTokensAreBounded(t *testing.T) {
	s, p := scope{"default", "", false}, places{}
	var live []mesh.NodeID
	for n := range 2 * maxPlaces {
		node := mesh.NodeID(fmt.Sprint("node ", n))
		p[tagOf(node)] = place{1<<64 - 1, 1<<64 - 1}
		if n%4 == 0 {
			live = append(live, node)
		}
	}
	token, err := encodeToken(s, p, live)
	if err != nil || len(token) > maxToken {
		t.Fatalf("%d bytes, %v: expected at most %d", len(token), err, maxToken)
	}
	got, err := decodeToken(s, token)
	if err != nil || len(got) != maxPlaces {
		t.Errorf("%d places, %v: expected %d", len(got), err, maxPlaces)
	}
	for _, node := range live {
		if _, has := got[tagOf(node)]; !has {
			t.Errorf("the place of %s, which lives, was left out", node)
		}
	}
}
