package simmesh

import (
	"errors"
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/internal/sim"
)

// Kill ends the ith node as kill -9 would: nobody is told, and its disk is
// left as it was at that moment. It needs a simulated network.
func (m *Mesh) Kill(i int) error {
	return m.crash(i, everything())
}

// LosePower is Kill where the whole machine goes down: of what was written
// and not synced, a part that chance decides is gone.
func (m *Mesh) LosePower(i int, chance *rand.Rand) error {
	return m.crash(i, vfs.CrashCloneCfg{UnsyncedDataPercent: chance.IntN(100), RNG: chance})
}

func (m *Mesh) crash(i int, left vfs.CrashCloneCfg) error {
	at := m.members[i]
	if at.stop == nil {
		return nil
	}
	if m.options.Network == nil {
		return errors.New("a crash needs a simulated network")
	}
	m.options.Network.Isolate(sim.HostIP(i + 1))
	disk := at.disk.CrashClone(left)
	err := m.Stop(i)
	at.disk = disk
	m.options.Network.Rejoin(sim.HostIP(i + 1))
	return err
}

// Wipe takes everything from the disk of the ith node, which must not run:
// it comes back as another node, under an identity of its own.
func (m *Mesh) Wipe(i int) { m.members[i].disk = vfs.NewCrashableMem() }

// WipeStore takes the state from the disk of the ith node, which must not
// run: it comes back under its old identity and has forgotten what it held.
func (m *Mesh) WipeStore(i int) error { return m.Disk(i).RemoveAll(dataDir + "/store") }

// Disk is the file system of the ith node. While the node runs it is for
// looking only.
func (m *Mesh) Disk(i int) vfs.FS { return m.members[i].disk }

// Copy gives a copy of the ith node's file system as it is now, with all that
// the node has handed to it.
func (m *Mesh) Copy(i int) vfs.FS { return m.members[i].disk.CrashClone(everything()) }

// everything is left of a disk when only the process dies.
func everything() vfs.CrashCloneCfg {
	return vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))}
}
