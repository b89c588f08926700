// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A line of init's report is one of these; conformance/vm/init writes them.
type line struct {
	Kernel string // first: what booted
	Failed string // why the command could not be started
	Exit   *int   // last
}

// conclude says what became of the command, or why nobody knows. err is how
// qemu ended.
func conclude(report io.Reader, console *tail, err error) (Result, error) {
	var result Result
	lines := json.NewDecoder(report)
	for {
		var l line
		if e := lines.Decode(&l); e != nil {
			break // the end, or what was being written when the machine ended
		}
		switch {
		case l.Kernel != "":
			result.Kernel = l.Kernel
		case l.Failed != "":
			return result, errors.New(l.Failed)
		case l.Exit != nil:
			result.Exit = *l.Exit
			return result, err
		}
	}
	switch {
	case bytes.Contains(console.last, []byte("Kernel panic")):
		err = errors.Join(ErrPanic, err)
	case err == nil:
		err = ErrSilent
	}
	return result, fmt.Errorf("%w\nits console ended with:\n%s", err, console)
}

// A tail remembers the last of what is written to it.
type tail struct {
	beside io.Writer // gets everything; nil for nobody
	last   []byte
}

// tailSize is enough for a panic with its trace.
const tailSize = 8 << 10

// Write is of io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.last = append(t.last, p...)
	if over := len(t.last) - tailSize; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	if t.beside == nil {
		return len(p), nil
	}
	return t.beside.Write(p)
}

// String returns what is remembered, without the carriage returns of a terminal.
func (t *tail) String() string {
	if len(bytes.TrimSpace(t.last)) == 0 {
		return "(nothing)"
	}
	return string(bytes.ReplaceAll(bytes.TrimSpace(t.last), []byte("\r"), nil))
}
