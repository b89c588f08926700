// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// ErrNotRecorded is wrapped by the answer to a question that was not asked when the
// snapshot was made.
var ErrNotRecorded = errors.New("not in the bundle")

// A failure is an error in a form that can be stored: its text, and the errors that
// checks tell apart.
type failure struct {
	Op    string        `json:"op,omitempty"` // Op and Path are those of a fs.PathError
	Path  string        `json:"path,omitempty"`
	Text  string        `json:"text"`
	Is    []string      `json:"is,omitempty"`    // keys of sentinels
	Errno syscall.Errno `json:"errno,omitempty"` // 0 for none
	// Timeout is what the method of that name of a net.Error says.
	Timeout bool `json:"timeout,omitempty"`
	// Skip says that Text is the reason that guard.Skip was given.
	Skip bool `json:"skip,omitempty"`
}

// sentinels are the errors that checks compare with, by the names that are stored.
func sentinels() map[string]error {
	return map[string]error{
		"notExist":    fs.ErrNotExist,
		"permission":  fs.ErrPermission,
		"invalid":     fs.ErrInvalid,
		"closed":      os.ErrClosed,
		"deadline":    os.ErrDeadlineExceeded,
		"noConntrack": netstate.ErrNoConntrack,
		"largeTable":  netstate.ErrLargeTable,
	}
}

// sentinelNames returns the keys of sentinels in a fixed order.
func sentinelNames() []string {
	return []string{"notExist", "permission", "invalid", "closed", "deadline", "noConntrack", "largeTable"}
}

// failureOf returns an error in its stored form; nil for nil.
func failureOf(err error) *failure {
	if err == nil {
		return nil
	}
	if reason, skips := guard.SkipReason(err); skips {
		return &failure{Text: reason, Skip: true}
	}
	f := &failure{Text: err.Error()}
	if of := new(fs.PathError); errors.As(err, &of) && of.Error() == err.Error() { // it is not wrapped in another one
		f.Op, f.Path, f.Text = of.Op, of.Path, of.Err.Error()
	}
	for _, name := range sentinelNames() {
		if errors.Is(err, sentinels()[name]) {
			f.Is = append(f.Is, name)
		}
	}
	var timeout interface{ Timeout() bool }
	f.Timeout = errors.As(err, &timeout) && timeout.Timeout()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		f.Errno = errno
	}
	return f
}

// err returns the error that was stored; nil for nil.
func (f *failure) err() error {
	if f == nil {
		return nil
	}
	if f.Skip {
		return guard.Skip(f.Text)
	}
	replayed := replayedError{text: f.Text, timeout: f.Timeout}
	for _, name := range f.Is {
		if sentinel := sentinels()[name]; sentinel != nil {
			replayed.causes = append(replayed.causes, sentinel)
		}
	}
	if f.Errno != 0 {
		replayed.causes = append(replayed.causes, f.Errno)
	}
	if f.Path != "" {
		return &fs.PathError{Op: f.Op, Path: f.Path, Err: replayed}
	}
	return replayed
}

// A replayedError has the text and the causes of an error that was recorded.
type replayedError struct {
	text    string
	causes  []error
	timeout bool
}

// Timeout and Temporary are those of a net.Error.
func (e replayedError) Timeout() bool { return e.timeout }

// Temporary implements net.Error.
func (e replayedError) Temporary() bool { return e.timeout }

// Error returns the text.
func (e replayedError) Error() string { return e.text }

// Unwrap returns the causes, for errors.Is and errors.As.
func (e replayedError) Unwrap() []error { return e.causes }
