// SPDX-License-Identifier: Apache-2.0

package crio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Selected implements runtimes.Selector. No request shows it, so that it is read from
// the log, of which ocicni writes these lines, in this order, when it has noticed
// something in the directory:
//
//	CNI monitoring event CREATE "/etc/cni/net.d/10-a.conflist"
//	Found CNI network pods (type=bridge) at /etc/cni/net.d/10-a.conflist
//	Updated default CNI network name to pods
//
// The last is missing where cni_default_network is set, or no file is valid.
func (c *CRIO) Selected(context.Context) ([]runtimes.Network, error) {
	log, err := os.ReadFile(c.site.Log)
	if err != nil {
		return nil, fmt.Errorf("read network of CRI-O: %w", err)
	}
	l := loaded{began: c.began, fixed: c.settings.DefaultNetwork.Name}
	for line := range strings.Lines(string(log[min(c.logged, int64(len(log))):])) {
		l.read(line)
	}
	if l.file == "" {
		return nil, nil
	}
	text, known, err := readUnchanged(l.file, l.began)
	if err != nil || !known {
		return nil, err
	}
	return []runtimes.Network{{Name: l.name, Source: text}}, nil
}

// loaded follows the log.
type loaded struct {
	fixed      string            // cni_default_network
	began      time.Time         // of the last look at the directory that is logged
	found      map[string]string // file of each network, of the last look
	name, file string            // of the network that counts
}

var (
	logLine = regexp.MustCompile(`^time="([^"]+)" level=\S+ msg=("(?:[^"\\]|\\.)*")`)
	event   = regexp.MustCompile(`^CNI monitoring event (\S+)\s+"([^"]+)"`)
	found   = regexp.MustCompile(`^Found CNI network (\S+) \(type=\S*\) at (\S+)$`)
	updated = regexp.MustCompile(`^Updated default CNI network name to (\S+)$`)
)

func (l *loaded) read(line string) {
	parts := logLine.FindStringSubmatch(line)
	if parts == nil {
		return
	}
	message, err := strconv.Unquote(parts[2])
	if err != nil {
		return
	}
	if m := event.FindStringSubmatch(message); m != nil {
		if at, err := time.Parse("2006-01-02T15:04:05.999999999Z07:00", parts[1]); err == nil {
			l.began = at
		}
		l.found = nil
		// Nothing more is logged where no other file is valid.
		if gone := strings.Contains(m[1], "REMOVE") || strings.Contains(m[1], "RENAME"); gone && m[2] == l.file {
			l.name, l.file = "", ""
		}
	}
	if m := found.FindStringSubmatch(message); m != nil {
		if l.found == nil {
			l.found = map[string]string{}
		}
		if _, known := l.found[m[1]]; !known { // the first file of a network counts
			l.found[m[1]] = m[2]
		}
		if m[1] == l.fixed {
			l.name, l.file = m[1], l.found[m[1]]
		}
	}
	if m := updated.FindStringSubmatch(message); m != nil {
		l.name, l.file = m[1], l.found[m[1]]
		l.found = nil
	}
}

// readUnchanged reads a file, unless it may have changed after that time: then it
// is unknown what CRI-O has read.
func readUnchanged(file string, since time.Time) (text string, known bool, err error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read network of CRI-O: %w", err)
	}
	changed := info.Sys().(*syscall.Stat_t).Ctim
	if time.Unix(changed.Unix()).After(since) {
		return "", false, nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read network of CRI-O: %w", err)
	}
	return string(data), true, nil
}
