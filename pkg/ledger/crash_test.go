// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const crashHelper = "CNI_GUARD_LEDGER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashHelper); dir != "" {
		writeForever(Ledger(dir))
	}
	os.Exit(m.Run())
}

// writeForever is the process that TestKill kills. It says a line per record.
func writeForever(l Ledger) {
	for i := 0; ; i++ {
		k := key(fmt.Sprintf("p%d-%d", os.Getpid(), i))
		if err := l.Put(record(k)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(k.ContainerID)
		if err := l.Retire(k); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// Whenever a process is killed, each record is whole or absent, and what it said
// it had recorded is there.
func TestKill(t *testing.T) {
	l := Ledger(memory(t))
	for round := range 30 {
		last := writeAndKill(t, l, round)
		if _, err := l.Get(key(last)); err != nil {
			t.Errorf("the last record is lost: %v", err)
		}
	}
	for _, folder := range []string{live, gone} {
		for _, name := range files(t, l, folder) {
			data, err := os.ReadFile(filepath.Join(string(l), folder, name))
			must(t, err)
			if _, err := parseRecord(data); err != nil {
				t.Errorf("%s/%s: %v: %q", folder, name, err, data)
			}
		}
	}
	must(t, l.Sweep(time.Now().Add(2*maxTmpAge)))
	if left := files(t, l, tmp); len(left) > 0 {
		t.Errorf("%d half-written files outlive the sweep", len(left))
	}
}

// writeAndKill kills a writer after some lines, and returns the last line it wrote.
func writeAndKill(t *testing.T, l Ledger, lines int) (last string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), crashHelper+"="+string(l), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	said := bufio.NewScanner(out)
	for range lines + 1 {
		if !said.Scan() {
			t.Fatal("the writer ended by itself")
		}
		last = said.Text()
	}
	must(t, cmd.Process.Kill())
	for said.Scan() { // what it said before it died
		last = said.Text()
	}
	_ = cmd.Wait()
	return last
}
