package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/examples/retwis/tweets"
)

// program is a run of the command.
type program struct {
	url   string
	token string // of its mesh; "" where it joined one
}

// start runs the command until the test is over, and reads what it prints.
func start(t *testing.T, o options) program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() { err := run(ctx, o, write); write.CloseWithError(err); ended <- err }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	var p program
	lines := bufio.NewScanner(read)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "retwis is at "); ok {
			p.url = url
		}
		if _, token, ok := strings.Cut(lines.Text(), "--token "); ok {
			p.token = token
		}
		if p.url != "" && (p.token != "" || o.token != "") {
			return p
		}
	}
	t.Fatalf("it ended: %v", lines.Err())
	return p
}

// entries gives those of ada's timeline, as this program tells them.
func (p program) entries(t *testing.T) []tweets.Entry {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", p.url+"/api/users/ada/timeline", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var told struct{ Result tweets.Timeline }
	if err := json.NewDecoder(response.Body).Decode(&told); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", response.StatusCode, err)
	}
	return told.Result.Entries
}

func TestAProgramAndOneThatJoinsIt(t *testing.T) {
	defer goleak.VerifyNone(t)
	t.Run("", func(t *testing.T) {
		first := start(t, options{http: "127.0.0.1:0", listen: "127.0.0.1:0", sample: true})
		second := start(t, options{http: "127.0.0.1:0", listen: "127.0.0.1:0", token: first.token, data: t.TempDir()})
		for i, p := range []program{first, second} {
			if got := p.entries(t); len(got) != 3 || got[1].Original == nil {
				t.Errorf("program %d tells %+v", i, got)
			}
		}
	})
}

func TestWhatCannotRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, c := range []struct {
		o    options
		want string
	}{
		{options{http: "0.0.0.0:0", listen: "127.0.0.1:0"}, "not on loopback"},
		{options{http: "127.0.0.1:0", listen: "127.0.0.1:0", token: "x"}, "expected a folder"},
		{options{http: "127.0.0.1:0", listen: "127.0.0.1:0", token: "x", data: t.TempDir()}, "token"},
		{options{http: "127.0.0.1:0", listen: "nowhere", data: t.TempDir()}, "nowhere"},
	} {
		if err := run(t.Context(), c.o, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v gave %v: expected %q", c.o, err, c.want)
		}
	}
}
