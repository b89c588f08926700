// SPDX-License-Identifier: Apache-2.0

package killed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// An Interruption is where a command was interrupted, and what it made of it.
type Interruption struct {
	N     int           // the number of the call, from 1
	Call  string        // its name; "" where the command came to its end before
	Errno syscall.Errno // what the call failed with; 0: the command was killed before it

	Exit   int    // the exit code; -1 where it was killed
	Output string // standard output and error
}

// String names it in messages.
func (i Interruption) String() string {
	switch {
	case i.Call == "":
		return "not interrupted"
	case i.Errno != 0:
		return fmt.Sprintf("%s %d fails with %d (%s)", i.Call, i.N, int(i.Errno), i.Errno)
	}
	return fmt.Sprintf("killed before %s %d", i.Call, i.N)
}

// tooMany is how many calls no command should have; one that never gets through
// would be tried for ever.
const tooMany = 5000

// Each runs a command again and again, interrupted at its first call that changes
// something, at its second, and so on until it gets through; first it is killed,
// and then the call fails with ENOSPC. Each time prepare makes a fresh state and
// gives the command, and check judges what is left. The last check of either kind
// is of the command that got through.
func Each(t *testing.T, prepare func(t testing.TB) *exec.Cmd, check func(t testing.TB, i Interruption)) {
	t.Helper()
	for _, errno := range []syscall.Errno{0, syscall.ENOSPC} {
		for n := 1; ; n++ {
			i := interrupted(t, prepare(t), n, errno)
			check(t, i)
			if t.Failed() {
				t.Fatalf("this was: %s; it ended with %d and said\n%s", i, i.Exit, i.Output)
			}
			if i.Call == "" {
				t.Logf("%d places to be interrupted at (%s)", n-1, kind(errno))
				wantSome(t, n-1)
				break
			}
			if n == tooMany {
				t.Fatalf("no end after %d interruptions", n)
			}
		}
	}
}

func kind(errno syscall.Errno) string {
	if errno == 0 {
		return "killed"
	}
	return errno.Error()
}

// wantSome fails a test that interrupted nothing, and so has proved nothing.
func wantSome(t *testing.T, n int) {
	t.Helper()
	if n == 0 {
		t.Error("the command changes nothing, or the tracer is blind")
	}
}

// interrupted runs the command with its output in a file, which takes no reader
// that would have to be waited for.
func interrupted(t testing.TB, cmd *exec.Cmd, n int, errno syscall.Errno) Interruption {
	t.Helper()
	path := filepath.Join(t.TempDir(), "output")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND|os.O_TRUNC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	runtime.LockOSThread() // the thread that starts a tracee is its tracer
	defer runtime.UnlockOSThread()
	i, err := trace(cmd, out, n, errno)
	if err != nil {
		t.Fatalf("trace %s: %v", cmd, err)
	}
	said, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i.Output = string(said)
	return i
}
