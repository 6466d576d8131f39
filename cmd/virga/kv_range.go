package main

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/virga-mesh/virga/sdk"
)

// parseRange reads FROM:LENGTH, or FROM: for all from there on, for which the
// length is -1.
func parseRange(text string) (offset, length int64, err error) {
	from, count, found := strings.Cut(text, ":")
	offset, err = strconv.ParseInt(from, 10, 64)
	length = -1
	if err == nil && count != "" {
		length, err = strconv.ParseInt(count, 10, 64)
	}
	if err != nil || !found || offset < 0 || length < -1 || count != "" && length < 0 {
		return 0, 0, usagef("--range %q: expected FROM:LENGTH or FROM: in bytes, such as 0:100", text)
	}
	return offset, length, nil
}

func runKVRange(ctx context.Context, a *app, key, text string, quorum int) error {
	offset, length, err := parseRange(text)
	if err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		data, err := client.WithState(sdk.StateOptions{ReadQuorum: quorum}).GetRange(ctx, key, offset, length)
		if err != nil {
			return err
		}
		return a.show(rangeOfBytes{key, offset, data})
	})
}

// rangeOfBytes is a part of a value. As text it is its bytes, as JSON they
// are in base64.
type rangeOfBytes struct {
	Key    string `json:"key"`
	Offset int64  `json:"offset"`
	Data   []byte `json:"data"`
}

func (r rangeOfBytes) text(w io.Writer) { _, _ = w.Write(r.Data) } // there is no one left to tell
