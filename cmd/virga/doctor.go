package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/sdk"
)

func doctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check this machine and the mesh, and say what to do",
		Long: `Check what Virga needs of this machine, and whether the selected mesh answers.
What is not well comes with what to do about it.`,
		Example: "  virga doctor\n  virga doctor --output json",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), a) },
	}
}

// finding is what one check came to.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"`
}

type findings struct {
	Findings []finding `json:"findings"`
}

func (f findings) text(w io.Writer) {
	for _, one := range f.Findings {
		mark := "ok  "
		if !one.OK {
			mark = "look"
		}
		fmt.Fprintf(w, "%s  %s: %s\n", mark, one.Check, one.Found)
		if one.Advice != "" {
			fmt.Fprintf(w, "      %s\n", one.Advice)
		}
	}
}

func runDoctor(ctx context.Context, a *app) error {
	found := []finding{
		checkBuffer("receive buffer of UDP", "net.core.rmem_max"),
		checkBuffer("send buffer of UDP", "net.core.wmem_max"),
		checkGo(ctx),
		checkLoopback(),
		a.checkContext(),
		a.checkMesh(ctx),
	}
	return a.show(findings{append(found, a.checkPorts()...)})
}

// wantedBuffer is what quic-go asks for, in bytes.
const wantedBuffer = 7_500_000

// checkBuffer looks at a bound that the kernel sets, where it tells.
func checkBuffer(check, setting string) finding {
	if runtime.GOOS != "linux" {
		return finding{check, true, "not known on " + runtime.GOOS, ""}
	}
	path := "/proc/sys/" + strings.ReplaceAll(setting, ".", "/")
	text, err := os.ReadFile(path)
	if err != nil {
		return finding{check, true, "not known: " + err.Error(), ""}
	}
	return judgeBuffer(check, setting, strings.TrimSpace(string(text)))
}

func judgeBuffer(check, setting, value string) finding {
	n, err := strconv.Atoi(value)
	if err == nil && n >= wantedBuffer {
		return finding{check, true, value + " bytes", ""}
	}
	return finding{check, false, value + " bytes, which costs throughput on fast networks unless virgad runs as root",
		fmt.Sprintf("as root: sysctl -w %s=%d", setting, wantedBuffer)}
}

func checkGo(ctx context.Context) finding {
	const check = "Go tool, to deploy functions from source"
	out, err := exec.CommandContext(ctx, "go", "version").Output()
	if err != nil {
		return finding{check, false, "not found", "install Go from https://go.dev/dl, or deploy .wasm files"}
	}
	return finding{check, true, strings.TrimSpace(string(out)), ""}
}

func checkLoopback() finding {
	const check = "UDP on 127.0.0.1"
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return finding{check, false, err.Error(), "allow this user to open UDP sockets"}
	}
	socket.Close()
	return finding{check, true, "a socket opens", ""}
}

func (a *app) checkContext() finding {
	const check = "context"
	saved, err := sdk.LoadContext(a.home)
	if err != nil {
		return finding{check, false, err.Error(), "virga up starts a mesh on this machine, virga mesh join selects another"}
	}
	until := saved.Token.Grant().NotAfter
	if time.Now().After(until) {
		return finding{check, false, "its token expired at " + until.UTC().Format(time.RFC3339), "join again with a new token, in another --home"}
	}
	return finding{check, true, fmt.Sprintf("of mesh %s until %s, in %s", saved.Token.MeshID(), until.UTC().Format(time.RFC3339), a.home), ""}
}

func (a *app) checkMesh(ctx context.Context) finding {
	const check = "mesh"
	ctx, cancel := context.WithTimeout(ctx, min(a.timeout, 5*time.Second))
	defer cancel()
	client, err := a.dial(ctx, sdk.Config{ContextDir: a.home, Addrs: a.addrs})
	if err != nil {
		return finding{check, false, err.Error(), "virga up starts the mesh of this machine; elsewhere look at the nodes' logs"}
	}
	defer client.Close()
	status, err := client.Status(ctx)
	switch {
	case err != nil:
		return finding{check, false, err.Error(), "look at the nodes' logs"}
	case !status.Ready:
		return finding{check, false, "node " + status.ID.String() + " is not ready: " + status.NotReadyReason, "wait, or look at its log"}
	}
	live := 0
	for _, peer := range status.Peers {
		if peer.Live {
			live++
		}
	}
	if missing := len(status.Peers) - live; missing > 0 {
		return finding{check, false, fmt.Sprintf("node %s answers, sees %d others, and misses %d", status.ID, live, missing),
			"virga node list names them: start them, or say with virga node forget that they never return"}
	}
	return finding{check, true, fmt.Sprintf("node %s answers and sees %d others", status.ID, live), ""}
}

// checkPorts looks whether the ports of local nodes that do not run are free for them.
func (a *app) checkPorts() []finding {
	nodes, err := localmesh.Nodes(a.home)
	if err != nil {
		return []finding{{"local nodes", false, err.Error(), "repair the file, or remove the home folder"}}
	}
	found := make([]finding, 0, len(nodes))
	for _, n := range nodes {
		found = append(found, checkPort(n))
	}
	return found
}

func checkPort(n localmesh.Node) finding {
	check := "node " + n.Name
	if n.PID != 0 {
		return finding{check, true, fmt.Sprintf("runs as process %d at %s", n.PID, n.Addr), ""}
	}
	socket, err := net.ListenPacket("udp", n.Addr)
	if err != nil {
		return finding{check, false, "does not run, and its port is taken: " + err.Error(), "stop what uses " + n.Addr}
	}
	socket.Close()
	return finding{check, false, "does not run; its port is free", "virga up starts it"}
}
