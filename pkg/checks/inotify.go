// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// TryInotify makes an inotify instance with a watch, as a runtime does to see changes of
// the conf dir, and removes both. The error wraps EMFILE if the user of this process has
// no instance left, and ENOSPC if there is no watch left (inotify_init(2),
// inotify_add_watch(2)).
func TryInotify() error {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if errors.Is(err, syscall.EMFILE) {
		// The limit of open files of this process has the same error.
		other, openErr := syscall.Open("/", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if openErr != nil {
			return errors.New("tell whether inotify instances are left: this process cannot open any file") // without EMFILE, which would be an answer
		}
		_ = syscall.Close(other)
	}
	if err != nil {
		return fmt.Errorf("make an inotify instance: %w", err)
	}
	defer syscall.Close(fd)
	if _, err := syscall.InotifyAddWatch(fd, "/", syscall.IN_DELETE_SELF); err != nil {
		return fmt.Errorf("add an inotify watch: %w", err)
	}
	return nil
}

// inotifyFindings reports that no inotify instance or watch is left. All processes of
// root share them: the runtime, kubelet, and every agent with root's rights
// (k0s#8113, claudie#1694, podman#10686). What each process has is not counted: that
// would mean reading the descriptors of all of them.
func inotifyFindings(t *Target) ([]guard.Finding, error) {
	if t.TryInotify == nil {
		return nil, nil
	}
	err := t.TryInotify()
	var of, limit string
	var raised uint64 // what other distributions set
	switch {
	case errors.Is(err, syscall.EMFILE):
		of, limit, raised = "instance", "fs/inotify/max_user_instances", 8192
	case errors.Is(err, syscall.ENOSPC):
		of, limit, raised = "watch", "fs/inotify/max_user_watches", 1<<20
	default:
		return nil, err
	}
	f := guard.Finding{
		Object:   "node/inotify",
		Problem:  fmt.Sprintf("has no %s left for root", of),
		Evidence: fmt.Sprintf("/proc/sys/%s is used up", limit),
		Impact:   "a runtime that starts now does not see changes of its network configuration, and kubelet does not see changes of ConfigMaps",
	}
	if most, err := t.number(limit); err == nil {
		f.Evidence, raised = fmt.Sprintf("/proc/sys/%s = %d, all in use", limit, most), max(raised, 2*most)
	}
	f.Remedy = fmt.Sprintf("Raise the limit with: sysctl -w %s=%d, and in a file of sysctl.d. To see which processes have most instances, run: "+
		"find /proc/[0-9]*/fd -lname anon_inode:inotify 2>/dev/null | cut -d/ -f3 | sort | uniq -c | sort -n.", limit, raised)
	return []guard.Finding{f}, nil
}
