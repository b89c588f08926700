// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// procNet is /proc/net of the thread that opens a file, whatever the namespace of
// the process is.
const procNet = "/proc/thread-self/net"

// Counter implements View.
func (l *Live) Counter(name string) (value uint64, err error) {
	file, field := filepath.Split(name)
	file = filepath.Clean(file)
	err = l.enter(func() error {
		text, err := os.ReadFile(filepath.Join(procNet, file))
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(procNet); err != nil { // that does not say that there is no such counter
				return fmt.Errorf("read counter %s: procfs is not mounted", name)
			}
		}
		if err != nil {
			return fmt.Errorf("read counter %s: %w", name, err)
		}
		value, err = parseCounter(file, field, string(text))
		if err != nil {
			return fmt.Errorf("read counter %s: %w", name, err)
		}
		return nil
	})
	return value, err
}

// parseCounter finds a field in the text of a file. The file netstat has a line of
// names, which begins with "TcpExt:", and below it one of values; in snmp several lines have
// some of the names, so that a field is "Udp:InCsumErrors" there. The files of stat
// have a line of names and a line of hexadecimal values for each processor, of which
// the first, "entries", is the same in all.
func parseCounter(file, field, text string) (uint64, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if dir := filepath.Dir(file); dir != "stat" {
		for i := 0; i+1 < len(lines); i += 2 {
			protocol, name, several := strings.Cut(field, ":")
			if several && !strings.HasPrefix(lines[i], protocol+":") {
				continue
			}
			if !several {
				name = field
			}
			at := slices.Index(strings.Fields(lines[i]), name)
			values := strings.Fields(lines[i+1])
			if at > 0 && at < len(values) {
				return strconv.ParseUint(values[at], 10, 64)
			}
		}
		return 0, fmt.Errorf("find field %s: %w", field, fs.ErrNotExist)
	}
	at := slices.Index(strings.Fields(lines[0]), field)
	if at < 0 || len(lines) < 2 {
		return 0, fmt.Errorf("find field %s: %w", field, fs.ErrNotExist)
	}
	var sum uint64
	for _, line := range lines[1:] {
		values := strings.Fields(line)
		if at >= len(values) {
			return 0, fmt.Errorf("find field %s: a line has %d values", field, len(values))
		}
		value, err := strconv.ParseUint(values[at], 16, 64)
		if err != nil {
			return 0, err
		}
		if at == 0 {
			return value, nil
		}
		sum += value
	}
	return sum, nil
}

// Counter implements View.
func (f *Fake) Counter(name string) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Counter"); err != nil {
		return 0, err
	}
	values, ok := f.counters[name]
	if !ok {
		return 0, fmt.Errorf("read counter %s: %w", name, fs.ErrNotExist)
	}
	if f.read == nil {
		f.read = map[string]int{}
	}
	at := min(f.read[name], len(values)-1)
	f.read[name]++
	return values[at], nil
}

func (f *Fake) counterText() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f.counters)) {
		fmt.Fprintf(&b, "counter %s =", name)
		for _, value := range f.counters[name] {
			fmt.Fprintf(&b, " %d", value)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (f *Fake) parseCounter(text string) error {
	name, rest, _ := strings.Cut(text, "=")
	name = strings.TrimSpace(name)
	values := strings.Fields(rest)
	if name == "" || len(values) == 0 {
		return errors.New("want NAME = VALUE, or several values")
	}
	if f.counters == nil {
		f.counters = map[string][]uint64{}
	}
	f.counters[name] = nil
	for _, word := range values {
		value, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return err
		}
		f.counters[name] = append(f.counters[name], value)
	}
	return nil
}
