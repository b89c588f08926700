// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A ledger is what the tests need of the guard's state directory.
type ledger struct {
	t     *testing.T
	guard string // the program
	conf  []byte
	state string
	node  string // the path of its namespace
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	r := rigtest.New(t)
	conf := chain.Guard(r.Dir).With("cniVersion", "1.0.0").With("name", chain.Name).
		// The sandboxes here have no eth0; it is not what is under test.
		With("checks", map[string]any{"pod-address": map[string]string{"policy": "off"}}).
		With("prevResult", map[string]any{
			"cniVersion": "1.0.0",
			"interfaces": []any{map[string]any{"name": "eth0", "mac": "02:00:00:00:00:09", "sandbox": "/here"}},
			"ips":        []any{map[string]any{"address": "10.88.0.9/24", "interface": 0}},
		})
	text, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	guard := filepath.Join(rigtest.GuardDir(t), "cni-guard")
	return &ledger{t: t, guard: guard, conf: text, state: filepath.Join(r.Dir, "state"), node: r.Node.Path}
}

// sandbox makes a sandbox and returns its path.
func (l *ledger) sandbox(name string) string {
	l.t.Helper()
	pin, err := node.NewPin(name)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = pin.Remove() })
	return pin.Path
}

// command prepares a call of the guard for the sandbox.
func (l *ledger) command(verb, id, netns string) *exec.Cmd {
	cmd := exec.Command(l.guard)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(l.conf), l.t.Output()
	cmd.Env = append(os.Environ(),
		"CNI_COMMAND="+verb, "CNI_CONTAINERID="+id, "CNI_NETNS="+netns, "CNI_IFNAME=eth0", "CNI_PATH=/nowhere")
	cmd.Stdout = io.Discard
	return cmd
}

// records returns the container IDs of the records in a directory of the ledger, and
// fails the test for one that is not whole.
func (l *ledger) records(folder string) []string {
	l.t.Helper()
	files, err := filepath.Glob(filepath.Join(l.state, folder, "*"))
	if err != nil {
		l.t.Fatal(err)
	}
	var ids []string
	for _, file := range files {
		id, err := readRecord(file)
		if err != nil {
			l.t.Error(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// readRecord returns whose record it is, which its name must say too.
func readRecord(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var record struct {
		Network, ContainerID, IfName, BootID, Netns, MAC string

		Cookie uint64
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return "", fmt.Errorf("record %s is not whole: %w: %q", file, err, data)
	}
	name := record.Network + ":" + record.ContainerID + ":" + record.IfName
	if name != filepath.Base(file) || record.BootID == "" || record.Netns == "" || record.MAC == "" || record.Cookie == 0 {
		return "", fmt.Errorf("record %s lacks something: %s", file, data)
	}
	return record.ContainerID, nil
}
