// SPDX-License-Identifier: Apache-2.0

package matrix

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"testing"
)

// A said is what a plugin answered to one call.
type said struct {
	ok     bool
	stdout string
}

// call executes a plugin as a runtime does.
func call(t *testing.T, path, verb, netns string, stdin map[string]any) said {
	t.Helper()
	conf, err := json.Marshal(stdin)
	if err != nil {
		t.Fatal(err)
	}
	return callWith(t, path, verb, netns, conf)
}

// callWith is call with a configuration as it stands.
func callWith(t *testing.T, path, verb, netns string, conf []byte) said {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(conf), t.Output()
	cmd.Env = append(os.Environ(),
		"CNI_COMMAND="+verb, "CNI_CONTAINERID=subject", "CNI_NETNS="+netns, "CNI_IFNAME=eth0", "CNI_PATH=/nowhere")
	stdout, err := cmd.Output()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return said{ok: err == nil, stdout: string(stdout)}
}

// decode reads the one JSON document that a plugin printed.
func (s said) decode(t *testing.T) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s.stdout), &v); err != nil {
		t.Fatalf("read answer: %v\n%s", err, s.stdout)
	}
	return v
}
