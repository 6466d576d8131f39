package nemesis

import (
	"os"
	"runtime"
	"syscall"

	"github.com/virga-mesh/virga/mesh"
)

// apart marks a process whose mounts and network are its own.
const apart = "NEMESIS_APART"

// SetApart begins the program anew, with the same arguments, where its mounts
// and its network, of loopback alone, and those of its children are seen by
// nobody else and go with them. It returns without having done so where it was
// done already, or there is no right to. An error leaves the program unfit to go on.
func SetApart() error {
	if isApart() || os.Geteuid() != 0 {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	runtime.LockOSThread() // it is this thread that is set apart, and begins anew
	if err := syscall.Unshare(syscall.CLONE_NEWNS | syscall.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil
	}
	if err = syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err == nil {
		err = loopbackUp()
	}
	if err == nil {
		err = syscall.Exec(self, os.Args, append(os.Environ(), apart+"=1"))
	}
	return mesh.Errorf(mesh.Internal, "set apart", "%w", err)
}

func isApart() bool { return os.Getenv(apart) != "" }
