package main

import (
	"fmt"
	"io"
	"time"
)

// progressEvery is how often a long command says how far it is.
const progressEvery = 2 * time.Second

// progress says on out, now and then, how far a command is.
type progress struct {
	out  io.Writer
	unit string
	told time.Time
}

func (a *app) newProgress(unit string) *progress {
	return &progress{out: a.stderr, unit: unit, told: time.Now()}
}

func (p *progress) at(done, all int) {
	if time.Since(p.told) >= progressEvery {
		p.told = time.Now()
		fmt.Fprintf(p.out, "%d of %d %s\n", done, all, p.unit)
	}
}

// so is at where nobody knows how much there is.
func (p *progress) so(done int) {
	if time.Since(p.told) >= progressEvery {
		p.told = time.Now()
		fmt.Fprintf(p.out, "%d %s\n", done, p.unit)
	}
}
