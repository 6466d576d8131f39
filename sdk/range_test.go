package sdk_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func TestRanges(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		if err := sdk.Register[string](client, "text").Put(t.Context(), "0123456789"); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			offset, length int64
			want           string
		}{
			{0, 3, "012"}, {3, 4, "3456"}, {0, -1, "0123456789"}, {7, -1, "789"}, {7, 100, "789"}, {7, 1<<63 - 1, "789"},
			{4, 0, ""}, {10, 5, ""}, {10, -1, ""},
		} {
			got, err := client.GetRange(t.Context(), "text", c.offset, c.length)
			want(t, string(got), err, c.want)
		}
		_, err := client.GetRange(t.Context(), "text", 11, 1)
		wantKind(t, err, mesh.Invalid)
		_, err = client.GetRange(t.Context(), "text", -1, 1)
		wantKind(t, err, mesh.Invalid)
		_, err = client.GetRange(t.Context(), "nothing", 0, 1)
		wantKind(t, err, mesh.NotFound)
		if err := sdk.Set[string](client, "set").Add(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		_, err = client.GetRange(t.Context(), "set", 0, 1)
		wantKind(t, err, mesh.KindMismatch)
		if err := sdk.Register[map[string]int](client, "object").Put(t.Context(), map[string]int{"a": 1}); err != nil {
			t.Fatal(err)
		}
		_, err = client.GetRange(t.Context(), "object", 0, 1)
		wantKind(t, err, mesh.KindMismatch)
	})
}

func TestAReaderReadsALargeValueInPieces(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		large := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
		if err := sdk.Register[[]byte](client, "large").Put(t.Context(), large); err != nil {
			t.Fatal(err)
		}
		all, err := client.GetRange(t.Context(), "large", 5, -1)
		if err != nil || !bytes.Equal(all, large[5:]) {
			t.Errorf("%d bytes, %v: expected %d", len(all), err, len(large)-5)
		}
		r, err := client.Reader(t.Context(), "large")
		if err != nil || r.Size() != int64(len(large)) {
			t.Fatalf("%v: expected %d bytes", err, len(large))
		}
		tail := io.NewSectionReader(r, r.Size()-40, 40)
		if err := iotest.TestReader(tail, large[len(large)-40:]); err != nil {
			t.Error(err)
		}
		p := make([]byte, 20)
		if n, err := r.ReadAt(p, r.Size()-7); n != 7 || err != io.EOF {
			t.Errorf("7 bytes before the end: %d, %v", n, err)
		}
		if n, err := r.ReadAt(p, r.Size()+7); n != 0 || err != io.EOF {
			t.Errorf("beyond the end: %d, %v", n, err)
		}
		if err := sdk.Register[[]byte](client, "large").Put(t.Context(), []byte("anew")); err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadAt(p, 0); !errors.Is(err, mesh.Conflict) {
			t.Errorf("of a value that was written anew: %v, want Conflict", err)
		}
	})
}
