package hostile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// launchVariable makes this test program a launcher. Linux counts the peak of
// the memory of the process that starts another as the peak of the other, too;
// the launcher is small, the tests are not.
const launchVariable = "KDIVE_HOSTILE_LAUNCH"

// launch runs the program in the arguments and writes its peak of resident
// memory, in KiB, to descriptor 3.
func launch() int {
	os.Unsetenv(launchVariable)
	c := exec.Command(os.Args[1], os.Args[2:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		return 120
	}
	if ru, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		fmt.Fprint(os.NewFile(3, "peak"), ru.Maxrss)
	}
	if status := c.ProcessState.ExitCode(); status >= 0 {
		return status
	}
	return 121 // killed by a signal
}
