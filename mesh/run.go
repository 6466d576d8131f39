package mesh

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// RunID names one execution of a function or DAG. It is drawn at random, or
// follows from one that was.
type RunID [16]byte

// NewRunID draws an id.
func NewRunID() RunID {
	var id RunID
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return id
}

// Next is the id of the run that continues with the result of this one.
func (r RunID) Next() (next RunID) {
	sum := sha256.Sum256(append([]byte("next of "), r[:]...))
	copy(next[:], sum[:])
	return next
}

// String is the id in hexadecimal.
func (r RunID) String() string { return hex.EncodeToString(r[:]) }

// ParseRunID reads what String writes.
func ParseRunID(s string) (RunID, error) {
	var id RunID
	if n, err := hex.Decode(id[:], []byte(s)); len(s) != 2*len(id) || err != nil || n != len(id) {
		return RunID{}, Errorf(Invalid, "parse run id", "%q is not a run id: expected %d hexadecimal digits", s, 2*len(id))
	}
	return id, nil
}

// RunState is where a run stands. The numbers are part of the wire format.
type RunState uint8

// The states of a run.
const (
	Running   RunState = 1
	Succeeded RunState = 2
	Failed    RunState = 3
)

// String is the state's name.
func (s RunState) String() string {
	switch s {
	case Running:
		return "running"
	case Succeeded:
		return "succeeded"
	case Failed:
		return "failed"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// InvocationID is the address of one running invocation of a function: the
// node that runs it, the run, the stage. Functions send messages to it.
type InvocationID struct {
	Node    NodeID
	Run     RunID
	Stage   string
	Attempt uint32
}

// String is "node/run/stage/attempt", a form that functions store and hand around.
func (i InvocationID) String() string {
	return fmt.Sprintf("%s/%s/%s/%d", i.Node, i.Run, i.Stage, i.Attempt)
}

// ParseInvocationID reads what String writes.
func ParseInvocationID(s string) (InvocationID, error) {
	bad := func() (InvocationID, error) {
		return InvocationID{}, Errorf(Invalid, "parse invocation id", "%q is not an invocation id: expected node/run/stage/attempt", s)
	}
	parts := strings.Split(s, "/")
	if len(parts) != 4 {
		return bad()
	}
	node, nodeErr := ParseNodeID(parts[0])
	run, runErr := ParseRunID(parts[1])
	attempt, attemptErr := strconv.ParseUint(parts[3], 10, 32)
	if nodeErr != nil || runErr != nil || attemptErr != nil {
		return bad()
	}
	return InvocationID{Node: node, Run: run, Stage: parts[2], Attempt: uint32(attempt)}, nil
}
